"""Hooks and webhooks: what is told, to whom, how often; and that none of them ever hurts or delays a change."""
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from test.lib.http import Serving
from test.lib.receiver import Receiver
from test.lib.servers import until

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"
SECRET = "a-secret-of-the-tests-that-is-long-enough"
FAILS = ("ALTER TABLE t ADD COLUMN x int; CREATE UNIQUE INDEX by_k ON t (k)", "--name", "x")
FILL = ("--name", "w", "--backfill", "t.w = v + 1")


@pytest.fixture
def table(db):
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int, k int); INSERT INTO t SELECT i, i, i % 7 FROM generate_series(1, 20000) i")
    return db


@pytest.fixture
def receiver():
    started = []

    def start(*answers, **more):
        started.append(Receiver(answers, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture
def hook(tmp_path):
    """A program that writes what it was given, a line for each event."""
    program, told = tmp_path / "hook.sh", tmp_path / "told"
    program.write_text(f"#!/bin/sh\nbody=$(cat)\nenv | grep -E '^(STOA_|PG)' | tr '\\n' '\\t' >> {told}\necho \"body=$body\" >> {told}\n")
    program.chmod(0o755)
    told.touch()

    class Hook:
        path = str(program)

        @property
        def told(self):
            lines = [line.rpartition("\tbody=") for line in told.read_text().splitlines()]
            return [(dict(pair.split("=", 1) for pair in env.split("\t")), json.loads(body)) for env, _, body in lines]

        @property
        def events(self):
            return [(env["STOA_EVENT"], env["STOA_CHANGE"]) for env, _ in self.told]
    return Hook()


def test_a_change_from_its_start_to_its_end(table, stoa, hook, receiver):
    web = receiver()
    env = {"STOA_WEBHOOK_SECRET": SECRET, "STOA_TOKEN": "x" * 40}
    to = ("--hook", hook.path, "--webhook", web.url)
    stoa.apply(SQL, *FILL, *to, env=env)
    assert hook.events == web.events == [("started", "w"), ("ready", "w")]
    stoa("complete", "w", "--force", "--yes", *to, env=env)
    failed = stoa.apply(*FAILS, *to, env=env, code=None)
    assert web.events[-1] == ("failed", "x"), failed
    stoa.apply("ALTER TABLE t ADD COLUMN y int NOT NULL", "--name", "y", "--backfill", "t.y = v", "--until", "expand", *to, env=env)
    stoa("abort", "y", "--yes", *to, env=env)
    expected = [("started", "w"), ("ready", "w"), ("completed", "w"), ("started", "x"), ("failed", "x"), ("started", "y"), ("aborted", "y")]
    assert hook.events == web.events == expected
    for (variables, body), (_, headers, posted) in zip(hook.told, web.got, strict=True):
        assert headers["X-Stoa-Signature"] == "sha256=" + hmac.new(SECRET.encode(), posted, hashlib.sha256).hexdigest()
        assert body == json.loads(posted) and body["v"] == 1 and body["text"] == variables["STOA_TEXT"] != ""
        assert headers["X-Stoa-Delivery"] == body["delivery"] == variables["STOA_DELIVERY"] and len(body["delivery"]) == 32
        assert headers["X-Stoa-Event"] == body["event"] and headers["Content-Type"] == "application/json"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["at"]) and body["database"] == variables["STOA_DATABASE"]
        assert not {"STOA_TOKEN", "STOA_WEBHOOK_SECRET", "STOA_URL"} & set(variables), "secrets are not for hooks"
    assert len({body["delivery"] for body in web.bodies}) == len(web.bodies)
    assert [body["state"] for body in web.bodies] == ["running", "ready", "completed", "running", "failed", "running", "aborted"]


def test_secrets_stand_nowhere(table, stoa, receiver, hook):
    web = receiver(404)
    url = table.url().replace("@", ":database-secret@", 1) if "@" in table.url() else table.url()
    done = stoa("apply", SQL, *FILL, "--yes", "-v", "--webhook", web.url.replace("://", "://user:user-secret@"), "--hook",
                f"{hook.path} --token hook-secret; false", url=url, env={"STOA_WEBHOOK_SECRET": SECRET})
    said = done.out + done.err + "".join(map(str, hook.told)) + "".join(map(str, web.bodies))
    assert f"webhook http://localhost:{web.port}/…" in said and "hook 1" in said, "both are told about"
    for secret in ("user-secret", "path-secret", "hook-secret", "database-secret", SECRET):
        assert secret not in said
    running = stoa.start("apply", SQL, "--yes", "--webhook", web.url, "--name", "y", env={"STOA_FAILPOINT": "no=exit"})
    seen = until(lambda: open(f"/proc/{running.pid}/cmdline").read() if "path-secret" not in open(f"/proc/{running.pid}/cmdline").read() else "", 5)
    assert "path-secret" not in seen
    running.wait(None)


def test_tries_again(table, stoa, receiver):
    web = receiver(500, 429, (429, {"Retry-After": "2"}), 200)
    stoa.apply(SQL, *FILL, "--until", "expand", "--webhook", web.url)
    ids = [headers["X-Stoa-Delivery"] for _, headers, _ in web.got]
    assert len(ids) == 4 and len(set(ids)) == 1, "the same id at each try"
    times = [seconds for seconds, _, _ in web.got]
    assert times[3] - times[2] >= 1.9, "it waits for as long as it is asked to"
    assert times[2] - times[1] >= 0.9, "and never at once, but where the program ends meanwhile"


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_does_not_try_again(table, stoa, receiver, status):
    other = receiver()
    web = receiver((status, {"Location": other.url}))
    done = stoa.apply(SQL, *FILL, "--webhook", web.url)
    assert web.events == [("started", "w"), ("ready", "w")] and other.got == [], "one try, and redirects are not followed"
    assert f"\"started\" not told: it answers {status}" in done.err


def test_one_that_hangs_delays_nothing(table, stoa, receiver, tmp_path):
    pid = tmp_path / "pid"
    web, well = receiver(100.0, 100.0), receiver()
    done = stoa.apply(SQL, *FILL, "--hook", f"sleep 1000 & echo $! > {pid}; wait", "--hook", "exec >&- 2>&-; sleep 1000", "--hook", "exit 3",
                      "--webhook", web.url, "--webhook", well.url, "--webhook", "http://127.0.0.1:1/", "--json")
    events = done.events
    took = [event for event in events if "summary" in event][0]["summary"]["total_ms"]
    assert took < 8000 and table.value("SELECT count(*) FROM t WHERE w = v + 1") == 20000
    assert done.seconds < took / 1000 + 15, "the end is waited for, but not for ever"
    assert well.events == [("started", "w"), ("ready", "w")], "others are told"
    assert 'hook 3 (exit): "started": it ended with code 3' in done.err
    child = int(pid.read_text())
    until(lambda: not os.path.exists(f"/proc/{child}") or open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[0] == "Z", 5,
          "what a hook has started is still there")


def test_a_second_interrupt_ends_the_wait(table, stoa, receiver):
    web = receiver(*[100.0] * 9)
    running = stoa.start("apply", SQL, *FILL, "--yes", "--webhook", web.url)
    until(lambda: "rows" in running.out, 60, "it does not say what it did")
    at = time.monotonic()
    running.signal(signal.SIGINT)
    until(lambda: running.signal(signal.SIGINT) or not running.is_running(), 5, "it still waits", every=0.2)
    assert time.monotonic() - at < 5 and running.wait(None).code == 0, "the change was made"


def test_throttled_and_blocked(table, stoa, receiver, tmp_path):
    web = receiver()
    stop = tmp_path / "stop"
    stop.touch()
    running = stoa.start("apply", SQL, *FILL, "--yes", "--stop-file", str(stop), "--webhook", web.url, "--notify-throttled-after", "2s")
    until(lambda: ("throttled", "w") in web.events, 30, "it is not told")
    body = [body for body in web.bodies if body["event"] == "throttled"][0]
    assert "stop" in body["text"] and body["state"] == "waiting" and web.got[-1][0] - web.got[0][0] >= 1.9
    stop.unlink()
    running.wait()
    assert [event for event, _ in web.events] == ["started", "throttled", "ready"]
    blocker = table.connect()
    blocker.autocommit = False
    blocker.execute("SELECT * FROM t LIMIT 1")
    running = stoa.start("apply", "ALTER TABLE t ADD COLUMN x int", "--name", "x", "--yes", "--webhook", web.url)
    until(lambda: ("blocked", "x") in web.events, 30, "it is not told who blocks")
    assert "waiting for a lock" in web.bodies[-1]["text"] and str(blocker.info.backend_pid) in web.bodies[-1]["text"]
    blocker.rollback()
    running.wait()
    assert [event for event, change in web.events if change == "x"].count("blocked") == 1


def test_serve_tells_what_others_do(table, stoa, receiver, hook):
    web = receiver()
    stoa.apply(SQL, *FILL, "--until", "expand")
    serving = Serving(table.url(), "--webhook", web.url, "--hook", hook.path).ready()
    until(lambda: serving.get("/api/v1/changes")["changes"], 10)
    stoa("resume", "w")
    until(lambda: ("ready", "w") in web.events, 20, "ready is not told")
    serving.ask("/api/v1/changes/w/complete", "POST", body={"force": True}, trusted=True)
    until(lambda: ("completed", "w") in web.events, 20, "completed is not told")
    until(lambda: serving.get("/api/v1/status")["acts"][0]["state"] == "done", 20)
    stoa.apply(*FAILS, code=None)
    until(lambda: ("failed", "x") in web.events, 20, "failed is not told")
    assert serving.close() == 0
    assert web.events == hook.events == [("started", "w"), ("ready", "w"), ("completed", "w"), ("started", "x"), ("failed", "x")]
    assert [body["state"] for body in web.bodies if body["event"] == "completed"] == ["completed"]


def test_certificates_are_checked(table, stoa, receiver, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    web = receiver(tls=(tmp_path / "cert.pem", tmp_path / "key.pem"))
    done = stoa.apply(SQL, *FILL, "--until", "expand", "--webhook", web.url)
    assert web.got == [] and "certificate" in done.err
    stoa("resume", "w", "--webhook", web.url, env={"SSL_CERT_FILE": str(tmp_path / "cert.pem")})
    assert web.events == [("started", "w"), ("ready", "w")]


def test_bad_options(table, stoa):
    for args, code, told in ((["--webhook", "ftp://x/y"], 2, "http"), (["--webhook", "nothing"], 2, "http"), (["--hook", ""], 2, "empty"),
                             (["--webhook-secret-file", "/nowhere", "--webhook", "http://127.0.0.1:1/"], 2, "nowhere")):
        done = stoa.apply(SQL, *FILL, *args, code=code)
        assert told in done.err and "y" not in re.findall(r"ftp://x/\S*", done.err)
    done = stoa.apply(SQL, *FILL, "--webhook", "http://127.0.0.1:1/", env={"STOA_WEBHOOK_SECRET": "short"}, code=2)
    assert "shorter" in done.err


def test_doctor_tries_them(table, stoa, receiver, hook):
    web = receiver()
    assert "test" not in [event for event, _ in hook.events]
    checks = stoa("doctor", "--notify", "--hook", hook.path, "--hook", "exit 7", "--webhook", web.url, "--json", code=None).json["checks"]
    mine = [(check["name"], check["ok"]) for check in checks if check["name"] in ("hook", "webhook")]
    assert mine == [("hook", True), ("hook", False), ("webhook", True)]
    assert web.events == hook.events == [("test", "")]
    stoa("doctor", "--hook", hook.path, "--json", code=None)
    assert len(hook.events) == 1, "only when asked to"


# ---- logs ---------------------------------------------------------------------------------------


def objects(text):
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert {"at", "level", "text"} <= set(line) and line["level"] in ("error", "warn", "info", "debug"), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["at"])
    return lines


def test_logs_as_json(table, stoa):
    lines = objects(stoa.apply(SQL, *FILL, "--log-format", "json").err)
    events = [line["event"] for line in lines if line.get("change") == "w"]
    assert events[0] == "planned" and "step_done" in events and events[-1] == "ready"
    assert all(line["step"] > 0 for line in lines if line.get("event") == "step_done")
    lines = objects(stoa("complete", "nothing", "--yes", "--log-format", "json", code=2).err)
    assert lines[-1]["level"] == "error" and lines[-1]["kind"] == "usage" and "nothing" in lines[-1]["text"]
    for raw in (b"\xff\xfe", "grün".encode(), b"a\tb\x01"):
        name = os.fsdecode(raw)
        objects(stoa("abort", name, "--yes", "--log-format", "json", code=None).err)
    quiet = stoa.apply("ALTER TABLE t ADD COLUMN q int", "--name", "q", "--log-format", "json", "-q")
    assert objects(quiet.err) == []


def test_the_access_log(table):
    serving = Serving(table.url(), "--log-format", "json", "-v").ready()
    serving.ask("/healthz?token=query-secret")
    serving.ask("/a%1b%5b31mb%ff")
    assert serving.close() == 0
    lines = objects("".join(serving.said))
    texts = [line["text"] for line in lines if line["level"] == "debug"]
    assert any(re.fullmatch(r"127\.0\.0\.1 GET /healthz 200 \d+\.\d ms", text) for text in texts), texts
    assert any("/a?[31mb\ufffd 404" in text for text in texts), texts
    assert "query-secret" not in "".join(serving.said)


# ---- systemd ------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd(table, tmp_path, abstract):
    there = f"\0stoa-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(there)
        sock.settimeout(20)
        serving = Serving(table.url(), env={"NOTIFY_SOCKET": there.replace("\0", "@"), "WATCHDOG_USEC": "400000"})
        assert sock.recv(100) == b"READY=1"
        at = time.monotonic()
        assert [sock.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        assert time.monotonic() - at < 3
        serving.process.terminate()
        until(lambda: sock.recv(100) == b"STOPPING=1", 10, "it does not say that it stops")
        assert serving.close() == 0

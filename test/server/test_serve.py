"""stoa serve: what it shows, who may do what, streams, and that it answers while the database is gone."""
import json
import subprocess
import time

import pytest

from test.lib.http import TOKEN, Serving, raw
from test.lib.servers import Server, until
from test.lib.stoa import BINARY

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"


def apply(stoa, *args):
    return stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes", *args)


def test_changes_and_events(serving, stoa):
    web = serving().ready()
    assert web.get("/api/v1/changes") == {"v": 1, "changes": []} and web.get("/healthz")["status"] == "ok"
    with web.stream() as events:
        assert apply(stoa).code == 0
        seen = []
        for event, number, data in events:
            seen.append((event, number, data))
            if event == "journal" and data["event"] == "ready":
                break
    numbers = [int(number) for event, number, _ in seen if event == "journal"]
    assert numbers == sorted(set(numbers)), "each event once, in order"
    until(lambda: web.get("/api/v1/changes")["changes"][0]["state"] == "ready", 5, "the change is not shown as ready")
    def told_by(path):  # a picture is up to half a second old, and what the signals said is forgotten after a while
        return json.loads(stoa("status", "--json").out)["changes"] == web.get(path)["changes"]
    until(lambda: told_by("/api/v1/changes"), 10, "the server does not show what status tells")
    change = web.get("/api/v1/changes/w")["change"]
    assert change["state"] == "ready" and change["rows_done"] == 20000
    assert web.get("/api/v1/changes/w/steps")["steps"] == change["steps"]
    history = json.loads(stoa("history", "w", "--json").out)["events"]
    assert [{key: value for key, value in one.items() if key != "id"} for one in web.get("/api/v1/changes/w/events")["events"]] == history
    with web.stream(headers={"Last-Event-ID": str(numbers[2])}) as events:
        assert next(data for event, _, data in events if event == "journal")["id"] > numbers[2]
    until(lambda: told_by("/api/v1/status"), 10, "nor does its status")
    status = web.get("/api/v1/status")
    assert status["engine"] == "postgres" and not status["may_act"] and status["failed"] is None


def test_who_may_do_what(serving, stoa):
    web = serving().ready()
    apply(stoa, "--until", "expand")
    until(lambda: web.get("/api/v1/changes")["changes"], 5, "the change is not shown")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"X-API-Key": TOKEN[:-1]}):
        status, got, body = web.ask("/api/v1/changes/w/resume", "POST", headers=headers)
        assert status == 401 and got["WWW-Authenticate"] == "Bearer" and body["error"]["kind"] == "privilege"
    assert web.ask("/api/v1/changes/none/pause", "POST", trusted=True)[0] == 404
    assert web.ask("/api/v1/changes/w/uninstall", "POST", trusted=True)[0] == 404
    assert web.ask("/api/v1/changes/w/resume", "POST", body="[1]", trusted=True)[0] == 400
    assert web.ask("/api/v1/changes/w/resume", "POST", body={"max-load": [["x"]]}, trusted=True)[0] == 400
    for argument in ("url", "password-command", "config", "accept-scan", "yes", "x", "max-lag=1s --url"):
        status, _, body = web.ask("/api/v1/changes/w/resume", "POST", body={argument: "x"}, trusted=True)
        assert status == 400 and argument in body["error"]["message"]
    status, _, body = web.ask("/api/v1/changes/w/resume", "POST", body={"max-lag": "2s", "max-load": ["slot-wal=901", "dead-rows=902"]}, headers={"X-API-Key": TOKEN})
    assert status == 202 and body["asked"] == "resume"
    until(lambda: web.get("/api/v1/changes/w")["change"]["state"] == "ready", 30,
          lambda: f"it did not go on: {web.get('/api/v1/changes/w')['change']['throttled_by']} {web.get('/api/v1/status')['acts']}")
    assert web.get("/api/v1/status", trusted=True)["may_act"]
    limits = {signal["name"]: signal["limit"] for signal in web.get("/api/v1/changes/w")["change"]["signals"]}
    assert limits["slot-wal"] == 901 and limits["dead-rows"] == 902, limits
    plan = web.get("/api/v1/changes/w/plan")["plan"]
    assert plan["change"] == "w" and [step["ordinal"] for step in plan["steps"]] == [step["ordinal"] for step in web.get("/api/v1/changes/w/steps")["steps"]]
    assert any("ALTER TABLE" in sql for step in plan["steps"] for sql in step["statements"])
    web.ask("/api/v1/changes/w/resume", "POST", body={"max-lag": "2 parsecs"}, trusted=True)
    until(lambda: web.get("/api/v1/status")["acts"][0]["state"] == "failed", 20, "what failed is not told")
    assert "parsecs" in web.get("/api/v1/status")["acts"][0]["error"]
    web.ask("/api/v1/changes/w/complete", "POST", body={"force": True}, trusted=True)
    until(lambda: web.get("/api/v1/changes/w")["change"]["state"] == "completed", 30, "it was not completed")
    status, _, body = serving(token=None).ready().ask("/api/v1/changes/w/pause", "POST")
    assert status == 403 and "token" in body["error"]["message"]


def test_http(serving):
    web = serving().ready()
    status, headers, body = web.ask("/nothing")
    assert status == 404 and body["error"]["message"] and headers["X-Content-Type-Options"] == "nosniff"
    status, headers, _ = web.ask("/api/v1/changes", "DELETE")
    assert status == 405 and headers["Allow"] == "GET"
    assert web.ask("/api/v1/changes", "HEAD")[0] == 200
    assert web.ask("/api/v1/changes/w/pause", "POST", body="x" * (2 << 20), trusted=True)[0] == 413
    assert raw(web.port, b"NONSENSE\r\n\r\n") == b"" or b" 400 " in raw(web.port, b"NONSENSE\r\n\r\n")[:20]
    assert raw(web.port, b"GET /api/v1/changes/%00x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 404")
    conn = web.connect()
    for _ in range(50):  # one connection is enough
        conn.request("GET", "/healthz")
        assert conn.getresponse().read()


def test_bad_starts(table, tmp_path):
    def start(*args, **env):
        return subprocess.run([BINARY, "serve", "--url", table.url(), *args], capture_output=True, text=True, timeout=20,
                              env={"PATH": "/usr/bin:/bin", **env})
    first = Serving(table.url())
    for args, env, code, told in ((["--listen", f"127.0.0.1:{first.port}"], {}, 1, "another one"), (["--listen", "nowhere"], {}, 2, "address"),
                                  (["--listen", "::1:80"], {}, 2, "address"), ([], {"STOA_TOKEN": "short"}, 2, "shorter"),
                                  (["--tls-cert", "x"], {}, 2, "go together")):
        done = start(*args, **env)
        assert done.returncode == code and told in done.stderr, done
    (tmp_path / "x.pem").write_text("none")
    done = start("--listen", "127.0.0.1:0", "--tls-cert", tmp_path / "x.pem", "--tls-key", tmp_path / "x.pem")
    assert done.returncode == 2 and "PEM" in done.stderr
    assert first.close() == 0


def test_https(table, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    web = Serving(table.url(), "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
    assert web.scheme == "https"
    got = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{web.port}", "-CAfile", tmp_path / "cert.pem"],
                         input=b"GET /healthz HTTP/1.0\r\n\r\n", capture_output=True, timeout=20).stdout
    assert b'"status":"ok"' in got
    web.close()


def test_while_the_database_is_gone(home, version, stoa):
    server = Server(home, version)
    with server.connect() as conn:
        conn.execute("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    assert stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes", url=url).code == 0
    web = Serving(url).ready()
    server.stop()
    until(lambda: web.ask("/readyz")[0] == 503, 20, "it does not say that the database is gone")
    assert web.get("/api/v1/changes")["changes"][0]["state"] == "ready", "what was known stays"
    assert web.get("/api/v1/status")["failed"]
    from_ms = time.monotonic()
    for _ in range(100):
        web.get("/api/v1/changes")
    assert time.monotonic() - from_ms < 10
    server.start()
    until(lambda: web.ask("/readyz")[0] == 200, 30, "it does not come back")
    web.close()


def test_listen_while_applying(serving, table):
    table.run("INSERT INTO t SELECT i, i FROM generate_series(20001, 300000) i")
    web = serving(SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes", verb="apply")
    until(lambda: (web.get("/api/v1/changes")["changes"] or [{}])[0].get("phase") == "backfill", 30, "no backfill is shown")
    web.ask("/api/v1/changes/w/pause", "POST", trusted=True)
    until(lambda: web.get("/api/v1/changes/w")["change"]["state"] == "paused", 20, "it does not pause")
    web.ask("/api/v1/changes/w/resume", "POST", trusted=True)
    assert web.process.wait(60) == 0, web.said

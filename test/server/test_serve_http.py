"""The HTTP of stoa serve: names it answers to, what it says of itself, and clients that are slow, many, or both."""
import concurrent.futures
import os
import resource
import socket
import subprocess
import threading
import time

import jsonschema
import pytest

from test.lib.http import TOKEN, Serving, raw
from test.lib.servers import until

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"
FILL = ("--name", "w", "--backfill", "t.w = v + 1")
SLOW = 1000


def status_of(web, head, path="/healthz", method="GET"):
    """The status of a request with these header lines."""
    answer = raw(web.port, f"{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    return int(answer.split(b" ", 2)[1]), answer


# ---- names --------------------------------------------------------------------------------------


def test_names(serving):
    web = serving("--public-host", "stoa.example.com").ready()
    for host, status in (("localhost", 200), (f"127.0.0.1:{web.port}", 200), ("[::1]:1", 200), ("LOCALHOST", 200), ("stoa.example.com:8443", 200),
                         ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("example.com", 421), ("10.1.2.3", 421), ("", 421)):
        got, answer = status_of(web, f"Host: {host}\r\n")
        assert got == status, (host, answer)
    assert b"--public-host" in status_of(web, "Host: evil.example\r\n")[1]
    assert status_of(web, "Host: evil.example\r\n", "/nothing")[0] == 421
    assert raw(web.port, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200") or raw(web.port, b"GET /healthz HTTP/1.0\r\n\r\n")[9:12] == b"200"


def test_names_beyond_loopback(serving):
    web = serving("--listen", "0.0.0.0:0").ready()
    assert status_of(web, "Host: whatever.example\r\n")[0] == 200, "who opens it to others says by what name"
    named = serving("--listen", "0.0.0.0:0", "--public-host", "stoa.example.com").ready()
    for host, status in (("stoa.example.com", 200), ("10.1.2.3:80", 200), ("localhost", 200), ("evil.example", 421)):
        assert status_of(named, f"Host: {host}\r\n")[0] == status


def test_pages_of_other_sites(serving, stoa):
    stoa.apply(SQL, *FILL, "--until", "expand")
    web = serving("--public-host", "stoa.example.com").ready()
    until(lambda: web.get("/api/v1/changes")["changes"], 10)
    token = f"Authorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n"
    for host, origin, status in (("localhost", "http://evil.example", 403), ("localhost", "null", 403), ("localhost:1", "http://localhost:2", 403),
                                 ("stoa.example.com", "https://stoa.example.com", 202), ("localhost", None, 202)):
        head = f"Host: {host}\r\n{token}" + (f"Origin: {origin}\r\n" if origin else "")
        got, answer = status_of(web, head, "/api/v1/changes/w/pause", "POST")
        assert got == status, (host, origin, answer)
    assert status_of(web, "Host: localhost\r\nOrigin: http://evil.example\r\n")[0] == 200, "what reads is no harm: a page cannot see the answer"


# ---- what it says of itself ---------------------------------------------------------------------


class Api:
    def __init__(self, web):
        self.web, self.doc = web, web.get("/api/v1/openapi.json")

    def check(self, path, template, method="get", status=200, **more):
        """Asks, and holds the answer against what is described for it."""
        got, headers, body = self.web.ask(path, method.upper(), **more)
        assert got == status, (path, got, body)
        response = self.doc["paths"][template][method]["responses"][str(got)]
        if "$ref" in response:
            response = self.doc["components"]["responses"][response["$ref"].rpartition("/")[2]]
        kind = headers["Content-Type"].split(";")[0]
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.doc["components"], **response["content"][kind]["schema"]}
        jsonschema.Draft202012Validator(schema).validate(body)
        return template, method


def test_the_description_is_true(serving, stoa):
    stoa.apply(SQL, *FILL, "--until", "expand")
    web = serving("--allowed-signers", stoa.file("signers", "")).ready()
    until(lambda: web.get("/api/v1/changes")["changes"], 10)
    api = Api(web)
    one = "/api/v1/changes/{change}"
    seen = {api.check(path, path) for path in ("/healthz", "/readyz", "/api/v1/openapi.json", "/api/v1/status", "/api/v1/changes", "/api/v1/events")}
    seen |= {api.check(one.format(change="w") + more, one + more) for more in ("", "/plan", "/steps", "/events")}
    for verb in ("pause", "resume", "abort", "complete", "revert"):
        path = f"{one}/{verb}"
        api.check(path.format(change="none"), path, "post", 404, trusted=True)
        api.check(path.format(change="w"), path, "post", 401)
        api.check(path.format(change="w"), path, "post", 400, trusted=True, body={"url": "x"})
        api.check(path.format(change="w"), path, "post", 403, trusted=True, headers={"Origin": "http://evil.example"})
        api.check(path.format(change="w"), path, "post", 413, trusted=True, body="x" * (2 << 20))
        api.check(path.format(change="w"), path, "post", 421, trusted=True, headers={"Host": "evil.example"})
    signed, trusted = {"text": "x", "signature": "y", "bundle": {"change": "w", "plan": {}}}, {"trusted": True}
    for status, more in ((401, {}), (400, trusted), (403, {**trusted, "headers": {"Origin": "http://evil.example"}}), (413, {**trusted, "body": "x" * (2 << 20)}),
                         (421, {**trusted, "headers": {"Host": "evil.example"}}), (202, {**trusted, "body": signed})):
        seen.add(api.check("/api/v1/approvals", "/api/v1/approvals", "post", status, **more))
    for verb in ("pause", "resume", "complete", "revert", "abort"):
        until(lambda: all(act["state"] != "running" for act in web.get("/api/v1/status")["acts"]), 30)
        path = f"{one}/{verb}"
        seen.add(api.check(path.format(change="w"), path, "post", 202, trusted=True, body={"force": True} if verb == "complete" else None))
    until(lambda: all(act["state"] != "running" for act in web.get("/api/v1/status")["acts"]), 30)
    api.check("/api/v1/status", "/api/v1/status")
    api.check("/api/v1/changes", "/api/v1/changes")
    assert seen >= {(path, method) for path, methods in api.doc["paths"].items() for method in methods if path.startswith(("/api/v1/changes", "/api/v1/approvals", "/api/v1/status",
                    "/api/v1/events", "/api/v1/openapi", "/healthz", "/readyz"))}, "each is asked"
    assert api.doc["openapi"] == "3.1.0" and web.ask("/api/v1/openapi.json", headers={"If-None-Match": web.ask("/api/v1/openapi.json")[1]["ETag"]})[0] == 304
    jsonschema.Draft202012Validator.check_schema(api.doc["components"]["schemas"]["Change"])


def test_the_description_can_be_wrong(serving, stoa):
    """The validator of these tests sees a member that is not described."""
    web = serving().ready()
    api = Api(web)
    del api.doc["components"]["schemas"]["Status"]["properties"]["picture"]
    with pytest.raises(jsonschema.ValidationError):
        api.check("/api/v1/status", "/api/v1/status")


# ---- slow ones, and many ------------------------------------------------------------------------


@pytest.fixture
def files():
    """Enough descriptors for this process, and for those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 8192), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Slow:
    """Connections that send a byte every second and a half, or (every other one) nothing; those that are closed come
    again, for as long as this lasts."""

    def __init__(self, port, count=SLOW):
        self.port, self.over = port, threading.Event()
        self.socks = []
        self.cut = 0
        for _ in range(count):
            self.socks.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        self.thread = threading.Thread(target=self._drip, daemon=True)
        self.thread.start()

    def _drip(self):
        text = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000
        at = 0
        while not self.over.wait(1.5):
            for number, sock in enumerate(self.socks):
                try:
                    if number % 2:
                        sock.send(text[at:at + 1])
                    else:
                        sock.recv(1, socket.MSG_DONTWAIT) == b"" and sock.close()
                except BlockingIOError:
                    pass
                except OSError:
                    self.cut += 1
                    sock.close()
                    try:
                        self.socks[number] = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                    except OSError:
                        return
            at += 1

    def close(self):
        self.over.set()
        self.thread.join(30)
        for sock in self.socks:
            sock.close()


def answer_ms(web, count=20):
    """How long each of so many new clients waits for /healthz, in ms, sorted."""
    took = []
    for _ in range(count):
        at = time.monotonic()
        web.get("/healthz")
        took.append((time.monotonic() - at) * 1000)
    return sorted(took)


@pytest.mark.long
def test_slow_clients_do_not_disturb_others(serving, files):
    web = serving().ready()
    slow = Slow(web.port)
    waits = answer_ms(web, 50)
    assert waits[len(waits) // 2] < 100, waits
    until(lambda: slow.cut >= SLOW // 2, 60, "those that come to no request are not cut off")
    assert answer_ms(web)[10] < 100
    before = cpu_ms(web.process.pid)
    at = time.monotonic()
    until(lambda: time.monotonic() - at > 2, 5)
    assert cpu_ms(web.process.pid) - before < 1000, "it works without there being work"
    slow.close()


def cpu_ms(pid):
    words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def test_more_than_there_is_room_for(serving, files):
    """2,400 connections that say nothing, where 2,000 fit: others still come through."""
    web = serving().ready()
    slow = Slow(web.port, 2400)
    until(lambda: answer_ms(web, 1)[0] < 1000, 30, "nobody else comes through")
    slow.close()


def test_hardly_any_descriptors(serving, table):
    """With room for 64 files in all it serves fewer, does not spin, and still reaches the database."""
    def fewer():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    plain = subprocess.Popen
    try:
        subprocess.Popen = lambda *args, **more: plain(*args, preexec_fn=fewer, **more)
        web = serving()
    finally:
        subprocess.Popen = plain
    web.ready()
    socks = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(200)]
    before, at = cpu_ms(web.process.pid), time.monotonic()
    until(lambda: time.monotonic() - at > 2, 5)
    assert cpu_ms(web.process.pid) - before < 500, "it spins"
    assert len(os.listdir(f"/proc/{web.process.pid}/fd")) < 60, "others of the program have some left"
    until(lambda: answer_ms(web, 1)[0] < 5000, 60, "nobody comes through")
    assert web.ask("/readyz")[0] == 200
    for sock in socks:
        sock.close()
    until(lambda: answer_ms(web, 1)[0] < 200, 30)


def test_many_at_once(serving, stoa):
    stoa.apply(SQL, *FILL)
    web = serving().ready()
    until(lambda: web.get("/api/v1/changes")["changes"], 10)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        states = list(pool.map(lambda _: web.get("/api/v1/changes/w")["change"]["state"], range(400)))
    assert states == ["ready"] * 400

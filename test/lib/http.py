"""A running "stoa serve", asked over HTTP."""
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time

from test.lib.servers import until
from test.lib.stoa import BINARY

TOKEN = "a-token-of-the-tests-that-is-long-enough"


class Serving:
    """A server at a free port of loopback; `args` come behind "stoa serve"."""

    def __init__(self, url, *args, verb="serve", token=TOKEN, env=None, listen="127.0.0.1:0"):
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("STOA_", "PG"))}
        more = {"NO_COLOR": "1"} | ({"STOA_URL": url} if url else {}) | ({"STOA_TOKEN": token} if token else {}) | (env or {})
        self.token = token
        self.process = subprocess.Popen([str(BINARY), verb, "--listen", listen, *args], env=clean | more, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = []
        self.out = []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stderr, self.said), (self.process.stdout, self.out))]
        for reader in self.readers:
            reader.start()
        until(lambda: self.process.poll() is not None or self.place() is not None, 20, "stoa does not listen")
        assert self.place(), self.said
        self.scheme, self.host, self.port = self.place()

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line)

    def place(self):
        match = re.search(r"listening at (https?)://([^:,\s]+):(\d+)", "".join(self.said))
        return match and (match[1], match[2], int(match[3]))

    @property
    def url(self):
        return f"{self.scheme}://{self.host}:{self.port}/"

    def connect(self, timeout=20):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, path, method="GET", body=None, headers=None, trusted=False):
        """(status, headers, body) with a JSON body as an object."""
        conn = self.connect()
        headers = dict(headers or {}) | ({"Authorization": f"Bearer {self.token}"} if trusted else {})
        conn.request(method, path, body=json.dumps(body) if isinstance(body, (dict, list)) else body, headers=headers)
        answer = conn.getresponse()
        text = answer.read()
        conn.close()
        kind = answer.getheader("Content-Type") or ""
        return answer.status, answer.headers, json.loads(text) if text and kind.startswith("application/json") else text.decode()

    def get(self, path, **more):
        status, _, body = self.ask(path, **more)
        assert status == 200, (status, body)
        return body

    def ready(self):
        until(lambda: self.ask("/readyz")[0] == 200, 20, "it does not become ready")
        return self

    @contextlib.contextmanager
    def stream(self, path="/api/v1/events", headers=None):
        """A generator of (event, id, data) of server-sent events."""
        conn = self.connect(timeout=30)
        conn.request("GET", path, headers={"Accept": "text/event-stream"} | (headers or {}))
        answer = conn.getresponse()
        assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"

        def events():
            event = {}
            for raw in answer:
                line = raw.decode().rstrip("\n")
                if line == "":
                    if "data" in event:
                        yield event.get("event", "message"), event.get("id"), json.loads(event["data"])
                    event = {}
                elif not line.startswith(":"):
                    key, _, value = line.partition(": ")
                    event[key] = value
        try:
            yield events()
        finally:
            conn.close()

    def close(self, signal=None):
        if self.process.poll() is None:
            self.process.send_signal(signal) if signal else self.process.terminate()
        code = self.process.wait(30)
        for reader in self.readers:
            reader.join(10)
        return code


def raw(port, data, wait=5.0):
    """Bytes as they are; what comes back until the other side closes or nothing comes for `wait` seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as conn:
        conn.sendall(data)
        got = b""
        end = time.monotonic() + wait
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end and (more := conn.recv(65536)):
                got += more
        return got

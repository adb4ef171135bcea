"""Clients over HTTP that are slow, and many; and what threads of a process have cost."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import os, socket, sys, time
os.nice(19)
port, count = int(sys.argv[1]), int(sys.argv[2])
text = b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nX-Slow: " + b"x" * 1000
def dial():
    return socket.create_connection(("127.0.0.1", port), timeout=30)
socks = [dial() for _ in range(count)]
for sock in socks:
    sock.setblocking(False)
print("all there", flush=True)
cut = at = 0
while os.getppid() == int(sys.argv[3]):
    began = time.monotonic()
    for number, sock in enumerate(socks):
        try:
            if number % 2:
                sock.send(text[at % len(text):at % len(text) + 1])
            elif sock.recv(1) == b"":
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            cut += 1
            sock.close()
            try:
                socks[number] = dial()
                socks[number].setblocking(False)
            except OSError:
                sys.exit(0)
            print("cut", cut, flush=True)
    at += 1
    time.sleep(max(0, 1.5 - (time.monotonic() - began)))
"""


class SlowClients:
    """A process of the least priority with `count` connections: every other one sends a byte every second and a half,
    the rest say nothing; those that are closed come again, until close(). All are there once this is made."""

    def __init__(self, port, count):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port), str(count), str(os.getpid())], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "all there\n", "they do not come in"

    def close(self):
        """How many were closed by the other side."""
        self.process.kill()
        told = self.process.communicate(timeout=30)[0].split()
        return int(told[-1]) if told else 0


def thread_ms(pid):
    """{(id, name): CPU so far, in ms} of a process' threads; None once it is gone."""
    found = {}
    try:
        for folder in pathlib.Path(f"/proc/{pid}/task").iterdir():
            stat = (folder / "schedstat").read_text().split()
            found[int(folder.name), (folder / "comm").read_text().strip()] = int(stat[0]) / 1e6
    except OSError:
        return None
    return found or None

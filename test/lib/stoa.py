"""Runs the program as a user would, and keeps what it said."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from test.lib.servers import ROOT, until

BUILD = ROOT / os.environ.get("STOA_BUILD", "build")
BINARY = BUILD / "src" / "cli" / "stoa"


class Result:
    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds

    @property
    def json(self):
        """The one object of a verb that reads."""
        return json.loads(self.out)

    @property
    def events(self):
        """The objects, one a line, of a verb that acts."""
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    def __str__(self):
        return (f"stoa {' '.join(self.args)}: exit {self.code} after {self.seconds:.1f} s\n"
                f"--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}")


class Running:
    """A started program. Its output is read as it comes."""

    def __init__(self, args, environment):
        self.args = args
        self.started = time.monotonic()
        self.process = subprocess.Popen([BINARY, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment, cwd=environment["HOME"])
        self.lines = {"out": [], "err": []}
        self.readers = [threading.Thread(target=self._read, args=[name, stream], daemon=True)
                        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            self.lines[name].append(line)

    @property
    def is_stopped(self):
        """By SIGSTOP, or by a failpoint's pause; it must not have ended."""
        with open(f"/proc/{self.pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        assert state != "Z", f"it ended instead\n{self.partial()}"
        return state == "T"

    @property
    def out(self):
        return "".join(self.lines["out"])

    @property
    def err(self):
        return "".join(self.lines["err"])

    @property
    def pid(self):
        return self.process.pid

    def says(self, text, seconds=30):
        """Waits until the text stands in what it printed; fails when it ends first or the time is up."""
        def look():
            if text in self.out or text in self.err:
                return True
            if self.process.poll() is not None:
                for reader in self.readers:
                    reader.join(5)
                assert text in self.out or text in self.err, f'it ended without saying "{text}"\n{self.result()}'
                return True
            return False
        try:
            until(look, seconds, f'"{text}" in the output')
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.partial()}") from None

    def partial(self):
        return str(Result(self.args, None, self.out, self.err, time.monotonic() - self.started))

    def signal(self, number):
        self.process.send_signal(number)

    def is_running(self):
        return self.process.poll() is None

    def ends_within(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def result(self):
        for reader in self.readers:
            reader.join(10)
        if self.process.poll() is not None:
            self.process.stdout.close()
            self.process.stderr.close()
        return Result(self.args, self.process.returncode, self.out, self.err, time.monotonic() - self.started)

    def wait(self, code=0, seconds=120):
        """Waits for the end; `code` None takes any."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.result()}") from None
        result = self.result()
        assert code is None or result.code == code, f"expected exit {code}: {result}"
        return result

    def children(self):
        """Of the process, by number."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(words[1]) == self.pid:
                found.append(int(path.parent.name))
        return found

    def kill_all(self):
        """With its children, which come first: nobody is left who could notice."""
        for child in self.children():
            os.kill(child, signal.SIGKILL)
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(30)
            self.result()


class Stoa:
    """`stoa("plan", SQL)` runs `stoa plan SQL --url URL` and expects exit code 0, or `code`."""

    def __init__(self, url):
        self.url = url
        self.home = tempfile.TemporaryDirectory(prefix="stoa-home-")
        self.started = []

    def environment(self, extra=None):
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STOA_"))}
        return {**keep, "HOME": self.home.name, "NO_COLOR": "1", "TZ": "UTC", **(extra or {})}

    def _args(self, args, url):
        url = self.url if url is None else url
        return [*map(str, args), *(["--url", url] if url else [])]

    def start(self, *args, url=None, env=None):
        running = Running(self._args(args, url), self.environment(env))
        self.started.append(running)
        return running

    def __call__(self, *args, code=0, url=None, env=None, seconds=120):
        return self.start(*args, url=url, env=env).wait(code, seconds)

    def apply(self, text, *args, **options):
        return self("apply", text, "--yes", *args, **options)

    def dying(self, chain, *args):
        """Dies at every point that it passes, each once, and is started again until it is through."""
        for _ in range(300):
            ended = self(*args, code=None, env={"STOA_FAILPOINT_CHAIN": str(chain)})
            if ended.code not in (3, -9):
                return ended
        raise AssertionError(f"it does not end: {ended}")

    def status(self, change):
        """The change's entry of `stoa status --json`."""
        changes = self("status", change, "--json").json["changes"]
        assert len(changes) == 1, changes
        return changes[0]

    def file(self, name, text):
        path = pathlib.Path(self.home.name) / name
        path.write_text(text)
        return str(path)

    def close(self):
        for running in self.started:
            running.kill()
        self.home.cleanup()

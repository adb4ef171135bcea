"""The project's own load generator (src/load) as an application beside a test."""
import json
import signal
import subprocess

from test.lib.stoa import BUILD

COLUMN = ["--new-column", "amount_cents", "--new-expr", "(amount * 100)::bigint"]


class Load:
    """Starts it and returns once it runs. `rows` makes the orders table first, `twin` names the table that is
    kept row by row in the same transactions (made together with the table)."""

    def __init__(self, url, rows=None, profile="plain", rate=200, sessions=8, twin=None, new_application=False, seed=1,
                 table="orders"):
        self.url, self.table, self.twin = url, table, twin
        command = [BUILD / "src" / "load" / "tool" / "stoa-load", "--url", url, "--table", table]
        if rows:
            making = [*command, "--create-rows", str(rows), "--seconds", "0"]
            if twin:
                making += ["--twin", twin, "--create-twin", *COLUMN]
            subprocess.run(making, check=True, stdout=subprocess.DEVNULL, timeout=120)
        command += ["--profile", profile, "--rate", str(rate), "--sessions", str(sessions), "--seed", str(seed)]
        if twin:
            command += ["--twin", twin]
        if twin or new_application:
            command += COLUMN
        if new_application:
            command += ["--new-application"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self._read("second")

    def _read(self, kind):
        for line in self.process.stdout:
            report = json.loads(line)
            if report.get("report") == kind:
                return report
        raise AssertionError(f'the load ended without a "{kind}" report: exit {self.process.wait()}')

    def mark(self):
        """What happened since the last mark (or the start)."""
        self.process.send_signal(signal.SIGUSR1)
        return self._read("span")

    def stop(self):
        """Ends it; the report of the whole time."""
        self.process.send_signal(signal.SIGTERM)
        report = self._read("whole")
        assert self.process.wait(30) == 0, report
        assert report["count"] > 0, "the application did nothing"
        return report

    def compare(self):
        """Fails unless table and twin are equal, the new column included."""
        done = subprocess.run([BUILD / "src" / "load" / "tool" / "stoa-load", "--url", self.url, "--table", self.table,
                               "--twin", self.twin, "--only-compare", *COLUMN], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        twin = json.loads(done.stdout.splitlines()[-1])["twin"]
        assert twin["differences"] == 0, twin
        return twin

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

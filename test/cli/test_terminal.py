"""The program at a terminal, against a real server: the question, the progress line, signals, colour."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest

from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"


class Terminal:
    """Runs the program with a terminal of its own and answers what it asks."""

    def __init__(self, url, *args, columns=100):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                plain = {key: value for key, value in os.environ.items()
                         if not key.startswith(("PG", "STOA_", "LC_", "LANG", "NO_COLOR"))}
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
                os.execve(BIN, [BIN, *args, "--url", url], {**plain, "LC_ALL": "C.UTF-8", "TERM": "xterm"})
            finally:
                os._exit(127)

    def read(self, seconds):
        """Takes what is there within the time; False when there will be no more."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return data != b""

    def says(self, pattern, seconds=60):
        until = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < until, f"it did not say {pattern}:\n{self.text}"
            assert self.read(0.2) or re.search(pattern, self.text), f"it ended without {pattern}:\n{self.text}"

    def types(self, text):
        os.write(self.fd, text.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def end(self, seconds=120):
        """Its exit code."""
        until = time.monotonic() + seconds
        while self.read(0.2):
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)

    @property
    def plain(self):
        """The rows as a person sees them one after the other, without colours."""
        return re.sub(r"\033\[[0-9;]*m", "", self.text.replace("\r\033[K", "\n").replace("\r\n", "\n"))


@pytest.fixture
def orders(db):
    with db.connect() as conn:
        conn.execute("CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric NOT NULL, note text)")
        conn.execute("INSERT INTO orders SELECT i, i * 0.37, repeat('x', 60) FROM generate_series(1, 200000) i")
    return db


def hold(conn):
    """Keeps the expand step waiting until the transaction ends."""
    conn.execute("BEGIN")
    conn.execute("LOCK TABLE orders IN ACCESS SHARE MODE")


def has_column(db):
    return db.admin.execute("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND "
                            "attname = 'amount_cents' AND NOT attisdropped").fetchone()[0] == 1


def test_the_answer_decides(orders):
    for answer in ("n\n", "\n", "yess\n"):
        terminal = Terminal(orders.url(), "apply", ADD, *FILL)
        terminal.says(r"Carry it out\? \[y/N\]")
        terminal.types(answer)
        assert terminal.end() == 3, terminal.text
        assert "not confirmed; nothing was changed" in terminal.text
        assert not has_column(orders)
    terminal = Terminal(orders.url(), "apply", ADD, *FILL)
    terminal.says(r"Carry it out\? \[y/N\]")
    terminal.signal(signal.SIGINT)
    assert terminal.end() == 3 and not has_column(orders), terminal.text


def test_yes_carries_it_out_and_shows_how_far_it_is(orders):
    terminal = Terminal(orders.url(), "apply", ADD, *FILL)
    terminal.says(r"Carry it out\? \[y/N\]")
    terminal.types("y\n")
    assert terminal.end() == 0, terminal.text
    assert re.search(r"^backfill \d+/\d+ [━─]{16} [\d.]+ % of [\d,]+ rows", terminal.plain, re.M), terminal.plain
    assert re.search(r"^ready +orders-amount-cents\n +filled +200,000 rows in ", terminal.plain, re.M)
    assert f"stoa complete {NAME}" in terminal.plain
    assert max(map(len, terminal.plain.splitlines())) <= 100
    assert has_column(orders)


def test_a_narrow_terminal_keeps_the_progress_in_one_row(orders):
    terminal = Terminal(orders.url(), "apply", ADD, *FILL, "--yes", columns=50)
    assert terminal.end() == 0, terminal.text
    rows = [row for row in terminal.plain.splitlines() if re.match(r"(backfill|verify|prepare) \d+/\d+ ", row)]
    assert rows and max(map(len, rows)) < 50, rows


def test_ctrl_c_stops_at_a_checkpoint_and_resume_ends_it(orders, stoa):
    terminal = Terminal(orders.url(), "apply", ADD, *FILL, "--yes", "--chunk-time", "10ms")
    terminal.says("backfill")
    terminal.says(r"3/\d+")
    terminal.types("\x03")
    code = terminal.end()
    assert code == 3, terminal.text
    assert f"stoa resume {NAME}" in terminal.text
    assert stoa.status(NAME)["state"] == "paused"
    events = stoa("resume", NAME, "--json").events
    assert events[-1]["summary"]["state"] == "ready"
    assert orders.admin.execute("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM "
                                "(amount * 100)::bigint").fetchone()[0] == 0


def test_a_signal_asks_for_the_status(orders, stoa):
    blocker = orders.connect()
    hold(blocker)
    running = stoa.start("apply", ADD, *FILL, "--yes")
    running.says("waiting for a lock")
    running.signal(signal.SIGHUP)  # ends nothing
    running.signal(signal.SIGUSR1)
    running.says(f"{NAME} · expand")
    assert running.is_running()
    blocker.execute("ROLLBACK")
    running.wait(0)


def test_watch_follows_a_change_to_its_end(orders, stoa):
    blocker = orders.connect()
    hold(blocker)
    running = stoa.start("apply", ADD, *FILL, "--yes")
    running.says("waiting for a lock")
    watching = stoa.start("watch", "--json")
    watching.says('"state":')
    terminal = Terminal(orders.url(), "watch", NAME)
    terminal.says(NAME)
    blocker.execute("ROLLBACK")
    running.wait(0)
    states = [event["state"] for event in watching.wait(0).events]
    assert states[-1] == "ready" and "ready" not in states[:-1]
    assert terminal.end() == 0 and re.search(rf"^{NAME}  ready$", terminal.plain, re.M), terminal.plain


def test_plan_history_and_doctor_are_readable(orders, stoa):
    plan = stoa("plan", ADD, *FILL)
    assert max(map(len, plan.out.splitlines())) <= 100, plan.out
    wanted = json.loads(stoa("plan", ADD, *FILL, "--json").out)
    for step in wanted["steps"]:
        assert re.search(rf"^ *{step['ordinal']} {step['phase']} · ", plan.out, re.M), step
    assert wanted["plan_digest"] in plan.out and wanted["change_digest"] in plan.out
    shown = " ".join(stoa("plan", ADD, *FILL, "-v").out.split())
    for step in wanted["steps"]:
        for statement in step["statements"]:
            assert " ".join(statement.split()) in shown, statement
    assert "nothing has happened yet" in stoa("history").out
    stoa.apply(ADD, *FILL)
    lines = stoa("history").out.splitlines()
    assert all(re.match(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {NAME} ", line) for line in lines), lines
    assert len(lines) == len(stoa("history", "--json").json["events"])
    assert re.search(rf"^{NAME} +ready +", stoa("status").out, re.M)
    for check in stoa("doctor", "--json").json["checks"]:
        assert check["name"] in stoa("doctor").out

"""The cutover of a shadow table: under fire, with every session and the process killed at every step.

STOA_FIRE=300 makes the long run of it. The application's statements must all succeed, with exactly one row each, so a
row that a cutover loses or doubles is met by the next statement, and at the end every row is compared.
"""
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import threading
import time

import pymysql
import pytest

from test.lib.my_servers import MyServer
from test.lib.servers import until
from test.lib.stoa import BUILD

TOOL = BUILD / "test" / "tool" / "stoa-my-swap-tool"
CUTOVERS = int(os.environ.get("STOA_FIRE", "30"))
STALL_MS = 1000
ACCOUNTS, BALANCE = 20, 1000
SENTRY_STEPS = ["opened", "sentry_made", "locked", "drained", "snapshots", "rename_sent", "proved", "sentry_dropped"]
LOCK_STEPS = ["opened", "locked", "drained", "snapshots", "renamed"]


def steps_of(my):
    return SENTRY_STEPS if my.is_mariadb or my.version < (8,) else LOCK_STEPS


@pytest.fixture
def shop(my):
    """A database with the table, and the user that swaps."""
    name = f"swap_{random.randrange(10 ** 9)}"
    my.query(f"CREATE DATABASE {name}")
    my.query("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, note VARCHAR(40) NOT NULL, KEY (v)) ENGINE=InnoDB", name)
    my.query("CREATE TABLE other (id INT PRIMARY KEY) ENGINE=InnoDB", name)
    my.query("INSERT INTO other VALUES (1)", name)
    my.query("INSERT INTO t VALUES " + ",".join(f"({i},{BALANCE},'account')" for i in range(1, ACCOUNTS + 1)), name)
    grant(my, "swapper", f"GRANT ALL ON {name}.* TO swapper@'%'", "GRANT PROCESS ON *.* TO swapper@'%'")
    yield name
    my.query(f"DROP DATABASE {name}")


def grant(my, user, *grants):
    if not my.query(f"SELECT 1 FROM mysql.user WHERE user = '{user}'"):
        my.query(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'")
    for sql in grants:
        my.query(sql)


def start(my, shop, *options, user="swapper", failpoint=None):
    words = [TOOL, "--url", my.url(user=user, password="pw"), "--schema", shop, "--stall", STALL_MS, *options]
    environment = {**os.environ, **({"STOA_FAILPOINT": failpoint} if failpoint else {})}
    return subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            env=environment)


def finish(process, code=0):
    out = process.communicate(timeout=120)[0]
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == code, (process.returncode, lines)
    return lines


def swap(my, shop, *options, code=0, **how):
    return finish(start(my, shop, *options, **how), code)


def session(my, shop, role):
    """The session of a cutover under way: by the user-level locks that it keeps; the control session came first."""
    if role == "control":
        return my.query("SELECT MIN(ID) FROM information_schema.PROCESSLIST WHERE USER = 'swapper'")[0][0]
    digest = hashlib.sha256(f"{shop}.t".encode()).hexdigest()[:32]
    return my.query(f"SELECT IS_USED_LOCK('stoa.swap_{role}.{digest}')")[0][0]


def is_stopped(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def tables(my, shop):
    return {row[0] for row in my.query("SHOW TABLES", shop)}


class Application:
    """Writers, readers of the shadow, and transactions whose snapshot is older than their first look at the table."""

    def __init__(self, my, shop, writers=8, snapshots=3, peekers=2):
        self.my, self.shop, self.problems, self.rows, self.waits = my, shop, [], {}, []
        self.over, self.statements = threading.Event(), 0
        self.threads = [threading.Thread(target=self._guard, args=(self._write, number)) for number in range(1, writers)]
        self.threads += [threading.Thread(target=self._guard, args=(self._transfer, 0))]
        self.threads += [threading.Thread(target=self._guard, args=(self._look_back, n)) for n in range(snapshots)]
        self.threads += [threading.Thread(target=self._guard, args=(self._peek, n)) for n in range(peekers)]
        for thread in self.threads:
            thread.start()

    def _guard(self, what, number):
        try:
            with self.my.connect(self.shop) as conn, conn.cursor() as cursor:
                what(cursor, number)
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(f"{what.__name__} {number}: {problem!r}")

    def _run(self, cursor, sql, rows=None):
        begun = time.monotonic()
        cursor.execute(sql)
        took = time.monotonic() - begun
        if took > 0.01:
            self.waits.append((begun, took))
        self.statements += 1
        if rows is not None and cursor.rowcount != rows:
            self.problems.append(f"{sql}: {cursor.rowcount} rows")

    def _write(self, cursor, number):
        rows, following, dice = {}, number * 10 ** 6, random.Random(number)
        while not self.over.is_set():
            grouped = number % 2 == 0
            if grouped:
                self._run(cursor, "BEGIN")
            for _ in range(3 if grouped else 1):
                what = dice.random()
                if what < 0.4 and len(rows) < 40 or not rows:
                    following += 1
                    rows[following] = dice.randrange(10 ** 6)
                    self._run(cursor, f"INSERT INTO t (id, v, note) VALUES ({following}, {rows[following]}, 'w{number}')", 1)
                elif what < 0.75:
                    key = dice.choice(list(rows))
                    rows[key] += 1
                    self._run(cursor, f"UPDATE t SET v = v + 1 WHERE id = {key}", 1)
                else:
                    key = dice.choice(list(rows))
                    del rows[key]
                    self._run(cursor, f"DELETE FROM t WHERE id = {key}", 1)
            if grouped:
                self._run(cursor, "COMMIT")
            time.sleep(dice.random() * 0.008)
        self.rows.update(rows)

    def _transfer(self, cursor, _):
        dice = random.Random(1)
        while not self.over.is_set():
            one, two = sorted(dice.sample(range(1, ACCOUNTS + 1), 2))
            self._run(cursor, "BEGIN")
            self._run(cursor, f"UPDATE t SET v = v - 1 WHERE id = {one}", 1)
            self._run(cursor, f"UPDATE t SET v = v + 1 WHERE id = {two}", 1)
            self._run(cursor, "COMMIT")
            time.sleep(dice.random() * 0.005)

    def _look_back(self, cursor, number):
        dice = random.Random(100 + number)
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        while not self.over.is_set():
            if dice.random() < 0.5:
                cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            else:
                cursor.execute("BEGIN")
                cursor.execute("SELECT * FROM other")
                cursor.fetchall()
            time.sleep(dice.random() * 0.03)
            cursor.execute(f"SELECT COUNT(*), SUM(v) FROM t WHERE id <= {ACCOUNTS}")
            seen = cursor.fetchall()[0]
            if (seen[0], int(seen[1] or 0)) != (ACCOUNTS, ACCOUNTS * BALANCE):
                self.problems.append(f"a snapshot of before the cutover saw {seen}")
            cursor.execute("COMMIT")
            time.sleep(0.1 + dice.random() * 0.5)

    def _peek(self, cursor, _):
        while not self.over.is_set():
            try:
                cursor.execute("SELECT COUNT(*), SUM(v) FROM t__stoa_new")
                cursor.fetchall()
            except pymysql.err.MySQLError as problem:
                if problem.args[0] not in (1146, 1412):
                    raise
            time.sleep(0.002)

    def longest(self, begun, ended):
        """Milliseconds of the longest statement that overlaps."""
        return 1000 * max((took for at, took in self.waits if at < ended and at + took > begun), default=0)

    def close(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.problems, self.problems[:5]
        found = dict(self.my.query(f"SELECT id, v FROM t WHERE id > {ACCOUNTS}", self.shop))
        assert found == self.rows
        assert self.my.query(f"SELECT COUNT(*), SUM(v) FROM t WHERE id <= {ACCOUNTS}", self.shop)[0] == (
            ACCOUNTS, ACCOUNTS * BALANCE)


def disturbed(my, shop, step, victim):
    """A cutover whose `victim` dies at this step; it is done in the end, by it or by a second process."""
    if victim == "process":
        process = start(my, shop, "--tries", 100, failpoint=f"swap_{step}=kill:1")
        lines = finish(process, -signal.SIGKILL)
        return lines + swap(my, shop, "--tries", 100)
    process = start(my, shop, "--tries", 100, failpoint=f"swap_{step}=pause:1")
    until(lambda: is_stopped(process) or process.poll() is not None, 60, "the step to be reached")
    if process.poll() is None:
        try:
            my.query(f"KILL {session(my, shop, victim)}")
        except pymysql.err.MySQLError as problem:
            assert problem.args[0] == 1094, problem  # gone already
        process.send_signal(signal.SIGCONT)
    return finish(process)


def test_under_fire(my, shop, capsys):
    dice = random.Random(7)
    application = Application(my, shop)
    longest, hit, attempts, snapshots = [], [], 0, 0
    try:
        for number in range(CUTOVERS):
            time.sleep(0.05)
            begun = time.monotonic()
            if number % 2 == 0:
                lines = swap(my, shop, "--tries", 100)
            else:
                step, victim = dice.choice(steps_of(my)), dice.choice(["lock", "second", "control", "process"])
                lines = disturbed(my, shop, step, victim)
            (longest if number % 2 == 0 else hit).append(application.longest(begun, time.monotonic()))
            attempts += len([line for line in lines if "done" in line])
            snapshots += len([line for line in lines if line.get("old_snapshot")])
            assert lines[-1].get("done"), lines
            if os.environ.get("STOA_FIRE_LOG"):
                print(number, round(time.monotonic() - begun, 2), lines, file=open(os.environ["STOA_FIRE_LOG"], "a"))
            assert not application.problems, (number, lines, application.problems[:5])
    finally:
        application.close()
    with capsys.disabled():
        print(f"\n{my.name}: {CUTOVERS} cutovers in {attempts} attempts ({snapshots} given up for old snapshots), "
              f"{application.statements} statements, 0 errors, 0 rows lost or doubled; longest wait of a cutover: "
              f"undisturbed p50 {statistics.median(longest):.0f} ms, max {max(longest):.0f} ms; "
              f"with a death p50 {statistics.median(hit):.0f} ms, max {max(hit):.0f} ms")

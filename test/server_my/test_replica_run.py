"""A change beside a replica: how soon the work stops when the replica falls behind, hangs or is gone, and how long its
readers wait while the change runs."""
import contextlib
import os
import random
import signal
import threading
import time

import pymysql
import pytest

from test.lib.servers import until
from test.lib.stoa import Stoa
from test.server_my.test_replicas import pair, stop_sql  # noqa: F401

pytestmark = pytest.mark.long

CHANGE = "ALTER TABLE t MODIFY v BIGINT NOT NULL"
ROWS = 60000
MAX_STALL_S = 0.2
SLACK_S = float(os.environ.get("STOA_SLACK_S", "0"))


def looping(over, work):
    """As long as the server can be reached, and again when it can."""
    while not over.is_set():
        with contextlib.suppress(pymysql.Error, OSError, IndexError, TypeError):
            work()
        time.sleep(0.05)


class Watch:
    """Looks every few milliseconds: a heartbeat of the test's own, what holds the change, and how far the copy is."""

    def __init__(self, primary, replica):
        self.primary, self.replica = primary, replica
        self.behind, self.throttled, self.chunks = [], [], []
        self.over, self.state = threading.Event(), None
        primary.query("CREATE TABLE IF NOT EXISTS shop.beat (id INT PRIMARY KEY, at DOUBLE NOT NULL)")
        primary.query("REPLACE INTO shop.beat VALUES (1, 0)")
        self.threads = [threading.Thread(target=looping, args=[self.over, work], daemon=True) for work in (self._beat, self._look, self._see)]
        for thread in self.threads:
            thread.start()

    def _loop(self, server, pause, work):
        with server.connect("shop") as conn, conn.cursor() as cursor:
            while not self.over.is_set():
                work(cursor)
                time.sleep(pause)

    def _beat(self):
        self._loop(self.primary, 0.01, lambda cursor: cursor.execute("UPDATE beat SET at = %s", [time.monotonic()]))

    def _see(self):
        def see(cursor):
            cursor.execute("SELECT at FROM beat")
            seen = cursor.fetchone()[0]
            self.behind.append((time.monotonic(), time.monotonic() - seen))
        self._loop(self.replica, 0.01, see)

    def _look(self):
        last, body = [None], [None]

        def look(cursor):
            cursor.execute("SELECT throttled_by, state FROM stoa.changes")
            now, self.state = cursor.fetchone()
            cursor.execute(f"SELECT MAX(id) FROM t__stoa_new WHERE id <= {ROWS}")
            chunk = cursor.fetchone()[0]
            at = time.monotonic()
            if now != last[0]:
                self.throttled.append((at, now))
            if chunk != body[0]:
                self.chunks.append(at)
            last[0], body[0] = now, chunk
        self._loop(self.primary, 0.005, look)

    def passed(self, since, limit):
        return next((at for at, behind in self.behind if at > since and behind > limit), None)

    def held(self, since):
        return next((at for at, why in self.throttled if at > since and why), None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(20)


class Writers:
    """An application on the primary."""

    def __init__(self, primary):
        self.over, self.done, self.errors = threading.Event(), 0, []
        self.primary = primary
        self.threads = [threading.Thread(target=self._work, args=[number], daemon=True) for number in range(2)]
        for thread in self.threads:
            thread.start()

    def _work(self, number):
        chance = random.Random(number)
        with self.primary.connect("shop") as conn, conn.cursor() as cursor:
            while not self.over.is_set():
                try:
                    cursor.execute("UPDATE t SET v = %s WHERE id = %s", [chance.randrange(10**6), chance.randrange(1, ROWS)])
                    self.done += 1
                except pymysql.Error as problem:
                    self.errors.append(str(problem))
                    return
                time.sleep(0.01 * chance.random())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        if kind is None:
            assert not self.errors and self.done, self.errors


def fill(primary, replica, rows=ROWS):
    primary.query("INSERT INTO shop.t (v) VALUES (1)")
    while primary.query("SELECT MAX(id) FROM shop.t")[0][0] < rows:
        primary.query(f"INSERT INTO shop.t (v) SELECT v + 1 FROM shop.t LIMIT {rows // 4}")
    primary.query("ANALYZE TABLE shop.t")
    mine = primary.query("SELECT COUNT(*) FROM shop.t")
    until(lambda: replica.query("SELECT COUNT(*) FROM shop.t") == mine, 120, "the rows on the replica")


@contextlib.contextmanager
def copying(primary, replica, *args):
    fill(primary, replica)
    stoa = Stoa(primary.url("shop"))
    try:
        with Writers(primary), Watch(primary, replica) as watch:
            running = stoa.start("apply", CHANGE, "--name", "wide", "--yes", "--strategy", "shadow", "--replicas", replica.url(), "--max-lag",
                                 "1s", "--chunk-time", "10ms", "--nice", "20", *args)
            until(lambda: len(watch.chunks) > 5, 90, lambda: f"it does not copy\n{running.partial()}")
            yield stoa, running, watch
    finally:
        stoa.close()


def rests(watch, since, seconds=1.5):
    until(lambda: watch.state == "waiting", 20, "the work to rest")
    before = len(watch.chunks)
    time.sleep(seconds)
    assert len(watch.chunks) == before, f"chunks at {[round(at - since, 2) for at in watch.chunks[before - 1:]]}"


def figures(what, watch, began, passed):
    last = watch.chunks[-1]
    print(f"\n{what}: threshold passed after {passed - began:.2f} s, held {watch.held(began) - passed:+.2f} s from then, last chunk "
          f"{last - passed:+.2f} s")
    assert watch.held(began) - passed < 1 + SLACK_S and last - passed < 1 + SLACK_S


def finish(primary, replica, stoa, running):
    assert stoa("resume", "wide", "--nice", "0").code == 0
    running.wait(0, 300)
    assert primary.query("SHOW COLUMNS FROM shop.t LIKE 'v'")[0][1].startswith("bigint")
    until(lambda: replica.query("SHOW COLUMNS FROM shop.t LIKE 'v'")[0][1].startswith("bigint"), 60, "the new table on the replica")


def test_a_replica_that_falls_behind(pair):  # noqa: F811
    primary, replica = pair
    with copying(primary, replica) as (stoa, running, watch):
        stop_sql(replica)
        began = time.monotonic()
        passed = until(lambda: watch.passed(began, 1), 20, "a lag of a second")
        until(lambda: watch.held(began), 20, lambda: f"nothing holds it\n{running.partial()}")
        rests(watch, passed)
        figures("replication stopped", watch, began, passed)
        assert "lags" in stoa.status("wide")["throttled_by"]
        before = len(watch.chunks)
        stop_sql(replica, on=True)
        resumed = time.monotonic()
        until(lambda: len(watch.chunks) > before, 60, lambda: f"it does not go on\n{running.partial()}")
        print(f"goes on {watch.chunks[before] - resumed:.2f} s after replication")
        finish(primary, replica, stoa, running)


def test_a_replica_that_vanishes(pair):  # noqa: F811
    primary, replica = pair
    with copying(primary, replica) as (stoa, running, watch):
        replica.kill()
        gone = time.monotonic()
        until(lambda: watch.held(gone), 20, lambda: f"nothing holds it\n{running.partial()}")
        rests(watch, gone)
        figures("replica gone", watch, gone, gone)
        before = len(watch.chunks)
        replica.start()
        until(lambda: len(watch.chunks) > before, 60, lambda: f"it does not go on\n{running.partial()}")
        finish(primary, replica, stoa, running)


def test_a_replica_that_hangs(pair):  # noqa: F811
    primary, replica = pair
    with copying(primary, replica) as (stoa, running, watch):
        began = time.monotonic()
        replica.process.send_signal(signal.SIGSTOP)
        try:
            until(lambda: watch.held(began), 20, lambda: f"nothing holds it\n{running.partial()}")
            rests(watch, began)
            figures("replica hangs", watch, began, began + 1)
        finally:
            replica.process.send_signal(signal.SIGCONT)
        before = len(watch.chunks)
        until(lambda: len(watch.chunks) > before, 60, lambda: f"it does not go on\n{running.partial()}")
        finish(primary, replica, stoa, running)


class Readers:
    """Point reads on the replica, and reports that read the table twice in one transaction."""

    def __init__(self, replica, reports=True):
        self.replica, self.over = replica, threading.Event()
        self.points, self.reports, self.errors = [], [], []
        self.threads = [threading.Thread(target=work, daemon=True) for work in [self._point] * 2 + [self._report] * reports]
        for thread in self.threads:
            thread.start()

    def _timed(self, cursor, into, sql):
        began = time.monotonic()
        cursor.execute(sql)
        cursor.fetchall()
        into.append(time.monotonic() - began)

    def _safely(self, work):
        try:
            with self.replica.connect("shop") as conn, conn.cursor() as cursor:
                while not self.over.is_set():
                    work(cursor)
        except pymysql.Error as problem:
            self.errors.append(str(problem))

    def _point(self):
        def work(cursor):
            self._timed(cursor, self.points, f"SELECT v FROM t WHERE id = {random.randrange(1, ROWS)}")
            time.sleep(0.005)
        self._safely(work)

    def _report(self):
        def work(cursor):
            cursor.execute("START TRANSACTION")
            self._timed(cursor, self.reports, "SELECT SUM(v) FROM t WHERE id < 20000")
            time.sleep(1.2)
            self._timed(cursor, self.reports, "SELECT SUM(v) FROM t WHERE id < 20000")
            cursor.execute("COMMIT")
            time.sleep(0.5)
        self._safely(work)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)


def test_readers_through_a_whole_change(pair):  # noqa: F811
    primary, replica = pair
    fill(primary, replica)
    stoa = Stoa(primary.url("shop"))
    try:
        with Writers(primary), Readers(replica) as readers:
            until(lambda: len(readers.reports) >= 4, 60, "reports")
            quiet = (max(readers.points), max(readers.reports))
            readers.points.clear()
            readers.reports.clear()
            began = time.monotonic()
            stoa.apply(CHANGE, "--name", "wide", "--strategy", "shadow", "--replicas", replica.url(), "--lock-wait", "120s", seconds=400)
            until(lambda: replica.query("SHOW COLUMNS FROM shop.t LIKE 'v'")[0][1].startswith("bigint"), 60, "the new table there")
            took = time.monotonic() - began
        assert not readers.errors, readers.errors
        print(f"\n{replica.name}: ready after {took:.1f} s; {len(readers.points)} point reads, longest {max(readers.points) * 1000:.0f} ms (quiet "
              f"{quiet[0] * 1000:.0f}); {len(readers.reports)} reads of reports, longest {max(readers.reports) * 1000:.0f} ms (quiet "
              f"{quiet[1] * 1000:.0f})")
        assert max(readers.points) < MAX_STALL_S + 0.05 + SLACK_S
        assert max(readers.reports) - quiet[1] < MAX_STALL_S + 0.05 + SLACK_S
    finally:
        stoa.close()


def test_a_report_that_stays(pair):  # noqa: F811
    """The tables are not swapped while it is there; it is named, and the swap comes when it is gone."""
    primary, replica = pair
    fill(primary, replica, 2000)
    stoa = Stoa(primary.url("shop"))
    try:
        with Readers(replica, reports=False) as readers:
            with replica.connect("shop") as report, report.cursor() as cursor:
                cursor.execute("START TRANSACTION")
                cursor.execute("SELECT COUNT(*) FROM t")
                pid = report.thread_id()
                running = stoa.start("apply", CHANGE, "--name", "wide", "--yes", "--strategy", "shadow", "--replicas", replica.url(), "--lock-wait",
                                     "120s")
                running.says(f"pid {pid}", 90)
                time.sleep(1)
                assert primary.query("SHOW COLUMNS FROM shop.t LIKE 'v'")[0][1].startswith("int") and running.is_running()
                cursor.execute("SELECT COUNT(*) FROM t")
                cursor.execute("COMMIT")
                running.wait(0, 200)
        assert not readers.errors
        print(f"\nlongest point read {max(readers.points) * 1000:.0f} ms")
        assert max(readers.points) < MAX_STALL_S + 0.05 + SLACK_S
    finally:
        stoa.close()

"""A change beside a streaming standby: how soon the work stops when replay falls behind or the standby is gone, and
how long readers of the standby wait while the change runs."""
import contextlib
import os
import signal
import threading
import time

import psycopg
import pytest

from test.lib.database import Database, orders
from test.lib.servers import Server, until
from test.lib.stoa import Stoa
from test.lib.writers import Writers, assert_equal

pytestmark = pytest.mark.long

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"
WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, 1, %(m)s)"]
ROWS = 60000
MAX_STALL_S = 0.2
SLACK_S = float(os.environ.get("STOA_SLACK_S", "0"))


def make_pair(home, version, **settings):
    primary = Server(home, version)
    standby = Server(home, version, standby_of=primary, settings=settings)
    with primary.connect() as conn:
        until(lambda: conn.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").fetchone()[0],
              what="the standby to stream")
    return Database(primary), standby


@pytest.fixture
def pair(home, version):
    db, standby = make_pair(home, version, hot_standby_feedback="on")
    yield db, standby
    standby.end()
    db.server.end()


class Watch:
    """Looks every few milliseconds, from its own sessions: a heartbeat of the test's own (how far the standby is),
    what holds the change, and when its last chunk was committed. Times are time.monotonic()."""

    def __init__(self, db, standby):
        self.db, self.standby = db, standby
        self.behind = []  # (when, seconds)
        self.throttled = []  # (when, text or None), each change of it
        self.chunks = []  # when another checkpoint was seen
        self.over, self.state = threading.Event(), None
        db.admin.execute("CREATE TABLE IF NOT EXISTS beat (at double precision); TRUNCATE beat; INSERT INTO beat VALUES (0)")
        self.threads = [threading.Thread(target=self._safely, args=[work], daemon=True) for work in (self._beat, self._look, self._see)]
        for thread in self.threads:
            thread.start()

    def _safely(self, work):
        while not self.over.is_set():
            with contextlib.suppress(psycopg.Error):
                work()
            time.sleep(0.05)

    def _beat(self):
        with self.db.server.connect(self.db.name) as conn:
            while not self.over.is_set():
                conn.execute("UPDATE beat SET at = %s", [time.monotonic()])
                time.sleep(0.01)

    def _see(self):
        with self.standby.connect(self.db.name) as conn:
            while not self.over.is_set():
                seen, = conn.execute("SELECT at FROM beat").fetchone()
                self.behind.append((time.monotonic(), time.monotonic() - seen))
                time.sleep(0.01)

    def _look(self):
        last, body = None, None
        with self.db.server.connect(self.db.name) as conn:
            while not self.over.is_set():
                why, self.state = conn.execute("SELECT throttled_by, state FROM stoa.changes").fetchone()
                now = (why,)
                chunk = conn.execute("SELECT string_agg(body::text, '' ORDER BY ordinal) FROM stoa.checkpoints WHERE ordinal > 0").fetchone()
                at = time.monotonic()
                if now != last:
                    self.throttled.append((at, why))
                if chunk != body:
                    self.chunks.append(at)
                last, body = now, chunk
                time.sleep(0.005)

    def passed(self, since, limit):
        """When the standby was first further behind than that."""
        return next((at for at, behind in self.behind if at > since and behind > limit), None)

    def held(self, since):
        return next((at for at, why in self.throttled if at > since and why), None)

    def freed(self, since):
        return next((at for at, why in self.throttled if at > since and not why), None)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def program_for(db):
    program = Stoa(db.url("postgres"))
    yield program
    program.close()


@contextlib.contextmanager
def backfill(db, standby, how, *args):
    """A backfill under way, slow enough to be looked at, with a lag limit of one second."""
    orders(db, ROWS)
    named = ["--replicas", standby.url()] if how == "by URL" else ["--accept-standby-stall"]
    with program_for(db) as stoa, Writers(db, "orders", WRITES, ROWS, pause=0.05) as writers:
        stoa.apply(ADD, *FILL, "--until", "expand", "--max-lag", "1s", "--max-stall", "1s", *named)
        with Watch(db, standby) as watch:
            running = stoa.start("resume", NAME, "--chunk-time", "10ms", "--nice", "30", *args)
            until(lambda: len(watch.chunks) > 5, 60, lambda: f"it does not work\n{running.partial()}")
            yield stoa, running, watch
        writers.stop()


def finish(db, stoa, running):
    assert stoa("resume", NAME, "--nice", "0", "--chunk-time", "100ms").code == 0
    running.wait(0)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def rests(watch, since, seconds=1.5):
    """It comes to its gate, and nothing is written for so long."""
    until(lambda: watch.state == "waiting", 20, "the work to rest")
    before = len(watch.chunks)
    time.sleep(seconds)
    assert len(watch.chunks) == before, f"chunks at {[round(at - since, 2) for at in watch.chunks[before - 1:]]}"


def figures(what, watch, began, passed):
    last = max(at for at in watch.chunks if at > began - 5)
    print(f"\n{what}: threshold passed after {passed - began:.2f} s, held {watch.held(began) - passed:+.2f} s from then, last chunk "
          f"{last - passed:+.2f} s")
    return last


@pytest.mark.parametrize("how", ["by URL", "as the primary sees it"])
def test_replay_that_falls_behind(pair, how):
    db, standby = pair
    with backfill(db, standby, how) as (stoa, running, watch):
        with standby.connect() as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
            began = time.monotonic()
            passed = until(lambda: watch.passed(began, 1), 20, "a lag of a second")
            until(lambda: watch.held(began), 20, lambda: f"nothing holds it\n{running.partial()}")
            rests(watch, passed)
            last = figures(f"replay paused, {how}", watch, began, passed)
            assert watch.held(began) - passed < 1 + SLACK_S and last - passed < 1 + SLACK_S
            assert "lags" in stoa.status(NAME)["throttled_by"]
            conn.execute("SELECT pg_wal_replay_resume()")
            resumed, before = time.monotonic(), len(watch.chunks)
        until(lambda: len(watch.chunks) > before, 30, lambda: f"it does not go on\n{running.partial()}")
        print(f"goes on {watch.chunks[before] - resumed:.2f} s after replay")
        finish(db, stoa, running)


@pytest.mark.parametrize("how", ["by URL", "as the primary sees it"])
def test_a_standby_that_vanishes(pair, how):
    db, standby = pair
    with backfill(db, standby, how) as (stoa, running, watch):
        began = time.monotonic()
        standby.stop("immediate")
        gone = time.monotonic()
        until(lambda: watch.held(began), 20, lambda: f"nothing holds it\n{running.partial()}")
        rests(watch, gone)
        last = figures(f"standby gone, {how}", watch, began, gone)
        assert watch.held(began) - gone < 1 + SLACK_S and last - gone < 1 + SLACK_S
        before = len(watch.chunks)
        standby.start()
        until(lambda: len(watch.chunks) > before, 30, lambda: f"it does not go on\n{running.partial()}")
        finish(db, stoa, running)


def processes(server):
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *map(int, file.read().split())]


@pytest.mark.parametrize("how", ["by URL", "as the primary sees it"])
def test_a_standby_that_hangs(pair, how):
    """It is there, and says nothing any more: the work stops within a second of the moment from which it may be too far behind."""
    db, standby = pair
    with backfill(db, standby, how) as (stoa, running, watch):
        began = time.monotonic()
        stopped = processes(standby)
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            until(lambda: watch.held(began), 20, lambda: f"nothing holds it\n{running.partial()}")
            rests(watch, began)
            last = figures(f"standby hangs, {how}", watch, began, began + 1)
            assert watch.held(began) - began - 1 < 1 + SLACK_S and last - began - 1 < 1 + SLACK_S
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        before = len(watch.chunks)
        until(lambda: len(watch.chunks) > before, 30, lambda: f"it does not go on\n{running.partial()}")
        finish(db, stoa, running)

"""Readers of a streaming standby beside a whole change: replay of the strongest locks waits for whoever uses the table
there, and every new reader behind it, so Stoa looks before it takes such a lock."""
import os
import random
import threading
import time

import psycopg
import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers, assert_equal
from test.server.test_standby_run import ADD, FILL, MAX_STALL_S, NAME, WRITES, make_pair, program_for

pytestmark = pytest.mark.long

ROWS = 60000
SLACK_S = float(os.environ.get("STOA_SLACK_S", "0"))


class Readers:
    """Point reads one after the other, and reports: transactions that read the table, wait, and read it again."""

    def __init__(self, standby, name, reports=True, report_s=1.2, pause_s=0.4):
        self.standby, self.name, self.report_s, self.pause_s = standby, name, report_s, pause_s
        self.over = threading.Event()
        self.points, self.reports, self.ended, self.errors = [], [], 0, []
        self.seen = []
        self.lock_wait = 0.0  # the longest wait for a lock that was seen, without what a busy machine adds
        works = [self._point, self._point, self._watch] + ([self._report] if reports else [])
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def _point(self):
        chance = random.Random(7)
        with self.standby.connect(self.name, application_name="point") as conn:
            while not self.over.is_set():
                began = time.monotonic()
                try:
                    conn.execute("SELECT amount FROM orders WHERE id = %s", [chance.randrange(1, ROWS)])
                except psycopg.Error as problem:
                    self.errors.append(str(problem))
                self.points.append(time.monotonic() - began)
                time.sleep(0.005)

    def _watch(self):
        with self.standby.connect(self.name) as conn:
            while not self.over.is_set():
                waited = conn.execute("SELECT max(extract(epoch FROM clock_timestamp() - query_start)) FROM pg_stat_activity WHERE "
                                      "wait_event_type = 'Lock' AND application_name IN ('point', 'report')").fetchone()[0]
                if waited and waited > MAX_STALL_S and len(self.seen) < 40:  # who holds what, for the message
                    self.seen.append((round(float(waited), 2), conn.execute(
                        "SELECT a.backend_type, a.application_name, l.mode, l.granted, l.relation::regclass::text, a.wait_event FROM pg_locks l "
                        "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'relation' AND (l.mode = 'AccessExclusiveLock' OR l.relation = "
                        "'orders'::regclass)").fetchall()))
                self.lock_wait = max(self.lock_wait, float(waited or 0))
                time.sleep(0.01)

    def _report(self):
        with self.standby.connect(self.name, application_name="report") as conn:
            while not self.over.is_set():
                try:
                    conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    began = time.monotonic()
                    conn.execute("SELECT sum(amount) FROM orders")
                    first = time.monotonic() - began
                    time.sleep(self.report_s)
                    began = time.monotonic()
                    conn.execute("SELECT sum(amount) FROM orders")
                    self.reports += [first, time.monotonic() - began]
                    conn.execute("COMMIT")
                except psycopg.errors.QueryCanceled:  # conflict with recovery
                    self.ended += 1
                    conn.rollback()
                except psycopg.Error as problem:
                    self.errors.append(str(problem))
                    return
                time.sleep(self.pause_s)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def replayed(db, standby):
    end = db.value("SELECT pg_current_wal_flush_lsn()::text")
    with standby.connect(db.name) as conn:
        until(lambda: conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone()[0], 60, "the standby to have all")


@pytest.fixture(params=["on", "off"], ids=["feedback", "no-feedback"])
def pair(home, version, request):
    db, standby = make_pair(home, version, hot_standby_feedback=request.param)
    db.feedback = request.param == "on"
    yield db, standby
    standby.end()
    db.server.end()


def test_readers_through_a_whole_change(pair):
    """Reports and point reads wait no longer than --max-stall, from the first step to the last one of complete. Without
    hot_standby_feedback the application's own writes end reports there; that is not what is asked here."""
    db, standby = pair
    orders(db, ROWS)
    replayed(db, standby)
    updates = WRITES[:1]  # an old application's inserts end with complete
    with program_for(db) as stoa, Writers(db, "orders", updates, ROWS, pause=0.02), Readers(standby, db.name) as readers:
        until(lambda: len(readers.reports) >= 4 or readers.ended > 1, 60, "reports")
        quiet = max(readers.reports, default=0)
        longest_quiet = max(readers.points)
        readers.lock_wait = 0.0
        readers.seen.clear()
        readers.points.clear()
        readers.reports.clear()
        began = time.monotonic()
        stoa.apply(ADD, *FILL, "--replicas", standby.url(), "--lock-wait", "60s", seconds=300)
        ready = time.monotonic() - began
        stoa("complete", NAME, "--yes", "--force", seconds=300)
        replayed(db, standby)
        took = time.monotonic() - began
        readers.stop()
        assert not readers.errors, readers.errors
        print(f"\nfeedback {db.feedback}: ready after {ready:.1f} s, complete after {took:.1f} s; {len(readers.points)} point reads, longest "
              f"{max(readers.points) * 1000:.0f} ms (quiet {longest_quiet * 1000:.0f}); {len(readers.reports)} reads of reports, longest "
              f"{max(readers.reports, default=0) * 1000:.0f} ms (quiet {quiet * 1000:.0f}), {readers.ended} ended by replay; longest wait for a lock {readers.lock_wait * 1000:.0f} ms")
        assert readers.lock_wait < MAX_STALL_S + 0.05, readers.seen
        assert max(readers.points) < MAX_STALL_S + 0.05 + SLACK_S
        assert max(readers.reports, default=0) - quiet < MAX_STALL_S + 0.05 + SLACK_S
        assert readers.ended == 0 or not db.feedback
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_a_report_that_stays(pair):
    """Nothing is locked while it is there; it is named, and when it is gone the change goes on."""
    db, standby = pair
    orders(db, 2000)
    replayed(db, standby)
    with program_for(db) as stoa, Readers(standby, db.name, reports=False) as readers:
        with standby.connect(db.name, application_name="monthly report") as report:
            report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            report.execute("SELECT count(*) FROM orders")
            refused = stoa.apply(ADD, *FILL, "--replicas", standby.url(), "--lock-wait", "2s", code=5)
            assert "monthly report" in refused.err and "replica" in refused.err and str(report.info.backend_pid) in refused.err, str(refused)
            assert db.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'amount_cents'") == 0
            running = stoa.start("resume", NAME, "--lock-wait", "60s")
            running.says("monthly report", 30)
            report.execute("SELECT count(*) FROM orders")
            report.execute("COMMIT")
            running.wait(0)
        readers.stop()
        print(f"\nlongest point read {max(readers.points) * 1000:.0f} ms")
        assert not readers.errors and max(readers.points) < MAX_STALL_S + 0.05 + SLACK_S
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_what_happens_without_a_look(home, version):
    """Ablation: a standby that is only seen by the primary is not looked at, which is why it must be accepted."""
    db, standby = make_pair(home, version, hot_standby_feedback="on", max_standby_streaming_delay="3s")
    try:
        orders(db, 2000)
        replayed(db, standby)
        with program_for(db) as stoa, standby.connect(db.name) as report, Readers(standby, db.name, reports=False) as readers:
            report.execute("BEGIN")
            report.execute("SELECT count(*) FROM orders")
            assert "--accept-standby-stall" in stoa.apply(ADD, *FILL, code=4).err
            stoa.apply(ADD, *FILL, "--accept-standby-stall")
            replayed(db, standby)
            readers.stop()
            print(f"\nlongest point read {max(readers.points) * 1000:.0f} ms")
            assert max(readers.points) > 1
    finally:
        standby.end()
        db.server.end()


def test_readers_that_wait_hold_the_work(home, version):
    """Somebody else's lock is replayed behind a report: readers there wait, and the backfill rests until they do not."""
    db, standby = make_pair(home, version, hot_standby_feedback="on", max_standby_streaming_delay="-1")
    try:
        orders(db, 100000)
        db.run("CREATE TABLE other (id int); INSERT INTO other VALUES (1)")
        replayed(db, standby)
        with program_for(db) as stoa, standby.connect(db.name) as report, standby.connect(db.name) as reader:
            stoa.apply(ADD, *FILL, "--replicas", standby.url(), "--until", "expand", "--max-lag", "60s")
            running = stoa.start("resume", NAME, "--chunk-time", "10ms", "--nice", "30")
            until(lambda: db.value("SELECT count(*) FROM stoa.checkpoints WHERE ordinal > 0") > 0, 30, "the backfill to begin")
            report.execute("BEGIN")
            report.execute("SELECT * FROM other")
            db.run("BEGIN; LOCK TABLE other; COMMIT")
            thread = threading.Thread(target=lambda: reader.execute("SELECT * FROM other"), daemon=True)
            time.sleep(0.3)
            thread.start()
            until(lambda: "wait for replay" in (stoa.status(NAME)["throttled_by"] or ""), 30, lambda: f"nothing holds it\n{running.partial()}")
            report.execute("COMMIT")
            thread.join(30)
            stoa("resume", NAME, "--nice", "0")
            running.wait(0)
        assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    finally:
        standby.end()
        db.server.end()

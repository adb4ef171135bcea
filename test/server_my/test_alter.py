"""Statements that commit by themselves: done once, without a long wait for anybody, whatever dies meanwhile."""
import os
import signal
import threading
import time

import pytest

from test.lib.my_plans import alters, behind, digest, register
from test.lib.servers import until
from test.lib.stoa import Stoa

MAX_STALL_MS, TOLERANCE_MS = 200, 50
ADD = ("ALTER TABLE t ADD COLUMN c INT NULL", "ALTER TABLE t DROP COLUMN c")
RENAME = ("ALTER TABLE t ADD COLUMN d VARCHAR(20) NULL DEFAULT 'x'", "ALTER TABLE t DROP COLUMN d")
INDEX = ("ALTER TABLE t ADD INDEX by_v (v), ALGORITHM=INPLACE, LOCK=NONE", "ALTER TABLE t DROP INDEX by_v")


@pytest.fixture
def stoa(my):
    my.query("DROP DATABASE IF EXISTS stoa")
    my.query("DROP DATABASE IF EXISTS shop")
    my.query("CREATE DATABASE shop")
    my.query("CREATE TABLE shop.t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    my.query("INSERT INTO shop.t (v) VALUES (1), (2), (3)")
    program = Stoa(my.url("shop"))
    yield program
    program.close()


class Writer:
    """Short transactions on the table, each timed."""

    def __init__(self, my, pause=0.002):
        self.my, self.pause, self.ends, self.errors, self.longest, self.count = my, pause, False, [], 0.0, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with self.my.connect("shop") as conn, conn.cursor() as cursor:
            while not self.ends:
                began = time.monotonic()
                try:
                    cursor.execute("INSERT INTO t (v) VALUES (7)")
                except Exception as problem:
                    self.errors.append(problem)
                self.longest = max(self.longest, time.monotonic() - began)
                self.count += 1
                time.sleep(self.pause)

    def stop(self):
        self.ends = True
        self.thread.join(30)
        assert not self.errors and self.count > 10
        return self.longest * 1000


def columns(my):
    return [row[0] for row in my.query("SHOW COLUMNS FROM shop.t")]


def states(stoa, name):
    return [step["state"] for step in stoa.status(name)["steps"]]


def test_done_under_writers(my, stoa, tmp_path):
    register(my, "shop", alters(my, "add", "shop", "t", [ADD, RENAME, INDEX], build=False), tmp_path)
    writers = [Writer(my) for _ in range(4)]
    stoa("resume", "add")
    longest = max(writer.stop() for writer in writers)
    assert columns(my) == ["id", "v", "c", "d"]
    assert stoa.status("add")["state"] == "completed" and set(states(stoa, "add")) == {"done"}
    print(f"longest {longest:.0f} ms")
    assert longest <= MAX_STALL_MS + TOLERANCE_MS
    events = stoa("history", "add", "--json").json["events"]
    assert [event["event"] for event in events].count("step_done") == 4
    assert all(event["by"] for event in events) and all(event["at"].endswith("+00:00") for event in events)


def test_abort_takes_it_back(my, stoa, tmp_path):
    before = digest(my, "shop", "t")
    register(my, "shop", alters(my, "add", "shop", "t", [ADD, RENAME], contract=[INDEX]), tmp_path)
    stoa("resume", "add")
    assert stoa.status("add")["state"] == "ready"
    stoa("abort", "add", "--yes", code=4)
    stoa("abort", "add", "--yes", "--force")
    assert digest(my, "shop", "t") == before
    assert stoa("status", "--all", "--json").json["changes"][0]["state"] == "aborted"


def test_complete_carries_out_the_contract(my, stoa, tmp_path):
    register(my, "shop", alters(my, "add", "shop", "t", [ADD], contract=[INDEX]), tmp_path)
    stoa("resume", "add")
    assert stoa.status("add")["state"] == "ready"
    stoa("complete", "add", "--yes")
    assert stoa.status("add")["state"] == "completed"
    assert my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'by_v'")


@pytest.mark.parametrize("place", ["lease_take", "step_intent", "alter_before", "alter_after", "step_outcome"])
def test_killed_anywhere(my, stoa, tmp_path, place):
    register(my, "shop", alters(my, "add", "shop", "t", [ADD, INDEX]), tmp_path)
    writer = Writer(my)
    died = stoa("resume", "add", code=None, env={"STOA_FAILPOINT": f"{place}=kill:1"})
    assert died.code == -signal.SIGKILL, died
    stoa("resume", "add")
    writer.stop()
    assert columns(my) == ["id", "v", "c"] and stoa.status("add")["state"] == "completed"
    assert len(my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'by_v'")) == 1


def test_what_somebody_else_changed_is_ambiguous(my, stoa, tmp_path):
    register(my, "shop", alters(my, "add", "shop", "t", [ADD]), tmp_path)
    my.query("ALTER TABLE shop.t ADD COLUMN other INT")
    failed = stoa("resume", "add", code=None)
    assert failed.code not in (0, 1) and "SHOW CREATE TABLE `shop`.`t`" in failed.err
    assert stoa.status("add")["state"] == "ambiguous"
    my.query("ALTER TABLE shop.t DROP COLUMN other")
    stoa("resume", "add")
    assert columns(my) == ["id", "v", "c"]


def test_done_by_a_session_that_could_not_say_so(my, stoa, tmp_path):
    register(my, "shop", alters(my, "add", "shop", "t", [ADD, RENAME]), tmp_path)
    my.query(ADD[0], "shop")
    stoa("resume", "add")
    assert columns(my) == ["id", "v", "c", "d"]


@pytest.mark.parametrize("step", [ADD, INDEX])
def test_a_blocker_is_named_and_nobody_waits_long(my, stoa, tmp_path, step):
    register(my, "shop", alters(my, "add", "shop", "t", [step], build=step is INDEX), tmp_path)
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t")
        cursor.execute("SELECT CONNECTION_ID()")
        pid = cursor.fetchone()[0]
        writers = [Writer(my) for _ in range(4)]
        failed = stoa("resume", "add", "--lock-wait", "4s", "--max-stall", f"{MAX_STALL_MS}ms", code=5)
        longest = max(writer.stop() for writer in writers)
        assert f"pid {pid}" in failed.err, failed
        print(f"longest {longest:.0f} ms")
        assert longest <= MAX_STALL_MS + TOLERANCE_MS
        assert columns(my) == ["id", "v"]
        assert stoa.status("add")["state"] == "waiting"
        waits = stoa.start("resume", "add")
        waits.says(f"pid {pid}")
        cursor.execute("COMMIT")
        waits.wait(0)
    assert stoa.status("add")["state"] == "completed"


def test_rows_that_stand_against_it(my, stoa, tmp_path):
    register(my, "shop", alters(my, "add", "shop", "t", [("ALTER TABLE t ADD UNIQUE INDEX u (v)", "ALTER TABLE t DROP INDEX u")]), tmp_path)
    my.query("INSERT INTO shop.t (v) VALUES (1)")
    failed = stoa("resume", "add", code=6)
    assert "Duplicate entry" in failed.err
    assert stoa.status("add")["state"] in ("failed", "aborted")
    assert not my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'u'")


def test_a_build_lost_at_its_last_lock(my, stoa, tmp_path):
    my.query("INSERT INTO shop.t (v) SELECT a.id FROM shop.t a, shop.t b, shop.t c")
    for _ in range(13):
        my.query("INSERT INTO shop.t (v) SELECT id FROM shop.t LIMIT 60000")
    register(my, "shop", alters(my, "add", "shop", "t", [INDEX], build=True), tmp_path)
    with my.connect("shop") as conn, conn.cursor() as cursor:
        running = stoa.start("resume", "add", "--max-stall", f"{MAX_STALL_MS}ms", "--lock-wait", "60s")
        # a transaction that begins while the index is being built holds its last lock up
        until(lambda: my.query("SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'ALTER TABLE t ADD INDEX%' "
                               "AND STATE LIKE '%alter%' AND STATE NOT LIKE 'Waiting%'"), 20, "the build")
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t LIMIT 1")
        writer = Writer(my)
        running.says("pid", 40)
        cursor.execute("COMMIT")
        running.wait(0)
        longest = writer.stop()
    print(f"longest {longest:.0f} ms")
    assert longest <= MAX_STALL_MS + TOLERANCE_MS
    assert my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'by_v'")

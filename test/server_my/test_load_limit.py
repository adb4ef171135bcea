"""A busy server slows a change down: the work waits while a signal is past its limit, says why, and goes on."""
import signal
import threading
import time

import pytest

from test.lib.my_plans import alters, register
from test.lib.servers import until
from test.server_my.test_journal import columns, stoa, table  # noqa: F401

ADD = ("ALTER TABLE t ADD COLUMN c INT NULL", "ALTER TABLE t DROP COLUMN c")


@pytest.fixture
def change(my, stoa, table, tmp_path):  # noqa: F811
    register(my, "shop", alters(my, "add", "shop", "t", [ADD]), tmp_path)
    return stoa


def held(running, stoa, my, words, cause):  # noqa: F811
    running.says(words, 60)
    until(lambda: (stoa.status("add")["throttled_by"] or "").startswith(words), 30, "the reason in the status")
    status = stoa.status("add")
    assert cause in status["throttled_by"] and status["state"] in ("running", "waiting")
    assert words in stoa("status", "add").out
    assert columns(my) == ["id", "v"] and running.is_running()


class Sleepers:
    """Sessions that run a statement each until stop()."""

    def __init__(self, my, count):
        self.conns = [my.connect() for _ in range(count)]
        self.my = my
        self.threads = [threading.Thread(target=self._sleep, args=[conn], daemon=True) for conn in self.conns]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _sleep(conn):
        with conn.cursor() as cursor:
            try:
                cursor.execute("SELECT SLEEP(600)")
            except Exception:  # noqa: BLE001 it is ended by KILL
                pass

    def stop(self):
        for conn in self.conns:
            self.my.query(f"KILL {conn.thread_id()}")
        for thread in self.threads:
            thread.join(30)


def running_threads(my):
    return int(my.query("SHOW GLOBAL STATUS LIKE 'Threads_running'")[0][1])


def test_threads_running(my, change):
    sleepers = Sleepers(my, 20)
    try:
        until(lambda: running_threads(my) > 15, 30, "the sessions to run")
        running = change.start("resume", "add", "--max-load", "threads-running=12")
        held(running, change, my, "Threads_running is ", "(--max-load threads-running=12)")
    finally:
        sleepers.stop()
    running.wait(0)
    assert columns(my) == ["id", "v", "c"]
    kinds = [event["event"] for event in change("history", "add", "--json").json["events"]]
    assert "throttled" in kinds and "released" in kinds


def test_a_limit_is_raised_while_it_waits(my, change):
    sleepers = Sleepers(my, 20)
    try:
        until(lambda: running_threads(my) > 15, 30, "the sessions to run")
        running = change.start("resume", "add", "--max-load", "threads-running=12")
        held(running, change, my, "Threads_running is ", "threads-running=12")
        change("resume", "add", "--max-load", "threads-running=off")
        running.wait(0)
    finally:
        sleepers.stop()
    assert columns(my) == ["id", "v", "c"]


def history(my):
    text = my.query("SHOW ENGINE INNODB STATUS")[0][2]
    return int(text.split("History list length ")[1].split()[0])


def test_history_list(my, change):
    before = history(my)
    with my.connect("shop") as old, old.cursor() as reader, my.connect("shop") as conn, conn.cursor() as writer:
        reader.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        reader.execute("SELECT COUNT(*) FROM t")
        limit, until_s = before + 300, time.monotonic() + 120
        while history(my) <= limit + 100 and time.monotonic() < until_s:
            for _ in range(100):
                writer.execute("UPDATE t SET v = v + 1")
        assert history(my) > limit
        running = change.start("resume", "add", "--max-load", f"history-list={limit}")
        held(running, change, my, "InnoDB's history list is ", f"(--max-load history-list={limit})")
        reader.execute("ROLLBACK")
        if my.name == "mysql-5.6":  # it counts anew with every 128th purge only, so that a small list stays as it was
            change("resume", "add", "--max-load", "history-list=off")
        running.wait(0)
    assert columns(my) == ["id", "v", "c"]


def test_latency(my, change, tmp_path):
    """Statements on the table take longer than before, for another reason. Where nothing counts them: test_signal_sources.py."""
    if my.query("SELECT @@performance_schema")[0][0] == 0:
        return
    over, pause, stop = threading.Event(), [0.001], tmp_path / "stop"
    stop.touch()

    def application():
        with my.connect("shop") as conn, conn.cursor() as cursor:
            while not over.is_set():
                cursor.execute(f"SELECT SLEEP({pause[0]}), COUNT(*) FROM t WHERE id = 7")
    threads = [threading.Thread(target=application, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: my.query("SELECT SUM(COUNT_STAR) FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT "
                               "LIKE '%SLEEP%COUNT%'")[0][0] or 0, 30, "no statements")
        running = change.start("resume", "add", "--max-load", "latency=2", "--stop-file", str(stop))
        held(running, change, my, "file ", "is there")
        until(lambda: any(one["name"] == "latency" for one in change.status("add")["signals"]), 30, "latency is not looked at")
        pause[0] = 0.05
        until(lambda: any(one["name"] == "latency" and one["holds"] for one in change.status("add")["signals"]), 60, "latency does not hold")
        stop.unlink()
        held(running, change, my, "the time of the application's statements, against before,", "--max-load latency=2")
        pause[0] = 0.001
        running.wait(0)
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert columns(my) == ["id", "v", "c"]


def test_what_cannot_be_a_limit(my, change):
    for wrong in ("threads-running", "threads=5", "history-list=many"):
        refused = change("resume", "add", "--max-load", wrong, code=2)
        assert "threads-running, history-list, flow-control, receive-queue" in refused.err


def test_a_journal_of_the_version_before(my, change):
    """It gets its tables with the next change that is carried out; limits of version 3 are taken over."""
    my.query("DROP TABLE stoa.settings, stoa.signals")
    my.query("CREATE TABLE stoa.limits (change_id BIGINT NOT NULL, name VARCHAR(64) NOT NULL, most DOUBLE NOT NULL, PRIMARY KEY "
             "(change_id, name))")
    my.query("INSERT INTO stoa.limits SELECT id, 'history-list', 123456789 FROM stoa.changes")
    my.query("UPDATE stoa.meta SET version = 3")
    assert change.status("add")["state"]
    change("resume", "add", "--max-load", "threads-running=500")
    assert my.query("SELECT version FROM stoa.meta") == ((5,),)
    assert my.query("SELECT name, value FROM stoa.settings ORDER BY name") == (("max-load.history-list", "123456789"),
                                                                              ("max-load.threads-running", "500"))
    assert my.query("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'stoa' AND TABLE_NAME = 'limits'") == ()
    assert columns(my) == ["id", "v", "c"]


def test_critical_begins_an_index_build_again(my, stoa, tmp_path):  # noqa: F811
    """A build that cannot be slowed is ended, nothing of it is left, and it begins by itself once the signal is well below."""
    if my.name == "mysql-5.6":
        return  # it has no generated columns, which make the build slow
    my.query("CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL, h CHAR(32) AS (MD5(REPEAT(v, 1000000))) VIRTUAL)")
    my.query("INSERT INTO shop.t (id, v) VALUES " + ", ".join(f"({i}, {1000 + i})" for i in range(1500)))
    pair = ("ALTER TABLE t ADD INDEX slow_index (h)", "ALTER TABLE t DROP INDEX slow_index")
    register(my, "shop", alters(my, "add", "shop", "t", [pair], build=True), tmp_path)

    def builds():
        return my.query("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'ALTER TABLE%slow_index%'")
    running = stoa.start("resume", "add", "--critical-load", "threads-running=12")
    until(builds, 60, lambda: f"nothing is built {running.partial()}")
    sleepers = Sleepers(my, 20)
    try:
        until(lambda: "waits for that to be over" in (stoa.status("add")["throttled_by"] or ""), 60, lambda: f"it is not ended {running.partial()}")
        until(lambda: not builds(), 30, "the build to end")
        assert not my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'slow_index'") and running.is_running()
    finally:
        sleepers.stop()
    running.wait(0, 300)
    assert my.query("SHOW INDEX FROM shop.t WHERE Key_name = 'slow_index'")
    alarms = [event["text"] for event in stoa("history", "add", "--json").json["events"] if event["event"] == "alarm"]
    assert len(alarms) == 1 and "(1 of 3)" in alarms[0], alarms


def test_what_a_build_may_use(my, stoa):  # noqa: F811
    """As the server knows of the session that is about to build."""
    my.query("CREATE TABLE shop.t (id INT PRIMARY KEY, v INT NOT NULL)")
    my.query("INSERT INTO shop.t VALUES " + ", ".join(f"({i}, {i})" for i in range(5000)))
    args = ["apply", "ALTER TABLE shop.t ADD INDEX t_v (v)", "--name", "v", "--yes", "--strategy", "in-place",
            "--build-memory", "3MB", "--build-workers", "0"]
    if my.name != "mysql-9.7":
        assert "leave out --build-memory" in stoa(*args, code=2).err
        assert my.query("SHOW INDEX FROM shop.t WHERE Key_name = 't_v'") == ()
        return
    running = stoa.start(*args, env={"STOA_FAILPOINT": "alter_before=pause:1"})
    until(lambda: running.is_stopped, 60, lambda: f"no build {running.partial()}")
    seen = my.query("SELECT v.VARIABLE_NAME, v.VARIABLE_VALUE FROM performance_schema.variables_by_thread v JOIN "
                    "performance_schema.threads t USING (THREAD_ID) WHERE v.VARIABLE_NAME IN ('innodb_ddl_buffer_size', "
                    "'innodb_ddl_threads', 'innodb_parallel_read_threads') AND v.VARIABLE_VALUE IN ('3145728', '1') AND "
                    "t.PROCESSLIST_ID <> CONNECTION_ID()")
    running.signal(signal.SIGCONT)
    running.wait(0)
    assert sorted(seen) == [("innodb_ddl_buffer_size", "3145728"), ("innodb_ddl_threads", "1"), ("innodb_parallel_read_threads", "1")]
    assert my.query("SHOW INDEX FROM shop.t WHERE Key_name = 't_v'") != ()

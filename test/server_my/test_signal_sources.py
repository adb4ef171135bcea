"""Sources that stand in where the server itself tells nothing: reads of our own for latency, the disk of this machine; and what
InnoDB tells of its redo log."""
import contextlib
import os
import threading
import time

import pymysql

from test.lib.servers import until
from test.server_my.test_journal import columns, stoa, table  # noqa: F401
from test.server_my.test_load_limit import change, held  # noqa: F401


@contextlib.contextmanager
def slow_reads(my, hold_s=0.05):
    """Somebody takes the table away again and again."""
    over = threading.Event()

    def run():
        with contextlib.suppress(pymysql.Error), my.connect("shop") as conn, conn.cursor() as cursor:
            while not over.is_set():
                cursor.execute("LOCK TABLES t WRITE")
                time.sleep(hold_s)
                cursor.execute("UNLOCK TABLES")
                time.sleep(0.005)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def signal_of(change, name):  # noqa: F811
    return next((one for one in change.status("add")["signals"] if one["name"] == name), None)


def test_point_reads(my, change, tmp_path):  # noqa: F811
    """Where nothing counts statements rows are read and timed; where something does, none are."""
    stop = tmp_path / "stop"
    stop.touch()
    counts = my.query("SELECT @@performance_schema")[0][0] == 1
    running = change.start("resume", "add", "--max-load", "latency=3", "--stop-file", str(stop))
    until(lambda: (signal_of(change, "latency") or {}).get("value") is not None, 60, lambda: f"latency is not looked at\n{running.partial()}")
    assert signal_of(change, "latency")["target"] == ("" if counts else "point reads of shop.t")
    if not counts:
        with slow_reads(my):
            until(lambda: signal_of(change, "latency")["holds"], 60, "latency to hold")
            stop.unlink()
            held(running, change, my, "the time of our own point reads of shop.t", "--max-load latency=3")
    stop.unlink(missing_ok=True)
    running.wait(0)
    assert columns(my) == ["id", "v", "c"]


def free(path):
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def test_free_disk(my, change):  # noqa: F811
    """Held while less is free than wanted, and where the file that proves it is another process's."""
    file = my.folder / "mysqld.pid"
    text = file.read_text()
    more = f"{free(my.data) // 2**20 + 2048}MB"
    running = change.start("resume", "add", "--min-free-disk", more)
    until(lambda: "are free" in (change.status("add")["throttled_by"] or ""), 60, lambda: f"nothing holds it\n{running.partial()}")
    signal = signal_of(change, "free-disk")
    assert signal["minimum"] is True and signal["holds"] and abs(signal["value"] - free(my.data)) < 2**30
    try:
        file.write_text(f"{os.getpid()}\n")
        change("resume", "add", "--min-free-disk", "1MB")
        held(running, change, my, "--min-free-disk: use --check-sql", "pid_file")
    finally:
        file.write_text(text)
    running.wait(0)
    assert columns(my) == ["id", "v", "c"]


def test_redo(my, change):  # noqa: F811
    """Somebody else fills the redo log faster than is wanted."""
    over = threading.Event()
    my.query("CREATE TABLE IF NOT EXISTS shop.noise (id INT PRIMARY KEY, pad LONGTEXT)")
    my.query("REPLACE INTO shop.noise VALUES (1, '')")

    def write():
        with my.connect("shop") as conn, conn.cursor() as cursor:
            while not over.is_set():
                cursor.execute("UPDATE noise SET pad = REPEAT(CHAR(65 + RAND() * 20), 300000)")
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        running = change.start("resume", "add", "--max-load", "redo-rate=0.5")
        held(running, change, my, "redo in MB a second is ", "--max-load redo-rate=0.5")
        known = my.is_mariadb or my.version >= (8, 0, 30) or my.version >= (9,)
        assert (signal_of(change, "checkpoint-age") is not None) == known
    finally:
        over.set()
        thread.join(30)
    running.wait(0)
    my.query("DROP TABLE shop.noise")
    assert columns(my) == ["id", "v", "c"]



"""Sources that stand in where the server itself tells nothing: reads of our own for latency, the disk of this machine."""
import os


from test.lib.servers import until
from test.server.test_signals import begun, ended, filled, held, released, session, signal_of, slow, status  # noqa: F401

READS = "the time of our own point reads of public.t"


def slow_reads(db, hold_s=0.05):
    """Somebody takes the table away again and again."""
    return session(db, f"DO $$BEGIN LOOP LOCK TABLE t IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep({hold_s}); COMMIT; PERFORM pg_sleep(0.005); "
                       "END LOOP; END$$")


def test_point_reads(db, begun):  # noqa: F811
    """pg_stat_statements is not installed in this database: rows are read and timed, against before."""
    assert db.value("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == 0
    running = slow(begun, "--max-load", "latency=3")
    until(lambda: (signal_of(begun, "latency") or {}).get("value"), 60, lambda: f"latency is not looked at\n{running.partial()}")
    assert signal_of(begun, "latency")["target"] == "point reads of public.t"
    before = filled(db)
    until(lambda: filled(db) > before, 30, "the work to go on")
    with slow_reads(db):
        signal = held(db, running, begun, "latency", READS)
        assert signal["value"] > 3 and signal["limit"] == 3
    released(db, running, begun)


def test_point_reads_only_where_somebody_asks(db, begun):  # noqa: F811
    """Ablation: without a limit nothing is read, and the same reader stops nothing."""
    running = slow(begun)
    with slow_reads(db, 0.02):
        before = filled(db)
        until(lambda: filled(db) > before, 60, "the work to go on")
        assert signal_of(begun, "latency") is None
        assert db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stoa: %canary%'") == 0
    assert "throttled" not in ended(db, running, begun)


def test_point_reads_of_keys_of_any_type(db, stoa):
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    keys = {"a": "uuid", "b": "text", "c": "timestamptz", "d": "numeric", "e": "smallint"}
    for name, kind in keys.items():
        value = {"uuid": "md5(i::text)::uuid", "text": "md5(i::text)", "timestamptz": "now() + i * interval '1 s'", "numeric": "i / 3.0",
                 "smallint": "i::smallint"}[kind]
        db.run(f"CREATE TABLE {name} (k {kind} PRIMARY KEY, v int); INSERT INTO {name} SELECT {value}, i FROM generate_series(1, 2000) i")
        stoa("apply", f"ALTER TABLE {name} ADD COLUMN w int NOT NULL", "--name", name, "--backfill", f"{name}.w = v + 1", "--yes", "--max-load",
             "latency=50")
        assert db.value(f"SELECT count(*) FROM {name} WHERE w = v + 1") == 2000


def test_no_key_to_read_by(db, stoa):
    """Nothing to time: that holds the work, since a limit was given."""
    db.run("CREATE TABLE t (id int, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i")
    running = stoa.start("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes", "--max-load",
                         "latency=2")
    running.says("has a primary key to read a row by", 30)
    assert running.is_running()
    stoa("resume", "w", "--max-load", "latency=off")
    running.wait(0)


def free(path):
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def test_free_disk(db, begun):  # noqa: F811
    """Held while less is free than wanted; also where that is not told, or the file that proves it is another server's."""
    more = f"{free(db.server.data) // 2**20 + 2048}MB"
    running = slow(begun, "--min-free-disk", more)
    held(db, running, begun, "free-disk", 'examine "data_directory"')
    db.admin.execute(f"GRANT pg_read_all_settings TO {db.owner}")
    signal = held(db, running, begun, "free-disk", "are free")
    assert signal["minimum"] is True and abs(signal["value"] - free(db.server.data)) < 2**30
    file = db.server.data / "postmaster.pid"
    text = file.read_text()
    lines = text.split("\n")
    lines[2] = str(int(lines[2]) - 1000)
    try:
        file.write_text("\n".join(lines))
        begun("resume", "w", "--min-free-disk", "1MB")
        held(db, running, begun, "free-disk", "no proof that the server's disk is here")
    finally:
        file.write_text(text)
    released(db, running, begun)


def test_free_disk_is_a_size(db, stoa):
    db.run("CREATE TABLE t (id int)")
    for wrong in ("10", "many", "10XB"):
        assert wrong in stoa("apply", "ALTER TABLE t ADD COLUMN w int", "--yes", "--min-free-disk", wrong, code=2).err


def test_wal_since_the_checkpoint(db, begun):  # noqa: F811
    db.admin.execute("CREATE TABLE noise AS SELECT i, repeat('x', 500) AS pad FROM generate_series(1, 40000) i")
    running = slow(begun, "--max-load", "checkpoint-wal=0.002")
    held(db, running, begun, "checkpoint-wal", "WAL since the last checkpoint, as a part of max_wal_size, is ")
    begun("resume", "w", "--max-load", "checkpoint-wal=0.9")
    db.admin.execute("CHECKPOINT")
    released(db, running, begun)



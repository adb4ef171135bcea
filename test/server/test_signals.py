"""Signals: each stops the work, says why, and lets it go on by itself; what is critical pauses it; what gives no sample
stops it, too."""
import contextlib
import http.server
import json
import threading
import time

import psycopg
import pytest

from test.lib.servers import Server, until
from test.lib.stoa import Stoa

ROWS = 60000


@pytest.fixture
def begun(db, stoa):
    """A change that has only its backfill before it."""
    db.run(f"CREATE TABLE t (id bigint PRIMARY KEY, v int) WITH (autovacuum_enabled = off); INSERT INTO t SELECT i, i FROM "
           f"generate_series(1, {ROWS}) i")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    assert stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes", "--until",
                "expand").code == 0
    return stoa


def ask(db, sql):
    return db.admin.execute(sql).fetchall()


def status(stoa):
    return json.loads(stoa("status", "w", "--json").out)["changes"][0]


def filled(db):
    return ask(db, "SELECT count(*) FROM t WHERE w IS NOT NULL")[0][0]


def signal_of(stoa, name):
    return next((one for one in status(stoa)["signals"] if one["name"] == name), None)


def held(db, running, stoa, name, words):
    """It waits because of this signal, and fills no row meanwhile."""
    until(lambda: words in (status(stoa)["throttled_by"] or ""), 30, f"it does not wait because of {name}\n{running.partial()}")
    until(lambda: status(stoa)["state"] == "waiting", 30, "it does not come to rest")
    before = filled(db)
    signal = signal_of(stoa, name)
    assert signal["holds"] and words in signal["text"], signal
    time.sleep(1.2)  # long enough for a dozen chunks
    assert filled(db) == before < ROWS and running.is_running()
    return signal


def ended(db, running, stoa):
    """It comes to its end; returns the events of the change."""
    assert stoa("resume", "w", "--nice", "0").code == 0
    assert running.wait(0).code == 0
    assert filled(db) == ROWS and status(stoa)["ready"]
    return [one["event"] for one in json.loads(stoa("history", "w", "--json").out)["events"]]


def released(db, running, stoa):
    events = ended(db, running, stoa)
    assert "throttled" in events and "released" in events


def slow(stoa, *args):
    """So that the work is not over before anybody has looked."""
    return stoa.start("resume", "w", "--chunk-time", "10ms", "--nice", "20", *args)


@contextlib.contextmanager
def session(db, sql=None, name="application", **options):
    """Somebody else's, with a statement under way in a thread."""
    conn = psycopg.connect(db.admin_url, autocommit=True, application_name=name, **options)

    def run():
        with contextlib.suppress(psycopg.Error):
            conn.execute(sql)
    thread = threading.Thread(target=run, daemon=True)
    if sql:
        thread.start()
    try:
        yield conn
    finally:
        if sql:
            db.admin.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
            thread.join(20)
        conn.close()


def test_active_sessions(db, begun):
    with session(db, "SELECT pg_sleep(600)"):
        running = slow(begun, "--max-load", "active-sessions=0")
        assert held(db, running, begun, "active-sessions", "the number of active sessions is ")["limit"] == 0
    released(db, running, begun)


def test_a_limit_that_is_taken_back(db, begun):
    with session(db, "SELECT pg_sleep(600)"):
        running = slow(begun, "--max-load", "active-sessions=0")
        held(db, running, begun, "active-sessions", "the number of active sessions is ")
        assert begun("resume", "w", "--max-load", "active-sessions=off").code == 0
        released(db, running, begun)


def test_blocked_sessions(db, begun):
    db.run("CREATE TABLE other (id int); INSERT INTO other VALUES (1)")
    with session(db, name="stoa: somebody") as blocker:
        blocker.execute("BEGIN; LOCK TABLE other")
        with session(db, "SELECT * FROM other"):
            running = slow(begun)
            held(db, running, begun, "blocked-sessions", "the number of sessions that wait for us is 1")
            blocker.execute("ROLLBACK")
            released(db, running, begun)


def test_snapshot_age(db, begun):
    with session(db) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t LIMIT 1")
        running = slow(begun, "--max-load", "snapshot-age=0.5")
        held(db, running, begun, "snapshot-age", "the age of the oldest snapshot")
        reader.execute("ROLLBACK")
        released(db, running, begun)


def dead(db):
    """Dead rows; the trigger fills what is updated, so they are others."""
    db.run(f"INSERT INTO t SELECT i, i FROM generate_series({ROWS} + 1, 2 * {ROWS}) i")
    db.run(f"DELETE FROM t WHERE id > {ROWS}")


def test_dead_rows(db, begun):
    dead(db)
    until(lambda: ask(db, "SELECT n_dead_tup FROM pg_stat_all_tables WHERE relid = 't'::regclass")[0][0] > 1000, 20, "no dead rows")
    running = slow(begun, "--max-load", "dead-rows=0.1")
    held(db, running, begun, "dead-rows", "dead rows for each live one")
    db.admin.execute("VACUUM t")
    begun("resume", "w", "--max-load", "dead-rows=50")  # our own rows are dead next
    released(db, running, begun)


def test_autovacuum(db, begun):
    dead(db)
    with session(db) as cleaner:
        cleaner.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
        thread = threading.Thread(target=lambda: contextlib.suppress(psycopg.Error).__enter__() or quietly(cleaner, "VACUUM t"), daemon=True)
        thread.start()
        until(lambda: db.admin.execute("SELECT count(*) FROM pg_stat_progress_vacuum").fetchone()[0] > 0, 20, "no vacuum runs")
        running = slow(begun, "--max-load", "autovacuum=0")
        held(db, running, begun, "autovacuum", "autovacuums of the table is 1")
        cleaner.cancel()
        thread.join(20)
        released(db, running, begun)


def quietly(conn, sql):
    with contextlib.suppress(psycopg.Error):
        conn.execute(sql)


def test_wal_rate(db, begun):
    db.run("CREATE TABLE noise (id int, pad text)")
    with session(db, "DO $$BEGIN FOR i IN 1 .. 100000 LOOP INSERT INTO noise SELECT 1, repeat('x', 2000) FROM generate_series(1, 500); "
                     "COMMIT; PERFORM pg_sleep(0.02); DELETE FROM noise; COMMIT; END LOOP; END$$"):
        running = slow(begun, "--max-load", "wal-rate=2")
        held(db, running, begun, "wal-rate", "WAL in MB a second is ")
    begun("resume", "w", "--max-load", "wal-rate=500")
    released(db, running, begun)


def test_slot(db, begun):
    db.admin.execute("SELECT pg_create_physical_replication_slot('left_behind', true)")
    try:
        db.run("CREATE TABLE noise AS SELECT i, repeat('x', 500) AS pad FROM generate_series(1, 20000) i")
        running = slow(begun, "--max-load", "slot-wal=5")
        held(db, running, begun, "slot-wal", "WAL kept for a replication slot")
    finally:
        db.admin.execute("SELECT pg_drop_replication_slot('left_behind')")
    released(db, running, begun)


def test_latency(db, begun):
    """Statements on the table take ten times as long as before, for another reason. Without a limit that is shown and holds
    nothing."""
    db.admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    over, pause = threading.Event(), [0.001]

    def application():
        with psycopg.connect(db.admin_url, autocommit=True, application_name="application") as conn:
            while not over.is_set():
                conn.execute("SELECT pg_sleep(%s), count(*) FROM t WHERE id = 7", [pause[0]])
    threads = [threading.Thread(target=application, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: db.admin.execute("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE "
                                       "'SELECT pg_sleep($1), count(*) FROM t%'").fetchone()[0] > 300, 30, "no statements")
        running = slow(begun)
        until(lambda: signal_of(begun, "latency"), 30, "latency is not looked at")
        pause[0] = 0.02
        until(lambda: signal_of(begun, "latency")["value"] > 2, 30, "latency is not seen to grow")
        assert not signal_of(begun, "latency")["holds"] and "latency" not in (status(begun)["throttled_by"] or "")
        begun("resume", "w", "--max-load", "latency=2")
        held(db, running, begun, "latency", "the time of the application's statements")
        pause[0] = 0.001
        released(db, running, begun)
    finally:
        over.set()
        for thread in threads:
            thread.join(20)


def test_check_sql(db, begun):
    db.run("CREATE TABLE hold (on_ boolean); INSERT INTO hold VALUES (true)")
    running = slow(begun, "--check-sql", "SELECT on_ FROM hold")
    held(db, running, begun, "check-sql", "--check-sql gives 1")
    db.run("DELETE FROM hold")
    held(db, running, begun, "check-sql", "gives no single number or boolean")
    db.run("DROP TABLE hold")
    held(db, running, begun, "check-sql", "does not exist")
    db.run("CREATE TABLE hold AS SELECT 0.0 AS on_")
    released(db, running, begun)


def test_stop_file(db, begun, tmp_path):
    file = tmp_path / "stop"
    file.touch()
    running = slow(begun, "--stop-file", str(file))
    held(db, running, begun, "stop-file", "is there")
    file.unlink()
    released(db, running, begun)


def test_check_url(db, begun):
    """Not well, not there, well."""
    answers = [503]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answers[0])
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    running = slow(begun, "--check-url", f"http://127.0.0.1:{port}/health")
    held(db, running, begun, "check-url", "answers 503")
    server.shutdown()
    server.server_close()
    held(db, running, begun, "check-url", "onnect")
    answers[0] = 204
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    released(db, running, begun)
    server.shutdown()
    server.server_close()


def test_archive_queue(home, version, stoa):
    server = Server(home, version, settings={"archive_mode": "on", "archive_command": "false"})
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    with server.connect() as conn:
        conn.execute("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
        conn.execute(f"INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i")
        for _ in range(4):
            conn.execute("CREATE TABLE IF NOT EXISTS x (i int)")
            conn.execute("INSERT INTO x VALUES (1)")
            conn.execute("SELECT pg_switch_wal()")
        until(lambda: conn.execute("SELECT failed_count FROM pg_stat_archiver").fetchone()[0] > 0, 90, "nothing is tried")
        running = stoa.start("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes",
                             "--max-load", "archive-queue=2", url=url)
        running.says("the queue of the WAL archiver is", 60)
        assert conn.execute("SELECT count(*) FROM t").fetchone()[0] == ROWS and running.is_running()
        conn.execute("ALTER SYSTEM SET archive_command = 'true'")
        conn.execute("SELECT pg_reload_conf()")
        running.wait(0)


def test_critical(db, begun):
    with session(db, "SELECT pg_sleep(600)"):
        running = slow(begun, "--critical-load", "active-sessions=0")
        until(lambda: status(begun)["throttled_by"] == "paused", 30, f"it is not paused\n{running.partial()}")
    until(lambda: status(begun)["state"] == "paused", 30, "it does not come to rest")
    time.sleep(1.2)  # it does not go on by itself
    assert status(begun)["state"] == "paused" and filled(db) < ROWS
    events = [one for one in json.loads(begun("history", "w", "--json").out)["events"] if one["event"] == "alarm"]
    assert len(events) == 1 and "--critical-load active-sessions=0" in events[0]["text"]
    begun("resume", "w", "--critical-load", "active-sessions=off", "--nice", "0", "--chunk-time", "100ms")
    running.wait(0)


BUILDING = ("SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active' AND datname = "
            "current_database()")


def slow_index(db, stoa, *args):
    """Applies an index that takes minutes; once fast_index() was called, no time."""
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 300000) i;"
           "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.0005); RETURN $1; END'")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    running = stoa.start("apply", "CREATE INDEX slow_index ON t (slow(v))", "--name", "w", "--yes", "--critical-load", "active-sessions=0",
                         *args)
    until(lambda: ask(db, BUILDING), 60, lambda: "no index is built\n" + str(running.partial()))
    return running


def fast_index(db):
    db.run("CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'")


def is_built(db):
    return (ask(db, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'slow_index'::regclass") == [(True,)]
            and ask(db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)])


def test_what_a_build_may_use(db, stoa):
    """The expression of the index sees it. It is kept with the change, and resume says otherwise."""
    def wants(memory, workers):
        db.run(f"""CREATE OR REPLACE FUNCTION seen(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
                   IF current_setting('maintenance_work_mem') <> '{memory}' OR
                      current_setting('max_parallel_maintenance_workers', true) <> '{workers}'
                   THEN RAISE 'it has %', current_setting('maintenance_work_mem'); END IF; RETURN $1; END $$""")
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i")
    wants("3MB", "0")
    failed = stoa("apply", "CREATE INDEX t_seen ON t (seen(v))", "--name", "w", "--yes", "--build-memory", "5MB", "--build-workers", "0",
                  code=None)
    assert failed.code not in (0, 2) and "it has 5MB" in failed.err, failed
    stoa("resume", "w", "--build-memory", "3MB")
    assert ask(db, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_seen'::regclass") == [(True,)]
    wants(ask(db, "SHOW maintenance_work_mem")[0][0], ask(db, "SHOW max_parallel_maintenance_workers")[0][0] if db.version >= 11 else "")
    stoa("apply", "CREATE INDEX t_own ON t (seen(v + 1))", "--name", "own", "--yes")
    assert "--build-memory" in stoa("apply", "CREATE INDEX x ON t (v)", "--yes", "--build-memory", "5kB", code=2).err
    for more in (["--build-memory", "99TB"], *([["--build-workers", "5000"]] if db.version >= 11 else [])):
        told = stoa("apply", "CREATE INDEX x ON t (v)", "--yes", "--name", "x", *more, code=2)
        assert more[0] in told.err and "x" not in [change["name"] for change in stoa("status", "--all", "--json").json["changes"]]


def test_critical_ends_an_index_build(db, stoa):
    """With no retries it is paused until somebody resumes it."""
    running = slow_index(db, stoa, "--critical-retries", "0")
    with session(db, "SELECT pg_sleep(600)"):
        until(lambda: status(stoa)["throttled_by"] == "paused", 30, f"it is not paused\n{running.partial()}")
        until(lambda: not ask(db, BUILDING), 30,
              lambda: f"the build goes on {ask(db, 'SELECT pid, state, query FROM pg_stat_activity')} {running.partial()}")
    fast_index(db)
    stoa("resume", "w", "--critical-load", "active-sessions=off")
    running.wait(0)
    assert is_built(db)


def test_critical_begins_an_index_build_again(db, stoa):
    """It is ended, what it left is gone while it rests, and it begins by itself once the signal is well below; what is
    ended once more than that is paused."""
    running = slow_index(db, stoa, "--critical-retries", "2")
    with session(db, "SELECT pg_sleep(600)"):
        until(lambda: "waits for that to be over" in (status(stoa)["throttled_by"] or ""), 30, lambda: f"it is not ended {running.partial()}")
        until(lambda: not ask(db, "SELECT 1 FROM pg_index WHERE NOT indisvalid"), 30, "an INVALID index is left")
        time.sleep(12)  # longer than the least rest: the signal is still there
        assert not ask(db, BUILDING) and running.is_running()
    until(lambda: ask(db, BUILDING), 30, lambda: f"it does not begin again {running.partial()}")
    until(lambda: [step for step in status(stoa)["steps"] if step["state"] == "running"], 10, "no step runs")
    with session(db, "SELECT pg_sleep(600)"):
        until(lambda: not ask(db, BUILDING), 30, "the second build is not ended")
    until(lambda: ask(db, BUILDING), 40, lambda: f"it does not begin a second time {running.partial()}")
    with session(db, "SELECT pg_sleep(600)"):
        until(lambda: status(stoa)["throttled_by"] == "paused", 30, lambda: f"the budget has no end {running.partial()}")
    fast_index(db)
    assert stoa("resume", "w").code == 0
    running.wait(0)
    assert is_built(db)
    events = [one for one in json.loads(stoa("history", "w", "--json").out)["events"] if one["event"] == "alarm"]
    assert ["(1 of 2)" in events[0]["text"], "(2 of 2)" in events[1]["text"], "after 2 tries" in events[2]["text"]] == [True] * 3, events


def test_how_far_an_index_build_is(db, stoa, version):
    """The server's own figures of it, from PostgreSQL 12 on."""
    running = slow_index(db, stoa, "--critical-load", "active-sessions=off")

    def stages():
        measured = status(stoa)["measured"]
        return [stage for step in measured.values() for stage in step.get("stage", {}).items()]
    if int(version) >= 12:
        until(lambda: any("building index" in what and 0 < part <= 1000 for what, part in stages()), 60, lambda: f"{stages()}")
    fast_index(db)
    pid = ask(db, BUILDING)
    for one in pid:  # a function that runs keeps its body
        db.admin.execute("SELECT pg_cancel_backend(%s)", list(one))
    running.wait(0)
    assert is_built(db) and not stages()


def test_critical_lag(home, version):
    """A replica that is further behind than is critical: the change is paused, and stays so when the replica is back."""
    server = Server(home, version)
    standby = Server(home, version, standby_of=server)
    program = Stoa(f"postgres://postgres@127.0.0.1:{server.port}/postgres")
    replica = f"postgres://postgres@127.0.0.1:{standby.port}/postgres"
    try:
        with server.connect() as conn, standby.connect() as reader:
            conn.execute(f"CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i")
            until(lambda: reader.execute("SELECT to_regclass('t')").fetchone()[0], 30, "the table is not there")
            running = program.start("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes",
                                    "--replicas", replica, "--max-lag", "1m", "--critical-load", "replica-lag=2", "--chunk-time", "10ms", "--nice", "20")
            until(lambda: conn.execute("SELECT to_regclass('stoa.checkpoints')").fetchone()[0] and
                  conn.execute("SELECT count(*) FROM stoa.checkpoints WHERE ordinal > 0").fetchone()[0], 60, lambda: f"nothing is begun {running.partial()}")
            until(lambda: (signal_of(program, "replica-lag") or {}).get("critical") == 2 and status(program)["rows_done"] > 0, 60,
                  lambda: f"nothing is filled {running.partial()}")
            reader.execute("SELECT pg_wal_replay_pause()")
            until(lambda: status(program)["throttled_by"] == "paused", 30, lambda: f"it is not paused {running.partial()}")
            reader.execute("SELECT pg_wal_replay_resume()")
            until(lambda: signal_of(program, "replica-lag")["value"] < 1, 30, "the replica does not catch up")
            assert status(program)["throttled_by"] == "paused"
        events = [one["text"] for one in json.loads(program("history", "w", "--json").out)["events"] if one["event"] == "alarm"]
        assert len(events) == 1 and "--critical-load replica-lag=2" in events[0], events
        program("resume", "w", "--nice", "0", "--chunk-time", "100ms")
        running.wait(0)
    finally:
        program.close()
        standby.end()
        server.end()


def test_a_statement_that_does_not_fit_the_window(db, stoa):
    """An index build that may take longer than what is left of the window is not begun; one that never fits is told."""
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i; ANALYZE t")
    db.admin.execute("UPDATE pg_class SET reltuples = 1e9, relpages = 1 WHERE relname = 't'")
    now = ask(db, "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '10 h', 'HH24:MI'), to_char(now() AT TIME ZONE 'UTC' + interval '5 min', "
                  "'HH24:MI')")[0]
    change = ["apply", "CREATE INDEX i ON t (v)", "--name", "w", "--yes"]
    running = stoa.start(*change, "--window", f"{now[0]}-{now[1]} UTC")
    running.says("closes in", 60)
    time.sleep(1.2)
    assert ask(db, "SELECT to_regclass('i')") == [(None,)] and running.is_running()
    assert stoa("resume", "w", "--window", "00:00-24:00 UTC").code == 0
    running.wait(0)
    assert ask(db, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [(True,)]


def test_a_window_that_is_too_short(db, stoa):
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i; ANALYZE t")
    db.admin.execute("UPDATE pg_class SET reltuples = 1e9, relpages = 1 WHERE relname = 't'")
    begin, end = ask(db, "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 min', 'HH24:MI'), to_char(now() AT TIME ZONE 'UTC' + "
                         "interval '3 min', 'HH24:MI')")[0]
    refused = stoa("apply", "CREATE INDEX i ON t (v)", "--name", "w", "--yes", "--window", f"{begin}-{end} UTC", code=3)
    assert "longer than the window" in refused.err and "stoa resume w --window" in refused.err


def test_nice(db, begun):
    """It works for a fifth of the time."""
    begun("resume", "w", "--until", "expand", "--chunk-time", "20ms")
    begun("resume", "w", "--nice", "4", "--until", "backfill")
    steps = [one for one in status(begun)["steps"] if one["phase"] == "backfill"]
    busy = db.admin.execute("SELECT sum((body->>'busy_ms')::float) FROM stoa.checkpoints WHERE body->>'busy_ms' IS NOT NULL").fetchone()[0]
    took = db.admin.execute("SELECT extract(epoch FROM max(ended_at) - min(started_at)) * 1000 FROM stoa.steps WHERE ordinal = ANY(%s) AND "
                            "kind = 'backfill'", [[one["ordinal"] for one in steps]]).fetchone()[0]
    assert float(took) > 3 * busy, (took, busy)


def test_hidden_sessions(db, begun):
    """Without pg_read_all_stats nobody's load is known; who asks for it is told, and waits."""
    db.admin.execute(f"REVOKE pg_read_all_stats FROM {db.owner}")
    with session(db, "SELECT pg_sleep(600)"):
        running = slow(begun, "--max-load", "active-sessions=50")
        held(db, running, begun, "active-sessions", "pg_read_all_stats")
        db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
        released(db, running, begun)


def test_what_cannot_be_given(stoa, db):
    db.run("CREATE TABLE t (id int)")
    for args, told in ((["--max-load", "nothing=1"], "active-sessions, blocked-sessions"), (["--critical-load", "latency"], "--critical-load"),
                       (["--max-load", "replica-lag=5"], "--max-lag"), (["--critical-retries", "-1"], "--critical-retries"),
                       (["--nice", "x"], "--nice"), (["--nice", "-1"], "--nice"), (["--check-url", "file:///etc/passwd"], "http")):
        done = stoa("apply", "ALTER TABLE t ADD COLUMN w int", "--yes", *args, code=2)
        assert told in done.err, done

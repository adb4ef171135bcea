"""/metrics: both formats as real parsers read them, while changes run, are killed, throttled and gone on with."""
import json
import os
import signal

import pytest

from test.lib.http import Serving
from test.lib.metrics import (Scraper, Watch, agree_with_status, families, labels_of, one, phase, read, samples, table, total, until_told,
                              values_of)
from test.lib.servers import Server, until

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"
FILL = ("--backfill", "t.w = v + 1", "--yes")
HOSTILE = 'a"b\\c\nd é{x="y"} # TYPE'


@pytest.fixture
def rows(db):
    def fill(count):
        db.run(f"CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, {count}) i; ANALYZE t")
        return db
    return fill


@pytest.fixture
def serving(db, tmp_path):
    started = []

    def start(*args, environment=None, **more):
        if environment is not None:
            config = tmp_path / "stoa.yaml"
            config.write_text(json.dumps({"environments": {environment: {"url": db.url()}}}))
            args = ("--config", config, "--env", environment, *args)
            more["url"] = None
        started.append(Serving(more.pop("url", db.url()), *args, **more))
        return started[-1]
    yield start
    for one_of in started:
        one_of.close()


def done_rows(web, name="w"):
    return total(values_of(web), "stoa_backfill_rows", migration=name, state="done")


def test_a_change_that_is_killed_throttled_and_gone_on_with(rows, serving, stoa):
    rows(300000)
    web = serving(environment="test").ready()
    scraper = Scraper(web)
    running = stoa.start("apply", SQL, "--name", "w", *FILL, "--chunk-time", "20ms")
    until(lambda: done_rows(web) > 20000, 60, "nothing is filled")
    until(lambda: total(values_of(web), "stoa_table_bytes", migration="w", part="indexes", when="now") > 0, 30, "the table is not measured")
    running.kill()
    killed_at = done_rows(web)
    assert killed_at < 300000
    going = stoa.start("resume", "w", "--chunk-time", "20ms")
    until(lambda: done_rows(web) > killed_at, 60, "it does not go on")
    stoa("pause", "w")
    held = until_told(web, "w", "held")
    assert one(held, "stoa_throttle_active", migration="w", reason="manual") == 1
    assert total(held, "stoa_throttle_active", migration="w") == 1
    rested = "stoa_throttled_seconds_total"
    until(lambda: total(values_of(web), rested, migration="w", reason="manual") > 1, 20, "the pause is not counted")
    stoa("resume", "w")
    going.wait()
    values = until_told(web, "w", "flag_ready")
    until(lambda: total(values_of(web), "stoa_migration_runner", migration="w") == 0, 20, "the lease is not given back")
    values = values_of(web)
    agree_with_status(values, json.loads(stoa("status", "w", "--json").out)["changes"][0])
    assert one(values, "stoa_migration_info", migration="w", engine="postgresql", environment="test", table="public.t", kind="in-place") == 1
    assert one(values, "stoa_environment_ready", migration="w", table="public.t", column="w") == 1
    assert one(values, "stoa_backfill_rows_updated_total", migration="w") == 300000
    assert 0 < one(values, "stoa_backfill_hot_rows_total", migration="w") <= 300000
    assert one(values, "stoa_backfill_wal_bytes_total", migration="w") > 300000 * 30
    assert total(values, "stoa_lock_attempts_total", migration="w", result="acquired") >= 2
    assert total(values, "stoa_lock_hold_seconds_count", migration="w") >= 2
    assert total(values, "stoa_verification_violations", migration="w") == 0
    stoa("complete", "w", "--force", "--yes")
    done = until_told(web, "w", "done")
    entered = [one(done, "stoa_migration_phase_entered_timestamp_seconds", migration="w", phase=name)
               for name in ("planned", "expanding", "backfilling", "validating", "flag_ready", "done")]
    assert entered == sorted(entered)
    until(lambda: scraper.wrong or scraper.watch.phases[-1:] == [("w", "done")], 20, "the end is not collected")
    watch = scraper.stop()
    assert watch.takes > 20 and {"backfilling", "held", "flag_ready", "done"} <= {now for _, now in watch.phases}, watch.phases
    web.close()
    again = serving(environment="test").ready()
    watch.take(read(again), process_anew=True)
    assert {key: value for key, value in values_of(again).items() if ("migration", "w") in key[1]} == \
        {key: value for key, value in done.items() if ("migration", "w") in key[1]}, "a restart changes nothing"


def test_locks_and_errors(rows, serving, stoa):
    db = rows(2000)
    web = serving().ready()
    with db.connect() as holder, Watching(web):
        holder.autocommit = False
        holder.execute("LOCK TABLE t IN ACCESS SHARE MODE")
        stoa("apply", SQL, "--name", "w", *FILL, "--lock-wait", "2s", code=5)
        until(lambda: total(values_of(web), "stoa_lock_attempts_total", migration="w", result="timeout") > 5, 10, "no attempt is told")
        until(lambda: total(values_of(web), "stoa_errors_total", migration="w", component="change") == 1, 10, "the error is not told")
        holder.rollback()
        stoa("apply", SQL, "--name", "w2", *FILL)
        values = until_told(web, "w2", "flag_ready")
        assert total(values, "stoa_lock_attempts_total", migration="w2", result="acquired") > 0
        until_told(web, "w", "aborted")  # nothing had been changed


class Watching:
    def __init__(self, web):
        self.scraper = Scraper(web)

    def __enter__(self):
        return self.scraper.watch

    def __exit__(self, kind, *rest):
        if kind is None:
            self.scraper.stop()


def test_a_verification_that_fails(rows, serving, stoa):
    db = rows(3000)
    web = serving().ready()
    db.run("INSERT INTO t VALUES (5001, 7), (5002, 7)")
    stoa("apply", "ALTER TABLE t ADD CONSTRAINT u CHECK (v < 2990)", "--name", "c", "--yes", code=6)
    until(lambda: total(values_of(web), "stoa_verification_violations", migration="c") > 0, 10, "no violation is told")


def test_hostile_names(db, serving, stoa):
    name = HOSTILE.replace('"', '""')
    db.run(f'CREATE TABLE "{name}" (id int PRIMARY KEY, v int); INSERT INTO "{name}" SELECT i, i FROM generate_series(1, 3000) i')
    web = serving(environment=HOSTILE).ready()
    stoa("apply", f'ALTER TABLE "{name}" ADD COLUMN "{name}" int NOT NULL DEFAULT floor(random() * 9)::int', "--name", "h", "--yes")
    db.run(f"ALTER TABLE stoa.changes DISABLE TRIGGER USER; UPDATE stoa.changes SET name = {quoted(HOSTILE)}, throttled_by = {quoted(HOSTILE)}")
    wanted = {"migration": HOSTILE, "environment": HOSTILE, "engine": "postgresql"}
    until(lambda: any(labels.get("migration") == HOSTILE for labels in labels_of(values_of(web), "stoa_migration_info")), 10,
          "the change is not told")
    for is_open in (False, True):
        values = samples(families(read(web, is_open), is_open))
        assert phase(values, HOSTILE) == "done"
        info = labels_of(values, "stoa_migration_info")[0]
        assert wanted.items() <= info.items() and info["table"] == f'public."{name}"', info
        steps = {labels["table"] for labels in labels_of(values, "stoa_step_duration_seconds") if "table" in labels}
        assert steps == {info["table"]}
    db.run("UPDATE stoa.changes SET name = repeat('x', 3000) || chr(1) || chr(127)")
    until(lambda: len(labels_of(values_of(web), "stoa_migration_info")[0]["migration"]) == 3002, 10, "the long name is not told")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def test_http_requests_are_counted(serving):
    web = serving().ready()
    for path, code in (("/healthz", 200), ("/nothing", 404), ("/api/v1/changes/nobody", 404), ("/api/v1/changes/x%22%0Ay", 404)):
        assert web.ask(path)[0] == code
    values = values_of(web)
    assert one(values, "stoa_http_requests_total", route="/healthz", method="GET", code="200") == 1
    assert one(values, "stoa_http_requests_total", route="none", code="404") == 1
    assert one(values, "stoa_http_requests_total", route="/api/v1/changes/*", method="GET", code="404") == 2, "the pattern, not the path"
    assert one(values, "stoa_http_request_duration_seconds_count", route="/api/v1/changes/*", method="GET") == 2
    assert one(values_of(web), "stoa_http_requests_total", route="/metrics", code="200") >= 1
    assert web.ask("/metrics", "HEAD")[0] == 200 and web.ask("/metrics", "POST")[0] == 405


def test_while_the_database_is_gone(home, version, stoa):
    server = Server(home, version)
    with server.connect() as conn:
        conn.execute("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    stoa("apply", SQL, "--name", "w", *FILL, url=url)
    web = Serving(url).ready()
    before = until_told(web, "w", "flag_ready")
    server.stop()
    until(lambda: total(values_of(web), "stoa_errors_total", component="serve", code="look") > 0, 20, "no failed look is told")
    after = values_of(web)
    loop = "stoa_last_successful_loop_timestamp_seconds"
    assert {key for key in before if ("migration", "w") in key[1]} == {key for key in after if ("migration", "w") in key[1]}
    last = one(after, loop, loop="journal")
    until(lambda: total(values_of(web), "stoa_errors_total", component="serve") > 2, 20, "failed looks do not add up")
    assert abs(one(values_of(web), loop, loop="journal") - last) < 0.01, "it stands still"
    web.close()
    server.start()


def test_textfile(rows, serving, stoa, tmp_path):
    rows(20000)
    folder = tmp_path / "collector"
    folder.mkdir()
    path = folder / "stoa.prom"
    stoa("apply", SQL, "--name", "w", *FILL, "--textfile", path)
    values = samples(families(path.read_text()))
    assert phase(values, "w") == "flag_ready", "how it ended"
    agree_with_status(values, json.loads(stoa("status", "w", "--json").out)["changes"][0])
    assert not any(name.startswith("stoa_http") for name, _ in values) and os.listdir(folder) == ["stoa.prom"]
    web = serving("--textfile", path)
    first = path.stat().st_ino
    until(lambda: path.stat().st_ino != first, 20, "it is not written again")
    for _ in range(200):
        families(path.read_text())  # never half of it
    stoa("complete", "w", "--force", "--yes")
    until(lambda: phase(samples(families(path.read_text())), "w") == "done", 20, "the file does not follow")
    web.close(signal.SIGTERM)
    assert os.listdir(folder) == ["stoa.prom"] and path.stat().st_mode & 0o777 == 0o644
    unwritable = serving("--textfile", tmp_path / "none" / "stoa.prom").ready()
    until(lambda: "cannot write" in "".join(unwritable.said), 20, "it does not say that the file cannot be written")
    assert unwritable.get("/healthz")["status"] == "ok"


def test_every_metric_told_is_in_the_table(rows, serving, stoa):
    rows(5000)
    web = serving().ready()
    stoa("apply", SQL, "--name", "w", *FILL)
    until_told(web, "w", "flag_ready")
    known = table()
    kinds = {"INFO": "gauge", "COUNTER": "counter", "GAUGE": "gauge", "HISTOGRAM": "histogram"}
    for name, family in families(read(web)).items():
        full = name + ("_total" if family.type == "counter" else "")
        assert kinds[known[full]] == family.type, name
        assert family.documentation
    for name, family in families(read(web, True), True).items():
        full = name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        assert known[full].lower() == family.type, name


def test_changes_of_one_name(rows, serving, stoa):
    rows(3000)
    web = serving().ready()
    watch = Watch()
    stoa("apply", SQL, "--name", "w", *FILL, "--until", "backfill")
    until_told(web, "w", "held")
    watch.take(read(web))
    stoa("abort", "w", "--yes")
    values = until_told(web, "w", "aborted")
    watch.take(read(web))
    assert one(values, "stoa_backfill_rows_updated_total", migration="w") == 3000, "what was done stays counted"
    stoa("apply", SQL, "--name", "w", *FILL)
    until_told(web, "w", "flag_ready")  # samples() fails where one comes twice

"""Partitioned tables: every change of the whole is carried out partition by partition, under writers whose rows
move from one to another."""
import signal

import psycopg
import pytest

from test.lib.tree import MAX_STALL_MS, PARTITIONS, Stalls, busy, events, leaves, stopped  # noqa: F401
from test.lib.writers import Writers, assert_equal

CENTS = ["--backfill", "events.cents = (amount * 100)::bigint"]


def plan(stoa, *args):
    return stoa("plan", *args, "--json").json


def invalid(db):
    return db.rows("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)")


def test_not_null_column_with_backfill(db, stoa, busy):
    with Stalls(db, busy):
        stoa.apply("ALTER TABLE events ADD COLUMN cents bigint NOT NULL", *CENTS, "--max-stall", f"{MAX_STALL_MS}ms")
    busy.stop()
    assert_equal(db, "events", "cents", "(amount * 100)::bigint")
    checks = [valid for text, valid in db.constraints("events").values() if "cents IS NOT NULL" in text]
    assert db.columns("events")["cents"][1] or checks == [True]
    for leaf in leaves(db):
        assert db.columns(leaf)["cents"][0] == "bigint"
    stoa("complete", "events-cents", "--force", "--yes")
    assert db.triggers("events") == [] and db.triggers("events_2a") == []
    assert db.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'sync_%%' AND pronamespace = 'stoa'::regnamespace") == 0


def test_steps_of_the_plan(db, stoa):
    events(db)
    steps = plan(stoa, "ALTER TABLE events ADD COLUMN cents bigint NOT NULL", *CENTS)["steps"]
    expand = [step for step in steps if step["phase"] == "expand"]
    assert len(expand) == 1 and len(expand[0]["lock_on"]) == PARTITIONS + 3, expand
    filled = [f"{step['table']['schema']}.{step['table']['name']}" for step in steps if step["kind"] == "backfill"]
    assert sorted(filled) == sorted(f"public.{leaf}" for leaf in leaves(db))
    strong = [step for step in steps if step["lock"] == "ACCESS EXCLUSIVE"]
    assert not any(step["scans"] for step in strong) or db.version < 12
    assert {lease for lease in plan(stoa, "ALTER TABLE events_3 ADD CHECK (id > 0)")["tables"]} == {"public.events"}


def test_partition_made_meanwhile(db, stoa, busy):
    """The nightly job goes on: what comes as a partition after the plan has the trigger, and is verified."""
    running = stopped(stoa, "wave_after_commit", "ALTER TABLE events ADD COLUMN cents bigint NOT NULL", *CENTS)
    db.run("CREATE TABLE events_new PARTITION OF events FOR VALUES FROM (1000) TO (1020);"
           "INSERT INTO events (id, day, shop_id, amount) VALUES (-1, 1000, 1, 5)")
    db.run("INSERT INTO twin VALUES (-1, 1000, 1, 5)")
    running.signal(signal.SIGCONT)
    if db.version < 13:  # a partition gets no triggers of its parent there
        result = running.wait(4)
        assert "events_new" in result.err and "abort" in result.err, str(result)
        stoa("abort", "events-cents", "--yes")
        return
    running.wait(0)
    assert db.value("SELECT cents FROM events WHERE id = -1") == 500
    assert_equal(db, "events", "cents", "(amount * 100)::bigint")


def test_partition_attached_meanwhile_with_rows(db, stoa, busy):
    running = stopped(stoa, "wave_after_commit", "ALTER TABLE events ADD COLUMN cents bigint NOT NULL", *CENTS)
    db.run("CREATE TABLE more (LIKE events); INSERT INTO more VALUES (-1, 1000, 1, 5); INSERT INTO twin VALUES (-1, 1000, 1, 5);"
           "ALTER TABLE events ATTACH PARTITION more FOR VALUES FROM (1000) TO (1020)")
    running.signal(signal.SIGCONT)
    result = running.wait(None)
    assert result.code in (4, 6) and '"more"' in result.err and "abort" in result.err, str(result)
    stoa("abort", "events-cents", "--yes")
    assert "cents" not in db.columns("more")


def test_defaults(db, stoa, busy):
    stoa.apply("ALTER TABLE events ADD COLUMN flag boolean NOT NULL DEFAULT false")
    stoa.apply("ALTER TABLE events ADD COLUMN dice double precision NOT NULL DEFAULT random()")
    stoa.apply("ALTER TABLE events ADD COLUMN number bigserial")
    busy.stop()
    stoa.apply("ALTER TABLE events ALTER note SET DEFAULT 'none'")
    assert db.value("SELECT count(*) FROM events WHERE flag IS NULL OR dice IS NULL OR number IS NULL") == 0
    assert db.value("SELECT count(*) - count(DISTINCT number) FROM events") == 0
    assert db.columns("events_2a")["note"][2] == "'none'::text"


@pytest.mark.parametrize("text", [
    "CREATE INDEX by_shop ON events (shop_id)",
    "CREATE UNIQUE INDEX by_id ON events (id, day)",
    "CREATE INDEX ON events (lower(note)) WHERE amount > 3",
])
def test_index(db, stoa, busy, text):
    if db.version < 11:
        assert "PostgreSQL 10 has no indexes" in stoa.apply(text, code=4).err
        return
    db.run(f"CREATE {'UNIQUE ' if 'UNIQUE' in text else ''}INDEX own ON events_3 {text.split('events ')[1]}")
    with Stalls(db, busy):
        stoa.apply(text, "--max-stall", f"{MAX_STALL_MS}ms")
    assert invalid(db) == []
    count = db.value("SELECT count(*) FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE relkind IN ('i', 'I')")
    assert count == PARTITIONS + 2, "each partition's is attached, the one that was there as well"
    assert db.value("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'own'::regclass") == 1
    assert plan(stoa, text, "--name", "again")["nothing_to_do"] is True


def test_drop_index(db, stoa, busy):
    if db.version < 11:
        return
    before = db.fingerprint()
    stoa.apply("CREATE INDEX by_shop ON events (shop_id)")
    refused = stoa.apply("DROP INDEX events_3_shop_id_idx", code=4)
    assert "by_shop" in refused.err
    stoa.apply("DROP INDEX by_shop")
    assert db.fingerprint() == before


@pytest.mark.parametrize("text", [
    "ALTER TABLE events ADD CONSTRAINT k UNIQUE (id, day)",
    "ALTER TABLE events ADD CONSTRAINT k PRIMARY KEY (day, id)",
    "ALTER TABLE events ADD CONSTRAINT k FOREIGN KEY (shop_id) REFERENCES shops",
    "ALTER TABLE events ADD CONSTRAINT k CHECK (amount > -1)",
])
def test_constraint(db, stoa, busy, text):
    if db.version < 11 and "CHECK" not in text:
        assert "PostgreSQL 10 has no indexes" in stoa.apply(text, code=4).err
        return
    with Stalls(db, busy):
        stoa.apply(text, "--max-stall", f"{MAX_STALL_MS}ms")
    assert db.constraints("events")["k"][1] is True
    of_leaves = db.rows("SELECT c.conrelid::regclass::text FROM pg_constraint c WHERE c.contype = (SELECT contype FROM "
                        "pg_constraint WHERE conname = 'k' AND conrelid = 'events'::regclass) AND c.convalidated AND c.coninhcount > 0")
    assert set(leaves(db)) <= {name for (name,) in of_leaves}
    assert invalid(db) == []
    assert plan(stoa, text, "--name", "again")["nothing_to_do"] is True


def test_rows_that_break_it_are_found_first(db, stoa):
    events(db)
    db.run("INSERT INTO events VALUES (17, 17, 99, 1, 'orphan and twice')")
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE events ADD CONSTRAINT k CHECK (shop_id < 50)", code=6)
    assert "17" in result.err, str(result)
    if db.version >= 11:
        assert "99" in stoa.apply("ALTER TABLE events ADD FOREIGN KEY (shop_id) REFERENCES shops", code=6).err
        assert "17" in stoa.apply("CREATE UNIQUE INDEX ON events (id, day)", code=6).err
        refused = stoa.apply("CREATE UNIQUE INDEX ON events (id)", code=4)
        assert '"day"' in refused.err and "partition key" in refused.err
    assert db.fingerprint() == before


def test_foreign_key_to_a_partitioned_table(db, stoa, busy):
    if db.version < 12:
        return
    stoa.apply("ALTER TABLE events ADD CONSTRAINT k UNIQUE (id, day)")
    db.run("CREATE TABLE parts (event bigint, day int); INSERT INTO parts VALUES (NULL, NULL)")
    stoa.apply("ALTER TABLE parts ADD CONSTRAINT f FOREIGN KEY (event, day) REFERENCES events (id, day)")
    assert db.constraints("parts")["f"][1] is True
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.run("INSERT INTO parts VALUES (-5, 1)")


@pytest.mark.crash
@pytest.mark.parametrize("text, args", [
    ("ALTER TABLE events ADD COLUMN cents bigint NOT NULL", CENTS),
    ("CREATE UNIQUE INDEX by_id ON events (id, day)", []),
    ("ALTER TABLE events ADD CONSTRAINT k PRIMARY KEY (day, id)", []),
    ("ALTER TABLE events ADD CONSTRAINT k FOREIGN KEY (shop_id) REFERENCES shops", []),
    ("ALTER TABLE events ADD CONSTRAINT k CHECK (amount > -1)", []),
], ids=["column", "index", "key", "foreign", "check"])
def test_abort_from_anywhere(db, stoa, busy, text, args):
    """Stopped after a few steps, in the midst and shortly before the end; the catalog is as it was."""
    if db.version < 11 and "COLUMN" not in text and "CHECK" not in text:
        return
    before = db.fingerprint()
    count = len([step for step in plan(stoa, text, *args)["steps"] if step["phase"] not in ("ready", "contract")])
    for number, at in enumerate((count // 3, count // 2, count - 1)):
        running = stopped(stoa, f"step_outcome=pause:{at}", text, *args, "--name", f"try{number}")
        running.kill()
        stoa("abort", f"try{number}", "--yes")
        assert db.fingerprint() == before, f"after step {at} of {count}"


@pytest.mark.crash
@pytest.mark.parametrize("place", ["ddl_before_journal", "locked_after_commit", "wave_before_commit", "index_after",
                                   "validate_before_commit", "verify_before_journal", "step_intent"])
def test_killed_and_resumed(db, stoa, busy, place):
    text = ("ALTER TABLE events ADD COLUMN cents bigint NOT NULL;" +
            ("CREATE UNIQUE INDEX by_id ON events (id, day);"
             "ALTER TABLE events ADD FOREIGN KEY (shop_id) REFERENCES shops" if db.version >= 11 else ""))
    if place == "index_after" and db.version < 11:
        return
    for number in (2, 9):
        stoa.start("apply", text, *CENTS, "--name", "one", "--yes",
                   env={"STOA_FAILPOINT": f"{place}=kill:{number}"}).wait(None)
    result = stoa("apply", text, *CENTS, "--name", "one", "--yes", code=None)
    for _ in range(40):
        if result.code != 3:
            break
        result = stoa("apply", text, *CENTS, "--name", "one", "--yes", code=None)
    assert result.code == 0, str(result)
    busy.stop()
    assert_equal(db, "events", "cents", "(amount * 100)::bigint")
    assert invalid(db) == []


def test_lock_that_is_not_granted(db, stoa, busy):
    """One transaction holds one of twenty partitions: it is named, and nobody else waits for it."""
    with db.connect(application_name="holder", autocommit=False) as holder:
        holder.execute("SELECT 1 FROM events_7 LIMIT 1")
        with Stalls(db, busy):
            result = stoa.apply("ALTER TABLE events ADD COLUMN x int", "--lock-wait", "3s", code=5)
        assert "holder" in result.err, str(result)
        holder.rollback()
    stoa.apply("ALTER TABLE events ADD COLUMN x int")


@pytest.mark.long
def test_two_hundred_partitions(db, stoa):
    db.run("CREATE TABLE wide (id bigint NOT NULL, day int NOT NULL) PARTITION BY RANGE (day);" + "".join(
        f"CREATE TABLE wide_{i} PARTITION OF wide FOR VALUES FROM ({i}) TO ({i + 1});" for i in range(200)))
    db.run("INSERT INTO wide SELECT i, i % 200 FROM generate_series(1, 2000) i")
    with Writers(db, "wide", ["INSERT INTO {t} VALUES (%(new)s, %(m)s %% 200)"]) as writers:
        # The locks end with a commit that is as long as 200 tables make it.
        with Stalls(db, writers, 1000):
            stoa.apply("ALTER TABLE wide ADD COLUMN note text DEFAULT 'n'", "--max-stall", "750ms")
            stoa.apply("ALTER TABLE wide ADD CONSTRAINT k CHECK (id > 0) NOT VALID", "--max-stall", "750ms")
    assert db.columns("wide_199")["note"][2] == "'n'::text"


@pytest.mark.parametrize("text, words", [
    ("ALTER TABLE events_3 ADD COLUMN x int", "change the parent"),
    ("ALTER TABLE ONLY events ADD COLUMN x int", "leave ONLY out"),
    ("ALTER TABLE events SET (fillfactor = 80)", "each partition"),
    ("CREATE INDEX ON ONLY events (id)", "leave ONLY out"),
])
def test_refused_with_the_way(db, stoa, text, words):
    if db.version < 11 and "CREATE INDEX" in text:
        return
    events(db, 100)
    before = db.fingerprint()
    assert words in stoa.apply(text, code=4).err
    assert db.fingerprint() == before


def test_one_partition_as_a_table(db, stoa, busy):
    stoa.apply("CREATE INDEX one ON events_3 (shop_id);"
               "ALTER TABLE events_3 ADD CONSTRAINT c CHECK (amount > -5);"
               "ALTER TABLE events_3 ALTER note SET DEFAULT 'three';"
               "ALTER TABLE events_3 SET (fillfactor = 80)")
    assert db.constraints("events_3")["c"][1] is True and db.columns("events_4")["note"][2] is None


def test_foreign_table_and_inheritance(db, admin_stoa):
    events(db, 10)
    db.admin.execute("CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
                     "CREATE FOREIGN TABLE far PARTITION OF events FOR VALUES FROM (5000) TO (5001) SERVER files "
                     "OPTIONS (filename '/dev/null'); CREATE TABLE old (a int); CREATE TABLE young () INHERITS (old)")
    assert '"public.far"' in admin_stoa.apply("ALTER TABLE events ADD COLUMN x int", code=4).err
    assert "inheritance" in admin_stoa.apply("ALTER TABLE old ADD COLUMN x int", code=4).err
    assert "inherits" in admin_stoa.apply("ALTER TABLE young ADD COLUMN x int", code=4).err
    admin_stoa.apply("CREATE INDEX i ON old (a)")
    admin_stoa.apply("CREATE INDEX j ON young (a)")

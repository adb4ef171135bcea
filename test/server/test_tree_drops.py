"""What is taken away from a partitioned table goes from all partitions, and comes back partition by partition."""
import psycopg
import pytest

from test.lib.servers import until
from test.lib.tree import MAX_STALL_MS, ROWS, Stalls, busy, events, leaves, writes  # noqa: F401
from test.lib.writers import Writers, assert_twin, make_twin

CONSTRAINTS = {
    "check": "ADD CONSTRAINT c CHECK (amount > -1)",
    "unique": "ADD CONSTRAINT c UNIQUE (id, day) DEFERRABLE",
    "primary key": "ADD CONSTRAINT c PRIMARY KEY (day, id)",
    "foreign key": "ADD CONSTRAINT c FOREIGN KEY (shop_id) REFERENCES shops ON DELETE CASCADE",
}
DROP = "ALTER TABLE events DROP CONSTRAINT c"


def add(db, kind):
    """Names of their own in one partition: they must come back as well. False: the server has none."""
    if db.version < 11 and kind != "check":
        return False
    own = {"unique": "ADD CONSTRAINT mine UNIQUE (id, day) DEFERRABLE", "primary key": "ADD CONSTRAINT mine PRIMARY KEY (day, id)",
           "foreign key": "ADD CONSTRAINT mine FOREIGN KEY (shop_id) REFERENCES shops ON DELETE CASCADE"}.get(kind)
    if own:
        db.run(f"ALTER TABLE events_3 {own}")
    db.run(f"ALTER TABLE events {CONSTRAINTS[kind]}")
    return True


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_constraint_goes_and_comes_back(db, stoa, busy, kind):
    if not add(db, kind):
        return
    with Stalls(db, busy):
        before = db.fingerprint()
        stoa.apply(DROP, "--name", "drop", "--until", "constrain", "--max-stall", f"{MAX_STALL_MS}ms")
        assert all("c" not in db.constraints(table) and "mine" not in db.constraints(table)
                   for table in ["events", "events_2", *leaves(db)])
        stoa("abort", "drop", "--yes")
        assert db.fingerprint() == before
    stoa.apply(DROP, "--name", "again")
    assert "c" not in db.constraints("events") and "mine" not in db.constraints("events_3")
    assert stoa.status("again")["state"] == "completed"


@pytest.mark.crash
@pytest.mark.parametrize("kind, point", [
    ("check", "undo_between=kill:9"), ("unique", "undo_between=kill:30"), ("unique", "index_after=kill:3"),
    ("primary key", "undo_between=kill:50"), ("foreign key", "locked_after_commit=kill:10"),
    ("foreign key", "undo_before_journal=kill:1")])
def test_way_back_goes_on_after_a_kill(db, stoa, busy, kind, point):
    if not add(db, kind):
        return
    before = db.fingerprint()
    stoa.apply(DROP, "--name", "drop", "--until", "constrain")
    result = stoa("abort", "drop", "--yes", env={"STOA_FAILPOINT": point}, code=None)
    assert result.code == -9, str(result)
    until(lambda: stoa("abort", "drop", "--yes", code=None).code == 0, 30, "the end of it")
    assert db.fingerprint() == before


def test_locks_of_the_plan(db, stoa, busy):
    if not add(db, "foreign key"):
        return
    (drop, _ready) = stoa("plan", DROP, "--json").json["steps"]
    assert drop["lock"] == "ACCESS EXCLUSIVE" and not drop["scans"] and "public.shops" in drop["lock_on"]
    assert len(drop["lock_on"]) == len(leaves(db)) + 3, drop["lock_on"]


def test_foreign_key_to_itself_says_that_it_does_not_come_back(db, stoa):
    if db.version < 12:
        return
    db.run("CREATE TABLE tree (id int, up int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);"
           "CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1); INSERT INTO tree VALUES (1, NULL, 1);"
           "ALTER TABLE tree ADD CONSTRAINT c FOREIGN KEY (up, part) REFERENCES tree (id, part)")
    told = stoa("plan", "ALTER TABLE tree DROP CONSTRAINT c", "--json").json
    assert "no-way-back" in [risk["id"] for risk in told["risks"]], told["risks"]
    stoa.apply("ALTER TABLE tree DROP CONSTRAINT c")
    assert "c" not in db.constraints("tree")


def test_primary_key_gives_way_to_another(db, stoa, busy):
    if not add(db, "primary key"):
        return
    stoa.apply(DROP + "; ALTER TABLE events ADD CONSTRAINT k PRIMARY KEY (id, day)")
    assert set(db.constraints("events")) == {"k"}
    assert db.constraints("events")["k"] == ("PRIMARY KEY (id, day)", True)


# ---- columns

DROP_NOTE = "ALTER TABLE events DROP COLUMN note"


@pytest.fixture
def leaner(db):
    """The application that does without the column, all the time; its twin has none."""
    events(db)
    db.run("UPDATE events SET note = coalesce(note, ''); ALTER TABLE events ALTER note SET NOT NULL;"
           "ALTER TABLE events ALTER note SET DEFAULT 'n'; CREATE INDEX own_note ON events_3 (lower(note))")
    if db.version >= 11:
        db.run("CREATE INDEX by_note ON events (note); ALTER TABLE events ADD CONSTRAINT k UNIQUE (id, day)")
    make_twin(db, "events", "twin")
    db.run("CREATE INDEX ON twin (id); ALTER TABLE twin DROP COLUMN note")
    with Writers(db, "events", [text for text in writes(db) if "note" not in text], ROWS, twin="twin",
                 tolerate=(psycopg.errors.SerializationFailure,)) as writers:
        yield writers
    assert_twin(db, "events", "twin")


def test_column_goes_with_its_indexes(db, stoa, leaner):
    with Stalls(db, leaner):
        stoa.apply(DROP_NOTE, "--name", "drop", "--max-stall", f"{MAX_STALL_MS}ms")
        stoa("complete", "drop", "--yes", "--force")
    assert not any("note" in db.columns(table) for table in ["events", "events_2", *leaves(db)])
    titles = {step["title"]: step for step in stoa.status("drop")["steps"] if step["phase"] == "contract"}
    assert titles["drop index own_note"]["kind"] == "drop_index"
    if db.version >= 11:
        assert titles["drop index by_note of all partitions"]["kind"] == "ddl"
        assert "events_2a_id_day_key" in db.constraints("events_2a")


def test_what_a_partition_alone_asks_of_the_column(db, stoa):
    events(db)
    db.run("UPDATE events SET note = coalesce(note, ''); ALTER TABLE events_5 ALTER note SET NOT NULL;"
           "ALTER TABLE events_6 ADD CONSTRAINT given CHECK (note IS NOT NULL)")
    before = db.fingerprint()
    stoa.apply(DROP_NOTE, "--name", "drop")
    db.run("INSERT INTO events (id, day, shop_id, amount) VALUES (-1, 101, 1, 1), (-2, 121, 1, 1);"
           "DELETE FROM events WHERE id < 0")
    stoa("abort", "drop", "--yes", "--force")
    assert db.fingerprint() == before
    with pytest.raises(psycopg.errors.NotNullViolation):
        db.run("INSERT INTO events (id, day, shop_id, amount) VALUES (-1, 101, 1, 1)")


@pytest.mark.parametrize("stage", ["constrain", "ready"])
def test_abort_brings_not_null_back(db, stoa, leaner, stage):
    db.run("ALTER TABLE events_4 ALTER note DROP DEFAULT")
    before = db.fingerprint()
    stoa.apply(DROP_NOTE, "--name", "drop", *(["--until", "constrain"] if stage == "constrain" else []))
    assert not any(db.columns(table)["note"][1] for table in ["events", *leaves(db)])
    stoa("abort", "drop", "--yes", "--force")
    after = db.fingerprint()
    if db.version >= 18:  # an attached partition's own name of it becomes the parent's
        before, after = ([line for line in lines if "not_null" not in line[1]] for lines in (before, after))
    assert after == before
    assert all(db.columns(table)["note"][1] for table in ["events", *leaves(db)])


def test_statement_that_names_a_partition_is_a_use(db, stoa):
    events(db, 100)
    db.admin.execute("CREATE EXTENSION pg_stat_statements")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    stoa.apply(DROP_NOTE, "--name", "drop")
    db.run("SELECT count(note) FROM events_7")
    result = stoa("complete", "drop", "--yes", "--quiet", "0s", code=4)
    assert "events_7" in result.err and "still used" in result.err, str(result)
    stoa("complete", "drop", "--yes", "--quiet", "0s")
    assert "note" not in db.columns("events_7")


@pytest.mark.crash
@pytest.mark.parametrize("point", ["ddl_before_journal=kill:1", "locked_after_commit=kill:2", "step_outcome=kill:2"])
def test_complete_killed_goes_on(db, stoa, leaner, point):
    stoa.apply(DROP_NOTE, "--name", "drop")
    result = stoa("complete", "drop", "--yes", "--force", env={"STOA_FAILPOINT": point}, code=None)
    assert result.code == -9 or db.version < 11, str(result)
    until(lambda: stoa("complete", "drop", "--yes", "--force", code=None).code == 0, 30, "the end of it")
    assert "note" not in db.columns("events")


def test_partition_key_is_refused(db, stoa):
    events(db, 10)
    db.run("CREATE TABLE odd (id int, word text, n int) PARTITION BY RANGE ((lower(word)));"
           "CREATE TABLE odd_1 PARTITION OF odd FOR VALUES FROM ('a') TO ('z') PARTITION BY RANGE (n)")
    for text, by in (("events DROP COLUMN day", "RANGE (day)"), ("odd DROP COLUMN word", "RANGE (lower(word))"),
                     ("odd DROP COLUMN n", '"public.odd_1" is partitioned by RANGE (n)')):
        result = stoa.apply(f"ALTER TABLE {text}", code=4)
        assert by in result.err and "hint:" in result.err, str(result)
    stoa.apply("ALTER TABLE odd DROP COLUMN id", "--name", "id")
    stoa("complete", "id", "--yes", "--force")


def test_what_stands_on_a_partition_is_named(db, stoa):
    events(db, 10)
    db.run("CREATE VIEW v AS SELECT note FROM events_3")
    before = db.fingerprint()
    result = stoa.apply(DROP_NOTE, code=4)
    assert "view public.v" in result.err and "DROP VIEW public.v" in result.err, str(result)
    assert db.fingerprint() == before
    stoa.apply(f"DROP VIEW v; {DROP_NOTE}", "--name", "both")
    stoa("complete", "both", "--yes", "--force")
    assert "note" not in db.columns("events_3")


# ---- tables

def test_table_goes_partition_by_partition(db, stoa):
    """Many partitions, no lock of all of them; what is detached meanwhile stays."""
    events(db, 400, default=db.version >= 11)
    db.run("CREATE TABLE notes (id int PRIMARY KEY); INSERT INTO notes VALUES (1)")
    if db.version >= 11:
        db.run("ALTER TABLE events ADD FOREIGN KEY (shop_id) REFERENCES shops")
    db.run("ALTER TABLE events_4 ADD CONSTRAINT own FOREIGN KEY (shop_id) REFERENCES shops")
    with Writers(db, "shops", ["UPDATE {t} SET id = id WHERE id = 200 + %(n)s", "INSERT INTO {t} VALUES (%(new)s)"]) as writers:
        with Stalls(db, writers):
            stoa.apply("DROP TABLE events", "--name", "drop", "--max-stall", f"{MAX_STALL_MS}ms")
            assert db.value("SELECT count(*) FROM events") == 400, "nothing goes before complete"
            db.run("ALTER TABLE events DETACH PARTITION events_3")
            stoa("complete", "drop", "--yes", "--force")
    assert db.value("SELECT to_regclass('events') IS NULL AND to_regclass('events_7') IS NULL")
    assert db.value("SELECT count(*) FROM events_3") == 20
    steps = [step for step in stoa.status("drop")["steps"] if step["phase"] == "contract"]
    assert [step["title"] for step in steps if step["title"] == "drop foreign key own"]
    assert steps[-1]["title"] == "drop table public.events"


def test_table_in_use_through_a_partition_stays(db, stoa):
    events(db, 400)
    stoa.apply("DROP TABLE events", "--name", "drop")
    assert "no use of public.events was seen, but for" in stoa("complete", "drop", "--yes", "--quiet", "1h", code=4).err
    conn = db.connect()
    conn.execute("SELECT count(*) FROM events_2b WHERE amount > 5")
    conn.close()
    until(lambda: "still used" in stoa("complete", "drop", "--yes", "--quiet", "1h", code=4).err, 10, "the counters to arrive")
    assert db.value("SELECT count(*) FROM events") == 400


@pytest.mark.crash
@pytest.mark.parametrize("point", ["locked_after_commit=kill:5", "ddl_before_journal=kill:22"])
def test_drop_of_a_table_killed_goes_on(db, stoa, point):
    events(db, 400)
    stoa.apply("DROP TABLE events", "--name", "drop")
    result = stoa("complete", "drop", "--yes", "--force", env={"STOA_FAILPOINT": point}, code=None)
    assert result.code == -9, str(result)
    until(lambda: stoa("complete", "drop", "--yes", "--force", code=None).code == 0, 30, "the end of it")
    assert db.value("SELECT count(*) FROM pg_class WHERE relname ~ '^events' AND relnamespace = 'public'::regnamespace") == 0


def test_view_on_a_partition_keeps_the_table(db, stoa):
    events(db, 10)
    db.run("CREATE VIEW v AS SELECT note FROM events_3")
    result = stoa.apply("DROP TABLE events", code=4)
    assert "view public.v" in result.err, str(result)


def test_partition_that_is_partitioned_is_changed_through_its_parent(db, stoa):
    events(db, 10)
    for text, words in (("ALTER TABLE events_2 DROP COLUMN note", "change the parent"), ("DROP TABLE events_2", "detach it first")):
        assert words in stoa.apply(text, code=4).err

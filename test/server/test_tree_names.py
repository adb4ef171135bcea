"""A partitioned table, or a column of it, under another name: both usable until complete, with both applications
writing and rows that move from one partition to another."""
import psycopg
import pytest

from test.lib.servers import until
from test.lib.tree import MAX_STALL_MS, ROWS, Stalls, events, leaves, writes
from test.lib.writers import Writers, assert_equal, assert_twin, make_twin

SERIAL = (psycopg.errors.SerializationFailure,)


def twin(db):
    make_twin(db, "events", "twin")
    db.run("CREATE INDEX ON twin (id)")


def writing(db, table, statements, number):
    return Writers(db, table, statements, ROWS, twin="twin", threads=1, first=number, tolerate=SERIAL)


# ---- the table

@pytest.mark.parametrize("text, new", [("RENAME TO happenings", "happenings"), ("SET SCHEMA shop", "shop.events")])
def test_both_names_of_the_table(db, stoa, text, new):
    events(db)
    db.run("CREATE SCHEMA shop; COMMENT ON TABLE events IS 'all of them'")
    if db.version >= 11:
        db.run("CREATE INDEX by_id ON events (id)")
    twin(db)
    before = db.fingerprint()
    stoa.apply(f"ALTER TABLE events {text}", "--accept-view", "--name", "first")
    stoa("revert", "first", "--yes")
    assert db.fingerprint() == before
    with writing(db, "events", writes(db), 1) as old:
        with Stalls(db, old):
            stoa.apply(f"ALTER TABLE events {text}", "--accept-view", "--name", "name", "--max-stall", f"{MAX_STALL_MS}ms")
        with writing(db, new, writes(db), 2) as fresh:
            done = old.done
            until(lambda: old.done > done + 50 and fresh.done > 50, 20, "writes under both names")
            assert "public.events" in stoa("complete", "name", "--yes", "--quiet", "0s", code=4).err
            old.stop()
            with Stalls(db, fresh):
                stoa("complete", "name", "--yes", "--force", "--max-stall", f"{MAX_STALL_MS}ms")
    assert db.value("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", [new]) == "p"
    assert db.value("SELECT to_regclass('public.events')") is None
    assert db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(%s)", [new]) == 20
    assert_twin(db, new, "twin")


def test_name_of_a_partition_is_no_use_of_its_parents(db, stoa):
    events(db, 100)
    db.admin.execute("CREATE EXTENSION pg_stat_statements")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    stoa.apply("ALTER TABLE events RENAME TO happenings", "--accept-view", "--name", "name")
    db.run("SELECT count(*) FROM events_7")
    stoa("complete", "name", "--yes", "--quiet", "0s")
    assert db.value("SELECT count(*) FROM happenings") == 100


def test_table_at_once_locks_no_partition(db, stoa):
    events(db, 100)
    with db.connect(application_name="holder", autocommit=False) as holder:
        holder.execute("SELECT 1 FROM events_7 LIMIT 1")
        stoa.apply("ALTER TABLE events RENAME TO happenings", "--accept-rename")
        holder.rollback()
    assert db.value("SELECT count(*) FROM happenings") == 100


# ---- columns

RENAME = "ALTER TABLE events RENAME COLUMN note TO remark"


def named(db, column):
    """What the application does, by one name of the column; the twin has the old one."""
    pairs = [(text.replace("note", column), text) for text in writes(db)]
    insert = "INSERT INTO {t} (id, day, shop_id, amount, note) VALUES (%(new)s, %(n)s %% 400, 3, 1, 'n' || %(m)s)"
    return pairs + [(insert.replace("note", column), insert)]


@pytest.fixture
def indexed(db):
    events(db)
    db.run("CREATE INDEX own ON events_3 (lower(note))")
    if db.version >= 11:
        db.run("CREATE INDEX by_note ON events (note) WHERE amount > 3")
    twin(db)


def test_both_names_of_a_column(db, stoa, indexed):
    before = db.fingerprint()
    with writing(db, "events", named(db, "note"), 1) as old:
        with Stalls(db, old):
            stoa.apply(RENAME, "--name", "name", "--max-stall", f"{MAX_STALL_MS}ms")
        with writing(db, "events", named(db, "remark"), 2) as fresh:
            done = old.done
            until(lambda: old.done > done + 50 and fresh.done > 50, 20, "writes under both names")
            assert_equal(db, "events", "remark", "note")
            assert db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
            if db.version >= 11:
                assert db.value("SELECT count(*) FROM pg_index WHERE pg_get_indexdef(indexrelid) ~ 'remark'") == 24
            old.stop()
            with Stalls(db, fresh):
                stoa("complete", "name", "--yes", "--force", "--max-stall", f"{MAX_STALL_MS}ms")
    db.run("DROP TABLE IF EXISTS calm; ALTER TABLE events RENAME COLUMN remark TO note")
    assert db.fingerprint() == before, "places, indexes and grants of the column are as they were"
    assert_twin(db, "events", "twin")


@pytest.mark.parametrize("verb, args", [("abort", ["--force"]), ("revert", [])])
def test_way_back_of_a_column(db, stoa, indexed, verb, args):
    before = db.fingerprint()
    with writing(db, "events", named(db, "note"), 1):
        stoa.apply(RENAME, "--name", "name")
        with writing(db, "events", named(db, "remark"), 2) as fresh:
            until(lambda: fresh.done > 50, 20, "writes under the new name")
        stoa(verb, "name", "--yes", *args)
    assert db.fingerprint() == before
    assert_twin(db, "events", "twin")


@pytest.mark.crash
@pytest.mark.parametrize("point", ["index_after=kill:4", "wave_before_commit=kill:9", "ddl_before_journal=kill:1",
                                   "locked_after_commit=kill:3"])
def test_column_killed_and_resumed(db, stoa, indexed, point):
    with writing(db, "events", named(db, "note"), 1):
        result = stoa.start("apply", RENAME, "--name", "name", "--yes", env={"STOA_FAILPOINT": point}).wait(None)
        assert result.code == -9 or db.version < 11, str(result)
        until(lambda: stoa("apply", RENAME, "--name", "name", "--yes", code=None).code == 0, 60, "the end of it")
        assert_equal(db, "events", "remark", "note")
    stoa("complete", "name", "--yes", "--force")
    assert all("remark" in db.columns(leaf) and "note" not in db.columns(leaf) for leaf in leaves(db))


def test_column_of_the_partition_key(db, stoa):
    events(db, 100)
    result = stoa.apply("ALTER TABLE events RENAME COLUMN day TO date", code=4)
    assert "partitioned by RANGE (day)" in result.err and "--accept-rename" in result.err, str(result)
    stoa.apply("ALTER TABLE events RENAME COLUMN day TO date", "--accept-rename")
    assert "date" in db.columns("events_2b")

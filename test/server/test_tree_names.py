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

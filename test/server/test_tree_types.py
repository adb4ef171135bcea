"""Another type for a column of a partitioned table, under writers whose rows move from one partition to another."""
import psycopg
import pytest

from test.lib.servers import until
from test.lib.tree import MAX_STALL_MS, ROWS, Stalls, events, leaves, writes
from test.lib.writers import Writers, assert_twin, make_twin

WIDER = "ALTER TABLE events ALTER amount TYPE numeric(14,2)"
BIGGER = "ALTER TABLE events ALTER shop_id TYPE bigint"


@pytest.fixture
def busy(db):
    """The twin has the rows as they were: numbers of any type are compared."""
    events(db)
    make_twin(db, "events", "twin")
    db.run("CREATE INDEX ON twin (id)")
    texts = writes(db) + ["UPDATE {t} SET shop_id = %(m)s %% 10 WHERE id = %(n)s"]
    with Writers(db, "events", texts, ROWS, twin="twin", tolerate=(psycopg.errors.SerializationFailure,)) as writers:
        yield writers
    assert_twin(db, "events", "twin")


def types(db, column):
    return {db.columns(table)[column][0] for table in ["events", "events_2", *leaves(db)]}


def files(db):
    return db.rows("SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relname ~ '^events' AND relkind IN ('r', 'i') "
                   "AND relnamespace = 'public'::regnamespace ORDER BY 1")


def test_same_bytes_at_once(db, stoa, busy):
    db.run("ALTER TABLE events ADD CONSTRAINT c CHECK (amount > -5); CREATE INDEX own ON events_3 (amount);"
           "CREATE VIEW v AS SELECT amount FROM events")
    before = files(db)
    with Stalls(db, busy):
        stoa.apply(WIDER, "--max-stall", f"{MAX_STALL_MS}ms")
    assert types(db, "amount") == {"numeric(14,2)"} and files(db) == before, "nothing was rewritten"
    assert all(db.constraints(leaf)["c"][1] for leaf in ["events", *leaves(db)])


def test_other_bytes_through_a_second_column(db, stoa, busy):
    db.run("ALTER TABLE events ADD CONSTRAINT c CHECK (shop_id > -5); CREATE VIEW v AS SELECT shop_id FROM events;"
           "COMMENT ON COLUMN events.shop_id IS 'whose'; ALTER TABLE events ALTER shop_id SET DEFAULT 4")
    with Stalls(db, busy):
        stoa.apply(BIGGER, "--name", "type", "--accept-column-order", "--max-stall", f"{MAX_STALL_MS}ms")
        assert types(db, "shop_id") == {"bigint"}
        stoa("complete", "type", "--yes", "--force", "--max-stall", f"{MAX_STALL_MS}ms")
    assert all(list(db.columns(leaf)) != [] and not any("stoa" in name for name in db.columns(leaf)) for leaf in leaves(db))
    assert {db.columns(table)["shop_id"][1:] for table in ["events", *leaves(db)]} == {(True, "4")}
    assert all(db.constraints(leaf)["c"][1] for leaf in ["events", *leaves(db)])
    assert db.value("SELECT col_description('events'::regclass, attnum) FROM pg_attribute WHERE attrelid = "
                    "'events'::regclass AND attname = 'shop_id'") == "whose"
    assert db.triggers("events") == [] and db.triggers("events_2a") == []


@pytest.mark.parametrize("verb", ["abort", "revert"])
def test_way_back(db, stoa, busy, verb):
    db.run("ALTER TABLE events ADD CONSTRAINT c CHECK (shop_id > -5)")
    before = db.fingerprint()
    stoa.apply(BIGGER, "--name", "type", "--accept-column-order", *(["--until", "constrain"] if verb == "abort" else []))
    done = busy.done
    until(lambda: busy.done > done + 50, 20, "writes in between")
    told = stoa(verb, "type", "--yes", code=None)
    if verb == "revert" and db.version < 18:
        assert told.code == 4 and "NOT NULL stands on a CHECK" in told.err or told.code == 0, str(told)
    else:
        assert told.code == 0, str(told)
    if told.code == 0:
        after = db.fingerprint()
        if db.version >= 18:  # the proof of a NOT NULL in an attached partition gets the parent's name
            before, after = ([line for line in lines if "not_null" not in line[1]] for lines in (before, after))
        assert after == before


@pytest.mark.crash
@pytest.mark.parametrize("point", ["wave_before_commit=kill:9", "validate_before_commit=kill:5", "ddl_before_journal=kill:2",
                                   "ddl_before_journal=kill:4", "locked_after_commit=kill:4"])
def test_killed_and_resumed(db, stoa, busy, point):
    db.run("ALTER TABLE events ADD CONSTRAINT c CHECK (shop_id > -5)")
    args = ["apply", BIGGER, "--name", "type", "--accept-column-order", "--yes"]
    result = stoa.start(*args, env={"STOA_FAILPOINT": point}).wait(None)
    assert result.code == -9, str(result)
    until(lambda: stoa(*args, code=None).code == 0, 60, "the end of it")
    stoa("complete", "type", "--yes", "--force")
    assert types(db, "shop_id") == {"bigint"}


@pytest.mark.parametrize("make, text, words", [
    ("SELECT 1", "ALTER TABLE events ALTER day TYPE bigint", "partitioned by RANGE (day)"),
    ("CREATE INDEX by_shop ON events (shop_id)", BIGGER, "DROP INDEX public.by_shop;"),
    ("ALTER TABLE events ADD CONSTRAINT k UNIQUE (amount, day)", WIDER, "DROP CONSTRAINT k;"),
    ("ALTER TABLE events ADD CONSTRAINT f FOREIGN KEY (shop_id) REFERENCES shops", BIGGER, "DROP CONSTRAINT f;"),
    ("CREATE VIEW v AS SELECT shop_id FROM events_4", BIGGER, "view public.v"),
    ("CREATE INDEX own ON events_4 (shop_id)", BIGGER, "index own on public.events_4"),
    ("ALTER TABLE events_4 ALTER shop_id SET DEFAULT 3", BIGGER, "the default of it in public.events_4"),
    ("ALTER TABLE events_4 ALTER note SET NOT NULL", "ALTER TABLE events ALTER note TYPE jsonb USING to_jsonb(note)",
     "NOT NULL of it in public.events_4"),
])
def test_refused_with_the_way(db, stoa, make, text, words):
    if db.version < 11 and ("ON events (" in make or "UNIQUE" in make or "REFERENCES" in make):
        return
    events(db, 400)
    db.run(make)
    before = db.fingerprint()
    result = stoa.apply(text, "--accept-column-order", code=4)
    assert words in result.err and "hint:" in result.err and " yet" not in result.err, str(result)
    assert db.fingerprint() == before


def test_index_goes_before_and_comes_after(db, stoa, busy):
    """The way that the refusal names."""
    if db.version < 11:
        return
    db.run("CREATE INDEX by_shop ON events (shop_id)")
    stoa.apply("DROP INDEX by_shop")
    stoa.apply(BIGGER, "--name", "type", "--accept-column-order")
    stoa("complete", "type", "--yes", "--force")
    stoa.apply("CREATE INDEX by_shop ON events (shop_id)")
    assert types(db, "shop_id") == {"bigint"}
    assert db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0

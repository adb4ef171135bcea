"""RENAME COLUMN: the old and the new application at once, each with its own name, and the same rows."""
import psycopg
import pytest

from test.lib.writers import Writers

SHAPE = """
CREATE TABLE owners (id int PRIMARY KEY);
INSERT INTO owners SELECT generate_series(1, 100);
CREATE TABLE things (id serial PRIMARY KEY, owner int NOT NULL DEFAULT 1 CONSTRAINT of_owner REFERENCES owners
    ON UPDATE CASCADE ON DELETE CASCADE CHECK (owner > 0), title text DEFAULT 'none', mail text UNIQUE);
CREATE INDEX by_title ON things (lower(title), owner) WHERE title <> 'x';
CREATE VIEW titles AS SELECT id, title FROM things WHERE title LIKE 't%';
COMMENT ON COLUMN things.title IS 'what it is called';
INSERT INTO things (owner, title, mail) SELECT 1 + g % 100, 't' || g, 'm' || g FROM generate_series(1, 2000) g;
"""
NAME = "things-rename-title"
CHANGE = ("ALTER TABLE things RENAME COLUMN title TO name", "--accept-star", "--name", NAME)
OLD = ["UPDATE {t} SET title = 'old ' || %(m)s WHERE id = %(n)s", "UPDATE {t} SET title = NULL WHERE id = %(n)s",
       "INSERT INTO {t} (id, title) VALUES (%(new)s, 'old')", "INSERT INTO {t} VALUES (%(new)s, 3, 'by position')",
       "INSERT INTO {t} (id, owner) VALUES (%(new)s, 5)", "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 100000"]
NEW = [text.replace("title", "name").replace("%(new)s", "(%(new)s + 5000000)") for text in OLD]


def told(db):
    return {line for line in db.fingerprint() if "pg_attver" not in line[2]}


def same_in_both(db):
    with db.server.connect(db.name, autocommit=False) as conn:
        conn.execute("LOCK things IN SHARE MODE")
        wrong = conn.execute("SELECT id, title, name FROM things WHERE title IS DISTINCT FROM name LIMIT 5").fetchall()
        assert not wrong, f"the names differ: {wrong}"


@pytest.mark.parametrize("ending", ["complete", "revert"])
def test_both_names(db, stoa, ending):
    db.run(SHAPE)
    before = db.rows("SELECT attnum, attname, attnotnull FROM pg_attribute WHERE attrelid = 'things'::regclass AND "
                     "attnum > 0")
    indexes = db.rows("SELECT indexrelid FROM pg_index WHERE indrelid = 'things'::regclass ORDER BY 1")
    with Writers(db, "things", OLD, 2000, threads=1) as old:
        stoa.apply(*CHANGE)
        with Writers(db, "things", NEW, 2000, threads=1) as new:
            for _ in range(5):
                same_in_both(db)
            if ending == "complete":
                old.stop()
            else:
                new.stop()
            stoa(ending, NAME, "--yes", *(["--force"] if ending == "complete" else []))
            (new if ending == "complete" else old).stop()
    name = "name" if ending == "complete" else "title"
    after = [(number, "title" if column == "name" else column, not_null) for number, column, not_null in db.rows(
        "SELECT attnum, attname, attnotnull FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0 "
        "AND NOT attisdropped")]
    assert after == before
    assert indexes == db.rows("SELECT indexrelid FROM pg_index WHERE indrelid = 'things'::regclass ORDER BY 1")
    assert name in db.value("SELECT pg_get_indexdef('by_title'::regclass)")
    assert db.value("SELECT count(*) FROM titles") > 0 and db.triggers("things") == []
    assert db.value("SELECT col_description('things'::regclass, 3)") == "what it is called"


def test_each_case_of_a_write(db, stoa):
    db.run(SHAPE)
    stoa.apply(*CHANGE)

    def row(id):
        return db.rows("SELECT title, name FROM things WHERE id = %s", [id])[0]

    db.run("INSERT INTO things (id, name) VALUES (90001, 'new'); INSERT INTO things (id, title) VALUES (90002, 'old'); "
           "INSERT INTO things (id) VALUES (90003); INSERT INTO things VALUES (90004, 2, 'place')")
    assert [row(90001), row(90002), row(90003), row(90004)] == [("new",) * 2, ("old",) * 2, ("none",) * 2, ("place",) * 2]
    db.run("UPDATE things SET name = NULL WHERE id = 90001; UPDATE things SET title = 'o' WHERE id = 90002; "
           "UPDATE things SET name = 'n' WHERE id = 90003; UPDATE things SET owner = 4 WHERE id = 90004")
    assert [row(90001), row(90002), row(90003), row(90004)] == [(None,) * 2, ("o",) * 2, ("n",) * 2, ("place",) * 2]


def test_key_with_a_sequence_and_foreign_keys(db, stoa):
    """A default that gives another value each time does not hide what was written under the new name."""
    db.run(SHAPE + "CREATE TABLE parts (thing int REFERENCES things ON UPDATE CASCADE); INSERT INTO parts VALUES (1)")
    stoa.apply("ALTER TABLE things RENAME COLUMN id TO thing_id", "--accept-star", "--name", "key")
    db.run("INSERT INTO things (thing_id, mail) VALUES (70000, 'a'); INSERT INTO things (id, mail) VALUES (70001, 'b'); "
           "INSERT INTO things (mail) VALUES ('c') ON CONFLICT (thing_id) DO NOTHING; "
           "UPDATE things SET thing_id = 70002 WHERE thing_id = 1")
    assert db.rows("SELECT id, thing_id FROM things WHERE mail IN ('a', 'b') ORDER BY 1") == [(70000, 70000), (70001, 70001)]
    assert db.value("SELECT count(*) FROM things WHERE id IS DISTINCT FROM thing_id") == 0
    assert db.value("SELECT thing FROM parts") == 70002
    with pytest.raises(psycopg.errors.NotNullViolation):
        db.run("UPDATE things SET thing_id = NULL WHERE id = 2")
    stoa("complete", "key", "--yes", "--force")
    assert db.value("SELECT pg_get_serial_sequence('things', 'thing_id')") == "public.things_id_seq"
    assert list(db.columns("things")) == ["thing_id", "owner", "title", "mail"]


def test_at_once(db, stoa):
    db.run("CREATE TABLE things (id int, title text)")
    plan = stoa("plan", CHANGE[0], "--json").json
    assert [step["kind"] for step in plan["steps"]] == ["ddl", "ready"]
    db.run("INSERT INTO things VALUES (1, 'x')")
    assert len(stoa("plan", CHANGE[0], "--json").json["steps"]) > 5
    stoa.apply(CHANGE[0], "--accept-rename")
    assert list(db.columns("things")) == ["id", "name"]


def test_abort_leaves_nothing(db, stoa):
    db.run(SHAPE)
    before = told(db)
    stoa("apply", *CHANGE, "--yes", env={"STOA_FAILPOINT": "step_outcome=kill:5"}, code=None)
    stoa("abort", NAME, "--yes")
    assert told(db) ^ before == set()

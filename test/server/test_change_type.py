"""ALTER COLUMN TYPE: at once where the server need not look at a row, else by a new column that takes the old one's
place, with all that hangs on it."""
import re

import psycopg
import pytest

from test.lib.writers import Writers, assert_equal

ORDER = "--accept-column-order"

TABLE = """
CREATE TABLE items (id int PRIMARY KEY, code varchar(10), price numeric(8,2) NOT NULL DEFAULT 1.5, n int,
    seen timestamp(3), net cidr, bits bit varying(4), label text COLLATE "C", at date);
INSERT INTO items SELECT g, 'c' || g, g % 100, g, '2026-01-01', '10.0.0.0/8', B'101', 'l' || g, '2026-01-01'
    FROM generate_series(1, 2000) g;
"""


def told(db):
    """The catalog without what differs by nature: numbers of objects, and a mark that 15.20 keeps (pg_attver)."""
    return {(kind, re.sub(r"\d+", "N", name) if kind == "comment" else name,
             re.sub(r"\{?pg_attver=\d+\}?", "", text)) for kind, name, text in db.fingerprint()}


def apply(stoa, column, type_, *args, **options):
    return stoa.apply(f"ALTER TABLE items ALTER COLUMN {column} TYPE {type_}", *args, **options)


def type_of(db, column, table="items"):
    return db.columns(table)[column][0]


@pytest.mark.parametrize("column, type_, expected", [
    ("code", "varchar(20)", "character varying(20)"),
    ("code", "text", "text"),
    ("code", "varchar", "character varying"),
    ("price", "numeric(12,2)", "numeric(12,2)"),
    ("price", "numeric", "numeric"),
    ("seen", "timestamp(6)", "timestamp(6) without time zone"),
    ("net", "inet", "inet"),
    ("bits", "bit varying(8)", "bit varying(8)"),
])
def test_free(db, admin_stoa, column, type_, expected):
    """No row is looked at: by rule, on the copy, and on the table itself, whose storage stays."""
    db.run(TABLE + f"CREATE INDEX i ON items ({column})")
    storage = db.value("SELECT pg_relation_filenode('items')"), db.value("SELECT pg_relation_filenode('i')")
    plan = admin_stoa("plan", f"ALTER TABLE items ALTER COLUMN {column} TYPE {type_}", "--probe", "on", "--json").json
    steps = [step for step in plan["steps"] if step["kind"] != "ready"]
    assert [step["kind"] for step in steps] == ["ddl"]
    assert steps[0]["evidence"] == "measured" and not steps[0]["rewrites"] and not steps[0]["scans"]
    apply(admin_stoa, column, type_, "--probe", "on")
    assert type_of(db, column) == expected
    assert storage == (db.value("SELECT pg_relation_filenode('items')"), db.value("SELECT pg_relation_filenode('i')"))


def test_free_but_for_what_hangs_on_it(db, admin_stoa):
    """A check, foreign keys both ways, a view, a trigger and a policy are made again around it: nothing is scanned
    under the strong lock, and all is as it was."""
    db.run(TABLE + """
        CREATE TABLE codes (code varchar(10) PRIMARY KEY);
        INSERT INTO codes SELECT DISTINCT code FROM items;
        ALTER TABLE items ADD CONSTRAINT of_code FOREIGN KEY (code) REFERENCES codes ON UPDATE CASCADE,
            ADD CONSTRAINT short CHECK (length(code) < 8);
        COMMENT ON CONSTRAINT short ON items IS 'why';
        CREATE VIEW coded AS SELECT id, code FROM items WHERE code > 'a';
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
        CREATE TRIGGER touched BEFORE UPDATE OF code ON items FOR EACH ROW WHEN (new.code IS NOT NULL)
            EXECUTE PROCEDURE touch();
        CREATE POLICY own_rows ON items FOR SELECT USING (code <> 'x');""")
    before = told(db)
    with Writers(db, "items", ["UPDATE {t} SET code = 'c' || (%(m)s %% 2000 + 1) WHERE id = %(n)s"], 2000):
        apply(admin_stoa, "code", "varchar(30)", "--probe", "on")
    assert type_of(db, "code") == "character varying(30)"
    changed = before ^ told(db)
    assert {name for _, name, _ in changed} == {"items.code", "coded.code"}, changed
    assert all(valid for _, valid in db.constraints("items").values())


@pytest.mark.parametrize("index", ["(lower(code))", "(id) WHERE code > 'b'"])
def test_dear_index_takes_the_long_way(db, stoa, index):
    db.run(TABLE + f"CREATE INDEX i ON items {index}")
    apply(stoa, "code", "varchar(30)", ORDER)
    assert "code" in db.value("SELECT pg_get_indexdef('i'::regclass)")
    assert db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass")
    assert_equal(db, "items", "code", "'c' || id")


def test_needs_a_word_for_the_order(db, stoa):
    db.run(TABLE)
    refused = apply(stoa, "n", "bigint", code=4)
    assert "--accept-column-order" in refused.err
    apply(stoa, "at", "timestamp")  # the last column stays the last one
    assert list(db.columns("items"))[-1] == "at"


def test_values_that_do_not_fit_are_named(db, stoa):
    db.run(TABLE + "UPDATE items SET code = 'x17' WHERE id = 17; UPDATE items SET code = id WHERE id <> 17")
    refused = apply(stoa, "code", "int USING code::int", ORDER, code=6)
    assert "17" in refused.err and "x17" in refused.err
    assert list(db.columns("items")) == ["id", "code", "price", "n", "seen", "net", "bits", "label", "at"]
    db.run("UPDATE items SET code = 17 WHERE id = 17")
    apply(stoa, "code", "int USING code::int", ORDER)
    assert_equal(db, "items", "code", "id")


def test_time_zone_must_be_said(db, stoa):
    db.run(TABLE)
    refused = apply(stoa, "seen", "timestamptz", ORDER, code=4)
    assert "AT TIME ZONE" in refused.err
    apply(stoa, "seen", "timestamptz USING seen AT TIME ZONE 'Europe/Berlin'", ORDER)
    assert_equal(db, "items", "seen", "'2026-01-01 00:00+01'::timestamptz")


def test_using_and_no_way_back(db, stoa):
    """Prices in cents: whoever writes by position in the old shape is understood, too; back there is none."""
    db.run(TABLE)
    with Writers(db, "items", ["UPDATE {t} SET n = %(m)s WHERE id = %(n)s",
                               "INSERT INTO {t} (id, code) VALUES (%(new)s, 'x')"], 2000) as writers:
        apply(stoa, "price", "bigint USING (price * 100)::bigint", ORDER, "--name", "cents")
        writers.stop()
    assert db.value("SELECT count(*) FROM items WHERE id <= 2000 AND price <> id % 100 * 100") == 0
    db.run("INSERT INTO items VALUES (7000000, 'p', 12.34, 1)")
    assert db.value("SELECT price FROM items WHERE id = 7000000") == 1234
    assert "no way back" in stoa("revert", "cents", "--yes", code=4).err
    stoa("complete", "cents", "--yes", "--force")
    assert type_of(db, "price") == "bigint" and db.columns("items")["price"][1]


@pytest.mark.parametrize("column, type_, held, lost", [
    ("n", "numeric(12,2)", "7", "7.25"),
    ("n", "text", "'7'", "'07'"),
    ("at", "timestamp", "'2026-03-01'", "'2026-03-01 12:00'"),
    ("price", "float", "8.25", "8.255"),
])
def test_what_the_old_type_only_nearly_holds_is_a_loss(db, stoa, column, type_, held, lost):
    """A rounded value fails no write, and a revert would lose it: it is refused with the row's key from then on."""
    db.run(TABLE)
    apply(stoa, column, type_, ORDER, "--name", "wider")
    db.run(f"INSERT INTO items (id, {column}) VALUES (8000, {held}); UPDATE items SET {column} = {held} WHERE id = 5")
    assert db.value("SELECT count(*) FROM stoa.sync_broken") == 0
    db.run(f"UPDATE items SET {column} = {lost} WHERE id = 77")
    assert db.value(f"SELECT {column} = {lost} FROM items WHERE id = 77")
    refused = stoa("revert", "wider", "--yes", code=4)
    assert "cannot hold the value exactly" in refused.err and "77" in refused.err
    stoa("complete", "wider", "--yes", "--force")


def test_refused_with_its_reason(db, stoa):
    db.run(TABLE + "CREATE MATERIALIZED VIEW heap AS SELECT n FROM items")
    assert "materialized view public.heap" in apply(stoa, "n", "bigint", ORDER, code=4).err
    db.run("DROP MATERIALIZED VIEW heap; ALTER TABLE items ADD EXCLUDE USING gist (net inet_ops WITH &&) WHERE (id < 0)")
    assert "constraint" in apply(stoa, "net", "text", ORDER, code=4).err
    with pytest.raises(psycopg.Error):
        db.run("ALTER TABLE items ALTER COLUMN n TYPE uuid")
    assert "cannot cast" in apply(stoa, "n", "uuid", ORDER, code=2).err


ALL_OF_IT = TABLE + """
ALTER TABLE items ADD COLUMN gid int GENERATED BY DEFAULT AS IDENTITY (START WITH 5 INCREMENT BY 5);
ALTER TABLE items ADD CONSTRAINT positive CHECK (gid > 0 AND n > 0), ADD CONSTRAINT later UNIQUE (gid, n) DEFERRABLE,
    ADD CONSTRAINT old CHECK (gid < 1000000000) NOT VALID;
CREATE INDEX busy ON items USING btree (n DESC NULLS LAST, gid) WITH (fillfactor = 70);
CREATE INDEX sums ON items ((gid + n)) WHERE gid IS NOT NULL;
CREATE STATISTICS together ON gid, n FROM items;
COMMENT ON COLUMN items.gid IS 'the group'; COMMENT ON INDEX busy IS 'used'; COMMENT ON CONSTRAINT positive ON items IS 'p';
COMMENT ON SEQUENCE items_gid_seq IS 'counts';
ALTER TABLE items ALTER gid SET STATISTICS 300, ALTER gid SET (n_distinct = -0.5);
CREATE VIEW first WITH (security_barrier) AS SELECT id, gid FROM items;
CREATE VIEW second AS SELECT f.gid + 1 AS next, i.n FROM first f JOIN items i USING (id);
COMMENT ON VIEW second IS 'over first';
ALTER VIEW first ALTER COLUMN gid SET DEFAULT 9;
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.label := coalesce(new.label, '''') ||
    (new.gid + 1); RETURN new; END';
CREATE TRIGGER counting BEFORE INSERT OR UPDATE OF gid ON items FOR EACH ROW WHEN (new.gid > 1) EXECUTE PROCEDURE count_up();
CREATE TRIGGER through INSTEAD OF INSERT ON first FOR EACH ROW EXECUTE PROCEDURE count_up();
CREATE POLICY groups ON items FOR UPDATE USING (gid > 0) WITH CHECK (gid > 1);
ALTER TABLE items CLUSTER ON busy;
"""
WRITES = ["UPDATE {t} SET n = %(m)s WHERE id = %(n)s", "UPDATE {t} SET gid = gid + 1 WHERE id = %(n)s",
          "INSERT INTO {t} (id, n) VALUES (%(new)s, 3)", "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 100000"]


def carried(db):
    return {(kind, name, text.replace("bigint", "integer")) for kind, name, text in told(db)
            if kind != "column" and "stoa" not in name}


@pytest.mark.parametrize("ending", ["complete", "revert"])
def test_all_that_hangs_on_it(db, stoa, ending):
    reader = db.role("reader")
    db.run(ALL_OF_IT + f"GRANT SELECT ON second TO {reader}; GRANT SELECT (gid), UPDATE (gid) ON items TO {reader}; "
           f"GRANT USAGE ON SEQUENCE items_gid_seq TO {reader}")
    before = carried(db)
    with Writers(db, "items", WRITES, 2000) as writers:
        apply(stoa, "gid", "bigint", ORDER, "--name", "wide")
        assert type_of(db, "gid") == "bigint"
        with db.server.connect(db.name, autocommit=False) as conn:
            conn.execute("LOCK items IN SHARE MODE")
            assert conn.execute("SELECT count(*) FROM items WHERE gid IS DISTINCT FROM _stoa_gid").fetchone() == (0,)
        stoa(ending, "wide", "--yes", *(["--force"] if ending == "complete" else []))
        writers.stop()
    assert type_of(db, "gid") == ("bigint" if ending == "complete" else "integer")
    assert before ^ carried(db) == set()
    assert db.value("SELECT relacl::text FROM pg_class WHERE relname = 'second'").count(reader) == 1
    assert db.value("SELECT attacl::text FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'gid'") == \
        f"{{{reader}=rw/{db.owner}}}"
    assert db.value("SELECT attidentity FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'gid'") == "d"
    new = db.value("INSERT INTO items (id, n) VALUES (8000000, 4) RETURNING gid")
    assert new % 5 == 0 and new > db.value("SELECT 5 * 2000")

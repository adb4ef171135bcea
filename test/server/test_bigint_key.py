"""int to bigint of a primary key with its sequence and the foreign keys that point to it, while applications write by
name, by position and by COPY."""
import re
import signal

import psycopg
import pytest

from test.lib.servers import until
from test.lib.writers import Writers

ROWS = 1500
# a busy machine, and several tables at once
CHANGE = ("ALTER TABLE customers ALTER COLUMN id TYPE bigint", "--accept-column-order", "--accept-star", "--max-stall", "1s")
NAME = "customers-id-type-bigint"

# A serial key; a table that refers to it and to itself; one whose own key is a foreign key; one that refers to that.
# The same again under other names, where nothing changes: what the application meant.
SHAPE = """
CREATE TABLE {p}customers (id serial PRIMARY KEY, name text, boss int CONSTRAINT {p}boss REFERENCES {p}customers
    ON DELETE SET NULL);
CREATE TABLE {p}orders (id int PRIMARY KEY, customer int NOT NULL CONSTRAINT {p}of REFERENCES {p}customers
    ON DELETE CASCADE ON UPDATE CASCADE, amount int CHECK (amount >= 0));
CREATE INDEX {p}by_customer ON {p}orders (customer){include} WHERE amount > 0;
CREATE TABLE {p}profiles (customer int PRIMARY KEY CONSTRAINT {p}profile REFERENCES {p}customers
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, note text);
CREATE TABLE {p}pictures (profile int CONSTRAINT {p}picture REFERENCES {p}profiles ON DELETE CASCADE, data text);
INSERT INTO {p}customers SELECT g, 'c' || g, nullif(g % 50, 0) FROM generate_series(1, {n}) g;
INSERT INTO {p}orders SELECT g, 1 + g % {n}, g % 100 FROM generate_series(1, {n}) g;
INSERT INTO {p}profiles SELECT g, 'p' FROM generate_series(1, {n} / 2) g;
INSERT INTO {p}pictures SELECT g, 'x' FROM generate_series(1, {n} / 2) g;
SELECT setval('{p}customers_id_seq', 100000000);
"""
TABLES = {"customers": "id, name, boss", "orders": "id, customer, amount", "profiles": "customer, note",
          "pictures": "profile, data"}
# Each runs on the tables and, in the same transaction, on those that stay as they are. They read nothing that another
# writer may have changed in between.
def writes(rows):
    return [
        "INSERT INTO {t}customers (id, name, boss) VALUES (%(new)s, 'named', %(n)s %% 40 + 1)",
        "INSERT INTO {t}customers VALUES (%(new)s, 'by position', 7)",
        "INSERT INTO {t}orders VALUES (%(new)s, %(n)s %% 100 + 1, 5)",
        "INSERT INTO {t}pictures VALUES (%(n)s %% 100 + 1, 'by position')",
        "UPDATE {t}customers SET name = 'u' || %(m)s, boss = 3 WHERE id = %(n)s",
        "UPDATE {t}orders SET customer = %(m)s %% 100 + 1 WHERE id = %(n)s",
        f"UPDATE {{t}}customers SET id = %(new)s WHERE id = %(n)s + {rows} / 2",
        "DELETE FROM {t}customers WHERE id = %(n)s AND id > 100 AND %(m)s < 300000",
    ]


def make(db, prefix, rows=ROWS):
    db.run(SHAPE.format(p=prefix, n=rows, include=" INCLUDE (amount)" if db.version >= 11 else ""))


@pytest.fixture
def busy(db):
    make(db, "")
    make(db, "twin_")
    db.run("ANALYZE")
    with Writers(db, "", writes(ROWS), ROWS, twin="twin_", tolerate=(psycopg.errors.DeadlockDetected,)) as writers:
        yield writers


def same(db):
    for table, columns in TABLES.items():
        for one, other in ((table, "twin_" + table), ("twin_" + table, table)):
            extra = db.rows(f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other} LIMIT 5")
            assert not extra, f"rows in {one} that are not in {other}: {extra}"
        assert db.value(f"SELECT count(*) FROM {table}") > 0


def shape(db):
    """Everything of the tables, without the order of columns and what a bigint is."""
    found = set()
    for kind, name, text in db.fingerprint():
        if "twin_" in name or kind == "function":
            continue
        if kind == "column":
            # 15.20 keeps a mark of its own, pg_attver, among a column's options
            text = re.sub(r"^\d+ |\{?pg_attver=\d+\}?", "", text).replace("bigint", "integer")
        found.add((kind, name, text))
    return found


def write_what_int_could_not_hold(db):
    """While the old places are still there; it fails nobody."""
    db.run("INSERT INTO customers (id, name) VALUES (3000000001, 'big'); INSERT INTO orders (id, customer, amount) "
           "VALUES (90000001, 3000000001, 1); UPDATE customers SET boss = 3000000001 WHERE id = 3000000001; "
           "DELETE FROM customers WHERE id = 3000000001")
    assert db.value("SELECT count(*) FROM orders WHERE id = 90000001") == 0
    db.run("SELECT setval('customers_id_seq', 2147483647)")
    # who writes by position takes a number as well
    assert 2147483648 <= db.value("INSERT INTO customers (name) VALUES ('next') RETURNING id") < 2147484648
    db.run("DELETE FROM customers WHERE name = 'next'")


def assert_all_bigint(db):
    types = {table: db.columns(table) for table in TABLES}
    assert [types["customers"]["id"][0], types["customers"]["boss"][0], types["orders"]["customer"][0],
            types["profiles"]["customer"][0], types["pictures"]["profile"][0]] == ["bigint"] * 5
    assert types["orders"]["id"][0] == "integer", "nobody asked for that one"


def test_key_with_all_that_refers_to_it(db, stoa, busy):
    before = shape(db)
    stoa.apply(*CHANGE, seconds=3000)
    assert_all_bigint(db)
    busy.mark()
    write_what_int_could_not_hold(db)
    busy.stop()
    same(db)
    refused = stoa("revert", NAME, "--yes", code=4)
    assert "broken" in refused.err and "3000000001" in refused.err, "int does not hold what was written"
    stoa("complete", NAME, "--yes", "--force", "--max-stall", "1s")
    same(db)
    after = shape(db)
    assert before ^ after == set()
    assert all(valid for _, valid in db.constraints("orders").values())


def test_and_back_again(db, stoa, busy):
    before = shape(db)
    stoa.apply(*CHANGE, seconds=3000)
    stoa("revert", NAME, "--yes", "--max-stall", "1s", seconds=3000)
    busy.stop()
    same(db)
    assert before ^ shape(db) == set()
    assert db.columns("customers")["id"][0] == "integer"


def fails(db, text):
    with pytest.raises(psycopg.Error) as problem:
        db.run(text)
    return str(problem.value)


def write_by_position(db, start):
    """A row written by position, and by COPY with names, is there as it was meant."""
    with db.server.connect(db.name, db.owner) as conn:
        conn.execute("INSERT INTO customers VALUES (%s, 'pos', 3)", [start])
        assert conn.execute("SELECT id, boss FROM customers WHERE name = 'pos'").fetchall() == [(start, 3)]
        conn.execute("UPDATE customers SET id = %s WHERE id = %s", [start + 1, start])
        assert conn.execute("SELECT id, boss FROM customers WHERE name = 'pos'").fetchall() == [(start + 1, 3)]
        with conn.cursor().copy("COPY customers (id, name, boss) FROM STDIN") as copy:
            copy.write_row((start + 2, "copied", None))
        assert conn.execute("SELECT id, boss FROM customers WHERE name = 'copied'").fetchall() == [(start + 2, None)]
        conn.execute("DELETE FROM customers WHERE name IN ('pos', 'copied')")


def copy_by_position(db, start):
    with db.server.connect(db.name, db.owner) as conn:
        with conn.cursor().copy("COPY customers FROM STDIN") as copy:
            copy.write_row((start, "all", None))


def test_positions_before_during_and_after(db, stoa):
    make(db, "")
    write_by_position(db, 5_000_000)
    copy_by_position(db, 5_000_010)
    running = stoa.start("apply", *CHANGE, "--yes", env={"STOA_FAILPOINT": "wave_after_commit=pause:1"})
    until(lambda: running.is_stopped)
    write_by_position(db, 6_000_000)
    with pytest.raises(psycopg.errors.BadCopyFileFormat):
        copy_by_position(db, 6_000_010)  # the hidden column is missing in the data: refused aloud
    running.signal(signal.SIGCONT)
    running.wait()
    write_by_position(db, 7_000_000)
    with pytest.raises(psycopg.errors.BadCopyFileFormat):
        copy_by_position(db, 7_000_010)
    assert "out of range" in fails(db, "INSERT INTO customers VALUES (3000000000, 'pos', 3)")
    # who writes by position is known, and waited for
    refused = stoa("complete", NAME, "--yes", "--quiet", "1s", code=4)
    assert '"_stoa_' in refused.err
    stoa("complete", NAME, "--yes", "--force", "--max-stall", "1s")
    assert list(db.columns("customers")) == ["name", "id", "boss"]
    assert "invalid input syntax" in fails(db, "INSERT INTO customers VALUES (8000000, 'pos', 3)")

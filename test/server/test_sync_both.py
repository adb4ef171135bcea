"""Both sides of a change are written: the truth table of the sync trigger, row by row, and live writers of both shapes."""
import psycopg
import pytest

from test.lib.servers import until
from test.lib.writers import Writers

SPLIT = ["ALTER TABLE people ADD COLUMN first text, ADD COLUMN last text",
         "--backfill", "people.first = split_part(name, ' ', 1)",
         "--backfill", "people.last = split_part(name, ' ', 2)",
         "--reverse", "people.name = first || ' ' || last", "--name", "split", "--yes"]
MERGE = ["ALTER TABLE people ADD COLUMN name text NOT NULL",
         "--backfill", "people.name = first || ' ' || last",
         "--reverse", "people.first = split_part(name, ' ', 1)",
         "--reverse", "people.last = split_part(name, ' ', 2)", "--name", "merge", "--yes"]
CENTS = ["ALTER TABLE orders ADD COLUMN cents bigint NOT NULL", "--backfill", "orders.cents = amount * 100::bigint",
         "--reverse", "orders.amount = cents / 100", "--name", "cents", "--yes"]


class Rows:
    """One statement at a time on one row; what the row holds afterwards."""

    def __init__(self, db, table, columns):
        self.db, self.table, self.columns, self.id = db, table, columns, 100_000

    def row(self, id_=None):
        rows = self.db.rows(f"SELECT {self.columns} FROM {self.table} WHERE id = {id_ or self.id}")
        assert len(rows) == 1, rows
        return rows[0]

    def insert(self, columns, values):
        self.id += 1
        self.db.run(f"INSERT INTO {self.table} (id{', ' + columns if columns else ''}) "
                    f"VALUES ({self.id}{', ' + values if values else ''})")
        return self.row()

    def update(self, text):
        self.db.run(f"UPDATE {self.table} SET {text} WHERE id = {self.id}")
        return self.row()

    def copy(self, columns, *values):
        self.id += 1
        with self.db.server.connect(self.db.name, self.db.owner) as conn, conn.cursor() as cursor:
            with cursor.copy(f"COPY {self.table} (id, {columns}) FROM STDIN") as copy:
                copy.write_row((self.id, *values))
        return self.row()


def broken(db):
    return db.rows("SELECT column_name, key, sqlstate FROM stoa.sync_broken ORDER BY id")


@pytest.fixture
def people(db, stoa):
    db.run("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note text);"
           "INSERT INTO people SELECT i, 'a' || i || ' b' || i FROM generate_series(1, 300) i")
    return Rows(db, "people", "name, first, last")


def test_the_truth_table_of_a_split(db, stoa, people):
    stoa("apply", *SPLIT)
    # INSERT: the old application, the new one, both columns, one new column of two, neither
    assert people.insert("name", "'Ann Lee'") == ("Ann Lee", "Ann", "Lee")
    assert people.insert("first, last", "'Bo', 'Chu'") == ("Bo Chu", "Bo", "Chu")
    assert people.insert("name, first, last", "'X Y', 'P', 'Q'") == ("X Y", "P", "Q")
    assert people.insert("name, first", "'X Y', 'P'") == ("X Y", "P", "Y")
    assert people.copy("name", "Cy Dee") == ("Cy Dee", "Cy", "Dee")
    assert people.copy("first, last", "Ed", "Fox") == ("Ed Fox", "Ed", "Fox")
    # UPDATE: the old side, the new side, both, neither, the same value again
    assert people.update("name = 'Gus Hay'") == ("Gus Hay", "Gus", "Hay")
    assert people.update("last = 'Ivy'") == ("Gus Ivy", "Gus", "Ivy")
    assert people.update("name = 'J K', first = 'L', last = 'M'") == ("J K", "L", "M")
    assert people.update("name = 'N O', first = 'P'") == ("N O", "P", "O")
    assert people.update("note = 'x'") == ("N O", "P", "O")
    assert people.update("first = first, last = last") == ("N O", "P", "O")
    assert people.update("first = 'Q', last = 'R'") == ("Q R", "Q", "R")
    # what cannot be told back is lossy, and never comes back to the new side
    assert people.update("last = 'van der Berg'") == ("Q van der Berg", "Q", "van der Berg")
    assert people.update("note = 'y'") == ("Q van der Berg", "Q", "van der Berg")
    assert people.update("first = 'Mary Ann'") == ("Mary Ann van der Berg", "Mary Ann", "van der Berg")
    assert people.insert("first, last", "'Jo Ann', 'de Vries'") == ("Jo Ann de Vries", "Jo Ann", "de Vries")
    assert broken(db) == []


def test_upserts_and_merge_go_both_ways(db, stoa, people, version):
    stoa("apply", *SPLIT)
    upsert = "INSERT INTO people (id, {0}) VALUES (7, {1}) ON CONFLICT (id) DO UPDATE SET {2}"
    db.run(upsert.format("name", "'Ann Lee'", "name = excluded.name"))
    assert people.row(7) == ("Ann Lee", "Ann", "Lee")
    db.run(upsert.format("first, last", "'Bo', 'Chu'", "first = excluded.first, last = excluded.last"))
    assert people.row(7) == ("Bo Chu", "Bo", "Chu")
    db.run(upsert.format("name", "'Cy Dee'", "note = excluded.name"))
    assert people.row(7) == ("Bo Chu", "Bo", "Chu")
    if version >= 15:
        merge = ("MERGE INTO people p USING (SELECT {0}::int AS id, 'Ed' AS f, 'Fox' AS l) s ON p.id = s.id "
                 "WHEN MATCHED THEN UPDATE SET {1} WHEN NOT MATCHED THEN INSERT ({2}) VALUES ({3})")
        db.run(merge.format(8, "first = s.f", "id", "s.id"))
        assert people.row(8) == ("Ed b8", "Ed", "b8")
        db.run(merge.format(5001, "note = ''", "id, first, last", "s.id, s.f, s.l"))
        assert people.row(5001) == ("Ed Fox", "Ed", "Fox")
        db.run(merge.format(5002, "note = ''", "id, name", "s.id, s.f || ' ' || s.l"))
        assert people.row(5002) == ("Ed Fox", "Ed", "Fox")


def test_null_is_a_value_where_the_new_column_may_hold_it(db, stoa):
    db.run("CREATE TABLE people (id int PRIMARY KEY, name text, note text); INSERT INTO people VALUES (1, 'a b')")
    people = Rows(db, "people", "name, first, last")
    change = [text.replace("first || ' ' || last", "coalesce(first, '') || ' ' || coalesce(last, '')") for text in SPLIT]
    stoa("apply", *change)
    assert people.insert("last", "'Lee'") == (" Lee", None, "Lee")
    assert people.update("note = 'x'") == (" Lee", None, "Lee"), "an update of something else fills nothing"
    assert people.update("last = NULL, first = 'Ann'") == ("Ann ", "Ann", None)
    assert people.update("name = 'Bo Chu'") == ("Bo Chu", "Bo", "Chu")
    assert people.update("name = NULL") == (None, None, None)
    assert people.insert("", "") == (None, None, None)
    assert broken(db) == []


def test_the_truth_table_of_a_merge(db, stoa):
    db.run("CREATE TABLE people (id int PRIMARY KEY, first text NOT NULL, last text);"
           "INSERT INTO people SELECT i, 'a' || i, 'b' || i FROM generate_series(1, 300) i")
    people = Rows(db, "people", "first, last, name")
    stoa("apply", *MERGE)
    assert people.insert("first, last", "'Ann', 'Lee'") == ("Ann", "Lee", "Ann Lee")
    assert people.insert("name", "'Bo Chu'") == ("Bo", "Chu", "Bo Chu")
    assert people.insert("first, last, name", "'X', 'Y', 'P Q'") == ("X", "Y", "P Q")
    assert people.insert("first, name", "'X', 'P Q'") == ("X", "Q", "P Q")
    assert people.update("first = 'Cy'") == ("Cy", "Q", "Cy Q")
    assert people.update("name = 'Dee Ed'") == ("Dee", "Ed", "Dee Ed")
    assert people.update("name = 'Fox Gus', first = 'Hay'") == ("Hay", "Gus", "Fox Gus")
    assert people.update("first = 'I', last = 'J', name = 'K L'") == ("I", "J", "K L")
    assert people.update("name = NULL") == ("I", "J", "I J"), "NULL is no value of a NOT NULL column: it is filled"
    assert people.copy("name", "Jo Kay") == ("Jo", "Kay", "Jo Kay")
    assert broken(db) == []


def test_a_default_of_the_old_column_counts_as_not_written(db, stoa):
    db.run("CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL DEFAULT 5, at timestamptz DEFAULT now());"
           "INSERT INTO orders SELECT i, i FROM generate_series(1, 300) i")
    orders = Rows(db, "orders", "amount, cents")
    stoa("apply", *CENTS)
    assert orders.insert("amount", "7") == (7, 700)
    assert orders.insert("cents", "900") == (9, 900)
    assert orders.insert("amount, cents", "7, 900") == (7, 900)
    assert orders.insert("amount, cents", "5, 900") == (9, 900), "as if it had not been named"
    assert orders.insert("amount, cents", "5, 500") == (5, 500)
    assert orders.insert("", "") == (5, 500)
    assert orders.insert("amount", "DEFAULT") == (5, 500)
    assert orders.copy("cents", 1200) == (12, 1200)
    assert orders.update("amount = DEFAULT") == (5, 500)
    assert orders.update("cents = 800") == (8, 800)
    assert broken(db) == []
    stoa("complete", "cents", "--yes", "--force")
    assert db.columns("orders")["amount"][1] is False, "the new application need not write it"
    orders.insert("cents", "100")
    assert db.triggers("orders") == []


def test_a_default_that_depends_on_the_time_is_recognised(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1)")
    stoa("apply", "ALTER TABLE t ADD COLUMN day date", "--backfill", "t.day = (at AT TIME ZONE 'UTC')::date",
         "--reverse", "t.at = (day::timestamp AT TIME ZONE 'UTC')", "--yes")
    db.run("INSERT INTO t (id, day) VALUES (2, '2001-02-03'); INSERT INTO t (id, at) VALUES (3, '2002-03-04 12:00+00')")
    assert db.rows("SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24'), day::text FROM t WHERE id > 1 ORDER BY 1") == [
        (2, "2001-02-03 00", "2001-02-03"), (3, "2002-03-04 12", "2002-03-04")]


def test_what_the_old_column_cannot_hold_never_fails_a_write(db, stoa):
    db.run("CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL CHECK (amount < 1000000)); "
           "INSERT INTO orders SELECT i, i FROM generate_series(1, 300) i")
    orders = Rows(db, "orders", "amount, cents")
    stoa("apply", *CENTS)
    assert orders.insert("cents", "900") == (9, 900)
    assert stoa.status("cents")["broken"] == []
    assert orders.update(f"cents = {100 * 2**31}") == (9, 100 * 2**31), "beyond int: the old value stays"
    assert orders.update("cents = 100000000") == (9, 100000000), "refused by the old column's CHECK"
    assert orders.insert("cents", f"{100 * 2**31}") == (None, 100 * 2**31)
    assert orders.update("cents = 700") == (7, 700), "a way that is broken goes on where it can"
    assert broken(db) == [("amount", f"id={orders.id - 1}", "22003")], "noted once"
    (way,) = stoa.status("cents")["broken"]
    assert (way["table"], way["column"], way["count"]) == ("public.orders", "amount", 3)
    assert "the way back to public.orders.amount is broken" in stoa("status", "cents").out
    assert db.value("SELECT count(*) FROM stoa.events WHERE kind = 'back_broken'") == 1
    stoa("status", "cents")
    assert db.value("SELECT count(*) FROM stoa.events WHERE kind = 'back_broken'") == 1, "told once"
    stoa("complete", "cents", "--yes", "--force")


def test_an_expression_that_raises_never_fails_a_write(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, code varchar(3)); INSERT INTO t VALUES (1, 'abc');")
    stoa("apply", "ALTER TABLE t ADD COLUMN n int", "--backfill", "t.n = length(code)",
         "--reverse", "t.code = repeat('x', 6 / n)", "--yes")
    rows = Rows(db, "t", "code, n")
    assert rows.insert("n", "2") == ("xxx", 2)
    assert rows.insert("n", "0") == (None, 0)
    assert rows.update("n = 1") == (None, 1), "six letters do not fit three"
    assert rows.update("n = 3") == ("xx", 3)
    assert [row[2] for row in broken(db)] == ["22012"]
    # a write that is rolled back breaks nothing for good
    db.run("DELETE FROM stoa.sync_broken", user="postgres")
    with db.server.connect(db.name, db.owner, autocommit=False) as conn:
        conn.execute("UPDATE t SET n = 0 WHERE id = 1")
        conn.rollback()
    assert broken(db) == []


def test_the_backfill_does_not_go_back(db, stoa):
    db.run("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note text);"
           "INSERT INTO people SELECT i, 'a' || i || '  b' || i || ' c' FROM generate_series(1, 3000) i")
    before = db.rows("SELECT id, name FROM people ORDER BY id")
    stoa("apply", *SPLIT)
    assert db.rows("SELECT id, name FROM people ORDER BY id") == before
    assert db.value("SELECT count(*) FROM people WHERE first <> 'a' || id OR last <> ''") == 0


def test_rows_that_are_not_filled_yet_keep_what_they_have(db, stoa, people):
    stoa("apply", *SPLIT, "--until", "expand")
    people.id = 9
    assert people.row() == ("a9 b9", None, None)
    assert people.update("first = 'X'") == ("X b9", "X", "b9"), "the rest is filled before the way back reads it"
    people.id = 10
    assert people.update("note = 'x'") == ("a10 b10", "a10", "b10")
    stoa("resume", "split", code=None)
    assert people.row(9) == ("X b9", "X", "b9")
    assert broken(db) == []


def test_two_changes_on_one_column_stay_in_step(db, stoa):
    db.run("CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL); INSERT INTO orders SELECT i, i FROM generate_series(1, 50) i")
    stoa("apply", *CENTS)
    stoa("apply", "ALTER TABLE orders ADD COLUMN mills bigint NOT NULL", "--backfill", "orders.mills = amount * 1000::bigint",
         "--reverse", "orders.amount = mills / 1000", "--name", "mills", "--yes")
    stoa("apply", "ALTER TABLE orders ADD COLUMN text_cents text", "--backfill", "orders.text_cents = cents::text",
         "--reverse", "orders.cents = text_cents::bigint", "--name", "text", "--yes")
    rows = Rows(db, "orders", "amount, cents, mills, text_cents")
    assert rows.insert("amount", "7") == (7, 700, 7000, "700")
    assert rows.insert("cents", "850") == (8, 850, 8000, "850"), "what cents says is not made coarser"
    assert rows.insert("mills", "9900") == (9, 900, 9900, "900")
    assert rows.insert("text_cents", "'1250'") == (12, 1250, 12000, "1250")
    assert rows.update("mills = 3333") == (3, 300, 3333, "300")
    assert rows.update("text_cents = '451'") == (4, 451, 4000, "451")
    assert rows.update("amount = 1") == (1, 100, 1000, "100")
    stoa("abort", "text", "--yes", "--force")
    assert db.columns("orders").keys() == {"id", "amount", "cents", "mills"}
    rows.columns = "amount, cents, mills"
    assert rows.update("cents = 250") == (2, 250, 2000)
    stoa("complete", "cents", "--yes", "--force")
    assert rows.update("mills = 5555") == (5, 250, 5555)
    assert broken(db) == []


@pytest.mark.parametrize("words, message", [
    (["--reverse", "people.nobody = first"], "no such column"),
    (["--reverse", "people.name = frist"], "frist"),
    (["--reverse", "people.name = note"], "reads no column that this change adds"),
    (["--reverse", "people.age = first"], "expression is of type text"),
    (["--reverse", "people.first = name"], "this change adds that column"),
    (["--reverse", "nowhere.name = first"], "does not exist"),
])
def test_a_reverse_that_makes_no_sense_is_told(db, stoa, words, message):
    db.run("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note text, age int)")
    result = stoa("plan", *SPLIT[:5], *words, code=2)
    assert message in result.err, str(result)


def test_a_default_that_is_another_each_time_is_refused(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, n serial)")
    refused = stoa("plan", "ALTER TABLE t ADD COLUMN m bigint", "--backfill", "t.m = n", "--reverse", "t.n = m", code=4)
    assert "another value each time" in refused.err and "DROP DEFAULT" in refused.err


@pytest.mark.parametrize("change", ["split", "merge"])
def test_live_writers_of_both_shapes(db, stoa, change):
    """Old and new application write all the time; at the end every row agrees with itself and with a twin that
    knew both columns all along."""
    old = {"split": "name", "merge": "first, last"}[change]
    full = "id int PRIMARY KEY, name text, first text, last text, version int NOT NULL DEFAULT 0"
    shape = ", ".join(part for part in full.split(", ") if part.split()[0] in {"id", "version", *old.split(", ")})
    db.run(f"CREATE TABLE people ({shape}); INSERT INTO people (id, {old}) SELECT i, "
           + {"split": "'a' || i || ' b' || i", "merge": "'a' || i, 'b' || i"}[change] + " FROM generate_series(1, 4000) i;"
           f"CREATE TABLE twin ({full}); INSERT INTO twin (id, {old}) SELECT id, {old} FROM people;")
    db.run("UPDATE twin SET name = coalesce(name, first || ' ' || last), first = coalesce(first, split_part(name, ' ', 1)), "
           "last = coalesce(last, split_part(name, ' ', 2))")
    by_name = ["UPDATE {t} SET name = 'n%(m)s l%(m)s', version = version + 1 WHERE id = %(n)s",
               "INSERT INTO {t} (id, name) VALUES (%(new)s, 'i%(m)s j%(m)s')"]
    by_parts = ["UPDATE {t} SET first = 'f%(m)s', version = version + 1 WHERE id = %(n)s",
                "UPDATE {t} SET last = 'l%(m)s', version = version + 1 WHERE id = %(n)s",
                "UPDATE {t} SET first = 'f%(m)s', last = 'l%(m)s' WHERE id = %(n)s",
                "INSERT INTO {t} (id, first, last) VALUES (%(new)s, 'i%(m)s', 'j%(m)s')",
                "INSERT INTO {t} (id, first, last) VALUES (%(n)s, 'u', 'v%(m)s') ON CONFLICT (id) DO UPDATE SET "
                "first = excluded.first, last = excluded.last"]
    others = ["UPDATE {t} SET version = version + 1 WHERE id = %(n)s", "DELETE FROM {t} WHERE id = %(n)s AND %(m)s %% 7 = 0"]
    # the twin is kept by triggers written by hand: each statement says what the application means
    db.run("""CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF TG_OP = 'INSERT' THEN
          IF NEW.name IS NULL THEN NEW.name := NEW.first || ' ' || NEW.last;
          ELSE NEW.first := split_part(NEW.name, ' ', 1); NEW.last := split_part(NEW.name, ' ', 2); END IF;
        ELSIF NEW.name IS DISTINCT FROM OLD.name THEN
          NEW.first := split_part(NEW.name, ' ', 1); NEW.last := split_part(NEW.name, ' ', 2);
        ELSE NEW.name := NEW.first || ' ' || NEW.last; END IF;
        RETURN NEW; END$$;
        CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON twin FOR EACH ROW EXECUTE PROCEDURE keep()""")
    before = others + (by_name if change == "split" else by_parts)
    with Writers(db, "people", before, count=4000, threads=2, twin="twin"):
        stoa("apply", *(SPLIT if change == "split" else MERGE))
    later = [text.replace("%(new)s", "%(new)s + 50000000") for text in by_name + by_parts + others]
    with Writers(db, "people", later, count=4000, threads=4, twin="twin") as writers:
        until(lambda: writers.done > 1500, 30)
    columns = "id, name, first, last, version"
    assert db.value("SELECT count(*) FROM people") == db.value("SELECT count(*) FROM twin") > 3000
    assert db.rows(f"SELECT {columns} FROM people EXCEPT SELECT {columns} FROM twin LIMIT 5") == []
    assert db.value("SELECT count(*) FROM people WHERE name <> first || ' ' || last") == 0
    assert broken(db) == []


def test_writers_beside_a_broken_way_do_not_wait_for_each_other(db, stoa):
    db.run("CREATE TABLE orders (id int PRIMARY KEY, amount int); INSERT INTO orders SELECT i, i FROM generate_series(1, 50) i")
    stoa("apply", *CENTS)
    held = db.connect(autocommit=False)
    held.execute(f"UPDATE orders SET cents = {2**40} WHERE id = 1")
    other = db.connect(autocommit=True, options="-c statement_timeout=3000")
    other.execute(f"UPDATE orders SET cents = {2**40} WHERE id = 2")
    held.commit()
    assert {row[1] for row in broken(db)} == {"id=1", "id=2"}
    with Writers(db, "orders", [f"UPDATE {{t}} SET cents = {2**40} + %(m)s WHERE id = %(n)s"], count=50, threads=4) as writers:
        until(lambda: writers.done > 300, 30)
    assert len(broken(db)) == 2
    assert stoa.status("cents")["broken"][0]["count"] > 200


def test_an_error_of_the_application_stays_its_own(db, stoa, people):
    stoa("apply", *SPLIT)
    with pytest.raises(psycopg.errors.UniqueViolation):
        people.db.run("INSERT INTO people (id, first, last) VALUES (1, 'a', 'b')")
    assert broken(db) == []

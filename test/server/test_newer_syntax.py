"""Syntax that the parser at hand does not know: taken apart by its words, and judged by the server."""
import pytest

from test.lib.database import orders
from test.lib.writers import Writers

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount, note) VALUES (%(new)s, %(n)s %% 50, %(m)s, 'n')"]
PROBE = ["--probe", "on"]
CASES = [
    ("ALTER TABLE orders ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) VIRTUAL, ADD COLUMN plain int", 18,
     "(SELECT bool_and(twice = amount * 2) FROM orders) AND NOT EXISTS (SELECT plain FROM orders WHERE plain IS NOT NULL)"),
    ("ALTER TABLE orders ADD CONSTRAINT low CHECK (amount > 1000000) NOT ENFORCED", 18,
     "(SELECT NOT conenforced FROM pg_constraint WHERE conname = 'low')"),
    ("ALTER TABLE orders ADD CONSTRAINT has_note NOT NULL note", 18,
     "(SELECT convalidated FROM pg_constraint WHERE conname = 'has_note')"),
    ("ALTER TABLE orders ADD NOT NULL note NOT VALID", 18,
     "(SELECT NOT convalidated FROM pg_constraint WHERE conname = 'orders_note_not_null')"),
    ("CREATE TABLE spans (id int, during daterange, name text STORAGE EXTERNAL, PRIMARY KEY (id, during WITHOUT OVERLAPS))", 18, None),
    ("CREATE TABLE wide (id int PRIMARY KEY, name text STORAGE EXTERNAL, o bigint REFERENCES orders); CREATE INDEX ON wide (name)", 16,
     "(SELECT attstorage = 'e' FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attname = 'name')"),
    ("ALTER TABLE orders SET ACCESS METHOD DEFAULT", 17, "true"),
    ("ALTER TABLE orders ALTER COLUMN note SET STORAGE DEFAULT", 16, "true"),
]


@pytest.fixture
def shop(db):
    orders(db)
    db.run("UPDATE orders SET note = 'n'")
    db.admin.execute(f'ALTER ROLE "{db.owner}" CREATEDB')
    return db


@pytest.mark.parametrize("text, since, look", CASES)
def test_judged_by_the_server(shop, stoa, text, since, look):
    before = shop.fingerprint()
    if shop.version < since:
        result = stoa("plan", text, *PROBE, code=2)
        assert f"PostgreSQL {since}" in result.err, str(result)
        return
    if look is None:
        shop.admin.execute("CREATE EXTENSION btree_gist")
        before = shop.fingerprint()
    plan = stoa("plan", text, *PROBE, "--json").json
    assert all(step["evidence"] in ("measured", "catalog") or step["sql"].startswith("CREATE TABLE spans") for step in plan["steps"]), plan
    with Writers(shop, "orders", WRITES, 2000) as writers:
        stoa.apply(text, "--name", "one", "--until", "constrain", *PROBE)
        stoa("abort", "one", "--yes")
        if "SET " not in text:
            assert shop.fingerprint() == before
        stoa.apply(text, "--name", "two", *PROBE)
        assert look is None or shop.value(f"SELECT {look}")
        assert writers.mark() < 1.0


def test_what_it_would_rewrite_is_refused(shop, stoa):
    if shop.version < 17:
        return
    shop.run("ALTER TABLE orders ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) STORED")
    result = stoa("plan", "ALTER TABLE orders ALTER COLUMN twice SET EXPRESSION AS (amount * 3)", *PROBE, code=4)
    assert "rewrite public.orders" in result.err, str(result)
    assert "was not measured" in stoa("plan", "ALTER TABLE orders ALTER COLUMN twice SET EXPRESSION AS (amount * 3)", "--probe", "off", code=4).err


def test_rows_that_violate_a_not_null_are_named_and_mended(shop, stoa):
    """Bound for new rows first; an old row stops the validation, and the change goes on when it is mended."""
    if shop.version < 18:
        return
    shop.run("UPDATE orders SET note = NULL WHERE id = 7")
    text = "ALTER TABLE orders ADD CONSTRAINT has_note NOT NULL note"
    result = stoa.apply(text, "--name", "n", *PROBE, code=6)
    assert "note" in result.err, str(result)
    shop.run("UPDATE orders SET note = 'n' WHERE id = 7")
    stoa("resume", "n")
    assert shop.value("SELECT convalidated FROM pg_constraint WHERE conname = 'has_note'")


def test_a_mistake_stays_a_mistake(shop, stoa):
    assert "syntax error" in stoa("plan", "ALTER TABLE orders ADD COLUMNN a int", code=2).err
    if shop.version >= 18:
        assert "syntax error" in stoa("plan", "ALTER TABLE orders ADD CONSTRAINT c CHECK (amount >) NOT ENFORCED", *PROBE, code=2).err

"""DO blocks are opened: what is in them is judged like statements of their own, and runs as one bounded step."""
import pytest

from test.lib.database import orders
from test.lib.writers import Writers

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, %(n)s %% 50, %(m)s)"]
PROBE = ["--probe", "on"]
IDIOM = """DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN
        CREATE TYPE mood AS ENUM ('sad', 'ok');
    END IF;
END
$$;"""
CATCH = "DO $$ BEGIN CREATE TYPE mood AS ENUM ('sad', 'ok'); EXCEPTION WHEN duplicate_object THEN NULL; END $$"


@pytest.fixture
def shop(db):
    orders(db)
    db.admin.execute(f'ALTER ROLE "{db.owner}" CREATEDB')
    return db


@pytest.mark.parametrize("text", [IDIOM, CATCH])
@pytest.mark.parametrize("there", [False, True])
def test_the_common_idiom(shop, stoa, text, there):
    """A type that is made where it is not there yet, and used in the same change."""
    if there:
        shop.run("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    with Writers(shop, "orders", WRITES, 2000) as writers:
        stoa.apply(f"{text}; ALTER TABLE orders ADD COLUMN mood mood", "--name", "m", *PROBE)
        assert shop.columns("orders")["mood"][0] == "mood"
        assert writers.mark() < 1.0
    assert stoa.status("m")["state"] == "completed"


def test_harmless_changes_of_a_table_run_with_their_locks(shop, stoa):
    text = """DO $$ DECLARE wanted boolean := true; BEGIN
        IF wanted THEN
            ALTER TABLE orders ADD COLUMN IF NOT EXISTS extra int DEFAULT 5;
            EXECUTE 'COMMENT ON COLUMN orders.extra IS ''more''';
        ELSE
            ALTER TABLE orders ADD COLUMN never int;
        END IF; END $$"""
    if shop.version < 11:
        assert "rewrite" in stoa("plan", text, *PROBE, code=4).err, "a default rewrites the table before 11"
        return
    (step, _ready) = stoa("plan", text, *PROBE, "--json").json["steps"]
    assert (step["lock"], step["lock_on"], step["evidence"]) == ("ACCESS EXCLUSIVE", ["public.orders"], "measured"), step
    with Writers(shop, "orders", WRITES, 2000) as writers:
        reader = shop.connect()
        reader.execute("BEGIN; SELECT count(*) FROM orders")
        writers.mark()
        stoa.apply(text, "--lock-wait", "2s", *PROBE, code=5)
        assert writers.mark() < 0.5, "nobody waits behind the attempts"
        reader.execute("ROLLBACK")
        stoa.apply(text, *PROBE)
        assert writers.mark() < 1.0
    columns = shop.columns("orders")
    assert "extra" in columns and "never" not in columns
    assert shop.value("SELECT col_description('orders'::regclass, attnum) FROM pg_attribute WHERE attname = 'extra'") == "more"


@pytest.mark.parametrize("inside, line, words", [
    ("ALTER TABLE orders ALTER note SET NOT NULL;", 3, "ALTER TABLE orders ALTER COLUMN note SET NOT NULL"),
    ("IF true THEN\nALTER TABLE orders ADD CONSTRAINT k CHECK (amount > 0);\nEND IF;", 4, "CHECK (amount > 0)"),
    ("CREATE INDEX i ON orders (note);", 3, "without the DO"),
    ("UPDATE orders SET note = 'x';", 3, "backfill"),
    ("PERFORM 1;\nCOMMIT;", 4, "COMMIT"),
    ("EXECUTE 'TRUNCATE orders';", 3, "takes away all rows"),
    ("FOR i IN 1..2 LOOP\nEXECUTE format('ALTER TABLE orders ADD c%s int', i);\nEND LOOP;", 4, "computed in a loop"),
])
def test_refused_with_its_line(shop, stoa, inside, line, words):
    before = shop.fingerprint()
    result = stoa.apply(f"DO $$\nBEGIN\n{inside}\nEND $$", *PROBE, code=4)
    assert f":{line}:1: " in result.err and words in result.err, str(result)
    assert shop.fingerprint() == before


def test_computed_statement_is_measured(shop, stoa):
    """What stands in a text that is computed is known when it ran on an empty copy, and only then."""
    light = "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN extra int', 'orders'); END $$"
    heavy = "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ALTER note SET NOT NULL', 'orders'); END $$"
    assert "was not measured" in stoa("plan", light, "--probe", "off", code=4).err
    (step, _ready) = stoa("plan", light, *PROBE, "--json").json["steps"]
    assert (step["lock"], step["lock_on"]) == ("ACCESS EXCLUSIVE", ["public.orders"]), step
    result = stoa("plan", heavy, *PROBE, code=4)
    assert "read the whole of public.orders" in result.err, str(result)
    stoa.apply(light, *PROBE)
    assert "extra" in shop.columns("orders")

"""NOT NULL, defaults, constraints, indexes and comments, with the application writing all the time."""
import signal

import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount, note) VALUES (%(new)s, %(n)s %% 50, %(m)s, 'n')"]


@pytest.fixture
def busy(db):
    orders(db)
    db.run("UPDATE orders SET note = 'n'")
    with Writers(db, "orders", WRITES, 2000) as writers:
        yield writers


def test_set_not_null(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ALTER COLUMN note SET NOT NULL")
    assert db.columns("orders")["note"][1] or db.version < 12
    assert not [text for text, valid in db.constraints("orders").values() if "NOT NULL" in text] or db.version < 12


def test_set_not_null_with_nulls_changes_nothing(db, stoa, busy):
    db.run("UPDATE orders SET note = NULL WHERE id = 1777")
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", "--name", "nn", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "1777" in result.err, f"it names the row: {result}"
    stoa("abort", "nn", "--yes", code=None)
    assert db.fingerprint() == before


def test_drop_not_null(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ALTER COLUMN status DROP NOT NULL")
    assert db.columns("orders")["status"][1] is False


def test_defaults(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'none'")
    assert db.columns("orders")["note"][2] == "'none'::text"
    stoa.apply("ALTER TABLE orders ALTER COLUMN note DROP DEFAULT")
    assert db.columns("orders")["note"][2] is None


def test_add_check(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)")
    assert db.constraints("orders")["positive"] == ("CHECK ((amount > (0)::numeric))", True)


def test_add_check_that_fails_changes_nothing(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD CONSTRAINT tiny CHECK (id <> 1500)", "--name", "tiny", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "1500" in result.err, f"it names the row: {result}"
    stoa("abort", "tiny", "--yes", code=None)
    assert db.fingerprint() == before


def test_add_foreign_key_and_validate(db, stoa, busy):
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)")
    stoa.apply("ALTER TABLE orders ADD CONSTRAINT customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID",
               "--name", "fk")
    assert db.constraints("orders")["customer"][1] is False
    stoa.apply("ALTER TABLE orders VALIDATE CONSTRAINT customer", "--name", "fk-valid")
    assert db.constraints("orders")["customer"] == ("FOREIGN KEY (customer_id) REFERENCES customers(id)", True)


def test_foreign_key_with_orphans_changes_nothing(db, stoa):
    orders(db)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 98)")
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (customer_id) REFERENCES customers (id)",
                        "--name", "fk", code=None)
    assert result.code in (1, 4, 6), str(result)
    stoa("abort", "fk", "--yes", code=None)
    assert db.fingerprint() == before


def test_add_unique(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD CONSTRAINT once UNIQUE (id, customer_id)")
    assert db.constraints("orders")["once"][0] == "UNIQUE (id, customer_id)"


def test_add_unique_with_duplicates_changes_nothing(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD CONSTRAINT once UNIQUE (customer_id)", "--name", "once", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "customer_id" in result.err
    stoa("abort", "once", "--yes", code=None)
    assert db.fingerprint() == before


def test_unique_using_index(db, stoa, busy):
    db.run("CREATE UNIQUE INDEX CONCURRENTLY ready_made ON orders (id, status)")
    stoa.apply("ALTER TABLE orders ADD CONSTRAINT once UNIQUE USING INDEX ready_made")
    assert db.constraints("orders")["once"][0] == "UNIQUE (id, status)"


@pytest.mark.parametrize("text, name", [
    ("CREATE INDEX by_amount ON orders (amount)", "by_amount"),
    ("CREATE INDEX CONCURRENTLY by_amount ON orders (amount DESC) WHERE amount > 10", "by_amount"),
    ("CREATE UNIQUE INDEX once ON orders (id, lower(status))", "once"),
    ("CREATE INDEX ON orders (amount, id)", "orders_amount_id_idx"),
])
def test_create_index(db, stoa, busy, text, name):
    stoa.apply(text)
    assert db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name]) is True


def test_create_unique_index_with_duplicates_leaves_nothing(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("CREATE UNIQUE INDEX once ON orders (customer_id)", "--name", "once", code=None)
    assert result.code in (1, 4, 6), str(result)
    stoa("abort", "once", "--yes", code=None)
    assert db.fingerprint() == before, "no invalid index is left: it would go on refusing writes"


def test_drop_index(db, stoa, busy):
    stoa.apply("DROP INDEX orders_customer_id_idx")
    assert db.value("SELECT to_regclass('orders_customer_id_idx')") is None


def test_invalid_leftover_is_rebuilt(db, stoa, busy):
    """Somebody's CREATE INDEX CONCURRENTLY failed and left an INVALID index of the same name."""
    db.run("CREATE INDEX by_amount ON orders (amount)")
    db.admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_amount'::regclass")
    result = stoa.apply("CREATE INDEX by_amount ON orders (amount)", code=None)
    valid = db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('by_amount')")
    assert (result.code, valid) == (0, True) or (result.code in (2, 4) and "by_amount" in result.err), str(result)


def test_index_of_that_name_on_another_table_is_left_alone(db, stoa, busy):
    db.run("CREATE TABLE other (id int)")
    running = stoa.start("apply", "CREATE INDEX by_amount ON orders (amount)", "--name", "mine", "--yes",
                         env={"STOA_FAILPOINT": "step_intent=pause:1"})
    until(lambda: running.is_stopped, 20, "the pause before the index is built")
    db.run("CREATE INDEX by_amount ON other (id)")
    running.signal(signal.SIGCONT)
    result = running.wait(1, seconds=20)
    assert '"by_amount" is not an index of "orders"' in result.err, str(result)
    stoa("abort", "mine", "--yes")
    assert db.value("SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = 'by_amount'::regclass") == "other"


def test_comments(db, stoa, busy):
    stoa.apply("COMMENT ON COLUMN orders.amount IS 'in the shop''s currency'")
    stoa.apply("COMMENT ON TABLE orders IS 'all orders'")
    assert db.value("SELECT col_description('orders'::regclass, 3)") == "in the shop's currency"
    assert db.value("SELECT obj_description('orders'::regclass)") == "all orders"


def test_what_is_there_already(db, stoa, busy):
    text = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)"
    stoa.apply(text, "--name", "one")
    stoa.apply(text, "--name", "one")
    stoa.apply("ALTER TABLE orders ALTER COLUMN amount SET NOT NULL")


@pytest.mark.parametrize("text, words", [
    ("ALTER TABLE orders ALTER COLUMN amount TYPE bigint", "--accept-column-order"),
    ("TRUNCATE orders", "takes away all rows"),
    ("UPDATE orders SET note = 'all'", "not the schema"),
    ("DO $$ BEGIN EXECUTE 'DROP TABLE orders'; END $$", "must be taken apart"),
    ("DO $$ BEGIN EXECUTE 'DROP ' || 'TABLE orders'; END $$", "told by no rule"),
    ("ALTER TABLE orders SET UNLOGGED", "anew under ACCESS EXCLUSIVE"),
])
def test_what_is_refused_says_why(db, stoa, text, words):
    orders(db, 10)
    before = db.fingerprint()
    result = stoa.apply(text, code=4)
    assert words in result.err and "not supported" not in result.err, str(result)
    assert db.fingerprint() == before

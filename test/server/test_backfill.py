"""Columns that the backfill sets to themselves (from 14 on; it spares a search in their indexes): nobody notices."""
import re
import signal

import psycopg
import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers, assert_equal, assert_twin, make_twin

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
FILLED = ("orders", "amount_cents", "(amount * 100)::bigint")
NOTE_IT = ("CREATE TABLE seen (op text); CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS "
           "$$BEGIN INSERT INTO seen VALUES (TG_OP); RETURN NEW; END$$; ")
TSVECTOR = ("ALTER TABLE orders ADD words tsvector; UPDATE orders SET words = 'kept'; CREATE INDEX ON orders (note); "
            "CREATE TRIGGER words BEFORE INSERT OR UPDATE ON orders FOR EACH ROW "
            "EXECUTE PROCEDURE tsvector_update_trigger(words, 'pg_catalog.simple', note)")


def set_to_themselves(stoa):
    """What the plan's UPDATE says so of."""
    steps = stoa("plan", ADD, *FILL, "--json").json["steps"]
    update = next(step["sql"] for step in steps if step["kind"] == "backfill")
    assert "amount_cents = (amount * 100)::bigint" in update
    return re.findall(r", (\w+) = \1\b", update)


def stopped_at(stoa, failpoint, *args):
    running = stoa.start("apply", ADD, *FILL, "--yes", *args, env={"STOA_FAILPOINT": failpoint})

    def is_stopped():
        with open(f"/proc/{running.pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        assert state != "Z", f"it ended instead\n{running.partial()}"
        return state == "T"
    until(is_stopped, 60, lambda: f"the stop at {failpoint}\n{running.partial()}")
    return running


@pytest.mark.parametrize("more, expected", [
    ("", ["customer_id", "status"]),
    ("CREATE INDEX ON orders (amount) WHERE amount > 5", ["customer_id", "amount", "status"]),
    ("CREATE INDEX ON orders (lower(note))", ["customer_id", "status"]),
    ("DROP INDEX orders_customer_id_idx; CREATE INDEX ON orders USING hash (customer_id)", ["status"]),
    ("CREATE UNIQUE INDEX ON orders (status, id)", ["customer_id", "created_at"]),
    ("ALTER TABLE orders ALTER customer_id ADD GENERATED ALWAYS AS IDENTITY", ["status"]),
    ("REVOKE UPDATE ON orders FROM CURRENT_USER; GRANT UPDATE (status) ON orders TO CURRENT_USER", ["status"]),
    ("CREATE TRIGGER t AFTER UPDATE OF customer_id ON orders FOR EACH STATEMENT EXECUTE PROCEDURE note_it()", []),
    ("CREATE TRIGGER t AFTER UPDATE OF note ON orders FOR EACH ROW EXECUTE PROCEDURE note_it(); "
     "ALTER TABLE orders ENABLE REPLICA TRIGGER t", []),
    ("CREATE TRIGGER t AFTER UPDATE OF note ON orders FOR EACH ROW EXECUTE PROCEDURE note_it(); "
     "ALTER TABLE orders DISABLE TRIGGER t", ["customer_id", "status"]),
    (TSVECTOR, []),
], ids=["plain", "partial", "expression", "hash", "unique", "identity", "privilege", "statement", "replica",
        "disabled", "compiled"])
def test_which_columns(db, stoa, more, expected):
    orders(db, 100)
    db.run(NOTE_IT + more)
    assert set_to_themselves(stoa) == (expected if db.version >= 14 else [])


def test_none_beside_a_generated_column(db, stoa):
    orders(db, 100)
    generated = "GENERATED ALWAYS AS (customer_id * 2) STORED" if db.version >= 12 else ""
    db.run(f"ALTER TABLE orders ADD twice int {generated}")
    assert set_to_themselves(stoa) == []


@pytest.mark.parametrize("each", ["ROW", "STATEMENT"])
def test_update_of_trigger_does_not_fire(db, stoa, each):
    orders(db, 2000)
    db.run(f"{NOTE_IT} CREATE TRIGGER t AFTER UPDATE OF customer_id, status ON orders FOR EACH {each} "
           f"EXECUTE PROCEDURE note_it()")
    stoa.apply(ADD, *FILL)
    assert_equal(db, *FILLED)
    assert db.value("SELECT count(*) FROM seen") == 0


def test_trigger_in_c_finds_nothing_in_the_set_list(db, stoa):
    """tsvector_update_trigger() looks which columns the statement names."""
    orders(db, 2000)
    db.run(TSVECTOR)
    stoa.apply(ADD, *FILL, "--accept-triggers")
    assert_equal(db, *FILLED)
    assert db.value("SELECT count(*) FROM orders WHERE words = 'kept'") == (2000 if db.version >= 13 else 0)


@pytest.mark.parametrize("alter", [
    "CREATE TRIGGER t AFTER UPDATE OF customer_id ON orders FOR EACH ROW EXECUTE PROCEDURE note_it()",
    "ALTER TABLE orders DROP COLUMN customer_id",
    "ALTER TABLE orders RENAME customer_id TO customer",
    "ALTER TABLE orders ALTER customer_id ADD GENERATED ALWAYS AS IDENTITY",
], ids=["trigger", "drop", "rename", "identity"])
def test_table_altered_in_the_midst(db, stoa, alter):
    """What became wrong to be set is left out from then on."""
    orders(db, 20000)
    db.run(NOTE_IT)
    running = stopped_at(stoa, "wave_after_commit=pause:2", "--chunk-time", "1ms",
                         "--probe", "off")  # else it is a difference that the plan did not say
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS NULL") > 10000
    db.run(alter)
    running.signal(signal.SIGCONT)
    running.wait(0)
    assert_equal(db, *FILLED)
    assert db.value("SELECT count(*) FROM seen") == 0


def test_rows_in_an_open_wave_can_be_referred_to(db, stoa):
    """The rows are locked as by any UPDATE that touches no key, and so are those that they refer to."""
    orders(db, 3000)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 100); "
           "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers; "
           "CREATE UNIQUE INDEX ON orders (customer_id, id); CREATE TABLE items (order_id bigint REFERENCES orders)")
    db.admin.execute(f"ALTER ROLE {db.owner} SET deadlock_timeout = '60s'")  # the open wave is not ended by the server
    running = stopped_at(stoa, "wave_before_commit=pause:2", "--max-stall", "10s")
    other = db.connect(autocommit=True, options="-c lock_timeout=300ms")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute("SELECT FROM orders FOR SHARE NOWAIT")
    other.execute("SELECT FROM orders FOR KEY SHARE NOWAIT")
    other.execute("INSERT INTO items SELECT id FROM orders")
    other.execute("SELECT FROM customers FOR UPDATE NOWAIT")
    running.signal(signal.SIGCONT)
    running.wait(0)
    assert_equal(db, *FILLED)


@pytest.mark.parametrize("level", ["read committed", "repeatable read"])
def test_writers_of_the_indexed_columns(db, stoa, level):
    """Nothing that they write is lost: a row that the backfill waited for is filled by then, and left alone."""
    orders(db, 20000)
    make_twin(db, "orders", "twin")
    db.admin.execute(f"ALTER ROLE {db.owner} SET default_transaction_isolation = '{level}'")
    statements = [
        "WITH u AS (UPDATE {t} SET customer_id = %(m)s, status = 'x' || %(m)s, amount = amount + 1 "
        "WHERE id BETWEEN %(n)s AND %(n)s + 20 RETURNING id) SELECT pg_sleep(0.015) FROM (SELECT count(*) FROM u) c",
        "UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
        "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 30000",
        "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, 1, %(m)s)"]
    each_other = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
    with Writers(db, "orders", statements, 20000, threads=6, twin="twin", tolerate=each_other) as writers:
        stoa.apply(ADD, *FILL, "--chunk-time", "20ms")
    assert writers.done > writers.tolerated
    assert_twin(db, "orders", "twin")
    assert_equal(db, *FILLED)

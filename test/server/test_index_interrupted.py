"""An index build that was cut off leaves an INVALID index, and a unique one still enforces: whoever comes next drops
it before anything else; a build that must wait names for whom, and nobody waits for it."""
import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers

SQL = "ALTER TABLE orders ADD COLUMN code bigint NOT NULL; CREATE UNIQUE INDEX by_code ON orders (code)"
FILL = ["--backfill", "orders.code = id * 10", "--name", "codes"]
STATEMENTS = ["INSERT INTO {t} (id, customer_id, amount, note) VALUES (%(new)s, %(n)s, %(m)s / 100.0, 'w')",
              "UPDATE {t} SET amount = amount + 1 WHERE id = %(n)s",
              "DELETE FROM {t} WHERE id = %(n)s AND id %% 7 = 0"]
BUILDING = ("SELECT count(*) FROM pg_index WHERE indrelid = 'orders'::regclass AND NOT indisvalid "
            "AND indexrelid = to_regclass('by_code')")
INVALID = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = 'by_code'::regclass"


@pytest.fixture
def holder(db):
    """A transaction that wrote to the table: a build must wait for its end."""
    orders(db, 3000)
    conn = db.connect(autocommit=False, application_name="nightly report")
    conn.execute("UPDATE orders SET note = 'open' WHERE id = 1")
    yield conn
    if not conn.closed:
        conn.rollback()


def cut_off(db, stoa, holder):
    """kill -9 for Stoa while its build waits; the server's session is ended as well."""
    # the transaction must not stand in the way of the steps before the index
    holder.commit()
    stoa.apply(SQL, *FILL, "--until", "verify", code=None)
    holder.execute("UPDATE orders SET note = 'open' WHERE id = 1")
    apply = stoa.start("resume", "codes")
    until(lambda: db.value(BUILDING) == 1, 30, lambda: f"the build\n{apply.partial()}")
    apply.kill()
    db.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stoa:%' "
                     "AND datname = current_database()")
    until(lambda: db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stoa:%' "
                           "AND datname = current_database()") == 0, 10, "the sessions to end")
    assert db.value(INVALID)


def finished(db):
    assert db.value("SELECT indisvalid AND indisunique FROM pg_index WHERE indexrelid = 'by_code'::regclass")
    assert db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert db.value("SELECT count(*) FROM orders WHERE code IS DISTINCT FROM id * 10") == 0


def test_what_a_killed_build_left_is_dropped_first(db, stoa, holder):
    cut_off(db, stoa, holder)
    holder.rollback()
    with Writers(db, "orders", STATEMENTS, count=3000):
        result = stoa("resume", "codes", "--json")
    happened = [event.get("event") for event in result.events]
    dropped = happened.index("invalid_index")
    assert not {"step_done", "ready"} & set(happened[:dropped]), happened
    finished(db)


def test_it_is_dropped_by_abort_too(db, stoa, holder):
    cut_off(db, stoa, holder)
    holder.rollback()
    stoa("abort", "codes", "--yes")
    assert db.value("SELECT to_regclass('by_code') IS NULL")
    assert db.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'code'") == 0


def test_a_failed_build_leaves_nothing(db, stoa):
    """Duplicates that come between the look and the build: the application's next write is not refused."""
    orders(db, 3000)
    db.run("ALTER TABLE orders ADD COLUMN code bigint; UPDATE orders SET code = id % 1000")
    result = stoa.apply("CREATE UNIQUE INDEX by_code ON orders (code)", code=6)
    assert "by_code" in result.err or "code" in result.err, str(result)
    assert db.value("SELECT to_regclass('by_code') IS NULL")
    db.run("UPDATE orders SET code = 5 WHERE id = 6")


def test_a_blocked_build_blocks_nobody(db, stoa, holder):
    holder.commit()
    stoa.apply(SQL, *FILL, "--until", "verify", code=None)
    holder.execute("UPDATE orders SET note = 'open' WHERE id = 1")
    statements = [text.replace("WHERE id = %(n)s", "WHERE id = %(n)s AND id > 1") for text in STATEMENTS]
    with Writers(db, "orders", statements, count=3000) as writers:
        apply = stoa.start("resume", "codes")
        apply.says("nightly report")
        apply.says(str(holder.info.backend_pid))
        writers.mark()
        until(lambda: writers.done > 100, 20, "a hundred writes while the build waits")
        assert apply.is_running()
        longest = writers.mark()
        holder.rollback()
        apply.wait(0)
    assert longest < 0.25, longest
    finished(db)


def test_a_drop_that_was_given_up_is_not_called_undone(db, stoa, holder):
    """The server marks the index as invalid before it waits for old transactions: no query uses it from there on, and
    whoever drops it knows of it."""
    holder.commit()
    db.run("CREATE INDEX by_note ON orders (note)")
    before = db.fingerprint()
    holder.execute("UPDATE orders SET note = 'open' WHERE id = 1")
    refused = stoa.apply("DROP INDEX by_note", "--name", "away", "--lock-wait", "1s", code=5)
    assert "nightly report" in refused.err
    assert not db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_note'::regclass")
    assert stoa.status("away")["state"] == "waiting"
    holder.rollback()
    stoa("abort", "away", "--yes")
    assert db.fingerprint() == before
    stoa.apply("DROP INDEX by_note", "--name", "away")
    assert db.value("SELECT to_regclass('by_note') IS NULL")


def test_a_detach_that_was_given_up_is_not_called_undone(db, stoa, version):
    if version < 14:
        return  # it is detached at once
    db.run("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
           "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);"
           "INSERT INTO parts SELECT generate_series(1, 50)")
    held = db.connect(autocommit=False, application_name="nightly report")
    held.execute("SELECT count(*) FROM parts")
    refused = stoa.apply("ALTER TABLE parts DETACH PARTITION parts_1", "--name", "away", "--lock-wait", "1s", code=5)
    assert "nightly report" in refused.err
    assert db.value("SELECT count(*) FROM parts") == 0, "the rows are out of sight already"
    assert stoa.status("away")["state"] == "waiting"
    held.rollback()
    stoa("abort", "away", "--yes")
    assert db.value("SELECT count(*) FROM parts") == 50

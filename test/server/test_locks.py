"""A long transaction on the table: the change waits and says for whom, and the application does not wait."""
import signal

import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import assert_equal

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
MAX_STALL_MS, TOLERANCE_MS = 200, 50


@pytest.fixture
def long_transaction(db):
    """A session that has read the table and keeps its lock."""
    conn = db.connect(autocommit=False, application_name="nightly report")
    yield conn
    if not conn.closed:
        conn.rollback()


def blocker_pid(conn):
    return conn.info.backend_pid


def test_waits_names_the_blocker_and_goes_on(db, stoa, load, long_transaction):
    application = load(rows=20000, profile="plain", rate=200)
    long_transaction.execute("SELECT count(*) FROM orders")
    application.mark()
    apply = stoa.start("apply", ADD, *FILL, "--yes", "--max-stall", f"{MAX_STALL_MS}ms")
    apply.says(str(blocker_pid(long_transaction)))
    apply.says("nightly report")
    apply.says("idle in transaction", 5)
    assert apply.is_running()
    during = application.mark()
    assert during["errors"] == 0, during
    assert during["max_ms"] <= MAX_STALL_MS + TOLERANCE_MS, during
    long_transaction.rollback()
    apply.wait(0)
    rest = application.mark()
    application.stop()
    assert rest["errors"] == 0 and rest["max_ms"] <= MAX_STALL_MS + TOLERANCE_MS, rest
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


@pytest.mark.parametrize("mode", ["ACCESS SHARE", "ROW EXCLUSIVE", "ACCESS EXCLUSIVE"])
def test_budget_used_up_changes_nothing(db, stoa, long_transaction, mode):
    orders(db)
    before = db.fingerprint()
    long_transaction.execute(f"LOCK TABLE orders IN {mode} MODE")
    result = stoa.apply(ADD, *FILL, "--lock-wait", "2s", code=5)
    assert 1.5 < result.seconds < 15
    assert str(blocker_pid(long_transaction)) in result.err and "nightly report" in result.err, str(result)
    long_transaction.rollback()
    assert db.fingerprint() == before
    stoa.apply(ADD, *FILL)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_prepared_transaction_is_named(db, stoa):
    orders(db)
    db.run("BEGIN; UPDATE orders SET note = 'x' WHERE id = 1; PREPARE TRANSACTION 'left behind'")
    result = stoa.apply(ADD, *FILL, "--lock-wait", "1s", code=5)
    assert "left behind" in result.err or "prepared transaction" in result.err, str(result)
    db.run("ROLLBACK PREPARED 'left behind'")
    stoa.apply(ADD, *FILL)


def test_waiting_ends_with_ctrl_c(db, stoa, long_transaction):
    orders(db)
    long_transaction.execute("SELECT 1 FROM orders")
    before = db.fingerprint()
    apply = stoa.start("apply", ADD, *FILL, "--yes")
    apply.says("nightly report")
    apply.signal(signal.SIGINT)
    result = apply.wait(3, seconds=10)
    assert "resume" in result.err
    assert db.fingerprint() == before
    long_transaction.rollback()
    stoa("resume", "orders-amount-cents")
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_row_locks_do_not_stop_the_backfill_for_ever(db, stoa, long_transaction):
    """Rows that an application holds are parked and revisited; the backfill goes on around them."""
    orders(db, 5000)
    stoa.apply(ADD, *FILL, "--until", "expand")
    long_transaction.execute("SELECT 1 FROM orders WHERE id IN (10, 2500, 4990) FOR UPDATE")
    resume = stoa.start("resume", "orders-amount-cents")
    until(lambda: db.value("SELECT count(*) FROM orders WHERE amount_cents IS NULL") <= 3, 30,
          "every row but the held ones")
    assert resume.is_running()
    long_transaction.rollback()
    resume.wait(0)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_backfill_is_never_the_reason_for_a_deadlock(db, stoa, load):
    application = load(rows=20000, profile="hostile", rate=150, twin="twin")
    stoa.apply(ADD, *FILL)
    report = application.stop()
    assert report["deadlocks"] == 0 and report["errors"] == 0, report


def test_index_build_waits_and_names_whom(db, stoa, long_transaction):
    orders(db)
    long_transaction.execute("UPDATE orders SET note = 'open' WHERE id = 5")
    apply = stoa.start("apply", "CREATE INDEX by_amount ON orders (amount)", "--yes")
    apply.says("nightly report")
    long_transaction.commit()
    apply.wait(0)
    assert db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_amount'::regclass")


def test_index_build_over_budget_leaves_no_invalid_index(db, stoa, long_transaction):
    orders(db)
    long_transaction.execute("UPDATE orders SET note = 'open' WHERE id = 5")
    before = db.fingerprint()
    stoa.apply("CREATE INDEX by_amount ON orders (amount)", "--lock-wait", "2s", code=5)
    long_transaction.rollback()
    stoa("abort", "orders-create-index-by-amount", "--yes", code=None)
    until(lambda: db.fingerprint() == before, 10, "no invalid index")

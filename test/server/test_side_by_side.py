"""The old and the new application write through every phase until complete; a twin table is the oracle."""
from test.lib.writers import assert_equal

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"


def test_old_and_new_application(db, admin_stoa, load):
    stoa = admin_stoa
    old = load(rows=30000, profile="hostile", rate=120, twin="orders_twin")
    stoa.apply(ADD, *FILL, "--until", "expand", "--verify", "filled")
    new = load(profile="hostile", rate=60, twin="orders_twin", new_application=True, seed=2)
    stoa("resume", NAME, "--until", "backfill")
    unfilled = db.value("SELECT count(*) FROM orders WHERE amount_cents IS NULL")
    assert unfilled == 0, "one pass of the waves leaves nothing unfilled"
    stoa("resume", NAME)
    assert stoa.status(NAME)["ready"] is True
    first = old.stop()
    assert first["errors"] == 0 and first["deadlocks"] == 0 and first["count"] > 100, first
    stoa("complete", NAME, "--yes", "--force")
    second = new.stop()
    assert second["errors"] == 0 and second["deadlocks"] == 0, second
    assert new.compare()["compared_new_column"]
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS NULL") == 0


def test_old_application_alone_ends_equal(db, admin_stoa, load):
    old = load(rows=30000, profile="hostile", rate=200, twin="orders_twin")
    admin_stoa.apply(ADD, *FILL)
    report = old.stop()
    assert report["errors"] == 0 and report["deadlocks"] == 0, report
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert old.compare()["compared_new_column"]


def test_plain_load_sees_no_stall(db, admin_stoa, load):
    application = load(rows=100000, profile="plain", rate=300)
    application.mark()
    admin_stoa.apply(ADD, *FILL)
    report = application.mark()
    application.stop()
    assert report["errors"] == 0, report
    assert report["max_ms"] <= 250, report
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")

"""Standbys, logical subscribers, slots and poolers."""
import contextlib

import pytest

from test.lib.database import Database, orders
from test.lib.servers import Bouncer, Server, until
from test.lib.stoa import Stoa
from test.lib.writers import Writers, assert_equal

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"
WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, 1, %(m)s)",
          "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 100000"]


@contextlib.contextmanager
def program_for(db, user="postgres"):
    program = Stoa(db.url(user))
    yield program
    program.close()


@pytest.fixture
def pair(home, version):
    """A primary with a streaming standby, and a database on it."""
    primary = Server(home, version)
    standby = Server(home, version, standby_of=primary)
    with primary.connect() as conn:
        until(lambda: conn.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").fetchone()[0],
              what="the standby to stream")
    yield Database(primary), standby
    standby.end()
    primary.end()


def replay(standby, action):
    with standby.connect() as conn:
        conn.execute(f"SELECT pg_wal_replay_{action}()")


def test_a_lagging_standby_holds_the_work(pair):
    db, standby = pair
    orders(db, 20000)
    with program_for(db) as stoa, Writers(db, "orders", WRITES, 20000):
        stoa.apply(ADD, *FILL, "--until", "expand", "--max-lag", "1s", "--replicas", standby.url())
        replay(standby, "pause")
        with standby.connect() as conn:
            until(lambda: conn.execute("SELECT now() - pg_last_xact_replay_timestamp() > interval '2 s'").fetchone()[0],
                  what="a lag of two seconds")
        resume = stoa.start("resume", NAME, "--max-lag", "1s", "--chunk-time", "1ms")
        why = until(lambda: stoa.status(NAME)["throttled_by"], 60, lambda: f"the work held\n{resume.partial()}")
        assert "standby" in why or "lag" in why or "replica" in why, why
        assert resume.is_running() and stoa.status(NAME)["ready"] is False
        replay(standby, "resume")
        resume.wait(0)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    with standby.connect(db.name) as conn:
        until(lambda: conn.execute("SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' "
                                   "AND column_name = 'amount_cents'").fetchone()[0], what="the column on the standby")


def test_a_standby_that_disappears_holds_the_work(pair):
    """A missing sample is not zero lag."""
    db, standby = pair
    orders(db, 20000)
    with program_for(db) as stoa:
        stoa.apply(ADD, *FILL, "--until", "expand", "--max-lag", "1s", "--replicas", standby.url())
        standby.stop("immediate")
        with db.server.connect() as conn:
            until(lambda: conn.execute("SELECT count(*) FROM pg_stat_replication").fetchone()[0] == 0, what="it is gone")
        resume = stoa.start("resume", NAME, "--max-lag", "1s")
        until(lambda: stoa.status(NAME)["throttled_by"], 60, lambda: f"the work held\n{resume.partial()}")
        assert resume.is_running()
        standby.start()
        resume.wait(0)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_no_replica_must_be_stated_where_a_limit_is_set(db, admin_stoa):
    orders(db, 100)
    before = db.fingerprint()
    result = admin_stoa.apply(ADD, *FILL, "--max-lag", "1s", code=None)
    assert result.code in (2, 4) and "--replicas" in result.err, str(result)
    assert db.fingerprint() == before
    admin_stoa.apply(ADD, *FILL, "--max-lag", "1s", "--replicas", "0")


def test_lag_that_this_role_may_not_see(pair):
    """A plain role sees no lag columns: that is a missing sample, not a replica without lag."""
    db, standby = pair
    orders(db, 100)
    with program_for(db, db.owner) as stoa:
        before = db.fingerprint()
        apply = stoa.start("apply", ADD, *FILL, "--yes", "--max-lag", "1s", "--accept-standby-stall")
        until(lambda: not apply.is_running() or "pg_monitor" in apply.err or "pg_read_all_stats" in apply.err, 30,
              "a refusal or an alarm that names the grant")
        assert "pg_monitor" in apply.err or "pg_read_all_stats" in apply.err, apply.partial()
        assert db.fingerprint() == before
        apply.kill()


def test_transaction_pooler_is_refused(home, server, db):
    orders(db, 100)
    before = db.fingerprint()
    bouncer = Bouncer(home, server)
    with program_for(db) as stoa:
        result = stoa.apply(ADD, *FILL, url=bouncer.url(db.name), code=7)
        assert "pool" in result.err.lower(), str(result)
        assert stoa("doctor", url=bouncer.url(db.name), code=None).code in (4, 7)
    assert db.fingerprint() == before and db.value("SELECT to_regnamespace('stoa')") is None


@pytest.fixture
def subscriber(home, version):
    server = Server(home, version)
    yield server
    server.end()


SHADOW = ["ALTER TABLE orders ADD COLUMN amount_cents bigint DEFAULT 7", "--strategy", "shadow"]


@pytest.mark.parametrize("what, change", [("ALL TABLES", [ADD, *FILL]), ("TABLE orders", [ADD, *FILL]), ("TABLE orders", SHADOW)],
                         ids=["all-tables", "one-table", "by-a-shadow"])
def test_logical_subscriber(db, admin_stoa, subscriber, what, change):
    """Refused with the SQL the subscriber needs; carried out after it; the subscription never stops."""
    orders(db, 2000)
    far = Database(subscriber)
    orders(far, 0)
    db.admin.execute(f"CREATE PUBLICATION p FOR {what}")
    slot = f"slot_{db.name}"
    with db.server.connect(db.name) as conn:
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    far.admin.execute(f"CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={db.server.port} dbname={db.name} "
                      f"user=postgres' PUBLICATION p WITH (create_slot = false, slot_name = '{slot}')")
    try:
        until(lambda: far.value("SELECT bool_and(srsubstate = 'r') AND count(*) > 0 FROM pg_subscription_rel"), 60,
              "the first copy of the subscription")
        before = db.fingerprint()
        worker = far.value("SELECT pid FROM pg_stat_subscription WHERE relid IS NULL AND pid IS NOT NULL")
        with Writers(db, "orders", WRITES, 2000):
            refused = admin_stoa.apply(*change, code=4)
            assert "--subscribers-ready" in refused.err, refused
            assert db.fingerprint() == before and db.value("SELECT to_regnamespace('stoa')") is None
            plan = admin_stoa("plan", *change, "--json").json
            statements = [risk["sql"] for risk in plan["risks"] if risk["accept"] == "--subscribers-ready" and risk["sql"]]
            assert statements, plan["risks"]
            for statement in statements:
                far.run(statement, user="postgres")
            admin_stoa.apply(*change, "--subscribers-ready")
        admin_stoa("complete", NAME, "--yes", "--force")
        end = db.value("SELECT pg_current_wal_lsn()::text")
        until(lambda: db.value("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s",
                               [end, slot]), 60, "the subscriber to catch up")
        mine = db.rows("SELECT id, amount, amount_cents FROM orders ORDER BY id")
        assert until(lambda: far.rows("SELECT id, amount, amount_cents FROM orders ORDER BY id") == mine, 30,
                     "the same rows on both sides")
        assert worker == far.value("SELECT pid FROM pg_stat_subscription WHERE relid IS NULL"), "its worker was never ended"
        assert "logical replication" not in "".join(
            line for line in subscriber.log.read_text().splitlines() if "ERROR" in line), "and reported no error"
    finally:
        far.admin.execute("ALTER SUBSCRIPTION s DISABLE")
        far.admin.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
        far.admin.execute("DROP SUBSCRIPTION s")
        until(lambda: db.value("SELECT NOT active FROM pg_replication_slots WHERE slot_name = %s", [slot]), 30, "a free slot")


def test_inactive_slot_is_named(db, admin_stoa):
    orders(db, 100)
    db.value("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [f"forgotten_{db.name}"])
    result = admin_stoa("plan", ADD, *FILL)
    assert f"forgotten_{db.name}" in result.out, str(result)


def test_writes_of_a_subscription_are_filled(db, stoa, admin_stoa, home, version):
    """The table is itself the target of a subscription: the apply worker does not know the column."""
    source = Server(home, version)
    far = Database(source)
    orders(far, 500)
    orders(db, 0)
    slot = f"in_{db.name}"
    far.admin.execute("CREATE PUBLICATION p FOR TABLE orders")
    far.value("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    db.admin.execute(f"CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={source.port} dbname={far.name} user=postgres' "
                     f"PUBLICATION p WITH (create_slot = false, slot_name = '{slot}')")
    try:
        until(lambda: db.value("SELECT count(*) FROM orders") == 500, 60, "the first copy")
        admin_stoa.apply(ADD, *FILL)
        far.run("INSERT INTO orders (id, customer_id, amount) VALUES (9001, 1, 3); UPDATE orders SET amount = 8 WHERE id = 5")
        until(lambda: db.value("SELECT amount_cents FROM orders WHERE id = 9001"), 30, "the new row, filled")
        until(lambda: db.value("SELECT amount FROM orders WHERE id = 5") == 8, 30, "the update")
        assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    finally:
        db.admin.execute("ALTER SUBSCRIPTION s DISABLE")
        db.admin.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
        db.admin.execute("DROP SUBSCRIPTION s")
        source.stop("immediate")

"""The harness itself: what the other tests rely on."""
from test.lib.database import orders
from test.lib.servers import Bouncer, Server, until

import psycopg


def test_fingerprint_sees_changes(db):
    orders(db, 100)
    before = db.fingerprint()
    assert db.fingerprint() == before
    db.run("ALTER TABLE orders ADD COLUMN x int")
    assert db.fingerprint() != before
    db.run("ALTER TABLE orders DROP COLUMN x")
    assert db.fingerprint() == before
    db.run("COMMENT ON COLUMN orders.note IS 'n'")
    assert db.fingerprint() != before


def test_standby_bouncer_and_crash(home, version):
    primary = Server(home, version, durable=True)
    standby = Server(home, version, standby_of=primary)
    with primary.connect() as conn:
        conn.execute("CREATE TABLE t AS SELECT 1 AS a")
    with standby.connect() as conn:
        until(lambda: conn.execute("SELECT to_regclass('t')").fetchone()[0], what="the table on the standby")
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone()[0]
    bouncer = Bouncer(home, primary)
    with psycopg.connect(bouncer.url("postgres"), autocommit=True) as conn:
        assert conn.execute("SELECT a FROM t").fetchone()[0] == 1
    primary.kill()
    primary.start()
    with primary.connect() as conn:
        assert conn.execute("SELECT a FROM t").fetchone()[0] == 1

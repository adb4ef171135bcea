"""What cannot be done gets a clear error, the right exit code and a hint, and changes nothing."""
import pytest

from test.lib.database import Database, orders
from test.lib.servers import Server, until
from test.lib.stoa import Stoa

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]


@pytest.fixture
def untouched(db):
    """The table is there, and the catalog is the same afterwards."""
    orders(db, 500)
    fingerprint = []

    def look():
        if not fingerprint:
            fingerprint.append(db.fingerprint())
        return fingerprint[0]

    yield look
    assert db.fingerprint() == look()
    sessions = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name LIKE 'stoa%%'")
    until(lambda: db.value(sessions) == 0, 10, "the end of the program's sessions")  # the server ends them by itself


def test_unreachable(db, stoa, untouched):
    untouched()
    result = stoa.apply(ADD, *FILL, url="postgresql://nobody@127.0.0.1:1/none", code=7)
    assert "127.0.0.1" in result.err


def test_unknown_database(db, stoa, untouched):
    untouched()
    result = stoa.apply(ADD, *FILL, url=db.server.url("nosuchdatabase"), code=7)
    assert "nosuchdatabase" in result.err


def test_wrong_password(db, stoa, untouched):
    untouched()
    with db.server.connect() as conn:
        if not conn.execute("SELECT 1 FROM pg_roles WHERE rolname = 'with_password'").fetchone():
            conn.execute("CREATE ROLE with_password LOGIN PASSWORD 'right'")
    url = db.server.url(db.name, "with_password", "wrong-secret")
    result = stoa.apply(ADD, *FILL, url=url, code=7)
    assert "password" in result.err and "wrong-secret" not in result.err + result.out
    assert stoa("plan", ADD, *FILL, url=db.server.url(db.name, "with_password", "right"), code=None).code != 2


def test_missing_privilege_names_the_grant(db, stoa, untouched):
    role = db.role("guest")
    untouched()
    result = stoa.apply(ADD, *FILL, url=db.url(role), code=7)
    assert "GRANT" in result.err, str(result)
    assert db.value("SELECT to_regnamespace('stoa')") is None


@pytest.mark.parametrize("text, args, code, words", [
    ("ALTER TABLE nosuch ADD COLUMN a int", [], 2, "nosuch"),
    ("ALTER TABLE orders ALTER COLUMN nosuch SET NOT NULL", [], 2, "nosuch"),
    (ADD, ["--backfill", "orders.amount_cents = nosuch + 1"], 2, "nosuch"),
    (ADD, ["--backfill", "orders.amount_cents = nosuch(amount)"], 2, "nosuch"),
    (ADD, ["--backfill", "orders.other = 1"], 2, "other"),
    (ADD, ["--backfill", "orders.amount_cents = count(*)"], 2, "aggregate"),
    (ADD, ["--backfill", "orders.amount_cents = 'abc'::jsonb -> 'x'"], 2, "amount_cents"),
    (ADD, ["--backfill", "orders.amount_cents = created_at"], 2, "type"),
    (ADD, ["--backfill", "orders.amount_cents = (SELECT"], 2, "syntax"),
    ("ALTER TABLE orders ADD COLUMN a nosuchtype", [], 2, "nosuchtype"),
    ("ALTER TABLE orders ADD COLUM a int", [], 2, "syntax"),
    ("", [], 2, ""),
    ("ALTER TABLE pg_catalog.pg_class ADD COLUMN a int", [], 4, "system"),
    ("ALTER TABLE orders ADD COLUMN note varchar(5)", [], 4, "note"),
])
def test_request_that_cannot_be_meant(db, stoa, untouched, text, args, code, words):
    untouched()
    result = stoa.apply(text, *args, code=code)
    assert words in result.err.lower(), str(result)


def test_view_foreign_table_and_partition(db, stoa, untouched):
    db.run("CREATE VIEW seen AS SELECT id FROM orders; CREATE MATERIALIZED VIEW kept AS SELECT id FROM orders;"
           "CREATE TABLE parts (id int, v int) PARTITION BY RANGE (id);"
           "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);"
           "CREATE TABLE child () INHERITS (orders); CREATE SEQUENCE numbers")
    db.admin.execute("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing; "
                     f"CREATE FOREIGN TABLE abroad (id int) SERVER far; ALTER FOREIGN TABLE abroad OWNER TO {db.owner}")
    untouched()
    for table, word in (("seen", "view"), ("kept", "view"), ("part_1", "partition"),
                        ("abroad", "foreign"), ("numbers", "not a table")):
        result = stoa.apply(f"ALTER TABLE {table} ADD COLUMN a int", code=4)
        assert word in result.err.lower(), str(result)


@pytest.mark.parametrize("text, args", [
    ("ALTER TABLE Orders ADD COLUMN a int", []),
    ('ALTER TABLE "Orders" ADD COLUMN a int', ["--backfill", "Orders.a = 1"]),
])
def test_name_that_differs_in_case_is_guessed(db, stoa, untouched, text, args):
    db.run('ALTER TABLE orders RENAME TO "Orders"')
    untouched()
    result = stoa.apply(text, *args, code=2)
    assert 'did you mean "Orders"?' in result.err, str(result)


def test_temporary_and_unlogged_tables(db, stoa):
    db.run("CREATE UNLOGGED TABLE fast AS SELECT i AS id, i AS v FROM generate_series(1, 500) i")
    stoa.apply("ALTER TABLE fast ADD COLUMN w int NOT NULL", "--backfill", "fast.w = v + 1")
    assert db.value("SELECT count(*) FROM fast WHERE w = v + 1") == 500


def test_column_exists(db, stoa, untouched):
    untouched()
    same = stoa.apply("ALTER TABLE orders ADD COLUMN note text", code=0)
    assert "nothing" in (same.err + same.out).lower()
    assert stoa.apply("ALTER TABLE orders ADD COLUMN note int", code=4)
    assert stoa.apply("ALTER TABLE orders ADD COLUMN IF NOT EXISTS note int", code=None).code in (0, 4)


def test_expression_that_fails_on_a_row_names_it(db, stoa, untouched):
    db.run("ALTER TABLE orders ADD COLUMN raw text; UPDATE orders SET raw = id::text; "
           "UPDATE orders SET raw = 'not a number' WHERE id = 321")
    untouched()
    result = stoa.apply("ALTER TABLE orders ADD COLUMN num int NOT NULL", "--backfill", "orders.num = raw::int",
                        "--name", "num", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "321" in result.err, f"names the row's key: {result}"


def test_expression_that_gives_null_for_not_null_names_the_row(db, stoa, untouched):
    db.run("UPDATE orders SET note = NULL WHERE id = 123")
    untouched()
    result = stoa.apply("ALTER TABLE orders ADD COLUMN len int NOT NULL", "--backfill", "orders.len = length(note)",
                        "--name", "len", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "123" in result.err, str(result)


def test_row_that_can_no_longer_be_computed_blocks_ready(db, stoa):
    """The application writes a row, after expand, whose expression fails: its write succeeds, ready does not."""
    orders(db, 500)
    db.run("ALTER TABLE orders ADD COLUMN raw text; UPDATE orders SET raw = id::text")
    stoa.apply("ALTER TABLE orders ADD COLUMN num int NOT NULL", "--backfill", "orders.num = raw::int",
               "--name", "num", "--until", "expand")
    db.run("UPDATE orders SET raw = 'broken' WHERE id = 77")
    result = stoa("resume", "num", code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "77" in result.err, str(result)
    assert stoa.status("num")["ready"] is False
    db.run("UPDATE orders SET raw = '77' WHERE id = 77")
    stoa("resume", "num")
    assert db.value("SELECT count(*) FROM orders WHERE num IS DISTINCT FROM raw::int") == 0


def test_read_only_standby(home, version, untouched, db):
    untouched()
    primary = Server(home, version)
    standby = Server(home, version, standby_of=primary)
    with primary.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, amount numeric)")
    with standby.connect() as conn:
        until(lambda: conn.execute("SELECT to_regclass('orders')").fetchone()[0], what="the table on the standby")
    program = Stoa(standby.url())
    result = program.apply(ADD, *FILL, code=4)
    assert "standby" in result.err or "recovery" in result.err, str(result)
    program.close()
    standby.stop("immediate")
    primary.stop("immediate")


def test_database_that_is_read_only(db, stoa):
    orders(db, 10)
    db.admin.execute(f"ALTER ROLE {db.owner} SET default_transaction_read_only = on")
    before = db.fingerprint()
    result = stoa.apply(ADD, *FILL, code=4)
    assert "default_transaction_read_only" in result.err
    assert db.fingerprint() == before


def test_statement_timeout_on_the_role(db, stoa):
    orders(db, 20000)
    db.admin.execute(f"ALTER ROLE {db.owner} SET statement_timeout = '30ms'")
    db.admin.execute(f"ALTER ROLE {db.owner} SET lock_timeout = '5ms'")
    db.admin.execute(f"ALTER ROLE {db.owner} SET idle_in_transaction_session_timeout = '50ms'")
    stoa.apply(ADD, *FILL)
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM amount * 100") == 0


def test_hostile_settings_on_the_role(db, stoa):
    orders(db, 500)
    for setting in ("search_path = nowhere, public", "DateStyle = 'German'", "IntervalStyle = 'sql_standard'",
                    "standard_conforming_strings = off", "bytea_output = 'escape'", "extra_float_digits = 0",
                    "default_transaction_isolation = 'serializable'", "row_security = on", "TimeZone = 'Asia/Kolkata'",
                    "client_encoding = 'LATIN1'", "lc_messages = 'C'", "enable_seqscan = off"):
        db.admin.execute(f"ALTER ROLE {db.owner} SET {setting}")
    stoa.apply(ADD, *FILL)
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM amount * 100") == 0


def test_disk_full(home, version):
    """No file may grow past 24 MB: the server says "could not extend file", as with a full disk."""
    limited = Server(home, version, file_limit=24 << 20)
    db = Database(limited)
    db.run("CREATE TABLE big (id int PRIMARY KEY, v int, w text) WITH (autovacuum_enabled = off); "
           "INSERT INTO big SELECT i, i, repeat('x', 20) FROM generate_series(1, 372000) i")
    assert 21 << 20 < db.value("SELECT pg_relation_size('big')") < 24 << 20
    program = Stoa(db.url())
    args = ["ALTER TABLE big ADD COLUMN t bigint NOT NULL", "--backfill", "big.t = v * 2"]
    result = program.apply(*args, code=1)
    assert "could not extend" in result.err or "could not write" in result.err, str(result)
    assert db.value("SELECT count(*) FROM big WHERE v IS NULL OR t <> v * 2") == 0, "no wrong row"
    limited.stop()
    limited.file_limit = None
    limited.start()
    db.run("UPDATE big SET v = v + 1 WHERE id < 100")
    program.apply(*args)
    assert db.value("SELECT count(*) FROM big WHERE t IS DISTINCT FROM v * 2") == 0
    program.close()
    limited.stop("immediate")

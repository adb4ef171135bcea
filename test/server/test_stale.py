"""stoa stale: every planted leftover is found, and nothing else; what it costs; what it says when it knows little."""
import pytest

from test.lib.database import Database
from test.lib.servers import Server, until
from test.lib.stoa import Stoa

# What an application that is well looks like: everything is used, or is there for a reason.
HEALTHY = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, name text, city text, fax text, UNIQUE (email));
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL,
    total numeric NOT NULL, created date NOT NULL, note text, currency text NOT NULL DEFAULT 'EUR', legacy_code text, old_ref text,
    CHECK (total >= 0));
CREATE TABLE visits (id bigint NOT NULL, at date NOT NULL, kind text, body text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE customers_new (id int PRIMARY KEY, v int);
CREATE TABLE log_2024 (id int PRIMARY KEY, v int);
INSERT INTO customers SELECT i, 'c' || i || '@example.com', 'name ' || i % 900, 'city ' || i % 50 FROM generate_series(1, 20000) i;
INSERT INTO orders SELECT i, 1 + i % 20000, (ARRAY['new', 'paid', 'sent'])[1 + i % 3], i, '2024-01-01'::date + i % 700,
    CASE WHEN i % 2 = 0 THEN 'note ' || i END, 'EUR', 'L' || i % 5000, 'R' || i % 4000 FROM generate_series(1, 30000) i;
INSERT INTO visits SELECT i, '2024-01-01'::date + i % 700, 'k' || i % 7, repeat('x', 60) || i FROM generate_series(1, 30000) i;
CREATE INDEX orders_by_customer ON orders (customer_id, created);
CREATE INDEX orders_by_customer_down ON orders (customer_id DESC, total);
CREATE INDEX orders_open ON orders (customer_id) WHERE status = 'new';
CREATE INDEX orders_note ON orders (note);
CREATE INDEX orders_note_like ON orders (note text_pattern_ops);
CREATE INDEX orders_lower_note ON orders (lower(note));
CREATE INDEX orders_hash ON orders USING hash (created);
CREATE INDEX customers_city ON customers (city);
CREATE INDEX visits_kind ON visits (kind);
CREATE VIEW paid AS SELECT id, total FROM orders WHERE status = 'paid';
CREATE FUNCTION city_of(c bigint) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT city FROM customers WHERE id = c); END$$;
"""

# The application's statements, which leave out orders.old_ref alone (legacy_code has an index).
WORK = """
SELECT id, email, name, fax FROM customers WHERE id = 7;
SELECT email FROM customers WHERE email = 'c7@example.com';
SELECT c.name FROM customers c WHERE c.city = 'city 7';
SELECT c.name FROM customers c WHERE c.city = 'city 7' ORDER BY c.name;
SELECT o.id, o.total, o.currency, o.status FROM orders o WHERE customer_id = 7 AND created > '2024-02-01' ORDER BY customer_id, created;
SELECT o.note FROM orders o WHERE customer_id = 8 ORDER BY customer_id DESC, total;
SELECT id FROM orders WHERE customer_id = 9 AND status = 'new';
SELECT id FROM orders ORDER BY note LIMIT 3;
SELECT id FROM orders WHERE note ~>=~ 'note 1234' AND note ~<~ 'note 1235';
SELECT id FROM orders WHERE lower(note) = 'note 10';
SELECT id FROM orders WHERE created = '2024-03-01';
SELECT kind, body FROM visits WHERE kind = 'k3';
SELECT body FROM visits_2024 WHERE id = 3 AND at = '2024-01-04';
INSERT INTO orders (id, customer_id, status, total, created, note) VALUES (100000, 1, 'new', 1, '2024-01-01', 'n');
DELETE FROM orders WHERE id = 100000;
"""

PLANTED = """
CREATE INDEX orders_legacy ON orders (legacy_code);
CREATE INDEX customers_email_again ON customers (email);
CREATE INDEX customers_city_only ON customers (city, name);
CREATE INDEX orders_ccnew ON orders (total);
ALTER TABLE orders ADD CONSTRAINT note_short CHECK (length(note) < 1000) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT to_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;
CREATE SCHEMA pgroll;
CREATE TABLE pgroll.migrations (schema name, name text, done boolean, updated_at timestamptz);
INSERT INTO pgroll.migrations VALUES ('public', '01_init', true, now() - interval '100 days');
CREATE SCHEMA public_01_init;
CREATE VIEW public_01_init.customers AS SELECT id, email FROM customers;
ALTER TABLE customers ADD COLUMN _pgroll_new_name text;
CREATE FUNCTION _pgroll_trigger_customers_name() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER _pgroll_trigger_customers_name BEFORE INSERT OR UPDATE ON customers FOR EACH ROW
    EXECUTE PROCEDURE _pgroll_trigger_customers_name();
ALTER TABLE log_2024 ADD COLUMN __reshape_0001_v int;
CREATE TABLE pgosc_st_orders_1a2b (id int PRIMARY KEY);
CREATE SCHEMA repack;
CREATE TABLE repack.log_16999 (id bigint PRIMARY KEY, pk int, row_data text);
CREATE FUNCTION repack.repack_trigger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER repack_trigger AFTER INSERT ON customers_new FOR EACH ROW EXECUTE PROCEDURE repack.repack_trigger();
CREATE SCHEMA stoa_scratch_1700000000_17_abcdef01_0;
"""

FOUND = {
    ("unused-index", "public.orders_legacy"), ("duplicate-index", "public.customers_email_again"),
    ("redundant-index", "public.customers_city"), ("invalid-index", "public.orders_twice"),
    ("invalid-index", "public.orders_ccnew"), ("not-valid-constraint", "public.orders.note_short"),
    ("not-valid-constraint", "public.orders.to_customer"), ("null-column", "public.customers.fax"),
    ("constant-column", "public.orders.currency"), ("leftover", "pgroll"), ("leftover", "public_01_init"),
    ("leftover", "public.customers._pgroll_new_name"), ("leftover", "public._pgroll_trigger_customers_name"),
    ("leftover", "public.customers._pgroll_trigger_customers_name"), ("leftover", "public.log_2024.__reshape_0001_v"),
    ("leftover", "public.pgosc_st_orders_1a2b"), ("leftover", "repack.log_16999"),
    ("leftover", "public.customers_new.repack_trigger"), ("leftover", "stoa_scratch_1700000000_17_abcdef01_0"),
    ("prepared-transaction", "forgotten"), ("inactive-slot", "nobody"),
    ("flag-always-on", "schema.public.flagged.cents.read"), ("expired-contract", "public.promised.cents"),
    ("leftover", "public.killed.zz_stoa_sync_insert"), ("leftover", "public.killed.zz_stoa_sync_update"),
}


def fill(db):
    if db.version < 11:  # no unique keys on partitioned tables, and no indexes of theirs
        pytest.fail("the healthy tables need PostgreSQL 11")
    db.run(HEALTHY)


def use(db):
    """The application at work, with every index used; its counters are handed on when the session ends."""
    db.admin.execute("ANALYZE")
    with db.server.connect(db.name, db.owner) as conn:
        conn.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        for _ in range(3):
            for statement in WORK.strip().split(";\n"):
                conn.execute(statement)


def change(stoa, table, *more, complete=True):
    stoa("apply", f"ALTER TABLE {table} ADD COLUMN cents bigint NOT NULL", "--name", f"{table}-cents", "--yes",
         "--backfill", f"{table}.cents = v * 100", *more)
    if complete:
        stoa("complete", f"{table}-cents", "--yes", "--force")


@pytest.fixture(scope="module")
def seeded(home, version):
    server = Server(home, version)
    db = Database(server, "shop")
    stoa = Stoa(db.url())
    fill(db)
    has_statements = db.server.build.has_statements()
    if has_statements:
        db.admin.execute("CREATE EXTENSION pg_stat_statements")
    for table in ("flagged", "promised", "killed", "resting"):
        db.run(f"CREATE TABLE {table} (id int PRIMARY KEY, v int NOT NULL); "
               f"INSERT INTO {table} SELECT i, i FROM generate_series(1, 2000) i")
    change(stoa, "flagged")
    change(stoa, "promised", "--expires", "2020-01-31", "--purpose", "totals in cents", "--flag", "new-totals", "--owner", "payments")
    change(stoa, "killed", complete=False)
    change(stoa, "resting", complete=False)
    db.admin.execute("UPDATE stoa.changes SET ended_at = now() - interval '40 days' WHERE name = 'flagged-cents'")
    db.admin.execute("UPDATE stoa.changes SET state = 'aborted' WHERE name = 'killed-cents'")
    db.run(PLANTED, "postgres")
    db.admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_ccnew'::regclass")
    with pytest.raises(Exception, match="could not create unique index"):
        db.admin.execute("CREATE UNIQUE INDEX CONCURRENTLY orders_twice ON orders (status)")
    db.admin.execute("SELECT pg_create_logical_replication_slot('nobody', 'test_decoding')")
    for text in ("BEGIN", "INSERT INTO log_2024 VALUES (1, 1)", "PREPARE TRANSACTION 'forgotten'"):
        db.admin.execute(text)
    if has_statements:
        db.admin.execute("SELECT pg_stat_statements_reset()")
    use(db)
    db.admin.execute("ANALYZE")
    yield db
    stoa.close()
    server.stop()


@pytest.fixture
def admin(seeded):
    program = Stoa(seeded.admin_url)
    yield program
    program.close()


def found(result):
    return {(one["kind"], one["object"]) for one in result.json["findings"]}


def test_all_that_is_planted_and_nothing_else(seeded, admin):
    wanted = set(FOUND)
    if seeded.server.build.has_statements():
        wanted |= {("unnamed-column", "public.orders.old_ref")}
    seen = {}

    def look():
        seen["result"] = admin("stale", "--json")
        return ("prepared-transaction", "forgotten") in found(seen["result"])
    until(look, 30, "the prepared transaction is old enough")
    result = seen["result"]
    more, less = found(result) - wanted, wanted - found(result)
    stoa_own = {one for one in more if one[0] == "leftover" and one[1].startswith("stoa.")}
    assert not less and not more - stoa_own, f"too much: {sorted(more)}\ntoo little: {sorted(less)}"
    oid = seeded.value("SELECT 'killed'::regclass::oid::int")
    assert stoa_own and all(f"_{oid}" in one[1] for one in stoa_own), f"of another table: {stoa_own}"
    assert all(one["evidence"] and one["do"] and one["confidence"] in ("high", "medium", "low") for one in result.json["findings"])


def test_what_is_said_of_them(seeded, admin):
    result = admin("stale", "--json")
    by = {(one["kind"], one["object"]): one for one in result.json["findings"]}
    legacy = by["unused-index", "public.orders_legacy"]
    assert legacy["bytes"] > 100_000 and legacy["do"] == "stoa apply 'DROP INDEX public.orders_legacy'"
    assert "no scan of (legacy_code) on orders" in legacy["evidence"] and legacy["confidence"] == "low", "counted for minutes only"
    assert by["duplicate-index", "public.customers_email_again"]["confidence"] == "high"
    assert "customers_email_key (email), which is unique" in by["duplicate-index", "public.customers_email_again"]["evidence"]
    assert "customers_city_only (city, name)" in by["redundant-index", "public.customers_city"]["evidence"]
    assert "refuses duplicates" in by["invalid-index", "public.orders_twice"]["evidence"]
    assert "REINDEX CONCURRENTLY" in by["invalid-index", "public.orders_ccnew"]["evidence"]
    fax = by["null-column", "public.customers.fax"]
    assert fax["confidence"] == "high" and "NULL in all of 20,000 rows" in fax["evidence"] and fax["do"] == "stoa retire public.customers.fax"
    assert by["constant-column", "public.orders.currency"]["confidence"] in ("medium", "low")
    if ("unnamed-column", "public.orders.old_ref") in by:
        old = by["unnamed-column", "public.orders.old_ref"]
        assert "% covered" in old["evidence"] and "transactions counted" in old["evidence"] and old["confidence"] == "low"
        assert result.json["coverage"]["calls"] > 0 and result.json["coverage"]["evicted"] == 0
    cost = result.json["cost"]
    assert cost["questions"] >= 8 and cost["ms"] < 5000 and cost["longest"]
    text = admin("stale")
    assert "cost: " in text.out and "no table was read" in text.out and "public.orders_legacy" in text.out


def test_ignored_and_failing(seeded, admin):
    everything = found(admin("stale", "--json"))
    admin("stale", "--fail-confidence", "high", code=4)
    rest = found(admin("stale", "--json", "--ignore", "leftover", "--ignore", "public.orders_*", "--ignore", "customers.fax",
                            "--ignore", "constant-column:public.*", "--ignore", "not-valid-constraint"))
    gone = everything - rest
    assert {one for one in everything if one[0] in ("leftover", "not-valid-constraint", "constant-column")} <= gone
    assert ("null-column", "public.customers.fax") in gone and ("unused-index", "public.orders_legacy") in gone
    assert ("redundant-index", "public.customers_city") in rest and ("expired-contract", "public.promised.cents") in rest
    result = admin("stale", "--ignore", "*", "--fail-confidence", "low")
    assert "nothing to remove was found" in result.out and f"{len(everything)} ignored" in result.out


def test_nothing_in_an_empty_database(db, stoa):
    result = stoa("stale", "--json")
    assert result.json["findings"] == []
    assert {one["what"] for one in result.json["unknown"]} == {"columns that no statement names"}, "every question has an answer"
    db.run("CREATE TABLE orders (id bigint PRIMARY KEY, note text, amount int NOT NULL, CHECK (amount > 0)); "
           "CREATE INDEX ON orders (note); INSERT INTO orders SELECT i, 'n' || i, i FROM generate_series(1, 500) i; ANALYZE orders")
    result = stoa("stale", "--json", "--fail-confidence", "low")
    assert result.json["findings"] == [], "an index of a small table tells nothing"
    assert any("pg_stat_statements" in one["why"] and one["fix"] for one in result.json["unknown"])


def test_it_is_cheap_with_2000_tables(db, admin_stoa):
    db.run("DO $$BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, a int, b text, c date, d int, "
           "e numeric, f text); CREATE INDEX ON t%s (a, b); CREATE INDEX ON t%s (c)', i, i, i); IF i % 200 = 0 THEN COMMIT; END IF; "
           "END LOOP; END$$" if db.version >= 11 else
           "".join(f"CREATE TABLE t{i} (id bigint PRIMARY KEY, a int, b text); CREATE INDEX ON t{i} (a, b);" for i in range(2000)))
    db.admin.execute("ANALYZE")
    if db.server.build.has_statements():
        db.admin.execute("CREATE EXTENSION pg_stat_statements")
    db.run("CREATE INDEX ON t77 (a)")
    with db.connect() as holder:  # nothing waits for a table that somebody has locked
        holder.autocommit = False
        holder.execute("LOCK TABLE t1 IN ACCESS EXCLUSIVE MODE")
        result = admin_stoa("stale", "--json")
        holder.rollback()
    assert [(one["kind"], one["object"]) for one in result.json["findings"]] == [("redundant-index", "public.t77_a_idx")]
    print(f"2,000 tables: {result.json['cost']} in {result.seconds:.2f} s")
    assert result.json["cost"]["all_ms"] < 5000, result.json["cost"]


def test_replicas_count(home, version):
    primary = Server(home, version)
    standby = Server(home, version, standby_of=primary)
    with primary.connect() as conn:
        conn.execute("CREATE DATABASE shop")
    with primary.connect("shop") as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, a int, b int)")
        conn.execute("INSERT INTO orders SELECT i, i, i FROM generate_series(1, 60000) i")
        conn.execute("CREATE INDEX orders_a ON orders (a)")
        conn.execute("CREATE INDEX orders_b ON orders (b)")
        conn.execute("VACUUM ANALYZE orders")
        until(lambda: conn.execute("SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication").fetchone()[0], 30,
              "the standby has all")
    with standby.connect("shop") as conn:
        conn.execute("SET enable_seqscan = off; SELECT id FROM orders WHERE b = 3")
    stoa = Stoa(primary.url("shop", "postgres"))
    alone = {one["object"]: one for one in stoa("stale", "--json").json["findings"]}
    assert set(alone) == {"public.orders_a", "public.orders_b"}
    assert "1 of 1 standbys were not asked (--replicas)" in alone["public.orders_a"]["evidence"]

    def both():
        result = stoa("stale", "--json", "--replicas", standby.url("shop", "postgres"))
        return {one["object"]: one for one in result.json["findings"]}
    until(lambda: set(both()) == {"public.orders_a"}, 20, "the standby's use of orders_b counts")
    assert "on this server and on 1 replica" in both()["public.orders_a"]["evidence"]
    gone = stoa("stale", "--json", "--replicas", "postgres://postgres@127.0.0.1:1/shop").json
    assert any("replica" in one["what"] for one in gone["unknown"])
    stoa.close()
    standby.stop()
    primary.stop()

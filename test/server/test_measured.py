"""Plans are measured on an empty copy: what the plan says by rule is what the server does, and what the server
refuses is refused before anything is changed."""
import signal

import pytest
from psycopg import sql

from test.lib.database import orders, scratch_databases
from test.lib.servers import until

SCRATCH = "SELECT count(*) FROM pg_database WHERE datname ~ '^stoa_scratch_.*_.*_'"  # but those that are kept
BACKFILL = ["--backfill", "orders.c = (amount * 100)::bigint"]
SHAPES = [
    ("ALTER TABLE orders ADD COLUMN c bigint", []),
    ("ALTER TABLE orders ADD COLUMN c bigint NOT NULL DEFAULT 5", []),
    ("ALTER TABLE orders ADD COLUMN c bigint NOT NULL", BACKFILL),
    ("ALTER TABLE orders ADD COLUMN c bigint", BACKFILL),
    ("ALTER TABLE orders ADD COLUMN c bigint CHECK (c > 0)", BACKFILL),
    ("ALTER TABLE orders ADD COLUMN c bigint UNIQUE", ["--backfill", "orders.c = id"]),
    ("ALTER TABLE orders ADD COLUMN c int REFERENCES customers", ["--backfill", "orders.c = customer_id"]),
    ("ALTER TABLE orders ADD COLUMN c timestamptz NOT NULL DEFAULT clock_timestamp()", []),
    ("ALTER TABLE orders ADD COLUMN c timestamptz NOT NULL DEFAULT now()", []),
    ("ALTER TABLE orders ADD COLUMN c bigserial", []),
    ("ALTER TABLE orders ADD COLUMN c bigint GENERATED ALWAYS AS IDENTITY", []),
    ("ALTER TABLE orders ALTER note SET NOT NULL", ["--backfill", "orders.note = status"]),
    ("ALTER TABLE orders ALTER status DROP NOT NULL", []),
    ("ALTER TABLE orders ALTER note SET DEFAULT 'n'", []),
    ("ALTER TABLE orders ALTER status DROP DEFAULT", []),
    ("ALTER TABLE orders ADD CONSTRAINT k CHECK (amount >= 0)", []),
    ("ALTER TABLE orders ADD CONSTRAINT k CHECK (amount >= 0) NOT VALID", []),
    ("ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (customer_id) REFERENCES customers", []),
    ("ALTER TABLE orders ADD CONSTRAINT k UNIQUE (customer_id, id)", []),
    ("ALTER TABLE orders ADD CONSTRAINT k UNIQUE USING INDEX made", []),
    ("ALTER TABLE orders VALIDATE CONSTRAINT later", []),
    ("CREATE INDEX k ON orders (lower(status)) WHERE amount > 10", []),
    ("DROP INDEX orders_customer_id_idx", []),
    ("COMMENT ON COLUMN orders.note IS 'x'", []),
    ("ALTER TABLE orders ALTER note SET STATISTICS 500", []),
    ("ALTER TABLE orders ALTER note SET STORAGE EXTERNAL", []),
    ("ALTER TABLE orders SET (fillfactor = 80)", []),
    ("ALTER TABLE orders REPLICA IDENTITY FULL", []),
    ("ALTER TABLE orders CLUSTER ON orders_pkey", []),
    ("ALTER TABLE orders DISABLE TRIGGER own", []),
    ("ALTER TABLE orders RENAME CONSTRAINT later TO sooner", []),
    ("ALTER INDEX orders_customer_id_idx RENAME TO k", []),
]


@pytest.fixture
def shop(db):
    orders(db, 3000)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99);"
           "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
           "CREATE TRIGGER own AFTER INSERT ON orders FOR EACH ROW EXECUTE PROCEDURE own();"
           "ALTER TABLE orders ADD CONSTRAINT later CHECK (amount >= 0) NOT VALID;"
           "CREATE UNIQUE INDEX made ON orders (id, status)")
    return db


def test_rules_are_what_the_server_does(shop, admin_stoa):
    """Every shape of change: the same steps, locks, scans and digest by rule and by measurement."""
    measured = 0
    for text, args in SHAPES:
        told = admin_stoa("plan", text, *args, "--json").json
        ruled = admin_stoa("plan", text, *args, "--probe", "off", "--json").json
        assert "unmeasured" not in [risk["id"] for risk in told["risks"]], (text, told["risks"])
        for step, rule in zip(told["steps"], ruled["steps"]):
            if step["kind"] in ("ddl", "validate"):
                assert step["evidence"] == "measured", (text, step)
                measured += 1
            for key in ("lock", "lock_on", "scans", "rewrites", "sql"):
                assert step[key] == rule[key], (text, key, step, rule)
        assert told["plan_digest"] == ruled["plan_digest"], text
    assert measured > len(SHAPES)
    assert shop.value(SCRATCH) == 0


REFUSED = [
    ("CREATE INDEX k ON orders (lower(statsu))", "statsu"),
    ("ALTER TABLE orders ADD COLUMN m int NOT NULL DEFAULT 'fvie'", "fvie"),
    ("ALTER TABLE orders ADD CONSTRAINT k CHECK (amuont > 0)", "amuont"),
    ("ALTER TABLE orders SET (filfactor = 80)", "filfactor"),
    ("ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (status) REFERENCES customers", "status"),
]


@pytest.mark.parametrize("text, words", REFUSED)
def test_what_the_server_refuses_is_refused_by_plan(shop, admin_stoa, text, words):
    before = shop.fingerprint()
    for verb in (["plan"], ["apply", "--yes"]):
        result = admin_stoa(*verb, text, code=None)
        assert result.code in (2, 4) and words in result.err, str(result)
    assert shop.fingerprint() == before and shop.value(SCRATCH) == 0
    assert admin_stoa("status", "--all", "--json").json["changes"] == []


def test_role_that_may_make_nothing(shop, stoa):
    stoa.apply("COMMENT ON TABLE orders IS 'x'")  # the journal, which needs CREATE on the database on first use
    shop.admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(shop.name)))
    plan = stoa("plan", "ALTER TABLE orders ADD COLUMN c int", "--json").json
    (note,) = [risk for risk in plan["risks"] if risk["id"] == "unmeasured"]
    assert note["accept"] is None and "CREATEDB" in note["sql"], note
    assert plan["steps"][0]["evidence"] != "measured"
    quiet = stoa("plan", "ALTER TABLE orders ADD COLUMN c int", "--probe", "off", "--json").json
    assert "unmeasured" not in [risk["id"] for risk in quiet["risks"]]
    assert quiet["plan_digest"] == plan["plan_digest"]


def test_role_with_createdb_measures(shop, stoa):
    shop.admin.execute(f"ALTER ROLE {shop.owner} CREATEDB")
    plan = stoa("plan", "ALTER TABLE orders ADD COLUMN c bigint NOT NULL", *BACKFILL, "--json").json
    assert "measured" in [step["evidence"] for step in plan["steps"]], plan["risks"]
    stoa.apply("ALTER TABLE orders ADD COLUMN c bigint NOT NULL", *BACKFILL)
    assert shop.value(SCRATCH) == 0
    assert shop.value("SELECT count(*) FROM orders WHERE c IS DISTINCT FROM (amount * 100)::bigint") == 0


ADD = "ALTER TABLE orders ADD COLUMN c int"


@pytest.fixture
def maker(shop):
    shop.admin.execute(f"ALTER ROLE {shop.owner} CREATEDB")
    return shop


def kept(db):
    return scratch_databases(db.admin, db.value("SELECT oid FROM pg_database WHERE datname = current_database()"))


def is_measured(plan):
    return not [risk for risk in plan["risks"] if risk["id"] == "unmeasured"] and plan["steps"][0]["evidence"] == "measured"


def relations_in(db, name):
    with db.server.connect(name) as conn:
        return conn.execute("SELECT count(*) FROM pg_class WHERE oid >= 16384").fetchone()[0]


def test_plans_at_once_are_all_measured(maker, stoa):
    before = maker.fingerprint()
    running = [stoa.start("plan", ADD, "--json") for _ in range(4)]
    assert all(is_measured(one.wait().json) for one in running)
    (name,) = kept(maker)
    assert maker.value(SCRATCH) == 0 and relations_in(maker, name) == 0 and maker.fingerprint() == before


def paused_in_the_midst(db, stoa):
    running = stoa.start("plan", ADD, "--json", env={"STOA_FAILPOINT": "clone_made=pause"})
    until(lambda: running.is_stopped)
    assert relations_in(db, kept(db)[0]) > 0
    return running


def test_killed_in_the_midst(maker, stoa):
    running = paused_in_the_midst(maker, stoa)
    other = stoa("plan", ADD, "--json")
    assert is_measured(other.json) and maker.value(SCRATCH) == 0, "a stopped one is in nobody's way"
    running.kill()
    (name,) = kept(maker)
    assert relations_in(maker, name) > 0
    until(lambda: maker.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]) == 0)
    assert is_measured(stoa("plan", ADD, "--json").json)
    assert kept(maker) == [name] and relations_in(maker, name) == 0


def test_interrupted_in_the_midst(maker, stoa):
    running = paused_in_the_midst(maker, stoa)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        running.signal(number)
    assert running.wait(None).code != 0
    (name,) = kept(maker)
    assert relations_in(maker, name) == 0 and maker.value(SCRATCH) == 0


def holds_the_copy(db, stoa, name):
    """Or scratch schemas do."""
    running = stoa.start("plan", ADD, "--json", env={"STOA_FAILPOINT": "clone_made=pause"})
    until(lambda: running.is_stopped)
    there = relations_in(db, name) > 0
    running.signal(signal.SIGCONT)
    assert is_measured(running.wait().json)
    return there


def test_a_superuser_may_make_it_for_a_role_without_createdb(shop, stoa):
    name = shop.value("SELECT format('stoa_scratch_%%s_%%s', d.oid, r.oid) FROM pg_database d, pg_roles r "
                      "WHERE datname = current_database() AND rolname = %s", [shop.owner])
    shop.admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier(shop.owner)))
    assert holds_the_copy(shop, stoa, name) is False, "without the comment it is not ours"
    shop.admin.execute(sql.SQL("COMMENT ON DATABASE {} IS 'empty copy in which Stoa tries statements out; may be dropped'")
                       .format(sql.Identifier(name)))
    for _ in range(2):
        assert holds_the_copy(shop, stoa, name)
    assert relations_in(shop, name) == 0


def test_thousand_tables_in_the_database(maker, stoa):
    maker.run("DO $$BEGIN FOR i IN 1..1000 LOOP EXECUTE format('CREATE TABLE many_%s (id int, note text)', i); END LOOP; END$$")
    assert is_measured(stoa("plan", ADD, "--json").json)
    assert is_measured(stoa("plan", ADD, "--json").json)
    (name,) = kept(maker)
    assert relations_in(maker, name) == 0


def test_a_hundred_tables_that_point_at_it(maker, stoa):
    """More than fit in one transaction's share of the lock table; all of them are emptied again."""
    maker.run("DO $$BEGIN FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE many_%s (id serial PRIMARY KEY, "
              "o bigint REFERENCES orders)', i); END LOOP; END$$")
    assert is_measured(stoa("plan", ADD, "--json").json)
    (name,) = kept(maker)
    assert relations_in(maker, name) == 0


ABOUT_OTHERS = [  # statement, [(relation, lock)]
    ("CREATE TYPE state AS ENUM ('x')", []),
    ("ALTER TYPE mood ADD VALUE 'c'", []),
    ("CREATE VIEW v2 AS SELECT o.id, c.id AS customer FROM orders o JOIN customers c ON c.id = o.customer_id", []),
    ("CREATE OR REPLACE VIEW v_orders AS SELECT id, amount, note FROM orders", [("public.v_orders", "ACCESS EXCLUSIVE")]),
    ("DROP SEQUENCE nums", [("public.nums", "ACCESS EXCLUSIVE")]),
    ("DROP MATERIALIZED VIEW mv", [("public.mv", "ACCESS EXCLUSIVE")]),
    ("CREATE TABLE fresh (id int PRIMARY KEY, o bigint REFERENCES orders)", [("public.orders", "SHARE ROW EXCLUSIVE")]),
    ("CREATE FUNCTION f(mood) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orders'", []),
    ("DO $$BEGIN ALTER TABLE orders ADD COLUMN zz mood; END$$", [("public.orders", "ACCESS EXCLUSIVE")]),
]


def test_statements_about_no_table_of_their_own(shop, admin_stoa):
    """Types, views, sequences: what they name is in the copy, and the server's locks on it are the plan's."""
    shop.run("CREATE TYPE mood AS ENUM ('a', 'b'); CREATE SEQUENCE nums; CREATE VIEW v_orders AS SELECT id, amount FROM orders;"
             "CREATE MATERIALIZED VIEW mv AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY 1;"
             "CREATE DOMAIN short AS text; CREATE TABLE d (s short); INSERT INTO d VALUES ('x')")
    before = shop.fingerprint()
    for text, locks in ABOUT_OTHERS:
        plan = admin_stoa("plan", text, "--json").json
        assert [risk for risk in plan["risks"] if risk["id"] == "unmeasured"] == [], (text, plan["risks"])
        step = next(step for step in plan["steps"] if step["kind"] in ("ddl", "long", "outside"))
        outside = shop.version < 12 and text.startswith("ALTER TYPE")
        assert step["evidence"] == "measured" or outside, (text, step)
        assert list(zip(step["lock_on"], step["lock_modes"])) == locks, (text, step)
    refused = admin_stoa("plan", "ALTER DOMAIN short ADD CHECK (VALUE <> 'y')", code=4)
    assert "read the whole of public.d while it holds" in refused.err, "a table that the statement does not name"
    assert shop.fingerprint() == before

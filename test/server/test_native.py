"""Statements that are carried out as written: in short bounded steps, in the right order, with a way back, and with
nothing to do where what they ask is there already. The application writes all the while."""
import time

import psycopg
import pytest

from test.lib.database import orders
from test.lib.writers import Writers

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, %(n)s %% 50, %(m)s)",
          "SELECT count(*) FROM order_list WHERE id = %(n)s"]
PROBE = ["--probe", "on"]
OTHERS = """
SELECT 'type', t.oid::regtype::text, concat_ws(' ', typtype, typnotnull, typdefault, typowner::regrole, typacl,
       (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
       (SELECT string_agg(pg_get_constraintdef(c.oid) || convalidated, ',' ORDER BY conname) FROM pg_constraint c WHERE contypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('stoa', 'information_schema')
UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', prosrc, provolatile, proowner::regrole, proacl, proconfig)
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('stoa', 'information_schema')
UNION ALL SELECT 'policy', polrelid::regclass || '.' || polname, concat_ws(' ', polcmd, polroles::text, pg_get_expr(polqual, polrelid))
FROM pg_policy
UNION ALL SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('v', 'm') AND nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'rule', ev_class::regclass || '.' || rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r
WHERE rulename <> '_RETURN' AND ev_class >= 16384
UNION ALL SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description WHERE objoid >= 16384
AND pg_describe_object(classoid, objoid, objsubid) !~ 'stoa'
UNION ALL SELECT 'statistics', stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
UNION ALL SELECT 'sequence', seqrelid::regclass::text, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqcycle)
FROM pg_sequence WHERE seqrelid::regclass::text !~ '^stoa'
ORDER BY 1, 2, 3
"""


@pytest.fixture
def shop(db):
    orders(db)
    db.admin.execute(f'ALTER ROLE "{db.owner}" CREATEDB')
    db.run("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN percent AS int CHECK (VALUE <= 100);"
           "CREATE TYPE pair AS (a int, b text); CREATE SEQUENCE numbers; CREATE VIEW order_list AS SELECT id, amount FROM orders;"
           "CREATE MATERIALIZED VIEW sums AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY 1;"
           "CREATE UNIQUE INDEX ON sums (customer_id);"
           "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
           "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';"
           "CREATE TRIGGER old_trigger BEFORE UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE quiet();"
           "CREATE POLICY old_policy ON orders USING (true); CREATE STATISTICS old_statistics ON customer_id, status FROM orders;"
           "CREATE SCHEMA extra")
    return db


@pytest.fixture
def busy(shop):
    with Writers(shop, "orders", WRITES, 2000) as writers:
        yield writers


def everything(db):
    return [*db.fingerprint(), *[tuple(map(str, row)) for row in db.rows(OTHERS)]]


def done(result):
    return "nothing" in (result.out + result.err).lower()


# what is asked, what must then be true, the first version, whether another change that asks the same has nothing to do
CASES = {
    "schema": ("CREATE SCHEMA shop2", "to_regnamespace('shop2') IS NOT NULL", 10, True),
    "sequence": ("CREATE SEQUENCE s INCREMENT 5 START 10", "(SELECT seqincrement = 5 FROM pg_sequence WHERE seqrelid = 's'::regclass)", 10, True),
    "enum": ("CREATE TYPE size AS ENUM ('s', 'it''s')", "enum_range(NULL::size)::text[] = ARRAY['s', 'it''s']", 10, True),
    "composite": ("CREATE TYPE point3 AS (x float, y float)", "to_regtype('point3') IS NOT NULL", 10, True),
    "range": ("CREATE TYPE float_range AS RANGE (subtype = float8)", "to_regtype('float_range') IS NOT NULL", 10, True),
    "domain": ("CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%') NOT NULL", "to_regtype('email') IS NOT NULL", 10, True),
    "table": ("CREATE TABLE items (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,"
              " n int DEFAULT 1 CHECK (n > 0)); CREATE INDEX CONCURRENTLY items_order ON items (order_id);"
              " ALTER TABLE items ADD COLUMN note text NOT NULL, ADD CONSTRAINT e EXCLUDE USING btree (n WITH =);"
              " COMMENT ON TABLE items IS 'x'; GRANT SELECT ON items TO PUBLIC;"
              " CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW EXECUTE PROCEDURE quiet()",
              "(SELECT count(*) = 1 FROM pg_trigger WHERE tgname = 't') AND (SELECT indisvalid FROM pg_index WHERE indexrelid ="
              " 'items_order'::regclass) AND has_table_privilege('public', 'items', 'SELECT')", 10, False),
    "plain table": ("CREATE TABLE extra.plain (a int PRIMARY KEY, b text DEFAULT 'x' NOT NULL, CHECK (a > 0))",
                    "to_regclass('extra.plain') IS NOT NULL", 10, True),
    "like": ("CREATE TABLE copy (LIKE orders INCLUDING ALL)", "to_regclass('copy') IS NOT NULL", 10, False),
    "table as": ("CREATE TABLE big AS SELECT * FROM orders WHERE amount > 10", "(SELECT count(*) > 1000 FROM big)", 10, False),
    "select into": ("SELECT id INTO ids FROM orders", "(SELECT count(*) > 1000 FROM ids)", 10, False),
    "view": ("CREATE VIEW v AS SELECT id, status FROM orders WHERE amount > 1; COMMENT ON VIEW v IS 'v'; GRANT SELECT ON v TO PUBLIC",
             "has_table_privilege('public', 'v', 'SELECT') AND obj_description('v'::regclass) = 'v'", 10, False),
    "plain view": ("CREATE VIEW v AS SELECT id, status FROM orders WHERE amount > 1", "to_regclass('v') IS NOT NULL", 10, True),
    "replaced view": ("CREATE OR REPLACE VIEW order_list AS SELECT id, amount FROM orders WHERE id > 0",
                      "pg_get_viewdef('order_list'::regclass) ~ 'WHERE'", 10, True),
    "materialized view": ("CREATE MATERIALIZED VIEW m AS SELECT status, count(*) AS n FROM orders GROUP BY 1; CREATE UNIQUE INDEX m_key ON m (status)",
                          "(SELECT count(*) = 3 FROM m) AND to_regclass('m_key') IS NOT NULL", 10, False),
    "function": ("CREATE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2'; REVOKE ALL ON FUNCTION half(int) FROM PUBLIC",
                 "half(4) = 2 AND NOT has_function_privilege('public', 'half(int)', 'EXECUTE')", 10, False),
    "plain function": ("CREATE FUNCTION half(n int, m int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / $2'", "half(4) = 2", 10, True),
    "replaced function": ("CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $1'",
                          "(SELECT prosrc ~ '[+]' FROM pg_proc WHERE oid = 'twice(int)'::regprocedure)", 10, True),
    "procedure": ("CREATE PROCEDURE go(n int) LANGUAGE plpgsql AS $$BEGIN NULL; END$$", "to_regprocedure('go(int)') IS NOT NULL", 11, True),
    "aggregate": ("CREATE AGGREGATE longest(text) (sfunc = textcat, stype = text)", "to_regprocedure('longest(text)') IS NOT NULL", 10, False),
    "operator": ("CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, PROCEDURE = int4eq)", "1 OPERATOR(public.===) 1", 10, False),
    "policy": ("CREATE POLICY p ON orders FOR SELECT USING (amount > 0)", "EXISTS (SELECT FROM pg_policy WHERE polname = 'p')", 10, True),
    "rls": ("ALTER TABLE orders FORCE ROW LEVEL SECURITY; ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "(SELECT relrowsecurity FROM pg_class WHERE oid = 'orders'::regclass)", 10, False),
    "trigger": ("CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW WHEN (NEW.id > 5) EXECUTE PROCEDURE quiet()",
                "EXISTS (SELECT FROM pg_trigger WHERE tgname = 't')", 10, True),
    "swapped trigger": ("DROP TRIGGER IF EXISTS old_trigger ON orders; CREATE TRIGGER old_trigger AFTER UPDATE ON orders FOR EACH ROW"
                        " EXECUTE PROCEDURE quiet()", "(SELECT tgtype & 2 = 0 FROM pg_trigger WHERE tgname = 'old_trigger')", 10, False),
    "rule": ("CREATE RULE r AS ON DELETE TO order_list DO INSTEAD NOTHING", "EXISTS (SELECT FROM pg_rules WHERE rulename = 'r')", 10, True),
    "statistics": ("CREATE STATISTICS st (dependencies) ON customer_id, status FROM orders",
                   "EXISTS (SELECT FROM pg_statistic_ext WHERE stxname = 'st')", 10, False),
    "collation": ("CREATE COLLATION nordic (lc_collate = 'C', lc_ctype = 'C')", "EXISTS (SELECT FROM pg_collation WHERE collname = 'nordic')", 10, False),
    "text search": ("CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)", "EXISTS (SELECT FROM pg_ts_config WHERE cfgname = 'plain')", 10, False),
}


@pytest.mark.parametrize("name", CASES)
def test_made_under_writers_and_taken_back(shop, stoa, busy, name):
    text, look, since, again = CASES[name]
    if shop.version < since:
        stoa("plan", text, code=None)
        return
    before = everything(shop)
    plan = stoa("plan", text, *PROBE, "--json").json
    assert plan["steps"], plan
    stoa.apply(text, "--name", "one", "--until", "constrain", *PROBE)
    assert shop.value(f"SELECT {look}"), "it is there"
    stoa("abort", "one", "--yes")
    now = everything(shop)
    assert now == before, f"+ {set(now) - set(before)} - {set(before) - set(now)}"
    stoa.apply(text, "--name", "two", *PROBE)
    assert shop.value(f"SELECT {look}")
    assert done(stoa.apply(text, "--name", "two", *PROBE)), "the journal knows it"
    if again:
        (result,) = [stoa.apply(text, "--name", "three", *PROBE)]
        assert done(result), f"the catalog says that it is there: {result}"
    assert busy.mark() < 1.0


# what only `complete` takes away, and what is so until then
CONTRACTS = {
    "drop view": ("DROP VIEW order_list", "to_regclass('order_list') IS NULL"),
    "drop function": ("DROP FUNCTION twice(int)", "to_regprocedure('twice(int)') IS NULL"),
    "drop type": ("DROP TYPE mood, pair", "to_regtype('mood') IS NULL AND to_regtype('pair') IS NULL"),
    "drop trigger": ("DROP TRIGGER old_trigger ON orders", "NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'old_trigger')"),
    "drop policy": ("DROP POLICY old_policy ON orders", "NOT EXISTS (SELECT FROM pg_policy)"),
    "drop sequence": ("DROP SEQUENCE numbers", "to_regclass('numbers') IS NULL"),
    "drop schema": ("DROP SCHEMA extra", "to_regnamespace('extra') IS NULL"),
    "drop statistics": ("DROP STATISTICS old_statistics", "NOT EXISTS (SELECT FROM pg_statistic_ext)"),
    "rename view": ("ALTER VIEW order_list RENAME TO list", "to_regclass('list') IS NOT NULL"),
    "move type": ("ALTER TYPE mood SET SCHEMA extra", "to_regtype('extra.mood') IS NOT NULL"),
    "rename value": ("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "'blue'::text = ANY (enum_range(NULL::mood)::text[])"),
    "revoke": ("REVOKE ALL ON FUNCTION twice(int) FROM PUBLIC", "NOT has_function_privilege('public', 'twice(int)', 'EXECUTE')"),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_what_the_old_application_may_use_goes_with_complete(shop, stoa, name):
    text, look = CONTRACTS[name]
    stoa.apply(text, "--name", "c", *PROBE)
    assert stoa.status("c")["state"] == "ready"
    assert not shop.value(f"SELECT {look}"), "not before complete"
    writes = WRITES if "view" not in name else WRITES[:2]
    with Writers(shop, "orders", writes, 2000) as writers:
        stoa("complete", "c", "--yes")
        assert shop.value(f"SELECT {look}")
        assert writers.mark() < 1.0
    assert stoa.status("c")["state"] == "completed"


# what changes something that is there, and has no way back
ALTERS = {
    "enum value": ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad' AFTER 'ok'", "enum_range(NULL::mood)::text = '{sad,ok,glad}'"),
    "sequence": ("ALTER SEQUENCE numbers RESTART WITH 100", "nextval('numbers') >= 100"),
    "function": ("ALTER FUNCTION twice(int) IMMUTABLE", "(SELECT provolatile = 'i' FROM pg_proc WHERE proname = 'twice')"),
    "domain": ("ALTER DOMAIN percent ADD CONSTRAINT low CHECK (VALUE >= 0)", "(SELECT convalidated FROM pg_constraint WHERE conname = 'low')"),
    "domain default": ("ALTER DOMAIN percent SET DEFAULT 5", "(SELECT typdefault = '5' FROM pg_type WHERE typname = 'percent')"),
    "composite": ("ALTER TYPE pair ADD ATTRIBUTE c date", "(SELECT count(*) = 3 FROM pg_attribute WHERE attrelid = 'pair'::regclass)"),
    "policy": ("ALTER POLICY old_policy ON orders USING (amount > 1)", "(SELECT pg_get_expr(polqual, polrelid) ~ '1' FROM pg_policy)"),
    "view column": ("ALTER VIEW order_list ALTER COLUMN amount SET DEFAULT 3", "(SELECT count(*) = 1 FROM pg_attrdef WHERE adrelid = 'order_list'::regclass)"),
    "index": ("ALTER INDEX orders_pkey SET (fillfactor = 80)", "(SELECT 'fillfactor=80' = ANY (reloptions) FROM pg_class WHERE oid = 'orders_pkey'::regclass)"),
    "comment": ("COMMENT ON TYPE mood IS 'how'", "obj_description('mood'::regtype) = 'how'"),
    "trigger comment": ("COMMENT ON TRIGGER old_trigger ON orders IS 'how'",
                        "(SELECT obj_description(oid, 'pg_trigger') = 'how' FROM pg_trigger WHERE tgname = 'old_trigger')"),
    "view comment": ("COMMENT ON COLUMN order_list.amount IS 'how'", "col_description('order_list'::regclass, 2) = 'how'"),
    "grant": ("GRANT SELECT, INSERT ON orders TO PUBLIC", "has_table_privilege('public', 'orders', 'INSERT')"),
    "defaults": ("ALTER DEFAULT PRIVILEGES IN SCHEMA extra GRANT SELECT ON TABLES TO PUBLIC", "(SELECT count(*) = 1 FROM pg_default_acl)"),
    "refresh": ("REFRESH MATERIALIZED VIEW CONCURRENTLY sums", "true"),
    "analyze": ("ANALYZE orders; VACUUM orders", "true"),
}


@pytest.mark.parametrize("name", ALTERS)
def test_altered_under_writers(shop, stoa, busy, name):
    text, look = ALTERS[name]
    stoa.apply(text, "--name", "a", *PROBE)
    assert shop.value(f"SELECT {look}")
    assert stoa.status("a")["state"] == "completed"
    assert done(stoa.apply(text, "--name", "a", *PROBE))
    assert busy.mark() < 1.0


def test_reindex_clears_what_an_interrupted_one_left(shop, stoa, busy):
    text = "REINDEX TABLE CONCURRENTLY orders"
    if shop.version < 12:
        assert "12" in stoa("plan", text, code=2).err
        return
    node = shop.value("SELECT relfilenode FROM pg_class WHERE oid = 'orders_pkey'::regclass")
    reader = shop.connect()
    reader.execute("BEGIN; SELECT count(*) FROM orders")
    with pytest.raises(psycopg.errors.QueryCanceled):
        shop.connect(options="-c statement_timeout=300").execute("REINDEX INDEX CONCURRENTLY orders_pkey")
    left = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert shop.value(left) == 1, "an INVALID index is left"
    reader.execute("ROLLBACK")
    stoa.apply(text, *PROBE)
    assert shop.value(left) == 0
    assert shop.value("SELECT relfilenode FROM pg_class WHERE oid = 'orders_pkey'::regclass") != node


def test_one_migration_of_many_statements(shop, stoa, busy):
    """A type, a table, a column of the type, a function and a view over the column: each in its place."""
    text = """
        BEGIN;
        CREATE TYPE priority AS ENUM ('low', 'high');
        ALTER TABLE orders ADD COLUMN priority priority;
        CREATE FUNCTION is_high(o orders) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT o.priority = ''high''';
        CREATE VIEW urgent AS SELECT id FROM orders WHERE priority = 'high';
        COMMENT ON VIEW urgent IS 'x';
        CREATE TABLE watchers (id bigint PRIMARY KEY, order_id bigint REFERENCES orders (id));
        CREATE INDEX ON watchers (order_id);
        GRANT SELECT ON watchers, urgent TO PUBLIC;
        DROP FUNCTION twice(int);
        COMMIT;
    """
    before = everything(shop)
    steps = stoa("plan", text, *PROBE, "--json").json["steps"]
    order = [next(i for i, step in enumerate(steps) if word in (step["sql"] or ""))
             for word in ("CREATE TYPE", "ADD COLUMN", "is_high", "CREATE VIEW", "DROP FUNCTION")]
    assert order == sorted(order), steps
    stoa.apply(text, "--name", "m", "--until", "constrain", *PROBE)
    stoa("abort", "m", "--yes")
    assert everything(shop) == before
    stoa.apply(text, "--name", "m2", *PROBE)
    stoa("complete", "m2", "--yes")
    assert shop.value("SELECT count(*) = 0 FROM urgent") and shop.value("SELECT to_regprocedure('twice(int)') IS NULL")
    assert shop.value("SELECT count(*) FROM pg_index WHERE indrelid = 'watchers'::regclass") == 2


@pytest.mark.parametrize("text, words", [
    ("CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')", "exists with another definition"),
    ("CREATE VIEW order_list AS SELECT id FROM orders", "exists with another definition"),
    ("CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT $1'", "exists with another definition"),
    ("CREATE TRIGGER old_trigger AFTER INSERT ON orders FOR EACH ROW EXECUTE PROCEDURE quiet()", "exists with another definition"),
    ("DROP VIEW nothing", "does not exist"),
    ("DROP FUNCTION twice(text)", "does not exist"),
])
def test_what_cannot_be_meant(shop, stoa, text, words):
    before = everything(shop)
    assert words in stoa.apply(text, *PROBE, code=2).err
    assert everything(shop) == before


@pytest.mark.parametrize("text", [
    "CREATE TABLE IF NOT EXISTS orders (id int)", "DROP VIEW IF EXISTS nothing", "CREATE SCHEMA IF NOT EXISTS extra",
    "DROP FUNCTION IF EXISTS nothing(int)", "CREATE TYPE mood AS ENUM ('sad', 'ok')", "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ok'",
    "CREATE SEQUENCE IF NOT EXISTS numbers", "CREATE SCHEMA extra",
])
def test_nothing_to_do(shop, stoa, text):
    before = everything(shop)
    assert done(stoa.apply(text, *PROBE)), text
    assert everything(shop) == before


@pytest.mark.parametrize("text, words", [
    ("TRUNCATE orders", "takes away all rows"), ("CLUSTER orders USING orders_pkey", "rewrites"),
    ("VACUUM FULL orders", "rewrites"), ("REFRESH MATERIALIZED VIEW sums", "CONCURRENTLY"),
    ("REINDEX TABLE orders", "CONCURRENTLY"), ("ALTER SYSTEM SET work_mem = '1GB'", "not a change of a schema"),
    ("ALTER ROLE postgres SET work_mem = '1GB'", "not a change of a schema"), ("CREATE ROLE x", "not a change of a schema"),
    ("INSERT INTO orders VALUES (1)", "backfill"), ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "another server"),
    ("REASSIGN OWNED BY a TO b", "OWNER TO"), ("CALL p()", "procedure"), ("ALTER TABLE orders SET UNLOGGED", "writes all of"),
    ("CREATE TEMP TABLE x (a int)", "temporary"), ("ALTER TABLE orders DISABLE TRIGGER ALL", "TRIGGER ALL"),
])
def test_refused_with_reason_and_way(shop, stoa, text, words):
    result = stoa("plan", text, code=4)
    assert words in result.err and "hint" in result.err, str(result)
    assert "supported" not in result.err


def test_locks_of_the_plan_are_bounded(shop, stoa):
    """A long reader of a table in the way: writers never wait behind the attempts, and the error names who it was."""
    reader = shop.connect()
    reader.execute("BEGIN; SELECT count(*) FROM orders")
    with Writers(shop, "orders", WRITES, 2000) as writers:
        time.sleep(0.3)
        writers.mark()
        result = stoa.apply("CREATE POLICY p ON orders USING (true)", "--lock-wait", "3s", *PROBE, code=5)
        assert "orders" in result.err, str(result)
        assert writers.mark() < 0.5
    reader.execute("ROLLBACK")
    assert not shop.value("SELECT count(*) FROM pg_policy WHERE polname = 'p'")


def test_view_in_use_is_replaced_between_its_readers(shop, stoa, busy):
    reader = shop.connect()
    reader.execute("BEGIN; SELECT count(*) FROM order_list")
    text = "CREATE OR REPLACE VIEW order_list AS SELECT id, amount FROM orders WHERE id > 0"
    busy.mark()
    stoa.apply(text, "--lock-wait", "2s", *PROBE, code=5)
    assert busy.mark() < 0.5, "readers of the view do not wait behind the attempts"
    reader.execute("ROLLBACK")
    stoa.apply(text, *PROBE)


def test_what_no_rule_tells_must_be_measured(shop, stoa):
    db = shop
    db.run("CREATE TABLE prices (p percent); INSERT INTO prices SELECT 5 FROM generate_series(1, 100)")
    text = "ALTER DOMAIN percent SET NOT NULL"
    assert "was not measured" in stoa("plan", text, "--probe", "off", code=4).err
    result = stoa("plan", text, *PROBE, code=4)
    assert "prices" in result.err and "SHARE" in result.err, str(result)
    stoa.apply("ALTER DOMAIN percent ADD CONSTRAINT low CHECK (VALUE >= 0) NOT VALID", *PROBE)


def test_privilege_of_another_owner(shop, stoa, admin_stoa):
    """As a superuser, on tables of a plain owner."""
    admin_stoa.apply("CREATE TABLE extra.audit (id bigint PRIMARY KEY, o bigint REFERENCES orders); ALTER TABLE extra.audit OWNER TO "
                     f"{shop.owner}", *PROBE)
    assert shop.value("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'audit'").strip('"') == shop.owner
    admin_stoa.apply("CREATE EXTENSION IF NOT EXISTS pg_trgm", *PROBE)
    assert shop.value("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'") == 1
    assert done(admin_stoa.apply("CREATE EXTENSION IF NOT EXISTS pg_trgm", "--name", "again", *PROBE))

"""The empty clone in which statements are tried out: it is the same schema, and nothing stays behind."""
import re
import subprocess
import time

import pytest
from psycopg import sql
from psycopg.errors import UniqueViolation

from test.lib.database import FINGERPRINT, scratch_databases as scratch_of
from test.lib.stoa import BUILD, until

TOOL = BUILD / "test" / "tool" / "stoa-clone-tool"

RICH = '''
CREATE SCHEMA shop;
CREATE SCHEMA "Odd ""Names""";
CREATE TYPE shop.state AS ENUM ('new', 'it''s paid', 'sent');
ALTER TYPE shop.state ADD VALUE 'packed' BEFORE 'sent';
CREATE FUNCTION shop.is_short(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT length($1) < 20$$;
CREATE DOMAIN shop.short AS text COLLATE "C" DEFAULT 'x;y' NOT NULL
    CONSTRAINT short_enough CHECK (shop.is_short(VALUE));
ALTER DOMAIN shop.short ADD CONSTRAINT later CHECK (VALUE <> 'bad') NOT VALID;
CREATE TYPE shop.address AS (street text COLLATE "C", zip shop.short, since date);
CREATE TYPE shop.floats AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE COLLATION shop.plain (LOCALE = 'C');
CREATE SEQUENCE shop.numbers AS integer INCREMENT BY 5 MINVALUE 5 START WITH 10 CACHE 3 CYCLE;
CREATE FUNCTION shop.next_number() RETURNS integer LANGUAGE plpgsql AS $$BEGIN RETURN nextval('shop.numbers'); END$$;

CREATE TABLE shop.customers (id int GENERATED ALWAYS AS IDENTITY (START WITH 7 INCREMENT BY 2) PRIMARY KEY,
    region int NOT NULL, name text, UNIQUE (region, id));
CREATE TABLE shop.orders (
    gone int,
    id bigserial CONSTRAINT orders_pk PRIMARY KEY,
    region int NOT NULL DEFAULT 1,
    customer_id int,
    state shop.state NOT NULL DEFAULT 'new',
    short shop.short,
    ship_to shop.address,
    number int DEFAULT shop.next_number(),
    other int DEFAULT nextval('shop.numbers'),
    during shop.floats, span int4range,
    tags text[] DEFAULT '{}',
    states shop.state[],
    amount numeric(12,2) CHECK (amount >= 0),
    "Note" text COLLATE shop.plain,
    parent_id bigint REFERENCES shop.orders ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    code varchar(10) UNIQUE DEFERRABLE,
    FOREIGN KEY (region, customer_id) REFERENCES shop.customers (region, id) MATCH FULL ON UPDATE CASCADE,
    EXCLUDE USING gist (span WITH &&) WHERE (amount > 5)
) WITH (fillfactor = 80, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE shop.orders DROP COLUMN gone;
ALTER TABLE shop.orders ALTER "Note" SET STORAGE EXTERNAL, ALTER amount SET STATISTICS 500,
    ALTER region SET (n_distinct = -0.5);
ALTER TABLE shop.orders ADD CONSTRAINT not_yet CHECK (region > 0) NOT VALID;
CREATE INDEX orders_partial ON shop.orders (region DESC NULLS LAST, "Note" COLLATE "C" text_pattern_ops)
    WHERE state = 'new';
CREATE UNIQUE INDEX orders_expr ON shop.orders (lower("Note"), (amount * 2)) WITH (fillfactor = 70);
CREATE INDEX orders_tags ON shop.orders USING gin (tags);
CREATE UNIQUE INDEX orders_identity ON shop.orders (id, region);
ALTER TABLE shop.orders REPLICA IDENTITY USING INDEX orders_identity;
CREATE INDEX orders_cluster ON shop.orders (customer_id);
ALTER TABLE shop.orders CLUSTER ON orders_cluster;
CREATE STATISTICS shop.orders_stats (dependencies) ON region, customer_id FROM shop.orders;

CREATE TABLE "Odd ""Names"""."Order Lines" (order_id bigint, "Line No" smallint, text text,
    CONSTRAINT "Line ""Pk""" PRIMARY KEY (order_id, "Line No"));
ALTER TABLE "Odd ""Names"""."Order Lines" ADD CONSTRAINT "to order" FOREIGN KEY (order_id)
    REFERENCES shop.orders NOT VALID;

CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp AS
    $f$BEGIN RETURN NEW; END$f$;
CREATE TRIGGER touch BEFORE UPDATE OF amount, "Note" ON shop.orders FOR EACH ROW
    WHEN (OLD.amount IS DISTINCT FROM NEW.amount) EXECUTE PROCEDURE shop.touch('a''b', '2');
CREATE TRIGGER off AFTER INSERT ON shop.orders EXECUTE PROCEDURE shop.touch();
ALTER TABLE shop.orders DISABLE TRIGGER off;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON shop.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE PROCEDURE shop.touch();
CREATE RULE keep AS ON DELETE TO shop.orders WHERE old.amount > 100 DO INSTEAD NOTHING;
CREATE POLICY mine ON shop.orders AS RESTRICTIVE FOR UPDATE TO {owner}, PUBLIC USING (region > 0)
    WITH CHECK (EXISTS (SELECT FROM shop.customers c WHERE c.id = customer_id));
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE VIEW shop.big WITH (security_barrier) AS SELECT o.*, c.name FROM shop.orders o
    LEFT JOIN shop.customers c ON c.id = o.customer_id WHERE amount > 10;
CREATE VIEW "Odd ""Names"""."V 2" AS SELECT id, count(*) AS "How Many" FROM shop.big GROUP BY id;
ALTER VIEW shop.big ALTER region SET DEFAULT 4;
CREATE TRIGGER instead INSTEAD OF INSERT ON shop.big FOR EACH ROW EXECUTE PROCEDURE shop.touch();
CREATE VIEW shop.grouped AS SELECT id, "Note" FROM shop.orders GROUP BY id;
CREATE MATERIALIZED VIEW shop.daily WITH (fillfactor = 60) AS
    SELECT region, sum(amount) AS total FROM shop.orders GROUP BY 1;
CREATE UNIQUE INDEX daily_key ON shop.daily (region);
CREATE FUNCTION shop.one(shop.orders) RETURNS SETOF shop.orders LANGUAGE sql AS $$SELECT $1.*$$;
CREATE FUNCTION shop.of_view(shop.big) RETURNS int LANGUAGE sql AS $$SELECT 1$$;
CREATE TABLE shop.pointing (order_id bigint REFERENCES shop.orders) WITH (fillfactor = 50);
'''
RICH_12 = """
ALTER TABLE shop.orders ADD COLUMN doubled numeric GENERATED ALWAYS AS (amount * 2) STORED NOT NULL;
CREATE INDEX orders_include ON shop.orders (region) INCLUDE (amount, "Note");
CREATE COLLATION shop.folded (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
ALTER TABLE shop.orders ADD COLUMN folded text COLLATE shop.folded;
ALTER INDEX shop.orders_expr ALTER COLUMN 2 SET STATISTICS 77;
CREATE PROCEDURE shop.refresh(shop.orders) LANGUAGE sql AS $$SELECT 1$$;
"""
RICH_14 = """
ALTER TABLE shop.orders ALTER tags SET COMPRESSION pglz;
CREATE FUNCTION shop.atomic(n int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC
    SELECT count(*) FROM shop.big WHERE region > n; SELECT 1::bigint; END;
CREATE STATISTICS shop.orders_expr_stats ON (amount * 3), region FROM shop.orders;
ALTER STATISTICS shop.orders_expr_stats SET STATISTICS 42;
"""
RICH_15 = """
CREATE UNIQUE INDEX orders_nulls ON shop.orders (parent_id, customer_id) NULLS NOT DISTINCT;
CREATE VIEW shop.invoker WITH (security_invoker) AS SELECT id FROM shop.orders;
ALTER TABLE shop.customers ADD UNIQUE NULLS NOT DISTINCT (name);
"""
RICH_18 = """
ALTER TABLE shop.orders ADD CONSTRAINT has_other NOT NULL other NOT VALID;
ALTER TABLE shop.orders ADD CONSTRAINT has_tags NOT NULL tags NO INHERIT;
ALTER TABLE shop.orders ADD COLUMN seen text GENERATED ALWAYS AS ("Note" || '!') VIRTUAL;
ALTER TABLE shop.customers ADD CONSTRAINT soft CHECK (region < 100) NOT ENFORCED;
CREATE TABLE shop.stays (id int4range, valid daterange, order_id bigint REFERENCES shop.orders,
    PRIMARY KEY (id, valid WITHOUT OVERLAPS));
"""

FAMILY = """
CREATE SCHEMA fam;
CREATE FUNCTION fam.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TABLE fam.ref (id int PRIMARY KEY);
CREATE TABLE fam.events (id int NOT NULL, at date NOT NULL, kind text DEFAULT 'k', amount int) PARTITION BY RANGE (at);
CREATE TABLE fam.events_1 PARTITION OF fam.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE fam.odd (amount int, junk int, kind text DEFAULT 'other', at date NOT NULL, id int NOT NULL,
    CONSTRAINT own CHECK (amount > 1));
ALTER TABLE fam.odd DROP COLUMN junk;
ALTER TABLE fam.events ATTACH PARTITION fam.odd FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE fam.events_sub PARTITION OF fam.events FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')
    PARTITION BY LIST (kind);
CREATE TABLE fam.events_sub_a PARTITION OF fam.events_sub FOR VALUES IN ('a', 'b''c', NULL);
ALTER TABLE fam.events ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
ALTER TABLE fam.events_1 VALIDATE CONSTRAINT positive;
CREATE INDEX events_1_own ON fam.events_1 (amount);

CREATE TABLE fam.base (id int NOT NULL, name text, CONSTRAINT named CHECK (name <> ''),
    CONSTRAINT only_here CHECK (id > 0) NO INHERIT);
CREATE TABLE fam.child (extra int, CONSTRAINT more CHECK (extra > 0)) INHERITS (fam.base);
CREATE TABLE fam.grandchild () INHERITS (fam.child);
ALTER TABLE fam.child ALTER name SET DEFAULT 'c', ALTER name SET NOT NULL;
CREATE TABLE fam.joined (other int, name text, id int NOT NULL, CONSTRAINT named CHECK (name <> ''));
ALTER TABLE fam.joined INHERIT fam.base;
"""
FAMILY_11 = """
CREATE TABLE fam.events_rest PARTITION OF fam.events DEFAULT;
ALTER TABLE fam.events ADD CONSTRAINT events_pk PRIMARY KEY (id, at, kind);
CREATE INDEX events_amount ON fam.events (amount);
CREATE INDEX events_1_kind ON fam.events_1 (kind);
CREATE INDEX events_kind ON fam.events (kind);
CREATE INDEX events_half ON ONLY fam.events (kind, amount);
ALTER TABLE fam.events ADD CONSTRAINT to_ref FOREIGN KEY (amount) REFERENCES fam.ref;
CREATE TRIGGER note AFTER INSERT ON fam.events FOR EACH ROW EXECUTE PROCEDURE fam.note();
"""
FAMILY_13 = "ALTER TABLE fam.events_1 DISABLE TRIGGER note"
FAMILY_12 = """
CREATE TABLE fam.pointing (id int, at date, kind text, FOREIGN KEY (id, at, kind) REFERENCES fam.events);
"""
FAMILY_17 = """
CREATE TABLE fam.counted (n bigint GENERATED BY DEFAULT AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE fam.counted_1 PARTITION OF fam.counted FOR VALUES IN (1);
ALTER TABLE fam.counted ADD COLUMN event_id int, ADD COLUMN event_at date, ADD COLUMN event_kind text,
    ADD FOREIGN KEY (event_id, event_at, event_kind) REFERENCES fam.events;
"""

ROW_TYPE = "CREATE TABLE shop.holder (id int, whole shop.orders, many shop.orders[])"

# A closure does not copy these.
LEFT_OUT = ("comment", "publication", "published")


class Clone:
    def __init__(self, url, *tables):
        self.process = subprocess.Popen([TOOL, "--url", url, *tables], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        if not line:
            self.error = self.process.communicate(timeout=60)[1]
            self.name = None
            return
        self.error = ""
        self.name, ms, self.search_path = line.split(" ", 2)
        self.ms = int(ms)

    def __enter__(self):
        assert self.name, self.error
        return self

    def __exit__(self, *_):
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        self.said = err
        self.close_ms = int(out.split()[-1])


# Debian's 15.20 stamps each column with a mark of its own (pg_attver) that nobody can set or reset; 18 does not.
SERVER_MARK = re.compile(r" ?\{pg_attver=\d+\}|pg_attver=\d+,|,pg_attver=\d+")


def fingerprint(conn):
    return [tuple(SERVER_MARK.sub("", str(cell)) for cell in row) for row in conn.execute(FINGERPRINT).fetchall()
            if row[0] not in LEFT_OUT]


def scratch_databases(db):
    return [row[0] for row in db.rows("SELECT datname FROM pg_database WHERE datname LIKE 'stoa_scratch%'")
            if row[0] not in kept_databases(db)]


def kept_name(db, role=None):
    return db.value("SELECT format('stoa_scratch_%%s_%%s', d.oid, r.oid) FROM pg_database d, pg_roles r "
                    "WHERE datname = current_database() AND rolname = %s", [role or db.owner])


def kept_databases(db):
    return scratch_of(db.admin, db.value("SELECT oid FROM pg_database WHERE datname = current_database()"))


# Everything that a new database does not have.
EXTRA = """
SELECT count(*) FROM (SELECT oid FROM pg_class WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT oid FROM pg_proc WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_namespace WHERE oid >= 16384
    UNION ALL SELECT oid FROM pg_operator WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_collation WHERE oid >= 16384
    UNION ALL SELECT oid FROM pg_extension WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_ts_config WHERE oid >= 16384
    UNION ALL SELECT oid FROM pg_publication UNION ALL SELECT oid FROM pg_event_trigger
    UNION ALL SELECT oid FROM pg_statistic_ext UNION ALL SELECT oid FROM pg_opclass WHERE oid >= 16384) o
"""


def extra(db, name):
    with db.server.connect(name) as conn:
        return conn.execute(EXTRA).fetchone()[0]


def local_flags(conn):
    return conn.execute(
        "SELECT attrelid::regclass::text, attname, attislocal, attinhcount FROM pg_attribute "
        "JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE attnum > 0 AND NOT attisdropped AND nspname IN ('shop', 'fam') AND relkind IN ('r', 'p') "
        "UNION ALL SELECT conrelid::regclass::text, conname, conislocal, coninhcount FROM pg_constraint "
        "JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE nspname IN ('shop', 'fam') ORDER BY 1, 2, 3, 4").fetchall()


def parents(conn):
    return conn.execute(
        "SELECT inhrelid::regclass::text, inhparent::regclass::text, pg_get_expr(relpartbound, c.oid) FROM pg_inherits "
        "JOIN pg_class c ON c.oid = inhrelid ORDER BY 1, 2").fetchall()


@pytest.fixture
def maker(db):
    """The owner may make databases."""
    db.admin.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(db.owner)))
    return db


def make(db, *parts):
    for since, text in parts:
        if db.version >= since:
            db.run(text.replace("{owner}", db.owner))


def assert_same(db, name, skip=()):
    before = [row for row in fingerprint(db.admin) if row[1] not in skip]
    with db.server.connect(name) as conn:
        after = [row for row in fingerprint(conn) if row[1] not in skip]
        flags, tree = local_flags(conn), parents(conn)
    assert [row for row in after if row not in before] == [], "only in the clone"
    assert [row for row in before if row not in after] == [], "missing in the clone"
    assert len(before) == len(after)
    return flags, tree


def test_a_superuser_keeps_the_owners(db):
    make(db, (10, RICH), (12, RICH_12), (14, RICH_14), (15, RICH_15), (18, RICH_18), (10, ROW_TYPE))
    with Clone(db.admin_url, "shop.orders") as clone:
        assert_same(db, clone.name)


def test_a_rich_schema_is_the_same(maker):
    db = maker
    make(db, (10, RICH), (12, RICH_12), (14, RICH_14), (15, RICH_15), (18, RICH_18), (10, ROW_TYPE))
    before = db.fingerprint()
    with Clone(db.url(), "shop.orders") as clone:
        flags, _ = assert_same(db, clone.name)
        assert flags == local_flags(db.admin)
        assert db.value("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                        [clone.name])
        assert db.value("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n "
                        "ON n.oid = relnamespace WHERE l.database = (SELECT oid FROM pg_database WHERE datname = "
                        "current_database()) AND nspname = 'shop'") == 0, "no lock stays on the original"
        print(f"\npg{db.version}: a rich schema cloned in {clone.ms} ms", end="")
    print(f", dropped in {clone.close_ms} ms")
    assert scratch_databases(db) == []
    assert db.fingerprint() == before


@pytest.mark.parametrize("table", ["fam.events", "fam.odd", "fam.events_sub_a"])
def test_partitions_from_any_of_them(maker, table):
    db = maker
    make(db, (10, FAMILY), (11, FAMILY_11), (12, FAMILY_12), (13, FAMILY_13), (17, FAMILY_17))
    db.run("DROP TABLE fam.base CASCADE")
    if db.version < 11:
        db.run("DROP TABLE fam.ref")
        db.run("DROP FUNCTION fam.note()")
    with Clone(db.url(), table) as clone:
        flags, tree = assert_same(db, clone.name)
        assert flags == local_flags(db.admin)
        assert tree == parents(db.admin)


@pytest.mark.parametrize("table", ["fam.base", "fam.grandchild"])
def test_inheritance(maker, table):
    db = maker
    make(db, (10, FAMILY))
    db.run("DROP TABLE fam.events, fam.ref CASCADE; DROP FUNCTION fam.note()")
    with Clone(db.url(), table) as clone:
        flags, tree = assert_same(db, clone.name)
        assert tree == parents(db.admin)
        own = [flag for flag in local_flags(db.admin) if flag[0] != "fam.joined"]
        assert [flag for flag in flags if flag[0] != "fam.joined"] == own


def test_unlogged_and_hostile_settings(maker):
    db = maker
    db.run('CREATE SCHEMA app; CREATE UNLOGGED TABLE app."T" (id int PRIMARY KEY, note text DEFAULT \'a\\b\')')
    name, owner = sql.Identifier(db.name), sql.Identifier(db.owner)
    for setting in ("default_transaction_read_only = on", "search_path = app, public", "quote_all_identifiers = on",
                    "standard_conforming_strings = off", "default_transaction_isolation = serializable"):
        db.admin.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} SET " + setting).format(owner, name))
        db.admin.execute(sql.SQL("ALTER DATABASE {} SET " + setting).format(name))
    with Clone(db.url(), "app.T") as clone:
        assert clone.search_path == "app, public"
        with db.server.connect(clone.name) as conn:
            assert conn.execute("SELECT relpersistence FROM pg_class WHERE oid = 'app.\"T\"'::regclass").fetchone()[0] == "u"
            assert conn.execute("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef").fetchone()[0] == r"'a\b'::text"


def test_event_triggers_do_not_matter(maker):
    db = maker
    db.run("CREATE TABLE t (id int)")
    db.admin.execute("CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no DDL'; END$$")
    db.admin.execute("CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE PROCEDURE no()")
    with Clone(db.url(), "public.t") as clone:
        with db.server.connect(clone.name) as conn:
            assert conn.execute("SELECT to_regclass('public.t')").fetchone()[0] == "t"


def test_owners_we_may_act_as(maker):
    db = maker
    other = db.role("other", "NOLOGIN")
    stranger = db.role("stranger", "NOLOGIN")
    db.admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(other), sql.Identifier(db.owner)))
    db.admin.execute("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int REFERENCES a)")
    db.admin.execute(sql.SQL("ALTER TABLE a OWNER TO {}; ALTER TABLE b OWNER TO {}").format(
        sql.Identifier(other), sql.Identifier(stranger)))
    with Clone(db.url(), "public.a") as clone:
        with db.server.connect(clone.name) as conn:
            owners = dict(conn.execute("SELECT relname::text, relowner::regrole::text FROM pg_class "
                                       "WHERE relname IN ('a', 'b', 'a_id_seq')").fetchall())
    assert owners == {"a": other, "a_id_seq": other, "b": db.owner}
    db.admin.execute("DROP TABLE a, b")


def test_an_inlined_function_finds_what_it_names(maker):
    db = maker
    db.run("CREATE FUNCTION inner_one(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT lower($1)$$;"
           "CREATE FUNCTION outer_one(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT public.inner_one($1)$$;"
           "CREATE TABLE t (name text); CREATE INDEX ON t (outer_one(name))")
    with Clone(db.url(), "public.t") as clone:
        assert_same(db, clone.name)


def test_only_what_belongs_to_it(maker):
    """Foreign keys are followed one step, not through the whole database."""
    db = maker
    db.run("CREATE TABLE far (id int PRIMARY KEY); CREATE TABLE near (id int PRIMARY KEY REFERENCES far);"
           "CREATE TABLE t (id int PRIMARY KEY REFERENCES near); CREATE TABLE child (id int REFERENCES t REFERENCES far);"
           "CREATE VIEW of_near AS SELECT * FROM near; CREATE TABLE alone (id int)")
    with Clone(db.url(), "public.t") as clone:
        with db.server.connect(clone.name) as conn:
            there = [row[0] for row in conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') "
                "ORDER BY 1").fetchall()]
    assert there == ["child", "near", "t"]


def test_without_createdb(db):
    """And without CREATE on the database, which scratch schemas need."""
    db.run("CREATE TABLE t (id int)")
    db.admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(db.name)))
    clone = Clone(db.url(), "public.t")
    assert clone.name is None and clone.error.startswith("privilege"), clone.error
    assert f"hint: ALTER ROLE {db.owner} CREATEDB" in clone.error
    assert scratch_databases(db) == []


def test_operators_aggregates_and_text_search(maker):
    db = maker
    db.run("CREATE SCHEMA ops; CREATE FUNCTION same(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 = $2$$;"
           "CREATE OPERATOR ops.=== (LEFTARG = int, RIGHTARG = int, PROCEDURE = same);"
           "CREATE AGGREGATE ops.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');"
           "CREATE AGGREGATE ops.every_row(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');"
           "CREATE TEXT SEARCH DICTIONARY ops.words (TEMPLATE = simple);"
           "CREATE TEXT SEARCH CONFIGURATION ops.ours (PARSER = pg_catalog.default);"
           "ALTER TEXT SEARCH CONFIGURATION ops.ours ADD MAPPING FOR asciiword WITH ops.words;"
           "CREATE TABLE t (id int CHECK (id OPERATOR(ops.===) 1), note text);"
           "CREATE INDEX ON t USING gin (to_tsvector('ops.ours', note));"
           "CREATE VIEW v AS SELECT ops.total(id), ops.every_row(*) FROM t")
    with Clone(db.url(), "public.t") as clone:
        assert_same(db, clone.name)


def test_what_cannot_be_copied_is_named(maker):
    db = maker
    db.admin.execute("CREATE OPERATOR CLASS odd FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, "
                     "OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)")
    db.run("CREATE TABLE t (id int); CREATE INDEX ON t (id odd)")
    clone = Clone(db.url(), "public.t")
    assert clone.name is None and "cannot copy operator" in clone.error and "odd" in clone.error, clone.error
    assert clone.error.startswith("sql"), clone.error
    assert scratch_databases(db) == []


def test_an_extension_goes_with_the_type(maker):
    """Trusted ones (13+) for everybody; before that scratch schemas stand in, which use the one that is there."""
    db = maker
    db.admin.execute("CREATE SCHEMA ext; GRANT USAGE ON SCHEMA ext TO PUBLIC; CREATE EXTENSION citext SCHEMA ext")
    db.run("CREATE TABLE t (mail ext.citext UNIQUE)")
    with Clone(db.admin_url, "public.t") as clone:
        assert_same(db, clone.name)
    if db.version >= 13:
        with Clone(db.url(), "public.t") as clone:
            assert_same(db, clone.name)
    else:
        with Clone(db.url(), "public.t") as clone:
            assert clone.name == db.name and "stoa_scratch_" in clone.search_path
        assert scratch_databases(db) == []
        db.admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(db.name)))
        clone = Clone(db.url(), "public.t")
        assert clone.name is None and clone.error.startswith("privilege: cannot copy extension citext"), clone.error


def test_an_invalid_index_is_left_out(maker):
    db = maker
    db.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(UniqueViolation):
        db.connect().execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (id)")
    with Clone(db.url(), "public.t") as clone:
        with db.server.connect(clone.name) as conn:
            assert conn.execute("SELECT to_regclass('t'), to_regclass('broken')").fetchone() == ("t", None)


def test_leftovers_are_dropped(maker):
    db = maker
    db.run("CREATE TABLE t (id int)")
    now = int(time.time())
    old, busy, young, strange, foreign = (f"stoa_scratch_{now - 3600}_1_ab", f"stoa_scratch_{now - 3600}_2_ab",
                                          f"stoa_scratch_{now - 60}_3_ab", "stoa_scratch_mine",
                                          f"stoa_scratch_{now - 3600}_4_ab")
    for name in (old, busy, young, strange, foreign):
        owner = "postgres" if name == foreign else db.owner
        db.admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
            sql.Identifier(name), sql.Identifier(owner)))
    session = db.server.connect(busy)
    try:
        with Clone(db.url(), "public.t") as clone:
            assert sorted(scratch_databases(db)) == sorted([busy, young, strange, foreign])
    finally:
        session.close()
        for name in scratch_databases(db):
            db.admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def forced_checkpoints(db):
    return db.value("SELECT num_requested FROM pg_stat_checkpointer" if db.version >= 17 else
                    "SELECT checkpoints_req FROM pg_stat_bgwriter")


def test_it_is_kept_empty_and_used_again_without_a_checkpoint(maker):
    db = maker
    make(db, (10, RICH), (12, RICH_12), (14, RICH_14), (15, RICH_15), (18, RICH_18), (10, ROW_TYPE))
    db.run("CREATE TYPE mood AS ENUM ('a'); CREATE FUNCTION f() RETURNS mood LANGUAGE sql "
           "AS $$SELECT NULL::mood$$; CREATE TABLE outside (m mood DEFAULT f(), id serial)")
    with Clone(db.url(), "shop.orders", "public.outside") as clone:
        assert clone.name == kept_name(db) and kept_databases(db) == [clone.name]
        assert db.value("SELECT has_database_privilege('pg_monitor', %s, 'CONNECT')", [clone.name]) is False
    assert extra(db, clone.name) == 0
    before = forced_checkpoints(db)
    with Clone(db.url(), "shop.orders", "public.outside") as again:
        assert again.name == clone.name
        assert_same(db, clone.name)
    assert extra(db, clone.name) == 0
    db.admin.execute("SELECT pg_stat_clear_snapshot()")
    assert forced_checkpoints(db) == before, "a checkpoint was forced"
    print(f"\npg{db.version}: first {clone.ms} + {clone.close_ms} ms, again {again.ms} + {again.close_ms} ms")


def test_each_role_keeps_its_own(maker):
    db = maker
    db.run("CREATE TABLE t (id int)")
    with Clone(db.admin_url, "public.t") as one, Clone(db.url(), "public.t") as two:
        assert (one.name, two.name) == (kept_name(db, "postgres"), kept_name(db))
    assert sorted(kept_databases(db)) == sorted([one.name, two.name])


def test_who_finds_it_in_use_makes_a_temporary_one(maker):
    db = maker
    db.run("CREATE TABLE t (id int)")
    with Clone(db.url(), "public.t") as first:
        with Clone(db.url(), "public.t") as second:
            assert first.name == kept_name(db) and scratch_databases(db) == [second.name]
            assert_same(db, second.name)
        assert_same(db, first.name)
    assert scratch_databases(db) == [] and kept_databases(db) == [first.name]


def test_what_a_killed_process_left_in_it_is_cleared(maker):
    db = maker
    db.run("CREATE TABLE t (id int); CREATE TABLE gone (id int)")
    killed = Clone(db.url(), "public.gone")
    killed.process.kill()
    killed.process.communicate(timeout=60)
    until(lambda: db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [killed.name]) == 0)
    assert extra(db, killed.name) > 0
    with Clone(db.url(), "public.t") as clone:
        assert clone.name == killed.name
        assert_same(db, clone.name, skip=("gone", "gone.id"))
    assert extra(db, clone.name) == 0


def test_one_that_cannot_be_emptied_is_made_anew(maker):
    db = maker
    db.run("CREATE TABLE t (id int)")
    with Clone(db.url(), "public.t") as clone:
        pass
    number = "SELECT oid FROM pg_database WHERE datname = %s"
    before = db.value(number, [clone.name])
    with db.server.connect(clone.name) as conn:
        conn.execute("CREATE SCHEMA strange; CREATE TABLE strange.one (id int)")
    with Clone(db.url(), "public.t") as again:
        assert again.name == clone.name
        assert_same(db, again.name)
    assert db.value(number, [again.name]) != before


@pytest.mark.parametrize("why", ["owner", "comment"])
def test_a_database_that_is_not_ours_is_left_alone(maker, why):
    db = maker
    db.run("CREATE TABLE t (id int)")
    name = kept_name(db)
    db.admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(name), sql.Identifier("postgres" if why == "owner" else db.owner)))
    db.admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(
        "empty copy in which Stoa tries statements out; may be dropped" if why == "owner" else "the books of 2019")))
    with db.server.connect(name) as conn:
        conn.execute("CREATE TABLE precious (id int)")
    with Clone(db.url(), "public.t") as clone:
        assert scratch_databases(db) == [clone.name] != [name]
    assert extra(db, name) > 0 and scratch_databases(db) == []


def test_uninstall_drops_what_is_kept(maker, stoa, admin_stoa):
    db = maker
    db.run("CREATE TABLE t (id int)")
    for url in (db.url(), db.admin_url):
        with Clone(url, "public.t"):
            pass
    orphan = "stoa_scratch_9999999999_10"
    db.admin.execute(f"CREATE DATABASE {orphan} TEMPLATE template0")
    db.admin.execute(f"COMMENT ON DATABASE {orphan} IS 'empty copy in which Stoa tries statements out; may be dropped'")
    strange = f"stoa_scratch_{int(time.time())}_9_ab"
    db.admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
        sql.Identifier(strange), sql.Identifier(db.owner)))
    stoa("uninstall", "--yes")
    assert kept_databases(db) == [kept_name(db, "postgres")] and scratch_databases(db) == [orphan]
    admin_stoa("uninstall", "--yes")
    assert kept_databases(db) == [] and db.value("SELECT count(*) FROM pg_database WHERE datname = %s", [strange]) == 0
    assert scratch_databases(db) == [], "the one of a database that is gone"


def test_time_for_a_table_with_two_foreign_keys(maker):
    db = maker
    db.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);"
           "CREATE TABLE t (id bigserial PRIMARY KEY, a int REFERENCES a, b int REFERENCES b, note text DEFAULT 'x');"
           "CREATE INDEX ON t (a); CREATE INDEX ON t (b)")
    times = []
    for _ in range(3):
        with Clone(db.url(), "public.t") as clone:
            assert_same(db, clone.name)
        times.append((clone.ms, clone.close_ms))
    print(f"\npg{db.version}: opened and closed in {times} ms")
    assert min(times[1:])[0] < 2000


def there(db, clone):
    with db.server.connect(clone.name) as conn:
        return {row[0] for row in conn.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S') "
            "AND relnamespace <> 'pg_toast'::regnamespace "
            "UNION SELECT oid::regprocedure::text FROM pg_proc WHERE oid >= 16384 UNION SELECT oid::regtype::text "
            "FROM pg_type WHERE oid >= 16384 AND typtype IN ('e', 'd') UNION SELECT extname FROM pg_extension "
            "UNION SELECT nspname FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_' "
            "UNION SELECT oid::regoperator::text FROM pg_operator WHERE oid >= 16384 "
            "UNION SELECT collname FROM pg_collation WHERE oid >= 16384").fetchall()} - {"plpgsql"}


NAMED = """
CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA other;
CREATE TYPE a.state AS ENUM ('new', 'old'); CREATE DOMAIN b.short AS text CHECK (length(VALUE) < 9);
CREATE TABLE a.one (id int PRIMARY KEY, st a.state, s b.short); CREATE TABLE b.two (id int PRIMARY KEY, one int);
CREATE TABLE three (id int PRIMARY KEY); CREATE TABLE pointing (id int REFERENCES three); CREATE TABLE unrelated (id int);
CREATE SEQUENCE a.numbers; CREATE VIEW a.view_of_one AS SELECT id FROM a.one;
CREATE FUNCTION a.good(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0';
CREATE FUNCTION a.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION eq(int, text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR a.=== (LEFTARG = int, RIGHTARG = text, PROCEDURE = eq); CREATE COLLATION a.plain (LOCALE = 'C');
CREATE INDEX three_index ON three ((id + 1));
"""
MENTIONS = [
    ("CREATE VIEW v AS SELECT o.id FROM a.one o JOIN b.two t ON t.one = o.id WHERE EXISTS (SELECT FROM three)",
     {"a.one", "b.two", "three"}),
    ("ALTER TABLE unrelated ADD CHECK (a.good(id)), ADD COLUMN st a.state DEFAULT 'new', ADD COLUMN s b.short[]",
     {"unrelated", "a.good(integer)", "a.state", "b.short"}),
    ("CREATE TRIGGER t BEFORE INSERT ON unrelated FOR EACH ROW EXECUTE FUNCTION a.touch()", {"a.touch()", "unrelated"}),
    ("ALTER TABLE unrelated ADD FOREIGN KEY (id) REFERENCES b.two", {"unrelated", "b.two"}),
    ("ALTER TABLE unrelated ALTER id SET DEFAULT nextval('a.numbers')", {"unrelated", "a.numbers"}),
    ("ALTER TABLE unrelated ALTER id SET DEFAULT nextval('a.numbers'::regclass)", {"unrelated", "a.numbers"}),
    ("ALTER TABLE unrelated ADD CHECK (id OPERATOR(a.===) 'x'), ADD c text COLLATE a.plain",
     {"unrelated", "a.===(integer,text)", "plain"}),
    ("ALTER DOMAIN b.short ADD CHECK (VALUE <> 'x')", {"b.short", "a.one"}),
    ("DROP INDEX three_index", {"three", "pointing"}),
    ("DROP TABLE three CASCADE", {"three", "pointing"}),
    ("DROP VIEW a.view_of_one", {"a.view_of_one", "a.one"}),
    ("ALTER SEQUENCE a.numbers OWNED BY b.two.id", {"a.numbers", "b.two"}),
    ("DROP SCHEMA b CASCADE", {"b.two", "b.short", "a.one"}),
    ("DO $$BEGIN EXECUTE format('ALTER TABLE %I ADD x a.state', 'unrelated'); PERFORM 1 FROM b.two; END$$",
     {"unrelated", "a.state", "b.two"}),
    ("CREATE FUNCTION f(a.state) RETURNS SETOF b.two LANGUAGE sql AS 'SELECT * FROM b.two, three'",
     {"a.state", "b.two", "three"}),
    ("COMMENT ON FUNCTION a.good(int) IS 'x'", {"a.good(integer)"}),
    ("ALTER TABLE unrelated SET SCHEMA other", {"unrelated", "other"}),
    ("CREATE TABLE new (LIKE a.one INCLUDING ALL, z text) INHERITS (unrelated)", {"a.one", "unrelated"}),
    ("CREATE STATISTICS s ON id, one FROM b.two", {"b.two"}),
    ("CREATE AGGREGATE best(int) (SFUNC = a.good, STYPE = a.state)", {"a.good(integer)", "a.state"}),
    ("ALTER TABLE unrelated ADD NOT NULL id NO INHERIT", {"unrelated"}),
    ("CREATE POLICY p ON unrelated USING (id IN (SELECT one FROM b.two))", {"unrelated", "b.two"}),
    ("CREATE RULE r AS ON INSERT TO unrelated DO ALSO INSERT INTO three VALUES (new.id)", {"unrelated", "three"}),
]


def test_what_a_statement_names_is_there(maker):
    db = maker
    db.run(NAMED)
    for text, expected in MENTIONS:
        with Clone(db.url(), "--sql", text) as clone:
            found = there(db, clone)
            assert expected <= found, (text, expected - found)
            if "unrelated" not in text:
                assert "unrelated" not in found, text
    with Clone(db.url(), "--sql", "CREATE VIEW v AS SELECT id FROM three") as clone:
        assert there(db, clone) == {"three"}, "what points at a table that is only read stays out"


def test_members_of_extensions_come_with_them(db):
    db.admin.execute("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION btree_gist SCHEMA ext; "
                     "CREATE EXTENSION pg_trgm SCHEMA ext; CREATE TABLE t (id int, name text)")
    for text, expected in [("ALTER TABLE t ADD COLUMN mail ext.citext", "citext"),
                           ("CREATE INDEX ON t USING gin (name ext.gin_trgm_ops)", "pg_trgm"),
                           ("ALTER TABLE t ADD EXCLUDE USING gist (id ext.gist_int4_ops WITH =)", "btree_gist"),
                           ("ALTER EXTENSION citext UPDATE", "citext"),
                           ("CREATE VIEW v AS SELECT ext.similarity(name, 'x') FROM t", "pg_trgm")]:
        with Clone(db.admin_url, "--sql", text) as clone:
            assert {expected, "ext"} <= there(db, clone), text
            with db.server.connect(clone.name) as conn:
                conn.execute(text)


SHARED = ["CREATE ROLE {r}2", "ALTER ROLE {r} NOLOGIN", "GRANT {r} TO {owner}", "COMMENT ON ROLE {r} IS 'x'", "DROP ROLE {r}",
          "ALTER ROLE {r} SET work_mem = '1MB'", "GRANT CONNECT ON DATABASE {db} TO {r}", "ALTER DATABASE {db} SET work_mem = '1MB'",
          "ALTER DATABASE {db} CONNECTION LIMIT 5", "REVOKE TEMP ON DATABASE {db} FROM PUBLIC",
          "DO $$BEGIN BEGIN GRANT CONNECT ON DATABASE {db} TO {r}; EXCEPTION WHEN others THEN NULL; END; END$$",
          "DO $$BEGIN IF true THEN CREATE ROLE {r}3; END IF; END$$", "ALTER TABLESPACE pg_default SET (seq_page_cost = 2)"]


def test_what_all_databases_share_is_not_tried_out(db):
    """Carried out in a scratch database it would hold for the whole server."""
    role = db.role("app")
    db.admin.execute("CREATE TABLE t (id int)")
    state = ("SELECT (SELECT json_agg(a ORDER BY rolname) FROM pg_authid a)::text, (SELECT count(*) FROM pg_auth_members), "
             "(SELECT datacl::text FROM pg_database WHERE datname = current_database()), (SELECT count(*) FROM "
             "pg_db_role_setting), (SELECT count(*) FROM pg_shdescription)")
    before = db.rows(state)
    for text in SHARED:
        text = text.format(r=role, owner=db.owner, db=db.name)
        with Clone(db.admin_url, "public.t", "--run", text) as clone:
            before = db.rows(state)  # with the scratch database's comment
        assert "run: it changes what all databases" in clone.said, (text, clone.said)
        assert db.rows(state) == before, text
    with Clone(db.admin_url, "public.t", "--run", f"ALTER TABLE t OWNER TO {role}; GRANT SELECT ON t TO {db.owner}; "
               "CREATE POLICY p ON t TO CURRENT_USER USING (true); COMMENT ON TABLE t IS 'x'") as clone:
        pass
    assert "run: done" in clone.said and extra(db, clone.name) == 0

"""Plans of a role without CREATEDB are measured in scratch schemas of the database itself: what they say is what a
scratch database says, and nothing real is locked, changed or left behind."""
import collections
import json
import re
import signal
import subprocess

import pytest
from psycopg import sql

from test.lib.database import FINGERPRINT
from test.lib.servers import until
from test.server import test_clone, test_measured, test_probe
from test.server.test_measured import ABOUT_OTHERS, ADD, BACKFILL, SHAPES, shop

LEFT = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^stoa_scratch_'"
COUNTS = ("SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type), "
          "(SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'), (SELECT count(*) FROM pg_depend), "
          "(SELECT count(*) FROM pg_description), (SELECT count(*) FROM pg_constraint)")


def reasons(plan):
    return [risk for risk in plan["risks"] if risk["id"] == "unmeasured"]


def is_measured(plan):
    return not reasons(plan) and plan["steps"][0]["evidence"] == "measured"


def both(db, stoa, text, *args, code=0):
    """The plan of a role with CREATEDB, and of the same role without it."""
    plans = []
    for right in ("CREATEDB", "NOCREATEDB"):
        db.admin.execute(sql.SQL("ALTER ROLE {} " + right).format(sql.Identifier(db.owner)))
        plans.append(stoa("plan", text, *args, "--json", code=code))
    return plans


def test_plans_are_those_of_a_scratch_database(shop, stoa):
    before, counts = shop.fingerprint(), shop.rows(COUNTS)
    for text, args in SHAPES:
        one, other = (result.json for result in both(shop, stoa, text, *args))
        assert not reasons(one) and not reasons(other), (text, one["risks"], other["risks"])
        assert one == other, text
    assert shop.value(LEFT) == 0 and shop.fingerprint() == before and shop.rows(COUNTS) == counts


def probe(db, *statements, url=None):
    done = subprocess.run([test_probe.TOOL, "--url", url or db.url(), "--copy", "public", *statements], capture_output=True,
                          text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return {told["sql"]: told for told in map(json.loads, done.stdout.splitlines())}


def test_table_of_statements(db):
    """All that test_probe.py knows of a statement, E1 to E7 among it, in a scratch schema beside tables with rows."""
    test_probe.make(db, filled=True)
    before, counts = db.fingerprint(), db.rows(COUNTS)
    told = {text: test_probe.verdict(one) for text, one in probe(db, *test_probe.STATEMENTS).items()}
    differences = test_probe.differences(told, test_probe.expected(db.version))
    assert {text: verdict for text, (verdict, _) in differences.items()} == {
        "REFRESH MATERIALIZED VIEW CONCURRENTLY order_sums": "error 0A000",  # of a copy that was never filled
        **{text: "error " for text in test_probe.STATEMENTS if text.startswith("DO ")}}  # is not tried here
    assert db.value(LEFT) == 0 and db.fingerprint() == before and db.rows(COUNTS) == counts


def test_all_that_is_told_is_the_same(db):
    """Locks, indexes, scans, refusals and the server's words, with real names: as on the empty tables themselves."""
    test_probe.make(db)
    asked = [text for text in test_probe.STATEMENTS if not text.startswith("DO ")]
    there = {told["sql"]: told for told in test_probe.probe(db, *asked)}
    copied = probe(db, *asked)
    for text in asked:
        for told in (there, copied):
            told[text].pop("ms")
        if "CONCURRENTLY order_sums" not in text:  # the one there is filled
            assert copied[text] == there[text]


def test_where_nothing_is_counted(db):
    """With track_counts off the server's words stand in for the counters, here as there."""
    test_probe.make(db)
    db.admin.execute(f"ALTER DATABASE {db.name} SET track_counts = off")
    asked = ("ALTER TABLE orders ALTER qty SET NOT NULL", "ALTER TABLE orders ADD COLUMN x int UNIQUE",
             "ALTER TABLE orders ALTER qty TYPE bigint", "ALTER TABLE orders VALIDATE CONSTRAINT orders_note",
             "ALTER TABLE orders ADD COLUMN x int", "CREATE INDEX i ON orders (qty)")
    expected = test_probe.expected(db.version)
    assert {text: test_probe.verdict(told) for text, told in probe(db, *asked).items()} == {
        text: expected[text] for text in asked}


def copies_of(db):
    """(scratch schema, real schema) of the one copy that is there: the ordinal is the real one's place."""
    real = sorted({row[0] for row in db.rows("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|stoa_scratch_)' "
                                             "AND nspname <> 'information_schema'")} | {"stoa"}, key=str.encode)
    return [(name, real[int(name.rsplit("_", 1)[1])]) for (name,) in db.rows(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ '^stoa_scratch_' ORDER BY length(nspname) DESC, nspname DESC")]


HASH = re.compile(r"^[0-9a-f]{32} ")  # of a function's text, which names the scratch schemas


def assert_copied(db):
    """The scratch schemas hold what the real ones hold, under names that lead to nothing real."""
    copies = [(one, db.value("SELECT quote_ident(%s)", [other])) for one, other in copies_of(db)]
    whole = FINGERPRINT.replace("nspname, ''", "nspname::text, ''")  # else names are cut at 63 bytes
    seen = collections.Counter()
    for row in db.rows(whole):
        if row[0] in (*test_clone.LEFT_OUT, "schema"):
            continue
        kind, name, text = (test_clone.SERVER_MARK.sub("", str(cell)) for cell in row)
        text = HASH.sub("", text) if kind == "function" else text
        assert "stoa_scratch_" in name or name[0] == "-" or "stoa_scratch_" not in text, row
        for one, other in copies:
            name, text = name.replace(one, other), text.replace(one, other)
        seen[kind, name, text] += 1
    assert seen and {row: times for row, times in seen.items() if times != 2} == {}, "the real one and its copy"


RICH = ((10, test_clone.RICH), (12, test_clone.RICH_12), (14, test_clone.RICH_14), (15, test_clone.RICH_15),
        (18, test_clone.RICH_18), (10, test_clone.ROW_TYPE))
FAMILY = ((10, test_clone.FAMILY), (11, test_clone.FAMILY_11), (12, test_clone.FAMILY_12), (13, test_clone.FAMILY_13),
          (17, test_clone.FAMILY_17))


@pytest.mark.parametrize("as_admin", [False, True], ids=["owner", "superuser"])
def test_a_rich_schema_is_the_same(db, as_admin):
    """Types, domains, functions, triggers, views, policies, odd names, keys between schemas."""
    test_clone.make(db, *RICH)
    before, counts = db.fingerprint(), db.rows(COUNTS)
    with test_clone.Clone(db.admin_url if as_admin else db.url(), "--schema", "shop.orders") as clone:
        assert clone.name == db.name
        assert_copied(db)
        (body,) = [row[0] for row in db.rows("SELECT prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
                                             "WHERE proname = 'next_number' AND nspname ~ '^stoa_scratch_'")]
        assert "stoa_scratch_" in body and "shop." not in body, body
    assert db.value(LEFT) == 0 and db.fingerprint() == before and db.rows(COUNTS) == counts


@pytest.mark.parametrize("table", ["fam.events", "fam.odd"])
def test_partitions_are_the_same(db, table):
    test_clone.make(db, *FAMILY)
    db.run("DROP TABLE fam.base CASCADE")
    if db.version < 11:
        db.run("DROP TABLE fam.ref; DROP FUNCTION fam.note()")
    with test_clone.Clone(db.url(), "--schema", table):
        assert_copied(db)
    assert db.value(LEFT) == 0


@pytest.mark.parametrize("text, args", [
    ('ALTER TABLE "Odd.Shop"."Orders" ADD COLUMN "New" bigint NOT NULL', ["--backfill", '"Odd.Shop"."Orders"."New" = "Id"']),
    ('ALTER TABLE "Odd.Shop"."Orders" ADD COLUMN c "Odd.Shop"."Mood" NOT NULL DEFAULT \'sad\'', []),
    ('ALTER TABLE "Odd.Shop"."Orders" ADD COLUMN c "Sh""op".plain', []),
    ('ALTER TABLE "Odd.Shop"."Orders" ADD CONSTRAINT k FOREIGN KEY ("Id") REFERENCES "Sh""op".customers', []),
    ('CREATE INDEX k ON "Odd.Shop"."Orders" ("Sh""op".low("Note"))', []),
    ('ALTER TABLE "Odd.Shop"."Orders" ALTER "Note" SET DEFAULT nextval(\'"Sh""op".nums\')::text', []),
    ('CREATE VIEW "Odd.Shop".v2 AS SELECT o."Id", c.* FROM "Odd.Shop"."Orders" o JOIN "Sh""op".customers c ON c.id = o."Id"', []),
    ('CREATE OR REPLACE FUNCTION "Sh""op".low(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT upper(t) '
     'FROM (SELECT count(*) FROM "Odd.Shop"."Orders") x$$', []),
    ('DROP VIEW "Odd.Shop".v', []),
    ('ALTER TABLE "Odd.Shop"."Orders" ALTER "Id" TYPE bigint', ["--accept-column-order"]),
])
def test_names_of_any_kind(db, stoa, text, args):
    """Capitals, dots and quotes in schemas; two schemas that need each other; serial, identity, enum, domain."""
    db.run('CREATE SCHEMA "Odd.Shop"; CREATE SCHEMA "Sh""op"; CREATE SCHEMA orders; CREATE SCHEMA c;'
           'CREATE TYPE "Odd.Shop"."Mood" AS ENUM (\'sad\', \'happy\'); CREATE SEQUENCE "Sh""op".nums;'
           'CREATE DOMAIN "Sh""op".short AS text CHECK (length(VALUE) < 9); CREATE DOMAIN "Sh""op".plain AS int;'
           'CREATE FUNCTION "Sh""op".low(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT lower(t)$$;'
           'CREATE TABLE "Sh""op".customers (id int PRIMARY KEY, n serial);'
           'CREATE TABLE "Odd.Shop"."Orders" ("Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, "Note" text, d "Sh""op".short, '
           'm "Odd.Shop"."Mood", customer int REFERENCES "Sh""op".customers);'
           'CREATE INDEX ON "Odd.Shop"."Orders" ("Sh""op".low("Note"));'
           'CREATE VIEW "Odd.Shop".v AS SELECT o."Id" FROM "Odd.Shop"."Orders" o, "Sh""op".customers c WHERE c.id = o.customer;'
           'INSERT INTO "Sh""op".customers SELECT generate_series(1, 9);'
           'INSERT INTO "Odd.Shop"."Orders" ("Note", customer) SELECT i::text, i FROM generate_series(1, 9) i')
    before, counts = db.fingerprint(), db.rows(COUNTS)
    one, other = (result.json for result in both(db, stoa, text, *args))
    assert not reasons(one) and not reasons(other), (one["risks"], other["risks"])
    assert one == other
    assert db.value(LEFT) == 0 and db.fingerprint() == before and db.rows(COUNTS) == counts


def test_statements_about_no_table_of_their_own(shop, stoa):
    shop.run("CREATE TYPE mood AS ENUM ('a', 'b'); CREATE SEQUENCE nums; CREATE VIEW v_orders AS SELECT id, amount FROM orders;"
             "CREATE MATERIALIZED VIEW mv AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY 1;"
             "CREATE DOMAIN short AS text; CREATE TABLE d (s short); INSERT INTO d VALUES ('x')")
    before, counts = shop.fingerprint(), shop.rows(COUNTS)
    for text, _ in ABOUT_OTHERS:
        if text.startswith("DO "):
            continue
        one, other = (result.json for result in both(shop, stoa, text))
        assert not reasons(other), (text, other["risks"])
        assert one == other, text
    refused = stoa("plan", "ALTER DOMAIN short ADD CHECK (VALUE <> 'y')", code=4)
    assert "read the whole of public.d while it holds" in refused.err, "a table that the statement does not name"
    assert shop.value(LEFT) == 0 and shop.fingerprint() == before and shop.rows(COUNTS) == counts


@pytest.mark.parametrize("text, args", [
    ("ALTER TABLE orders RENAME COLUMN note TO remark", []),
    ("ALTER TABLE orders ALTER customer_id TYPE bigint", ["--accept-column-order"]),
    ("ALTER TABLE orders DROP COLUMN note", []),
    ("ALTER TABLE orders ADD COLUMN c text NOT NULL", ["--backfill", "orders.c = status", "--versioned"]),
])
def test_changes_of_many_steps(shop, stoa, text, args):
    """Steps stand upon each other, the journal's tables and a schema that the plan makes."""
    one, other = (result.json for result in both(shop, stoa, text, *args))
    assert reasons(one) == reasons(other) == [] and one == other
    assert len([step for step in other["steps"] if step["evidence"] == "measured"]) > 1
    assert shop.value(LEFT) == 0


@pytest.mark.parametrize("text, words", test_measured.REFUSED)
def test_what_the_server_refuses_is_refused_by_plan(shop, stoa, text, words):
    one, other = both(shop, stoa, text, code=None)
    assert one.code == other.code != 0 and one.err == other.err and words in other.err, str(other)
    assert "stoa_scratch_" not in other.err and shop.value(LEFT) == 0


# ---- what it cannot do ----------------------------------------------------------------------------------------------

def falls_back(db, stoa, text, *words):
    """By rule, with the reason; as --probe off plans it."""
    plan = stoa("plan", text, "--json").json
    (note,) = reasons(plan)
    assert all(word in note["message"] for word in words), note
    assert db.value(LEFT) == 0
    return note


def test_an_event_trigger_would_fire(shop, stoa):
    shop.admin.execute("CREATE TABLE seen (tag text); GRANT ALL ON seen TO public;"
                       "CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS "
                       "$$BEGIN INSERT INTO seen VALUES (tg_tag); END$$;"
                       "CREATE EVENT TRIGGER seer ON ddl_command_end EXECUTE PROCEDURE see()")
    note = falls_back(shop, stoa, ADD, 'event trigger "seer" would fire')
    assert "CREATEDB" in note["sql"], note
    assert shop.value("SELECT count(*) FROM seen") == 0
    shop.admin.execute("ALTER EVENT TRIGGER seer DISABLE")
    assert is_measured(stoa("plan", ADD, "--json").json)
    shop.admin.execute("DROP EVENT TRIGGER seer")


def test_a_publication_for_all_tables(shop, stoa):
    shop.admin.execute("CREATE PUBLICATION every FOR ALL TABLES")
    falls_back(shop, stoa, ADD, 'publication "every" is for all tables')
    shop.admin.execute("DROP PUBLICATION every; CREATE PUBLICATION few FOR TABLE orders")
    assert is_measured(stoa("plan", ADD, "--json").json)


def test_without_create_on_the_database(shop, stoa):
    stoa.apply("COMMENT ON TABLE orders IS 'x'")  # the journal, which needs the grant on first use
    shop.admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(shop.name)))
    note = falls_back(shop, stoa, ADD, "may not make a scratch database")
    assert f"ALTER ROLE {shop.owner} CREATEDB" in note["sql"], note
    refused = falls_back(shop, lambda *args: stoa(*args, "--probe", "schema"), ADD, "may not make a scratch schema")
    assert f"GRANT CREATE ON DATABASE {shop.name} TO {shop.owner}" == refused["sql"], refused


@pytest.mark.parametrize("text, words", [
    ("DO $$BEGIN CREATE TABLE zz (id int); END$$", "DO"),
    ("CREATE EXTENSION seg", "CREATE EXTENSION"),
    ("CREATE SCHEMA fresh", None),
])
def test_statements_that_no_schema_binds(shop, text, words):
    told = probe(shop, text)[text]
    assert told["error"] is None if words is None else f'"{words}' in told["error"], told
    assert shop.value(LEFT) == 0


@pytest.mark.parametrize("text", [
    "ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_global", "CREATE ROLE somebody", "GRANT pg_monitor TO postgres",
    "REVOKE CONNECT ON DATABASE postgres FROM public", "ALTER SCHEMA public RENAME TO other", "DROP OWNED BY postgres",
    "REINDEX DATABASE postgres", "ANALYZE", "CREATE CAST (text AS int) WITH INOUT", "ALTER DATABASE postgres SET work_mem = 1",
    "SELECT 1; CREATE PUBLICATION p", "COMMENT ON DATABASE postgres IS 'x'", "COPY orders TO PROGRAM 'true'", "CALL x()",
    "NOTIFY x", "PREPARE TRANSACTION 'x'", "CREATE FOREIGN TABLE f (id int) SERVER s"])
def test_nothing_but_what_a_schema_binds_is_run(shop, text):
    told = probe(shop, text)[text]
    assert "is about more than a schema" in told["error"] and told["error_state"] == "", told


@pytest.mark.parametrize("text, words", [
    ("ALTER TABLE orders ADD COLUMN x int DEFAULT astray()", "it takes AccessShareLock on public.customers"),
    ('ALTER TABLE U&"p\\0075blic".orders ADD COLUMN x int', "a form that is not read"),
    ("ALTER TABLE {db}.public.orders ADD COLUMN x int", "a name of three parts"),
    ("CREATE VIEW v AS SELECT E'\\x70'::text || 'a' AS a, E'public.\\x6frders'::regclass AS b", "a text with backslashes"),
])
def test_what_could_lead_astray_is_not_believed(shop, text, words):
    """Where the rewriting cannot tell, nothing runs; where a function goes its own way, it is seen and rolled back."""
    if shop.version < 11 and "DEFAULT" in text:
        shop.run("CREATE TABLE one (id int)")
    shop.run("CREATE FUNCTION astray() RETURNS int STABLE LANGUAGE plpgsql AS "
             "$$DECLARE n int; BEGIN EXECUTE 'SELECT count(*) FROM pub' || 'lic.customers' INTO n; RETURN n; END$$")
    before = shop.fingerprint()
    text = text.replace("{db}", shop.name)
    told = probe(shop, text)[text]
    if "DEFAULT" in text and shop.version < 11:
        assert told["error"] is None, "evaluated for each row, and there is none"
    else:
        assert words in told["error"] and told["error_state"] == "" and told["locks"] == [], told
    assert shop.fingerprint() == before and shop.value(LEFT) == 0


# ---- beside others --------------------------------------------------------------------------------------------------

def test_nothing_real_is_locked(shop, stoa):
    """Another session holds what any lock but a reader's would wait for."""
    with shop.connect() as other, other.transaction():
        other.execute("LOCK TABLE orders, customers IN EXCLUSIVE MODE")
        for text, args in SHAPES[:12]:
            assert not reasons(stoa("plan", text, *args, "--json").json), text


def test_an_old_transaction_is_not_waited_for(shop, stoa):
    """CREATE INDEX CONCURRENTLY in the same database would wait for every snapshot."""
    with shop.connect() as other, other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT txid_current()")
        plan = stoa("plan", "ALTER TABLE orders ADD CONSTRAINT k UNIQUE (customer_id, id)", "--json")
        assert not reasons(plan.json) and plan.seconds < 9, str(plan)


def test_plans_at_once_do_not_meet(shop, stoa):
    before, counts = shop.fingerprint(), shop.rows(COUNTS)
    running = [stoa.start("plan", text, *args, "--json") for text, args in SHAPES[:4]]
    alone = [stoa("plan", text, *args, "--json").json for text, args in SHAPES[:4]]
    assert [one.wait().json for one in running] == alone
    assert shop.value(LEFT) == 0 and shop.fingerprint() == before and shop.rows(COUNTS) == counts


def paused_in_the_midst(db, stoa):
    running = stoa.start("plan", ADD, "--json", env={"STOA_FAILPOINT": "clone_made=pause"})
    until(lambda: running.is_stopped)
    assert db.value(LEFT) > 0
    return running


def nobody_in(db):
    return db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name "
                    "LIKE 'stoa%%'") == 0


@pytest.mark.parametrize("verb", ["plan", "uninstall"])
def test_killed_in_the_midst(shop, stoa, verb):
    before, counts = shop.fingerprint(), shop.rows(COUNTS)
    running = paused_in_the_midst(shop, stoa)
    left = shop.value(LEFT)
    assert is_measured(stoa("plan", ADD, "--json").json) and shop.value(LEFT) == left, "a stopped one is let alone"
    running.kill()
    until(lambda: nobody_in(shop))
    assert shop.value(LEFT) == left
    if verb == "plan":
        assert is_measured(stoa("plan", ADD, "--json").json)
    else:
        stoa("uninstall", "--yes")
    assert shop.value(LEFT) == 0 and shop.fingerprint() == before and shop.rows(COUNTS) == counts


def test_stopped_and_going_on(shop, stoa):
    running = paused_in_the_midst(shop, stoa)
    running.signal(signal.SIGCONT)
    assert is_measured(running.wait().json) and shop.value(LEFT) == 0


def test_interrupted_in_the_midst(shop, stoa):
    running = paused_in_the_midst(shop, stoa)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        running.signal(number)
    assert running.wait(None).code != 0 and shop.value(LEFT) == 0


def test_only_ours_is_dropped(shop, stoa):
    """A schema of that name without the comment, and one on which something of the user's stands, stay."""
    shop.run("CREATE SCHEMA stoa_scratch_1_2_ab_0; CREATE SCHEMA stoa_scratch_1_2_cd_0; CREATE SCHEMA stoa_scratch_1_2_ef_0;"
             "CREATE TABLE stoa_scratch_1_2_cd_0.t (id int); CREATE VIEW mine AS SELECT * FROM stoa_scratch_1_2_cd_0.t;"
             "COMMENT ON SCHEMA stoa_scratch_1_2_cd_0 IS 'empty copy in which Stoa tries statements out; may be dropped';"
             "COMMENT ON SCHEMA stoa_scratch_1_2_ef_0 IS 'empty copy in which Stoa tries statements out; may be dropped'")
    assert is_measured(stoa("plan", ADD, "--json").json)
    assert [row[0] for row in shop.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '^stoa_scratch_' ORDER BY 1")] == [
        "stoa_scratch_1_2_ab_0", "stoa_scratch_1_2_cd_0"]
    shop.run("DROP VIEW mine; DROP SCHEMA stoa_scratch_1_2_ab_0; DROP SCHEMA stoa_scratch_1_2_cd_0 CASCADE")


def test_a_hundred_tables_that_point_at_it(shop, stoa):
    """More objects than one statement should lock; all of them go again."""
    shop.run("DO $$BEGIN FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE many_%s (id serial PRIMARY KEY, "
             "o bigint REFERENCES orders)', i); END LOOP; END$$")
    counts = shop.rows(COUNTS)
    assert is_measured(stoa("plan", ADD, "--json").json)
    assert shop.value(LEFT) == 0 and shop.rows(COUNTS) == counts


def test_the_table_of_another_role(shop, stoa):
    """Steps run as the owner of the table, who may not make schemas."""
    role = shop.role("keeper", "NOLOGIN")
    shop.admin.execute(sql.SQL("GRANT {} TO {}; ALTER TABLE orders OWNER TO {}").format(
        *(sql.Identifier(name) for name in (role, shop.owner, role))))
    shop.admin.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(role)))
    one, other = (result.json for result in both(shop, stoa, "ALTER TABLE orders ADD COLUMN c bigint NOT NULL", *BACKFILL))
    assert not reasons(other) and one == other
    shop.admin.execute("ALTER TABLE orders OWNER TO postgres")


def test_members_of_extensions_are_not_copied(shop, stoa):
    """They are the real ones, in the path behind the copies; what is no member and has no copy is not reached."""
    shop.admin.execute("CREATE EXTENSION citext; CREATE EXTENSION pg_trgm")
    shop.run("ALTER TABLE orders ADD COLUMN mail citext, ADD COLUMN mails citext[], ADD CHECK (mail <> 'x');"
             "CREATE INDEX ON orders (mail); CREATE INDEX ON orders USING gin (note gin_trgm_ops);"
             "CREATE FUNCTION hidden() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'")
    before, counts = shop.fingerprint(), shop.rows(COUNTS)
    for text in ("ALTER TABLE orders ADD COLUMN c citext", "ALTER TABLE orders ADD COLUMN c public.citext[]",
                 "CREATE INDEX k ON orders USING gin (status gin_trgm_ops)",
                 "ALTER TABLE orders ADD CONSTRAINT k CHECK (mail <> 'y' AND mail OPERATOR(public.<>) 'z')",
                 "CREATE INDEX k ON orders (similarity(note, 'a'))", "ALTER TABLE orders DROP COLUMN mails"):
        admin, owner = (both(shop, stoa, text)[1].json, stoa("plan", text, "--json", "--probe", "schema").json)
        assert not reasons(owner) and admin == owner, (text, owner["risks"])
    for text, words in (("ALTER FUNCTION similarity(text, text) COST 7", "it changes function similarity(text,text)"),
                        ("DROP TABLE orders; DROP TABLE orders", "several statements in one")):
        told = probe(shop, text, url=shop.admin_url)
        assert words in told[text]["error"] and told[text]["error_state"] == "", told
    with test_clone.Clone(shop.admin_url, "--schema", "public.orders", "--run", "ALTER FUNCTION hidden() COST 7") as clone:
        pass
    assert 'run: "hidden" would mean what is not copied' in clone.said
    assert shop.value("SELECT procost FROM pg_proc WHERE proname = 'hidden'") != 7
    assert shop.value(LEFT) == 0 and shop.fingerprint() == before and shop.rows(COUNTS) == counts


def test_a_change_is_carried_out(shop, stoa):
    """What was measured so holds: no difference that was not planned, before ready or after complete."""
    stoa.apply("ALTER TABLE orders ADD COLUMN c bigint NOT NULL", *BACKFILL, "--name", "c")
    assert shop.value("SELECT count(*) FROM orders WHERE c IS DISTINCT FROM (amount * 100)::bigint") == 0
    told = [text for (text,) in shop.rows("SELECT text FROM stoa.events WHERE kind = 'fingerprint'")]
    assert told and not [text for text in told if "not measured" in text], told
    assert shop.value(LEFT) == 0

"""The catalog before and after: what a plan predicts, what a change leaves, and what somebody else did meanwhile."""
import re

import psycopg
import pytest

from test.lib.database import FINGERPRINT, orders
from test.lib.servers import ROOT, until
from test.lib.writers import Writers
from test.server import test_probe
from test.server.probe_cases import CASES
from test.server.test_measured import SHAPES

PROBE = ["--probe", "on"]
SQL = ROOT / "src" / "engine" / "postgres" / "sql" / "fingerprint.sql"
# Their objects hang on no table.
APART = re.compile(r"CREATE (SEQUENCE seq|TYPE|TABLE)|DROP (SCHEMA|FUNCTION)|numbers|ALTER DOMAIN positive|RENAME VALUE")


def fingerprint_sql(version):
    """As the program fits it to the version."""
    kept = []
    for line in SQL.read_text().splitlines():
        mark = re.search(r"--@(\d+)([+-])$", line)
        if not mark or (version >= int(mark[1])) == (mark[2] == "+"):
            kept.append(line.split("--")[0])
    return "\n".join(kept)


def lines(conn, version, tables=None):
    """The program's fingerprint of these tables (numbers), or of all."""
    if tables is None:
        tables = [row[0] for row in conn.execute(
            "SELECT oid::int8 FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384 ORDER BY 1")]
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        text = fingerprint_sql(version).replace("$1", "'{" + ",".join(map(str, tables)) + "}'")
        return [row[0] for row in conn.execute(text)]


@pytest.fixture
def shop(db):
    orders(db, 3000)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99);"
           "CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
           "CREATE TRIGGER own AFTER INSERT ON orders FOR EACH ROW EXECUTE PROCEDURE own();"
           "ALTER TABLE orders ADD CONSTRAINT later CHECK (amount >= 0) NOT VALID;"
           "CREATE UNIQUE INDEX made ON orders (id, status);"
           "COMMENT ON COLUMN orders.note IS 'by the customer'; GRANT SELECT (note) ON orders TO PUBLIC;"
           "CREATE VIEW seen AS SELECT id, note FROM orders; GRANT SELECT ON seen TO PUBLIC")
    db.admin.execute("CREATE PUBLICATION shop FOR TABLE customers")
    return db


def prints(db, kind="fingerprint"):
    return [row[0] for row in db.rows("SELECT detail FROM stoa.events WHERE kind = %s ORDER BY id", [kind])]


def test_sees_what_the_other_fingerprint_sees(db):
    """Each statement of the probe's table changes our lines where it changes those of the test's own query, which looks at less."""
    test_probe.make(db)
    judged, sharper = 0, []
    with db.server.connect(db.name) as conn:
        tables = [row[0] for row in conn.execute(
            "SELECT oid::int8 FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384")]
        before, other_before = lines(conn, db.version, tables), db.fingerprint()
        for statement, _ in CASES:
            if APART.search(statement):
                continue
            try:
                with conn.transaction(force_rollback=True):
                    conn.execute(statement)
                    other = [tuple(map(str, row)) for row in conn.execute(FINGERPRINT)] != other_before
                    differs = lines(conn, db.version, tables) != before  # sets the search path
            except psycopg.Error:
                continue
            judged += 1
            assert differs or not other, statement
            if differs and not other:
                sharper.append(statement)
        assert lines(conn, db.version, tables) == before
    assert judged > 80 and all(re.search('COMPRESSION|INHERIT|RULE|PARTITION|STATISTICS|DOMAIN|TYPE mood', one) for one in sharper), sharper


@pytest.mark.parametrize("statement, words", [
    ("GRANT UPDATE (note) ON orders TO PUBLIC", "column public.orders.note: grant to public = SELECT, UPDATE"),
    ("REVOKE TRUNCATE ON orders FROM {owner}", "table public.orders: owner keeps = "),
    ("COMMENT ON COLUMN orders.note IS 'two\n lines'", "column public.orders.note: comment = two lines"),
    ("COMMENT ON TRIGGER own ON orders IS 'x'", "trigger public.orders.own: comment = x"),
    ("COMMENT ON CONSTRAINT later ON orders IS 'x'", "constraint public.orders.later: comment = x"),
    ("COMMENT ON INDEX made IS 'x'", "index public.made: comment = x"),
    ("ALTER TABLE orders ALTER note SET (n_distinct = 5)", "column public.orders.note: option n_distinct = 5"),
    ("ALTER PUBLICATION shop ADD TABLE orders", "table public.orders: publication shop = listed"),
    ("ALTER SEQUENCE orders_id_seq INCREMENT 7", "sequence public.orders_id_seq: definition = bigint increment 7 "),
    ("ALTER VIEW seen SET (security_barrier)", "view public.seen: option security_barrier = true"),
    ("CREATE TABLE pointing (id bigint REFERENCES orders)", "constraint public.pointing.pointing_id_fkey: definition"),
    ("CREATE POLICY mine ON orders FOR SELECT USING (id > 5)", "policy public.orders.mine: definition = permissive for "
     "select to public using ((id > 5))"),
    ("ALTER TABLE orders ALTER id SET GENERATED ALWAYS", "column public.orders.id: identity = always"),
    ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'made'::regclass", "index public.made: valid = no"),
])
def test_lines(shop, statement, words):
    with shop.server.connect(shop.name) as conn:
        tables = [shop.value("SELECT 'orders'::regclass::oid::int8")]
        before = lines(conn, shop.version, tables)
        conn.execute(statement.format(owner=shop.owner))
        added = [line for line in lines(conn, shop.version, tables) if line not in before]
        assert len(added) == 1 and added[0].startswith(words), added


def test_prediction_is_what_comes(shop, admin_stoa):
    """Every shape of change up to complete: nothing differs from before but what the plan said."""
    with shop.server.connect(shop.name) as conn:
        for number, (text, args) in enumerate(SHAPES):
            if "RENAME CONSTRAINT later" in text or "USING INDEX" in text or text.startswith("DROP INDEX"):
                continue  # they take away what others of the list need
            name = ["--name", f"c{number}"]
            plan = admin_stoa("plan", text, *args, *PROBE, *name, "--json").json
            before = lines(conn, shop.version)
            admin_stoa.apply(text, *args, *PROBE, *name)
            mark, = [mark for mark in plan["fingerprint"] if mark["at"] == "ready"]
            after = lines(conn, shop.version)
            assert mark["added"] == [line for line in after if line not in before], text
            assert mark["removed"] == [line for line in before if line not in after and
                                       "comment = by the customer" not in line], text  # a copy has no comments
            if admin_stoa.status(f"c{number}")["state"] == "ready":
                admin_stoa("complete", f"c{number}", "--yes", "--force")
            undo(shop, text)
    assert prints(shop, "drift") == []


def undo(db, text):
    """So that the next shape finds the table without it."""
    if "ADD COLUMN c" in text:
        db.run("ALTER TABLE orders DROP COLUMN c")
    elif "ADD CONSTRAINT k" in text:
        db.run("ALTER TABLE orders DROP CONSTRAINT k")
    elif "INDEX k" in text:
        db.run("DROP INDEX k")


BACKFILLED = ["ALTER TABLE orders ADD COLUMN c bigint NOT NULL", "--backfill", "orders.c = (amount * 100)::bigint",
              "--name", "c", *PROBE]


def paused(stoa, *args):
    running = stoa.start("apply", *BACKFILLED, "--yes", *args, env={"STOA_FAILPOINT": "wave_after_commit=pause:2"})
    until(lambda: running.is_stopped, 30, "the pause")
    return running


@pytest.mark.parametrize("drift, words", [
    ("CREATE INDEX foreign_made ON orders (note)", "+ index public.foreign_made: definition"),
    ("ALTER TABLE orders ALTER note SET NOT NULL", "+ column public.orders.note: not null = yes"),
    ("COMMENT ON COLUMN orders.note IS NULL", "- column public.orders.note: comment = by the customer"),
    ("REVOKE SELECT ON seen FROM PUBLIC", "- view public.seen: grant to public = SELECT"),
])
def test_unplanned_difference_fails_before_ready(shop, admin_stoa, drift, words):
    shop.run("UPDATE orders SET note = 'n' WHERE note IS NULL")
    with Writers(shop, "orders", ["UPDATE {t} SET status = 'paid', amount = amount + 1 WHERE id = %(n)s"], 3000):
        running = paused(admin_stoa)
        shop.run(drift)
        running.signal(18)
        result = running.wait(6)
        assert words in result.err and "--accept-drift" in result.err, str(result)
        assert admin_stoa.status("c")["state"] == "failed"
        again = admin_stoa("resume", "c", code=6)
        assert words in again.err
        admin_stoa("resume", "c", "--accept-drift")
    assert admin_stoa.status("c")["ready"] is True
    accepted, = prints(shop, "drift_accepted")
    assert [line for line in accepted["unplanned"] if line.startswith(words)], accepted
    assert "c" in shop.columns("orders")


def test_undone_by_whoever_did_it_goes_on(shop, admin_stoa):
    running = paused(admin_stoa)
    shop.run("CREATE INDEX foreign_made ON orders (note)")
    running.signal(18)
    running.wait(6)
    shop.run("DROP INDEX foreign_made")
    admin_stoa("resume", "c")
    assert admin_stoa.status("c")["ready"] is True


def test_abort_gives_back_what_was(shop, admin_stoa):
    before = shop.fingerprint()
    paused(admin_stoa).kill()
    admin_stoa("abort", "c", "--yes")
    assert prints(shop)[-1] == {"at": "after abort", "removed": [], "added": [], "unplanned": []}
    assert prints(shop, "drift") == [] and shop.fingerprint() == before


def test_abort_tells_what_differs(shop, admin_stoa):
    paused(admin_stoa).kill()
    shop.run("CREATE INDEX foreign_made ON orders (note)")
    result = admin_stoa("abort", "c", "--yes")
    assert "+ index public.foreign_made" in result.err, str(result)
    told, = prints(shop, "drift")
    assert len(told["unplanned"]) == 1 and told["at"] == "after abort"


def test_unmeasured_is_only_journalled(shop, admin_stoa):
    running = admin_stoa.start("apply", *BACKFILLED[:-2], "--yes", "--probe", "off",
                               env={"STOA_FAILPOINT": "wave_after_commit=pause:2"})
    until(lambda: running.is_stopped, 30, "the pause")
    shop.run("CREATE INDEX foreign_made ON orders (note)")
    running.signal(18)
    running.wait(0)
    before, ready = prints(shop)
    assert before["at"] == "before" and ready["at"] == "ready"
    assert [line for line in ready["added"] if "foreign_made" in line]


def test_plan_shows_it(shop, admin_stoa):
    out = admin_stoa("plan", *BACKFILLED).out
    assert "What will be different" in out and "column public.orders.c: type = bigint" in out
    assert "What will be different" not in admin_stoa("plan", *BACKFILLED[:-2], "--probe", "off").out

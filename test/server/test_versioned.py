"""--versioned: the old application on the table and the new one on a view of it, both writing all the time.

STOA_VERSIONED_SECONDS is how long both write before complete and revert (as long as 300 statements each take).
"""
import os
import time

import psycopg
import pytest

from test.lib.database import orders
from test.lib.writers import Writers, assert_twin, make_twin

SECONDS = float(os.environ.get("STOA_VERSIONED_SECONDS", "0"))
NAME = "both"
SCHEMA = "public_both"
OLD = [
    "UPDATE {t} SET amount = %(m)s / 100.0, note = 'old ' || %(m)s WHERE id = %(n)s",
    "UPDATE {t} SET status = 'paid' WHERE id = %(n)s",
    "INSERT INTO {t} (id, customer_id, amount, note, created_at) VALUES (%(new)s, 7, %(m)s / 100.0, 'by old', '2026-01-01')",
    "INSERT INTO {t} (id, customer_id, amount, created_at) VALUES (%(n)s, 8, 1, '2026-01-01') "
    "ON CONFLICT (id) DO UPDATE SET note = {t}.note || '.', customer_id = excluded.customer_id",
    "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 30000",
]


def renamed(statement):
    return statement.replace("note", "remark")


# The same on the view, where note is called remark. The twin has the old names.
NEW = [(renamed(statement), statement) for statement in OLD]


def path(schema=SCHEMA, version=NAME):
    """The new application's settings, as its connection string has them."""
    return f"-c search_path={schema},public -c stoa.version={version}"


def apply(stoa, sql, *args, **options):
    return stoa.apply(sql, "--name", NAME, "--versioned", "--accept-view", *args, **options)


def fresh(db, **parameters):
    return db.connect(autocommit=True, **parameters)


def refused(conn, sql, words):
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as problem:
        conn.execute(sql)
    assert words in str(problem.value), problem.value


RENAME = "ALTER TABLE orders RENAME COLUMN note TO remark"


def test_rename_with_both_applications(db, stoa):
    """Nothing is copied: both names are one column, until `complete` takes the old one away."""
    orders(db)
    make_twin(db, "orders", "twin")
    storage = db.value("SELECT pg_relation_filenode('orders')")
    with Writers(db, "orders", OLD, 2000, twin="twin") as old:
        apply(stoa, RENAME)
        with Writers(db, "orders", NEW, 2000, twin="public.twin", options=path(), first=5) as new:
            seen = old.done, new.done
            while old.done < seen[0] + 300 or new.done < seen[1] + 300:
                assert not old.errors and not new.errors, (old.errors, new.errors)
            old.stop()
            assert_twin(db, "orders", "twin")
            stoa("complete", NAME, "--yes", "--force")
            seen = new.done
            while new.done < seen + 200:
                assert not new.errors, new.errors
            new.stop()
    assert "remark" in db.columns("orders") and "note" not in db.columns("orders")
    db.run("ALTER TABLE twin RENAME COLUMN note TO remark")
    assert_twin(db, "orders", "twin")
    assert db.value("SELECT pg_relation_filenode('orders')") == storage
    assert db.triggers("orders") == []


def test_what_works_through_the_view(db, stoa):
    orders(db, 50)
    db.run("ALTER TABLE orders ADD COLUMN line int GENERATED ALWAYS AS IDENTITY; "
           "ALTER TABLE orders ADD COLUMN code serial")
    apply(stoa, RENAME)
    new = fresh(db, options=path())
    row = new.execute("INSERT INTO orders (customer_id, amount, remark) VALUES (1, 2, 'x') "
                      "RETURNING id, status, line, code, remark").fetchone()
    assert row[1] == "new" and None not in row and row[4] == "x", "defaults, identity and serial of the table"
    assert new.execute("UPDATE orders SET remark = 'y' WHERE id = 3 RETURNING remark").fetchone() == ("y",)
    assert new.execute("INSERT INTO orders (id, customer_id, amount, remark) VALUES (3, 1, 1, 'z') ON CONFLICT (id) "
                       "DO UPDATE SET remark = excluded.remark RETURNING remark").fetchone() == ("z",)
    assert new.execute("DELETE FROM orders WHERE id = 4 RETURNING id").fetchone() == (4,)
    assert new.execute("SELECT remark FROM orders WHERE id = 3 FOR UPDATE").fetchone() == ("z",)
    assert new.execute("INSERT INTO orders (customer_id, amount) SELECT 1, 1 WHERE false").rowcount == 0
    assert new.execute("INSERT INTO orders (customer_id, amount) SELECT 1, i FROM generate_series(1, 3) i").rowcount == 3
    new.execute("WITH gone AS (UPDATE orders SET remark = 'm' WHERE id = 5 RETURNING id) "
                "INSERT INTO orders (customer_id, amount, line) OVERRIDING SYSTEM VALUE SELECT 1, 1, 1 FROM gone WHERE false")
    assert db.value("SELECT note FROM orders WHERE id = 3") == "z"
    text = "\n".join(row[0] for row in new.execute("EXPLAIN SELECT * FROM orders WHERE id = 3").fetchall())
    assert "One-Time Filter" in text, f"asked once a statement: {text}"
    new.execute("SET enable_seqscan = off")
    text = "\n".join(row[0] for row in new.execute("EXPLAIN UPDATE orders SET remark = 'q' WHERE id = 3").fetchall())
    assert "Index Cond" in text and "One-Time Filter" in text, text


def test_a_session_in_the_wrong_place_is_told(db, stoa):
    orders(db, 20)
    apply(stoa, RENAME)
    for setting, words in (("", "has not set stoa.version"), ("-c stoa.version=other", 'stoa.version = "other"')):
        lost = fresh(db, options=f"-c search_path={SCHEMA},public {setting}")
        for sql in ("SELECT * FROM orders", "UPDATE orders SET remark = 'x' WHERE id = 1", "DELETE FROM orders WHERE id = 1",
                    "INSERT INTO orders (customer_id, amount) VALUES (1, 1)",
                    "SELECT count(*) FROM orders o JOIN generate_series(1, 3) g ON g = o.id"):
            refused(lost, sql, words)
        lost.execute("UPDATE public.orders SET note = 'fine' WHERE id = 1")
    past = fresh(db, options=path())
    for sql in ("UPDATE public.orders SET note = 'x' WHERE id = 2", "UPDATE public.orders SET status = 'x'",
                "INSERT INTO public.orders (customer_id, amount) VALUES (1, 1)"):
        refused(past, sql, "writes past the views of that version")
        with past.transaction(), pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState), past.transaction():
            past.execute("UPDATE orders SET remark = 'through the view' WHERE id = 3")
            past.execute(sql)
    assert db.value("SELECT count(*) FROM orders WHERE note IN ('x', 'through the view')") == 0
    both = fresh(db, options=f"-c search_path={SCHEMA},public")
    both.execute(f"SET stoa.version = 'another, {NAME}'")
    both.execute("UPDATE orders SET remark = 'of two versions' WHERE id = 5")
    refused(both, "UPDATE public.orders SET note = 'x' WHERE id = 2", "writes past")


def test_a_role_tells_the_version(db, stoa):
    orders(db, 20)
    apply(stoa, RENAME)
    role = db.role("new")
    db.run(f"GRANT SELECT, UPDATE ON orders, {SCHEMA}.orders TO {role}")
    db.admin.execute(f"ALTER ROLE {role} SET stoa.version = '{NAME}'")
    db.admin.execute(f"ALTER ROLE {role} SET search_path = {SCHEMA}, public")
    conn = fresh(db, user=role)
    conn.execute("UPDATE orders SET remark = 'x' WHERE id = 1")
    refused(conn, "UPDATE public.orders SET note = 'x' WHERE id = 2", "writes past")


def test_writes_of_triggers_and_foreign_keys_know_no_version(db, stoa):
    orders(db, 20)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99); "
           "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers ON UPDATE CASCADE")
    apply(stoa, RENAME)
    conn = fresh(db, options=path())
    conn.execute("UPDATE customers SET id = 1000 WHERE id = 1")
    assert conn.execute("SELECT count(*) FROM orders WHERE customer_id = 1000").fetchone()[0] > 0


def test_grants_comments_and_owner_come_along(db, stoa):
    orders(db, 20)
    reader, clerk = db.role("reader"), db.role("clerk")
    db.run(f"GRANT SELECT ON orders TO {reader} WITH GRANT OPTION; GRANT UPDATE (note, status), SELECT (id, note) ON orders "
           f"TO {clerk}; GRANT INSERT ON orders TO PUBLIC; COMMENT ON TABLE orders IS 'it''s orders'; "
           "COMMENT ON COLUMN orders.note IS 'said'")
    apply(stoa, RENAME)
    view = f"{SCHEMA}.orders"
    ask = "SELECT has_table_privilege(%s, %s, %s)"
    assert db.value(ask, [reader, view, "SELECT WITH GRANT OPTION"]) and not db.value(ask, [reader, view, "UPDATE"])
    assert db.value(ask, [clerk, view, "INSERT"]) and not db.value(ask, [clerk, view, "SELECT"])
    conn = fresh(db, user=clerk, options=path())
    conn.execute("UPDATE orders SET remark = 'clerk' WHERE id = 2")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT amount FROM orders")
    assert db.value("SELECT obj_description(%s::regclass)", [view]) == "it's orders"
    assert db.value("SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = %s::regclass "
                    "AND attname = 'remark'", [view]) == "said"
    assert db.value("SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass", [view]) == db.owner


def test_as_superuser_for_a_plain_owner(db, admin_stoa):
    """Schema and view belong to the table's owner, whoever runs the change."""
    orders(db, 20)
    apply(admin_stoa, RENAME)
    assert db.rows("SELECT nspowner::regrole::text, relowner::regrole::text FROM pg_namespace n JOIN pg_class c ON "
                   "relnamespace = n.oid WHERE nspname = %s", [SCHEMA]) == [(db.owner, db.owner)]
    fresh(db, options=path()).execute("UPDATE orders SET remark = 'x' WHERE id = 1")
    admin_stoa("complete", NAME, "--yes", "--force")
    fresh(db, options=path()).execute("UPDATE orders SET remark = 'x' WHERE id = 1")


def test_abort_leaves_nothing(db, stoa):
    orders(db)
    make_twin(db, "orders", "twin")
    before = db.fingerprint()
    with Writers(db, "orders", OLD, 2000, twin="twin") as old:
        apply(stoa, RENAME)
        with Writers(db, "orders", NEW, 2000, twin="public.twin", options=path(), first=5) as new:
            while new.done < 100:
                assert not new.errors, new.errors
        stoa("abort", NAME, "--yes", "--force")
        old.stop()
    assert db.fingerprint() == before
    assert_twin(db, "orders", "twin")


@pytest.mark.crash
@pytest.mark.parametrize("failpoint", ["step_intent", "ddl_before_journal", "locked_before_commit", "locked_after_commit",
                                       "step_outcome"])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_killed_and_applied_again(db, stoa, failpoint, which):
    orders(db, 200)
    make_twin(db, "orders", "twin")
    with Writers(db, "orders", OLD, 200, twin="twin", threads=1):
        killed = apply(stoa, RENAME, code=None, env={"STOA_FAILPOINT": f"{failpoint}=kill:{which}"})
        assert killed.code != 0, str(killed)
        apply(stoa, RENAME)
        with Writers(db, "orders", NEW, 200, twin="public.twin", options=path(), first=5, threads=1) as new:
            while new.done < 30:
                assert not new.errors, new.errors
    assert_twin(db, "orders", "twin")


@pytest.mark.crash
@pytest.mark.parametrize("failpoint", ["undo_before_journal", "locked_after_commit", "abort_before_state"])
def test_abort_killed_and_begun_again(db, stoa, failpoint):
    orders(db, 200)
    before = db.fingerprint()
    apply(stoa, RENAME)
    assert stoa("abort", NAME, "--yes", "--force", code=None, env={"STOA_FAILPOINT": f"{failpoint}=kill:1"}).code != 0
    stoa("abort", NAME, "--yes", "--force")
    assert db.fingerprint() == before


@pytest.mark.crash
@pytest.mark.parametrize("failpoint", ["ddl_before_journal=kill:1", "ddl_before_journal=kill:2", "locked_after_commit=kill:1",
                                       "complete_before_state=kill:1"])
def test_complete_killed_and_begun_again(db, stoa, failpoint):
    orders(db, 200)
    apply(stoa, RENAME + "; ALTER TABLE orders RENAME TO purchases")
    killed = stoa("complete", NAME, "--yes", "--force", code=None, env={"STOA_FAILPOINT": failpoint})
    assert killed.code != 0, str(killed)
    stoa("complete", NAME, "--yes", "--force")
    assert db.value("SELECT count(remark) FROM purchases") == 200
    fresh(db, options=path()).execute("UPDATE purchases SET remark = 'x' WHERE id = 1")


def test_table_gets_another_name_and_schema(db, stoa):
    orders(db, 30)
    db.run("CREATE SCHEMA shop")
    apply(stoa, "ALTER TABLE orders RENAME TO purchases; ALTER TABLE orders SET SCHEMA shop")
    new = fresh(db, options=path())
    new.execute("INSERT INTO purchases (customer_id, amount) VALUES (1, 1)")
    assert db.value("SELECT count(*) FROM orders") == 31
    stoa("complete", NAME, "--yes", "--force")
    new.execute("INSERT INTO purchases (customer_id, amount) VALUES (1, 1)")
    assert db.value("SELECT count(*) FROM shop.purchases") == 32


def test_added_column_is_filled_for_the_old_application(db, stoa):
    """The table shows both shapes of it; the old application's rows are filled by the trigger."""
    orders(db)
    make_twin(db, "orders", "twin")
    with Writers(db, "orders", OLD, 2000, twin="twin") as old:
        apply(stoa, "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL; " + RENAME,
              "--backfill", "orders.amount_cents = (amount * 100)::bigint")
        new = [("INSERT INTO {t} (id, customer_id, amount, amount_cents, created_at) VALUES "
                "(%(new)s, 7, %(m)s / 100.0, %(m)s, '2026-01-01')",
                "INSERT INTO {t} (id, customer_id, amount, created_at) VALUES (%(new)s, 7, %(m)s / 100.0, '2026-01-01')"),
               *NEW]
        with Writers(db, "orders", new, 2000, twin="public.twin", options=path(), first=5) as writers:
            while writers.done < 300:
                assert not writers.errors, writers.errors
        old.stop()
    assert_twin(db, "orders", "twin")
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM (amount * 100)::bigint") == 0


def test_the_version_before_goes_with_complete(db, stoa):
    """Views of an earlier version live until a later one on the same table is completed; whoever has them works on."""
    orders(db, 50)
    stoa.apply(RENAME, "--name", "one", "--versioned", "--accept-view")
    one = fresh(db, options=path("public_one", "one"))
    stoa("complete", "one", "--yes", "--force")
    one.execute("UPDATE orders SET remark = 'by one' WHERE id = 1")
    stoa.apply("ALTER TABLE orders RENAME COLUMN remark TO words", "--name", "two", "--versioned", "--accept-view")
    two = fresh(db, options=path("public_two", "two"))
    one.execute("UPDATE orders SET remark = 'by one' WHERE id = 2")
    assert two.execute("SELECT words FROM orders WHERE id = 2").fetchone() == ("by one",)
    stoa("complete", "two", "--yes", "--force")
    assert db.value("SELECT to_regnamespace('public_one') IS NULL")
    two.execute("UPDATE orders SET words = 'by two' WHERE id = 3")
    stoa("uninstall", "--yes")
    two.execute("UPDATE orders SET words = 'by two' WHERE id = 4")


def test_the_next_version_takes_what_the_one_before_shows(db, admin_stoa):
    """Its view does not stand in the way; tried on an empty copy first, as superusers can."""
    stoa = admin_stoa
    orders(db, 200)
    db.run("GRANT SELECT ON orders TO PUBLIC; COMMENT ON COLUMN orders.note IS 'said'")
    stoa.apply(RENAME, "--name", "one", "--versioned", "--accept-view")
    one = fresh(db, options=path("public_one", "one"))
    stoa("complete", "one", "--yes", "--force")
    stoa.apply("ALTER TABLE orders DROP COLUMN remark; ALTER TABLE orders ALTER COLUMN customer_id TYPE bigint", "--name",
               "two", "--versioned", "--accept-view", ORDER)
    two = fresh(db, options=path("public_two", "two"))
    one.execute("UPDATE orders SET remark = 'x', customer_id = 77 WHERE id = 1")
    assert two.execute("SELECT customer_id FROM orders WHERE id = 1").fetchone() == (77,)
    two.execute("UPDATE orders SET customer_id = 78 WHERE id = 1")
    assert one.execute("SELECT customer_id, remark FROM orders WHERE id = 1").fetchone() == (78, "x")
    stoa("complete", "two", "--yes", "--force")
    assert db.value("SELECT to_regnamespace('public_one') IS NULL")
    assert db.columns("orders")["customer_id"][0] == "bigint" and "remark" not in db.columns("orders")
    two.execute("UPDATE orders SET customer_id = 3000000000 WHERE id = 1")


def test_partitioned_table(db, stoa):
    db.run("CREATE TABLE log (day int NOT NULL, note text) PARTITION BY RANGE (day); "
           "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); "
           "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20); "
           "INSERT INTO log SELECT i % 20, i FROM generate_series(1, 99) i")
    apply(stoa, "ALTER TABLE log ADD COLUMN line text NOT NULL", "--backfill", "log.line = 'l' || note")
    new = fresh(db, options=path())
    assert new.execute("UPDATE log SET line = 'x' WHERE day = 3").rowcount > 0
    new.execute("INSERT INTO log (day, line) VALUES (12, 'y')")
    if db.version >= 11:
        refused(new, "INSERT INTO public.log (day, line) VALUES (12, 'z')", "writes past")
    fresh(db).execute("INSERT INTO log (day, note) VALUES (12, 'n')")
    assert new.execute("SELECT line FROM log WHERE note = 'n'").fetchone() == ("ln",)
    stoa("complete", NAME, "--yes", "--force")
    new.execute("INSERT INTO log (day, line) VALUES (12, 'y')")


def test_parallel_plans_come_back_with_complete(db, stoa):
    orders(db, 2000)
    apply(stoa, RENAME)
    new = fresh(db, options=path())

    def plan():
        new.execute("SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0")
        return "\n".join(row[0] for row in new.execute("EXPLAIN SELECT count(*) FROM orders").fetchall())
    assert "Gather" not in plan()
    stoa("complete", NAME, "--yes", "--force")
    assert "Gather" in plan()
    assert new.execute("SELECT count(*) FROM orders").fetchone() == (2000,)


def test_row_level_security(db, stoa):
    orders(db, 20)
    clerk = db.role("clerk")
    db.run("ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON orders USING (customer_id = 3); "
           f"GRANT SELECT ON orders TO {clerk}")
    if db.version < 15:
        assert "row level security" in apply(stoa, RENAME, code=4).err
        return
    apply(stoa, RENAME)
    assert fresh(db, user=clerk, options=path()).execute("SELECT DISTINCT customer_id FROM orders").fetchall() == [(3,)]


def test_what_is_refused(db, stoa):
    orders(db, 20)
    assert "--accept-view" in stoa.apply(RENAME, "--versioned", code=4).err
    assert "leave it out" in stoa.apply("CREATE INDEX ON orders (note)", "--versioned", "--accept-view", code=2).err
    db.run(f"CREATE SCHEMA {SCHEMA}")
    assert "exists already" in apply(stoa, RENAME, code=4).err
    stoa.apply(RENAME, "--name", NAME, "--versioned=shop_2", "--accept-view")
    fresh(db, options=path("shop_2")).execute("SELECT remark FROM orders")
    assert stoa("plan", RENAME, "--name", NAME, "--json").json["version_schema"] == "shop_2"


WIDER = "ALTER TABLE orders ALTER COLUMN customer_id TYPE bigint; " + RENAME
ORDER = "--accept-column-order"


def both_write(db, stoa, sql, *options, count=2000):
    """The change with the old application writing all the time and the new one from ready on; both are at work when
    the caller goes on, and are returned."""
    orders(db, count)
    db.before = db.fingerprint()
    make_twin(db, "orders", "twin")
    old = Writers(db, "orders", OLD, count, twin="twin")
    apply(stoa, sql, *options)
    new = Writers(db, "orders", NEW, count, twin="public.twin", options=path(), first=5)
    seen, until = (old.done, new.done), time.monotonic() + SECONDS
    while old.done < seen[0] + 300 or new.done < seen[1] + 300 or time.monotonic() < until:
        assert not old.errors and not new.errors, (old.errors, new.errors)
        time.sleep(0.01)
    return old, new


def same_in_both_shapes(db):
    """Every row as the old application and as the new one sees it."""
    view = f"SELECT id, customer_id, amount, status, remark AS note, created_at FROM {SCHEMA}.orders"
    table = "SELECT id, customer_id, amount, status, note, created_at FROM public.{}"
    db.admin.execute(f"SET stoa.version = '{NAME}'")
    for one, other in ((view, table.format("twin")), (table.format("twin"), view), (view, table.format("orders"))):
        assert not db.rows(f"{one} EXCEPT ALL {other} LIMIT 5"), f"{one} / {other}"


def test_type_change_with_both_applications(db, stoa):
    """Each application has its own column; names change places with `complete`."""
    old, new = both_write(db, stoa, WIDER, ORDER)
    assert db.columns("orders")["customer_id"][0] == "integer"
    assert db.value(f"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{SCHEMA}.orders'::regclass "
                    "AND attname = 'customer_id'") == "bigint"
    old.stop()
    seen = new.done
    while new.done < seen + 100:
        assert not new.errors, new.errors
    stoa("complete", NAME, "--yes", "--force")
    seen = new.done
    while new.done < seen + 200:
        assert not new.errors, new.errors
    new.stop()
    assert db.columns("orders")["customer_id"][0] == "bigint" and "note" not in db.columns("orders")
    assert not [name for name in db.columns("orders") if name.startswith("_stoa")]
    assert db.triggers("orders") == []
    db.run("ALTER TABLE twin RENAME COLUMN note TO remark")
    assert_twin(db, "orders", "twin")
    assert db.value(f"SELECT count(*) FROM pg_indexes WHERE tablename = 'orders' AND indexdef LIKE '%customer_id%'") == 1


def test_revert_after_writes_of_both(db, stoa):
    """What the new application wrote stands in the old columns: the table is as it was, with all rows of both."""
    old, new = both_write(db, stoa, WIDER, ORDER)
    old.stop()
    new.stop()
    same_in_both_shapes(db)
    with Writers(db, "orders", OLD, 2000, twin="twin", first=9) as old:
        stoa("revert", NAME, "--yes")
        seen = old.done
        while old.done < seen + 100:
            assert not old.errors, old.errors
    assert stoa("status", NAME, "--all", "--json").json["changes"][0]["state"] == "reverted"
    assert_twin(db, "orders", "twin")
    db.run("DROP TABLE twin")
    assert db.fingerprint() == db.before


@pytest.mark.crash
@pytest.mark.parametrize("failpoint", ["ddl_before_journal=kill:1", "locked_after_commit=kill:1", "ddl_before_journal=kill:3",
                                       "locked_after_commit=kill:4"])
def test_revert_killed_and_begun_again(db, stoa, failpoint):
    old, new = both_write(db, stoa, WIDER, ORDER, count=200)
    new.stop()
    killed = stoa("revert", NAME, "--yes", code=None, env={"STOA_FAILPOINT": failpoint})
    assert killed.code != 0, str(killed)
    stoa("revert", NAME, "--yes")
    old.stop()
    assert_twin(db, "orders", "twin")
    db.run("DROP TABLE twin")
    assert db.fingerprint() == db.before


@pytest.mark.crash
@pytest.mark.parametrize("verb, failpoint", [("apply", "ddl_before_journal=kill:2"), ("apply", "wave_after_commit=kill:1"),
                                             ("apply", "locked_after_commit=kill:4"), ("complete", "ddl_before_journal=kill:1"),
                                             ("complete", "locked_after_commit=kill:1")])
def test_type_change_killed_and_begun_again(db, stoa, verb, failpoint):
    orders(db, 500)
    make_twin(db, "orders", "twin")
    env = {"STOA_FAILPOINT": failpoint}
    with Writers(db, "orders", OLD, 500, twin="twin", threads=1) as old:
        if verb == "apply":
            assert apply(stoa, WIDER, ORDER, code=None, env=env).code != 0
        apply(stoa, WIDER, ORDER)
        old.stop()
    with Writers(db, "orders", NEW, 500, twin="public.twin", options=path(), first=5, threads=1) as new:
        if verb == "complete":
            assert stoa("complete", NAME, "--yes", "--force", code=None, env=env).code != 0
        stoa("complete", NAME, "--yes", "--force")
        seen = new.done
        while new.done < seen + 30:
            assert not new.errors, new.errors
    db.run("ALTER TABLE twin RENAME COLUMN note TO remark")
    assert_twin(db, "orders", "twin")


def test_what_the_old_shape_cannot_hold_never_fails_a_write(db, stoa):
    orders(db, 200)
    apply(stoa, WIDER, ORDER)
    new = fresh(db, options=path())
    new.execute("UPDATE orders SET customer_id = 3000000000 WHERE id = 5")
    new.execute("INSERT INTO orders (id, customer_id, amount) VALUES (100000, 3000000001, 1)")
    assert new.execute("SELECT customer_id FROM orders WHERE id IN (5, 100000) ORDER BY id").fetchall() == [
        (3000000000,), (3000000001,)]
    refusal = stoa("revert", NAME, "--yes", code=4).err
    assert "customer_id" in refusal and "id=5" in refusal, refusal
    new.execute("UPDATE orders SET remark = 'the view is still there' WHERE id = 6")
    stoa("complete", NAME, "--yes", "--force")
    assert db.value("SELECT customer_id FROM orders WHERE id = 100000") == 3000000001


def test_what_the_old_shape_only_nearly_holds_is_a_loss(db, stoa):
    orders(db, 200)
    apply(stoa, "ALTER TABLE orders ALTER customer_id TYPE numeric(20,4)", ORDER)
    new = fresh(db, options=path())
    new.execute("UPDATE orders SET customer_id = 9 WHERE id = 4")
    assert db.value("SELECT count(*) FROM stoa.sync_broken") == 0
    new.execute("UPDATE orders SET customer_id = 9.5 WHERE id = 5")
    refusal = stoa("revert", NAME, "--yes", code=4).err
    assert "exactly" in refusal and "id=5" in refusal, refusal


def test_dropped_column_is_left_out(db, stoa):
    """The new application inserts without it, though it was NOT NULL; with `complete` it goes."""
    orders(db, 50)
    db.run("ALTER TABLE orders ADD COLUMN legacy int NOT NULL DEFAULT 1; ALTER TABLE orders ALTER COLUMN legacy DROP DEFAULT")
    apply(stoa, "ALTER TABLE orders DROP COLUMN legacy; " + RENAME)
    new = fresh(db, options=path())
    row = new.execute("INSERT INTO orders (customer_id, amount) VALUES (1, 1) RETURNING *")
    assert "legacy" not in [column.name for column in row.description]
    fresh(db).execute("INSERT INTO orders (customer_id, amount, legacy) VALUES (1, 1, 7)")
    assert db.value("SELECT count(*) FROM orders WHERE legacy = 7") == 1
    stoa("complete", NAME, "--yes", "--force")
    assert "legacy" not in db.columns("orders")
    new.execute("INSERT INTO orders (customer_id, amount, remark) VALUES (1, 1, 'x')")


def test_split_column(db, stoa):
    db.run("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL); "
           "INSERT INTO people SELECT i, 'First' || i || ' Last' || i FROM generate_series(1, 100) i")
    apply(stoa, "ALTER TABLE people ADD COLUMN first text NOT NULL; ALTER TABLE people ADD COLUMN last text NOT NULL; "
                "ALTER TABLE people DROP COLUMN name",
          "--backfill", "people.first = split_part(name, ' ', 1)", "--backfill", "people.last = split_part(name, ' ', 2)",
          "--reverse", "people.name = first || ' ' || last")
    new = fresh(db, options=path())
    new.execute("INSERT INTO people (id, first, last) VALUES (1000, 'Ada', 'Lovelace')")
    new.execute("UPDATE people SET last = 'Changed' WHERE id = 2")
    old = fresh(db)
    old.execute("INSERT INTO people VALUES (1001, 'Alan Turing')")
    assert new.execute("SELECT * FROM people WHERE id = 1001").fetchone() == (1001, "Alan", "Turing")
    assert old.execute("SELECT name FROM people WHERE id IN (2, 1000) ORDER BY id").fetchall() == [
        ("First2 Changed",), ("Ada Lovelace",)]
    stoa("revert", NAME, "--yes")
    assert list(db.columns("people")) == ["id", "name"]
    assert db.value("SELECT name FROM people WHERE id = 1000") == "Ada Lovelace"


def test_keys_cannot_have_two_types_at_once(db, stoa):
    orders(db, 20)
    db.run("ALTER TABLE orders ALTER COLUMN id DROP IDENTITY; ALTER TABLE orders ALTER COLUMN id TYPE int")
    refusal = apply(stoa, "ALTER TABLE orders ALTER COLUMN id TYPE bigint", ORDER, code=4).err
    assert "primary key" in refusal and "leave out --versioned" in refusal, refusal

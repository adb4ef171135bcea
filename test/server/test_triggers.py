"""The table's own triggers, row-level security, and expressions that are more than arithmetic."""
import pytest

from test.lib.database import orders
from test.lib.writers import Writers, assert_equal

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"
WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, 1, %(m)s)"]


def own_triggers(db):
    db.run("""
        CREATE TABLE audit (id bigint, at timestamptz DEFAULT clock_timestamp());
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END$$;
        CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END$$;
        CREATE TRIGGER touch_orders BEFORE UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE touch();
        CREATE TRIGGER zz_audit_orders AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE note_it()""")


def test_own_triggers_stay_quiet_for_a_superuser(db, admin_stoa):
    orders(db, 3000)
    own_triggers(db)
    admin_stoa.apply(ADD, *FILL)
    assert db.value("SELECT count(*) FROM audit") == 0
    assert db.value("SELECT count(*) FROM orders WHERE updated_at IS NOT NULL") == 0
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    db.run("UPDATE orders SET amount = 5 WHERE id = 1")
    assert db.value("SELECT count(*) FROM audit") == 1, "for the application they go on firing"
    assert db.value("SELECT amount_cents FROM orders WHERE id = 1") == 500


def test_own_triggers_need_consent_from_a_plain_role(db, stoa):
    orders(db, 300)
    own_triggers(db)
    before = db.fingerprint()
    result = stoa.apply(ADD, *FILL, code=4)
    assert "--accept-triggers" in result.err, str(result)
    plan = stoa("plan", ADD, *FILL)
    assert "touch_orders" in plan.out and "zz_audit_orders" in plan.out, plan
    assert db.fingerprint() == before
    stoa.apply(ADD, *FILL, "--accept-triggers")
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


@pytest.mark.parametrize("name", ["a_first", "zzzzzzzz_last", '"~ tilde"', '"ÿ"'])
def test_source_changed_by_another_before_trigger(db, admin_stoa, name):
    """The sync trigger sorts last, whatever the others are called: it sees what they made of the row."""
    orders(db, 500)
    db.run(f"""CREATE FUNCTION tax() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN IF NEW.note = 'tax' THEN NEW.amount := NEW.amount + 1; END IF; RETURN NEW; END$$;
        CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE tax()""")
    admin_stoa.apply(ADD, *FILL)
    db.run("UPDATE orders SET note = 'tax' WHERE id <= 10; INSERT INTO orders (customer_id, amount, note) VALUES (1, 1, 'tax')")
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_trigger_made_later_that_sorts_behind_is_noticed(db, admin_stoa):
    orders(db, 500)
    admin_stoa.apply(ADD, *FILL, "--until", "backfill")
    last = db.triggers("orders")[-1]
    db.run(f"""CREATE FUNCTION tax() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.amount := NEW.amount + 1; RETURN NEW; END$$;
        CREATE TRIGGER "{last}z" BEFORE UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE tax()""")
    result = admin_stoa("resume", NAME, code=None)
    if result.code == 0:  # put right: it sorts last again
        db.run("UPDATE orders SET note = 'x'")
        assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    else:
        assert f"{last}z" in result.err, str(result)


def test_row_level_security(db, stoa):
    """A policy is not a filter for us: every row is filled, or nothing is done."""
    orders(db, 1000)
    db.run("ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON orders USING (customer_id < 50)")
    stoa.apply(ADD, *FILL)
    assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM amount * 100") == 0


def test_forced_row_level_security_is_an_error_not_a_filter(db, stoa):
    orders(db, 1000)
    db.run("ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY; "
           "CREATE POLICY mine ON orders USING (customer_id < 50)")
    before = db.fingerprint()
    result = stoa.apply(ADD, *FILL, code=None)
    if result.code != 0:
        assert result.code in (4, 7) and "row" in result.err.lower(), str(result)
        assert db.fingerprint() == before
    else:
        assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM amount * 100") == 0


def test_application_under_row_level_security(db, stoa):
    orders(db, 1000)
    role = db.role("app")
    db.run(f"ALTER TABLE orders ENABLE ROW LEVEL SECURITY; GRANT ALL ON orders TO {role}; "
           f"GRANT USAGE ON SEQUENCE orders_id_seq TO {role}; CREATE POLICY mine ON orders TO {role} USING (customer_id < 50)")
    with Writers(db, "orders", ["UPDATE {t} SET amount = %(m)s WHERE id = %(n)s",
                                "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, 3, %(m)s)"], user=role):
        stoa.apply(ADD, *FILL)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_sub_select(db, stoa):
    """The value at write time, verified as filled; the plan says so."""
    orders(db, 1000)
    db.run("CREATE TABLE customers (id int PRIMARY KEY, country text NOT NULL); "
           "INSERT INTO customers SELECT i, 'c' || i % 7 FROM generate_series(0, 99) i")
    fill = "orders.country = (SELECT c.country FROM customers c WHERE c.id = orders.customer_id)"
    with Writers(db, "orders", WRITES, 1000):
        stoa.apply("ALTER TABLE orders ADD COLUMN country text NOT NULL", "--backfill", fill)
    assert_equal(db, "orders", "country", "(SELECT c.country FROM customers c WHERE c.id = orders.customer_id)")


def test_sub_select_whose_table_shadows_a_column(db, stoa):
    orders(db, 200)
    db.run("CREATE TABLE rates (status text PRIMARY KEY, amount numeric); "
           "INSERT INTO rates VALUES ('new', 1), ('paid', 2), ('sent', 3)")
    expression = "(SELECT r.amount + orders.amount FROM rates r WHERE r.status = orders.status)"
    stoa.apply("ALTER TABLE orders ADD COLUMN total numeric", "--backfill", f"orders.total = {expression}")
    db.run("INSERT INTO orders (customer_id, amount, status) VALUES (1, 10, 'paid')")
    assert_equal(db, "orders", "total", expression)


def test_volatile_expression(db, stoa):
    orders(db, 1000)
    with Writers(db, "orders", WRITES, 1000):
        stoa.apply("ALTER TABLE orders ADD COLUMN token uuid NOT NULL UNIQUE",
                   "--backfill", "orders.token = md5(random()::text || id)::uuid")
    assert db.value("SELECT count(*) = count(DISTINCT token) FROM orders")


def test_stable_expression(db, stoa):
    orders(db, 500)
    stoa.apply("ALTER TABLE orders ADD COLUMN label text NOT NULL", "--backfill",
               "orders.label = to_char(created_at, 'YYYY-MM-DD')")
    assert db.value("SELECT count(*) FROM orders WHERE label IS NULL") == 0


def test_expression_with_strings_and_operators(db, stoa):
    orders(db, 500)
    expression = "CASE WHEN status IN ('new', 'it''s') THEN E'a\\'b' || coalesce(note, $$d\"q$$) ELSE status::varchar(3) END"
    stoa.apply("ALTER TABLE orders ADD COLUMN mixed text", "--backfill", f"orders.mixed = {expression}")
    db.run("UPDATE orders SET status = 'it''s' WHERE id < 50")
    assert_equal(db, "orders", "mixed", expression)


def test_user_function(db, stoa):
    orders(db, 500)
    db.run("CREATE SCHEMA money; CREATE FUNCTION money.cents(numeric) RETURNS bigint LANGUAGE sql IMMUTABLE AS "
           "'SELECT ($1 * 100)::bigint'")
    with Writers(db, "orders", WRITES, 500):
        stoa.apply(ADD, "--backfill", "orders.amount_cents = money.cents(amount)")
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_generated_source_column(db, stoa):
    if db.version < 12:  # generated columns exist from 12 on: before, the same through a plain column
        db.run("CREATE TABLE lines (id int PRIMARY KEY, v int, w int)")
    else:
        db.run("CREATE TABLE lines (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v + 1) STORED)")
    db.run("INSERT INTO lines (id, v) SELECT i, i FROM generate_series(1, 1000) i")
    with Writers(db, "lines", ["UPDATE {t} SET v = %(m)s WHERE id = %(n)s", "INSERT INTO {t} (id, v) VALUES (%(new)s, 5)"]):
        stoa.apply("ALTER TABLE lines ADD COLUMN x bigint", "--backfill", "lines.x = w * 2")
    assert_equal(db, "lines", "x", "w * 2")


def test_backfill_under_a_foreign_key_parent(db, stoa):
    orders(db, 1000)
    db.run("CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE); "
           "INSERT INTO items SELECT i, i FROM generate_series(1, 1000) i")
    with Writers(db, "orders", [*WRITES, "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 50000"], 1000):
        stoa.apply(ADD, *FILL)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert db.value("SELECT count(*) FROM items WHERE order_id NOT IN (SELECT id FROM orders)") == 0


def test_grants_policies_and_settings_stay(db, stoa):
    orders(db, 500)
    role = db.role("reader")
    db.run(f"GRANT SELECT (id, amount), UPDATE (note) ON orders TO {role}; ALTER TABLE orders SET (fillfactor = 80); "
           f"ALTER TABLE orders ALTER note SET STATISTICS 500; ALTER TABLE orders REPLICA IDENTITY FULL; "
           f"COMMENT ON TABLE orders IS 'kept'; CREATE VIEW v AS SELECT * FROM orders; "
           f"ALTER TABLE orders CLUSTER ON orders_pkey")
    before = set(db.fingerprint())
    stoa.apply(ADD, *FILL)
    stoa("complete", NAME, "--yes", "--force")
    differences = before ^ set(db.fingerprint())
    assert {name.split(".")[-1] for _, name, _ in differences} <= {"amount_cents", "orders_amount_cents_not_null"}, differences


@pytest.mark.parametrize("setting", ["read committed", "repeatable read", "serializable"])
def test_default_isolation_of_the_database(db, stoa, setting):
    orders(db, 2000)
    db.admin.execute(f"ALTER DATABASE {db.name} SET default_transaction_isolation = '{setting}'")
    import psycopg
    with Writers(db, "orders", WRITES, 2000, tolerate=(psycopg.errors.SerializationFailure,)):
        stoa.apply(ADD, *FILL)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_star_users_are_found(db, admin_stoa):
    """Statements that a new column can break, seen by pg_stat_statements."""
    orders(db, 100)
    db.admin.execute("CREATE EXTENSION pg_stat_statements")
    db.run("CREATE TABLE two (a int, b int)")
    db.run("INSERT INTO two VALUES (1, 2)")
    db.run("CREATE TABLE lonely (a int)")
    before = db.fingerprint()
    result = admin_stoa.apply("ALTER TABLE two ADD COLUMN c int", code=4)
    assert "--accept-star" in result.err, str(result)
    assert db.fingerprint() == before
    admin_stoa.apply("ALTER TABLE two ADD COLUMN c int", "--accept-star")
    admin_stoa.apply("ALTER TABLE lonely ADD COLUMN c int")


@pytest.mark.parametrize("write", ["UPDATE items SET size = 'wide' WHERE id = 7",
                                   "INSERT INTO items VALUES (900, 'wide')"])
def test_a_value_that_cannot_be_computed_counts_from_its_commit(db, stoa, write):
    """The transaction began before the rows were verified and ended after that: nobody has looked at its row."""
    db.run("CREATE TABLE items (id int PRIMARY KEY, size text);"
           "INSERT INTO items SELECT i, i::text FROM generate_series(1, 500) i")
    change = ["ALTER TABLE items ADD COLUMN n int", "--backfill", "items.n = size::int", "--name", "sizes"]
    stoa.apply(*change, "--until", "backfill")
    late = db.connect(autocommit=False)
    late.execute(write)
    stoa("resume", "sizes", "--until", "verify")
    late.commit()
    for _ in range(2):
        refused = stoa("resume", "sizes", code=6)
        assert "wide" in refused.err, refused
    assert stoa.status("sizes")["state"] == "failed"
    db.run("UPDATE items SET size = '70' WHERE size = 'wide'")
    stoa("resume", "sizes")
    assert_equal(db, "items", "n", "size::int")

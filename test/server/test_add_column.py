"""ADD COLUMN in all its forms, with the application writing to the table all the time."""
import pytest

from test.lib.database import orders
from test.lib.writers import Writers, assert_equal, assert_twin, make_twin

WRITES = [
    "UPDATE {t} SET amount = %(m)s / 100.0, updated_at = '2026-01-01' WHERE id = %(n)s",
    "UPDATE {t} SET note = 'touched ' || %(m)s WHERE id = %(n)s",
    "INSERT INTO {t} (id, customer_id, amount, created_at) VALUES (%(new)s, 7, %(m)s / 100.0, '2026-01-01')",
    "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 50000",
]
CENTS = "orders.amount_cents = (amount * 100)::bigint"


@pytest.fixture
def busy(db):
    orders(db)
    make_twin(db, "orders", "twin")
    with Writers(db, "orders", WRITES, 2000, twin="twin") as writers:
        yield writers
    assert_twin(db, "orders", "twin")


def test_not_null_with_backfill(db, stoa, busy):
    result = stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", "--backfill", CENTS)
    assert result.code == 0
    assert stoa.status("orders-amount-cents")["ready"] is True
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    type_, not_null, default = db.columns("orders")["amount_cents"]
    assert type_ == "bigint" and default is None
    # 10 and 11 scan for SET NOT NULL: there the validated check stays; such a small table is scanned anyway
    assert not_null or any("amount_cents IS NOT NULL" in text and valid
                           for text, valid in db.constraints("orders").values())


def test_nullable_is_instant(db, stoa, busy):
    plan = stoa("plan", "ALTER TABLE orders ADD COLUMN note2 text", "--json").json
    assert plan["strategy"] == "instant"
    stoa.apply("ALTER TABLE orders ADD COLUMN note2 text")
    assert db.columns("orders")["note2"] == ("text", False, None)
    assert db.triggers("orders") == []


def test_nullable_with_backfill(db, stoa, busy):
    """NULL is a legal result here: rows for which the expression gives NULL stay NULL."""
    stoa.apply("ALTER TABLE orders ADD COLUMN shout text", "--backfill", "orders.shout = nullif(upper(note), '')")
    busy.stop()
    assert_equal(db, "orders", "shout", "nullif(upper(note), '')")
    assert db.value("SELECT count(*) FROM orders WHERE shout IS NULL") > 0
    assert db.columns("orders")["shout"][1] is False


@pytest.mark.parametrize("definition, expected", [
    ("boolean NOT NULL DEFAULT false", "false"),
    ("int DEFAULT 42", "42"),
    ("text NOT NULL DEFAULT 'a''b'", "'a''b'"),
    ("jsonb NOT NULL DEFAULT '{}'::jsonb", "'{}'::jsonb"),
])
def test_constant_default(db, stoa, busy, definition, expected):
    stoa.apply(f"ALTER TABLE orders ADD COLUMN flag {definition}")
    busy.stop()
    assert db.value(f"SELECT count(*) FROM orders WHERE flag IS DISTINCT FROM {expected}") == 0
    type_, not_null, default = db.columns("orders")["flag"]
    assert not_null == ("NOT NULL" in definition) or db.version < 12
    assert default is not None


def test_stable_default(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now()")
    busy.stop()
    assert db.value("SELECT count(*) FROM orders WHERE seen_at IS NULL") == 0
    assert db.columns("orders")["seen_at"][2] == "now()"


def test_volatile_default(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN dice double precision NOT NULL DEFAULT random()")
    busy.stop()
    assert db.value("SELECT count(*) FROM orders WHERE dice IS NULL") == 0
    assert db.value("SELECT count(DISTINCT dice) > 0.9 * count(*) FROM orders"), "evaluated for each row"
    assert db.columns("orders")["dice"][2] == "random()"


def test_check(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL CHECK (amount_cents >= 0)",
               "--backfill", CENTS)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert any("amount_cents >= 0" in text and valid for text, valid in db.constraints("orders").values())


def test_check_that_rows_violate_changes_nothing(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL CHECK (amount_cents > 10000000000)",
                        "--backfill", CENTS, code=None)
    assert result.code in (1, 4, 6), str(result)
    assert "amount_cents" in result.err
    stoa("abort", "orders-amount-cents", "--yes", code=None)
    assert db.fingerprint() == before


def test_unique(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN code text NOT NULL UNIQUE", "--backfill", "orders.code = 'o' || id")
    busy.stop()
    assert_equal(db, "orders", "code", "'o' || id")
    assert ("UNIQUE (code)", True) in db.constraints("orders").values()
    assert db.value("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'orders'::regclass")


def test_references(db, stoa, busy):
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)")
    stoa.apply("ALTER TABLE orders ADD COLUMN customer int REFERENCES customers (id)",
               "--backfill", "orders.customer = customer_id")
    busy.stop()
    assert_equal(db, "orders", "customer", "customer_id")
    assert any(text.startswith("FOREIGN KEY (customer) REFERENCES customers(id)") and valid
               for text, valid in db.constraints("orders").values())


@pytest.mark.parametrize("definition", ["bigint GENERATED BY DEFAULT AS IDENTITY", "bigint GENERATED ALWAYS AS IDENTITY"])
def test_identity(db, stoa, definition):
    db.run("CREATE TABLE log (line text); INSERT INTO log SELECT 'l' || i FROM generate_series(1, 3000) i")
    with Writers(db, "log", ["INSERT INTO log (line) VALUES ('new ' || %(new)s)",
                             "UPDATE log SET line = line || '.' WHERE line = 'l' || %(n)s"]):
        stoa.apply(f"ALTER TABLE log ADD COLUMN id {definition}")
    assert db.value("SELECT count(*) = count(DISTINCT id) FROM log"), "each number once"
    assert db.value("SELECT count(*) FROM log WHERE id IS NULL") == 0
    assert db.value("SELECT attidentity FROM pg_attribute WHERE attrelid = 'log'::regclass AND attname = 'id'") in "ad"
    db.run("INSERT INTO log (line) VALUES ('after')")
    assert db.value("SELECT count(*) = count(DISTINCT id) FROM log"), "the sequence goes on behind the filled rows"


@pytest.mark.parametrize("type_", ["serial", "bigserial"])
def test_serial(db, stoa, type_):
    db.run("CREATE TABLE log (line text); INSERT INTO log SELECT 'l' || i FROM generate_series(1, 3000) i")
    with Writers(db, "log", ["INSERT INTO log (line) VALUES ('new ' || %(new)s)"]):
        stoa.apply(f"ALTER TABLE log ADD COLUMN id {type_}")
    assert db.value("SELECT count(*) = count(DISTINCT id) FROM log")
    assert db.value("SELECT count(*) FROM log WHERE id IS NULL") == 0
    assert db.value("SELECT pg_get_serial_sequence('log', 'id')") is not None, "owned by the column"
    assert "nextval" in db.columns("log")["id"][2]


def test_primary_key(db, stoa):
    db.run("CREATE TABLE log (line text); INSERT INTO log SELECT 'l' || i FROM generate_series(1, 3000) i")
    with Writers(db, "log", ["INSERT INTO log (line) VALUES ('new ' || %(new)s)"]):
        stoa.apply("ALTER TABLE log ADD COLUMN id bigserial PRIMARY KEY")
    assert ("PRIMARY KEY (id)", True) in db.constraints("log").values()


def test_if_not_exists(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text")
    stoa.apply("ALTER TABLE orders ADD COLUMN IF NOT EXISTS extra int")
    assert db.columns("orders")["extra"] == ("integer", False, None)


def test_several_in_one(db, stoa, busy):
    stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL, ADD COLUMN loud text, "
               "ADD COLUMN flag boolean NOT NULL DEFAULT false",
               "--backfill", CENTS, "--backfill", "orders.loud = upper(status)", "--name", "several")
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert_equal(db, "orders", "loud", "upper(status)")
    assert_equal(db, "orders", "flag", "false")


def test_file_with_annotations(db, stoa, busy):
    path = stoa.file("add.sql", "-- stoa: name orders-cents\n-- stoa: owner payments\n"
                                "-- stoa: backfill orders.amount_cents = (amount * 100)::bigint\n"
                                "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL;\n")
    stoa("apply", "-f", path, "--yes")
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert stoa.status("orders-cents")["state"] == "ready"


SHAPES = {
    "no key": ("lines", "CREATE TABLE lines (id int, v int, w text);"
               "INSERT INTO lines SELECT i, i, 'x' FROM generate_series(1, 5000) i"),
    "no key, nulls in id": ("lines", "CREATE TABLE lines (id int, v int, w text);"
                            "INSERT INTO lines SELECT CASE WHEN i % 3 > 0 THEN i END, i, 'x' FROM generate_series(1, 5000) i"),
    "composite key": ("lines", "CREATE TABLE lines (w text, id int, v int, PRIMARY KEY (w, id));"
                      "INSERT INTO lines SELECT 'p' || i % 7, i, i FROM generate_series(1, 5000) i"),
    "text key": ("lines", "CREATE TABLE lines (w text PRIMARY KEY, id int, v int);"
                 "INSERT INTO lines SELECT 'käse ''' || i, i, i FROM generate_series(1, 5000) i"),
    "uuid key": ("lines", "CREATE TABLE lines (w uuid PRIMARY KEY, id int, v int);"
                 "INSERT INTO lines SELECT md5(i::text)::uuid, i, i FROM generate_series(1, 5000) i"),
    "timestamp key": ("lines", "CREATE TABLE lines (w timestamptz PRIMARY KEY, id int, v int);"
                      "INSERT INTO lines SELECT '2020-01-01'::timestamptz + i * interval '1.000001 s', i, i FROM generate_series(1, 5000) i"),
    "quoted names": ('"Sales Dept"."Order Lines"', 'CREATE SCHEMA "Sales Dept";'
                     'CREATE TABLE "Sales Dept"."Order Lines" ("The ""Key""" int PRIMARY KEY, id int, v int, w text);'
                     'INSERT INTO "Sales Dept"."Order Lines" SELECT i, i, i FROM generate_series(1, 5000) i'),
    "other schema": ("app.lines", "CREATE SCHEMA app; CREATE TABLE app.lines (id int PRIMARY KEY, v int, w text);"
                     "INSERT INTO app.lines SELECT i, i, 'x' FROM generate_series(1, 5000) i"),
    "wide rows": ("lines", "CREATE TABLE lines (id int PRIMARY KEY, v int, w text);"
                  "INSERT INTO lines SELECT i, i, repeat(md5(i::text), 60) FROM generate_series(1, 2000) i"),
    "toasted rows": ("lines", "CREATE TABLE lines (id int PRIMARY KEY, v int, w text);"
                     "ALTER TABLE lines ALTER w SET STORAGE EXTERNAL;"
                     "INSERT INTO lines SELECT i, i, repeat(md5(i::text), 200) FROM generate_series(1, 500) i"),
    "fillfactor 50": ("lines", "CREATE TABLE lines (id int PRIMARY KEY, v int, w text) WITH (fillfactor = 50);"
                      "INSERT INTO lines SELECT i, i, 'x' FROM generate_series(1, 5000) i"),
    "descending key": ("lines", "CREATE TABLE lines (id int, v int, w text); CREATE UNIQUE INDEX lines_key ON lines (id DESC);"
                       "ALTER TABLE lines ALTER id SET NOT NULL;"
                       "INSERT INTO lines SELECT i, i, 'x' FROM generate_series(1, 5000) i"),
    "numeric key": ("lines", "CREATE TABLE lines (id numeric PRIMARY KEY, v int, w text);"
                    "INSERT INTO lines SELECT i / 7.0, i, 'x' FROM generate_series(1, 5000) i"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_of_the_table(db, stoa, shape):
    table, ddl = SHAPES[shape]
    db.run(ddl)
    column = '"Twice ""v"""' if "quoted" in shape else "twice"
    writes = ["UPDATE {t} SET v = %(m)s WHERE id = %(n)s", "UPDATE {t} SET w = w WHERE id = %(n)s",
              "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 50000"]
    make_twin(db, table, "twin")
    with Writers(db, table, writes, 5000, twin="twin"):
        stoa.apply(f"ALTER TABLE {table} ADD COLUMN {column} bigint NOT NULL",
                   "--backfill", f"{table}.{column} = v * 2", "--name", "twice")
    assert_equal(db, table, column, "v * 2")
    assert_twin(db, table, "twin")
    stoa("complete", "twice", "--quiet", "0s", "--force", "--yes")
    assert db.triggers(table) == []


def test_empty_table(db, stoa):
    db.run("CREATE TABLE lines (id int PRIMARY KEY, v int)")
    with Writers(db, "lines", ["INSERT INTO lines VALUES (%(new)s, %(m)s)"]):
        stoa.apply("ALTER TABLE lines ADD COLUMN twice bigint NOT NULL", "--backfill", "lines.twice = v * 2")
    assert_equal(db, "lines", "twice", "v * 2")


def test_not_null_without_value_on_an_empty_table(db, stoa):
    db.run("CREATE TABLE lines (id int PRIMARY KEY)")
    stoa.apply("ALTER TABLE lines ADD COLUMN v int NOT NULL")
    assert db.columns("lines")["v"] == ("integer", True, None)


def test_not_null_without_value_is_refused(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD COLUMN x int NOT NULL", code=4)
    assert "--backfill" in result.err
    assert db.fingerprint() == before


def test_generated_is_refused(db, stoa, busy):
    before = db.fingerprint()
    result = stoa.apply("ALTER TABLE orders ADD COLUMN x numeric GENERATED ALWAYS AS (amount * 2) STORED", code=4)
    assert "rewrite" in result.err.lower()
    assert db.fingerprint() == before


def test_same_plan_same_digest(db, stoa):
    orders(db)
    args = ["plan", "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", "--backfill", CENTS, "--json"]
    before = db.fingerprint()
    first, second = stoa(*args).json, stoa(*args).json
    assert first["plan_digest"] == second["plan_digest"] and first["change_digest"] == second["change_digest"]
    assert db.fingerprint() == before and db.value("SELECT to_regnamespace('stoa')") is None, "plan changes nothing"
    stoa.apply(args[1], "--backfill", CENTS, "--expect", "sha256:0", code=None).code in (2, 4)
    assert "amount_cents" not in db.columns("orders")
    stoa("apply", args[1], "--backfill", CENTS, "--expect", first["plan_digest"])
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_sync_keeps_what_the_new_application_writes(db, stoa):
    """Between ready and complete: computed where not written, kept where written, explicit NULL as not written."""
    orders(db, 100)
    stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", "--backfill", CENTS)
    def insert(columns, values):
        return db.value(f"INSERT INTO orders (customer_id, amount{columns}) VALUES (1, 5{values}) RETURNING amount_cents")
    assert insert("", "") == 500
    assert insert(", amount_cents", ", 7") == 7
    assert insert(", amount_cents", ", NULL") == 500
    assert db.value("UPDATE orders SET amount = 9 WHERE id = 1 RETURNING amount_cents") == 900
    assert db.value("UPDATE orders SET amount = 8, amount_cents = 1 WHERE id = 1 RETURNING amount_cents") == 1
    assert db.value("UPDATE orders SET note = 'x' WHERE id = 1 RETURNING amount_cents") == 1
    assert db.value("UPDATE orders SET amount_cents = NULL WHERE id = 1 RETURNING amount_cents") == 800
    with db.admin.cursor() as cursor:
        with cursor.copy("COPY orders (customer_id, amount) FROM STDIN") as copy:
            copy.write("1\t6.5\n")
    assert db.value("SELECT amount_cents FROM orders ORDER BY id DESC LIMIT 1") == 650
    assert db.value("INSERT INTO orders (id, customer_id, amount) VALUES (1, 1, 1) "
                    "ON CONFLICT (id) DO UPDATE SET amount = 77 RETURNING amount_cents") == 7700
    db.admin.execute("SET session_replication_role = replica")
    assert insert("", "") == 500
    db.admin.execute("RESET session_replication_role")


def test_application_needs_no_grant_for_the_trigger(db, stoa):
    orders(db, 100)
    stoa.apply("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", "--backfill", CENTS)
    role = db.role("app")
    db.run(f"GRANT SELECT, INSERT, UPDATE ON orders TO {role}")
    with db.server.connect(db.name, role) as conn:
        row = conn.execute("INSERT INTO orders (customer_id, amount) VALUES (1, 2) RETURNING amount_cents").fetchone()
    assert row[0] == 200

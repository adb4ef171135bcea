"""Settings and names in the catalog: one short step each, while the application writes."""
import pytest

from test.lib.database import orders
from test.lib.writers import Writers

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s, %(n)s %% 50, %(m)s)"]
OPTIONS = "SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE oid = 'orders'::regclass"
COLUMN = "SELECT {} FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'"
TRIGGER = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'touch'"


@pytest.fixture
def busy(db):
    orders(db)
    db.run("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
           "CREATE TRIGGER touch BEFORE DELETE ON orders FOR EACH ROW EXECUTE PROCEDURE touch()")
    with Writers(db, "orders", WRITES, 2000) as writers:
        yield writers


@pytest.mark.parametrize("text, look, value, since", [
    ("ALTER note SET STATISTICS 500", COLUMN.format("attstattarget"), 500, 10),
    ("ALTER note SET (n_distinct = -0.5)", COLUMN.format("'n_distinct=-0.5' = ANY (attoptions)"), True, 10),
    ("ALTER note SET STORAGE EXTERNAL", COLUMN.format("attstorage::text"), "e", 10),
    ("ALTER note SET COMPRESSION pglz", COLUMN.format("attcompression::text"), "p", 14),
    ("CLUSTER ON orders_pkey", "SELECT indisclustered FROM pg_index WHERE indexrelid = 'orders_pkey'::regclass", True, 10),
    ("SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)", OPTIONS,
     "fillfactor=80 autovacuum_vacuum_scale_factor=0.05", 10),
    ("REPLICA IDENTITY FULL", "SELECT relreplident::text FROM pg_class WHERE oid = 'orders'::regclass", "f", 10),
    ("DISABLE TRIGGER touch", TRIGGER, "D", 10),
    ("ENABLE ALWAYS TRIGGER touch", TRIGGER, "A", 10),
    ("RENAME CONSTRAINT orders_pkey TO \"orders PK\"",
     "SELECT conname::text FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'p'", "orders PK", 10),
])
def test_setting(db, stoa, busy, text, look, value, since):
    if db.version < since:
        stoa.apply(f"ALTER TABLE orders {text}", code=None)
        assert db.value("SELECT count(*) FROM orders") > 0, "what this server does not know changes nothing"
        return
    assert db.value(look) != value
    result = stoa.apply(f"ALTER TABLE orders {text}")
    assert db.value(look) == value, str(result)
    (change,) = stoa("status", "--all", "--json").json["changes"]
    assert change["state"] == "completed", change


def test_index_is_renamed_and_back(db, stoa, busy):
    before = db.fingerprint()
    text = "ALTER INDEX orders_customer_id_idx RENAME TO by_customer"
    stoa.apply(text, "--name", "rename", "--until", "constrain")
    assert db.value("SELECT to_regclass('by_customer') IS NOT NULL AND to_regclass('orders_customer_id_idx') IS NULL")
    stoa("abort", "rename", "--yes")
    assert db.fingerprint() == before
    stoa.apply(text)
    assert db.value("SELECT to_regclass('by_customer') IS NOT NULL")


def test_locks_of_the_plan(db, stoa):
    orders(db, 10)
    for text, lock in (("ALTER TABLE orders ALTER note SET STATISTICS 7", "SHARE UPDATE EXCLUSIVE"),
                       ("ALTER TABLE orders ALTER note SET STORAGE EXTERNAL", "ACCESS EXCLUSIVE"),
                       ("ALTER INDEX orders_customer_id_idx RENAME TO i",
                        "SHARE UPDATE EXCLUSIVE" if db.version >= 12 else "ACCESS EXCLUSIVE")):
        (step, _ready) = stoa("plan", text, "--json").json["steps"]
        assert (step["kind"], step["lock"], step["scans"], step["rewrites"]) == ("ddl", lock, False, False), step


@pytest.mark.parametrize("text, code, words", [
    ("ALTER TABLE orders ALTER nothing SET STATISTICS 5", 2, "nothing"),
    ("ALTER TABLE orders RENAME CONSTRAINT nothing TO x", 2, "nothing"),
    ("ALTER TABLE orders RENAME CONSTRAINT orders_pkey TO orders_customer_id_idx", 2, "exists already"),
    ("ALTER INDEX nothing RENAME TO x", 2, "nothing"),
    ("ALTER TABLE orders DISABLE TRIGGER ALL", 4, "DISABLE TRIGGER ALL"),
])
def test_what_is_refused_changes_nothing(db, stoa, text, code, words):
    orders(db, 10)
    before = db.fingerprint()
    result = stoa.apply(text, code=code)
    assert words in result.err, str(result)
    assert db.fingerprint() == before


def test_own_trigger_is_not_disabled(db, stoa):
    orders(db, 100)
    stoa.apply("ALTER TABLE orders ADD COLUMN loud text NOT NULL", "--backfill", "orders.loud = upper(status)")
    (name,) = [name for name in db.triggers("orders") if name.endswith("update")]
    result = stoa.apply(f"ALTER TABLE orders DISABLE TRIGGER {name}", code=4)
    assert "Stoa's own" in result.err, str(result)

"""Columns, constraints and tables that go, with the application writing all the time."""
import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers

OLD = ["UPDATE {t} SET amount = %(m)s / 100.0, note = 'x' WHERE id = %(n)s",
       "INSERT INTO {t} (id, customer_id, amount, note) VALUES (%(new)s, %(n)s %% 50, %(m)s, 'n')"]
NEW = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
       "INSERT INTO {t} (id, customer_id, amount) VALUES (%(new)s + 500000, %(n)s %% 50, %(m)s)"]
DROP = "ALTER TABLE orders DROP COLUMN note"


@pytest.fixture(params=[True, False], ids=["statistics", "blind"])
def statements(db, request):
    """With and without statement statistics."""
    if request.param:
        db.admin.execute("CREATE EXTENSION pg_stat_statements")
        db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    return request.param


def not_null(db):
    orders(db)
    db.run("UPDATE orders SET note = coalesce(note, ''); ALTER TABLE orders ALTER COLUMN note SET NOT NULL;"
           "CREATE INDEX by_note ON orders (note)")


def events(stoa, change, kind):
    return [event for event in stoa("history", change, "--json").json["events"] if event["event"] == kind]


def test_column_goes_when_nobody_uses_it_any_more(db, stoa, statements):
    not_null(db)
    with Writers(db, "orders", OLD, 2000):
        stoa.apply(DROP, "--name", "drop")
        assert db.columns("orders")["note"][1] is False, "the new application leaves it out"
        with Writers(db, "orders", NEW, 2000) as new:
            until(lambda: new.done > 20, 10, "writes of the new application")
            result = stoa("complete", "drop", "--yes", "--quiet", "0s", code=4)
            if statements:
                assert "orders.note is still used" in result.err and "note" in result.err, str(result)
            else:
                assert "is still used" in result.err or "nothing tells" in result.err, str(result)
    with Writers(db, "orders", NEW[:1], 2000) as new:
        if not statements:
            result = stoa("complete", "drop", "--yes", "--quiet", "0s", code=4)
            assert "nothing tells" in result.err and "pg_stat_statements" in result.err, str(result)
            assert "note" in db.columns("orders")
            stoa("complete", "drop", "--yes", "--force")
        else:
            result = stoa("complete", "drop", "--yes", "--quiet", "1h", code=4)
            assert "still used" in result.err, "what the old one did last was not looked at yet"
            result = stoa("complete", "drop", "--yes", "--quiet", "1h", code=4)
            assert "no use" in result.err and "less than" in result.err, str(result)
            assert stoa.status("drop")["evidence"][0]["seen"] == []
            result = stoa("complete", "drop", "--yes", "--quiet", "0s", "--json")
            (report,) = [event for event in result.events if event.get("event") == "evidence"]
            assert report["seen"] == [] and report["of"] == "public.orders.note", report
        done = new.done
        until(lambda: new.done > done + 20, 10, "writes without the column")
    assert "note" not in db.columns("orders")
    assert db.value("SELECT to_regclass('by_note')") is None
    steps = {step["title"]: step for step in stoa.status("drop")["steps"]}
    assert steps["drop index by_note"]["kind"] == "drop_index", "concurrently, before the strong lock"


def test_running_statement_counts_as_use(db, stoa, statements):
    orders(db, 100)
    stoa.apply(DROP, "--name", "drop")
    conn = db.connect(autocommit=False, application_name="report")
    conn.execute("SELECT count(note) FROM orders")
    result = stoa("complete", "drop", "--yes", "--quiet", "0s", code=4)
    assert "count(note)" in result.err, str(result)
    conn.rollback()


@pytest.mark.parametrize("stage", ["expand", "ready"])
def test_abort_brings_not_null_back_without_a_scan_under_the_lock(db, stoa, stage):
    not_null(db)
    before = db.fingerprint()
    with Writers(db, "orders", OLD, 2000):
        stoa.apply(DROP, "--name", "drop", *(["--until", "constrain"] if stage == "expand" else []))
        assert db.columns("orders")["note"][1] is False
        stoa("abort", "drop", "--yes", *(["--force"] if stage == "ready" else []))
    assert db.fingerprint() == before
    undone = [event["text"] for event in events(stoa, "drop", "undo")]
    assert db.version < 12 or any("validate" in text for text in undone), undone


def test_lock_budget_names_the_blocker_and_nothing_is_lost(db, stoa):
    not_null(db)
    before = db.fingerprint()
    reader = db.connect(autocommit=False, application_name="nightly report")
    reader.execute("SELECT count(*) FROM orders")
    result = stoa.apply(DROP, "--name", "drop", "--lock-wait", "1s", code=5)
    assert "nightly report" in result.err, str(result)
    assert db.fingerprint() == before
    reader.rollback()
    stoa.apply(DROP, "--name", "drop")
    reader.execute("SELECT count(*) FROM orders")
    result = stoa("complete", "drop", "--yes", "--force", "--lock-wait", "1s", code=5)
    assert "note" in db.columns("orders")
    reader.rollback()
    stoa("complete", "drop", "--yes", "--force")
    assert "note" not in db.columns("orders")


@pytest.mark.crash
@pytest.mark.parametrize("point", ["ddl_before_journal", "locked_after_commit", "step_outcome",
                                   "evidence_before_journal", "step_intent"])
def test_complete_killed_goes_on(db, stoa, point):
    not_null(db)
    db.run("CREATE TABLE notes (note text PRIMARY KEY); INSERT INTO notes SELECT DISTINCT note FROM orders;"
           "ALTER TABLE orders ADD CONSTRAINT known FOREIGN KEY (note) REFERENCES notes")
    with Writers(db, "orders", NEW[:1], 2000):
        stoa.apply(DROP, "--name", "drop")
        result = stoa("complete", "drop", "--yes", "--force", env={"STOA_FAILPOINT": f"{point}=kill:1"}, code=None)
        assert result.code == -9, str(result)
        until(lambda: stoa("complete", "drop", "--yes", "--force", code=None).code == 0, 30, "the end of it")
    assert "note" not in db.columns("orders")
    assert db.value("SELECT count(*) FROM pg_constraint WHERE conname = 'known'") == 0


@pytest.mark.crash
@pytest.mark.parametrize("point", ["undo_between", "undo_before_journal", "locked_after_commit", "validate_before_commit"])
def test_abort_killed_goes_on(db, stoa, point):
    not_null(db)
    before = db.fingerprint()
    stoa.apply(DROP, "--name", "drop", "--until", "constrain")
    result = stoa("abort", "drop", "--yes", env={"STOA_FAILPOINT": f"{point}=kill:1"}, code=None)
    assert result.code in (-9, 0), str(result)
    assert result.code == -9 or db.version < 12 or (db.version >= 18 and point == "undo_before_journal"), str(result)
    if result.code == -9:
        until(lambda: stoa("abort", "drop", "--yes", code=None).code == 0, 30, "the end of it")
    assert db.fingerprint() == before


# ---- what stands on it

STANDS = {
    "view": ("CREATE VIEW v AS SELECT note FROM orders", "DROP VIEW public.v"),
    "materialized view": ("CREATE MATERIALIZED VIEW v AS SELECT note FROM orders", "DROP MATERIALIZED VIEW public.v"),
    "trigger": ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
                "CREATE TRIGGER touch BEFORE UPDATE OF note ON orders FOR EACH ROW EXECUTE PROCEDURE f()",
                "DROP TRIGGER touch ON public.orders"),
    "policy": ("CREATE POLICY p ON orders USING (note IS NOT NULL)", "DROP POLICY p ON public.orders"),
    "foreign key": ("ALTER TABLE orders ADD CONSTRAINT u UNIQUE (id, note); CREATE TABLE items (a bigint, b text, "
                    "CONSTRAINT f FOREIGN KEY (a, b) REFERENCES orders (id, note))",
                    "ALTER TABLE public.items DROP CONSTRAINT f"),
}


@pytest.mark.parametrize("kind", STANDS)
@pytest.mark.parametrize("cascade", ["", " CASCADE"])
def test_column_with_dependents_is_refused_and_they_are_named(db, stoa, kind, cascade):
    orders(db, 10)
    db.run("UPDATE orders SET note = id::text")
    make, way_out = STANDS[kind]
    db.run(make)
    before = db.fingerprint()
    result = stoa.apply(DROP + cascade, "--accept-key-loss", code=4)
    assert kind in result.err and way_out in result.err, str(result)
    assert db.fingerprint() == before


def test_generated_column_must_be_named(db, stoa):
    if db.version < 12:
        assert "syntax error" in stoa.apply("ALTER TABLE nothing DROP COLUMN", code=2).err
        return
    orders(db, 10)
    db.run("ALTER TABLE orders ADD COLUMN loud text GENERATED ALWAYS AS (upper(note)) STORED")
    assert "generated column loud" in stoa.apply(DROP, code=4).err
    stoa.apply("ALTER TABLE orders DROP COLUMN loud, DROP COLUMN note", "--name", "both")
    stoa("complete", "both", "--yes", "--force")
    assert not {"loud", "note"} & set(db.columns("orders"))


def test_what_goes_silently_must_be_accepted(db, stoa):
    orders(db, 10)
    db.run("CREATE INDEX two ON orders (note, customer_id); CREATE STATISTICS st ON note, status FROM orders")
    result = stoa.apply(DROP, code=4)
    assert "--accept-index-loss" in result.err and "index two" in result.err and "statistics" in result.err, str(result)
    stoa.apply(DROP, "--accept-index-loss", "--name", "drop")
    stoa("complete", "drop", "--yes", "--force")
    assert db.value("SELECT to_regclass('two')") is None
    result = stoa.apply("ALTER TABLE orders DROP COLUMN id", code=4)
    assert "--accept-key-loss" in result.err and "orders_pkey" in result.err, str(result)


def test_index_over_dropped_columns_alone_is_no_loss(db, stoa):
    orders(db, 10)
    db.run("CREATE INDEX two ON orders (note, updated_at)")
    stoa.apply("ALTER TABLE orders DROP COLUMN note, DROP COLUMN updated_at", "--name", "drop")
    stoa("complete", "drop", "--yes", "--force")
    assert not {"updated_at", "note"} & set(db.columns("orders"))


def test_key_column_without_default_is_refused(db, stoa):
    db.run("CREATE TABLE k (a int, b int NOT NULL, PRIMARY KEY (a, b)); INSERT INTO k VALUES (1, 1)")
    result = stoa.apply("ALTER TABLE k DROP COLUMN b", "--accept-key-loss", code=4)
    assert "part of the primary key" in result.err, str(result)


def test_merge_of_columns_drops_the_source_after_its_trigger(db, stoa):
    orders(db)
    with Writers(db, "orders", OLD, 2000):
        stoa.apply("ALTER TABLE orders ADD COLUMN remark text; ALTER TABLE orders DROP COLUMN note",
                   "--backfill", "orders.remark = upper(note)", "--name", "move")
    stoa("complete", "move", "--yes", "--force")
    assert "note" not in db.columns("orders") and db.triggers("orders") == []
    assert db.value("SELECT count(*) FROM orders WHERE remark IS NOT NULL") > 1900
    db.run("INSERT INTO orders (customer_id, amount, remark) VALUES (1, 1, 'r')")


@pytest.mark.parametrize("text, code, words", [
    ("ALTER TABLE orders DROP COLUMN nothing", 2, "nothing"),
    ("ALTER TABLE orders DROP COLUMN IF EXISTS nothing", 0, "skipped"),
    ("ALTER TABLE orders DROP CONSTRAINT nothing", 2, "nothing"),
    ("ALTER TABLE orders DROP CONSTRAINT IF EXISTS nothing", 0, "skipped"),
    ("DROP TABLE nothing", 2, "nothing"),
    ("DROP TABLE IF EXISTS nothing", 0, "skipped"),
])
def test_what_is_not_there(db, stoa, text, code, words):
    orders(db, 10)
    before = db.fingerprint()
    result = stoa("plan", text, code=code)
    assert words in result.err + result.out, str(result)
    stoa.apply(text, code=code)
    assert db.fingerprint() == before


# ---- constraints

CONSTRAINTS = {
    "check": "ADD CONSTRAINT c CHECK (amount >= 0)",
    "check not valid": "ADD CONSTRAINT c CHECK (amount >= 0) NOT VALID",
    "foreign key": "ADD CONSTRAINT c FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE "
                   "DEFERRABLE INITIALLY DEFERRED",
    "unique": "ADD CONSTRAINT c UNIQUE (id, status) DEFERRABLE",
    "primary key": None,
}


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_constraint_goes_and_comes_back(db, stoa, kind):
    orders(db)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)")
    if CONSTRAINTS[kind]:
        db.run(f"ALTER TABLE orders {CONSTRAINTS[kind]}")
    name = "c" if CONSTRAINTS[kind] else "orders_pkey"
    before = db.fingerprint()
    text = f"ALTER TABLE orders DROP CONSTRAINT {name}"
    with Writers(db, "orders", OLD, 2000):
        stoa.apply(text, "--name", "drop", "--until", "constrain")
        assert name not in db.constraints("orders")
        stoa("abort", "drop", "--yes")
        assert db.fingerprint() == before
        stoa.apply(text, "--name", "again")
    assert name not in db.constraints("orders")
    assert stoa.status("again")["state"] == "completed"


@pytest.mark.crash
@pytest.mark.parametrize("kind, point", [("unique", "undo_between"), ("unique", "undo_before_journal"),
                                         ("foreign key", "undo_between"), ("foreign key", "locked_after_commit"),
                                         ("primary key", "index_after")])
def test_constraint_comes_back_after_a_kill(db, stoa, kind, point):
    orders(db)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)")
    if CONSTRAINTS[kind]:
        db.run(f"ALTER TABLE orders {CONSTRAINTS[kind]}")
    before = db.fingerprint()
    stoa.apply(f"ALTER TABLE orders DROP CONSTRAINT {'c' if CONSTRAINTS[kind] else 'orders_pkey'}", "--name", "drop",
               "--until", "constrain")
    result = stoa("abort", "drop", "--yes", env={"STOA_FAILPOINT": f"{point}=kill:1"}, code=None)
    assert result.code == -9, str(result)
    until(lambda: stoa("abort", "drop", "--yes", code=None).code == 0, 30, "the end of it")
    assert db.fingerprint() == before


def test_key_that_others_refer_to_is_refused(db, stoa):
    orders(db, 10)
    db.run("CREATE TABLE items (o bigint, CONSTRAINT f FOREIGN KEY (o) REFERENCES orders (id))")
    result = stoa.apply("ALTER TABLE orders DROP CONSTRAINT orders_pkey", code=4)
    assert "foreign key f on public.items" in result.err, str(result)
    stoa.apply("ALTER TABLE items DROP CONSTRAINT f; ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    assert db.constraints("orders") == {} and db.constraints("items") == {}


def test_foreign_key_locks_both_ends_in_the_plan(db, stoa):
    orders(db, 10)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99);"
           "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (customer_id) REFERENCES customers (id)")
    (step, _ready) = stoa("plan", "ALTER TABLE orders DROP CONSTRAINT f", "--json").json["steps"]
    assert step["lock_on"] == ["public.orders", "public.customers"], step
    assert step["lock_modes"] == ["ACCESS EXCLUSIVE"] * 2


# ---- tables

def family(db):
    orders(db, 200)
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99);"
           "CREATE TABLE items (id int PRIMARY KEY, o bigint REFERENCES orders (id), boss int REFERENCES items (id));"
           "INSERT INTO items VALUES (1, 1, NULL), (2, 2, 1);"
           "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (customer_id) REFERENCES customers (id)")


@pytest.mark.parametrize("text", ["DROP TABLE orders, items", "DROP TABLE items, orders"])
def test_tables_go_and_their_keys_one_by_one(db, stoa, text):
    family(db)
    with Writers(db, "customers", ["UPDATE {t} SET id = id WHERE id = %(n)s",
                                   "INSERT INTO {t} (id) VALUES (%(new)s)"], 99):
        stoa.apply(text, "--name", "drop")
        assert db.value("SELECT count(*) FROM items") == 2, "nothing goes before complete"
        stoa("complete", "drop", "--yes", "--force")
    assert db.value("SELECT to_regclass('orders') IS NULL AND to_regclass('items') IS NULL")
    titles = [step["title"] for step in stoa.status("drop")["steps"] if step["phase"] == "contract"]
    assert [title for title in titles if title.startswith("drop foreign key")] and titles[-1].startswith("drop table")
    assert titles.index("drop foreign key f") < titles.index("drop table public.orders")


def test_table_that_others_stand_on_is_refused(db, stoa):
    family(db)
    db.run("CREATE VIEW v AS SELECT id FROM orders")
    before = db.fingerprint()
    result = stoa.apply("DROP TABLE orders", code=4)
    assert "view public.v" in result.err and "items_o_fkey" in result.err, str(result)
    result = stoa.apply("DROP TABLE orders CASCADE", code=4)
    assert "CASCADE would take them away unseen" in result.err, str(result)
    assert db.fingerprint() == before


def test_table_in_use_stays(db, stoa):
    orders(db, 100)
    stoa.apply("DROP TABLE orders", "--name", "drop")
    result = stoa("complete", "drop", "--yes", "--quiet", "1h", code=4)
    assert "no use of public.orders was seen, but for" in result.err, f"our own looks do not count: {result}"
    conn = db.connect()
    conn.execute("SELECT count(*) FROM orders WHERE amount > 5")
    conn.close()

    def noticed():
        result = stoa("complete", "drop", "--yes", "--quiet", "1h", code=4)
        return "still used" in result.err
    until(noticed, 10, "the counters to arrive")
    assert db.value("SELECT count(*) FROM orders") == 100
    stoa("complete", "drop", "--yes", "--force")
    assert db.value("SELECT to_regclass('orders')") is None

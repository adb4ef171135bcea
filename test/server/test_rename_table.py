"""A table under another name or in another schema: both usable until complete, with both applications writing."""
import psycopg
import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.writers import Writers, assert_twin, make_twin

WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount, status) VALUES (%(new)s, %(n)s %% 50, %(m)s, 'new') "
          "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount",
          "DELETE FROM {t} WHERE id = %(new)s - 3",
          "UPDATE {t} SET status = 'paid' WHERE id = (SELECT id FROM {t} WHERE id = %(n)s FOR UPDATE)"]
SHIFTED = [text.replace("%(new)s", "%(new)s + 500000") for text in WRITES]
RENAME = "ALTER TABLE orders RENAME TO purchases"
MOVE = "ALTER TABLE orders SET SCHEMA shop"


@pytest.fixture(params=[RENAME, MOVE], ids=["rename", "schema"])
def moved(db, request):
    """(statement, new name) with a schema to move to."""
    orders(db)
    db.run("CREATE SCHEMA shop")
    return request.param, "purchases" if request.param == RENAME else "shop.orders"


def kind(db, name):
    return db.value("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", [name])


def test_both_names_until_complete(db, stoa, moved):
    text, new = moved
    make_twin(db, "orders", "twin")
    reader = db.role("reader")
    db.run(f"GRANT USAGE ON SCHEMA shop TO {reader}; GRANT SELECT, UPDATE (note) ON orders TO {reader}; "
           "COMMENT ON TABLE orders IS 'of customers'; COMMENT ON COLUMN orders.note IS 'theirs'")
    grants = db.value("SELECT relacl::text FROM pg_class WHERE oid = 'orders'::regclass")
    with Writers(db, "orders", WRITES, 2000, twin="twin", threads=1) as old:
        stoa.apply(text, "--name", "name", "--accept-view")
        assert (kind(db, new), kind(db, "orders")) == ("v", "r")
        with Writers(db, new, SHIFTED, 2000, twin="twin", threads=1) as fresh:
            done = old.done
            until(lambda: old.done > done + 50 and fresh.done > 50, 20, "writes under both names")
            with db.connect(reader) as conn:
                assert conn.execute(f"SELECT count(note) > 0 FROM {new}").fetchone()[0]
                conn.execute(f"UPDATE {new} SET note = note WHERE id = 1")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"UPDATE {new} SET amount = 1")
            result = stoa("complete", "name", "--yes", "--quiet", "0s", code=4)
            assert "public.orders" in result.err, str(result)
            assert kind(db, new) == "v"
        old.stop()
    with Writers(db, new, SHIFTED, 2000, twin="twin") as fresh:
        done = fresh.done
        stoa("complete", "name", "--yes", "--force")
        until(lambda: fresh.done > done + 50, 20, "writes after the rename")
    assert (kind(db, new), kind(db, "public.orders")) == ("r", None)
    assert db.value("SELECT relacl::text FROM pg_class WHERE oid = to_regclass(%s)", [new]) == grants
    assert db.value("SELECT obj_description(to_regclass(%s), 'pg_class')", [new]) == "of customers"
    assert db.value("SELECT pg_get_serial_sequence(%s, 'id')", [new]) in ("public.orders_id_seq", "shop.orders_id_seq")
    assert_twin(db, new, "twin")


def test_old_name_in_use_by_statistics(db, stoa, moved):
    text, new = moved
    db.admin.execute("CREATE EXTENSION pg_stat_statements")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    stoa.apply(text, "--name", "name", "--accept-view")
    db.run("SELECT count(*) FROM orders WHERE amount > 1")
    result = stoa("complete", "name", "--yes", "--quiet", "0s", code=4)
    assert "public.orders is still used" in result.err and "amount >" in result.err, str(result)
    db.run(f"SELECT count(*) FROM {new} WHERE amount > 2")
    result = stoa("complete", "name", "--yes", "--quiet", "1h", code=4)
    if new == "shop.orders" and db.version >= 18:
        assert "still used" in result.err, f"from 18 on the statistics do not tell schemas apart: {result}"
        db.run("SELECT pg_stat_statements_reset()", "postgres")
    else:
        assert "no use of public.orders was seen" in result.err, f"the new name is none of the old: {result}"
    until(lambda: stoa("complete", "name", "--yes", "--quiet", "0s", code=None).code == 0, 10, "a look without use")
    assert kind(db, new) == "r"


@pytest.mark.parametrize("stage", ["constrain", "ready"])
def test_abort_takes_the_view_away(db, stoa, moved, stage):
    text, new = moved
    before = db.fingerprint()
    with Writers(db, "orders", WRITES, 2000):
        stoa.apply(text, "--name", "name", "--accept-view", "--until", stage)
        assert kind(db, new) == "v"
        stoa("abort", "name", "--yes", "--force")
    assert db.fingerprint() == before


def test_what_a_view_cannot_do_must_be_accepted(db, stoa, moved):
    text, new = moved
    before = db.fingerprint()
    result = stoa.apply(text, code=4)
    assert "--accept-view" in result.err and "COPY" in result.err, str(result)
    assert db.fingerprint() == before
    stoa.apply(text, "--accept-view")
    with db.connect() as conn:
        for works in ("INSERT INTO {} (customer_id, amount) VALUES (1, 1) RETURNING id",
                      "INSERT INTO {} (id, customer_id, amount) VALUES (1, 1, 1) ON CONFLICT (id) DO NOTHING",
                      "SELECT * FROM {} WHERE id = 1 FOR UPDATE", "DELETE FROM {} WHERE id = 2"):
            conn.execute(works.format(new))
        for fails in ("TRUNCATE {}", "SELECT ctid FROM {}", "SELECT id, note FROM {} GROUP BY id",
                      "INSERT INTO {} (id, customer_id, amount) VALUES (1, 1, 1) ON CONFLICT ON CONSTRAINT orders_pkey "
                      "DO NOTHING", *([] if db.version >= 11 else ["BEGIN; LOCK TABLE {}; COMMIT"])):
            with pytest.raises(psycopg.Error):
                conn.execute(fails.format(new))
        with pytest.raises(psycopg.Error):
            with conn.cursor().copy(f"COPY {new} FROM STDIN") as copy:
                copy.write("1\n")
        if db.version >= 17:
            conn.execute(f"MERGE INTO {new} USING (VALUES (1)) s (n) ON n = id WHEN MATCHED THEN DO NOTHING")
    assert db.version < 17 or "MERGE" in result.err, str(result)


@pytest.mark.crash
@pytest.mark.parametrize("point", ["ddl_before_journal", "locked_before_commit", "locked_after_commit", "step_outcome"])
@pytest.mark.parametrize("verb", ["apply", "complete"])
def test_killed_goes_on(db, stoa, moved, verb, point):
    text, new = moved
    args = {"apply": ["apply", text, "--yes", "--name", "name", "--accept-view"],
            "complete": ["complete", "name", "--yes", "--force"]}
    with Writers(db, "orders" if verb == "apply" else new, WRITES, 2000) if verb == "apply" else db.connect():
        if verb == "complete":
            stoa(*args["apply"])
        result = stoa(*args[verb], env={"STOA_FAILPOINT": f"{point}=kill:1"}, code=None)
        assert result.code == -9, str(result)
        until(lambda: stoa(*args[verb], code=None).code == 0, 30, "the end of it")
    assert kind(db, new) == ("v" if verb == "apply" else "r")
    assert db.value(f"SELECT count(*) FROM {new}") >= 2000


def test_blocked_complete_names_the_blocker_and_both_names_stay(db, stoa, moved):
    text, new = moved
    stoa.apply(text, "--name", "name", "--accept-view")
    reader = db.connect(autocommit=False, application_name="nightly report")
    reader.execute(f"SELECT count(*) FROM {new}")
    with Writers(db, "orders", WRITES, 2000) as writers:
        writers.mark()
        result = stoa("complete", "name", "--yes", "--force", "--lock-wait", "2s", code=5)
        assert "nightly report" in result.err, str(result)
        assert writers.mark() < 0.6, "nobody waits longer for us than --max-stall, give or take a busy machine"
    assert (kind(db, new), kind(db, "orders")) == ("v", "r")
    reader.rollback()
    stoa("complete", "name", "--yes", "--force")
    assert kind(db, new) == "r"


def test_at_once_where_nobody_minds(db, stoa):
    orders(db, 0)
    db.run("CREATE SCHEMA shop")
    before = db.fingerprint()
    stoa.apply(RENAME, "--name", "empty", "--until", "constrain")
    assert kind(db, "purchases") == "r"
    stoa("abort", "empty", "--yes")
    assert db.fingerprint() == before
    stoa.apply(RENAME, "--name", "empty")
    assert kind(db, "purchases") == "r" and stoa("status", "empty", "--json").json["changes"][0]["state"] == "completed"
    db.run("INSERT INTO purchases (customer_id, amount) VALUES (1, 1)")
    result = stoa.apply("ALTER TABLE purchases SET SCHEMA shop", code=4)
    assert "--accept-view" in result.err
    stoa.apply("ALTER TABLE purchases SET SCHEMA shop", "--accept-rename", "--name", "full")
    assert kind(db, "shop.purchases") == "r" and stoa.status("full")["state"] == "completed"


def test_row_security_is_kept(db, stoa):
    orders(db, 10)
    reader = db.role("reader")
    db.run("ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders USING (id <= 3);"
           f"GRANT SELECT ON orders TO {reader}")
    if db.version < 15:
        result = stoa.apply(RENAME, "--accept-view", code=4)
        assert "row level security" in result.err, str(result)
        return
    stoa.apply(RENAME, "--accept-view")
    with db.connect(reader) as conn:
        assert conn.execute("SELECT count(*) FROM purchases").fetchone()[0] == 3


@pytest.mark.parametrize("text, code, words", [
    ("ALTER TABLE orders RENAME TO twin", 2, "exists already"),
    ("ALTER TABLE orders RENAME TO purchases; ALTER TABLE orders DROP COLUMN note", 4, "change of their own"),
    ("ALTER TABLE nothing RENAME TO something", 2, "nothing"),
    ("ALTER TABLE orders SET SCHEMA nowhere", 2, "nowhere"),
])
def test_what_is_refused_changes_nothing(db, stoa, text, code, words):
    orders(db, 10)
    make_twin(db, "orders", "twin")
    before = db.fingerprint()
    result = stoa.apply(text, "--accept-view", code=code)
    assert words in result.err, str(result)
    assert db.fingerprint() == before


def test_functions_and_subscribers_are_told(db, stoa):
    orders(db, 10)
    db.run("CREATE FUNCTION total() RETURNS numeric LANGUAGE sql AS 'SELECT sum(amount) FROM orders'")
    db.admin.execute("CREATE PUBLICATION out FOR TABLE orders")
    risks = {risk["id"]: risk for risk in stoa("plan", RENAME, "--json").json["risks"]}
    assert "function total()" in risks["mentions"]["message"]
    assert risks["subscribers"]["accept"] == "--subscribers-ready" and "RENAME" in risks["subscribers"]["sql"]

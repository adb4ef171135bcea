"""A column's last days: found in use and saved by one undo, hidden for a while, dropped, and back from its file."""
import os
import pathlib
import re
import signal
import stat
import threading
import time

import psycopg
import pytest
from psycopg import sql

from test.lib.servers import until

TABLE = ("CREATE TABLE orders (id bigint PRIMARY KEY, amount int NOT NULL DEFAULT 0, note text);"
         "INSERT INTO orders SELECT i, i, 'note ' || i FROM generate_series(1, 3000) i")
KEYS = "SELECT relacl::text, (SELECT json_agg(json_build_array(attname, attacl::text) ORDER BY attnum) FROM " \
       "pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) FROM pg_class c WHERE oid = %s::regclass"


class Application(threading.Thread):
    """Says one statement again and again under a role of its own, and writes what goes wrong into a log."""

    def __init__(self, db, role, statement, log):
        super().__init__(daemon=True)
        self.db, self.role, self.statement, self.log = db, role, statement, log
        self.stopped, self.done, self.errors = threading.Event(), 0, 0

    def run(self):
        with self.db.server.connect(self.db.name, self.role, application_name="shop") as conn:
            while not self.stopped.wait(0.01):
                try:
                    conn.execute(self.statement)
                    self.done += 1
                except psycopg.Error as error:
                    self.errors += 1
                    with open(self.log, "a") as file:
                        file.write(f"shop: {error.sqlstate} {str(error).splitlines()[0]}\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join(30)


@pytest.fixture
def shop(db, tmp_path):
    """The table, a role of the application, and its log."""
    db.run(TABLE)
    db.app = db.role("app")
    db.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {db.app}")
    db.log = tmp_path / "shop.log"
    db.log.write_text("begun\n")
    db.kept = tmp_path / "note.kept"
    return db


def acl(db, table="orders"):
    """Privileges as the catalog has them; the order of the items is no matter."""
    table_acl, columns = db.rows(KEYS, [table])[0]
    items = lambda text: None if text is None else sorted(text.strip("{}").split(","))
    return items(table_acl), {name: items(text) for name, text in columns}


def retired(result):
    return [event for event in result.events if event["event"] == "retired"][0]


def hidden(db, role=None):
    return not db.value("SELECT has_column_privilege(%s, 'orders', 'note', 'SELECT')", [role or db.app])


# ---- a whole life ---------------------------------------------------------------------------

def test_a_column_through_its_whole_life(shop, stoa):
    """apply, ready, complete; in use and saved; hidden; waited for; dropped; back from the file."""
    db = shop
    stoa.apply("ALTER TABLE orders ADD COLUMN old text NOT NULL", "--name", "old", "--backfill",
               "orders.old = 'o' || id", "--yes")
    stoa("complete", "old", "--yes", "--quiet", "0s")
    db.run("ALTER TABLE orders ALTER COLUMN old DROP NOT NULL; UPDATE orders SET old = NULL WHERE id % 10 = 0;"
           "UPDATE orders SET old = E'tab\\t\\\\ \\n{' WHERE id = 7")
    before = acl(db)

    with Application(db, db.app, "SELECT old FROM orders WHERE id = 5", db.log) as reader:
        until(lambda: reader.done > 5, 10, "reads")
        started = time.monotonic()
        result = stoa("retire", "orders.old", "--yes", "--for", "60s", "--force", "--watch-log", db.log, "--json", code=4)
        assert time.monotonic() - started < 58, "the first error ends it"
        report = retired(result)
        assert report["state"] == "in_use" and report["observed"] == "log", report
        assert "42501" in report["seen"][0] and str(db.log) in report["seen"][0], report
        assert acl(db) == before
        count, errors = reader.done, reader.errors
        until(lambda: reader.done > count + 5, 10, "reads again")
        assert errors > 0 and reader.errors <= errors + 1

    with Application(db, db.app, "SELECT id, amount FROM orders WHERE id = 5", db.log) as reader:
        until(lambda: reader.done > 5, 10, "reads")
        result = stoa("retire", "orders.old", "--yes", "--for", "2s", "--wait", "1h", "--force", "--watch-log", db.log, "--json",
                      code=3)
        report = retired(result)
        assert report["state"] == "waiting" and "seen" not in report and report["observed"] == "log", report
        assert reader.errors == 0 and acl(db) == before
        result = stoa("retire", "orders.old", "--yes", code=3)
        assert "may be dropped in" in result.out and "none seen (log)" in result.out, str(result)
        assert "old" in db.columns("orders")

        result = stoa("retire", "orders.old", "--yes", "--wait", "0s", "--keep-data", db.kept, "--json")
        assert retired(result)["state"] == "dropped" and "old" not in db.columns("orders"), str(result)
        assert retired(result)["kept"]["rows"] == 3000
        assert stat.S_IMODE(os.stat(db.kept).st_mode) == 0o600
        assert reader.errors == 0
    assert stoa("retire", "orders.old", "--yes").out.endswith("is dropped\n")

    db.run("DELETE FROM orders WHERE id = 3; INSERT INTO orders (id) VALUES (5000)")
    assert "--from" in stoa("retire", "orders.old", "--undo", code=2).err
    result = stoa("retire", "orders.old", "--undo", "--from", db.kept, "--json")
    figures = retired(result)["restored"]
    assert figures["rows"] == 3000 and figures["gone"] == 1 and figures["null"] == 300, figures
    assert figures["filled"] == 2699, figures
    assert db.value("SELECT count(*) FROM orders WHERE old IS DISTINCT FROM CASE WHEN id % 10 = 0 OR id = 5000 THEN NULL "
                    "WHEN id = 7 THEN E'tab\\t\\\\ \\n{' ELSE 'o' || id END") == 0

    result = stoa("retire", "orders.old", "--yes", "--by", "none", "--wait", "0s", "--force", "--json")
    assert retired(result)["state"] == "dropped" and "old" not in db.columns("orders"), "a second life ends, too"


def test_undo_while_it_is_hidden(shop, stoa):
    before = acl(shop)
    running = stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force")
    until(lambda: hidden(shop), 120, "it is hidden")
    result = stoa("retire", "orders.note", "--undo")
    assert "stays as it was" in result.out and not hidden(shop) and acl(shop) == before
    ended = running.wait(3, 120)
    assert "ended by another process" in ended.err, str(ended)
    assert stoa("retire", "orders.note", "--undo").out.endswith("there is nothing to undo\n")


def test_undo_gives_up_a_drop_that_waits(shop, stoa):
    stoa("retire", "orders.note", "--yes", "--for", "1s", "--force", code=3)
    assert stoa.status("retire-orders-note")["state"] == "ready"
    result = stoa("retire", "orders.note", "--undo")
    assert "stays as it was" in result.out
    assert stoa("status", "--json").json["changes"] == [] and "note" in shop.columns("orders")
    stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "1h", "--force", code=3)


def test_ctrl_c_shows_it_again(shop, stoa):
    before = acl(shop)
    running = stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force")
    until(lambda: hidden(shop), 120, "it is hidden")
    running.signal(signal.SIGINT)
    running.wait(3, 120)
    assert acl(shop) == before


# ---- killed ---------------------------------------------------------------------------------

def kill_hidden(db, stoa, *args):
    running = stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force", *args)
    until(lambda: hidden(db), 120, "it is hidden")
    assert len(running.children()) == 1, "its guard"
    running.kill_all()


def test_killed_it_is_shown_by_its_guard(shop, stoa):
    before = acl(shop)
    running = stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force")
    until(lambda: hidden(shop), 120, "it is hidden")
    running.kill()
    until(lambda: acl(shop) == before, 60, "it is shown again, and nobody else was there")
    texts = [event["text"] for event in stoa("history", "--json").json["events"]]
    assert any("its process was gone, ended by" in text for text in texts), texts


def test_nothing_is_hidden_without_a_guard(shop, stoa):
    before = acl(shop)
    result = stoa("retire", "orders.note", "--yes", "--for", "10m", "--force", code=4, env={"STOA_FAILPOINT": "guard_begun=kill:1"})
    assert "nothing is hidden" in result.err and acl(shop) == before, str(result)


def test_the_guard_goes_with_its_end(shop, stoa):
    running = stoa.start("retire", "orders.note", "--yes", "--for", "1s", "--force")
    until(lambda: hidden(shop), 120, "it is hidden")
    guards = running.children()
    running.wait(3)
    assert len(guards) == 1 and not pathlib.Path("/proc", str(guards[0])).exists()


def test_killed_and_found_by_the_next_process(shop, stoa):
    before = acl(shop)
    kill_hidden(shop, stoa)
    assert hidden(shop)
    stoa("status")
    assert acl(shop) == before, "its process is gone: nobody looks on any more"


def test_killed_elsewhere_it_stays_until_its_time_is_over(shop, stoa):
    """By the server's clock; a process on another host cannot be looked for."""
    before = acl(shop)
    kill_hidden(shop, stoa)
    shop.admin.execute("UPDATE stoa.leases SET host = 'elsewhere' WHERE table_key LIKE 'brownout:%'")
    stoa("status")
    assert hidden(shop), "its time is not over"
    held = stoa("retire", "orders.amount", "--yes", "--force", code=3)
    assert "brown-out of public.orders is on already" in held.err and "elsewhere" in held.err, str(held)
    held = stoa("apply", "ALTER TABLE orders ADD COLUMN more int", "--yes", code=3)
    assert "a brown-out of public.orders is on" in held.err, str(held)
    shop.admin.execute("UPDATE stoa.leases SET expires_at = clock_timestamp() - interval '1 s' WHERE table_key LIKE 'brownout:%'")
    stoa("history")
    assert acl(shop) == before
    texts = [event["text"] for event in stoa("history", "--json").json["events"]]
    assert any("its time was over" in text for text in texts), texts


def test_serve_shows_it_again(shop, stoa):
    stoa.apply("ALTER TABLE orders ADD COLUMN more int")
    before = acl(shop)
    kill_hidden(shop, stoa)
    shop.admin.execute("UPDATE stoa.leases SET host = 'elsewhere' WHERE table_key LIKE 'brownout:%'")
    stoa.start("serve", "--listen", "127.0.0.1:0")
    time.sleep(1)
    assert hidden(shop)
    shop.admin.execute("UPDATE stoa.leases SET expires_at = clock_timestamp() WHERE table_key LIKE 'brownout:%'")
    until(lambda: acl(shop) == before, 20, "it is shown again")


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_dies_at_every_point(shop, stoa, tmp_path):
    """Whatever point it dies at: privileges are whole again as soon as anybody looks, and it comes to its end."""
    before = acl(shop)
    chain = tmp_path / "chain"
    for _ in range(200):
        ended = stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept,
                     code=None, env={"STOA_FAILPOINT_CHAIN": str(chain)})
        if ended.code not in (-9, 3) and "nothing is hidden" not in ended.err:  # its guard dies, too
            break
        stoa("status")
        if "note" in shop.columns("orders"):
            assert acl(shop) == before, chain.read_text()
    assert ended.code == 0, str(ended)
    assert "note" not in shop.columns("orders")
    assert stoa.status("retire-orders-note")["state"] == "completed"
    points = chain.read_text()
    for point in ("brownout_journalled", "brownout_hidden_before_commit", "brownout_hidden", "brownout_shown", "brownout_over",
                  "retire_shown", "retire_kept", "keep_before_done", "retire_ready"):
        assert point in points, points


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_restore_dies_at_every_point(shop, stoa, tmp_path):
    """And so does the way back: nothing is filled twice, or not at all."""
    chain = tmp_path / "chain"
    stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept)
    for _ in range(100):
        ended = stoa("retire", "orders.note", "--undo", "--from", shop.kept, code=None,
                     env={"STOA_FAILPOINT_CHAIN": str(chain)})
        if ended.code not in (-9, 3):
            break
    assert ended.code == 0, str(ended)
    assert "restore_added" in chain.read_text() and "restore_before_commit" in chain.read_text()
    assert shop.value("SELECT count(*) FROM orders WHERE note IS DISTINCT FROM 'note ' || id") == 0
    assert shop.columns("orders")["note"] == ("text", False, None)


# ---- refused --------------------------------------------------------------------------------

def test_what_stands_on_it_is_named(shop, stoa):
    shop.run("CREATE VIEW notes AS SELECT note FROM orders")
    result = stoa("retire", "orders.note", "--yes", code=4)
    assert "view public.notes" in result.err and not hidden(shop), str(result)
    assert shop.value("SELECT to_regclass('stoa.events')") is None, "nothing was written"


def test_owners_and_superusers_are_named(shop, stoa):
    shop.run(f"REVOKE ALL ON orders FROM {shop.app}")
    result = stoa("retire", "orders.note", "--yes", code=4)
    assert "role postgres is a superuser" in result.err, str(result)
    conn = shop.connect(application_name="shop")
    result = stoa("retire", "orders.note", "--yes", code=4)
    assert f"{shop.owner} owns the table" in result.err and "--by rename" in result.err, str(result)
    conn.close()


def test_rename_hides_it_from_its_owner(shop, stoa):
    with Application(shop, shop.owner, "SELECT note FROM orders WHERE id = 5", shop.log) as reader:
        until(lambda: reader.done > 5, 10, "reads")
        result = stoa("retire", "orders.note", "--yes", "--by", "rename", "--watch-log", shop.log, "--json", code=4)
        assert "42703" in retired(result)["seen"][0], str(result)
        count = reader.done
        until(lambda: reader.done > count + 5, 10, "reads again")
    assert "note" in shop.columns("orders")


def test_not_null_is_refused(shop, stoa):
    shop.run("ALTER TABLE orders ALTER COLUMN note SET NOT NULL")
    result = stoa("retire", "orders.note", "--yes", code=4)
    assert "may not be null and has no default" in result.err and "DROP NOT NULL" in result.err, str(result)


def test_names(shop, stoa):
    shop.run('CREATE TABLE "Or.ders" (id int PRIMARY KEY, "No te" text)')
    shop.run(f'GRANT ALL ON "Or.ders" TO {shop.app}')
    before = acl(shop, '"Or.ders"')
    stoa("retire", 'public."Or.ders"."No te"', "--yes", "--for", "1s", "--wait", "0s", "--force")
    assert list(shop.columns('"Or.ders"')) == ["id"]
    assert acl(shop, '"Or.ders"')[0] == before[0]
    for wrong in ("note", "a.b.c.d", "orders.", ".note", 'orders."note', "orders.missing", "missing.note"):
        stoa("retire", wrong, "--yes", code=2)
    stoa("retire", "--yes", code=2)
    stoa("retire", "orders.note", "--index", "x", "--yes", code=2)


def test_not_observed_is_said(shop, stoa):
    result = stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "1s", "--force", code=3)
    assert "not observed" in result.out, str(result)
    time.sleep(1.1)
    result = stoa("retire", "orders.note", "--yes", code=4)
    assert "nothing tells" in result.err and "--force" in result.err, str(result)
    stoa("retire", "orders.note", "--yes", "--force")
    assert "note" not in shop.columns("orders")


# ---- the file -------------------------------------------------------------------------------

def test_a_file_that_was_changed_is_refused(shop, stoa):
    stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept)
    whole = shop.kept.read_bytes()
    for spoiled in (whole.replace(b"note 17\n", b"note 18\n"), whole[:-200], whole[:len(whole) // 2],
                    whole.replace(b'"rows":3000', b'"rows":3001'), whole + b"1\tx\n", b"id,note\n1,x\n", b""):
        shop.kept.write_bytes(spoiled)
        result = stoa("retire", "orders.note", "--undo", "--from", shop.kept, code=None)
        assert result.code in (2, 6), str(result)
        assert "note" not in shop.columns("orders")
    shop.kept.write_bytes(whole)
    stoa("retire", "orders.note", "--undo", "--from", shop.kept)
    assert shop.value("SELECT count(*) FROM orders WHERE note IS DISTINCT FROM 'note ' || id") == 0


@pytest.mark.slow
def test_stopped_with_its_snapshot(shop, stoa):
    """A process that is stopped kept its snapshot, and so vacuum from the rows, for as long as it stayed so."""
    running = stoa.start("retire", "orders.note", "--yes", "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept,
                         env={"STOA_FAILPOINT": "keep_before_done=pause:1"})
    until(lambda: running.is_stopped, 60, lambda: f"the values are read\n{running.partial()}")
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    assert shop.value(idle) == 1
    until(lambda: shop.value(idle) == 0, 60, "the server ends it")
    running.signal(signal.SIGCONT)
    running.wait(None)
    stoa("retire", "orders.note", "--yes", "--wait", "0s", "--force", "--keep-data", shop.kept, code=None)
    assert "note" not in shop.columns("orders")
    stoa("retire", "orders.note", "--undo", "--from", shop.kept)
    assert shop.value("SELECT count(*) FROM orders WHERE note IS DISTINCT FROM 'note ' || id") == 0


def test_written_while_it_is_saved(shop, stoa):
    """Between the snapshot and the drop somebody writes the column: it stays."""
    stoa("retire", "orders.note", "--yes", "--for", "1s", "--wait", "1h", "--force", code=3)
    running = stoa.start("retire", "orders.note", "--yes", "--wait", "0s", "--force", "--keep-data", shop.kept,
                         env={"STOA_FAILPOINT": "retire_kept=pause:1"})
    until(lambda: running.is_stopped, 60, "the file is there")
    shop.run("UPDATE orders SET note = 'other' WHERE id = 9; DELETE FROM orders WHERE id = 8;"
             "INSERT INTO orders (id) VALUES (6000); INSERT INTO orders (id, note) VALUES (6001, 'new')")
    running.signal(signal.SIGCONT)
    result = running.wait(6)
    assert "1 rows changed, 1 new ones" in result.err, str(result)
    assert "note" in shop.columns("orders")
    stoa("retire", "orders.note", "--yes", "--wait", "0s", "--force", "--keep-data", shop.kept)
    stoa("retire", "orders.note", "--undo", "--from", shop.kept)
    assert shop.rows("SELECT id, note FROM orders WHERE id IN (8, 9, 6000, 6001) ORDER BY id") == [
        (9, "other"), (6000, None), (6001, "new")]


def test_composite_keys_types_and_writers(shop, stoa):
    shop.run("""CREATE TABLE t (a text COLLATE "C", b timestamptz, v bytea DEFAULT '\\x00ff', w int, PRIMARY KEY (a, b));
        INSERT INTO t SELECT chr(9) || '\\N' || i % 50, timestamptz '2026-01-01' + i * interval '1.000001 s',
        CASE WHEN i % 7 = 0 THEN NULL WHEN i % 5 = 0 THEN '\\x00ff'::bytea ELSE decode(md5(i::text), 'hex') END, i
        FROM generate_series(1, 5000) i; CREATE TABLE copy AS TABLE t""")
    shop.run(f"GRANT ALL ON t TO {shop.app}")
    stoa("retire", "t.v", "--yes", "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept)
    with Application(shop, shop.app, "UPDATE t SET w = w + 1 WHERE w % 100 = 3", shop.log) as writer:
        until(lambda: writer.done > 2, 10, "writes")
        stoa("retire", "t.v", "--undo", "--from", shop.kept)
    assert writer.errors == 0, shop.log.read_text()
    assert shop.columns("t")["v"] == ("bytea", False, "'\\x00ff'::bytea")
    assert shop.value("SELECT count(*) FROM t JOIN copy c USING (a, b) WHERE t.v IS DISTINCT FROM c.v") == 0
    assert shop.value("SELECT count(*) FROM t") == 5000


# ---- tables and indexes ---------------------------------------------------------------------

def test_a_table(shop, stoa):
    shop.run("CREATE TABLE old (id int PRIMARY KEY, a text)")
    shop.run(f"GRANT SELECT, INSERT ON old TO {shop.app}; GRANT UPDATE (a) ON old TO {shop.app}")
    before = acl(shop, "old")
    with Application(shop, shop.app, "INSERT INTO old SELECT coalesce(max(id), 0) + 1 FROM old", shop.log) as writer:
        until(lambda: writer.done > 5, 10, "writes")
        result = stoa("retire", "--table", "old", "--yes", "--force", "--watch-log", shop.log, "--json", code=4)
        assert retired(result)["kind"] == "table" and "42501" in retired(result)["seen"][0]
        assert acl(shop, "old") == before
    stoa("retire", "--table", "old", "--yes", "--for", "1s", "--wait", "1h", "--force", code=3)
    assert acl(shop, "old") == before
    stoa("retire", "--table", "old", "--yes", "--wait", "0s", "--force")
    assert shop.value("SELECT to_regclass('old')") is None
    assert "backup" in stoa("retire", "--table", "old", "--undo", code=2).err


def test_an_index(shop, stoa):
    shop.run("CREATE INDEX by_note ON orders (note) WHERE amount > 3")
    definition = shop.value("SELECT pg_get_indexdef('by_note'::regclass)")
    result = stoa("retire", "--index", "by_note", "--yes", "--wait", "1h", code=3)
    assert "may be dropped in" in result.out
    stoa("retire", "--index", "by_note", "--undo")
    refused = stoa("retire", "--index", "by_note", "--by", "rename", "--yes", code=2)
    assert "cannot hide an index" in refused.err, str(refused)
    stoa("retire", "--index", "by_note", "--yes", "--wait", "0s")
    assert shop.value("SELECT to_regclass('by_note')") is None
    stoa("retire", "--index", "by_note", "--undo")
    assert shop.value("SELECT pg_get_indexdef('by_note'::regclass)") == definition


def test_without_a_key_nothing_is_kept_and_that_is_said_first(shop, stoa):
    shop.run("CREATE TABLE loose (v int, w int); INSERT INTO loose VALUES (1, 2)")
    before = shop.fingerprint()
    refused = stoa("retire", "loose.v", "--yes", "--wait", "1h", "--keep-data", shop.kept, code=4)
    assert '"loose" has no key that stays' in refused.err and not os.path.exists(shop.kept)
    assert shop.fingerprint() == before

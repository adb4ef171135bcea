"""stoa plan --sql: the files, carried out by psql, end where apply and complete end."""
import pathlib
import re
import subprocess

import pytest

from test.lib.database import Database, orders
from test.lib.stoa import Stoa

CENTS = "orders.amount_cents = (amount * 100)::bigint"
CHANGES = [
    ("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", ["--backfill", CENTS]),
    ("ALTER TABLE orders ADD COLUMN shout text", ["--backfill", "orders.shout = nullif(upper(note), '')"]),
    ("ALTER TABLE orders ADD COLUMN a bigint NOT NULL, ADD COLUMN b text NOT NULL DEFAULT 'x'",
     ["--backfill", "orders.a = id * 2", "--backfill", "orders.b = coalesce(note, '-')"]),
    ("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL DEFAULT 0 CHECK (amount_cents >= 0)", ["--backfill", CENTS]),
    ("ALTER TABLE orders ADD COLUMN key uuid NOT NULL DEFAULT md5(random()::text)::uuid", []),
    ("CREATE INDEX orders_note ON orders (note)", []),
    ("CREATE UNIQUE INDEX orders_key ON orders (id, amount)", []),
    ("ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0)", []),
    ("ALTER TABLE orders ADD CONSTRAINT one UNIQUE (id, created_at)", []),
    ("ALTER TABLE orders ALTER COLUMN loose SET NOT NULL", []),
    ("ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false", []),
    ("CREATE TABLE refunds (id bigint PRIMARY KEY, order_id bigint REFERENCES orders (id))", []),
]


def filled(db):
    orders(db)
    db.run("UPDATE orders SET created_at = '2026-01-01'; ALTER TABLE orders ADD COLUMN loose int DEFAULT 3")


def carry_out(db, folder):
    """Where a lock timeout ends a file whose first transaction it is, nothing has happened: it is run again."""
    said = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        for _ in range(10):
            done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", path, "-d", db.url()],
                                  capture_output=True, text=True, timeout=120)
            if "due to lock timeout" not in done.stderr or path.read_text().count("BEGIN;") > 1:
                break
        assert done.returncode == 0, (path.name, done.stderr, path.read_text())
        said.append((path.name, done.stdout.strip()))
    return said


def state(db, volatile):
    rows = db.rows("SELECT * FROM orders ORDER BY id")
    if volatile:
        rows = [row[:-1] for row in rows]
    lines = [tuple(str(part).replace(db.name, "DB") for part in line) for line in db.fingerprint()]
    return lines, rows


@pytest.mark.parametrize("sql,options", CHANGES, ids=range(len(CHANGES)))
def test_files_end_where_apply_ends(server, db, stoa, tmp_path, sql, options):
    filled(db)
    other = Database(server)
    program = Stoa(other.url())
    try:
        filled(other)
        folder = tmp_path / "plan"
        stoa("plan", sql, *options, f"--sql={folder}")
        names = [path.name for path in sorted(folder.iterdir())]
        assert [name[:2] for name in names] == [f"{i:02}" for i in range(1, len(names) + 1)]
        said = carry_out(db, folder)
        assert all(out == "" for _, out in said), said
        program.apply(sql, *options)
        change = re.search(r'"name":\s*"([^"]+)"', program("status", "--all", "--json").out).group(1)
        program("complete", change, "--yes", "--force")
        volatile = "random()" in sql
        assert state(db, volatile) == state(other, volatile)
    finally:
        program.close()
        other.drop()


def test_the_files_say_what_they_are(db, stoa, tmp_path):
    orders(db)
    told = stoa("plan", CHANGES[0][0], *CHANGES[0][1], f"--sql={tmp_path / 'p'}", "--json").json
    assert told == {"v": 1, "files": [str(path) for path in sorted((tmp_path / "p").iterdir())]}
    texts = {path.name: path.read_text() for path in (tmp_path / "p").iterdir()}
    assert sorted(texts) == ["01-prepare.sql", "02-expand.sql", "03-backfill.sql", "04-verify.sql", "05-constrain.sql",
                             "06-contract.sql"]
    for text in texts.values():
        assert "-- when: " in text and "-- check: " in text
    assert "SET LOCAL lock_timeout = '200ms';" in texts["02-expand.sql"] and "COMMIT;" in texts["03-backfill.sql"]


def test_verification_speaks_only_when_something_is_wrong(db, stoa, tmp_path):
    orders(db)
    stoa("plan", CHANGES[0][0], *CHANGES[0][1], f"--sql={tmp_path / 'p'}")
    files = sorted((tmp_path / "p").iterdir())
    run = lambda path: subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", path, "-d", db.url()],
                                      capture_output=True, text=True, check=True).stdout
    for path in files[:3]:
        assert run(path) == ""
    db.run("ALTER TABLE orders DISABLE TRIGGER ALL; UPDATE orders SET amount_cents = 1 WHERE id = 7;"
           "ALTER TABLE orders ENABLE TRIGGER ALL")
    assert "amount_cents differs" in run(files[3])


def test_the_trigger_fills_what_is_written_meanwhile(db, stoa, tmp_path):
    orders(db)
    stoa("plan", CHANGES[0][0], *CHANGES[0][1], f"--sql={tmp_path / 'p'}")
    files = sorted((tmp_path / "p").iterdir())
    subprocess.run(["psql", "-X", "-q", "-f", files[1], "-d", db.url()], check=True, capture_output=True)
    db.run("UPDATE orders SET amount = 12.5 WHERE id = 3")
    assert db.value("SELECT amount_cents FROM orders WHERE id = 3") == 1250
    db.run("UPDATE orders SET amount = 13.5 WHERE id = 3")
    assert db.value("SELECT amount_cents FROM orders WHERE id = 3") == 1350
    db.run("UPDATE orders SET amount_cents = 5 WHERE id = 3")
    assert db.value("SELECT amount_cents FROM orders WHERE id = 3") == 5


@pytest.mark.parametrize("sql,options,why", [
    ("ALTER TABLE orders DROP COLUMN note", [], "what was used"),
    ("ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL",
     ["--backfill", CENTS, "--reverse", "orders.amount = amount_cents / 100.0"], "both applications"),
    ("ALTER TABLE orders ADD COLUMN v int", ["--versioned"], "two applications"),
])
def test_what_only_stoa_can_do_is_refused(db, stoa, tmp_path, sql, options, why):
    orders(db)
    done = stoa("plan", sql, *options, f"--sql={tmp_path / 'p'}", code=4)
    assert why in done.err and "stoa apply" in done.err and not (tmp_path / "p").exists()


def test_files_that_are_there_are_kept(db, stoa, tmp_path):
    orders(db)
    (tmp_path / "01-expand.sql").write_text("mine")
    stoa("plan", "ALTER TABLE orders ADD COLUMN v int", f"--sql={tmp_path}", code=2)
    assert (tmp_path / "01-expand.sql").read_text() == "mine"

"""apply --replace: a change that stopped half-way gives way to other content under its name."""
import pytest

from test.lib.writers import Writers


@pytest.fixture
def table(db):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int, v int NOT NULL DEFAULT 1); "
           "INSERT INTO t SELECT i, i FROM generate_series(1, 800) i; UPDATE t SET a = NULL WHERE id = 700")


BROKEN = ["ALTER TABLE t ADD COLUMN b bigint NOT NULL", "--backfill", "t.b = a", "--name", "fill-b"]
MENDED = ["ALTER TABLE t ADD COLUMN b bigint NOT NULL", "--backfill", "t.b = coalesce(a, 0)", "--name", "fill-b"]


def failed(stoa, db):
    """Stopped with the column, its trigger and its rows in place."""
    stoa("apply", *BROKEN[:2], "t.b = coalesce(a, 1)", *BROKEN[3:], "--yes", "--until", "backfill")
    assert "b" in db.columns("t") and db.triggers("t")
    assert stoa.status("fill-b")["state"] != "ready"


def test_it_gives_way(db, stoa, table):
    before = db.fingerprint()
    failed(stoa, db)
    refused = stoa.apply(*MENDED, code=2)
    assert "--replace" in refused.err and "stoa abort fill-b" in refused.err
    writers = Writers(db, "t", ["UPDATE {t} SET v = v + 1 WHERE id = %(n)s", "UPDATE {t} SET a = %(m)s WHERE id = %(n)s"], 800)
    stoa.apply(*MENDED, "--replace")
    writers.stop()
    assert db.value("SELECT count(*) FROM t WHERE b IS DISTINCT FROM coalesce(a, 0)") == 0
    states = [change["state"] for change in stoa("status", "fill-b", "--json").json["changes"]]
    assert states == ["ready", "aborted"]
    event = db.rows("SELECT detail ->> 'from', detail ->> 'to' FROM stoa.events WHERE kind = 'replaced'")
    digests = [row[0] for row in db.rows("SELECT change_digest FROM stoa.changes ORDER BY id")]
    assert event == [tuple(digests)]
    stoa("abort", "fill-b", "--yes", "--force")
    assert db.fingerprint() == before
    assert stoa("history", "--verify", "--json").json["verified"]


def test_what_is_ready_does_not(db, stoa, table):
    stoa.apply(*MENDED)
    refused = stoa.apply(*BROKEN[:2], "t.b = coalesce(a, 7)", *BROKEN[3:], "--replace", code=2)
    assert "--name NAME" in refused.err
    assert stoa.status("fill-b")["state"] == "ready"


def test_what_is_carried_out_does_not(db, stoa, table):
    running = stoa.start("apply", *MENDED, "--yes", "--stop-file", stoa.file("stop", ""))
    running.says("stop", 60)
    refused = stoa.apply(*BROKEN[:2], "t.b = coalesce(a, 7)", *BROKEN[3:], "--replace", code=3)
    assert f"pid {running.pid}" in refused.err
    assert running.is_running()


def test_the_same_content_goes_on(db, stoa, table):
    stoa("apply", *MENDED, "--yes", "--until", "backfill")
    stoa.apply(*MENDED, "--replace")
    assert db.value("SELECT count(*) FROM stoa.changes") == 1

"""The event log is append-only and sealed by a hash chain: whatever a superuser does to it behind the triggers is named."""
import hashlib
import os
import pathlib
import signal
import threading

import psycopg
import pytest

from test.lib.servers import until

VERSION_1 = (pathlib.Path(__file__).parents[1] / "data" / "journal_1.sql").read_text()
CHANGE = ["ALTER TABLE t ADD COLUMN b bigint NOT NULL", "--backfill", "t.b = a", "--name", "fill-b"]


def verify(stoa, *args, code=0):
    return stoa("history", "--verify", "--json", *args, code=code).json


def computed(db):
    """The chain as docs/journal.md has it, computed here."""
    chain = []
    before = ""
    for fields in db.rows("""SELECT e.id::text, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), e.change_id::text,
                e.kind, e.step::text, e.detail::text, e.text, e.by FROM stoa.seals s JOIN stoa.events e ON e.id = s.event_id
                ORDER BY s.ordinal"""):
        text = before + "\n" + "".join("-\n" if each is None else f"{len(each.encode())}:{each}\n" for each in fields)
        before = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        chain.append(before)
    return chain


@pytest.fixture
def sealed(db, stoa):
    """A change that is ready, with its log."""
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i")
    stoa.apply(*CHANGE)
    return verify(stoa)


def tamper(db, *statements):
    """As a superuser, with the triggers off."""
    with db.server.connect(db.name, "postgres", autocommit=False) as conn:
        conn.execute("ALTER TABLE stoa.events DISABLE TRIGGER ALL")
        conn.execute("ALTER TABLE stoa.seals DISABLE TRIGGER ALL")
        for statement in statements:
            assert conn.execute(statement).rowcount != 0, statement
        conn.execute("ALTER TABLE stoa.events ENABLE TRIGGER ALL")
        conn.execute("ALTER TABLE stoa.seals ENABLE TRIGGER ALL")
        conn.commit()


def test_all_that_happened_is_sealed(db, stoa, sealed):
    assert sealed["verified"] and sealed["unsealed"] == 0 and sealed["findings"] == []
    assert sealed["sealed"] == db.value("SELECT count(*) FROM stoa.events") > 10
    chain = computed(db)
    assert chain == [row[0] for row in db.rows("SELECT hash FROM stoa.seals ORDER BY ordinal")]
    assert sealed["head"]["hash"] == chain[-1]
    stoa("flag", "t.b.read", "off", "--reason", "Jürgen says so")
    later = verify(stoa, "--expect-head", sealed["head"]["hash"])
    assert later["verified"] and later["sealed"] == sealed["sealed"] + 1 and later["unsealed"] == 0
    assert later["expected_head"] == {"hash": chain[-1], "found": True, "seal": len(chain)}
    told = stoa("history", "--verify")
    assert "as it was sealed" in told.out and later["head"]["hash"] in told.out


def test_the_triggers_hold_for_everybody(db, sealed):
    for table in ("events", "seals"):
        for statement in (f"DELETE FROM stoa.{table}", f"TRUNCATE stoa.{table}",
                          f"UPDATE stoa.{table} SET " + ("text = ''" if table == "events" else "hash = ''")):
            with pytest.raises(psycopg.errors.RaiseException, match=f"stoa.{table} is append-only"):
                db.admin.execute(statement)


MIDDLE = "(SELECT event_id FROM stoa.seals WHERE ordinal = 5)"
TAMPERED = {
    "at": (f"UPDATE stoa.events SET at = at + interval '1 microsecond' WHERE id = {MIDDLE}", "altered"),
    "change": (f"UPDATE stoa.events SET change_id = 99 WHERE id = {MIDDLE}", "altered"),
    "kind": (f"UPDATE stoa.events SET kind = 'x' WHERE id = {MIDDLE}", "altered"),
    "step": (f"UPDATE stoa.events SET step = step + 1 WHERE id = {MIDDLE}", "altered"),
    "detail": (f"UPDATE stoa.events SET detail = '{{}}' WHERE id = {MIDDLE}", "altered"),
    "text": (f"UPDATE stoa.events SET text = text || ' ' WHERE id = {MIDDLE}", "altered"),
    "by": (f"UPDATE stoa.events SET by = 'somebody' WHERE id = {MIDDLE}", "altered"),
    "deleted": (f"DELETE FROM stoa.events WHERE id = {MIDDLE}", "deleted"),
    "the last deleted": ("DELETE FROM stoa.events WHERE id = (SELECT max(id) FROM stoa.events)", "deleted"),
    "seal rewritten": ("UPDATE stoa.seals SET hash = 'sha256:0' WHERE ordinal = 5", "seal_rewritten"),
    "seal removed": ("DELETE FROM stoa.seals WHERE ordinal = 5", "seal_missing"),
    "seal of another event": ("UPDATE stoa.seals SET event_id = 1000000 WHERE ordinal = 5", "deleted"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_named(db, stoa, sealed, what):
    statement, kind = TAMPERED[what]
    event = db.value(f"SELECT {MIDDLE}")
    tamper(db, statement)
    report = verify(stoa, code=6)
    assert not report["verified"]
    first = report["findings"][0]
    assert first["kind"] == kind, report
    if kind == "altered":
        assert first["event"] == event and first["seal"] == 5 and len(report["findings"]) == 1
    told = stoa("history", "--verify", code=6)
    assert kind in told.out and "not as it was sealed" in told.out


def test_what_is_put_in_afterwards(db, stoa, sealed):
    # into a gap of the numbers, with a time that suits it
    event = db.value(f"SELECT {MIDDLE}")
    tamper(db, "UPDATE stoa.events SET at = at - interval '2 hours'", "DELETE FROM stoa.seals")
    db.run("INSERT INTO stoa.events (kind, text) SELECT 'x', 'y' FROM generate_series(1, 3)")
    stoa("flag", "t.b.read", "off")  # seals all of it
    assert verify(stoa)["verified"]
    tamper(db, f"INSERT INTO stoa.events (id, at, kind, text) OVERRIDING SYSTEM VALUE "
               f"SELECT -1, at, 'approval', 'forged' FROM stoa.events WHERE id = {event}")
    report = verify(stoa, code=6)
    assert [(each["kind"], each["event"]) for each in report["findings"]] == [("inserted", -1)], "before it is sealed"
    stoa("flag", "t.b.read", "on")
    report = verify(stoa, code=6)
    assert report["unsealed"] == 0 and ("inserted", -1) in [(each["kind"], each["event"]) for each in report["findings"]]


def test_a_new_event_with_an_old_number(db, stoa, sealed):
    tamper(db, "UPDATE stoa.events SET at = at - interval '2 hours'", "DELETE FROM stoa.seals")
    stoa("flag", "t.b.read", "off")
    tamper(db, "INSERT INTO stoa.events (id, kind, text) OVERRIDING SYSTEM VALUE VALUES (-5, 'x', 'forged')")
    report = verify(stoa, code=6)
    assert [(each["kind"], each["event"]) for each in report["findings"]] == [("inserted", -5)]


def test_a_chain_that_was_cut_off_or_written_anew(db, stoa, sealed):
    head = sealed["head"]
    tamper(db, f"DELETE FROM stoa.seals WHERE event_id >= {head['event']}", f"DELETE FROM stoa.events WHERE id >= {head['event']}")
    assert verify(stoa)["verified"], "nothing in the database can tell"
    report = verify(stoa, "--expect-head", head["hash"], code=6)
    assert report["findings"][0]["kind"] == "truncated" and not report["expected_head"]["found"]
    stoa("history", "--expect-head", head["hash"], "fill-b", code=2)


def test_writers_at_once_are_sealed_once_each(db, stoa, sealed):
    """Late commits of lower numbers, numbers that are never used, and several processes that seal."""
    def write(number):
        with db.server.connect(db.name, db.owner, autocommit=False) as conn:
            for i in range(60):
                conn.execute("INSERT INTO stoa.events (kind, text) VALUES ('test', %s)", [f"{number}.{i}"])
                if i % 5 == 4:
                    conn.rollback()
                elif i % 3 == number % 3:
                    conn.commit()
            conn.commit()
    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    running = [stoa.start("flag", "t.b.read", "off" if i % 2 else "on") for i in range(6)]
    for each in running:
        each.wait(0)
    for thread in threads:
        thread.join()
    stoa("flag", "t.b.read", "on")
    report = verify(stoa, "--expect-head", sealed["head"]["hash"])
    assert report["verified"] and report["unsealed"] == 0, report
    assert report["sealed"] == db.value("SELECT count(*) FROM stoa.events")
    assert computed(db)[-1] == report["head"]["hash"]


def test_killed_in_between(db, stoa):
    """What a killed process could not seal is sealed by the next, and what it wrote last is there."""
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i")
    for point in ("step_intent", "step_outcome"):
        stoa.apply(*CHANGE, env={"STOA_FAILPOINT": f"{point}=kill:2"}, code=None)
        report = verify(stoa)
        assert report["verified"]
    stoa.apply(*CHANGE)
    report = verify(stoa)
    assert report["verified"] and report["unsealed"] == 0
    assert report["sealed"] == db.value("SELECT count(*) FROM stoa.events")


def test_a_running_change_seals_as_it_goes(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i")
    running = stoa.start("apply", *CHANGE, "--yes", "--stop-file", stoa.file("stop", ""))
    until(lambda: db.value("SELECT to_regclass('stoa.seals')") and db.value("SELECT count(*) FROM stoa.seals") > 0, 60)
    os.unlink(pathlib.Path(stoa.home.name) / "stop")
    running.wait(0)


def test_an_old_log_is_sealed_by_the_upgrade(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int)")
    db.run(VERSION_1)
    db.run("INSERT INTO stoa.events (kind, text) SELECT 'old', i::text FROM generate_series(1, 2500) i")
    told = stoa("history", "--verify", code=2)
    assert "has no seals" in told.err
    stoa.apply("ALTER TABLE t ADD COLUMN c int")
    report = verify(stoa)
    assert report["verified"] and report["unsealed"] == 0 and report["sealed"] > 2500


def test_without_a_journal(db, stoa):
    report = verify(stoa)
    assert report["verified"] and report["head"] is None and report["sealed"] == 0

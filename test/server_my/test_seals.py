"""The event log's seals on MariaDB and MySQL."""
import pytest

from test.lib.stoa import Stoa


@pytest.fixture
def stoa(my):
    my.query("DROP DATABASE IF EXISTS stoa")
    my.query("DROP DATABASE IF EXISTS shop")
    my.query("CREATE DATABASE shop")
    my.query("CREATE TABLE shop.t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    program = Stoa(my.url("shop"))
    program("apply", "ALTER TABLE t ADD COLUMN c INT NULL", "--name", "add", "--replicas", "0", "--yes")
    yield program
    program.close()


def verify(stoa, *args, code=0):
    return stoa("history", "--verify", "--json", *args, code=code).json


def test_all_that_happened_is_sealed(my, stoa):
    report = verify(stoa)
    assert report["verified"] and report["unsealed"] == 0
    assert report["sealed"] == my.query("SELECT COUNT(*) FROM stoa.events")[0][0] > 3
    stoa("complete", "add", "--yes", "--quiet", "0s")
    later = verify(stoa, "--expect-head", report["head"]["hash"])
    assert later["verified"] and later["unsealed"] == 0 and later["sealed"] > report["sealed"]


def test_tampering_is_named(my, stoa):
    event, hash_ = my.query("SELECT event_id, hash FROM stoa.seals WHERE ordinal = 2")[0]
    for name in ("events_stay", "events_kept", "seals_stay", "seals_kept"):
        my.query(f"DROP TRIGGER stoa.{name}")
    kept = my.query(f"SELECT kind, text, `by`, step FROM stoa.events WHERE id = {event}")[0]
    for column, value, old in zip(("kind", "text", "`by`", "step"), ("'x'", "'x'", "'x'", "9"), kept):
        my.query(f"UPDATE stoa.events SET {column} = {value} WHERE id = {event}")
        report = verify(stoa, code=6)
        assert [(each["kind"], each["event"]) for each in report["findings"]] == [("altered", event)], column
        my.query(f"UPDATE stoa.events SET {column} = %s WHERE id = {event}" % repr(old))
        assert verify(stoa)["verified"]
    my.query(f"UPDATE stoa.seals SET hash = 'sha256:0' WHERE ordinal = 2")
    assert verify(stoa, code=6)["findings"][0]["kind"] == "seal_rewritten"
    my.query(f"UPDATE stoa.seals SET hash = '{hash_}' WHERE ordinal = 2")
    my.query(f"DELETE FROM stoa.events WHERE id = {event}")
    assert verify(stoa, code=6)["findings"][0]["kind"] == "deleted"


def test_a_journal_of_version_4_is_upgraded(my, stoa):
    my.query("DROP TABLE stoa.seals")
    my.query("UPDATE stoa.meta SET version = 4")
    told = stoa("history", "--verify", code=2)
    assert "has no seals" in told.err
    stoa("complete", "add", "--yes", "--quiet", "0s")
    assert my.query("SELECT version FROM stoa.meta") == ((5,),)
    report = verify(stoa)
    assert report["verified"] and report["unsealed"] == 0
    assert report["sealed"] == my.query("SELECT COUNT(*) FROM stoa.events")[0][0]
    assert {row[0] for row in my.query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'stoa'")} \
        == {"events_stay", "events_kept", "seals_stay", "seals_kept"}

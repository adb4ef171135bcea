"""What is taken away from a partitioned table goes from all partitions, and comes back partition by partition."""
import pytest

from test.lib.servers import until
from test.lib.tree import MAX_STALL_MS, Stalls, busy, leaves  # noqa: F401

CONSTRAINTS = {
    "check": "ADD CONSTRAINT c CHECK (amount > -1)",
    "unique": "ADD CONSTRAINT c UNIQUE (id, day) DEFERRABLE",
    "primary key": "ADD CONSTRAINT c PRIMARY KEY (day, id)",
    "foreign key": "ADD CONSTRAINT c FOREIGN KEY (shop_id) REFERENCES shops ON DELETE CASCADE",
}
DROP = "ALTER TABLE events DROP CONSTRAINT c"


def add(db, kind):
    """Names of their own in one partition: they must come back as well. False: the server has none."""
    if db.version < 11 and kind != "check":
        return False
    own = {"unique": "ADD CONSTRAINT mine UNIQUE (id, day) DEFERRABLE", "primary key": "ADD CONSTRAINT mine PRIMARY KEY (day, id)",
           "foreign key": "ADD CONSTRAINT mine FOREIGN KEY (shop_id) REFERENCES shops ON DELETE CASCADE"}.get(kind)
    if own:
        db.run(f"ALTER TABLE events_3 {own}")
    db.run(f"ALTER TABLE events {CONSTRAINTS[kind]}")
    return True


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_constraint_goes_and_comes_back(db, stoa, busy, kind):
    if not add(db, kind):
        return
    with Stalls(db, busy):
        before = db.fingerprint()
        stoa.apply(DROP, "--name", "drop", "--until", "constrain", "--max-stall", f"{MAX_STALL_MS}ms")
        assert all("c" not in db.constraints(table) and "mine" not in db.constraints(table)
                   for table in ["events", "events_2", *leaves(db)])
        stoa("abort", "drop", "--yes")
        assert db.fingerprint() == before
    stoa.apply(DROP, "--name", "again")
    assert "c" not in db.constraints("events") and "mine" not in db.constraints("events_3")
    assert stoa.status("again")["state"] == "completed"


@pytest.mark.parametrize("kind, point", [
    ("check", "undo_between=kill:9"), ("unique", "undo_between=kill:30"), ("unique", "index_after=kill:3"),
    ("primary key", "undo_between=kill:50"), ("foreign key", "locked_after_commit=kill:10"),
    ("foreign key", "undo_before_journal=kill:1")])
def test_way_back_goes_on_after_a_kill(db, stoa, busy, kind, point):
    if not add(db, kind):
        return
    before = db.fingerprint()
    stoa.apply(DROP, "--name", "drop", "--until", "constrain")
    result = stoa("abort", "drop", "--yes", env={"STOA_FAILPOINT": point}, code=None)
    assert result.code == -9, str(result)
    until(lambda: stoa("abort", "drop", "--yes", code=None).code == 0, 30, "the end of it")
    assert db.fingerprint() == before


def test_locks_of_the_plan(db, stoa, busy):
    if not add(db, "foreign key"):
        return
    (drop, _ready) = stoa("plan", DROP, "--json").json["steps"]
    assert drop["lock"] == "ACCESS EXCLUSIVE" and not drop["scans"] and "public.shops" in drop["lock_on"]
    assert len(drop["lock_on"]) == len(leaves(db)) + 3, drop["lock_on"]


def test_foreign_key_to_itself_says_that_it_does_not_come_back(db, stoa):
    if db.version < 12:
        return
    db.run("CREATE TABLE tree (id int, up int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);"
           "CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1); INSERT INTO tree VALUES (1, NULL, 1);"
           "ALTER TABLE tree ADD CONSTRAINT c FOREIGN KEY (up, part) REFERENCES tree (id, part)")
    told = stoa("plan", "ALTER TABLE tree DROP CONSTRAINT c", "--json").json
    assert "no-way-back" in [risk["id"] for risk in told["risks"]], told["risks"]
    stoa.apply("ALTER TABLE tree DROP CONSTRAINT c")
    assert "c" not in db.constraints("tree")


def test_primary_key_gives_way_to_another(db, stoa, busy):
    if not add(db, "primary key"):
        return
    stoa.apply(DROP + "; ALTER TABLE events ADD CONSTRAINT k PRIMARY KEY (id, day)")
    assert set(db.constraints("events")) == {"k"}
    assert db.constraints("events")["k"] == ("PRIMARY KEY (id, day)", True)

"""stoa revert: the old shape again with all that was written meanwhile, or a refusal that says why."""
import pytest

from test.lib.servers import until
from test.lib.writers import Writers

PEOPLE = ("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note text);"
          "INSERT INTO people SELECT i, 'a' || i || ' b' || i FROM generate_series(1, 2000) i")
CHANGE = """-- stoa: name split
-- stoa: backfill people.first = split_part(name, ' ', 1)
-- stoa: backfill people.last = split_part(name, ' ', 2)
-- stoa: reverse people.name = first || ' ' || last
ALTER TABLE people ADD COLUMN first text NOT NULL, ADD COLUMN last text;
CREATE INDEX people_by_last ON people (last);
"""
OLD = ["UPDATE {t} SET name = 'n%(m)s l%(m)s' WHERE id = %(n)s", "UPDATE {t} SET note = 'x' WHERE id = %(n)s",
       "INSERT INTO {t} (id, name) VALUES (%(new)s, 'i%(m)s j%(m)s')", "DELETE FROM {t} WHERE id = %(n)s AND %(m)s %% 5 = 0"]
NEW = ["UPDATE {t} SET first = 'f%(m)s' WHERE id = %(n)s", "UPDATE {t} SET last = 'l%(m)s' WHERE id = %(n)s",
       "INSERT INTO {t} (id, first, last) VALUES (%(new)s + 50000000, 'i%(m)s', 'j%(m)s')"]


@pytest.fixture
def ready(db, stoa):
    db.run(PEOPLE)
    before = db.fingerprint()
    file = stoa.file("change.sql", CHANGE)
    stoa("apply", "-f", file, "--yes")
    return file, before


def shape_is_old(db, before):
    assert db.fingerprint() == before
    assert db.triggers("people") == []
    assert db.rows("SELECT relname FROM pg_class WHERE relnamespace = 'stoa'::regnamespace AND relkind = 'S' AND "
                   "relname ~ '^(fills|minute|broken)_'") == []
    assert db.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'stoa'::regnamespace AND proname ~ '^sync_'") == 0


def test_nothing_is_lost_under_writers_of_both_shapes(db, stoa, ready):
    file, before = ready
    with Writers(db, "people", OLD + NEW, count=2000, threads=4) as writers:
        until(lambda: writers.done > 600, 30)
    names = dict(db.rows("SELECT id, name FROM people"))
    assert names == dict(db.rows("SELECT id, first || ' ' || last FROM people"))
    with Writers(db, "people", OLD[1:2], count=2000, threads=2) as writers:
        result = stoa("revert", "split", "--yes", "--json")
        assert writers.mark() < 2.0
    assert result.events[-1]["summary"]["state"] == "reverted"
    assert dict(db.rows("SELECT id, name FROM people")) == names
    shape_is_old(db, before)
    (change,) = stoa("status", "--all", "--json").json["changes"]
    assert (change["state"], change["phase"]) == ("reverted", "revert")
    assert all(step["state"] == "done" for step in change["steps"] if step["phase"] == "revert")
    assert "reverted" in stoa("history", "split").out
    # the name is free again, and the same change can be made anew
    stoa("apply", "-f", file, "--yes")
    assert db.value("SELECT count(*) FROM people WHERE name <> first || ' ' || last") == 0


def test_a_broken_way_refuses_it_and_says_since_when(db, stoa, ready):
    db.run("ALTER TABLE people ADD CONSTRAINT short CHECK (length(name) < 100) NOT VALID")
    db.run("UPDATE people SET last = NULL WHERE id = 5; UPDATE people SET first = 'X' WHERE id = 6")
    assert db.rows("SELECT name FROM people WHERE id IN (5, 6) ORDER BY id") == [("a5 b5",), ("X b6",)]
    shape = db.fingerprint()
    refused = stoa("revert", "split", "--yes", code=4)
    assert "row id=5" in refused.err and "\"name\"" in refused.err and "stoa complete split" in refused.err
    assert db.value("SELECT to_char(at, 'YYYY-MM-DD HH24:MI') FROM stoa.sync_broken") in refused.err
    assert stoa.status("split")["state"] == "ready"
    assert db.fingerprint() == shape, "nothing was changed"
    stoa("complete", "split", "--yes", "--force")
    assert "is completed" in stoa("revert", "split", "--yes", code=4).err


def test_a_way_that_breaks_at_the_last_moment_refuses_it(db, stoa, ready):
    """The look under the locks counts, not only the one before."""
    held = db.connect(autocommit=False)
    held.execute("UPDATE people SET last = NULL WHERE id = 5")
    running = stoa.start("revert", "split", "--yes", "--lock-wait", "20s")
    running.says("waiting for a lock")
    held.commit()
    refused = running.wait(4)
    assert "row id=5" in refused.err
    status = stoa.status("split")
    assert (status["state"], status["phase"], status["ready"]) == ("ready", "ready", True)
    assert [step for step in status["steps"] if step["phase"] == "revert"] == []
    db.run("UPDATE people SET first = 'still' WHERE id = 6")
    assert db.value("SELECT name FROM people WHERE id = 6") == "still b6", "both sides go on"


def test_a_way_that_breaks_meanwhile_is_told_at_once(db, stoa, ready):
    held = db.connect(autocommit=False)
    held.execute("SELECT count(*) FROM people")
    running = stoa.start("revert", "split", "--yes", "--json")
    running.says("lock_blocked")
    db.run("UPDATE people SET last = NULL WHERE id = 5")
    running.says("back_broken")
    held.rollback()
    assert "row id=5" in running.wait(4).out
    assert db.value("SELECT count(*) FROM stoa.events WHERE kind = 'back_broken'") == 1
    watched = stoa("watch", "split").out
    assert "the way back to public.people.name is broken" in watched


def test_it_needs_a_lock_and_says_who_has_it(db, stoa, ready):
    held = db.connect(autocommit=False, application_name="long report")
    held.execute("SELECT count(*) FROM people")
    with Writers(db, "people", OLD + NEW, count=2000, threads=2) as writers:
        refused = stoa("revert", "split", "--yes", "--lock-wait", "1500ms", code=5)
        assert writers.mark() < 1.0
    assert "long report" in refused.err
    assert stoa.status("split")["state"] == "ready"
    held.rollback()
    stoa("revert", "split", "--yes")


def test_what_has_no_way_back_is_refused_with_the_reason(db, stoa):
    db.run(PEOPLE)
    stoa("apply", "ALTER TABLE people ADD COLUMN first text", "--backfill", "people.first = split_part(name, ' ', 1)",
         "--name", "one", "--yes")
    refused = stoa("revert", "one", "--yes", code=4)
    assert "no reverse reads the new column people.first" in refused.err and "stoa abort one --force" in refused.err
    stoa("apply", "CREATE INDEX people_note ON people (note)", "--name", "index", "--yes")
    assert "is completed" in stoa("revert", "index", "--yes", code=4).err
    assert "no change \"nobody\"" in stoa("revert", "nobody", "--yes", code=2).err


def test_the_old_column_may_be_dropped_by_the_same_change(db, stoa):
    db.run(PEOPLE)
    before = db.fingerprint()
    file = stoa.file("change.sql", CHANGE + "ALTER TABLE people DROP COLUMN name;")
    stoa("apply", "-f", file, "--yes")
    with Writers(db, "people", OLD + NEW, count=2000, threads=2) as writers:
        until(lambda: writers.done > 200, 30)
    names = dict(db.rows("SELECT id, name FROM people"))
    assert names == dict(db.rows("SELECT id, first || ' ' || last FROM people"))
    stoa("revert", "split", "--yes")
    shape_is_old(db, before)
    assert dict(db.rows("SELECT id, name FROM people")) == names
    stoa("apply", "-f", file, "--yes")
    stoa("complete", "split", "--yes", "--force")
    assert list(db.columns("people")) == ["id", "note", "first", "last"] and db.triggers("people") == []


def test_partitioned_tables_go_both_ways_and_back(db, stoa, version):
    key = "" if version < 11 else ", PRIMARY KEY (id)"
    db.run(f"CREATE TABLE people (id int NOT NULL, name text NOT NULL, note text{key}) PARTITION BY RANGE (id);"
           "CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (1000);"
           "CREATE TABLE people_2 PARTITION OF people FOR VALUES FROM (1000) TO (9000);"
           "INSERT INTO people SELECT i, 'a' || i || ' b' || i FROM generate_series(1, 2000) i")
    before = db.fingerprint()
    stoa("apply", "-f", stoa.file("change.sql", CHANGE.replace("CREATE INDEX people_by_last ON people (last);", "")), "--yes")
    db.run("INSERT INTO people (id, first, last) VALUES (5001, 'x', 'y'); UPDATE people SET first = 'q' WHERE id IN (7, 1007);"
           "UPDATE people SET name = 'r s' WHERE id = 1008; INSERT INTO people (id, name) VALUES (0, 't u')")
    if version >= 11:
        db.run("UPDATE people SET id = 5002, last = 'moved' WHERE id = 9")
    names = dict(db.rows("SELECT id, name FROM people"))
    assert names == dict(db.rows("SELECT id, first || ' ' || last FROM people"))
    assert (names[7], names[5001], names[1008]) == ("q b7", "x y", "r s")
    stoa("revert", "split", "--yes")
    assert db.fingerprint() == before
    assert dict(db.rows("SELECT id, name FROM people")) == names


def test_before_ready_it_is_an_abort(db, stoa):
    db.run(PEOPLE)
    file = stoa.file("change.sql", CHANGE)
    stoa("apply", "-f", file, "--yes", "--until", "backfill")
    assert "stoa abort split" in stoa("revert", "split", "--yes", code=4).err
    stoa("abort", "split", "--yes")


@pytest.mark.crash
@pytest.mark.parametrize("place", ["revert_before_register=kill:1", "ddl_before_journal=kill:1", "step_outcome=kill:1",
                                   "revert_before_state=kill:1"])
def test_killed_it_goes_on(db, stoa, ready, place):
    """Every place there is: test/crash."""
    file, before = ready
    names = dict(db.rows("SELECT id, name FROM people"))
    dead = stoa.start("revert", "split", "--yes", env={"STOA_FAILPOINT": place}).wait(None)
    assert dead.code == -9, dead
    status = stoa.status("split")
    assert (status["phase"] == "revert") is (place != "revert_before_register=kill:1")
    for verb in (["resume", "split"], ["complete", "split", "--yes"], ["abort", "split", "--yes", "--force"],
                 ["apply", "-f", file, "--yes"]) if status["phase"] == "revert" else ():
        assert "stoa revert split" in stoa(*verb, code=4).err
    result = stoa("revert", "split", "--yes", code=None)
    for _ in range(40):
        if result.code != 3:
            break
        result = stoa("revert", "split", "--yes", code=None)
    assert result.code == 0, result
    shape_is_old(db, before)
    assert dict(db.rows("SELECT id, name FROM people")) == names


def begin_complete(stoa, place="locked_after_commit=kill:1"):
    """The first step that takes something away is done, those behind it are not."""
    dead = stoa.start("complete", "split", "--yes", "--force", env={"STOA_FAILPOINT": place}).wait(None)
    assert dead.code == -9, dead
    assert stoa.status("split")["state"] == "ready"


@pytest.mark.parametrize("verb", [["revert", "split", "--yes"], ["abort", "split", "--yes", "--force"]])
def test_there_is_no_way_back_behind_the_first_step_of_complete(db, stoa, verb):
    """The trigger is gone then: what one application has written since, the other's columns do not have."""
    db.run(PEOPLE)
    stoa("apply", "-f", stoa.file("change.sql", CHANGE + "ALTER TABLE people DROP COLUMN name;"), "--yes")
    begin_complete(stoa)
    assert db.triggers("people") == []
    db.run("UPDATE people SET first = 'new' WHERE id = 7")
    shape = db.fingerprint()
    refused = stoa(*verb, code=None)
    for _ in range(40):
        if refused.code != 3:
            break
        refused = stoa(*verb, code=None)
    assert refused.code == 4 and "stoa complete split" in refused.err, refused
    assert db.fingerprint() == shape, "nothing was changed"
    assert stoa.status("split")["state"] == "ready"
    stoa("complete", "split", "--yes", "--force")
    assert db.value("SELECT first || ' ' || last FROM people WHERE id = 7") == "new b7"


def test_plans_show_the_way_back(db, stoa):
    db.run(PEOPLE)
    file = stoa.file("change.sql", CHANGE)
    plan = stoa("plan", "-f", file, "--json").json
    kinds = [(step["phase"], step["kind"]) for step in plan["revert_steps"]]
    assert kinds[0] == ("revert", "ddl") and all(phase == "revert" for phase, _ in kinds)
    assert plan["revert_steps"][0]["needs_back"] is True
    assert [step["ordinal"] for step in plan["revert_steps"]] == [len(plan["steps"]) + i + 1 for i in range(len(kinds))]
    assert "by \"stoa revert split\"" in stoa("plan", "-f", file).out
    one_way = stoa("plan", "ALTER TABLE people ADD COLUMN x int", "--backfill", "people.x = 1").out
    assert "no way back once it is ready" in one_way

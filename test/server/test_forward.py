"""apply --replace: what a change that stopped half-way has done is kept, where the other content asks for it again."""
import pytest

from test.lib.servers import until
from test.lib.writers import Writers, assert_equal, assert_twin, make_twin

ADD = "ALTER TABLE t ADD COLUMN b bigint NOT NULL; "
UNIQUE = "CREATE UNIQUE INDEX t_b ON t (b) WHERE b > 0; "  # looked at by its build alone
PLAIN = "CREATE INDEX t_b ON t (b) WHERE b > 0; "
FILL = ("--backfill", "t.b = a % 100", "--name", "fill-b")
WRITES = ["UPDATE {t} SET a = %(m)s WHERE id = %(n)s", "UPDATE {t} SET v = v + 1 WHERE id = %(n)s",
          "INSERT INTO {t} (id, a) VALUES (%(new)s, %(m)s)", "DELETE FROM {t} WHERE id = %(n)s + 100"]


def make(db, rows):
    db.run(f"CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, v int NOT NULL DEFAULT 1) WITH (autovacuum_enabled = off); "
           f"INSERT INTO t SELECT i, i FROM generate_series(1, {rows}) i; ANALYZE t")


@pytest.fixture
def table(db):
    make(db, 3000)


def kept(db):
    """(kind, state) of the steps that the last change took over."""
    return db.rows("SELECT s.kind, k ->> 'state' FROM stoa.events e, json_array_elements(e.detail -> 'kept') k, stoa.steps s "
                   "WHERE e.kind = 'kept' AND s.change_id = e.change_id AND s.ordinal = (k ->> 'step')::int ORDER BY e.id, s.ordinal")


def states(stoa):
    return [change["state"] for change in stoa("status", "fill-b", "--json").json["changes"]]


def fail_at_the_index(stoa, rows="a % 100", seconds=120):
    """Filled, verified, and stopped by duplicates that only the build of the index finds."""
    failed = stoa.apply(ADD + UNIQUE, "--backfill", f"t.b = {rows}", "--name", "fill-b", code=6, seconds=seconds)
    assert "is duplicated" in failed.err


def writers(db, count):
    """On the table as it is before the change."""
    make_twin(db, "t", "t_twin")
    return Writers(db, "t", WRITES, count, twin="t_twin", pause=0.02)


def versions(db, above):
    """Another text when any of these rows was written since."""
    return db.value(f"SELECT md5(string_agg(xmin::text || ctid, ' ' ORDER BY id)) FROM t WHERE id > {above} AND id < 1000000")


@pytest.mark.timeout(900)
def test_a_backfill_is_kept(db, stoa):
    make(db, 200_000)
    before = db.fingerprint()
    application = writers(db, 1000)
    with_writers = db.fingerprint()
    fail_at_the_index(stoa, seconds=500)
    filled = versions(db, 2000)
    planned = stoa("plan", ADD + PLAIN, *FILL, "--replace", "--json").json
    assert [each["kind"] for each in planned["steps"] if each.get("kept") == "done"] == ["ddl", "backfill", "vacuum"]
    assert planned["replaces"]["undone"] == ["build index t_b"]
    assert db.value("SELECT count(*) FROM stoa.changes") == 1, "plan changes nothing"
    done = stoa("apply", ADD + PLAIN, *FILL, "--replace", "--json", "--expect", planned["plan_digest"], seconds=300)
    application.stop()
    assert versions(db, 2000) == filled, "rows that nobody wrote to were written again"
    assert states(stoa) == ["ready", "aborted"]
    assert kept(db) == [("ddl", "done"), ("backfill", "done"), ("vacuum", "done")]
    checked = [event["text"] for event in done.events if "rows checked" in event.get("text", "")]
    assert checked and all(text.endswith("0 wrong") for text in checked), checked
    assert_equal(db, "t", "b", "a % 100")
    assert_twin(db, "t", "t_twin")
    assert db.value("SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'b'")
    assert not db.value("SELECT indisunique FROM pg_index WHERE indexrelid = 't_b'::regclass")
    assert db.value("SELECT count(DISTINCT change_id) FROM stoa.sync_columns") == 1
    assert stoa("history", "--verify", "--json").json["verified"]
    assert stoa.apply(ADD + PLAIN, *FILL, "--replace").code == 0, "the same again is done already"
    stoa("abort", "fill-b", "--yes", "--force")
    assert db.fingerprint() == with_writers
    db.run("DROP TABLE t_twin")
    assert db.fingerprint() == before


@pytest.mark.parametrize("who", ["stoa", "admin_stoa"])  # tried in scratch schemas, and in a scratch database
def test_the_plan_is_that_of_a_fresh_change(db, table, request, who):
    """So an approval given beforehand counts, however far the old change came."""
    stoa = request.getfixturevalue(who)
    fresh = stoa("plan", ADD + PLAIN, *FILL, "--json").json
    fail_at_the_index(stoa)
    refused = stoa("plan", ADD + PLAIN, *FILL, code=2)
    assert "--replace" in refused.err
    shown = stoa("plan", ADD + PLAIN, *FILL, "--replace").out
    assert shown.count("from the change before, which has done it") == 3 and "undone build index t_b" in shown
    replacing = stoa("plan", ADD + PLAIN, *FILL, "--replace", "--json").json
    assert replacing["plan_digest"] == fresh["plan_digest"]
    assert replacing["fingerprint"] == fresh["fingerprint"]
    assert not [risk for risk in replacing["risks"] if risk["id"] == "unmeasured"]


def test_constraints_are_kept_behind_a_new_index(db, stoa, table):
    application = writers(db, 300)
    stoa.apply(ADD, *FILL, "--until", "constrain")
    stoa.apply(ADD + PLAIN, *FILL, "--replace")
    application.stop()
    through_check = [] if db.version >= 18 else [("ddl", "done")]  # before 18, NOT NULL by way of a CHECK
    assert kept(db) == [("ddl", "done"), ("backfill", "done"), ("vacuum", "done"), ("ddl", "done"), ("validate", "done"),
                        *through_check]
    assert db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_b'::regclass")
    assert_equal(db, "t", "b", "a % 100")
    assert_twin(db, "t", "t_twin")


def test_another_expression_is_filled_again(db, stoa, table):
    application = writers(db, 300)
    fail_at_the_index(stoa, "a % 99")
    stoa.apply(ADD + PLAIN, *FILL, "--replace")
    application.stop()
    assert kept(db) == []
    event = db.rows("SELECT json_array_length(detail -> 'kept'), json_array_length(detail -> 'undone') FROM stoa.events "
                    "WHERE kind = 'replaced'")
    assert event == [(0, 3)]
    assert_equal(db, "t", "b", "a % 100")
    assert_twin(db, "t", "t_twin")


def test_a_half_done_backfill_goes_on(db, stoa, table):
    before = db.fingerprint()
    stoa.apply(ADD + UNIQUE, *FILL, code=None, env={"STOA_FAILPOINT": "wave_after_commit=error:4"})
    rows = db.value("SELECT (body ->> 'rows')::int FROM stoa.checkpoints WHERE ordinal > 0 AND body ->> 'low' IS NULL")
    assert 0 < rows < 3000 and rows == db.value("SELECT count(b) FROM t")
    db.admin.execute("CREATE TEMPORARY TABLE filled AS SELECT id, xmin::text AS was FROM t WHERE b IS NOT NULL")
    stoa.apply(ADD + PLAIN, *FILL, "--replace")
    assert kept(db) == [("ddl", "done"), ("backfill", "begun")]
    assert db.value("SELECT count(*) FROM filled JOIN t USING (id) WHERE t.xmin::text <> was") == 0
    assert db.value("SELECT (body ->> 'rows')::int FROM stoa.checkpoints c JOIN stoa.steps s USING (change_id, ordinal) "
                    "JOIN stoa.changes ch ON ch.id = change_id WHERE s.kind = 'backfill' AND ch.state = 'ready'") == 3000
    assert_equal(db, "t", "b", "a % 100")
    stoa("abort", "fill-b", "--yes", "--force")
    assert db.fingerprint() == before


def again(stoa, *args, **options):
    """The lease of a process that was killed runs out within ten seconds."""
    ended = []

    def run():
        ended[:] = [stoa.apply(*args, "--replace", code=None, **options)]
        return ended[0].code != 3
    until(run, 60, "the lease of the dead process to run out")
    return ended[0]


def test_killed_wherever_it_is(db, stoa, table):
    before = db.fingerprint()
    application = writers(db, 300)
    fail_at_the_index(stoa)
    filled = versions(db, 2000)
    for point in ("forward_begun", "forward_undone", "forward_before_commit", "forward_after_commit", "step_intent"):
        ended = again(stoa, ADD + PLAIN, *FILL, env={"STOA_FAILPOINT": f"{point}=kill:1"})
        assert ended.code == -9, ended
    assert again(stoa, ADD + PLAIN, *FILL).code == 0
    application.stop()
    assert kept(db) == [("ddl", "done"), ("backfill", "done"), ("vacuum", "done")]
    assert versions(db, 2000) == filled
    assert states(stoa) == ["ready", "aborted"]
    assert_equal(db, "t", "b", "a % 100")
    assert_twin(db, "t", "t_twin")
    stoa("abort", "fill-b", "--yes", "--force")
    db.run("DROP TABLE t_twin")
    assert db.fingerprint() == before
    assert db.value("SELECT count(*) FROM stoa.sync_columns") == 0


@pytest.mark.crash
def test_killed_at_every_point(db, stoa, table, tmp_path):
    fail_at_the_index(stoa)
    assert stoa.dying(tmp_path / "chain", "apply", ADD + PLAIN, *FILL, "--yes", "--replace").code == 0
    assert states(stoa) == ["ready", "aborted"]
    assert kept(db) == [("ddl", "done"), ("backfill", "done"), ("vacuum", "done")]
    assert_equal(db, "t", "b", "a % 100")


def test_what_went_on_meanwhile_is_seen(db, stoa, table):
    """Somebody who goes on with the old change after the plan was made is not undone by that plan."""
    fail_at_the_index(stoa)
    running = stoa.start("apply", ADD + PLAIN, *FILL, "--yes", "--replace", env={"STOA_FAILPOINT": "clone_made=pause:1"})
    until(lambda: running.is_stopped, 60, "the plan to be made")
    db.run("DELETE FROM t WHERE id > 99")
    stoa("resume", "fill-b", "--until", "constrain")
    running.signal(18)
    ended = running.wait(None)
    assert ended.code == 3 and "meanwhile" in ended.err, ended
    assert db.value("SELECT indisunique FROM pg_index WHERE indexrelid = 't_b'::regclass")


def test_what_is_more_than_an_addition_is_undone_whole(db, stoa, table):
    before = db.fingerprint()
    more = ADD + "ALTER TABLE t ALTER COLUMN v DROP NOT NULL; "
    stoa.apply(more, *FILL, "--until", "backfill")
    refused = stoa("plan", ADD, *FILL, "--replace", code=4)
    assert "does more than add" in refused.err and "stoa abort fill-b" in refused.err
    stoa.apply(ADD, *FILL, "--replace")
    why = db.value("SELECT detail ->> 'why' FROM stoa.events WHERE kind = 'replaced'")
    assert "does more than add" in why and "DROP NOT NULL" in why
    assert states(stoa) == ["ready", "aborted"] and kept(db) == []
    assert_equal(db, "t", "b", "a % 100")
    stoa("abort", "fill-b", "--yes", "--force")
    assert db.fingerprint() == before


def test_a_replaced_change_is_replaced_again_and_completed(db, stoa, table):
    fresh = stoa("plan", ADD + PLAIN + "CREATE INDEX t_ab ON t (a, b); ", *FILL, "--json").json["plan_digest"]
    fail_at_the_index(stoa)
    filled = versions(db, 0)
    check = "ALTER TABLE t ADD CONSTRAINT t_few CHECK (b < 50) NOT VALID; "
    stoa.apply(ADD + "CREATE INDEX t_ab ON t (a, b); " + check + UNIQUE, *FILL, "--replace", code=6)
    assert kept(db) == [("ddl", "done"), ("backfill", "done"), ("vacuum", "done"), ("create_index", "begun")]
    stoa.apply(ADD + PLAIN + "CREATE INDEX t_ab ON t (a, b); ", *FILL, "--replace", "--expect", fresh)
    assert [kind for kind, _ in kept(db)[4:]] == ["ddl", "backfill", "vacuum", "create_index"]
    assert states(stoa) == ["ready", "aborted", "aborted"]
    assert versions(db, 0) == filled
    stoa("complete", "fill-b", "--yes", "--force")
    assert_equal(db, "t", "b", "a % 100")
    assert not db.triggers("t") and db.value("SELECT count(*) FROM stoa.sync_columns") == 0


def test_with_a_way_back_all_is_undone_and_it_can_be_reverted(db, stoa, table):
    before = db.fingerprint()
    fill = ("--backfill", "t.b = a * 2", "--name", "fill-b")
    stoa.apply(ADD, *fill, "--until", "backfill")
    stoa.apply(ADD, *fill, "--reverse", "t.a = b / 2", "--replace")
    assert "way back" in db.value("SELECT detail ->> 'why' FROM stoa.events WHERE kind = 'replaced'")
    db.run("UPDATE t SET b = 14 WHERE id = 5")
    stoa("revert", "fill-b", "--yes")
    assert db.value("SELECT a FROM t WHERE id = 5") == 7
    assert db.fingerprint() == before

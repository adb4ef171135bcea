"""Every operation on every version: the plan, what the server does against what the plan says, and a run under
writers with every row compared; on 15 and 18 also a blocker, a crash at every journal write, and abort."""
import re
import time

import psycopg
import pytest

from test.matrix.place import WEAK_FIRST, Place, observe, strength

PATIENT = ["--lock-wait", "60s", "--max-stall", "1s"]  # a busy machine is no blocker


def fast(op):
    return ["--probe", "on" if op.measured else "off", *PATIENT]


def line_of(op, version, outcome, **more):
    return {"operation": op.id, "sql": op.change, "version": version, "outcome": outcome, **more}


def steps_of(plan):
    keys = ("phase", "kind", "title", "lock", "lock_on", "lock_modes", "rewrites", "scans", "evidence")
    return [{key: step.get(key) for key in keys} for step in plan["steps"]]


def test_operation(place, base, op, version, result):
    started = time.monotonic()
    words = op.refused(version)
    told = place.plan("--name", "op", code=4 if words else 0)
    if words:
        assert words in told.err and "hint:" in told.err, str(told)
        result(line_of(op, version, "refused", reason=told.err.split("error: ")[-1].split("\n")[0]))
        return
    plan = told.json
    assert not plan["nothing_to_do"] and "unmeasured" not in [risk["id"] for risk in plan["risks"]], plan["risks"]
    for step in plan["steps"]:
        assert step["evidence"] == "measured" or step["kind"] not in ("ddl", "validate"), step
    observe(base, place, plan)
    place.write()
    place.stoa(*place.apply_args("--probe", "on", *PATIENT))
    state = place.state
    assert state in ("ready", "completed")
    digest = place.db.value("SELECT plan_digest FROM stoa.changes ORDER BY id DESC LIMIT 1")
    assert digest == plan["plan_digest"], "what was carried out is what was planned"
    longest = place.rest()
    place.compare(state == "completed")
    if state == "ready":
        place.stoa("complete", "op", "--yes", "--force")
    assert place.state == "completed"
    place.compare(True)
    assert place.drift() == []
    result(line_of(op, version, "planned", strategy=plan["strategy"], steps=steps_of(plan), longest_ms=longest,
                   seconds=round(time.monotonic() - started, 2)))


def test_older_version(base, op, version, result):
    """What the version does not know yet is refused in the server's words, and nothing is changed."""
    try:
        place = Place(base, op)
    except psycopg.Error as problem:  # it does not know what it is about either
        result(line_of(op, version, "refused", reason=str(problem).splitlines()[0]))
        return
    try:
        before = catalog(place.db)
        told = place.plan("--name", "op", code=None)
        assert told.code in (2, 4), str(told)
        assert catalog(place.db) == before
        result(line_of(op, version, "refused", reason=told.err.split("error: ")[-1].split("\n")[0]))
    finally:
        place.close()


def catalog(db):
    """Without marks of the server's own."""
    return [(kind, name, re.sub(r" ?\{pg_attver=\d+\}", "", value)) for kind, name, value in db.fingerprint()]


def meets(plan, table):
    """Some step before ready waits for whoever holds SHARE UPDATE EXCLUSIVE on the table."""
    return any(step["phase"] not in ("ready", "contract") and step["lock"] in WEAK_FIRST and
               strength(step["lock"]) >= strength("SHARE UPDATE EXCLUSIVE") and f"public.{table}" in step["lock_on"]
               for step in plan["steps"])


@pytest.mark.deep
def test_blocked(place, op, version):
    """A transaction that holds the table: exit 5 where a step needs it, nothing changed; afterwards it goes on."""
    plan = place.plan("--name", "op").json
    before = catalog(place.db)
    blocker = place.db.connect(autocommit=False)
    blocker.execute(f"LOCK TABLE {op.first} IN SHARE UPDATE EXCLUSIVE MODE")
    blocked = meets(plan, op.first)
    ended = place.stoa(*place.apply_args("--probe", "on" if op.measured else "off", "--lock-wait", "500ms"), code=5 if blocked else 0)
    if blocked:
        assert "pid" in ended.err, str(ended)
        assert place.state in ("waiting", "aborted")
    if place.state == "aborted":
        assert catalog(place.db) == before
    blocker.rollback()
    place.write()
    place.stoa(*place.apply_args(*fast(op)))
    place.rest()
    assert place.state in ("ready", "completed")
    place.compare(place.state == "completed")


def finish(place, *args, chain=None):
    """Until it is through: a dead runner's lease may have to run out first. With `chain` it dies at every point that
    it passes, each once, and is started again."""
    env = {"STOA_FAILPOINT_CHAIN": str(chain)} if chain else None
    for _ in range(300):
        ended = place.stoa(*args, code=None, env=env)
        if ended.code not in (3, -9):
            return ended
    raise AssertionError(f"it does not end: {ended}")


@pytest.mark.deep
def test_killed_at_every_journal_write(place, op, version, tmp_path):
    """At each point of each step in turn, on the way to ready and on the way to completed."""
    place.plan("--name", "op")
    chain = tmp_path / "chain"
    place.write()
    ended = finish(place, *place.apply_args(*fast(op), "--chunk-time", "5ms"), chain=chain)
    assert ended.code == 0, str(ended)
    place.rest()
    assert place.state in ("ready", "completed")
    place.compare(place.state == "completed")
    if place.state == "ready":
        ended = finish(place, "complete", "op", "--yes", "--force", "--quiet", "0s", chain=chain)
        assert ended.code == 0, str(ended)
    assert place.state == "completed"
    place.compare(True)
    assert place.drift() == []
    assert len(chain.read_text().splitlines()) >= 3


@pytest.mark.deep
def test_abort_leaves_nothing(places, op, version, tmp_path):
    """Killed before ready and at its first step, then aborted, which is killed at each of its own points: the catalog
    and every row are as before. What a step without a way back has left is told; past a cutover it is a revert that
    goes back."""
    place = places()
    plan = place.plan("--name", "op").json
    accepts = place.accepts
    stays = any(step["kind"] in ("ddl", "validate", "drop_index") and not step["undo_statements"] and not step["sync"]
                for step in plan["steps"] if step["phase"] != "contract")
    for point in ("ready_before_commit=kill:1", "step_outcome=kill:1"):
        place = places()
        place.accepts = accepts
        before = catalog(place.db)
        place.write()
        place.stoa(*place.apply_args(*fast(op)), code=None, env={"STOA_FAILPOINT": point})
        if not go_back(place, op, tmp_path / point):
            continue
        place.rest()
        told = place.drift()
        assert not told or stays or op.stays, f"{point}: {told}"
        assert told or op.stays or catalog(place.db) == before, point
        place.compare(False)


def go_back(place, op, chain):
    """False where there is no way back, which is said; then it goes on."""
    ended = finish(place, "abort", "op", "--yes", "--force", chain=chain)
    if ended.code == 0:
        return True
    assert ended.code == 4 and "cutover" in ended.err, str(ended)
    assert finish(place, "resume", "op").code == 0
    if op.one_way:
        assert "no way back" in place.stoa("revert", "op", "--yes", code=4).err
        place.rest()
        ended = finish(place, "complete", "op", "--yes", "--force", chain=chain)
    else:
        ended = finish(place, "revert", "op", "--yes", chain=chain)
    assert ended.code == 0, str(ended)
    return not op.one_way

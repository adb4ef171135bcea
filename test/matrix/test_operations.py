"""Every operation on every version: the plan, what the server does against what the plan says, and a run under
writers with every row compared; on 15 and 18 also a blocker, a crash at every journal write, and abort."""
import time

import pytest

from test.matrix.place import observe

PATIENT = ["--lock-wait", "60s", "--max-stall", "1s"]  # a busy machine is no blocker
FAST = ["--probe", "off", *PATIENT]


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


@pytest.mark.deep
def test_blocked(place, op, version):
    """A transaction that holds the table: exit 5, nothing changed; afterwards it goes on."""
    place.plan("--name", "op")
    before = place.db.fingerprint()
    blocker = place.db.connect(autocommit=False)
    blocker.execute(f"LOCK TABLE {op.first} IN SHARE UPDATE EXCLUSIVE MODE")
    ended = place.stoa(*place.apply_args("--probe", "off", "--lock-wait", "500ms"), code=5)
    assert "pid" in ended.err, str(ended)
    assert place.state in ("waiting", "aborted")
    if place.state == "aborted":
        assert place.db.fingerprint() == before
    blocker.rollback()
    place.write()
    place.stoa(*place.apply_args(*FAST))
    place.rest()
    assert place.state in ("ready", "completed")
    place.compare(place.state == "completed")


def finish(place, *args):
    """Until it is through: a dead runner's lease may have to run out first."""
    for _ in range(60):
        ended = place.stoa(*args, code=None)
        if ended.code != 3:
            break
    assert ended.code == 0, str(ended)


@pytest.mark.deep
def test_killed_at_every_journal_write(places, op, version, tmp_path):
    place = places()
    place.plan("--name", "op")
    accepts = place.accepts
    log = tmp_path / "points"
    place.stoa(*place.apply_args(*FAST, "--chunk-time", "5ms"), env={"STOA_FAILPOINT_LOG": str(log)})
    points = {name: int(count) for name, count in (text.split("=") for text in log.read_text().split())}
    assert len(points) >= 3, points
    for name, count in sorted(points.items()):
        for at in sorted({1, count}):
            place = places()
            place.accepts = accepts
            place.write()
            args = place.apply_args(*FAST, "--chunk-time", "5ms")
            place.stoa(*args, code=None, env={"STOA_FAILPOINT": f"{name}=kill:{at}"})
            finish(place, *args)
            place.rest()
            assert place.state in ("ready", "completed"), f"{name}:{at}"
            place.compare(place.state == "completed")
            assert place.drift() == [], f"{name}:{at}"


@pytest.mark.deep
def test_abort_leaves_nothing(places, op, version, tmp_path):
    """Killed before ready and at its first step, then aborted: the catalog and every row are as before."""
    place = places()
    place.plan("--name", "op")
    accepts = place.accepts
    for point in ("ready_before_commit=kill:1", "step_outcome=kill:1"):
        place = places()
        place.accepts = accepts
        before = place.db.fingerprint()
        place.write()
        place.stoa(*place.apply_args(*FAST), code=None, env={"STOA_FAILPOINT": point})
        finish(place, "abort", "op", "--yes")
        place.rest()
        assert place.db.fingerprint() == before, point
        assert place.drift() == []
        place.compare(False)

"""Every operation on every server: the plan against what is expected, what the server does against what the plan says,
a run under writers with every row and the definition compared with what the plain statement makes of a twin; and a
death at every point."""
import time

import pytest

from test.matrix_my.place import MAX_STALL_MS, SLACK_MS


def line_of(op, place, outcome, **more):
    return {"operation": op.id, "sql": op.change, "server": place.my.name,
            "version": place.my.query("SELECT VERSION()")[0][0], "outcome": outcome, **more}


def steps_of(plan):
    keys = ("phase", "kind", "title", "lock", "rewrites", "scans", "evidence")
    return [{key: step.get(key) for key in keys} for step in plan["steps"]]


def refused(place, op, words, result):
    """Nothing is changed, the application goes on, and the reason is named: by the plan, by apply for want of an
    acceptance (words that begin with "--"), or by a look at the rows before anything is done."""
    told = place.plan(code=None)
    if told.code == 0:
        if words.startswith("--"):
            place.accepts = [accept for accept in place.accepts if not accept.startswith(words)]
        place.write()
        told = place.stoa(*place.apply_args(), code=None)
        place.rest()
        assert told.code in (4, 6), str(told)
        place.stoa("abort", place.name, "--yes", code=None)  # where it has begun: then what it made is gone
    assert told.code in (2, 4, 6), str(told)
    assert words in told.err, str(told)
    place.untouched()
    result(line_of(op, place, "refused", reason=told.err.split("error: ")[-1].split("\n")[0]))


def judge(place, plan, storage):
    """The algorithm that was predicted is the one that was used."""
    if place.op.becomes != "t" or not storage or "PARTITION" in place.op.change:
        return
    rebuilt = place.storage() != storage
    if plan["strategy"] == "shadow":
        assert rebuilt, "a copy was predicted, and the table is the same"
    elif plan["strategy"] == "instant":
        assert not rebuilt, "no copy was predicted, and the table is another one"
    elif not any(step["rewrites"] for step in plan["steps"]):
        assert not rebuilt, "nothing was to be rewritten, and the table is another one"


def finish(place, *args, chain):
    """Dies at every point that it passes, each once, and is started again until it is through."""
    return place.stoa.dying(chain, *args)


def test_operation(place, op, result):
    started, expected = time.monotonic(), op.expected(place.my.name)
    if expected.startswith("refused: "):
        refused(place, op, expected.removeprefix("refused: "), result)
        return
    plan = place.plan().json
    if expected == "nothing":
        assert plan["nothing_to_do"]
        result(line_of(op, place, "nothing to do"))
        return
    assert plan["strategy"] == expected, plan
    storage = place.storage()
    place.write(plan["strategy"])
    place.stoa(*place.apply_args())
    assert place.state in ("ready", "completed")
    judge(place, plan, storage)
    time.sleep(0.3)  # some writes behind the cutover
    longest = place.rest() if op.twin else 0  # who does not know the column is gone when its triggers go
    if place.state == "ready":
        place.stoa("complete", place.name, "--yes", "--force", "--quiet", "0s")
    assert place.state == "completed"
    longest = max(longest, place.rest())
    rows = place.compare()
    assert longest <= MAX_STALL_MS + SLACK_MS, f"{longest:.0f} ms: {place.slowest}"
    result(line_of(op, place, "planned", strategy=plan["strategy"], steps=steps_of(plan), longest_ms=round(longest), rows=rows,
                   seconds=round(time.monotonic() - started, 2)))


@pytest.mark.crash
def test_killed_at_every_point(place, op, tmp_path):
    strategy = place.plan().json["strategy"]
    chain = tmp_path / "chain"
    place.write(strategy)
    ended = finish(place, *place.apply_args("--chunk-time", "5ms"), chain=chain)
    assert ended.code == 0, str(ended)
    if op.twin:
        place.rest()
    if place.state == "ready":
        ended = finish(place, "complete", place.name, "--yes", "--force", "--quiet", "0s", chain=chain)
        assert ended.code == 0, str(ended)
    assert place.state == "completed"
    place.rest()
    place.compare()
    assert len(chain.read_text().splitlines()) >= 3

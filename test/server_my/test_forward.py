"""apply --replace on MariaDB and MySQL: what a change that stopped half-way has done is kept, where the other content asks
for it again."""
import json

import pytest

from test.lib.servers import until
from test.server_my.test_backfill import BACKFILL, application, names, wrong  # noqa: F401
from test.server_my.test_backfill_in_place import definition, modern
from test.server_my.test_plan import stoa  # noqa: F401

ADD = f"ALTER TABLE orders ADD COLUMN total BIGINT; -- stoa: backfill orders.total = {BACKFILL}\n"
UNIQUE, PLAIN = "ALTER TABLE orders ADD UNIQUE KEY by_total (total);", "ALTER TABLE orders ADD KEY by_total (total);"
NAMED = ("--name", "total", "--max-stall", "2s", "--strategy", "in-place")
FILLED = [("alter", "done")] * 3 + [("backfill", "done")]


def kept(my):
    """(kind, state) of the steps that the last change took over."""
    rows = my.query("SELECT change_id, detail FROM stoa.events WHERE kind = 'kept' ORDER BY id DESC LIMIT 1")
    if not rows:
        return []
    kinds = dict(my.query(f"SELECT ordinal, kind FROM stoa.steps WHERE change_id = {rows[0][0]}"))
    return [(kinds[each["step"]], each["state"]) for each in json.loads(rows[0][1])["kept"]]


def why(my):
    return json.loads(my.query("SELECT detail FROM stoa.events WHERE kind = 'replaced' ORDER BY id DESC LIMIT 1")[0][0])


def states(stoa):  # noqa: F811
    return [change["state"] for change in stoa("status", "total", "--json").json["changes"]]


def fail_at_the_index(my, stoa, sql=ADD):  # noqa: F811
    """Filled, verified, and stopped by duplicates."""
    failed = stoa.apply(sql + UNIQUE, *NAMED, code=None)
    assert failed.code == 6 and "rows are equal in unique index by_total" in failed.err, str(failed)


@modern
def test_a_backfill_is_kept(my, stoa, application):  # noqa: F811
    before = definition(my)
    fresh = stoa("plan", ADD + PLAIN, *NAMED, "--json").json
    fail_at_the_index(my, stoa)
    planned = stoa("plan", ADD + PLAIN, *NAMED, "--replace", "--json").json
    assert [each["kind"] for each in planned["steps"] if each.get("kept") == "done"] == [kind for kind, _ in FILLED]
    assert planned["plan_digest"] == fresh["plan_digest"], "an approval given beforehand counts"
    assert len(my.query("SELECT id FROM stoa.changes")) == 1, "plan changes nothing"
    stoa.apply(ADD + PLAIN, *NAMED, "--replace", "--expect", planned["plan_digest"])
    application.goes_on()
    application.stop()
    assert kept(my) == FILLED and states(stoa) == ["ready", "aborted"]
    assert wrong(my) == ()
    assert [row[1] for row in my.query("SHOW KEYS FROM shop.orders WHERE Key_name = 'by_total'")] == [1], "not unique"
    assert stoa("history", "--verify", "--json").json["verified"]
    assert stoa.apply(ADD + PLAIN, *NAMED, "--replace").code == 0, "the same again is done already"
    stoa("abort", "total", "--yes", "--force")
    assert definition(my) == before and names(my) == ({"orders"}, set())


@modern
def test_a_half_done_backfill_goes_on(my, stoa, application):  # noqa: F811
    stoa("apply", ADD, "--yes", *NAMED, "--chunk-time", "5ms", code=None, env={"STOA_FAILPOINT": "wave_after_commit=kill:4"})
    change, ordinal = my.query("SELECT change_id, ordinal FROM stoa.steps WHERE kind = 'backfill'")[0]
    assert my.query(f"SELECT state FROM stoa.steps WHERE change_id = {change} AND ordinal = {ordinal}") == (("running",),)
    stoa.apply(ADD + PLAIN, *NAMED, "--replace", "--chunk-time", "5ms")
    application.stop()
    assert kept(my) == [("alter", "done")] * 3 + [("backfill", "begun")]
    assert wrong(my) == () and my.query("SELECT COUNT(*) FROM shop.orders WHERE total IS NULL") == ((0,),)


@modern
def test_another_expression_is_filled_again(my, stoa, application):  # noqa: F811
    fail_at_the_index(my, stoa, ADD.replace("* 100", "* 99"))
    stoa.apply(ADD + PLAIN, *NAMED, "--replace")
    application.stop()
    assert kept(my) == [] and len(why(my)["undone"]) == 4
    assert wrong(my) == ()


@modern
def test_a_column_less_is_undone(my, stoa, application):  # noqa: F811
    """What was added behind goes; what stood before it is kept."""
    index = "ALTER TABLE orders ADD KEY by_amount (amount);\n"
    fail_at_the_index(my, stoa, index + "ALTER TABLE orders ADD COLUMN spare INT;\n" + ADD)
    stoa.apply(index + ADD, *NAMED, "--replace")
    application.stop()
    assert states(stoa) == ["ready", "aborted"] and wrong(my) == ()
    assert "spare" not in definition(my) and "by_amount" in definition(my)


@modern
def test_what_somebody_else_did_is_seen(my, stoa):  # noqa: F811
    fail_at_the_index(my, stoa)
    my.query("ALTER TABLE shop.orders ADD COLUMN theirs INT")
    refused = stoa("plan", ADD + PLAIN, *NAMED, "--replace", code=4)
    assert "somebody else has changed it" in refused.err


@modern
def test_foreign_keys_are_undone_whole(my, stoa):  # noqa: F811
    my.query("CREATE TABLE shop.parents (id INT PRIMARY KEY) ENGINE=InnoDB")
    add = "ALTER TABLE orders ADD COLUMN parent INT, ADD CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id);\n"
    stoa.apply(add + ADD, *NAMED, "--until", "backfill", code=None)
    left = my.query("SELECT COUNT(*) FROM stoa.steps WHERE state = 'done'")[0][0]
    if left > 0:
        stoa.apply(ADD, *NAMED, "--replace")
        assert "foreign key" in why(my)["why"]
        assert "parent" not in definition(my)
    my.query("DROP TABLE shop.parents")


def again(stoa, *args, **options):  # noqa: F811
    """The lease of a process that was killed runs out within ten seconds."""
    ended = []

    def run():
        ended[:] = [stoa("apply", *args, "--yes", "--replace", code=None, **options)]
        return ended[0].code != 3
    until(run, 60, "the lease of the dead process to run out")
    return ended[0]


@modern
def test_killed_wherever_it_is(my, stoa, application):  # noqa: F811
    before = definition(my)
    fail_at_the_index(my, stoa)
    for point in ("forward_begun", "forward_undone", "forward_before_commit", "forward_after_commit", "alter_before"):
        ended = again(stoa, ADD + PLAIN, *NAMED, env={"STOA_FAILPOINT": f"{point}=kill:1"})
        assert ended.code == -9, (point, str(ended))
    ended = again(stoa, ADD + PLAIN, *NAMED)
    assert ended.code == 0, str(ended)
    application.stop()
    assert kept(my) == FILLED and states(stoa) == ["ready", "aborted"]
    assert wrong(my) == ()
    stoa("abort", "total", "--yes", "--force")
    assert definition(my) == before and names(my) == ({"orders"}, set())


@pytest.mark.crash
@modern
def test_killed_at_every_point(my, stoa, application, tmp_path):  # noqa: F811
    fail_at_the_index(my, stoa)
    ended = stoa.dying(tmp_path / "chain", "apply", ADD + PLAIN, *NAMED, "--yes", "--replace")
    assert ended.code == 0, str(ended)
    application.stop()
    assert kept(my) == FILLED and states(stoa) == ["ready", "aborted"]
    assert wrong(my) == ()

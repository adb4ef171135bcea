"""Columns computed from others, filled in the table itself, under an application that does not know the column."""
import contextlib
import functools
import json
import signal
import time

import pymysql
import pytest

from test.lib.servers import until
from test.server_my.test_backfill import BACKFILL, OldApplication, application, names, wrong  # noqa: F401
from test.server_my.test_plan import stoa  # noqa: F401

SQL = f"ALTER TABLE orders ADD COLUMN total BIGINT AFTER id; -- stoa: backfill orders.total = {BACKFILL}"
NAMED = ("--name", "total", "--max-stall", "2s")


def modern(test):
    """MySQL 5.6 adds no column at once, and makes no trigger that can be made again: there the plan is refused."""
    @functools.wraps(test)
    def run(**fixtures):
        if fixtures["my"].name == "mysql-5.6":
            refused = fixtures["stoa"]("plan", SQL, code=4)
            assert "cannot be made so that it can be repeated" in refused.err
        else:
            test(**fixtures)
    return run


def definition(my):
    return my.query("SHOW CREATE TABLE shop.orders")[0][1].split(" AUTO_INCREMENT=")[0]


@modern
def test_the_plan_says_why(my, stoa):  # noqa: F811
    told = stoa("plan", SQL, "--json").json
    assert told["strategy"] == "in-place"
    assert [step["kind"] for step in told["steps"]][:6] == ["alter", "alter", "alter", "backfill", "verify", "verify"]
    way = next(risk["message"] for risk in told["risks"] if risk["id"] == "way")
    assert "filled in the table itself, because a copy, with its second table and its cutover, would not be clearly cheaper" in way
    forced = stoa("plan", SQL, "--json", "--strategy", "shadow").json
    assert forced["strategy"] == "shadow"
    assert "as asked for" in next(risk["message"] for risk in forced["risks"] if risk["id"] == "way")
    assert "every row has to be written" in stoa("plan", SQL, "--strategy", "instant", code=4).err
    rebuilt = "ALTER TABLE orders MODIFY amount BIGINT, ADD COLUMN total BIGINT; -- stoa: backfill orders.total = id"
    assert "gets only behind" in stoa("plan", rebuilt, code=4).err
    rebuilt = rebuilt.replace("= id", "= amount")
    told = stoa("plan", rebuilt, "--json").json
    assert told["strategy"] == "shadow"
    assert "in the same pass" in next(risk["message"] for risk in told["risks"] if risk["id"] == "way")
    assert "in the same pass" in stoa("plan", rebuilt, "--strategy", "in-place", code=4).err


@modern
def test_what_is_said_behind_it_is_done_behind_it(my, stoa):  # noqa: F811
    """A unique index would fail the application's writes while the column gets its values."""
    told = stoa("plan", f"{SQL}\nALTER TABLE orders ADD UNIQUE KEY by_total (total);", "--json", "--strategy", "in-place").json
    steps = [(step["phase"], step["title"]) for step in told["steps"]]
    unique = [at for at, (_, title) in enumerate(steps) if "by_total" in title]
    assert [steps[at][0] for at in unique] == ["constrain", "constrain"] and "rows are equal" in steps[unique[0]][1]
    assert max(at for at, (phase, _) in enumerate(steps) if phase == "verify") < unique[0]
    assert "which line 1 adds" in stoa("plan", f"{SQL}\nALTER TABLE orders MODIFY total INT;", code=4).err


@modern
def test_filled_under_writers(my, stoa, application):  # noqa: F811
    result = stoa.apply(SQL, *NAMED)
    assert stoa.status("total")["state"] == "ready", str(result)
    application.goes_on()
    assert my.query("SELECT COUNT(*) FROM shop.orders WHERE total IS NULL")[0][0] == 0
    my.query("INSERT INTO shop.orders (customer, amount, total) VALUES ('new', 1, 77)")  # a new application means it
    assert my.query("SELECT total FROM shop.orders WHERE customer = 'new'") == ((77,),)
    my.query("DELETE FROM shop.orders WHERE customer = 'new'")
    my.query("INSERT INTO shop.orders VALUES (NULL, 'bare', 5, 'new', NULL)")  # without a column list, as before
    assert names(my) == ({"orders"}, {"orders__stoa_fill_ins", "orders__stoa_fill_upd"})
    application.stop()
    assert wrong(my) == ()
    stoa("complete", "total", "--yes", "--force")
    assert names(my) == ({"orders"}, set())
    assert "INVISIBLE" not in definition(my)
    assert wrong(my) == ()


@modern
def test_killed_at_every_point(my, stoa, application, tmp_path):  # noqa: F811
    chain = tmp_path / "chain"
    ended = stoa.dying(chain, "apply", SQL, "--yes", *NAMED, "--chunk-time", "5ms")
    assert ended.code == 0, str(ended)
    application.goes_on()
    application.stop()
    assert wrong(my) == ()
    ended = stoa.dying(chain, "complete", "total", "--yes", "--force")
    assert ended.code == 0, str(ended)
    points = {line.split("@")[0] for line in chain.read_text().splitlines()}
    assert points >= {"checkpoint_before", "wave_before_commit", "wave_after_commit", "alter_after", "verify_before_journal"}
    assert names(my) == ({"orders"}, set()) and wrong(my) == ()


@pytest.mark.parametrize("point", ["alter_after=kill:2", "wave_after_commit=kill:2", "verify_before_journal=kill:1"])
@modern
def test_aborted_after_a_death(my, stoa, application, point):  # noqa: F811
    before = definition(my)
    stoa("apply", SQL, "--yes", *NAMED, code=-9, env={"STOA_FAILPOINT": point})
    application.goes_on(20)
    stoa("abort", "total", "--yes", "--max-stall", "2s")
    application.goes_on(20)
    application.stop()
    assert definition(my) == before and names(my) == ({"orders"}, set())
    assert stoa.status("total")["state"] == "aborted"


@modern
def test_it_ends_where_the_rows_ended(my, stoa):  # noqa: F811
    """What is inserted behind meanwhile is filled by the trigger: beside fast inserts nothing else would ever end."""
    count = my.query("SELECT COUNT(*) FROM shop.orders")[0][0]
    running = stoa.start("apply", SQL, "--yes", *NAMED, env={"STOA_FAILPOINT": "wave_before_commit=pause:1"})
    until(lambda: running.is_stopped, 60, "the first chunk")
    my.query("INSERT INTO shop.orders (customer, amount) SELECT 'behind', amount FROM shop.orders WHERE id > 100 LIMIT 1500")
    running.signal(signal.SIGCONT)
    assert running.wait(None, 60).code == 0
    assert my.query("SELECT COUNT(*) FROM shop.orders WHERE customer = 'behind' AND total IS NOT NULL") == ((1500,),)
    body = my.query("SELECT p.body FROM stoa.checkpoints p JOIN stoa.steps s USING (change_id, ordinal) WHERE s.kind = 'backfill'")[0][0]
    assert json.loads(body)["rows"] == count
    assert wrong(my) == ()


@modern
def test_a_held_row_is_left_for_later(my, stoa):  # noqa: F811
    with my.connect("shop") as conn, conn.cursor() as cursor:
        running = stoa.start("apply", SQL, "--yes", *NAMED, env={"STOA_FAILPOINT": "wave_before_commit=pause:1"})
        until(lambda: running.is_stopped, 60, "the first chunk")
        cursor.execute("BEGIN")
        cursor.execute("UPDATE orders SET note = 'held' WHERE id = 2900")
        running.signal(signal.SIGCONT)
        unfilled = "SELECT COUNT(*) FROM shop.orders WHERE total IS NULL"
        until(lambda: my.query(unfilled)[0][0] == 1, 60, "all rows but that one")
        assert running.is_running()
        cursor.execute("COMMIT")
    running.wait(0)
    assert wrong(my) == ()


@modern
def test_stopped_with_rows_in_hand(my, stoa):  # noqa: F811
    """A process that is stopped, or cut off, held the rows of its chunk for as long as it stayed so."""
    running = stoa.start("apply", SQL, "--yes", *NAMED, env={"STOA_FAILPOINT": "wave_before_commit=pause:1"})
    until(lambda: running.is_stopped, 60, "the first chunk")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 30")
        begun = time.monotonic()
        cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id < 2000")
        waited = time.monotonic() - begun
        conn.commit()
    assert 0.2 < waited < 5, waited
    running.signal(signal.SIGCONT)
    running.wait(0)
    assert wrong(my) == ()


@modern
def test_who_waits_for_us_holds_the_work(my, stoa):  # noqa: F811
    """A chunk that is stuck before its commit makes the application wait for its rows: that is told, and once they are
    free the work goes on by itself."""
    running = stoa.start("apply", SQL, "--yes", *NAMED, "--lock-wait", "2m", env={"STOA_FAILPOINT": "wave_before_commit=sleep:1"})
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")

        def filled():
            with contextlib.suppress(pymysql.err.OperationalError):  # there is no such column yet
                cursor.execute("SELECT id FROM orders WHERE total IS NOT NULL LIMIT 1")
                row = cursor.fetchone()
                conn.rollback()  # keeps no lock that the change would wait for
                return row
        until(filled, 60, lambda: f"no chunk is under way {running.partial()}")
        cursor.execute("UPDATE orders SET note = 'waited' WHERE id = %s", filled())  # until the chunk commits
        cursor.execute("COMMIT")
    running.wait(0)
    events = [(event["event"], event["text"]) for event in stoa("history", "total", "--json").json["events"]]
    assert any(kind == "throttled" and "the number of sessions that wait for us is 1" in text for kind, text in events), events
    assert any(kind == "released" for kind, _ in events)
    assert wrong(my) == ()


@modern
def test_what_the_server_sets_by_itself_stays(my, stoa):  # noqa: F811
    my.query("ALTER TABLE shop.orders ADD COLUMN changed_at TIMESTAMP NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP")
    stoa.apply(SQL, *NAMED)
    assert my.query("SELECT COUNT(*) FROM shop.orders WHERE changed_at <> '2020-01-01 00:00:00'")[0][0] == 0
    assert wrong(my) == ()


@modern
def test_a_row_that_cannot_be_computed(my, stoa):  # noqa: F811
    sql = "ALTER TABLE orders ADD COLUMN short TINYINT; -- stoa: backfill orders.short = amount"
    my.query("UPDATE shop.orders SET amount = amount % 100")
    my.query("UPDATE shop.orders SET amount = 1000 WHERE id = 1234")
    told = stoa("apply", sql, "--yes", *NAMED, code=6)
    assert "id=1234" in told.err, str(told)
    my.query("UPDATE shop.orders SET amount = 2000 WHERE id = 7")  # the application's write goes on, without a value
    assert my.query("SELECT short FROM shop.orders WHERE id = 7") == ((None,),)
    my.query("UPDATE shop.orders SET amount = 5 WHERE id IN (7, 1234)")
    stoa("resume", "total")
    assert my.query("SELECT COUNT(*) FROM shop.orders WHERE NOT (short <=> amount)")[0][0] == 0


@modern
def test_rows_that_the_application_wrote_itself(my, stoa):  # noqa: F811
    running = stoa.start("apply", SQL, "--yes", *NAMED, env={"STOA_FAILPOINT": "wave_after_commit=pause:1"})
    until(lambda: running.is_stopped, 60, "the first chunk")
    my.query("UPDATE shop.orders SET total = 1 WHERE id = 2500")
    running.signal(signal.SIGCONT)
    told = running.wait(6)
    assert "id=2500" in told.err and "--verify filled" in told.err
    stoa("abort", "total", "--yes", "--max-stall", "2s")
    running = stoa.start("apply", SQL, "--yes", *NAMED, "--verify", "filled", env={"STOA_FAILPOINT": "wave_after_commit=pause:1"})
    until(lambda: running.is_stopped, 60, "the first chunk")
    my.query("UPDATE shop.orders SET total = 1 WHERE id = 2500")
    running.signal(signal.SIGCONT)
    running.wait(0)
    assert [row[0] for row in wrong(my)] == [2500]


@modern
def test_a_trigger_that_went(my, stoa):  # noqa: F811
    running = stoa.start("apply", SQL, "--yes", *NAMED, env={"STOA_FAILPOINT": "wave_after_commit=pause:1"})
    until(lambda: running.is_stopped, 60, "the first chunk")
    my.query("DROP TRIGGER shop.orders__stoa_fill_upd")
    running.signal(signal.SIGCONT)
    told = running.wait(6)
    assert "orders__stoa_fill_upd" in told.err and "is gone" in told.err


@modern
def test_keys_of_every_kind(my, stoa, tmp_path):  # noqa: F811
    my.query("CREATE TABLE shop.pairs (a VARCHAR(10) COLLATE utf8mb4_general_ci NOT NULL, b DATETIME(3) NOT NULL, e ENUM('x', 'y') NOT "
             "NULL, v DECIMAL(10,3) NOT NULL, PRIMARY KEY (a, b, e)) ENGINE=InnoDB CHARSET=utf8mb4")
    my.query("INSERT INTO shop.pairs SELECT CONCAT(CHAR(97 + id % 26), id), '2024-03-31 01:30:00.125' + INTERVAL id SECOND, 1 + id % 2, "
             "id / 7 FROM shop.orders")
    text = "ALTER TABLE pairs ADD COLUMN w VARCHAR(40), ADD COLUMN x DECIMAL(8,1); -- stoa: backfill pairs.w = CONCAT(e, '/', v)\n" \
           "-- stoa: backfill pairs.x = v * 2"
    ended = stoa.dying(tmp_path / "chain", "apply", text, "--yes", "--name", "pairs", "--chunk-time", "2ms")
    assert ended.code == 0, str(ended)
    assert my.query("SELECT COUNT(*), SUM(w <=> CONCAT(e, '/', v)), SUM(x <=> ROUND(v * 2, 1)) FROM shop.pairs")[0] == (3000, 3000, 3000)

"""Steering a change: interrupt and resume, two at once, pause, window, lease, abort, complete, uninstall."""
import json
import signal
import time

import pytest

from test.lib.database import orders
from test.lib.servers import until
from test.lib.stoa import Stoa
from test.lib.writers import Writers, assert_equal, assert_twin, make_twin

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"
WRITES = ["UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
          "INSERT INTO {t} (id, customer_id, amount, created_at) VALUES (%(new)s, 1, %(m)s, '2026-01-01')",
          "UPDATE {t} SET note = 'n' WHERE id = %(n)s"]


@pytest.fixture
def busy(db):
    orders(db, 20000)
    make_twin(db, "orders", "twin")
    with Writers(db, "orders", WRITES, 20000, twin="twin") as writers:
        yield writers
    assert_twin(db, "orders", "twin")


def in_the_backfill(stoa, *args, chunk=3, **options):
    """Starts apply and returns it stopped (SIGSTOP) after some chunks of the backfill were committed."""
    running = stoa.start("apply", ADD, *FILL, "--yes", "--chunk-time", "1ms", *args,
                         env={"STOA_FAILPOINT": f"wave_after_commit=pause:{chunk}"}, **options)
    until(lambda: running.is_stopped, 60, lambda: f"the pause in the backfill\n{running.partial()}")
    return running


def test_ctrl_c_then_resume(db, stoa, busy):
    apply = in_the_backfill(stoa)
    apply.signal(signal.SIGINT)
    apply.signal(signal.SIGCONT)
    result = apply.wait(3, seconds=20)
    assert "stoa resume" in result.err and NAME in result.err
    status = stoa.status(NAME)
    assert status["state"] in ("paused", "waiting") and status["ready"] is False, status
    stoa("resume", NAME)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_ctrl_c_then_the_same_apply(db, stoa, busy):
    apply = in_the_backfill(stoa)
    apply.signal(signal.SIGTERM)
    apply.signal(signal.SIGCONT)
    apply.wait(3, seconds=20)
    stoa.apply(ADD, *FILL)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_the_same_apply_twice(db, stoa, busy):
    stoa.apply(ADD, *FILL)
    again = stoa.apply(ADD, *FILL)
    assert "already" in (again.err + again.out).lower() or "nothing" in (again.err + again.out).lower()
    assert stoa.status(NAME)["state"] == "ready"


def test_another_change_of_the_same_name_is_refused(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL, "--name", "mine")
    stoa.apply("ALTER TABLE orders ADD COLUMN x int", "--name", "mine", code=2)


def alive_and_paused(stoa):
    """A live runner that holds the change, renews its lease and does nothing."""
    running = in_the_backfill(stoa)
    stoa("pause", NAME)
    running.signal(signal.SIGCONT)
    until(lambda: stoa.status(NAME)["throttled_by"], 20, running.partial)
    return running


def test_two_at_once(db, stoa, busy):
    first = alive_and_paused(stoa)
    result = stoa.apply(ADD, *FILL, code=3)
    assert str(first.pid) in result.err, str(result)
    stoa("resume", NAME)
    first.wait(0)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_another_change_on_the_same_table_waits_outside(db, stoa, busy):
    other = ["ALTER TABLE orders ADD COLUMN loud text", "--backfill", "orders.loud = upper(status)", "--name", "loud"]
    first = alive_and_paused(stoa)
    result = stoa.apply(*other, code=3)
    assert str(first.pid) in result.err, str(result)
    stoa("resume", NAME)
    first.wait(0)
    stoa.apply(*other)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    assert_equal(db, "orders", "loud", "upper(status)")


def test_a_process_that_slept_past_its_lease_touches_nothing(db, stoa, busy):
    first = in_the_backfill(stoa)
    until(lambda: stoa.apply(ADD, *FILL, code=None).code == 0, 60, "the sleeping one's lease to run out", every=0.5)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    events = len(stoa("history", NAME, "--json").json["events"])
    before = db.fingerprint()
    first.signal(signal.SIGCONT)
    result = first.wait(3, seconds=30)
    assert "lease" in result.err or "taken over" in result.err or "another" in result.err, str(result)
    assert db.fingerprint() == before
    assert len(stoa("history", NAME, "--json").json["events"]) - events <= 1
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_pause_and_resume_of_a_running_change(db, stoa, busy):
    apply = in_the_backfill(stoa, "--json")
    stoa("pause", NAME)
    time.sleep(6)  # samples are good for 5 s, the lease for 10: it looks again before it fills another row
    apply.signal(signal.SIGCONT)
    until(lambda: stoa.status(NAME)["state"] == "paused", 20, "state paused")
    filled = "SELECT count(*) FROM orders WHERE id <= 20000 AND amount_cents IS NOT NULL"
    busy.stop()
    seen = db.value(filled)
    assert seen < 20000 and apply.is_running()
    status = stoa.status(NAME)
    assert status["state"] == "paused" and status["throttled_by"] == "paused"
    assert db.value(filled) == seen
    stoa("resume", NAME)
    apply.wait(0)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_closed_window_waits(db, stoa):
    orders(db, 1000)
    hour = db.value("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::int")
    window = f"{(hour + 3) % 24:02}:00-{(hour + 4) % 24:02}:00 UTC"
    before = db.fingerprint()
    apply = stoa.start("apply", ADD, *FILL, "--yes", "--window", window)
    apply.says("window")
    assert apply.is_running()
    assert db.fingerprint() == before
    apply.signal(signal.SIGINT)
    apply.wait(3, seconds=20)
    stoa("resume", NAME, "--window", "00:00-24:00 UTC", code=None)
    assert stoa.status(NAME)["ready"] is True
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_window_in_a_zone_that_does_not_exist(db, stoa):
    orders(db, 10)
    before = db.fingerprint()
    stoa.apply(ADD, *FILL, "--window", "00:00-24:00 Nowhere/Land", code=2)
    assert db.fingerprint() == before


@pytest.mark.parametrize("phase", ["expand", "backfill", "verify"])
def test_abort_leaves_no_trace(db, stoa, busy, phase):
    before = db.fingerprint()
    stoa.apply(ADD + " CHECK (amount_cents >= 0) UNIQUE", "--backfill", "orders.amount_cents = id * 100",
               "--until", phase)
    assert db.fingerprint() != before
    stoa("abort", NAME, "--yes")
    assert db.fingerprint() == before
    assert stoa("status", NAME, "--all", "--json").json["changes"][0]["state"] == "aborted"
    busy.stop()


def test_abort_of_a_running_change(db, stoa, busy):
    before = db.fingerprint()
    apply = in_the_backfill(stoa)
    apply.signal(signal.SIGCONT)
    stoa("abort", NAME, "--yes", code=None)
    apply.wait(None, seconds=60)
    stoa("abort", NAME, "--yes", code=None)
    assert db.fingerprint() == before


def test_abort_of_one_keeps_the_other(db, stoa, busy):
    """One trigger for each table: the other change's part stays when one is aborted."""
    stoa.apply(ADD, *FILL)
    with_first = db.columns("orders")
    stoa.apply("ALTER TABLE orders ADD COLUMN loud text NOT NULL", "--backfill", "orders.loud = upper(status)",
               "--name", "loud", "--until", "backfill")
    stoa("abort", "loud", "--yes")
    assert db.columns("orders") == with_first
    assert db.value("UPDATE orders SET amount = 4 WHERE id = 1 RETURNING amount_cents") == 400
    db.run("UPDATE twin SET amount = 4 WHERE id = 1")
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_abort_after_ready_is_refused(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL)
    stoa("abort", NAME, "--yes", code=None).code in (2, 4)
    assert "amount_cents" in db.columns("orders")


def test_abort_then_apply_again(db, stoa, busy):
    stoa.apply(ADD, *FILL, "--until", "backfill")
    stoa("abort", NAME, "--yes")
    stoa.apply(ADD, *FILL)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_until_stops_after_each_phase_and_resume_goes_on(db, stoa, busy):
    for phase in ("prepare", "expand", "backfill", "verify", "constrain"):
        stoa.apply(ADD, *FILL, "--until", phase)
        assert stoa.status(NAME)["ready"] is False
    stoa.apply(ADD, *FILL)
    assert stoa.status(NAME)["ready"] is True
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_complete_refuses_with_an_old_writer(db, stoa):
    orders(db, 1000)
    stoa.apply(ADD, *FILL)
    db.run("INSERT INTO orders (customer_id, amount) VALUES (1, 1)")
    result = stoa("complete", NAME, "--yes", "--quiet", "1h", code=4)
    assert "old" in result.err
    assert db.triggers("orders") != []


def test_complete_refuses_before_it_has_watched_long_enough(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL)
    assert stoa("complete", NAME, "--yes", "--quiet", "1h", code=None).code in (3, 4)
    assert db.triggers("orders") != []


def test_complete_after_quiet(db, stoa):
    orders(db, 1000)
    before = db.fingerprint()
    stoa.apply(ADD, *FILL)
    ready = db.value("SELECT now()")
    until(lambda: db.value("SELECT now() - %s > interval '2.5 s'", [ready]), what="observed time")
    result = stoa("complete", NAME, "--yes", "--quiet", "1s", code=None)
    if result.code == 3:  # it wants to observe for that long itself
        until(lambda: stoa("complete", NAME, "--yes", "--quiet", "1s", code=None).code == 0, 30, "complete")
    else:
        assert result.code == 0, str(result)
    assert db.triggers("orders") == []
    assert db.value("SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
                    "WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'stoa')") == 0
    changed = {kind for kind, name, text in set(db.fingerprint()) ^ set(before)}
    assert changed <= {"column", "constraint"}, changed
    assert stoa("status", NAME, "--all", "--json").json["changes"][0]["state"] == "completed"
    stoa("complete", NAME, "--yes")


def test_complete_by_force_is_recorded(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL)
    db.run("INSERT INTO orders (customer_id, amount) VALUES (1, 1)")
    stoa("complete", NAME, "--yes", "--force")
    assert db.triggers("orders") == []
    assert "force" in json.dumps(stoa("history", NAME, "--json").json)


def test_complete_before_ready_is_refused(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL, "--until", "expand")
    assert stoa("complete", NAME, "--yes", "--force", code=None).code in (2, 3, 4)
    assert db.triggers("orders") != []


def test_uninstall(db, stoa):
    orders(db, 100)
    before = db.fingerprint()
    stoa.apply(ADD, *FILL, "--until", "backfill")
    stoa("uninstall", "--yes", code=4)
    stoa("abort", NAME, "--yes")
    stoa("uninstall", "--yes")
    assert db.value("SELECT to_regnamespace('stoa')") is None
    assert db.fingerprint() == before
    stoa("uninstall", "--yes")


def test_uninstall_by_force(db, stoa):
    orders(db, 100)
    stoa.apply(ADD, *FILL)
    stoa("uninstall", "--yes", "--force")
    assert db.value("SELECT to_regnamespace('stoa')") is None
    assert db.triggers("orders") == []
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


@pytest.mark.parametrize("newer_by", [1, 99])
def test_journal_of_another_version(db, stoa, newer_by):
    orders(db, 100)
    stoa.apply("ALTER TABLE orders ADD COLUMN a int")
    table, column = db.rows("SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
                            "WHERE relnamespace = 'stoa'::regnamespace AND relkind = 'r' AND attname = 'version' "
                            "AND attnum > 0")[0]
    db.admin.execute(f"UPDATE {table} SET {column} = {column} + {newer_by}")
    before = db.fingerprint()
    for verb in (["apply", ADD, *FILL, "--yes"], ["status"], ["resume", "x"], ["uninstall", "--yes"]):
        result = stoa(*verb, code=None)
        assert result.code in (2, 4) and "version" in result.err, str(result)
    assert db.fingerprint() == before


def test_server_restarts_in_the_middle(home, version):
    from test.lib.database import Database
    from test.lib.servers import Server
    server = Server(home, version)
    db = Database(server)
    orders(db, 20000)
    program = Stoa(db.url())
    apply = in_the_backfill(program)
    server.stop("immediate")
    apply.signal(signal.SIGCONT)
    server.start()
    result = apply.wait(None, seconds=90)
    assert result.code in (0, 7), str(result)
    program.apply(ADD, *FILL)
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    program.close()
    server.stop("immediate")


def test_session_is_ended_in_the_middle(db, stoa, busy):
    apply = in_the_backfill(stoa)
    db.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                     "AND application_name LIKE 'stoa%'")
    apply.signal(signal.SIGCONT)
    apply.wait(0, seconds=90)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


def test_table_rewritten_in_the_middle(db, stoa, busy):
    """VACUUM FULL gives the table a new file: positions of the backfill lose their meaning."""
    apply = in_the_backfill(stoa)
    apply.signal(signal.SIGINT)
    apply.signal(signal.SIGCONT)
    apply.wait(3, seconds=20)
    db.run("VACUUM FULL orders")
    stoa("resume", NAME)
    busy.stop()
    assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")


@pytest.mark.parametrize("damage", ["DROP COLUMN amount_cents", "DISABLE TRIGGER ALL", "RENAME COLUMN amount TO betrag"])
def test_somebody_changes_the_table_in_the_middle(db, stoa, damage):
    """Never ready by mistake, and never a wrong row in silence."""
    orders(db, 2000)
    stoa.apply(ADD, *FILL, "--until", "backfill")
    db.run(f"ALTER TABLE orders {damage}" + (" CASCADE" if "DROP" in damage else ""))
    result = stoa("resume", NAME, code=None)
    assert result.code not in (70, None), str(result)
    if result.code == 0:
        db.run("INSERT INTO orders (customer_id, amount) VALUES (1, 5)")
        assert_equal(db, "orders", "amount_cents", "(amount * 100)::bigint")
    else:
        assert stoa.status(NAME)["ready"] is False


def test_doctor(db, stoa, admin_stoa):
    orders(db, 10)
    assert admin_stoa("doctor", "--json").json["v"] == 1
    report = stoa("doctor", "--json").json
    assert report["checks"] and all({"name", "ok", "severity", "message"} <= set(check) for check in report["checks"])
    role = db.role("guest")
    guest = Stoa(db.url(role))
    result = guest("doctor", "--json", code=4)
    assert any("GRANT" in (check.get("fix") or "") for check in result.json["checks"]), str(result)
    stoa.apply(ADD, *FILL)  # now there is a journal, and it is another's
    (check,) = [c for c in guest("doctor", "--json", code=4).json["checks"] if c["name"] == "journal"]
    assert check["severity"] == "block" and f"GRANT ALL ON SCHEMA stoa TO {role}" in check["fix"], check
    guest.close()


def test_watch_ends_when_ready(db, stoa, busy):
    apply = in_the_backfill(stoa)
    watch = stoa.start("watch", NAME)
    watch.says(NAME)
    apply.signal(signal.SIGCONT)
    apply.wait(0)
    watch.wait(0, seconds=30)


def test_events_are_json_lines(db, stoa, busy):
    result = stoa.apply(ADD, *FILL, "--json")
    assert all(event["v"] == 1 for event in result.events)
    journalled = stoa("history", NAME, "--json").json["events"]
    assert len(journalled) >= 5


def test_doctor_names_tables_of_others(db, stoa):
    orders(db, 10)
    checks = stoa("doctor", "--json").json["checks"]
    assert [c["message"] for c in checks if c["name"] == "tables"] == ["may alter every table of this database"]
    db.admin.execute("CREATE TABLE theirs (id int)")
    (check,) = [c for c in stoa("doctor", "--json").json["checks"] if c["name"] == "tables"]
    assert check["severity"] == "warn" and check["fix"] == f"GRANT postgres TO {db.owner}", check


def test_two_changes_of_the_same_making_get_two_names(db, stoa):
    """Neither was given a name: the second is another change, not another content of the first."""
    orders(db, 10)
    first, second = [f"ALTER TABLE orders ADD CHECK (amount > {n})" for n in (-1, -2)]
    stoa.apply(first)
    stoa.apply(second)
    names = [change["name"] for change in stoa("status", "--all", "--json").json["changes"]]
    assert len(set(names)) == 2 and names[1] == f"{names[0]}-2", names
    again = stoa.apply(second)
    assert "nothing" in (again.out + again.err) and len(stoa("status", "--all", "--json").json["changes"]) == 2


def test_which_change_is_named_whole(db, stoa, busy):
    names = ["first-of-them", "second-of-them"]
    for name, column in zip(names, "ab"):
        stoa.apply(f"ALTER TABLE orders ADD COLUMN {column} int", "--backfill", f"orders.{column} = 1", "--name", name,
                   "--until", "expand")
    result = stoa("abort", "--yes", code=2)
    assert all(name in result.err for name in names) and "hint: stoa abort second-of-them" in result.err, str(result)
    for verb in ("abort", "complete"):
        assert "nobody can be asked" in stoa(verb, "first-of-them", code=2).err
    assert "a" in db.columns("orders")
    for name in names:
        stoa("abort", name, "--yes")


def test_watch_says_that_nobody_works(db, stoa, busy):
    apply = in_the_backfill(stoa)
    apply.signal(signal.SIGINT)
    apply.signal(signal.SIGCONT)
    apply.wait(3, seconds=20)
    watch = stoa.start("watch", NAME)
    watch.says(f"stoa resume {NAME}")
    stoa("resume", NAME)
    watch.wait(0, seconds=20)


def test_an_abort_that_was_cut_off_leaves_no_watermark(db, stoa):
    """Applied again the column is a new one: what was filled went with the old one."""
    orders(db, 20000)
    add = "ALTER TABLE orders ADD COLUMN ticket float8"
    fill = ["--backfill", "orders.ticket = random() + 1", "--name", "tickets"]  # NULL is legal, and nothing to compare
    dead = stoa.start("apply", add, *fill, "--yes", "--chunk-time", "1ms",
                      env={"STOA_FAILPOINT": "wave_after_commit=kill:4"}).wait(None)
    assert dead.code == -9, dead
    assert db.value("SELECT count(*) FROM orders WHERE ticket IS NOT NULL") > 0
    dead = stoa.start("abort", "tickets", "--yes", env={"STOA_FAILPOINT": "abort_before_state=kill:1"}).wait(None)
    assert dead.code == -9, dead
    assert "ticket" not in db.columns("orders")
    stoa("resume", "tickets")
    assert db.value("SELECT count(*) FROM orders WHERE ticket IS NULL") == 0


def test_the_time_of_a_pause_is_no_waiting_for_a_lock(db, stoa):
    orders(db, 100)
    held = db.connect(autocommit=False, application_name="long report")
    held.execute("SELECT count(*) FROM orders")
    running = stoa.start("apply", "ALTER TABLE orders ADD COLUMN code int", "--name", "code", "--yes",
                         "--lock-wait", "3s", "--json")
    running.says("lock_blocked")
    stoa("pause", "code")
    until(lambda: stoa.status("code")["state"] == "paused", 10)
    since = time.monotonic()
    until(lambda: time.monotonic() - since > 3.5, 10)
    stoa("resume", "code")
    since = time.monotonic()
    until(lambda: time.monotonic() - since > 0.7 or not running.is_running(), 10)
    assert running.is_running(), running.partial()
    held.rollback()
    running.wait(0)

"""The journal, its fence and the verbs that read it, on MariaDB and MySQL."""
import signal

import pymysql
import pytest

from test.lib.my_plans import alters, register
from test.lib.servers import until
from test.lib.stoa import Stoa


@pytest.fixture
def stoa(my):
    my.query("DROP DATABASE IF EXISTS stoa")
    my.query("DROP DATABASE IF EXISTS shop")
    my.query("CREATE DATABASE shop")
    program = Stoa(my.url("shop"))
    yield program
    program.close()


def test_doctor(my, stoa):
    doctor = stoa("doctor", "--json").json
    assert doctor["server"].startswith("MariaDB" if my.is_mariadb else "MySQL")
    checks = {check["name"]: check for check in doctor["checks"]}
    assert checks["version"]["ok"] and checks["primary"]["ok"] and checks["journal"]["ok"] and checks["binary log"]["ok"]


def test_doctor_of_a_poor_account(my, stoa):
    for sql in ("DROP USER 'poor'@'127.0.0.1'", "CREATE USER 'poor'@'127.0.0.1'", "GRANT SELECT ON shop.* TO 'poor'@'127.0.0.1'"):
        try:
            my.query(sql)
        except pymysql.err.OperationalError:
            assert sql.startswith("DROP")
    poor = Stoa(my.url("shop", user="poor"))
    try:
        checks = {check["name"]: check for check in poor("doctor", "--json", code=None).json["checks"]}
    finally:
        poor.close()
    assert not checks["journal"]["ok"] and "ON stoa.* TO 'poor'@'127.0.0.1'" in checks["journal"]["fix"]
    assert not checks["sessions"]["ok"] and "PROCESS" in checks["sessions"]["fix"]


def test_status_without_a_journal(stoa):
    assert stoa("status", "--json").json == {"v": 1, "changes": []}
    assert stoa("history", "--json").json == {"v": 1, "events": []}


@pytest.fixture
def table(my):
    my.query("CREATE TABLE shop.t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    my.query("INSERT INTO shop.t (v) VALUES (1), (2), (3)")


def plan(my, name="add"):
    return alters(my, name, "shop", "t", [("ALTER TABLE t ADD COLUMN c INT NULL", "ALTER TABLE t DROP COLUMN c")],
                  contract=[("ALTER TABLE t ADD INDEX by_v (v)", "ALTER TABLE t DROP INDEX by_v")])


def columns(my):
    return [row[0] for row in my.query("SHOW COLUMNS FROM shop.t")]


def test_renewing_does_not_wait_for_a_proof_and_seizing_does(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    stoa("resume", "add")
    prove = "SELECT 1 FROM stoa.leases FORCE INDEX (fence) WHERE table_key = 'shop.t' AND epoch = 1 LOCK IN SHARE MODE"
    with my.connect() as one, my.connect() as two, one.cursor() as holder, two.cursor() as other:
        other.execute("SET innodb_lock_wait_timeout = 1")
        holder.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        holder.execute("BEGIN")
        holder.execute(prove)
        assert holder.fetchall() == ((1,),)
        other.execute("UPDATE stoa.leases SET expires_at = UTC_TIMESTAMP(6) WHERE table_key = 'shop.t'")
        with pytest.raises(pymysql.err.OperationalError, match="1205"):
            other.execute("UPDATE stoa.leases SET epoch = epoch + 1 WHERE table_key = 'shop.t'")
        holder.execute("ROLLBACK")
        # and what was raised and not committed yet is waited for
        other.execute("BEGIN")
        other.execute("UPDATE stoa.leases SET epoch = epoch + 1 WHERE table_key = 'shop.t'")
        holder.execute("SET innodb_lock_wait_timeout = 1")
        holder.execute("BEGIN")
        with pytest.raises(pymysql.err.OperationalError, match="1205"):
            holder.execute(prove)
        # that of a checkpoint and of a step, too, which prove in the statement that writes
        proven = f"({prove.replace('SELECT 1', 'SELECT COUNT(*)')}) = 1"
        for write in ("INSERT INTO stoa.checkpoints (change_id, ordinal, body, updated_at) SELECT 1, 1, '{}', UTC_TIMESTAMP(6) FROM "
                      f"DUAL WHERE {proven} ON DUPLICATE KEY UPDATE body = VALUES(body)",
                      f"UPDATE stoa.steps SET state = 'done' WHERE change_id = 1 AND ordinal = 1 AND {proven}"):
            with pytest.raises(pymysql.err.OperationalError, match="1205"):
                holder.execute(write)
        other.execute("COMMIT")
        holder.execute("ROLLBACK")
        holder.execute(prove)
        assert holder.fetchall() == ()


def test_two_at_once(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    register(my, "shop", plan(my, "other"), tmp_path)
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t")
        first = stoa.start("resume", "add")
        first.says("idle in transaction", 60)
        assert f"pid {first.pid}" in stoa.status("add")["runner"]
        stoa("complete", "add", "--yes", code=4)  # it is not ready
        stoa("resume", "other")  # says that it is running already, and leaves it to the other one
        assert stoa.status("other")["steps"][0]["attempts"] == 0
        cursor.execute("COMMIT")
    first.wait(0)
    assert columns(my) == ["id", "v", "c"]


def test_pause_and_resume_of_a_running_change(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t")
        running = stoa.start("resume", "add")
        running.says("idle in transaction", 60)
        stoa("pause", "add")
        until(lambda: stoa.status("add")["state"] == "paused", 30, "the pause")
        cursor.execute("COMMIT")
    assert stoa.status("add")["throttled_by"] == "paused" and columns(my) == ["id", "v"]
    assert running.is_running()
    stoa("resume", "add")
    running.wait(0)
    assert columns(my) == ["id", "v", "c"]


def test_a_process_that_slept_past_its_lease_touches_nothing(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    sleeper = stoa.start("resume", "add", env={"STOA_FAILPOINT": "alter_before=pause:1"})
    until(lambda: sleeper.is_stopped, 30, "the first to stop")
    until(lambda: my.query("SELECT expires_at < UTC_TIMESTAMP(6) FROM stoa.leases")[0][0], 30, "the lease to run out")
    stoa("resume", "add")
    assert columns(my) == ["id", "v", "c"] and stoa.status("add")["state"] == "ready"
    stoa("complete", "add", "--yes", "--quiet", "0s")
    my.query("ALTER TABLE shop.t DROP COLUMN c")
    sleeper.signal(signal.SIGCONT)
    woken = sleeper.wait(None)
    assert woken.code != 0 and columns(my) == ["id", "v"], woken
    assert stoa.status("add")["state"] == "completed"


def test_events_stay(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    for sql in ("DELETE FROM stoa.events", "UPDATE stoa.events SET text = ''"):
        stoa("resume", "add")
        with pytest.raises(pymysql.err.OperationalError, match="append-only"):
            my.query(sql)


def test_a_name_is_free_again_after_abort(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    with pytest.raises(AssertionError, match="Duplicate"):
        register(my, "shop", plan(my), tmp_path)
    stoa("abort", "add", "--yes")
    register(my, "shop", plan(my), tmp_path)
    stoa("resume", "add")
    assert [change["state"] for change in stoa("status", "add", "--json").json["changes"]] == ["ready", "aborted"]
    changes = stoa("status", "--all", "--json").json["changes"]
    assert [change["state"] for change in changes] == ["aborted", "ready"]
    assert set(changes[1]) >= {"name", "state", "phase", "ready", "steps", "evidence", "rows_done", "rows_total", "eta_s", "created_at",
                               "strategy", "tables", "no_revert", "hot_ratio"}
    assert all(step["estimate_ms"] is None or step["estimate_ms"]["low"] >= 0 for change in changes for step in change["steps"])


def test_uninstall(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    refused = stoa("uninstall", "--yes", code=4)
    assert "add" in refused.err
    my.query("CREATE TABLE stoa.keys_1 (id BIGINT)")
    my.query("CREATE TRIGGER shop.stoa_1_ins AFTER INSERT ON shop.t FOR EACH ROW INSERT INTO stoa.keys_1 VALUES (NEW.id)")
    stoa("uninstall", "--yes", "--force")
    assert not my.query("SHOW DATABASES LIKE 'stoa'") and not my.query("SHOW TRIGGERS FROM shop")
    my.query("INSERT INTO shop.t (v) VALUES (9)")


def test_the_window_of_the_server(my, stoa, table, tmp_path):
    register(my, "shop", plan(my), tmp_path)
    minute = my.query("SELECT HOUR(UTC_TIMESTAMP()) * 60 + MINUTE(UTC_TIMESTAMP())")[0][0]
    shut = (minute + 120) % 1440
    running = stoa.start("resume", "add", "--window", f"{shut // 60:02}:{shut % 60:02}-{(shut // 60 + 1) % 24:02}:{shut % 60:02} UTC")
    running.says("outside the window", 30)
    assert stoa.status("add")["state"] in ("running", "waiting") and columns(my) == ["id", "v"]
    running.signal(signal.SIGINT)
    running.wait(None)
    wrong = stoa("resume", "add", "--window", "00:00-24:00 Nowhere/Here", code=2)
    assert "Nowhere/Here" in wrong.err

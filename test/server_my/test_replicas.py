"""Replicas given by URL: their lag holds the work up, and ready waits for what they have replayed."""
import signal

import pytest

from test.lib.my_plans import alters, register
from test.lib.my_servers import MyServer
from test.lib.servers import until
from test.lib.stoa import Stoa

ADD = ("ALTER TABLE t ADD COLUMN c INT NULL", "ALTER TABLE t DROP COLUMN c")


def follow(primary, replica):
    """From the beginning of the primary's log, which has nothing but what a test did."""
    if replica.is_mariadb:
        replica.query(f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'root', "
                      "MASTER_USE_GTID = slave_pos")
        replica.query("START SLAVE")
    elif replica.version < (8,):
        replica.query(f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'root', "
                      "MASTER_AUTO_POSITION = 1")
        replica.query("START SLAVE")
    else:
        replica.query(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {primary.port}, SOURCE_USER = "
                      "'root', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1")
        replica.query("START REPLICA")


def stop_sql(replica, on=False):
    words = ("START" if on else "STOP", "SLAVE" if replica.is_mariadb or replica.version < (8,) else "REPLICA")
    replica.query(f"{words[0]} {words[1]} SQL_THREAD")


@pytest.fixture
def pair(myhome, my_name):
    primary, replica = MyServer(myhome, my_name), MyServer(myhome, my_name)
    if not primary.is_mariadb:  # both have the template's identity
        replica.stop()
        (replica.data / "auto.cnf").unlink()
        replica.start()
        for server in (replica, primary):
            server.query("RESET BINARY LOGS AND GTIDS" if server.version > (8, 2) else "RESET MASTER")
    primary.query("CREATE DATABASE shop")
    primary.query("CREATE TABLE shop.t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    follow(primary, replica)
    until(lambda: replica.query("SHOW TABLES FROM shop LIKE 't'") if replica.query("SHOW DATABASES LIKE 'shop'") else False,
          60, "the replica to follow")
    yield primary, replica
    primary.end()
    replica.end()


def test_lag_holds_the_work_and_ready_waits(pair, tmp_path):
    primary, replica = pair
    stoa = Stoa(primary.url("shop"))
    try:
        register(primary, "shop", alters(primary, "add", "shop", "t", [ADD]), tmp_path)
        stop_sql(replica)
        running = stoa.start("resume", "add", "--replicas", replica.url(), "--max-lag", "1s")
        running.says("replica", 60)
        assert [row[0] for row in primary.query("SHOW COLUMNS FROM shop.t")] == ["id", "v"]
        stop_sql(replica, on=True)
        running.wait(0)
        assert stoa.status("add")["state"] == "completed"
        assert [row[0] for row in replica.query("SHOW COLUMNS FROM shop.t")] == ["id", "v", "c"]
        position = primary.query("SELECT ready_position FROM stoa.changes")
        assert position[0][0] is None or position[0][0].startswith("gtid:")
    finally:
        stoa.close()


def test_a_replica_that_is_gone_stops_the_work(pair, tmp_path):
    primary, replica = pair
    stoa = Stoa(primary.url("shop"))
    try:
        register(primary, "shop", alters(primary, "add", "shop", "t", [ADD]), tmp_path)
        replica.stop()
        running = stoa.start("resume", "add", "--replicas", replica.url())
        running.says("replica", 60)
        assert [row[0] for row in primary.query("SHOW COLUMNS FROM shop.t")] == ["id", "v"]
        running.signal(signal.SIGINT)
        running.wait(None)
        assert stoa.status("add")["state"] == "paused"
        stoa("resume", "add", "--replicas", "0")
        assert stoa.status("add")["state"] == "completed"
    finally:
        stoa.close()


def test_a_replica_is_seen_without_the_right_to_list_replicas(pair):
    """MariaDB wants REPLICATION MASTER ADMIN for the list; sessions that read the log are seen with PROCESS."""
    primary, _ = pair
    if not primary.is_mariadb:
        return
    for sql in ("CREATE USER 'seer'@'127.0.0.1'", "GRANT SELECT ON shop.* TO 'seer'@'127.0.0.1'"):
        primary.query(sql)
    stoa = Stoa(primary.url("shop", user="seer"))
    try:
        def replica():
            checks = stoa("doctor", "--json", code=None).json["checks"]
            return next(check["message"] for check in checks if check["name"] == "replica")
        assert "may not see replicas" in replica()
        primary.query("GRANT PROCESS ON *.* TO 'seer'@'127.0.0.1'")
        assert "127.0.0.1" in replica()
    finally:
        stoa.close()


def test_a_server_that_replays_another_one(pair):
    """Triggers do not run for what it replays; its log has it only with log_slave_updates."""
    _, replica = pair
    stoa = Stoa(replica.url("shop"))
    try:
        words = ("plan", "--json", "--strategy", "shadow", "ALTER TABLE t MODIFY v BIGINT NOT NULL")
        if replica.is_mariadb:
            refused = stoa(*words, code=None)
            assert refused.code == 4 and "does not log them" in refused.out + refused.err, str(refused)
        else:
            assert stoa(*words).json["steps"][2]["shadow"]["capture"] == "log"
    finally:
        stoa.close()

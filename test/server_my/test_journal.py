"""The journal, its fence and the verbs that read it, on MariaDB and MySQL."""
import subprocess
import threading
import time

import pymysql
import pytest

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

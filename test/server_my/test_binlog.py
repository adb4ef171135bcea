"""The keys that the stream yields are the keys that were written: every key type, start and form of the log."""
import random

import pytest

from test.lib.my_keys import KEYS, MODE, KeyTable
from test.lib.my_tools import changes

# Settings of the server for each form of the log; what a server does not know is left out there.
FORMS = {
    "plain": {},
    "no_checksum": {"binlog_checksum": "NONE"},
    "minimal": {"binlog_row_image": "MINIMAL"},
    "noblob": {"binlog_row_image": "NOBLOB"},
    "nodup": {"binlog_row_image": "FULL_NODUP"},
    "metadata": {"binlog_row_metadata": "FULL"},
    "compressed": {"log_bin_compress": "ON", "log_bin_compress_min_len": "10"},
    "compressed_no_checksum": {"log_bin_compress": "ON", "log_bin_compress_min_len": "10", "binlog_checksum": "NONE"},
    "payload": {"binlog_transaction_compression": "ON"},
    "payload_minimal": {"binlog_transaction_compression": "ON", "binlog_row_image": "MINIMAL"},
}


def known(my, form):
    names = {row[0]: row[1] for row in my.query("SHOW GLOBAL VARIABLES")}
    if any(name not in names for name in form):
        return False
    return form.get("binlog_row_image") != "FULL_NODUP" or my.is_mariadb and my.version >= (11, 4)


class Settings:
    """Global settings for the time of a test."""

    def __init__(self, my, form):
        self.my, self.form = my, form
        self.before = {row[0]: row[1] for row in my.query("SHOW GLOBAL VARIABLES")}

    def __enter__(self):
        for name, value in self.form.items():
            self.my.query(f"SET GLOBAL {name} = '{value}'" if not value.isdigit() else f"SET GLOBAL {name} = {value}")

    def __exit__(self, *_):
        for name in self.form:
            value = self.before[name]
            self.my.query(f"SET GLOBAL {name} = '{value}'" if not value.isdigit() else f"SET GLOBAL {name} = {value}")


def end_of_log(my):
    rows = my.query("SHOW BINARY LOG STATUS" if not my.is_mariadb and my.version > (8, 2) else "SHOW MASTER STATUS")
    gtid = my.query("SELECT @@GLOBAL.gtid_binlog_pos" if my.is_mariadb else "SELECT @@GLOBAL.gtid_executed")[0][0]
    return f"{rows[0][0]}:{rows[0][1]}", gtid.replace("\n", "")


def write(cursor, tables, rounds):
    for _ in range(rounds):
        for table in tables:
            inside = random.random() < 0.2
            cursor.execute("BEGIN" if inside else "DO 0")
            for _ in range(random.randint(1, 4) if inside else 1):
                table.write(cursor)
            if inside and random.random() < 0.2:
                cursor.execute("SAVEPOINT s")
                table.write(cursor)
                cursor.execute("ROLLBACK TO SAVEPOINT s")
            if inside:
                cursor.execute(random.choice(["COMMIT", "COMMIT", "ROLLBACK"]))


def key_tables(my, cursor):
    """The tables in database "keys_", made for the first test on a server and emptied for each."""
    tables = [KeyTable(name, columns) for name, columns in KEYS.items()]
    made = my.query("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'keys_'")[0][0]
    if not made:
        cursor.execute("CREATE DATABASE keys_ CHARACTER SET utf8mb4")
    cursor.execute("USE keys_")
    # 767 bytes are the longest key of 5.6
    there = my.query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'keys_'")
    tables = [table for table in tables if ((table.name,) in there if made else table.create(cursor))]
    for table in tables:
        table.empty(cursor)
    return tables


@pytest.mark.parametrize("start", ["gtid", "position"])
@pytest.mark.parametrize("form", FORMS)
def test_keys_of_every_type(my, form, start):
    if not known(my, FORMS[form]):
        return  # this server has no such form
    random.seed(f"{form} {start}")
    with Settings(my, FORMS[form]), my.connect() as conn, conn.cursor() as cursor:
        cursor.execute(MODE)
        tables = key_tables(my, cursor)
        position, gtid = end_of_log(my)
        write(cursor, tables, 10)
        my.query("FLUSH BINARY LOGS")
        write(cursor, tables, 8)
        begin = {"gtid": gtid} if start == "gtid" else {"position": position}
        lines, err = changes(my.url(), *[f"keys_.{table.name}" for table in tables], idle=500, **begin)
        assert err == ""
        end = end_of_log(my)
        assert f"{lines[-1]['end']}:{lines[-1]['position']}" == end[0]
        assert lines[-1]["gtid"] == (end[1] if start == "gtid" else None)
        total, wrong = 0, []
        for table in tables:
            mine = [line for line in lines if line.get("table") == table.name]
            try:
                total += table.check(cursor, mine)
                if form in ("plain", "minimal"):
                    table.find_again(cursor, mine)
            except AssertionError as problem:
                wrong.append(str(problem).splitlines()[0])
        assert not wrong, "\n".join(wrong)
        assert total > 1000


TABLES = {
    "generated": "a INT, g INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED, id INT PRIMARY KEY",
    "parts": "a INT, id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS (4",
    "invisible": "a INT INVISIBLE, id INT PRIMARY KEY",
    "expression": "a INT, id INT PRIMARY KEY, KEY ((a + 1))",
    "hashed": "a BLOB, id INT PRIMARY KEY, UNIQUE KEY (a)",
    "odd`name ä": "a INT, id INT PRIMARY KEY",
}


@pytest.mark.parametrize("table", TABLES)
def test_columns_that_are_not_in_sight(my, table):
    """What hides in a table, or its name, does not move the key's place."""
    if table in ("invisible", "expression") and my.version < (8,) or table == "generated" and my.version < (5, 7):
        return
    if table == "hashed" and not my.is_mariadb or table == "expression" and my.is_mariadb:
        return
    my.query("CREATE DATABASE IF NOT EXISTS hid CHARACTER SET utf8mb4")
    name = "`" + table.replace("`", "``") + "`"
    body = TABLES[table].replace("PARTITIONS (4", "PARTITIONS 4")
    my.query(f"CREATE OR REPLACE TABLE {name} ({body}{'' if 'PARTITIONS' in body else ')'}" if my.is_mariadb else
             f"CREATE TABLE {name} ({body}{'' if 'PARTITIONS' in body else ')'}", "hid")
    position, _ = end_of_log(my)
    my.query(f"INSERT INTO {name} (a, id) VALUES (1, 5)", "hid")
    my.query(f"UPDATE {name} SET id = id + 1", "hid")
    my.query(f"DELETE FROM {name}", "hid")
    lines, err = changes(my.url(), f"hid.{table}", position=position, idle=300)
    assert err == ""
    assert [(line["before"], line["after"]) for line in lines if "verb" in line] == [
        (None, ["5"]), (["5"], ["6"]), (["6"], None)]


def test_prepared_transactions(my):
    my.query("CREATE DATABASE IF NOT EXISTS hid CHARACTER SET utf8mb4")
    my.query("CREATE TABLE IF NOT EXISTS hid.x (id INT PRIMARY KEY)")
    my.query("DELETE FROM hid.x")
    position, _ = end_of_log(my)
    with my.connect("hid") as conn, conn.cursor() as cursor:
        for sql in ("XA START 'x'", "INSERT INTO x VALUES (77)", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"):
            cursor.execute(sql)
    lines, err = changes(my.url(), "hid.x", position=position, idle=300)
    assert err == "" and [line["after"] for line in lines if "verb" in line] == [["77"]]
    assert f"{lines[-1]['end']}:{lines[-1]['position']}" == end_of_log(my)[0]

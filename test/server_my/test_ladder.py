"""What the ladder says of a statement is what the server does with it, on a full table under writers; and what is
known of tables, definitions and clones."""
import json
import os
import pathlib
import random
import subprocess
import threading
import time

import pymysql
import pytest

from test.lib.my_ladder import CASES, PARENT, ROWS, cases_of
from test.lib.servers import until
from test.lib.stoa import BUILD

TOOL = BUILD / "test" / "tool" / "stoa-my-ladder-tool"
RESULTS = BUILD / "reports" / "ladder.jsonl"


def ask(url, table, *statements, more=()):
    """The table, then an answer for each statement."""
    tables = [word for name in (table, *more) for word in ("--table", name)]
    done = subprocess.run([TOOL, "--url", url, *tables, *statements], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=240)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def fresh(my, *statements, database="shop"):
    with my.connect() as conn, conn.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")
        cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {database}")
        for sql in statements:
            cursor.execute(sql)


def prepare(my, case):
    fresh(my, PARENT, "INSERT INTO parent VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)", case.table, case.fill,
          *case.more)


class Writers(threading.Thread):
    """One that counts in rows, until told to end. Errors are kept."""

    def __init__(self, my, table="t"):
        super().__init__(daemon=True)
        self.my, self.table = my, table
        self.done, self.errors, self.over, self.times = 0, [], threading.Event(), []

    def run(self):
        with self.my.connect("shop") as conn, conn.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            while not self.over.is_set():
                try:
                    cursor.execute(f"UPDATE {self.table} SET hits = hits + 1 WHERE id = %s", random.randint(1, ROWS))
                    self.done += cursor.rowcount
                    self.times.append(time.monotonic())
                except pymysql.err.Error as problem:
                    self.errors.append(problem)
                    return

    def __enter__(self):
        self.start()
        until(lambda: self.done > 0 or self.errors, 20, "a first write")
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(30)


def storage(my):
    """TABLE_ID and INDEX_ID of everything in the database; tables of FULLTEXT indexes left out."""
    sys = "sys_" if my.is_mariadb or my.version < (8,) else ""
    where = "SUBSTRING_INDEX(t.name, '/', 1) = 'shop' AND LOWER(t.name) NOT LIKE '%/fts\\_0%'"
    tables = my.query(f"SELECT table_id FROM information_schema.innodb_{sys}tables t WHERE {where}")
    indexes = my.query(f"SELECT i.index_id FROM information_schema.innodb_{sys}indexes i JOIN "
                       f"information_schema.innodb_{sys}tables t ON t.table_id = i.table_id WHERE {where}")
    return {row[0] for row in tables}, {row[0] for row in indexes}


def put(sql, clause):
    if not clause:
        return sql
    return f"{sql}, {clause}" if sql.startswith("ALTER") else f"{sql} {clause.replace(', ', ' ')}"


def attempt(cursor, sql):
    """The error's number, or None."""
    try:
        cursor.execute(sql)
        return None
    except pymysql.err.Error as problem:
        return problem.args[0]


@pytest.fixture
def case_of_server(my, case):
    return case


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=lambda case: case.name)


# What a full table refuses because of its rows, which no empty copy can know: the run meets these errors.
ROWS_DECIDE = {"add a unique index on equal values": 1062}


def test_the_prediction_is_what_happens(my, case):
    if case not in cases_of(my.name):
        case = CASES[0]  # this server has no such thing
    prepare(my, case)
    answer = ask(my.url("shop"), "shop.t", case.sql, more=["shop.parent"])[1]
    assert "error" not in answer, answer
    prepare(my, case)  # nothing has changed, but what row versions the other tests used up
    before = storage(my)
    seen = []
    with my.connect("shop") as conn, conn.cursor() as cursor, Writers(my) as writers:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = 20")
        for turn in answer["tries"]:
            if turn["ok"] or not (turn["reason"] or "").startswith("it is accepted"):
                seen.append((turn["clause"], turn["ok"], attempt(cursor, put(case.sql, turn["clause"]))))
    after = storage(my)
    if case.name in ROWS_DECIDE:
        assert seen[-1][2] == ROWS_DECIDE[case.name]
        return
    wrong = [turn for turn in seen if turn[1] != (turn[2] is None)]
    assert not wrong, (answer["rung"], seen)
    if answer["rung"] == "refused":
        assert before == after
    else:
        innodb = my.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = "
                          f"'{case.moved}' AND engine = 'InnoDB'")[0][0]
        rebuilt = bool(before[0] - after[0]) and bool(after[0] - before[0])
        if innodb and "MyISAM" not in "".join(case.more):
            assert answer["rebuilds"] == rebuilt, (answer, before, after)
            assert answer["builds_index"] == bool(after[1] - before[1])
    if case.written:
        assert not writers.errors
        hits = my.query(f"SELECT SUM(hits), COUNT(*) FROM shop.{case.moved}")[0]
        assert hits == (writers.done, ROWS)
    shown = my.query(f"SHOW CREATE TABLE shop.{case.moved}")[0][1]
    table = ask(my.url("shop"), f"shop.{case.moved}")[0]
    if case.moved == "t" and answer["rung"] != "refused":
        assert table["definition"] == answer["after"], shown
    report(my, case, answer)


def report(my, case, answer):
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    line = {"server": my.name, "case": case.name, "sql": case.sql[:200]}
    line |= {key: answer[key] for key in ("rung", "clause", "rebuilds", "builds_index", "uses_row_version")}
    reasons = [turn["reason"] for turn in answer["tries"] if turn["reason"]]
    with open(RESULTS, "a") as out:
        out.write(json.dumps(line | {"reason": reasons[0] if reasons else None}) + "\n")

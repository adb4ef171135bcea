"""The examples of the rules, and the corpus, on MySQL and MariaDB: what stoa check --url says of each statement against
what the server then did with a table that has rows. STOA_RECORD=1 writes what was measured into
test/data/check_measured_my.json."""
import json
import os
import re

import pymysql
import pytest

from test.lib.my_truth import Truth, by_statement, cut, judged
from test.lib.servers import ROOT
from test.server_my.test_check_online import check
from test.server_my.test_ladder import fresh

KNOWN = json.loads((ROOT / "test/data/check_alarms_my.json").read_text())
MEASURED = ROOT / "test/data/check_measured_my.json"

DIGITS = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6)"
NUMBERS = f"(SELECT 10 + x.d + 10 * y.d AS n FROM {DIGITS} x, {DIGITS} y) n"
REST = ["CREATE TABLE p (id bigint PRIMARY KEY)", "CREATE TABLE u (id bigint PRIMARY KEY)", f"INSERT INTO p SELECT n FROM {NUMBERS}"]
FILL = f"INSERT INTO t (id, a, b) SELECT n, n, 1 FROM {NUMBERS}"
# The first in which every statement of an example runs is taken; what needs more has a "setup" in rules.txt.
BASES = {
    "plain": ["CREATE TABLE t (id bigint PRIMARY KEY, a bigint, b int, KEY i (a))", FILL],
    "number": ["CREATE TABLE t (id bigint PRIMARY KEY, a bigint, b int, c int, KEY i (c))", FILL, "UPDATE t SET c = 1"],
    "text": ["CREATE TABLE t (id bigint PRIMARY KEY, a text, b int, c varchar(10), x varchar(100))", FILL, "UPDATE t SET c = 1"],
    "keyless": ["CREATE TABLE t (id bigint, a bigint, b int)", FILL],
    "none": [],
}


class Example:
    """One side of a block of rules.txt."""

    def __init__(self, rule, kind, number, engine, setup, applied, text):
        self.rule, self.kind, self.engine, self.setup = rule, kind, engine, setup
        self.applied, self.parts = applied, cut(text)
        self.name = f"{rule} {kind}" + (f" {number}" if number > 1 else "")

    def bases(self):
        if self.applied:
            return {"applied": self.applied}
        return BASES | {f"setup {i}": sql for i, sql in enumerate(self.setup)}


def examples():
    seen = {}
    for block in (ROOT / "test/unit/check/rules.txt").read_text().split("\n= ")[1:]:
        rule, engine = block.split("\n")[0].split()[:2]
        if engine == "postgres":
            continue
        head, bad, good = re.search(r"^(.*?)\nbad\n(.*?)\ngood\n(.*)", block, re.S).groups()
        setup = [cut(text) for text in head.split("\nsetup\n")[1:]]
        seen[rule] = seen.get(rule, 0) + 1
        for kind, text in (("bad", bad), ("good", good)):
            before, marked, after = text.partition("-- applied\n")
            yield Example(rule, kind, seen[rule], engine, setup, cut(before) if marked else [], after if marked else text)


def filled(conn):
    """Every table has rows, also those that an example's setup made and left empty."""
    with conn.cursor() as cursor:
        for table in ("t", "p"):
            try:
                cursor.execute(f"SELECT COUNT(*) FROM {table}")
                if cursor.fetchone()[0] == 0:
                    cursor.execute(f"INSERT INTO {table} (id) SELECT n FROM {NUMBERS}")
                    cursor.execute(f"UPDATE {table} SET c = 1")
            except pymysql.err.Error:
                pass  # there is none, or it has no such column


def prepare(my, base):
    """In a session with the server's own settings, as a migration would have one."""
    fresh(my, *REST)
    conn = my.connect("shop")
    with conn.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS d")
        for sql in base:
            cursor.execute(sql)
    filled(conn)
    return conn


def carry_out(my, example):
    """What was done, in the first base where all of it runs; else in the first where the most does."""
    best = None
    for name, base in example.bases().items():
        try:
            conn = prepare(my, base)
        except pymysql.err.Error:
            continue  # this server has no such table
        with conn, conn.cursor() as cursor:
            truth, did = Truth(my, cursor), []
            for part in example.parts:
                did.append(truth.run(part))
                if did[-1].error:
                    break
        if best is None or len(did) > len(best[1]):
            best = name, did
        if not did[-1].error:
            return name, did
    return best or (None, [])


def native(my, example):
    """MariaDB has MySQL's rules as well; what it has not stands in the list."""
    return example.engine == "mysql" or my.is_mariadb


def known(my, what, name):
    """Listed for this server: {name: {"servers": "mysql", "reason": …}}; servers are beginnings of names."""
    entry = KNOWN[what].get(name)
    return entry is not None and any(my.name.startswith(one) for one in entry["servers"].split(","))


def record(rows, server):
    old = json.loads(MEASURED.read_text()) if MEASURED.exists() else []
    kept = [row for row in old if row["server"] != server] + rows
    kept.sort(key=lambda row: (row["rule"], row["kind"], row["server"]))
    MEASURED.write_text("[\n" + ",\n".join(json.dumps(row) for row in kept) + "\n]\n")


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_examples_of_the_rules(quick):
    unsafe, alarms, not_run, needless, rows, ran = [], [], [], [], [], 0
    for example in examples():
        base, did = carry_out(quick, example)
        if not did:
            if native(quick, example) and not known(quick, "not_run", example.name):
                not_run.append((example.name, "its tables cannot be made"))
            continue
        with prepare(quick, example.bases()[base]):
            told = check(quick, ";\n".join(example.parts) + ";\n")
        whole = not did[-1].error and len(did) == len(example.parts)
        ran += whole
        if not whole and native(quick, example) and not known(quick, "not_run", example.name):
            not_run.append((example.name, base, did[-1].sql, did[-1].error))
        if whole and known(quick, "not_run", example.name):
            needless.append((example.name, "runs"))
        alarm = False
        for one, findings in zip(did, by_statement(example.parts, told)):
            verdict = judged(one, findings, example.rule if example.kind == "bad" else None)
            row = (example.name, base, one.sql[:100], verdict and verdict[1], [
                (found["rule"], found["severity"], found["evidence"], found.get("cost")) for found in findings])
            alarm = alarm or verdict is not None and verdict[0] == "alarm"
            if verdict and verdict[0] == "unsafe":
                unsafe.append(row)
            elif verdict and not known(quick, "alarms", example.name):
                alarms.append(row)
            if one.way and not one.own:
                rows.append({"rule": example.rule, "kind": example.kind, "server": quick.name, "statement": one.sql, "way": one.way,
                             "rebuilds": one.rebuilds, "writers_wait": one.stops})
        if known(quick, "alarms", example.name) and not alarm:
            needless.append((example.name, "no alarm"))
    print(f"{ran} examples ran on {quick.name}")
    print(*unsafe, "-- alarms", *alarms, "-- not run", *not_run, "-- needless", *needless, sep="\n")
    if os.environ.get("STOA_RECORD"):
        record(rows, quick.name)
    assert unsafe == [] and alarms == []
    assert not_run == [] and needless == []
    assert ran > 100


# ---- the corpus ------------------------------------------------------------------------------------

def corpus(my):
    name = "corpus_maria" if my.is_mariadb else "corpus_my"
    lines = (ROOT / f"test/data/check/{name}.txt").read_text().splitlines()
    schema = cut((ROOT / f"test/data/check/{name}.sql").read_text())
    return schema, [line.partition(" -- alarm: ")[0] for line in lines if line and line[0] not in "#="]


def in_use(my, schema):
    fresh(my, *schema, f"INSERT INTO customers SELECT n, CONCAT('c', n) FROM {NUMBERS}",
          "INSERT INTO orders (id, customer_id, qty, code, note, amount, placed, state, long_code) SELECT id, id, 1 + id, 'x', 'some words', "
          "1.5, '2024-01-01', 'new', 'y' FROM customers")


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_corpus_on_the_server(quick):
    unsafe, alarms, needless, count = [], [], [], 0
    schema, statements = corpus(quick)
    for sql in statements:
        in_use(quick, schema)
        told = check(quick, sql + ";\n")
        with quick.connect("shop") as conn, conn.cursor() as cursor:
            did = Truth(quick, cursor).run(sql)
        verdict = judged(did, told["findings"])
        count += not did.error
        row = (sql, verdict and verdict[1], [(one["rule"], one["severity"], one["evidence"], one.get("cost")) for one in told["findings"]])
        if verdict and verdict[0] == "unsafe":
            unsafe.append(row)
        elif verdict and not known(quick, "corpus_alarms", sql):
            alarms.append(row)
        elif not verdict and known(quick, "corpus_alarms", sql):
            needless.append(sql)
    print(f"{count} of {len(statements)} statements ran on {quick.name}")
    print(*unsafe, "-- alarms", *alarms, "-- needless", *needless, sep="\n")
    assert unsafe == [] and alarms == [] and needless == []
    assert count > 25


# ---- what the session is like ----------------------------------------------------------------------

def costs_of(my, sql):
    return {one["cost"] for one in check(my, sql)["findings"] if one.get("cost")}


@pytest.mark.parametrize("mode", ["STRICT_TRANS_TABLES", ""])
def test_as_strict_as_the_server(my, mode):
    """MySQL makes a NULL column NOT NULL in place in a strict session only, and the session of a migration is as the
    server makes it."""
    fresh(my, *REST, *BASES["plain"])
    before = my.query("SELECT @@GLOBAL.sql_mode")[0][0]
    sql = "ALTER TABLE t MODIFY b int NOT NULL"
    try:
        my.query(f"SET GLOBAL sql_mode = '{mode}'")
        costs = costs_of(my, sql + ";")
        with my.connect("shop") as conn, conn.cursor() as cursor:
            did = Truth(my, cursor).run(sql)
    finally:
        my.query(f"SET GLOBAL sql_mode = '{before}'")
    assert did.rebuilds and ("copy" in costs, "rebuild" in costs) == (did.stops, not did.stops)
    assert did.stops == (mode == "" and not my.is_mariadb)


@pytest.mark.parametrize("checks", [1, 0])
def test_foreign_keys_as_the_session_has_them(my, checks):
    """With foreign_key_checks a key is added by a copy, without them in place."""
    fresh(my, *REST, *BASES["plain"])
    sql = "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p (id)"
    costs = costs_of(my, f"SET foreign_key_checks = {checks};\n{sql};")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute(f"SET foreign_key_checks = {checks}")
        did = Truth(my, cursor).run(sql)
    assert did.rebuilds == (checks == 1) and not did.builds
    assert costs == ({"copy"} if did.stops else {"rebuild"} if did.rebuilds else set())


@pytest.mark.parametrize("sql", ["MODIFY b bigint, DROP COLUMN a", "DROP COLUMN a, MODIFY b bigint", "MODIFY b bigint, RENAME TO moved"])
def test_one_statement_is_tried_as_a_whole(my, sql):
    """What it does with its dearest action counts, whatever stands beside it."""
    fresh(my, *REST, *BASES["plain"])
    online = my.is_mariadb and my.version >= (11, 2)
    assert ("rebuild" if online else "copy") in costs_of(my, f"ALTER TABLE t {sql};")


def test_the_users_own_clauses_count(my):
    fresh(my, *REST, *BASES["plain"])
    online = my.is_mariadb and my.version >= (11, 2)
    assert costs_of(my, "ALTER TABLE t ADD COLUMN z int, ALGORITHM=COPY;") == ({"rebuild"} if online else {"copy"})
    assert costs_of(my, "ALTER TABLE t ADD COLUMN z int, ALGORITHM=COPY, LOCK=SHARED;") == {"copy"}
    assert "copy" in costs_of(my, "ALTER TABLE t ADD INDEX z (b), LOCK=SHARED;")
    told = check(my, "ALTER TABLE t MODIFY b bigint, ALGORITHM=INPLACE;")
    assert "measured-refused" in [one["rule"] for one in told["findings"]]


# ---- speed -----------------------------------------------------------------------------------------

def test_speed(my):
    """50 ms a statement are promised with the machine to itself; beside other tests it may be more."""
    fresh(my, *[f"CREATE TABLE t{i} (id int PRIMARY KEY, v int) ENGINE=InnoDB" for i in range(20)])
    text = "SET lock_wait_timeout = 1;\n" + "".join(
        f"ALTER TABLE t{i % 20} ADD COLUMN c{i} int;\nALTER TABLE t{i % 20} MODIFY c{i} bigint;\n" for i in range(50))
    before = makings(my)
    told = check(my, text)["asked"]
    made = makings(my) - before
    each = told["measure_ms"] / told["measured"]
    print(f"{my.name}: {told['measured']} statements, {each:.1f} ms each, copies {told['copy_ms']} ms; {made} tables and databases made and dropped")
    assert told["measured"] == 100
    assert each <= 400
    assert made <= 30  # a copy is made of each table, and never again


def makings(my):
    counts = dict(my.query("SHOW GLOBAL STATUS LIKE 'Com\\_%'"))
    return sum(int(counts[f"Com_{name}"]) for name in ("create_table", "drop_table", "create_db", "drop_db"))

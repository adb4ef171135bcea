"""stoa check --url on MySQL and MariaDB: what it says against what the server did with a table that has rows: all cases of
the ladder, and the examples of the rules."""
import json
import os
import re
import subprocess

import pymysql

from test.lib.my_ladder import cases_of
from test.lib.servers import ROOT
from test.lib.stoa import BINARY
from test.server_my.test_ladder import GOES_ON, ask, fresh, prepare, storage

BIN = os.environ.get("STOA_BIN", str(BINARY))
ALARMS = json.loads((ROOT / "test/data/check_alarms.json").read_text())
QUICK = {"instant", "metadata only"}


def check(my, text, *args):
    done = subprocess.run([BIN, "check", "-", "--json", "--url", my.url("shop"), *args], input=text, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode in (0, 4), (text, done.stderr)
    return json.loads(done.stdout)


def costs(told):
    return {one["cost"] for one in told["findings"] if one.get("cost") and one["evidence"] == "measured"}


def test_cases_of_the_ladder(my):
    unsafe, alarms, slow, count = [], [], [], 0
    for case in cases_of(my.name):
        prepare(my, case)
        answer = ask(my.url("shop"), "shop.t", case.sql, more=["shop.parent"])[1]
        if "error" in answer or answer["rung"] == "refused":
            continue
        told = check(my, case.sql)
        count += 1
        stops = answer["rung"] not in GOES_ON | QUICK
        row = (case.name, case.sql[:90], answer["rung"], answer["rebuilds"], told["asked"]["not_measured"],
               [(one["rule"], one["severity"], one["evidence"], one.get("cost")) for one in told["findings"]
                if not one["rule"].endswith("missing")])
        if (stops and "copy" not in costs(told)) or (answer["rebuilds"] and not costs(told) & {"copy", "rebuild"}):
            unsafe.append(row)
        if (costs(told) and answer["rung"] in QUICK) or ("copy" in costs(told) and not stops):
            alarms.append(row)
        slow.append((told["asked"]["measure_ms"], case.name))
    print(f"{count} cases, {sum(ms for ms, _ in slow) / count:.0f} ms each, slowest {max(slow)}")
    print(*unsafe, "--", *alarms, sep="\n")
    assert unsafe == [] and alarms == []


# ---- examples of the rules -------------------------------------------------------------------------

DIGITS = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6)"
REST = ["CREATE TABLE p (id bigint PRIMARY KEY)", "CREATE TABLE u (id bigint PRIMARY KEY)"] + \
       [f"INSERT INTO p SELECT x.d + 10 * y.d FROM {DIGITS} x, {DIGITS} y", "CREATE VIEW v AS SELECT 1 AS one"]
ROWS = "INSERT INTO t (id, a, b) SELECT x.d + 10 * y.d, x.d + 10 * y.d, 1 FROM " + DIGITS + " x, " + DIGITS + " y"
BASES = {
    "plain": ["CREATE TABLE t (id bigint PRIMARY KEY, a bigint, b int, KEY i (a))", ROWS, *REST],
    "number": ["CREATE TABLE t (id bigint PRIMARY KEY, a bigint, b int, c int, KEY i (c))", ROWS, *REST],
    "text": ["CREATE TABLE t (id bigint PRIMARY KEY, a bigint, b int, c varchar(10))", ROWS, *REST],
    "keyless": ["CREATE TABLE t (id bigint, a bigint, b int)", ROWS, *REST],
    "none": REST,
}


def examples(my):
    kind = "mariadb" if my.is_mariadb else "mysql"
    for block in (ROOT / "test/unit/check/rules.txt").read_text().split("\n= ")[1:]:
        rule, engine = block.split("\n")[0].split()[:2]
        if engine != kind:
            continue
        bad, good = re.search(r"\nbad\n(.*?)\ngood\n(.*)", block, re.S).groups()
        for name, text in (("bad", bad.strip()), ("good", good.strip())):
            before, _, after = text.partition("-- applied\n") if "-- applied" in text else ("", "", text)
            if "DELIMITER" not in text and "DATABASE" not in text:
                yield f"{rule} {name}", before, after


def cut(text):
    return [one.strip() for one in re.split(r";(?=(?:[^']*'[^']*')*[^']*$)", text) if one.strip()]


def rebuilt(my, parts):
    """Whether t got new storage; None where something cannot be run."""
    before = storage(my)[0]
    with my.connect("shop") as conn, conn.cursor() as cursor:
        for part in parts:
            try:
                cursor.execute(part.replace("%", "%%"))
            except (pymysql.err.Error, RuntimeError):
                return None
    return bool(set(before) - set(storage(my)[0]))


def test_rules_against_a_populated_table(my):
    wrong, alarms, ran, skipped = [], [], 0, []
    for name, before, text in examples(my):
        for base, schema in ([("applied", [*REST, *cut(before)])] if before else BASES.items()):
            try:
                fresh(my, *schema)
            except pymysql.err.Error:  # the files that have been applied need more than is there
                heavy = None
                continue
            heavy = rebuilt(my, cut(text))
            if heavy is not None:
                break
        if heavy is None:
            skipped.append(name)
            continue
        fresh(my, *schema)
        told = check(my, text)
        ran += 1
        gone = re.search(r"DROP TABLE|TRUNCATE|RENAME TABLE|DROP PARTITION", text)
        said = costs(told)
        row = (name, base, text[:100], [(one["rule"], one["severity"], one["evidence"], one.get("cost")) for one in told["findings"]])
        if heavy and not gone and not said & {"copy", "rebuild"}:
            wrong.append(row)
        if "copy" in said and not heavy and name not in ALARMS["mysql"]:
            alarms.append(row)
    print(f"{ran} examples ran, not: {', '.join(skipped)}")
    print(*wrong, "--", *alarms, sep="\n")
    assert wrong == [] and alarms == []
    assert ran > 5


def test_pending_snapshot_and_row_versions(my, tmp_path):
    fresh(my, "CREATE TABLE t (id int PRIMARY KEY, v varchar(10))", "CREATE TABLE schema_migrations (version varchar(100))",
          "INSERT INTO schema_migrations VALUES ('20240101')", "INSERT INTO t VALUES (1, 'cell')")
    (tmp_path / "20240101_a.sql").write_text("-- migrate:up\nCREATE TABLE t (id int, v varchar(10));\n-- migrate:down\n")
    (tmp_path / "20240102_b.sql").write_text("-- migrate:up\nALTER TABLE t DROP COLUMN v;\n-- migrate:down\n")
    done = subprocess.run([BIN, "check", tmp_path, "--json", "--pending", "--url", my.url("shop")], capture_output=True, text=True,
                          timeout=60)
    told = json.loads(done.stdout)
    assert "drop-column" in [one["rule"] for one in told["findings"]] and told["on_new"] == 0
    file = tmp_path / "s.json"
    done = subprocess.run([BIN, "check", "--snapshot", file, "--url", my.url("shop")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "cell" not in file.read_text() and {one["name"] for one in json.loads(file.read_text())["tables"]} == \
        {"t", "schema_migrations"}
    done = subprocess.run([BIN, "check", "-", "--json", "--snapshot", file], input="ALTER TABLE t MODIFY id bigint NOT NULL;",
                          capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    [copy] = [one for one in told["findings"] if one["rule"] == "change-type-copy"]
    assert copy["severity"] == "note" and copy["evidence"] == "catalog" and told["server_given"]

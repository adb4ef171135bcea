#!/usr/bin/env python3
"""Writes docs/rules.md: the table of rules as the program prints it, and under each rule what servers did with its bad
examples.

  tools/rules_doc.py                    from test/data/check_measured.json and check_measured_my.json
  tools/rules_doc.py --record FILE …    takes over what script/test --check wrote down (build/reports/check.jsonl)
  tools/rules_doc.py --check            fails when the page is not what it would write

A line of check_measured.json: rule, number (which of its blocks in rules.txt), engine (postgres, mysql, mariadb), versions
("10-18", or names of servers), statement, lock (its mode, or the algorithm and what it lets others do), rewrites, reads,
builds, and refused (the server's words) in place of these."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE, DATA = ROOT / "docs/rules.md", ROOT / "test/data/check_measured.json"
BIN = os.environ.get("STOA_BIN", str(ROOT / os.environ.get("STOA_BUILD", "build") / "src/cli/stoa"))
ENGINES = {"postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
DATA_MY = ROOT / "test/data/check_measured_my.json"
SERVERS = {"mariadb-10.11": "MariaDB 10.11", "mariadb-11.8": "MariaDB 11.8", "mysql-9.7": "MySQL 9.7", "mysql-5.6": "MySQL 5.6"}
HEAD_MY = "\n| on a table with rows | server | how | rebuilds | writers wait |\n| --- | --- | --- | --- | --- |\n"
HEAD = "\n| on a table with rows | server | strongest lock | rewrites | reads | builds an index |\n| --- | --- | --- | --- | --- | --- |\n"


def spans(versions):
    """[10, 11, 12, 15] -> "10-12, 15"; names of servers stay names."""
    if not all(isinstance(version, int) for version in versions):
        return ", ".join(sorted(map(str, versions)))
    out, left = [], sorted(versions)
    while left:
        last = left[0]
        while last + 1 in left:
            last += 1
        out.append(str(left[0]) if last == left[0] else f"{left[0]}-{last}")
        left = [version for version in left if version > last]
    return ", ".join(out)


def load():
    return json.loads(DATA.read_text()) if DATA.exists() else []


def record(paths):
    """Equal results of several versions make one row. Engines that were not run keep what they had."""
    groups, places = {}, {}
    for line in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        for place, row in enumerate(line["measured"]):
            groups.setdefault((line["engine"], json.dumps(row, sort_keys=True)), set()).add(line["version"])
            where = (line["engine"], row["rule"], row["number"], row["statement"])
            places[where] = min(place, places.get(where, place))
    fresh = [{"engine": engine, "versions": spans(versions), **json.loads(row)} for (engine, row), versions in groups.items()]
    fresh.sort(key=lambda row: (row["number"], places[row["engine"], row["rule"], row["number"], row["statement"]],
                                first(row["versions"])))
    rows = [row for row in load() if row["engine"] not in {engine for engine, _ in groups}] + fresh
    rows.sort(key=lambda row: (row["rule"], list(ENGINES).index(row["engine"])))
    DATA.write_text("[\n" + ",\n".join(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows) + "\n]\n")


def first(versions):
    number = re.match(r"\d+", versions)
    return (int(number.group(0)) if number else 0, versions)


def cells(row):
    statement = row["statement"].replace("|", "\\|")
    server = f"{ENGINES[row['engine']]} {row['versions'].replace('-', '–')}" if row["engine"] == "postgres" else row["versions"]
    if row.get("refused"):
        words = re.sub(r"(syntax error).*", r"\1", row["refused"]).replace("|", "\\|")
        return f"| `{statement}` | {server} | refused: {words} | | | |\n"
    marks = ["yes" if row[what] else "no" for what in ("rewrites", "reads", "builds")]
    return f"| `{statement}` | {server} | {row['lock'] or '–'} | {' | '.join(marks)} |\n"


def my_tables():
    """Of MySQL and MariaDB, which write down a row a server: equal ones make one row."""
    groups, tables = {}, {}
    for row in json.loads(DATA_MY.read_text()):
        if row["kind"] == "bad":
            told = (row["rule"], row["statement"], row["way"], row["rebuilds"], row["writers_wait"])
            groups.setdefault(told, []).append(row["server"])
    for (rule, statement, way, rebuilds, waits), servers in groups.items():
        names = ", ".join(sorted({SERVERS[server] for server in servers}))
        marks = f"{'yes' if rebuilds else 'no'} | {'yes' if waits else 'no'}"
        tables.setdefault(rule, []).append(f"| `{' '.join(statement.split()).replace('|', chr(92) + '|')}` | {names} | {way} | {marks} |\n")
    return {rule: HEAD_MY + "".join(rows) for rule, rows in tables.items()}


def page():
    text = subprocess.run([BIN, "help", "--rules-page"], capture_output=True, text=True, check=True).stdout
    examples = {}
    for row in load():
        examples.setdefault((row["rule"], row["engine"], row["number"]), []).append(cells(row))
    tables = {}
    for (rule, _, _), rows in examples.items():  # two examples that differ in what is good alone are one here
        if rows not in tables.setdefault(rule, []):
            tables[rule].append(rows)
    out, mine = [], my_tables()
    for section in re.split(r"(?m)^(?=##)", text):
        rule = re.match(r"### (\S+)\n", section)
        rows = tables.pop(rule.group(1), None) if rule else None
        more = mine.pop(rule.group(1), "") if rule else ""
        told = (HEAD + "".join(map("".join, rows)) if rows else "") + more
        out.append(section.rstrip("\n") + "\n" + told + "\n" if told else section)
    tables |= mine
    assert not tables, f"no such rules: {', '.join(tables)}"
    return "".join(out).rstrip("\n") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", nargs="+", type=pathlib.Path, metavar="FILE")
    given = parser.parse_args()
    if given.check:
        if PAGE.read_text() == page():
            return 0
        print("docs/rules.md is stale: run tools/rules_doc.py")
        return 1
    if given.record:
        record(given.record)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())

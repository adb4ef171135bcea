#!/usr/bin/env python3
"""Writes docs/operations.md and docs/changes-mysql.md from what the matrices wrote down.

  tools/operations_doc.py            after script/test --matrix pg       (build/reports/operations.jsonl)
  tools/operations_doc.py --mysql    after script/test --matrix mysql    (build/reports/operations-my.jsonl)
  tools/operations_doc.py --check    fails when a page does not list the operations of its matrix
"""
import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
STRENGTH = ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
            "EXCLUSIVE", "ACCESS EXCLUSIVE"]
NOT_RUN = "not run yet, or not passed"
PHASES = ("prepare", "expand", "backfill", "verify", "constrain", "cutover", "contract")
HEAD = """# Operations

What Stoa does with each change, as the matrix (`script/test --matrix pg`) saw it on PostgreSQL {versions}: the plan, each of its steps on tables with rows, and a run under writers after which every row was compared. The lock is the strongest that any step holds on a table, each for at most `--max-stall`; *reads* and *rewrites* say whether a step holds the table while it reads or rewrites all of it. Steps like VALIDATE read it too, under SHARE UPDATE EXCLUSIVE, which stops neither readers nor writers. Made by `tools/operations_doc.py`; do not edit.

| operation | PostgreSQL | strategy | phases | strongest lock | reads | rewrites |
| --- | --- | --- | --- | --- | --- | --- |
"""
MY_HEAD = """# Changes on MariaDB and MySQL

What Stoa does with each change, as the matrix (`script/test --matrix mysql`) saw it on {versions}: the plan, and a run under writers that insert, update, delete, replace, change keys and exchange unique values, after which the definition and every row were compared byte for byte with what the plain statement made of a twin. *instant* changes the catalog only; *in-place* lets the server build while writers go on; *shadow* copies into a table beside it and swaps. Made by `tools/operations_doc.py`; do not edit.

On these servers, and no others, it was run. MySQL 5.7, 8.0 and 8.4, Percona Server, and MariaDB 10.3 to 10.6 and 11.4 stand on their documentation: the server itself is asked how it would carry a change out there as well, and `stoa plan` and `stoa doctor` say "untested server".

| operation | server | strategy | phases |
| --- | --- | --- | --- |
"""


def spans(versions):
    """[10, 11, 12, 15] -> "10–12, 15"."""
    out, versions = [], sorted(versions)
    while versions:
        last = versions[0]
        while last + 1 in versions:
            last += 1
        out.append(str(versions[0]) if last == versions[0] else f"{versions[0]}–{last}")
        versions = [version for version in versions if version > last]
    return ", ".join(out)


def is_strong(step):
    return step["lock"] in STRENGTH and STRENGTH.index(step["lock"]) >= STRENGTH.index("SHARE")


def phases_of(line):
    return ", ".join(phase for phase in PHASES if any(step["phase"] == phase for step in line["steps"]))


def cells(line):
    """What a row says of one result; equal ones of several versions make one row."""
    if line["outcome"] == "refused":  # in the same words on every version
        reason = re.sub(r"; this server is [\d.]+", "", line["reason"])
        return ("refused", re.sub(r"PostgreSQL [\d.]+ has no", "the server has no", reason))
    steps = line["steps"]
    locks = [step["lock"] for step in steps if step["lock"] in STRENGTH]
    return ("planned", line["strategy"], phases_of(line), max(locks, key=STRENGTH.index).lower() if locks else "–",
            "yes" if any(step["scans"] and is_strong(step) for step in steps) else "no",
            "yes" if any(step["rewrites"] for step in steps) else "no")


def my_cells(line):
    if line["outcome"] == "refused":  # the place's database has another name each time, and writers change its rows
        return ("refused", re.sub(r" \(((\w+, )?-?\d+(; )?)+\)|(\b|`)m\d+`?\.", "", line["reason"]))
    if line["outcome"] == "nothing to do":
        return ("planned", "nothing to do", "–")
    return ("planned", line["strategy"], phases_of(line))


class Book:
    """One page: where its results are, how a result names its server, and what its rows say."""

    def __init__(self, name, results, matrix, module, head, width, server, show, cells_of, partial=False):
        self.page, self.results = ROOT / "docs" / name, ROOT / "build" / "reports" / results
        self.matrix, self.module, self.head, self.width = matrix, module, head, width
        self.server, self.show, self.cells_of, self.partial = server, show, cells_of, partial

    def operations(self):
        sys.path.insert(0, str(ROOT))
        return __import__(self.module, fromlist=["OPERATIONS"]).OPERATIONS

    def write(self, paths):
        latest = {}  # of a test that ran twice the last
        for path in paths or [self.results] * self.results.exists():
            for line in map(json.loads, path.read_text().splitlines()):
                latest[line["operation"], line[self.server]] = line
        results = list(latest.values())
        lines = [self.head.format(versions=self.show({line[self.server] for line in results}) or "no server yet")]
        for operation in self.operations():
            groups = {}
            for line in results:
                if line["operation"] == operation.id:
                    groups.setdefault(self.cells_of(line), set()).add(line[self.server])
            assert groups or self.partial, f"{operation.id} has no result: run script/test --matrix {self.matrix}"
            if not groups:
                lines.append(f"| **{operation.id}**<br>`{operation.change}` | – | {NOT_RUN}{' |' * (self.width - 1)}\n")
            for number, (cell, servers) in enumerate(sorted(groups.items(), key=lambda item: min(item[1]))):
                name = f"**{operation.id}**<br>`{operation.change.replace('|', chr(92) + '|')}`" if number == 0 else ""
                rest = (f"refused: {cell[1].replace('|', chr(92) + '|')}{' |' * (self.width - 2)}" if cell[0] == "refused"
                        else " | ".join(cell[1:]))
                lines.append(f"| {name} | {self.show(servers)} | {rest} |\n")
        self.page.write_text("".join(lines))

    def is_current(self):
        text = self.page.read_text() if self.page.exists() else ""
        listed = [line.split("**")[1] for line in text.splitlines() if line.startswith("| **")]
        wanted = [operation.id for operation in self.operations()]
        if listed != wanted:
            print(f"docs/{self.page.name} is stale: missing {sorted(set(wanted) - set(listed))}, too many "
                  f"{sorted(set(listed) - set(wanted))}; run script/test --matrix {self.matrix}, then tools/operations_doc.py")
        return listed == wanted


def names(servers):
    """{"mariadb-10.11", "mysql-5.6"} -> "MariaDB 10.11, MySQL 5.6"."""
    return ", ".join(name.replace("mariadb-", "MariaDB ").replace("mysql-", "MySQL ") for name in sorted(servers))


BOOKS = {
    "pg": Book("operations.md", "operations.jsonl", "pg", "test.matrix.operations", HEAD, 6, "version", spans, cells),
    "mysql": Book("changes-mysql.md", "operations-my.jsonl", "mysql", "test.matrix_my.operations", MY_HEAD, 3, "server",
                  names, my_cells, partial=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--mysql", action="store_true")
    parser.add_argument("results", nargs="*", type=pathlib.Path)
    given = parser.parse_args()
    if given.check:
        return 0 if all([book.is_current() for book in BOOKS.values()]) else 1
    BOOKS["mysql" if given.mysql else "pg"].write(given.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())

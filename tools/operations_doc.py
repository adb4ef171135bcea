#!/usr/bin/env python3
"""Writes docs/operations.md from what the matrix wrote down (build/reports/operations.jsonl).

  tools/operations_doc.py            after script/test --matrix pg
  tools/operations_doc.py --check    fails when the page does not list the operations of test/matrix/operations.py
"""
import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.md"
RESULTS = ROOT / "build" / "reports" / "operations.jsonl"
STRENGTH = ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
            "EXCLUSIVE", "ACCESS EXCLUSIVE"]
HEAD = """# Operations

What Stoa does with each change, as the matrix (`script/test --matrix pg`) saw it on PostgreSQL {versions}: the plan, each of its steps on tables with rows, and a run under writers after which every row was compared. The lock is the strongest that any step holds on a table, each for at most `--max-stall`; *reads* and *rewrites* say whether a step holds the table while it reads or rewrites all of it. Steps like VALIDATE read it too, under SHARE UPDATE EXCLUSIVE, which stops neither readers nor writers. Made by `tools/operations_doc.py`; do not edit.

| operation | PostgreSQL | strategy | phases | strongest lock | reads | rewrites |
| --- | --- | --- | --- | --- | --- | --- |
"""


def table_of_operations():
    sys.path.insert(0, str(ROOT))
    from test.matrix.operations import OPERATIONS
    return OPERATIONS


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


def cells(line):
    """What a row says of one result; equal ones of several versions make one row."""
    if line["outcome"] == "refused":  # in the same words on every version
        reason = re.sub(r"; this server is [\d.]+", "", line["reason"])
        return ("refused", re.sub(r"PostgreSQL [\d.]+ has no", "the server has no", reason))
    steps = line["steps"]
    locks = [step["lock"] for step in steps if step["lock"] in STRENGTH]
    phases = [phase for phase in ("prepare", "expand", "backfill", "verify", "constrain", "cutover", "contract")
              if any(step["phase"] == phase for step in steps)]
    return ("planned", line["strategy"], ", ".join(phases), max(locks, key=STRENGTH.index).lower() if locks else "–",
            "yes" if any(step["scans"] and is_strong(step) for step in steps) else "no",
            "yes" if any(step["rewrites"] for step in steps) else "no")


def page(results, operations):
    lines = [HEAD.format(versions=spans({line["version"] for line in results}))]
    for operation in operations:
        groups = {}
        for line in results:
            if line["operation"] == operation.id:
                groups.setdefault(cells(line), set()).add(line["version"])
        assert groups, f"{operation.id} has no result: run script/test --matrix pg"
        for number, (cell, versions) in enumerate(sorted(groups.items(), key=lambda item: min(item[1]))):
            name = f"**{operation.id}**<br>`{operation.change.replace('|', chr(92) + '|')}`" if number == 0 else ""
            rest = (f"refused: {cell[1].replace('|', chr(92) + '|')} | | | |" if cell[0] == "refused" else
                    " | ".join(cell[1:]))
            lines.append(f"| {name} | {spans(versions)} | {rest} |\n")
    return "".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("results", nargs="*", default=[RESULTS], type=pathlib.Path)
    given = parser.parse_args()
    operations = table_of_operations()
    if given.check:
        text = PAGE.read_text() if PAGE.exists() else ""
        listed = [line.split("**")[1] for line in text.splitlines() if line.startswith("| **")]
        wanted = [operation.id for operation in operations]
        if listed != wanted:
            print(f"docs/operations.md is stale: missing {sorted(set(wanted) - set(listed))}, "
                  f"too many {sorted(set(listed) - set(wanted))}; run script/test --matrix pg, then tools/operations_doc.py")
            return 1
        return 0
    latest = {}  # of a test that ran twice the last
    for path in given.results:
        for line in map(json.loads, path.read_text().splitlines()):
            latest[line["operation"], line["version"]] = line
    PAGE.write_text(page(list(latest.values()), operations))
    return 0


if __name__ == "__main__":
    sys.exit(main())

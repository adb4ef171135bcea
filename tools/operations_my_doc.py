#!/usr/bin/env python3
"""Writes docs/operations-mysql.md from what the tests of the ladder wrote down (build/reports/ladder.jsonl).

  tools/operations_my_doc.py            after test/server_my/test_ladder.py on all servers
  tools/operations_my_doc.py --check    fails when the page does not list the cases of test/lib/my_ladder.py
"""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations-mysql.md"
RESULTS = ROOT / "build" / "reports" / "ladder.jsonl"
SERVERS = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7", "mysql-5.6"]
HEAD = """# What MySQL and MariaDB do with an ALTER TABLE

Each statement was asked of the server on an empty copy, and then carried out on a table of 2000 rows under a writer: the way that was predicted was taken, the cheaper ones were refused, and the table was rebuilt, or an index built, exactly where that had been said. Made by `tools/operations_my_doc.py`; do not edit.

- **instant**: the catalog only. *†* uses one of the table's row versions (MySQL: 64, from 9.1 on 255).
- **metadata**: in place, no row and no index is written, writers go on.
- **index**: an index is built, writers go on; replicas lag by as long.
- **rebuild**: the table is written anew in place, writers go on; replicas lag by as long.
- **online copy**: MariaDB 11.2 and later copy the rows while writers go on.
- **writers wait**: for as long as it takes (*index* or *rows* are written).
- **refused**: the server does not take the statement.

Where nothing better than the last lines is offered, Stoa copies the table beside the application.

| statement | {servers} |
| --- | {rules} |
"""
WORDS = {"metadata only": "metadata", "nocopy": "index", "online copy": "online copy", "refused": "refused",
         "readers and writers wait": "readers and writers wait"}


def cell(line):
    if line is None:
        return "–"
    if line["rung"] == "instant":
        return "instant †" if line["uses_row_version"] else "instant"
    if line["rung"] == "inplace":
        return "rebuild" if line["rebuilds"] else "index"
    if line["rung"] == "writers wait":
        return f"writers wait ({'rows' if line['rebuilds'] else 'index'})"
    return WORDS[line["rung"]]


def code(sql):
    sql = sql if len(sql) < 110 else sql[:106] + " …"
    return "`" + sql.replace("|", "\\|") + "`"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from test.lib.my_ladder import CASES
    if args.check:
        text = PAGE.read_text()
        missing = [case.name for case in CASES if f"| {case.name}: " not in text]
        print("\n".join(missing) or "all are listed")
        return bool(missing)
    lines = {}
    for text in RESULTS.read_text().splitlines():
        line = json.loads(text)
        lines[line["server"], line["case"]] = line
    servers = [server for server in SERVERS if any(key[0] == server for key in lines)]
    page = HEAD.format(servers=" | ".join(name.replace("mariadb-", "MariaDB ").replace("mysql-", "MySQL ")
                                          for name in servers), rules=" | ".join("---" for _ in servers))
    for case in CASES:
        cells = [cell(lines.get((server, case.name))) for server in servers]
        page += f"| {case.name}: {code(case.sql)} | {' | '.join(cells)} |\n"
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)}: {len(CASES)} statements on {', '.join(servers)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

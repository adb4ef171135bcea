#!/usr/bin/env python3
"""Seeds for fuzz_check: the examples of the rules and the folders of the tools."""
import pathlib
import re
import sys

root, out = map(pathlib.Path, sys.argv[1:3])
SERVERS = {"postgres": 0, "mysql": 1, "mariadb": 2}
count = 0


def seed(first, text):
    global count
    (out / f"seed{count}").write_bytes(bytes([first]) + text.encode())
    count += 1


for block in (root / "test/unit/check/rules.txt").read_text().split("\n= ")[1:]:
    server = block.split()[1]
    for part in re.split(r"\n(?:bad|good)\n", block)[1:]:
        seed(SERVERS[server], part)
for file in (root / "test/data/folders").rglob("*.sql"):
    seed(3 if "mysql" in str(file) else 4, file.read_text())

"""Writes the texts of the MySQL and MariaDB unit tests as seeds for their fuzzer: seeds_my.py ROOT CORPUS."""

import hashlib
import pathlib
import re
import sys

root, corpus = (pathlib.Path(arg) for arg in sys.argv[1:])
dialects = {"mysql": 2, "mysql57": 1, "mysql9": 3, "maria": 5, "ansi": 10, "plain": 18}
for name in ("test_my_lex.c", "test_my_parse.c"):
    text = (root / "test" / "unit" / name).read_bytes().decode("latin-1")
    for dialect, case in re.findall(r'\{&(\w+),\s*((?:"(?:[^"\\\n]|\\.)*"\s*)+),', text):
        parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', case)
        seed = bytes([dialects[dialect]]) + "".join(parts).encode("latin-1").decode("unicode_escape").encode("latin-1")
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)

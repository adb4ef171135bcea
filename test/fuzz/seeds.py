"""Writes the texts of the unit tests' cases as seeds for the fuzzer: seeds.py ROOT CORPUS."""

import hashlib
import pathlib
import re
import sys

root, corpus = (pathlib.Path(arg) for arg in sys.argv[1:])
for name in ("test_change.c", "test_expr.c"):
    text = (root / "test" / "unit" / name).read_text()
    for case in re.findall(r'((?:"(?:[^"\\\n]|\\.)*"\s*)+)', text):
        parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', case)
        seed = "".join(parts).encode().decode("unicode_escape").encode("latin-1")
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)

"""Writes the texts of unit tests' cases as seeds for the fuzzer: seeds.py ROOT CORPUS TEST…"""

import hashlib
import pathlib
import re
import sys

root, corpus = (pathlib.Path(arg) for arg in sys.argv[1:3])
for name in sys.argv[3:]:
    text = (root / "test" / "unit" / name).read_text()
    for case in re.findall(r'((?:"(?:[^"\\\n]|\\.)*"\s*)+)', text):
        parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', case)
        seed = "".join(parts).encode().decode("unicode_escape").encode("latin-1")
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)

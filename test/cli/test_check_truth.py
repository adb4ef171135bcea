"""What check says by rule against what servers did: the statements of test_probe.py, which holds the same table
against PostgreSQL 10 to 18. No statement that reads, writes or builds under a strong lock may pass as safe."""
import json
import os
import re
import subprocess

import pytest

from test.lib.stoa import BINARY
from test.server.probe_cases import CASES
from test.server.test_probe import SCHEMA, SCHEMA_11

BIN = os.environ.get("STOA_BIN", str(BINARY))
# Refused because applications or rows depend on what goes, not because of locks.
LOSES = {"drop-column", "rename-column", "rename-table", "set-schema", "drop-table", "rename-schema", "truncate",
         "rename-enum-value", "drop-cascade", "drop-view", "truncate-cascade", "drop-schema"}
# Blocked although the probe saw neither a scan nor a rewrite, and why.
ALARMS = {
    "CREATE INDEX IF NOT EXISTS orders_amount ON orders (qty)": "the index is there already; SHARE is taken all the same",
    "VACUUM FULL orders": "it cannot run in the probe's transaction",
}


def truth(told, version):
    if isinstance(told, str):
        return told
    held = [words for since, words in sorted(told.items()) if since <= version]
    return held[-1] if held else None


def findings(folder, sql, version, known):
    """`known`: the schema is in sight, as files that have been applied."""
    (folder / "0.sql").write_text((SCHEMA + (SCHEMA_11 if version >= 11 else "")) if known else "SELECT 1;")
    (folder / "1.sql").write_text(sql + ";")
    done = subprocess.run([BIN, "check", folder / "0.sql", folder / "1.sql", "--applied", "0.sql", "--json", "--engine",
                           "postgres", "--server-version", str(version)], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return json.loads(done.stdout)["findings"]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("server", [10, 15, 18])
def test_no_false_safe(server, known, tmp_path):
    unsafe, alarms, silent = [], [], []
    for sql, told in ((case[0], truth(case[1], server)) for case in CASES):
        if told is None or told.startswith("error"):
            continue
        said = findings(tmp_path, sql, server, known)
        rules = [(one["rule"], one["severity"], one["evidence"]) for one in said
                 if not one["rule"].endswith("timeout-missing")]
        strong = re.search(r"\b(AEX|SRE|SHARE|EXCL)\b", told)
        heavy = strong and re.search(r"rewrites|builds|scans", told)
        if heavy and not any(severity == "block" or evidence == "unknown" for _, severity, evidence in rules):
            unsafe.append((sql, told, rules))
        blocked = [rule for rule, severity, evidence in rules
                   if severity == "block" and evidence != "unknown" and rule not in LOSES]
        if not heavy and blocked and sql not in ALARMS:
            alarms.append((sql, told, blocked))
        on_table = re.search(r"\b(AEX|SRE|SHARE|EXCL)\b", told.split("; indexes")[0])
        if on_table and "lock-timeout-missing" not in {one["rule"] for one in said} and "FUNCTION" not in sql:
            silent.append((sql, told, rules))
    assert unsafe == [] and alarms == [] and silent == []

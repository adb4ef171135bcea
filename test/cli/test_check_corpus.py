"""A corpus of statements with what they do to a table in use: none that hurts may pass as safe, and what is an alarm
beyond that says why."""
import json
import os
import subprocess

import pytest

from test.cli.test_check import BIN, ROOT

DATA = ROOT / "test" / "data" / "check"
SERVERS = {"corpus_pg": ("postgres", "15"), "corpus_my": ("mysql", "8.0.36"), "corpus_maria": ("mariadb", "10.11")}
RANKS = {"safe": 0, "look": 1, "hurts": 2}
# Every statement without a timeout is one that waits for ever; that is the same for all of them.
QUIET = ("timeout-missing", "statement-timeout-missing", "lock-wait-timeout-missing")


def cases(name):
    verdict = None
    for line in (DATA / f"{name}.txt").read_text().splitlines():
        if line.startswith("= "):
            verdict = line[2:]
        elif line and line[0] != "#":
            sql, _, reason = line.partition(" -- alarm: ")
            yield sql, verdict, reason


def judged(folder, name, sql):
    engine, version = SERVERS[name]
    (folder / "1.sql").write_text(sql + ";\n")
    done = subprocess.run([BIN, "check", DATA / f"{name}.sql", folder / "1.sql", "--applied", f"{name}.sql", "--json",
                           "--engine", engine, "--server-version", version], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    said = [one for one in json.loads(done.stdout)["findings"] if not one["rule"].endswith(QUIET)]
    worst = max((["note", "warn", "block"].index(one["severity"]) for one in said), default=0)
    unknown = any(one["evidence"] == "unknown" and one["severity"] != "note" for one in said)
    return worst, unknown, [(one["rule"], one["severity"], one["evidence"]) for one in said]


@pytest.mark.parametrize("name", SERVERS)
def test_corpus(name, tmp_path):
    false_safe, alarms, needless = [], [], []
    for sql, verdict, reason in cases(name):
        worst, unknown, said = judged(tmp_path, name, sql)
        if verdict == "unknown":
            if not any(evidence == "unknown" for _, _, evidence in said) and worst < 2:
                false_safe.append((sql, said))
            continue
        if worst < RANKS[verdict] and not unknown:
            false_safe.append((sql, verdict, said))
        alarm = worst > RANKS[verdict]
        if alarm and not reason:
            alarms.append((sql, verdict, said))
        if reason and not alarm:
            needless.append((sql, reason))
    print(*false_safe, "--", *alarms, sep="\n")
    assert false_safe == [] and alarms == [] and needless == []


def test_it_is_large_enough():
    assert sum(1 for name in SERVERS for _ in cases(name)) >= 300

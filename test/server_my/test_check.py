"""What check says by rule of MySQL and MariaDB against what the server answers on a clone: no statement that stops
writers, or writes the table anew, may pass as safe."""
import json
import os
import subprocess

from test.lib.my_ladder import CASES, PARENT, cases_of
from test.lib.stoa import BINARY
from test.server_my.test_ladder import GOES_ON, ask, fresh

BIN = os.environ.get("STOA_BIN", str(BINARY))

# What no text can show: it hangs on rows, on the server's settings or on what the table has been through.
UNSEEN = {}


def findings(folder, my, case):
    made = ";\n".join([PARENT, case.table, *case.more])
    (folder / "0.sql").write_text(made + ";\n")
    (folder / "1.sql").write_text(case.sql + ";\n")
    version = ".".join(map(str, my.version[:3]))
    done = subprocess.run([BIN, "check", folder / "0.sql", folder / "1.sql", "--applied", "0.sql", "--json", "--engine",
                           "mariadb" if my.is_mariadb else "mysql", "--server-version", version],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return json.loads(done.stdout)["findings"]


def test_no_false_safe(my, tmp_path):
    unsafe, alarms = [], []
    for case in cases_of(my.name):
        fresh(my, PARENT, case.table, *case.more)
        answer = ask(my.url("shop"), "shop.t", case.sql, more=["shop.parent"])[1]
        if "error" in answer or answer["rung"] == "refused":
            continue
        said = findings(tmp_path, my, case)
        worst = max((["note", "warn", "block"].index(one["severity"]) for one in said
                     if not one["rule"].endswith("timeout-missing") and one["rule"] != "replica-lag"), default=-1)
        unknown = any(one["evidence"] == "unknown" for one in said)
        stops = answer["rung"] not in GOES_ON | {"instant", "metadata only"}
        told = (case.name, case.sql[:90], answer["rung"], answer["rebuilds"],
                [(one["rule"], one["severity"], one["evidence"]) for one in said if not one["rule"].endswith("missing")])
        if case.name in UNSEEN:
            continue
        if (stops and worst < 2 and not unknown) or (answer["rebuilds"] and worst < 1 and not unknown):
            unsafe.append(told)
        copying = [one["rule"] for one in said if one["severity"] == "block" and one["evidence"] == "rule" and
                   ("copy" in one["rule"] or "copies" in one["message"])]
        if copying and not stops and not answer["rebuilds"]:
            alarms.append(told)
    assert len(CASES) > 50
    print(*unsafe, "--", *alarms, sep="\n")
    assert unsafe == [] and alarms == []

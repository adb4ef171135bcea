"""stoa check --url on MySQL and MariaDB: what it says against what the server did with a table that has rows: all cases of
the ladder (the examples of the rules: test_check_rules.py); state tables and snapshots."""
import json
import os
import subprocess

import pytest

from test.lib.my_ladder import cases_of
from test.lib.stoa import BINARY
from test.server_my.test_ladder import GOES_ON, ask, fresh, prepare, storage

BIN = os.environ.get("STOA_BIN", str(BINARY))
QUICK = {"instant", "metadata only"}


def check(my, text, *args):
    done = subprocess.run([BIN, "check", "-", "--json", "--url", my.url("shop"), *args], input=text, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode in (0, 4), (text, done.stderr)
    return json.loads(done.stdout)


def costs(told):
    return {one["cost"] for one in told["findings"] if one.get("cost") and one["evidence"] == "measured"}


def as_written(my, case):
    """A mere renaming, as it is written. MySQL 5.6 copies the table when a way is asked of it, and only then."""
    before = storage(my)
    my.query(case.sql, "shop")
    same = storage(my) == before
    prepare(my, case)
    return {"rung": "metadata only" if same else "writers wait", "rebuilds": not same}


@pytest.fixture
def strict(my):
    """Sessions of the server are as strict as those of the ladder, which MySQL 5.6 does not begin with."""
    before = my.query("SELECT @@GLOBAL.sql_mode")[0][0]
    my.query("SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'")
    yield
    my.query(f"SET GLOBAL sql_mode = '{before}'")


def test_cases_of_the_ladder(my, strict):
    unsafe, alarms, slow, count = [], [], [], 0
    for case in cases_of(my.name):
        prepare(my, case)
        answer = ask(my.url("shop"), "shop.t", case.sql, more=["shop.parent"])[1]
        if "error" in answer or answer["rung"] == "refused":
            continue
        if case.moved != "t":
            answer |= as_written(my, case)
        told = check(my, case.sql)
        count += 1
        stops = answer["rung"] not in GOES_ON | QUICK
        row = (case.name, case.sql[:90], answer["rung"], answer["rebuilds"], told["asked"]["not_measured"],
               [(one["rule"], one["severity"], one["evidence"], one.get("cost")) for one in told["findings"]
                if not one["rule"].endswith("missing")])
        if (stops and "copy" not in costs(told)) or (answer["rebuilds"] and not costs(told) & {"copy", "rebuild"}):
            unsafe.append(row)
        if (costs(told) and answer["rung"] in QUICK) or ("copy" in costs(told) and not stops):
            alarms.append(row)
        slow.append((told["asked"]["measure_ms"], case.name))
    print(f"{count} cases, {sum(ms for ms, _ in slow) / count:.0f} ms each, slowest {max(slow)}")
    print(*unsafe, "--", *alarms, sep="\n")
    assert unsafe == [] and alarms == []


def test_pending_snapshot_and_row_versions(my, tmp_path):
    fresh(my, "CREATE TABLE t (id int PRIMARY KEY, v varchar(10))", "CREATE TABLE schema_migrations (version varchar(100))",
          "INSERT INTO schema_migrations VALUES ('20240101')", "INSERT INTO t VALUES (1, 'cell')")
    (tmp_path / "20240101_a.sql").write_text("-- migrate:up\nCREATE TABLE t (id int, v varchar(10));\n-- migrate:down\n")
    (tmp_path / "20240102_b.sql").write_text("-- migrate:up\nALTER TABLE t DROP COLUMN v;\n-- migrate:down\n")
    done = subprocess.run([BIN, "check", tmp_path, "--json", "--pending", "--url", my.url("shop")], capture_output=True, text=True,
                          timeout=60)
    told = json.loads(done.stdout)
    assert "drop-column" in [one["rule"] for one in told["findings"]] and told["on_new"] == 0
    file = tmp_path / "s.json"
    done = subprocess.run([BIN, "check", "--snapshot", file, "--url", my.url("shop")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "cell" not in file.read_text() and {one["name"] for one in json.loads(file.read_text())["tables"]} == \
        {"t", "schema_migrations"}
    done = subprocess.run([BIN, "check", "-", "--json", "--snapshot", file], input="ALTER TABLE t MODIFY id bigint NOT NULL;",
                          capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    [copy] = [one for one in told["findings"] if one["rule"] == "change-type-copy"]
    assert copy["severity"] == "note" and copy["evidence"] == "catalog" and told["server_given"]


def test_fix_leaves_what_has_been_applied(my, tmp_path):
    """A change set that the state table has, in a file with one that it has not."""
    fresh(my, "CREATE TABLE t (id int PRIMARY KEY, v varchar(10))", "CREATE TABLE DATABASECHANGELOG (id varchar(50), author varchar(50))",
          "INSERT INTO DATABASECHANGELOG VALUES ('1', 'me')")
    file = tmp_path / "changes.sql"
    file.write_text("--liquibase formatted sql\n--changeset me:1\nALTER TABLE t ADD COLUMN a int;\n"
                    "--changeset me:2\nALTER TABLE t ADD COLUMN b int;\n")
    done = subprocess.run([BIN, "check", tmp_path, "--fix", "--pending", "--url", my.url("shop")], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    first, second = file.read_text().split("--changeset me:2\n")
    assert first == "--liquibase formatted sql\n--changeset me:1\nALTER TABLE t ADD COLUMN a int;\n"
    assert "lock_wait_timeout" in second

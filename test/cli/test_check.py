"""stoa check without a server: files, folders, formats, silencing, baselines, exit codes."""
import json
import os
import pathlib
import re
import subprocess
import time
import xml.etree.ElementTree as xml

import pytest

from test.lib.servers import ROOT
from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
FOLDERS = ROOT / "test" / "data" / "folders"
BAD = "ALTER TABLE orders DROP COLUMN x;\n"
QUIET = ["--rule", "lock-timeout-missing=off", "--rule", "statement-timeout-missing=off"]
FORMATS = ["text", "json", "sarif", "github", "gitlab", "checkstyle"]


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rules(self):
        return [finding["rule"] for finding in self.json["findings"]]

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def check(*args, stdin="", code=None, cwd=None):
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STOA_", "LC_", "LANG"))}
    done = Outcome(subprocess.run([BIN, "check", *map(str, args)], input=stdin, capture_output=True, text=True,
                                  timeout=120, env={**plain, "LC_ALL": "C.UTF-8"}, cwd=cwd))
    assert code is None or done.code == code, str(done)
    return done


def findings(*args, stdin=""):
    return check(*args, "--json", stdin=stdin).json["findings"]


# ---- the verb --------------------------------------------------------------------------------------


def test_clean_is_silent_and_zero():
    done = check("-", *QUIET, stdin="SET lock_timeout = '2s';\nALTER TABLE t ADD COLUMN c int;\n", code=0)
    assert done.out == ""
    assert re.match(r"no findings in 2 statements of 1 file, for PostgreSQL 14, the oldest in care", done.err)


def test_text_shows_place_line_and_caret():
    done = check("-", *QUIET, "--stdin-filepath", "db/V1.sql", stdin="SELECT 1;\nALTER TABLE orders\n  DROP COLUMN ä;\n",
                 code=4)
    lines = done.out.splitlines()
    assert lines[0].startswith("db/V1.sql:3:3: block: dropping orders.\"ä\" loses its data")
    assert lines[0].endswith("[drop-column]")
    assert lines[1] == "    3 |   DROP COLUMN ä;"
    assert lines[2] == "      |   ^^^^^^^^^^^^^"


@pytest.mark.parametrize("least,code", [("block", 0), ("warn", 4), ("note", 4), ("never", 0)])
def test_fail_on(least, code):
    check("-", "--fail-on", least, stdin="ALTER TABLE t ALTER COLUMN c DROP NOT NULL;", code=code)


def test_usage_errors_exit_2(tmp_path):
    for args in (["no-such-file.sql"], ["--server-version", "9.6", "-"], ["--rule", "nothing=warn", "-"],
                 ["--rule", "drop-column=loud", "-"], ["--explain", "nothing"], ["--applied", "V9", "-"], [tmp_path],
                 ["--baseline", __file__, "-"], ["--since", "HEAD", tmp_path], ["--format", "yaml"]):
        done = check(*args, stdin="SELECT 1;")
        assert done.code == 2 and done.err.startswith("error: "), (args, str(done))


def test_not_text_is_refused(tmp_path):
    (tmp_path / "a.sql").write_bytes(b"SELECT 1;\0")
    check(tmp_path / "a.sql", code=2)
    (tmp_path / "a.sql").write_bytes(b"COMMENT ON TABLE t IS '\xe4';\nALTER TABLE t DROP COLUMN c;\n")
    assert "drop-column" in check(tmp_path / "a.sql", "--json").rules


def test_what_is_not_understood_is_never_clean():
    done = check("-", "--json", stdin="FROBNICATE t;\nSELECT 1;\nCALL p();\n", code=4)
    assert done.json["unknown"] == 2 and done.json["statements"] == 3
    assert {finding["evidence"] for finding in done.json["findings"]} == {"unknown"}
    assert done.rules == ["syntax-unknown", "unknown-statement"]


def test_json_keeps_the_contract():
    done = check("-", *QUIET, "--json", "--stdin-filepath", "m.sql", stdin="SELECT 1;\n" + BAD, code=4)
    assert done.json["v"] == 1 and done.json["statements"] == 2 and done.json["unknown"] == 0
    [finding] = done.json["findings"]
    assert finding["file"] == "m.sql" and (finding["line"], finding["column"]) == (2, 20)
    assert finding["severity"] == "block" and finding["rule"] == "drop-column" and finding["object"] == "orders"
    assert finding["evidence"] == "rule" and finding["safer"] is None and finding["message"]
    assert check("-", *QUIET, "--format", "json", "--stdin-filepath", "m.sql", stdin="SELECT 1;\n" + BAD).out == done.out


def test_several_files_are_one_deployment(tmp_path):
    (tmp_path / "V10__b.sql").write_text("ALTER TABLE t ALTER COLUMN c SET NOT NULL;")
    (tmp_path / "V9__a.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY, c int);")
    done = check(tmp_path / "V10__b.sql", tmp_path / "V9__a.sql", *QUIET, "--json", code=0)
    assert done.json["on_new"] == 1 and done.json["tool"] == "Flyway"


def test_engine_by_option_and_text():
    for args, text, server in ((["--engine", "mariadb"], "SELECT 1;", "MariaDB 10.6"),
                               (["--engine", "mysql"], "SELECT 1;", "MySQL 8.0"),
                               (["--engine", "mariadb", "--server-version", "11.4"], "SELECT 1;", "MariaDB 11.4"),
                               ([], "ALTER TABLE `t` MODIFY COLUMN `c` int UNSIGNED;", "MySQL 8.0"),
                               (["--server-version", "15.3"], "SELECT 1;", "PostgreSQL 15.3")):
        done = check("-", "--json", *args, stdin=text)
        assert done.json["server"] == server, (args, str(done))
    lost = check("-", "--url", "postgres://u:secret@127.0.0.1:1/d", stdin="SELECT 1;", code=7)
    assert "secret" not in lost.out + lost.err
    assert "--url" in check("-", "--pending", stdin="SELECT 1;", code=2).err


# ---- rules -----------------------------------------------------------------------------------------


def test_list_and_explain():
    table = check("--list-rules", "--json", code=0).json["rules"]
    listed = check("--list-rules", code=0).out
    assert len(table) > 150
    for rule in table:
        assert re.search(rf" {rule['id']}\b", listed), rule["id"]
        told = check("--explain", rule["id"], code=0).out
        assert told.startswith(rule["id"]) and rule["why"].split()[0] in told
        for alias in rule["aliases"]:
            assert rule["id"] in check("--explain", alias.split("/")[1], code=0).out
    assert check("--explain", "set-not-null").err.count("did you mean set-not-null-scan?") == 1


def test_every_squawk_rule_has_a_row():
    """The names of squawk 2.66's rules, by its own documentation."""
    names = """adding-field-with-default adding-foreign-key-constraint adding-not-nullable-field adding-required-field
        adding-serial-primary-key-field ban-alter-domain-with-add-constraint ban-char-field
        ban-concurrent-index-creation-in-transaction ban-create-domain-with-constraint ban-drop-column ban-drop-database
        ban-drop-not-null ban-drop-table ban-truncate-cascade ban-uncommitted-transaction changing-column-type
        constraint-missing-not-valid disallowed-unique-constraint identifier-too-long prefer-bigint-over-int
        prefer-bigint-over-smallint prefer-identity prefer-robust-stmts prefer-text-field prefer-timestamp-tz
        renaming-column renaming-table require-concurrent-index-creation require-concurrent-index-deletion
        require-concurrent-partition-detach require-concurrent-reindex require-enum-value-ordering require-table-schema
        require-timeout-settings transaction-nesting ban-duplicate-column-assignments prefer-repack""".split()
    for name in names:
        check("--explain", name, code=0)


def test_rules_page_is_fresh():
    done = subprocess.run([ROOT / "tools/rules_doc.py", "--check"], capture_output=True, text=True, env={**os.environ, "STOA_BIN": BIN})
    assert done.returncode == 0, done.stdout + done.stderr


def test_severity_by_option():
    [finding] = findings("-", *QUIET, "--rule", "ban-drop-column=note", stdin=BAD)
    assert finding["severity"] == "note"
    assert findings("-", *QUIET, "--rule", "drop-column=off", stdin=BAD) == []
    assert "not-rerunnable" in check("-", "--rule", "not-rerunnable=warn", "--json",
                                     stdin="CREATE TABLE a (id bigint PRIMARY KEY); SELECT 1;").rules


# ---- silencing -------------------------------------------------------------------------------------


def test_silencers():
    text = "-- stoa: ignore drop-column until 2999-12-31: the application is out\n" + BAD
    assert check("-", *QUIET, stdin=text, code=0).err.count("1 finding silenced by a comment") == 1
    assert check("-", *QUIET, "--json", stdin=text.replace("2999", "2019")).rules == ["silence-expired", "drop-column"]
    assert check("-", *QUIET, "--json", stdin=text.replace("drop-column", "drop-table")).rules == \
        ["silence-unused", "drop-column"]
    assert check("-", *QUIET, "--json", stdin=text.replace("2999-12-31", "tomorrow")).rules == ["silence-malformed"]
    assert check("-", *QUIET, "--json", stdin="/* stoa: ignore-file: a dump */\n" + BAD * 3).rules == []


def test_silencers_do_not_disturb_plan():
    """The same file is read by plan and apply: there they are comments."""
    done = subprocess.run([BIN, "plan", "-f", "-", "--url", "postgres://127.0.0.1:1/x"], capture_output=True, text=True,
                          input="-- stoa: ignore drop-column: gone\nALTER TABLE t ADD COLUMN c int;", timeout=60)
    assert done.returncode == 7, done.stderr  # it gets as far as the server


def test_baseline(tmp_path):
    file, base = tmp_path / "a.sql", tmp_path / "base.json"
    file.write_text(BAD)
    check(file, "--write-baseline", base, code=0)
    assert json.loads(base.read_text())["v"] == 1
    assert check(file, "--baseline", base, code=0).out == ""
    file.write_text("\n\n" + BAD.replace(" DROP", "\n  DROP"))  # moved and laid out anew
    check(file, "--baseline", base, code=0)
    file.write_text(BAD + BAD)  # once more than the baseline knows
    assert "drop-column" in check(file, "--baseline", base, "--json", code=4).rules


# ---- formats ---------------------------------------------------------------------------------------

NASTY = ("-- 100%, <&\">, ä\nALTER TABLE \"a,b:c%<&'\"\n  DROP COLUMN \"x\ny\";\n"
         "ALTER TABLE t ALTER COLUMN c SET NOT NULL;\nALTER TABLE t ALTER COLUMN c SET NOT NULL;\n")


def test_sarif():
    log = check("-", "--format", "sarif", "--stdin-filepath", "a dir/ä.sql", stdin=NASTY, code=4).json
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "stoa" and run["columnKind"] == "unicodeCodePoints"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert {rule["defaultConfiguration"]["level"] for rule in rules} <= {"none", "note", "warning", "error"}
    assert len(run["results"]) >= 4
    for result in run["results"]:
        assert set(result) <= {"ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints",
                               "properties"}
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("note", "warning", "error") and result["message"]["text"]
        [location] = result["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "a%20dir/%C3%A4.sql"
        region = physical["region"]
        assert all(isinstance(region[key], int) and region[key] >= 1 for key in
                   ("startLine", "startColumn", "endLine", "endColumn"))
        assert (region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"])


def test_gitlab():
    report = check("-", "--format", "gitlab", "--stdin-filepath", "a.sql", stdin=NASTY, code=4).json
    assert isinstance(report, list) and len({entry["fingerprint"] for entry in report}) == len(report) >= 4
    for entry in report:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= set(entry)
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["path"] == "a.sql" and entry["location"]["lines"]["begin"] >= 1
    assert check("-", "--format", "gitlab", stdin="SELECT 1;").json == []


def test_github():
    lines = check("-", "--format", "github", "--stdin-filepath", "a,b:c%.sql", stdin=NASTY, code=4).out.splitlines()
    form = re.compile(r"::(error|warning|notice) file=a%2Cb%3Ac%25\.sql,line=\d+,endLine=\d+,(col=\d+,endColumn=\d+,)?"
                      r"title=[a-z0-9-]+::.+")
    assert len(lines) >= 4
    assert all(form.fullmatch(line) for line in lines), lines


def test_checkstyle():
    root = xml.fromstring(check("-", "--format", "checkstyle", "--stdin-filepath", "a<&\">.sql", stdin=NASTY, code=4).out)
    assert root.tag == "checkstyle"
    [file] = root.findall("file")
    assert file.get("name") == "a<&\">.sql"
    for error in file.findall("error"):
        assert int(error.get("line")) >= 1 and int(error.get("column")) >= 1
        assert error.get("severity") in ("error", "warning", "info") and error.get("source").startswith("stoa.")
    assert len(xml.fromstring(check("-", "--format", "checkstyle", stdin="SELECT 1;").out)) == 0


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_formats_of_other_verbs(form, tmp_path):
    """What rehearse writes, and check does not, is refused rather than written as text; from stoa.yaml, too."""
    done = check("-", "--format", form, stdin=NASTY, code=2)
    assert done.out == "" and "sarif" in done.err and "write text, json, sarif, github, gitlab or checkstyle" in done.err
    file = tmp_path / "stoa.yaml"
    file.write_text(f"rehearse:\n  format: {form}\n")
    check("-", "--config", file, stdin=NASTY, code=4)
    file.write_text(f"check:\n  format: {form}\n")
    assert form in check("-", "--config", file, stdin=NASTY, code=2).err


def test_all_formats_tell_the_same():
    counts = {}
    for form in FORMATS:
        out = check("-", "--format", form, stdin=NASTY, code=4).out
        counts[form] = {"text": lambda: len(re.findall(r"^<stdin>:", out, re.M)),
                        "json": lambda: len(json.loads(out)["findings"]),
                        "sarif": lambda: len(json.loads(out)["runs"][0]["results"]),
                        "github": lambda: len(out.splitlines()),
                        "gitlab": lambda: len(json.loads(out)),
                        "checkstyle": lambda: out.count("<error ")}[form]()
    assert len(set(counts.values())) == 1, counts


# ---- folders ---------------------------------------------------------------------------------------


def outcome(folder, *args):
    """Rules by file name, quiet ones left out."""
    done = check(FOLDERS / folder, *QUIET, "--rule", "statement-after-strong-lock=off", "--json", *args)
    res = {}
    for finding in done.json["findings"]:
        name = str(pathlib.Path(finding["file"]).relative_to(FOLDERS / folder))
        res.setdefault(name, []).append(finding["rule"])
    return res, done.json


@pytest.mark.parametrize("folder,tool,expected", [
    ("flyway", "Flyway", {"V2__amount.sql": ["drop-column"], "V11__mixed.sql": ["concurrently-in-transaction"],
                          "R__view.sql": ["replace-view"]}),
    ("liquibase", "Liquibase", {"changelog.sql": ["concurrently-in-transaction"]}),
    ("dbmate", "dbmate", {"20240103000000_two.sql": ["concurrently-in-transaction"] * 2}),
    ("goose", "goose", {"00010_wrapped.sql": ["concurrently-in-transaction"]}),
    ("golang-migrate", "golang-migrate", {"000010_two.up.sql": ["concurrently-in-transaction"]}),
    ("sqitch", "sqitch", {}),
    ("atlas", "Atlas", {"20240103000000_wrapped.sql": ["concurrently-in-transaction"]}),
    ("rails", "Rails", {"structure.sql": ["timestamp-without-zone"]}),
    ("django", "Django", {"0002_vip.sql": ["create-index-blocks", "opaque-operation"]}),
    ("prisma", "Prisma", {"20240101000000_init/migration.sql": ["integer-key"],
                          "20240103000000_two/migration.sql": ["concurrently-in-transaction"]}),
])
def test_folders(folder, tool, expected):
    found, whole = outcome(folder)
    assert whole["tool"] == tool
    assert found == expected


def test_folder_of_mysql():
    found, whole = outcome("flyway-mysql")
    assert whole["server"] == "MySQL 8.0" and "change-type-copy" in found["V2__state.sql"]
    assert not any(finding["object"] == "orders" for finding in whole["findings"]), "an earlier file makes it"


@pytest.mark.parametrize("folder,rules", [
    ("flyway", {"U2__amount.sql": ["drop-table"]}),
    ("dbmate", {"20240101000000_orders.sql": ["drop-table"],
                "20240103000000_two.sql": ["drop-index-blocks", "drop-index-in-use"]}),
    ("golang-migrate", {"000001_orders.down.sql": ["drop-table"],
                        "000010_two.down.sql": ["drop-index-blocks", "drop-index-in-use"]}),
    ("sqitch", {"revert/orders.sql": ["drop-table"]}),
])
def test_the_way_back(folder, rules):
    found, _ = outcome(folder, "--down")
    for name, wanted in rules.items():
        assert found[name] == wanted, found


def test_order_and_applied():
    """V10 comes behind V9; tables of files that have been applied have rows."""
    found, whole = outcome("flyway", "--applied", "1")
    assert found["V2__amount.sql"] == ["set-not-null-scan", "drop-column", "several-tables-locked"]
    assert whole["on_new"] == 0
    found, _ = outcome("sqitch", "--applied", "orders.sql")
    assert found == {"deploy/amount.sql": ["set-not-null-scan"]}
    found, _ = outcome("flyway", "--applied", "V10__index.sql")
    assert set(found) == {"V11__mixed.sql", "R__view.sql"}


def test_twins_and_broken_files(tmp_path):
    (tmp_path / "V1__a.sql").write_text("SELECT 1;")
    (tmp_path / "V1__b.sql").write_text("SELECT 1;")
    assert check(tmp_path, "--json").rules == ["migration-version-twice"]
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "1_a.sql").write_text("-- +goose Down\nSELECT 1;\n-- +goose up\nSELECT 2;")
    (tmp_path / "2_a.sql").write_text("-- migrate:up\nALTER TABEL;\nALTER TABLE t DROP COLUMN c;\n")
    assert set(check(tmp_path, *QUIET, "--json").rules) == {"syntax-unknown", "drop-column"}


def test_since(tmp_path):
    def git(*args):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *args], check=True,
                       capture_output=True)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "V1__a.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY, c int);\n" + BAD)
    (tmp_path / "m" / "V2__b.sql").write_text("SELECT 1;\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "a")
    (tmp_path / "m" / "V2__b.sql").write_text("ALTER TABLE t ALTER COLUMN c SET NOT NULL;\n")
    (tmp_path / "m" / "V3__c.sql").write_text("ALTER TABLE t DROP COLUMN c;\n")
    for args, cwd in (([tmp_path / "m"], None), (["m"], tmp_path), (["."], tmp_path / "m"),
                      ([tmp_path / "m" / name for name in ("V1__a.sql", "V2__b.sql", "V3__c.sql")], None)):
        done = check(*args, *QUIET, "--since", "HEAD", "--json", cwd=cwd)
        assert done.rules == ["set-not-null-scan", "drop-column"], (args, str(done))
        assert done.json["files"] == 2


# ---- speed -----------------------------------------------------------------------------------------


def test_ten_thousand_statements(tmp_path):
    """The bound is loose, since other tests run beside it; bench figures stand in docs/check.md."""
    text = "SET lock_timeout = '1s';\nSET statement_timeout = '5s';\n" + "".join(
        f"ALTER TABLE public.t{i % 200} ADD COLUMN IF NOT EXISTS c{i} bigint;\n" for i in range(10000))
    file = tmp_path / "a.sql"
    file.write_text(text)
    started = time.monotonic()
    with subprocess.Popen([BIN, "check", "-q", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert usage.ru_maxrss < 100 * 1024, f"{usage.ru_maxrss} KiB"
    assert usage.ru_utime < 2 and time.monotonic() - started < 30

"""stoa check --fix: what is rewritten, what stays, and that it is done once."""
import os
import re
import subprocess
import tempfile

import pytest

from test.cli.test_check import BIN, ROOT, check

FULL = bool(os.environ.get("STOA_CHECK_FULL"))
QUIET = ["--rule", "lock-timeout-missing=off", "--rule", "lock-wait-timeout-missing=off"]


def fixed(text, *args, quiet=True):
    done = subprocess.run([BIN, "check", "-", "--fix", *(QUIET if quiet else []), *args], input=text.encode(),
                          capture_output=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return done.stdout.decode()


CASES = [
    ("CREATE INDEX i ON t (a);\n", "CREATE INDEX CONCURRENTLY i ON t (a);\n"),
    ("create  unique /* u */ index\n  i on t (\"index\"); -- tail\n", "create  unique /* u */ index CONCURRENTLY\n  i on t (\"index\"); -- tail\n"),
    ("CREATE INDEX IF NOT EXISTS i ON t (a);\n", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);\n"),
    ("DROP INDEX IF EXISTS a.i;\n", "DROP INDEX CONCURRENTLY IF EXISTS a.i;\n"),
    ("REINDEX (VERBOSE) TABLE t;\n", "REINDEX (VERBOSE) TABLE CONCURRENTLY t;\n"),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) /* why */ ; -- tail\nSELECT 1;\n",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID /* why */ ; -- tail\n"
     "ALTER TABLE t VALIDATE CONSTRAINT c;\nSELECT 1;\n"),
    ("  ALTER TABLE s.t\r\n    ADD CONSTRAINT \"C\" FOREIGN KEY (a) REFERENCES p ON DELETE CASCADE;\r\n",
     "  ALTER TABLE s.t\r\n    ADD CONSTRAINT \"C\" FOREIGN KEY (a) REFERENCES p ON DELETE CASCADE NOT VALID;\r\n"
     "  ALTER TABLE s.t VALIDATE CONSTRAINT \"C\";\r\n"),
    ("ALTER TABLE t ADD CONSTRAINT a CHECK (a > 0), ADD CONSTRAINT b CHECK (b > 0);\n",
     "ALTER TABLE t ADD CONSTRAINT a CHECK (a > 0) NOT VALID, ADD CONSTRAINT b CHECK (b > 0) NOT VALID;\n"
     "ALTER TABLE t VALIDATE CONSTRAINT b;\nALTER TABLE t VALIDATE CONSTRAINT a;\n"),
    ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b);\n",
     "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a, b);\nALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX k;\n"),
    ("ALTER TABLE t ALTER COLUMN \"C\" SET NOT NULL;\n",
     "ALTER TABLE t ADD CONSTRAINT \"t_C_filled\" CHECK (\"C\" IS NOT NULL) NOT VALID;\n"
     "ALTER TABLE t VALIDATE CONSTRAINT \"t_C_filled\";\nALTER TABLE t ALTER COLUMN \"C\" SET NOT NULL;\n"
     "ALTER TABLE t DROP CONSTRAINT \"t_C_filled\";\n"),
    ("SELECT 1; CREATE INDEX i ON t (a); SELECT 2;\n", "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a); SELECT 2;\n"),
    ("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (a)"),
]


@pytest.mark.parametrize("text,wanted", CASES)
def test_the_safe_form(text, wanted):
    assert fixed(text) == wanted
    assert fixed(wanted) == wanted


# What must stay as it is: a transaction, a guess, or a sense that would change.
STAY = [
    "BEGIN;\nCREATE INDEX i ON t (a);\nCOMMIT;\n",
    "BEGIN;\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\nCOMMIT;\n",
    "DO $$ BEGIN CREATE INDEX i ON t (a); END $$;\n",
    "DROP INDEX i, j;\n", "DROP INDEX i CASCADE;\n",
    "REINDEX SYSTEM d;\n",
    "ALTER TABLE t ADD CHECK (a > 0);\n", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p;\n",
    "ALTER TABLE ONLY t ADD CONSTRAINT c CHECK (a > 0);\n",
    "ALTER TABLE IF EXISTS t ADD CONSTRAINT c CHECK (a > 0);\n",
    "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a) DEFERRABLE;\n", "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a) INCLUDE (b);\n",
    "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a), ADD COLUMN b int;\n",
    "ALTER TABLE t ALTER COLUMN c SET NOT NULL, ADD COLUMN b int;\n",
    "ALTER TABLE t DETACH PARTITION p;\n",
    "-- stoa: ignore create-index-blocks: at night\nCREATE INDEX i ON t (a);\n",
    "DROP TABLE t;\n", "ALTER TABLE t ALTER COLUMN c TYPE bigint;\n", "CLUSTER t USING i;\n",
    "\\set x 1\nSELECT :x;\n", "CREATE INDEX i ON t (a",
]


@pytest.mark.parametrize("text", STAY)
def test_what_is_not_exact_stays(text):
    assert fixed(text) == text


def test_old_servers_stay():
    for text, version in (("REINDEX TABLE t;\n", "11"), ("ALTER TABLE t ALTER COLUMN c SET NOT NULL;\n", "11")):
        assert fixed(text, "--server-version", version) == text
        assert fixed(text, "--server-version", "12") != text


def test_partitions():
    made = ("CREATE TABLE s (id int PRIMARY KEY);\nCREATE TABLE p (a int, b int) PARTITION BY RANGE (a);\n"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);\n")
    folder = {"1.sql": made, "2.sql": "ALTER TABLE p DETACH PARTITION p1;\n"}
    assert "DETACH PARTITION p1 CONCURRENTLY;" in fix_folder(folder, "--applied", "1.sql")["2.sql"]
    folder["1.sql"] += "CREATE TABLE pd PARTITION OF p DEFAULT;\n"
    assert fix_folder(folder, "--applied", "1.sql")["2.sql"] == folder["2.sql"]
    folder["2.sql"] = "CREATE INDEX i ON p (b);\nALTER TABLE p ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES s;\n"
    assert fix_folder(folder, "--applied", "1.sql")["2.sql"] == folder["2.sql"]


def fix_folder(files, *args):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as file:
                file.write(text)
        check(folder, "--fix", *QUIET, *args)
        told = {}
        for name in files:
            with open(os.path.join(folder, name), newline="") as file:
                told[name] = file.read()
        assert sum(len(names) for _, _, names in os.walk(folder)) == len(files)
        return told


def test_lock_timeout():
    alter = "ALTER TABLE t ADD COLUMN c int;\n"
    assert fixed("SELECT 1;\n  " + alter, quiet=False) == "SELECT 1;\n  SET lock_timeout = '2s';\n  " + alter
    assert fixed("BEGIN;\n" + alter + "COMMIT;\n", quiet=False) == (
        "BEGIN;\nSET LOCAL lock_timeout = '2s';\n" + alter + "COMMIT;\n")
    assert fixed("-- why\n-- stoa: ignore add-column-check: empty\nALTER TABLE t ADD COLUMN c int CHECK (c > 0);\n",
                 quiet=False).split("\n")[1] == "SET lock_timeout = '2s';"
    assert fixed("/* a */ " + alter, quiet=False) == "/* a */ SET lock_timeout = '2s'; " + alter


def test_mysql():
    text = "ALTER TABLE `t` ADD COLUMN `c` int UNSIGNED;\n"
    told = fixed(text, "--engine", "mysql", quiet=False)
    assert told.startswith("SET SESSION lock_wait_timeout = 2;\nALTER TABLE `t` ADD COLUMN `c` int UNSIGNED")
    assert told == fixed(told, "--engine", "mysql", quiet=False)
    text = "DELIMITER $$\n" + text.replace(";", "$$") + "DELIMITER ;\n"
    assert "lock_wait_timeout" not in fixed(text, "--engine", "mysql", quiet=False)


def test_the_transactions_of_tools():
    goose = "-- +goose Up\nCREATE INDEX i ON t (a);\n-- +goose Down\nDROP INDEX i;\n"
    assert fix_folder({"1_a.sql": goose})["1_a.sql"] == goose
    told = fix_folder({"1_a.sql": "-- +goose NO TRANSACTION\n" + goose})["1_a.sql"]
    assert "CREATE INDEX CONCURRENTLY i" in told and "DROP INDEX i" in told
    one = {"1_a.up.sql": "CREATE INDEX i ON t (a);\n", "1_a.down.sql": "DROP INDEX i;\n"}
    assert "CONCURRENTLY" in fix_folder(one)["1_a.up.sql"]
    two = {"1_a.up.sql": "CREATE INDEX i ON t (a);\nSELECT 1;\n", "1_a.down.sql": "DROP INDEX i;\n"}
    assert fix_folder(two) == two


def test_files_are_written_whole_and_told(tmp_path):
    path = tmp_path / "a.sql"
    path.write_text("CREATE INDEX i ON t (a);\nDROP TABLE x;\n")
    path.chmod(0o640)
    link = tmp_path / "b"
    link.mkdir()
    (link / "l.sql").symlink_to(path)
    done = check(link / "l.sql", "--fix", *QUIET, code=4)
    assert "fixed: Build the index CONCURRENTLY [create-index-blocks]" in done.err
    assert "drop-table" in done.out and "create-index" not in done.out
    assert path.read_text().startswith("CREATE INDEX CONCURRENTLY i") and path.stat().st_mode & 0o777 == 0o640
    assert (link / "l.sql").is_symlink() and sorted(os.listdir(tmp_path)) == ["a.sql", "b"]
    done = check(path, "--fix", "--json", *QUIET, code=4).json
    assert done["fixed"] == [] and done["not_fixed"] == []


def test_what_is_no_utf8_is_left_alone(tmp_path):
    path = tmp_path / "a.sql"
    path.write_bytes(b"CREATE INDEX i ON t (a); -- \xe4\n")
    done = check(path, "--fix", code=2)
    assert "not what was checked" in done.err and path.read_bytes() == b"CREATE INDEX i ON t (a); -- \xe4\n"


def test_dry_run_is_a_patch(tmp_path):
    texts = {"a.sql": "SELECT 1;\n" * 9 + "CREATE INDEX i ON t (a);\n" + "SELECT 2;\n" * 9 + "DROP INDEX j;",
             "b.sql": "SELECT 1;\n", "c.sql": "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a);\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    done = check("a.sql", "b.sql", "c.sql", "--fix", "--dry-run", *QUIET, cwd=tmp_path)
    assert "would be fixed" in done.err and done.out.startswith("--- a.sql\n+++ a.sql\n@@ -7,7 +7,7 @@\n")
    assert "\\ No newline at end of file" in done.out and "b.sql" not in done.out
    assert {name: (tmp_path / name).read_text() for name in texts} == texts
    subprocess.run(["patch", "-p0"], input=done.out, text=True, check=True, cwd=tmp_path, capture_output=True)
    patched = {name: (tmp_path / name).read_text() for name in texts}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    check("a.sql", "b.sql", "c.sql", "--fix", *QUIET, cwd=tmp_path)
    assert {name: (tmp_path / name).read_text() for name in texts} == patched
    assert "--dry-run goes with --fix" in check("a.sql", "--dry-run", cwd=tmp_path, code=2).err


def blocks(text, engine, version):
    found = check("-", "--json", "--engine", engine, "--server-version", version, stdin=text).json["findings"]
    return sorted(one["rule"] for one in found if one["severity"] == "block")


def test_no_example_gets_worse():
    """Examples of the rules (each fourth rule, all with STOA_CHECK_FULL): what was fixed is gone, no new block comes, and a
    second time changes nothing."""
    known = (ROOT / "test/unit/check/rules.txt").read_text().split("\n= ")[1:]
    known = known if FULL else known[::4]
    changed = 0
    for block in known:
        _, engine, version = block.split("\n")[0].split()[:3]
        for text in re.split(r"\n(?:bad|good)\n", block)[1:]:
            args = ["--engine", engine, "--server-version", version]
            told = check("-", "--fix", "--json", *args, stdin=text).json
            after = told["text"] or text
            left = [one["rule"] for one in told["findings"]]
            before = blocks(text, engine, version)
            for rule in set(blocks(after, engine, version)):
                assert blocks(after, engine, version).count(rule) <= before.count(rule), (text, after)
            first = [one["rule"] for one in check("-", "--json", *args, stdin=text).json["findings"]]
            done = [one["rule"] for one in told["fixed"]]
            for rule in set(done):
                assert left.count(rule) <= max(first.count(rule) - done.count(rule), 0), (rule, text, after)
            changed += after != text
            assert fixed(after, *args, quiet=False) == after, text
    assert changed > (50 if FULL else 10)

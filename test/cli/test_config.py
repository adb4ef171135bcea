"""stoa.yaml: where it is found, what may stand in it, what it stands behind, and what is said of what is wrong in it."""
import json
import os
import subprocess

import pytest

from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
DROP = "SET lock_timeout = '1s'; SET statement_timeout = '9s'; ALTER TABLE t DROP COLUMN c;\n"


def run(folder, *args, env=None, text=None):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("STOA_", "PG"))}
    return subprocess.run([BIN, *map(str, args)], cwd=folder, env=clean | (env or {}), input=text, capture_output=True, text=True,
                          timeout=60)


def rules(done):
    return {(one["file"], one["rule"], one["severity"]) for one in json.loads(done.stdout)["findings"]}


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".git").mkdir()
    for name in ("db/1.sql", "db/legacy/2.sql", "db/legacy/deep/3.sql", "old/V4.sql"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(DROP)
    return tmp_path


def test_severities_by_rule_and_path(project):
    (project / "stoa.yaml").write_text("""
check:
  server_version: 15
  fail-on: warn
  rules: {drop-column: warn}
  paths:
    - path: db/legacy
      rules: {all: off}
    - path: [db/legacy/deep/*.sql, "**/V?.sql"]
      rules: {squawk/ban-drop-column: note}
""")
    done = run(project, "check", "db", "old", "--json")
    assert rules(done) == {("db/1.sql", "drop-column", "warn"), ("db/legacy/deep/3.sql", "drop-column", "note"),
                           ("old/V4.sql", "drop-column", "note")}
    assert json.loads(done.stdout)["server"] == "PostgreSQL 15" and done.returncode == 4
    beneath = run(project / "db" / "legacy", "check", "../1.sql", ".", "--json")
    assert rules(beneath) == {("../1.sql", "drop-column", "warn"), ("./deep/3.sql", "drop-column", "note")}
    over = run(project, "check", "db", "--json", "--rule", "drop-column=block", "--server-version", "14")
    assert {severity for _, _, severity in rules(over)} == {"block"} and json.loads(over.stdout)["server"] == "PostgreSQL 14"
    stdin = run(project, "check", "-", "--stdin-filepath", "db/legacy/9.sql", "--json", text=DROP)
    assert rules(stdin) == set() and stdin.returncode == 0


def test_where_it_is_found(project):
    inner = project / "db"
    (project / "stoa.yaml").write_text("check: {rules: {drop-column: off}}\n")
    assert rules(run(inner, "check", "1.sql", "--json")) == set()
    other = project / "other.yaml"
    other.write_text("check: {rules: {drop-column: note}}\n")
    for args, env in ((("--config", other), None), ((), {"STOA_CONFIG": str(other)})):
        assert {severity for _, _, severity in rules(run(inner, "check", "1.sql", "--json", *args, env=env))} == {"note"}
    (inner / "stoa.yaml").write_text("")  # the nearest one
    assert {severity for _, _, severity in rules(run(inner, "check", "1.sql", "--json"))} == {"block"}
    (inner / "stoa.yaml").unlink()
    (inner / ".git").mkdir()  # another repository
    assert {severity for _, _, severity in rules(run(inner, "check", "1.sql", "--json"))} == {"block"}
    gone = run(inner, "check", "1.sql", "--config", "none.yaml")
    assert gone.returncode == 2 and "none.yaml" in gone.stderr


SECTION = """
url: postgres://top@127.0.0.1:1/top
environments:
  production: {url: 'postgres://stoa:hidden@127.0.0.1:1/shop', password-command: 'echo asked >> asked; echo x'}
  staging:
    url: postgres://stoa@127.0.0.1:2/shop
"""


@pytest.mark.parametrize("args,env,where", [
    (["--env", "production"], {}, "stoa@127.0.0.1:1/shop"), (["--env", "staging"], {}, "stoa@127.0.0.1:2/shop"),
    (["--env", "staging"], {"STOA_URL": "postgres://e@127.0.0.1:1/env"}, "stoa@127.0.0.1:2/shop"),
    ([], {"STOA_URL": "postgres://e@127.0.0.1:1/env"}, "e@127.0.0.1:1/env"), ([], {}, "top@127.0.0.1:1/top"),
    (["--url", "postgres://c@127.0.0.1:1/line"], {"STOA_URL": "postgres://e@127.0.0.1:1/env"}, "c@127.0.0.1:1/line")])
def test_who_says_where(project, args, env, where):
    (project / "stoa.yaml").write_text(SECTION)
    done = run(project, "status", *args, env=env)
    assert done.returncode == 7 and where in done.stderr and "hidden" not in done.stderr
    assert (project / "asked").exists() == ("production" in args), "the command is asked for its own environment only"


def test_environments_that_are_not_there(project):
    none = run(project, "status", "--env", "production")
    assert none.returncode == 2 and "stoa.yaml" in none.stderr
    (project / "stoa.yaml").write_text(SECTION)
    other = run(project, "status", "--env", "prod")
    assert other.returncode == 2 and "production, staging" in other.stderr
    both = run(project, "status", "--env", "staging", "--url", "postgres://x@y/z")
    assert both.returncode == 2 and "--env" in both.stderr


@pytest.mark.parametrize("command,told", [("exit 3", "code 3"), ("true", "prints nothing"), ("kill -9 $$", "signal 9"),
                                          ("printf 'a\\0b'", "NUL")])
def test_password_commands_that_fail(project, command, told):
    done = run(project, "status", "--url", "postgres://a@127.0.0.1:1/b", "--password-command", command)
    assert done.returncode == 7 and told in done.stderr, done.stderr


def test_password_command_knows_where(project):
    run(project, "status", "--url", "postgres://a:secret@127.0.0.1:1/b", "--password-command", "echo $STOA_TARGET > told; echo x")
    assert (project / "told").read_text().strip() == "postgres://a@127.0.0.1:1/b"


@pytest.mark.parametrize("text,place,told", [
    ("max-stal: 1s", "1:1", "max-stall"), ("a: 1\nmax-stall: 1", "1:1", '"a"'), ("max-stall: 1", "1:12", "unit"),
    ("\ncheck:\n  rules: {nope: off}", "3:11", "nope"), ("check: {rules: {drop-column: of}}", "1:17", "severity"),
    ("yes: true", "1:1", "command line"), ("accept-scan: true", "1:1", "command line"),
    ("environments: {a: {max-lag: 1s}}", "1:16", "no url"), ("environments: [a]", "1:15", "name: value"), ("a: [", "2:1", ""),
    ("check: {paths: [{path: x}]}", "1:17", "rules"), ("check: {paths: x}", "1:16", "list"),
    ("check: {paths: [{path: x, rule: y}]}", "1:27", "rules"), ("max-lag: 1s\nmax-lag: 2s", "2:1", "twice"),
    ("apply: {server-version: 3}", "1:9", "stoa apply"), ("&a [*a]", "1:1", "too much"), ("password-command: x", "1:1", "url"),
    ("max-lag: [1s]", "1:10", "one value"), ("--- 1\n--- 2", "2:1", "second"), ("probe: maybe", "1:8", "on, schema or off"),
    ("? [a]\n: b", "1:3", "key"), ("just a text", "1:1", "name: value")])
def test_what_is_wrong_is_told_with_its_place(project, text, place, told):
    (project / "stoa.yaml").write_text(text)
    done = run(project, "check", "db")
    assert done.returncode == 2 and f"stoa.yaml:{place}: " in done.stderr and told in done.stderr, done.stderr
    assert run(project, "version").returncode == 0 and run(project, "help").returncode == 0

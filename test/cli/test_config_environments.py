"""Environments in stoa.yaml: what may stand there, and what is said of what is wrong. No server is needed."""
import os
import subprocess

import pytest

from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
NOWHERE = "postgres://nobody@127.0.0.1:1/none"


def run(folder, text, *args, env=None):
    (folder / "stoa.yaml").write_text(text)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("STOA_", "PG"))}
    return subprocess.run([BIN, *args], cwd=folder, env=clean | (env or {}), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("text, place, said, hint", [
    ("environments:\n  a: {url: x, aftr: []}\n", "2:15", '"aftr" is nothing of an environment', "did you mean after?"),
    ("environments:\n  a: {url: x, database: y}\n", "2:15", "nothing of an environment", "did you mean databases?"),
    ("environments:\n  a: {url: x, shemas: y}\n", "2:15", "nothing of an environment", "did you mean schemas?"),
    ("environments:\n  a: {url: x, max-lga: 2s}\n", "2:15", '"max-lga" is no option', "did you mean max-lag?"),
    ("environments:\n  a: {url: x, after: [b]}\n", "2:22", 'no environment "b"', "there are a"),
    ("environments:\n  a: {url: x, after: [b]}\n  b: {url: x, after: a}\n", "2:3", "stands behind itself", None),
    ("environments:\n  a: {url: x, after: [a]}\n", "2:3", "stands behind itself", None),
    ("environments:\n  a: {databases: [x]}\n", "2:3", "has databases, and no url", "give it the url"),
    ("environments:\n  a: {schemas: [x]}\n", "2:3", "has no url", None),
    ("environments:\n  a: {url: x, url-env: Y}\n", "2:24", "both say", None),
    ("environments:\n  a: {url-env: $Y}\n", "2:16", "name of an environment variable", "url-env: PROD_URL"),
    ("environments:\n  a: {url: x, databases: []}\n", "2:26", "is empty", None),
    ("environments:\n  a: {url: x, databases: [p, p]}\n", "2:30", "stands twice", None),
    ("environments:\n  a: {url: x, databases: {sql: y}}\n", "2:27", "nothing of databases", "{query: SELECT"),
    ("environments:\n  a: {url: x, approvals: -1}\n", "2:26", "approvals", None),
    ("environments:\n  a: {url: x, approvals: two}\n", "2:26", "approvals", None),
    ("environments:\n  a: {url: x, parallel: 0}\n", "2:25", "parallel", None),
])
def test_what_is_wrong(tmp_path, text, place, said, hint):
    done = run(tmp_path, text, "status", "--url", NOWHERE)
    assert done.returncode == 2, done
    assert f"stoa.yaml:{place}:" in done.stderr and said in done.stderr, done.stderr
    assert hint is None or hint in done.stderr, done.stderr


def test_variables_are_looked_up_where_they_are_used(tmp_path):
    text = "environments:\n  a: {url-env: A_URL}\n  b: {url: 'postgres://u:${B_PASSWORD}@127.0.0.1:1/${B_NAME}'}\n"
    unset = run(tmp_path, text, "status", "--env", "a")
    assert unset.returncode == 2 and '"A_URL" is not set' in unset.stderr
    empty = run(tmp_path, text, "status", "--env", "a", env={"A_URL": ""})
    assert empty.returncode == 2 and "is not set" in empty.stderr
    there = run(tmp_path, text, "status", "--env", "b", env={"B_PASSWORD": "hidden", "B_NAME": "shop"})
    assert there.returncode == 7 and "/shop" in there.stderr and "hidden" not in there.stderr + there.stdout


def test_approvals_can_be_raised_and_not_lowered(tmp_path):
    text = f"approvals: 2\nenvironments:\n  a: {{url: '{NOWHERE}', approvals: 1}}\n  b: {{url: '{NOWHERE}'}}\n"
    for env, wanted in (("a", 1), ("b", 2)):
        lowered = run(tmp_path, text, "apply", "CREATE TABLE x (id int)", "--yes", "--approvals", str(wanted - 1), "--env", env)
        assert lowered.returncode == 2, lowered
        assert f"--approvals {wanted - 1} is less than the {wanted} that" in lowered.stderr and "stoa.yaml" in lowered.stderr
        raised = run(tmp_path, text, "apply", "CREATE TABLE x (id int)", "--yes", "--approvals", str(wanted), "--env", env)
        assert raised.returncode == 7, raised


def test_waves_and_places_of_the_command_line(tmp_path):
    text = f"environments:\n  one: {{url: '{NOWHERE}'}}\n  many: {{url: '{NOWHERE}', databases: [a, b, c], after: []}}\n"
    sql = "ALTER TABLE t ADD COLUMN c int"
    for waves in ("1,x", "0.5.1", "-1", "120%", "1,10 %"):
        done = run(tmp_path, text, "apply", sql, "--yes", "--env", "many", "--waves", waves)
        assert done.returncode == 2 and "--waves" in done.stderr, done
    stopped = run(tmp_path, text, "apply", sql, "--yes", "--env", "many", "--waves", "1,all")
    assert stopped.returncode == 7 and "2 not begun" in stopped.stdout, stopped
    all_at_once = run(tmp_path, text, "apply", sql, "--yes", "--env", "many", "--waves", "100%", "--parallel", "3")
    assert all_at_once.returncode == 7 and "3 not" in all_at_once.stdout, all_at_once
    assert run(tmp_path, text, "status", "--env", "many").returncode == 7
    for args, said in ((("plan", sql, "--env", "many"), "works on one database"),
                       (("status", "--env", "one", "--database", "x"), "has one database"),
                       (("status", "--database", "x", "--url", NOWHERE), "there is no --env"),
                       (("apply", sql, "--yes", "--env", "many", "--database", "x"), 'no database "x"'),
                       (("complete", "--yes", "--env", "many"), "which change?"),
                       (("apply", sql, "--env", "many"), "nobody can be asked"),
                       (("apply", sql, "--yes", "--env", "many", "--listen", ":0"), "--listen"),
                       (("status", "--env", "one", "--env", "many"), "one environment at a time"),
                       (("gate", "t.c", "--for", "read", "--env", "none"), "there are one, many")):
        done = run(tmp_path, text, *args)
        assert done.returncode == 2 and said in done.stderr, (args, done)

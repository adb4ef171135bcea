"""Bundles for reviewers, approvals by key and by role, and apply that wants enough of them for exactly its plan."""
import json
import os
import pathlib
import subprocess

import pytest

from test.lib.servers import Server, until
from test.lib.stoa import Stoa

SQL = "ALTER TABLE orders ADD COLUMN paid boolean NOT NULL"
CHANGE = [SQL, "--backfill", "orders.paid = (amount > 0)", "--name", "orders-paid", "--owner", "payments"]


@pytest.fixture
def table(db):
    db.run("CREATE TABLE orders (id int PRIMARY KEY, amount int); INSERT INTO orders SELECT i, i FROM generate_series(1, 300) i")


@pytest.fixture
def keys(stoa):
    """Three keys, of whom two may sign; {name: path}, and the file of allowed signers."""
    folder = pathlib.Path(stoa.home.name)
    paths = {}
    for name in ("alice", "bob", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        paths[name] = str(folder / name)
    lines = [f'{name} namespaces="stoa" {(folder / (name + ".pub")).read_text()}' for name in ("alice", "bob")]
    paths["allowed"] = stoa.file("allowed_signers", "".join(lines))
    return paths


@pytest.fixture
def bundle(db, stoa, table):
    path = str(pathlib.Path(stoa.home.name) / "review")
    stoa("plan", *CHANGE, "--bundle", path)
    return path + ".json"


def approve(stoa, bundle, key=None, *args, **options):
    how = ["--by-role"] if key is None else ["--sign", key]
    return stoa("approve", "--bundle", bundle, *how, "--yes", *args, **options)


def digest(bundle):
    return json.loads(pathlib.Path(bundle).read_text())["plan_digest"]


def apply(stoa, *args, **options):
    return stoa("apply", *CHANGE, "--yes", *args, **options)


@pytest.fixture
def reviewer(db):
    """A role that may look and write events, and no more."""
    opened = []

    def make(name):
        role = db.role(name)
        db.run(f"GRANT USAGE ON SCHEMA stoa TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA stoa TO {role}; "
               f"GRANT INSERT (change_id, kind, step, detail, text) ON stoa.events TO {role}")
        opened.append(Stoa(db.url(role)))
        return opened[-1]
    yield make
    for each in opened:
        each.close()


@pytest.fixture
def journal(db, stoa):
    db.run("CREATE TABLE other (id int PRIMARY KEY)")
    stoa.apply("ALTER TABLE other ADD COLUMN c int")


def test_the_bundle(db, stoa, bundle):
    plan = stoa("plan", *CHANGE, "--json").json
    whole = json.loads(pathlib.Path(bundle).read_text())
    assert whole["plan"] == plan and whole["plan_digest"] == plan["plan_digest"] and whole["rehearsal"] is None
    assert whole["estimate_ms"]["high"] >= whole["estimate_ms"]["low"]
    text = pathlib.Path(bundle[:-5] + ".md").read_text()
    for part in (plan["plan_digest"], plan["change_digest"], "payments", "## Risks", "## Steps", "ACCESS EXCLUSIVE", "undone by",
                 "rehearsal | none", SQL, "stoa approve", "## The way back", "measured"):
        assert part in text, part
    for step in plan["steps"]:
        for statement in step["statements"]:
            assert statement in text
    only = str(pathlib.Path(stoa.home.name) / "only.md")
    stoa("plan", *CHANGE, "--bundle", only)
    assert pathlib.Path(only).exists() and not pathlib.Path(only + ".json").exists()
    stoa("plan", *CHANGE, "--bundle", "/nowhere/at/all.md", code=1)


def test_a_bundle_that_was_altered(stoa, bundle):
    stoa.apply("CREATE TABLE other (id int)")
    text = pathlib.Path(bundle).read_text().replace("(amount > 0)", "(amount > 1)")
    refused = approve(stoa, stoa.file("other.json", text), code=4)
    assert "was altered" in refused.err
    approve(stoa, stoa.file("none.json", "{}"), code=2)
    approve(stoa, "/nowhere.json", code=2)


def test_two_who_sign(db, stoa, bundle, keys):
    signers = ["--allowed-signers", keys["allowed"]]
    refused = apply(stoa, "--approvals", "2", *signers, code=4)
    assert "needs 2 approvals" in refused.err and "has 0" in refused.err and digest(bundle) in refused.err
    said = approve(stoa, bundle, keys["alice"], *signers, "--json").events[-1]
    assert said["event"] == "approval" and said["text"] == f"alice approves plan {digest(bundle)}"
    approve(stoa, bundle, keys["alice"], *signers)
    refused = apply(stoa, "--approvals", "2", *signers, code=4)
    assert "has 1 (alice)" in refused.err and "alice: has approved already" in refused.err
    refused = approve(stoa, bundle, keys["mallory"], *signers, code=4)
    assert "not among the allowed signers" in refused.err
    approve(stoa, bundle, keys["mallory"])  # nobody looks
    refused = apply(stoa, "--approvals", "2", *signers, code=4)
    assert "has 1 (alice)" in refused.err and "not among the allowed signers" in refused.err
    approve(stoa, bundle, keys["bob"] + ".pub", *signers)  # by the agent, else the key beside it
    refused = apply(stoa, "--approvals", "2", *signers, "--sign", keys["bob"], code=4)
    assert "bob: is who applies" in refused.err
    assert db.value("SELECT count(*) FROM stoa.changes") == 0, "nothing was begun"
    apply(stoa, "--approvals", "2", *signers)
    detail = db.value("SELECT detail FROM stoa.events WHERE kind = 'approved'")
    assert detail["by"] == ["alice", "bob"] and detail["plan_digest"] == digest(bundle)
    assert stoa("history", "--verify", "--json").json["verified"]


def test_a_forged_approval_does_not_count(db, stoa, bundle, keys, journal):
    """Whoever can write events can write what he likes; the signature is over the digests, the database and the times."""
    signers = ["--allowed-signers", keys["allowed"]]
    approve(stoa, bundle, keys["alice"], *signers)
    later = "regexp_replace(detail ->> 'text', 'expires: 2', 'expires: 3')"
    db.run(f"INSERT INTO stoa.events (kind, text, detail) SELECT kind, text, (detail::jsonb || jsonb_build_object('text', {later}))::json "
           "FROM stoa.events WHERE kind = 'approval'")
    db.run("INSERT INTO stoa.events (kind, text, detail) SELECT kind, text, (detail::jsonb || '{\"who\": \"bob\"}')::json "
           "FROM stoa.events WHERE kind = 'approval' ORDER BY id LIMIT 1")
    refused = apply(stoa, "--approvals", "2", *signers, code=4)
    assert "has 1 (alice)" in refused.err and "signature is not good" in refused.err
    refused = apply(stoa, "--approvals", "1", code=4)
    assert "signatures count with --allowed-signers only" in refused.err


def test_two_roles(db, stoa, bundle, journal, reviewer):
    ann, ben = reviewer("ann"), reviewer("ben")
    approve(ann, bundle)
    approve(stoa, bundle)
    refused = apply(stoa, "--approvals", "2", code=4)
    assert f"has 1 ({db.name}_ann)" in refused.err and f"{db.owner}: is the role that applies" in refused.err
    approve(ann, bundle)
    refused = apply(stoa, "--approvals", "2", code=4)
    assert "has approved already" in refused.err
    approve(ben, bundle)
    apply(stoa, "--approvals", "2")
    assert db.value("SELECT detail -> 'by' FROM stoa.events WHERE kind = 'approved'") == [f"{db.name}_ann", f"{db.name}_ben"]


def test_a_role_that_signed_is_nobody_else(db, stoa, bundle, journal, reviewer, keys):
    ann = reviewer("ann")
    approve(ann, bundle, keys["alice"])
    approve(ann, bundle)
    refused = apply(stoa, "--approvals", "2", "--allowed-signers", keys["allowed"], code=4)
    assert "has 1 (alice)" in refused.err and "as a role it is nobody else" in refused.err


def test_a_name_does_not_count(stoa, bundle):
    refused = stoa("approve", "--bundle", bundle, "--yes", code=2)
    assert "--sign KEY" in refused.err and "--by-role" in refused.err
    refused = stoa("approve", "--bundle", bundle, "--by-role", code=2)
    assert "nobody can be asked" in refused.err


def test_another_plan(db, stoa, bundle, journal, reviewer):
    ann = reviewer("ann")
    approve(ann, bundle)
    apply(stoa, "--approvals", "1", "--max-stall", "100ms", "--until", "prepare")  # settings are no part of the plan
    stoa("abort", "orders-paid", "--yes")
    other = [SQL, "--backfill", "orders.paid = (amount > 1)", "--name", "orders-paid"]
    refused = stoa("apply", *other, "--yes", "--approvals", "1", code=4)
    assert "it is for the plan " + digest(bundle) in refused.err and "has 0" in refused.err


def test_statistics_do_not_change_a_plan(db, stoa, bundle, journal, reviewer):
    """It is pinned by what is done, not by how long that may take."""
    approve(reviewer("ann"), bundle)
    db.run("INSERT INTO orders SELECT i, i FROM generate_series(1000, 6000) i; ANALYZE orders")
    plan = stoa("plan", *CHANGE, "--json").json
    assert plan["plan_digest"] == digest(bundle)
    before = json.loads(pathlib.Path(bundle).read_text())["plan"]
    assert [step["estimate_ms"] for step in plan["steps"]] != [step["estimate_ms"] for step in before["steps"]]
    apply(stoa, "--approvals", "1")


def test_the_difference_is_told(db, stoa, bundle, journal, reviewer):
    """The same request, another plan: by an index that came meanwhile, a key that went."""
    approve(reviewer("ann"), bundle)
    db.run("ALTER TABLE orders ADD COLUMN extra int")
    refused = apply(stoa, "--approvals", "1", "--verify", "filled", code=4)
    assert "the plan is another one now: step" in refused.err


def test_an_approval_ends(db, stoa, bundle, journal, reviewer):
    approve(reviewer("ann"), bundle, None, "--approval-ttl", "1ms")
    refused = apply(stoa, "--approvals", "1", code=4)
    assert "has expired at" in refused.err


def test_taken_back(db, stoa, bundle, journal, reviewer):
    ann, ben = reviewer("ann"), reviewer("ben")
    approve(ann, bundle)
    ben("approve", "--bundle", bundle, "--revoke", "--yes")
    refused = apply(stoa, "--approvals", "1", code=4)
    assert "it was taken back" in refused.err
    approve(ann, bundle)
    apply(stoa, "--approvals", "1")


def test_another_database_and_environment(db, stoa, bundle, journal, reviewer):
    ann = reviewer("ann")
    config = stoa.file("stoa.yaml", f"approvals: 1\nenvironments:\n  staging: {{url: '{db.url()}'}}\n"
                                    f"  production: {{url: '{db.url()}', approvals: 2, after: []}}\n")
    ann("approve", "--bundle", bundle, "--by-role", "--yes")
    refused = stoa("apply", *CHANGE, "--yes", "--env", "production", "--config", config, url="", code=4)
    assert "needs 2 approvals" in refused.err and "has 1" in refused.err
    theirs = stoa.file("ann.yaml", f"environments: {{staging: {{url: '{ann.url}'}}}}\n")
    ann("approve", "--bundle", bundle, "--revoke", "--yes")
    ann("approve", "--bundle", bundle, "--by-role", "--yes", "--env", "staging", "--config", theirs, url="")
    refused = stoa("apply", *CHANGE, "--yes", "--env", "production", "--config", config, url="", code=4)
    assert 'it is for environment "staging"' in refused.err
    stoa("apply", *CHANGE, "--yes", "--env", "staging", "--config", config, url="")


def test_by_sql_with_the_digest(db, stoa, table, journal):
    wanted = stoa("plan", *CHANGE, "--json").json["plan_digest"]
    refused = stoa("approve", *CHANGE, "--by-role", "--plan", "sha256:0", code=4)
    assert wanted in refused.err
    stoa("approve", *CHANGE, "--by-role", "--plan", wanted)
    said = db.rows("SELECT change_id, detail ->> 'plan_digest', detail ->> 'method', by FROM stoa.events WHERE kind = 'approval'")
    assert said == [(None, wanted, "role", db.owner)]


# ---- a server that dies meanwhile ------------------------------------------------------------------

@pytest.fixture
def own(home, version):
    """A server that a test may kill, and the program on it: (server, program)."""
    server = Server(home, version, durable=True)
    with server.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, amount int)")
    program = Stoa(f"postgres://postgres@127.0.0.1:{server.port}/postgres")
    path = str(pathlib.Path(program.home.name) / "review")
    program("plan", *CHANGE, "--bundle", path)
    approve(program, path + ".json")  # the journal is there
    program("approve", "--bundle", path + ".json", "--revoke", "--by-role", "--yes")
    yield server, program, path + ".json"
    program.close()
    server.end()


def counted(server):
    with server.connect() as conn:
        return conn.execute("SELECT count(*) FILTER (WHERE kind = 'approval'), count(*) FROM stoa.events").fetchone()


def is_told(result):
    """Neither success nor a bug, and what to do about it."""
    assert result.code == 7, result
    assert "hint: " in result.err and "bug" not in result.err, result
    return result


def works_again(server, program, bundle, before, noted):
    """Once it is back the log is whole, has no half of an approval, and approving again is enough."""
    server.start()
    assert counted(server) == (before[0] + noted, before[1] + noted)
    program("history", "--verify")
    approve(program, bundle)
    program("history", "--verify")
    with server.connect() as conn:
        rows = conn.execute("SELECT detail->>'plan_digest', detail->>'method' FROM stoa.events WHERE kind = 'approval' ORDER BY id").fetchall()
    assert rows[-1] == (digest(bundle), "role")


def test_the_server_dies_before_it_is_noted(own):
    """While ssh-keygen signs: nothing is written, and what is told says so."""
    server, program, bundle = own
    before = counted(server)
    folder = pathlib.Path(program.home.name)
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    real = subprocess.run(["which", "ssh-keygen"], check=True, capture_output=True, text=True).stdout.strip()
    (folder / "bin").mkdir()
    fake = folder / "bin" / "ssh-keygen"
    fake.write_text(f"#!/bin/sh\ntouch {folder}/asked\nwhile [ ! -e {folder}/go ]; do sleep 0.05; done\nexec {real} \"$@\"\n")
    fake.chmod(0o755)
    running = program.start("approve", "--bundle", bundle, "--sign", str(key), "--yes", env={"PATH": f"{folder}/bin:{os.environ['PATH']}"})
    until((folder / "asked").exists, 30, lambda: f"nothing is signed {running.partial()}")
    server.stop("immediate")
    (folder / "go").touch()
    is_told(running.wait(None))
    works_again(server, program, bundle, before, 0)


@pytest.mark.parametrize("noted", [0, 1])
def test_the_server_dies_while_it_is_noted(own, noted):
    """In the INSERT, and after its commit: nobody can tell, so the hint says how to find out."""
    server, program, bundle = own
    with server.connect() as conn:
        if noted:  # it is committed here, and waits for a standby that never comes before it says so
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            conn.execute("SELECT pg_reload_conf()")
        else:
            conn.execute("SET synchronous_commit = local; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
                         "pg_sleep(60); RETURN NEW; END'; CREATE TRIGGER slow BEFORE INSERT ON stoa.events FOR EACH ROW EXECUTE PROCEDURE slow()")
    before = counted(server)
    running = program.start("approve", "--bundle", bundle, "--by-role", "--yes")
    event = "SyncRep" if noted else "PgSleep"
    with server.connect() as conn:
        until(lambda: conn.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = %s AND application_name LIKE 'stoa%%'", [event]).fetchone(), 30,
              lambda: f"it does not come so far {running.partial()}")
    server.stop("immediate")
    result = is_told(running.wait(None))
    assert "may have been noted" in result.err and "stoa approve" in result.err, result
    with open(pathlib.Path(server.data) / "postgresql.auto.conf", "w"):
        pass
    server.start()
    with server.connect() as conn:
        conn.execute("SELECT 1")
        if not noted:
            conn.execute("DROP TRIGGER slow ON stoa.events")
    server.stop("fast")
    works_again(server, program, bundle, before, noted)

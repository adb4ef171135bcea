"""Approvals that were signed without access to the database: by --signed, by the API, and what of it does not count."""
import json
import pathlib
import time

import pytest

from test.lib.http import TOKEN, Serving
from test.lib.servers import until
from test.lib.stoa import Stoa
from test.server.test_approve import apply, approve, bundle, digest, keys, table  # noqa: F401


@pytest.fixture
def paper(stoa, bundle, keys):  # noqa: F811
    """Signs as somebody who has neither a URL nor a server; returns the file."""
    nobody = Stoa("")

    def make(who="alice", *args, of=None, **options):
        path = str(pathlib.Path(stoa.home.name) / f"{who}.json")
        nobody("approve", "--bundle", of or bundle, "--sign", keys[who], "--to", path, "--plan", digest(bundle), *args, **options)
        return path
    yield make
    nobody.close()


def record(stoa, path, keys, **options):  # noqa: F811
    return stoa("approve", "--signed", path, "--allowed-signers", keys["allowed"], "--yes", **options)


def approvals(db):
    return db.rows("SELECT detail ->> 'who', detail ->> 'method' FROM stoa.events WHERE kind = 'approval' ORDER BY id")


def test_signed_elsewhere_and_noted_once(db, stoa, paper, keys):  # noqa: F811
    record(stoa, paper(), keys)
    record(stoa, paper("bob"), keys)
    record(stoa, str(pathlib.Path(stoa.home.name) / "alice.json"), keys)
    assert approvals(db) == [("alice", "ssh"), ("bob", "ssh")]
    apply(stoa, "--approvals", "2", "--allowed-signers", keys["allowed"])
    assert db.value("SELECT detail -> 'by' FROM stoa.events WHERE kind = 'approved'") == ["alice", "bob"]


def test_to_standard_output(db, stoa, keys, bundle):  # noqa: F811
    said = stoa("approve", "--bundle", bundle, "--sign", keys["bob"], "--to", "-", "--yes").out
    record(stoa, stoa.file("said.json", said), keys)
    assert approvals(db) == [("bob", "ssh")]


def test_taken_back_for_good(db, stoa, paper, keys, bundle):  # noqa: F811
    path = paper()
    signed_at = json.loads(pathlib.Path(path).read_text())["text"].split("\nat: ")[1][:19]
    record(stoa, path, keys)
    until(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) > signed_at, 5)
    stoa("approve", "--bundle", bundle, "--revoke", "--yes")
    assert "was taken back" in record(stoa, path, keys, code=4).err
    db.admin.execute("INSERT INTO stoa.events (kind, step, detail, text) SELECT kind, step, detail, text FROM stoa.events WHERE kind = 'approval'")
    refused = apply(stoa, "--approvals", "1", "--allowed-signers", keys["allowed"], code=4)
    assert "has 0" in refused.err and "taken back" in refused.err
    record(stoa, paper("alice"), keys)
    apply(stoa, "--approvals", "1", "--allowed-signers", keys["allowed"])


def test_taken_back_before_it_was_noted(db, stoa, paper, keys, bundle):  # noqa: F811
    path = paper()
    signed_at = json.loads(pathlib.Path(path).read_text())["text"].split("\nat: ")[1][:19]
    until(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) > signed_at, 5)
    stoa("approve", "--bundle", bundle, "--revoke", "--yes")
    assert "was taken back" in record(stoa, path, keys, code=4).err and approvals(db) == []


def test_what_does_not_count(db, stoa, paper, keys, bundle):  # noqa: F811
    assert "not among the allowed signers" in record(stoa, paper("mallory"), keys, code=4).err
    assert "--allowed-signers" in stoa("approve", "--signed", paper(), "--yes", code=2).err
    whole = json.loads(pathlib.Path(paper()).read_text())

    def changed(**more):
        return stoa.file("changed.json", json.dumps({**whole, **more}))
    later = whole["text"].replace("expires: 2", "expires: 3")
    assert "does not count" in record(stoa, changed(text=later), keys, code=4).err
    other = json.loads(json.dumps(whole["bundle"]).replace("(amount > 0)", "(amount > 1)"))
    assert "was altered" in record(stoa, changed(bundle=other), keys, code=4).err
    assert "is no signed approval" in record(stoa, bundle, keys, code=2).err
    assert "is no signed approval" in record(stoa, stoa.file("text", "no"), keys, code=2).err
    assert "has expired" in record(stoa, paper("alice", "--approval-ttl", "1ms"), keys, code=4).err
    elsewhere = stoa.file("elsewhere.json", json.dumps({**json.loads(pathlib.Path(bundle).read_text()), "database": "elsewhere"}))
    assert 'database "elsewhere"' in record(stoa, paper("alice", of=elsewhere), keys, code=4).err
    assert db.value("SELECT to_regclass('stoa.events')") is None or approvals(db) == []


@pytest.mark.parametrize("args, said", [
    (["--to", "x"], "--sign KEY"), (["--by-role", "--to", "x", "--yes"], "does not go with --by-role"), (["--signed", "x", "--by-role"], "has who approves"),
    (["--signed", "/nowhere.json"], "is no signed approval"), (["--sign", "k", "--to", "x", "--yes"], "--bundle")])
def test_what_does_not_go_together(stoa, table, args, said):  # noqa: F811
    refused = stoa("approve", *args, code=2)
    assert said in refused.err


def test_by_the_api(db, stoa, paper, keys):  # noqa: F811
    db.run("CREATE TABLE other (id int PRIMARY KEY)")
    stoa.apply("ALTER TABLE other ADD COLUMN c int")
    web = Serving(db.url(), "--allowed-signers", keys["allowed"])
    try:
        web.ready()
        assert web.get("/api/v1/status")["takes_approvals"]

        def send(path):
            body = json.loads(pathlib.Path(path).read_text())
            assert web.ask("/api/v1/approvals", "POST", body, {"Authorization": f"Bearer {TOKEN}"})[0] == 202
            until(lambda: all(act["state"] != "running" for act in web.get("/api/v1/status")["acts"]), 30)
            return web.get("/api/v1/status")["acts"][0]
        assert web.ask("/api/v1/approvals", "POST", json.loads(pathlib.Path(paper()).read_text()))[0] == 401
        done = send(paper())
        assert (done["verb"], done["change"], done["state"], done["error"]) == ("approve", "orders-paid", "done", None)
        failed = send(paper("mallory"))
        assert failed["state"] == "failed" and "does not count" in failed["error"]
        assert approvals(db) == [("alice", "ssh")]
    finally:
        web.close()
    apply(stoa, "--approvals", "1", "--allowed-signers", keys["allowed"])

"""The real OpenFeature clients from npm against stoa serve (script/test --flags; script/bootstrap --flags fetches them)."""
import json
import os
import pathlib
import subprocess

import pytest

from test.lib.http import Serving
from test.lib.servers import Server, until
from test.lib.stoa import Stoa

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path("/var/cache/stoa" if os.getuid() == 0 else
                     os.environ.get("XDG_CACHE_HOME", str(pathlib.Path.home() / ".cache")) + "/stoa") / "openfeature"
SQL = "ALTER TABLE orders ADD COLUMN cents bigint NOT NULL"
READ, STAGE = "schema.public.orders.cents.read", "schema.public.orders.cents.stage"


class Client:
    """An application in Node."""

    def __init__(self, folder, script, *args):
        modules = CACHE / folder / "node_modules"
        assert modules.is_dir(), "script/bootstrap --flags fetches the clients"
        self.process = subprocess.Popen(["node", HERE / script, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={"PATH": "/usr/bin:/bin", "NODE_PATH": str(modules)})
        assert json.loads(self.process.stdout.readline()) == {"there": True}

    def ask(self, kind, key=None, otherwise=None, context=None):
        self.process.stdin.write(json.dumps({"kind": kind, "key": key, "otherwise": otherwise, "context": context}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def flag(self, key, otherwise=False, context=None):
        return self.ask("boolean", key, otherwise, context)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture
def own(home, version):
    server = Server(home, version)
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    with server.connect() as conn:
        conn.execute("CREATE TABLE orders (id bigint PRIMARY KEY, amount int)")
        conn.execute("INSERT INTO orders SELECT i, i FROM generate_series(1, 2000) i")
    program = Stoa(url)
    program("apply", SQL, "--name", "cents", "--backfill", "orders.cents = amount * 100", "--yes", "--until", "backfill")
    web = Serving(url).ready()
    until(lambda: web.ask("/ofrep/v1/evaluate/flags/" + READ, "POST", {"context": {}})[0] == 200, 20, "no flags")
    yield server, program, web
    web.close()
    program.close()
    server.end()


def start(kind, web):
    base = f"http://{web.host}:{web.port}"
    return Client("server", "server.js", base) if kind == "server" else Client("web", "web.js", base, kind)


KINDS = ["server", "sse", "polling"]


@pytest.mark.parametrize("kind", KINDS)
def test_from_false_to_true_and_off(own, kind):
    _, program, web = own
    client = start(kind, web)
    got = client.flag(READ, True)
    assert (got["value"], got["variant"]) == (False, "off") and "errorCode" not in got, got
    assert client.ask("string", STAGE, "none")["value"] == "shadow"
    program("resume", "cents")
    until(lambda: client.flag(READ)["value"] is True, 20, "it does not become true")
    got = client.flag(READ)
    assert got["reason"] == "STATIC" and got["flagMetadata"]["change"] == "cents" and client.ask("string", STAGE, "none")["value"] == "live"
    if kind != "server":
        assert any(READ in changed for changed in client.ask("changes")["changes"])
    web.ask(f"/api/v1/flags/{READ}/off", "POST", trusted=True)
    until(lambda: client.flag(READ, True)["value"] is False, 20, "it is not switched off")
    assert client.flag(READ, True)["reason"] == "DISABLED"
    got = client.ask("string", READ, "a text")
    assert (got["value"], got["errorCode"]) == ("a text", "TYPE_MISMATCH")
    got = client.flag("schema.public.orders.cents.nothing", True)
    assert (got["value"], got["errorCode"]) == (True, "FLAG_NOT_FOUND")
    client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_proved_is_the_default(own, kind):
    server, program, web = own
    program("resume", "cents")
    client = start(kind, web)
    until(lambda: client.flag(READ)["value"] is True, 20, "it does not become true")
    with server.connect() as conn:
        conn.execute("UPDATE stoa.changes SET state = 'running'")
    until(lambda: client.flag(READ)["value"] is False, 20, "an error is not taken for the default")
    got = client.flag(READ)
    assert got["errorCode"] == "GENERAL" and got["reason"] == "ERROR"
    client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_down(own, kind):
    """Without the database flags stay; without serve the server's client has its default, the page's what it knew."""
    server, program, web = own
    program("resume", "cents")
    client = start(kind, web)
    until(lambda: client.flag(READ)["value"] is True, 20, "it does not become true")
    server.stop("immediate")
    until(lambda: web.ask("/readyz")[0] == 503, 20, "it does not notice")
    assert client.flag(READ)["value"] is True
    late = [start(one, web) for one in KINDS]
    assert [one.flag(READ)["value"] for one in late] == [True, True, True]
    web.close()
    if kind == "server":
        got = client.flag(READ)
        assert got["value"] is False and got["reason"] == "ERROR" and got["errorCode"]
    else:
        assert client.flag(READ)["value"] is True
        fresh = start(kind, web)
        got = fresh.flag(READ)
        assert got["value"] is False and got["errorCode"]
        fresh.close()
    for one in [*late, client]:
        one.close()


def test_shares(own):
    _, program, web = own
    program("resume", "cents")
    program("flag", READ, "50%")
    until(lambda: web.ask("/ofrep/v1/evaluate/flags/" + READ, "POST", {"context": {}})[2]["reason"] == "SPLIT", 20, "no share")
    server, page = start("server", web), start("sse", web)
    people = [f"user-{i}" for i in range(40)]
    inside = {who for who in people if server.flag(READ, context={"targetingKey": who})["value"]}
    assert 8 < len(inside) < 32
    assert inside == {who for who in people if page.flag(READ, context={"targetingKey": who})["value"]}
    got = server.flag(READ)
    assert got["value"] is False and got["reason"] == "SPLIT" and "errorCode" not in got
    server.close()
    page.close()

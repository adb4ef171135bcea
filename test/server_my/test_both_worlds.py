"""One set of verbs on both worlds: the same commands, run unchanged against PostgreSQL and MariaDB, end alike and tell the
same things under the same names. Only the URL differs (there is no stoa.yaml yet that could hold both)."""
import pytest

from test.lib.database import Database
from test.lib.my_servers import MyServer
from test.lib.servers import Server
from test.lib.stoa import Stoa

TABLE = ("CREATE TABLE orders (id bigint PRIMARY KEY, amount int NOT NULL, note varchar(40))",
         "INSERT INTO orders VALUES (1, 5, 'a'), (2, 7, NULL), (3, -1, 'c')")
ADD = "ALTER TABLE orders ADD COLUMN cents bigint"
INDEX = "CREATE INDEX orders_note ON orders (note)"
DROP = "ALTER TABLE orders DROP COLUMN cents"


class Postgres:
    name = "PostgreSQL"

    def __init__(self, home):
        self.db = Database(Server(home, 15))
        for statement in TABLE:
            self.db.run(statement)
        self.url = self.db.url()

    def columns(self):
        return self.db.columns("orders")

    def rows(self):
        return [tuple(row) for row in self.db.rows("SELECT id, amount, note FROM orders ORDER BY id")]


class MariaDB:
    name = "MariaDB"

    def __init__(self, home):
        self.my = MyServer(home, "mariadb-10.11")
        self.my.query("CREATE DATABASE shop CHARACTER SET utf8mb4")
        for statement in TABLE:
            self.my.query(statement, "shop")
        self.url = self.my.url("shop")

    def columns(self):
        return [row[0] for row in self.my.query("SHOW COLUMNS FROM orders", "shop")]

    def rows(self):
        return [tuple(row) for row in self.my.query("SELECT id, amount, note FROM orders ORDER BY id", "shop")]


@pytest.fixture(params=[Postgres, MariaDB], ids=lambda world: world.name)
def world(request, home):
    world = request.param(home)
    world.stoa = Stoa(world.url)
    yield world
    world.stoa.close()


def state(world, change):
    return world.stoa.status(change)["state"]


def test_the_same_commands(world):
    stoa, before = world.stoa, world.rows()
    plan = stoa("plan", ADD, "--name", "add-cents", "--json").json
    assert {"v", "change", "change_digest", "plan_digest", "engine", "server", "strategy", "steps"} <= set(plan)
    assert plan["strategy"] == "instant" and plan["change"] == "add-cents"
    assert {"ordinal", "phase", "kind", "sql", "lock", "evidence", "undo"} <= set(plan["steps"][0])
    accepts = sorted({risk["accept"] for risk in plan["risks"] if risk["accept"]})

    stoa.apply(ADD, "--name", "add-cents", "--expect", plan["plan_digest"], *accepts)
    assert "cents" in world.columns() and state(world, "add-cents") in ("ready", "completed")
    again = stoa.apply(ADD, "--name", "add-cents", *accepts)
    assert again.code == 0
    if state(world, "add-cents") == "ready":
        stoa("complete", "add-cents", "--yes", "--force", "--quiet", "0s")
    assert state(world, "add-cents") == "completed"

    stoa.apply(INDEX, "--name", "note-index")
    told = stoa("status", "note-index", "--json").json["changes"][0]
    assert {"name", "change_digest", "plan_digest", "state", "phase", "ready", "steps"} <= set(told)

    refused = stoa("apply", "ALTER TABLE nowhere ADD COLUMN c int", "--yes", code=None)
    assert refused.code in (2, 4) and "nowhere" in refused.err
    wrong = stoa("plan", "ALTER TABEL orders", code=None)
    assert wrong.code == 2
    assert stoa("status", "no-such-change", code=None).code == 2

    drop = stoa("plan", DROP, "--name", "drop-cents", "--json").json
    accepts = sorted({risk["accept"] for risk in drop["risks"] if risk["accept"]})
    stoa.apply(DROP, "--name", "drop-cents", *accepts)
    if state(world, "drop-cents") == "ready":
        stoa("complete", "drop-cents", "--yes", "--force", "--quiet", "0s")
    assert "cents" not in world.columns()

    history = stoa("history", "--json").json
    assert {"add-cents", "note-index", "drop-cents"} <= {event["change"] for event in history["events"]}
    assert stoa("doctor", "--json").json["v"] == 1
    assert world.rows() == before
    stoa("uninstall", "--yes", "--force")


def test_no_connection(world):
    nowhere = f"{world.url.split(':')[0]}://nobody@127.0.0.1:1/shop"
    assert world.stoa("status", url=nowhere, code=None).code == 7

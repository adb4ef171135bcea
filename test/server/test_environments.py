"""Environments: their order, what is refused where, and many databases in waves."""
import json
import os
import signal

import pytest

from test.lib.database import Database, orders
from test.lib.servers import until
from test.lib.stoa import Stoa

SQL = """
-- stoa: name paid
-- stoa: backfill orders.paid = (amount > 100)
ALTER TABLE orders ADD COLUMN paid boolean NOT NULL;
"""
OTHER = SQL.replace("100", "200")


@pytest.fixture
def three(server):
    """Three databases with orders, as dev, staging and production."""
    databases = [Database(server) for _ in range(3)]
    for database in databases:
        orders(database, 300)
    yield databases
    for database in databases:
        database.drop()


@pytest.fixture
def stoa():
    program = Stoa("")
    yield program
    program.close()


def config(stoa, text):
    return ("--config", stoa.file("stoa.yaml", text))


def chain(stoa, three):
    dev, staging, production = three
    return config(stoa, f"""
environments:
  dev: {{url: '{dev.url()}'}}
  staging: {{url-env: STAGING}}
  production: {{url: '${{PROD_URL}}', replicas: ['0']}}
"""), {"STAGING": staging.url(), "PROD_URL": production.url()}


def digest(stoa, at, env):
    return stoa("status", "paid", "--json", "--env", "dev", *at, env=env).json["changes"][0]["change_digest"]


def test_order_is_enforced(stoa, three):
    at, env = chain(stoa, three)
    dev, staging, production = three

    def apply(name, *more, text=SQL, **options):
        return stoa("apply", text, "--yes", "--json", "--env", name, *at, *more, env=env, **options)

    refused = apply("staging", code=4)
    assert "dev: not applied" in refused.err and "stoa apply --env dev" in refused.err
    assert refused.events[-1]["error"]["problems"][0]["environment"] == "dev"
    assert staging.value("SELECT to_regnamespace('stoa')") is None
    apply("dev", "--until", "expand")
    assert "dev: " in apply("staging", code=4).err  # begun, not ready
    apply("dev")
    missing = apply("production", code=4)
    assert "staging: not applied" in missing.err and "dev:" not in missing.err
    apply("staging", "--until", "expand")
    assert "(expand)" in apply("production", code=4).err
    apply("staging")
    other = apply("production", text=OTHER, code=4)
    here = [one for one in other.events[-1]["error"]["problems"]]
    assert {one["environment"] for one in here} == {"dev", "staging"}
    assert all(one["change_digest"] in other.err and one["expected"] in other.err for one in here)
    assert here[0]["change_digest"] == digest(stoa, at, env) != here[0]["expected"]
    assert production.value("SELECT to_regnamespace('stoa')") is None
    apply("production")
    assert production.columns("orders")["paid"][1] is True
    stoa("complete", "paid", "--yes", "--force", "--env", "staging", *at, env=env)
    apply("production")  # completed counts as ready; the same again is nothing to do


def test_override_is_recorded(stoa, three):
    at, env = chain(stoa, three)
    production = three[2]
    args = ("apply", SQL, "--yes", "--env", "production", *at)
    stoa(*args, code=4, env=env)
    stoa(*args, "--out-of-order", "hot fix of ticket 7", "--until", "expand", env=env)
    text, detail = production.rows("SELECT text, detail FROM stoa.events WHERE kind = 'out_of_order'")[0]
    assert "hot fix of ticket 7" in text and detail["reason"] == "hot fix of ticket 7"
    assert {one["environment"] for one in detail["missing"]} == {"dev", "staging"}
    stoa(*args, env=env)  # what has been let in goes on
    assert production.value("SELECT count(*) FROM stoa.events WHERE kind = 'out_of_order'") == 1
    assert "out of order: hot fix" in stoa("history", "paid", "--env", "production", *at, env=env).out
    alone = stoa("apply", SQL, "--yes", "--out-of-order", "x", url=production.url(), code=2)
    assert "--env" in alone.err


def test_what_cannot_be_looked_at_is_refused(stoa, three):
    at, env = chain(stoa, three)
    args = ("apply", SQL, "--yes", "--env", "production", *at)
    stoa("apply", SQL, "--yes", "--env", "dev", *at, env=env)
    gone = {**env, "STAGING": "postgres://nobody@127.0.0.1:1/none"}
    refused = stoa(*args, code=7, env=gone)
    assert "cannot be told" in refused.err and "staging" in refused.err and "--out-of-order" in refused.err
    unset = stoa(*args, code=7, env={"PROD_URL": env["PROD_URL"]})
    assert "STAGING" in unset.err
    stoa(*args, "--out-of-order", "staging is down", env=gone)
    assert three[2].value("SELECT count(*) FROM stoa.events WHERE kind = 'out_of_order'") == 1


def test_after_says_which_are_earlier(stoa, three):
    dev, staging, production = three
    at = config(stoa, f"""
environments:
  production: {{url: '{production.url()}', after: [staging]}}
  dev: {{url: '{dev.url()}'}}
  staging: {{url: '{staging.url()}', after: []}}
""")
    assert "staging: not applied" in stoa("apply", SQL, "--yes", "--env", "production", *at, code=4).err
    stoa("apply", SQL, "--yes", "--env", "staging", *at)
    stoa("apply", SQL, "--yes", "--env", "production", *at)
    assert "production" not in stoa("apply", SQL, "--yes", "--env", "dev", *at).err


# ---- many ---------------------------------------------------------------------------------------


@pytest.fixture
def shop(server):
    """A database as a template, and its copies."""
    database = Database(server)
    orders(database, 50)
    database.admin.close()
    made = []

    def copy(name):
        with server.connect() as conn:
            conn.execute(f'CREATE DATABASE "{name}" OWNER {database.owner} TEMPLATE {database.name}')
        made.append(name)

    database.copy, database.copies = copy, made
    yield database
    with server.connect() as conn:
        for name in made:
            kept = conn.execute("SELECT datname FROM pg_database WHERE datname ~ ('^stoa_scratch_' || (SELECT oid FROM pg_database "
                                "WHERE datname = %s) || '_')", [name]).fetchall()
            for each in [name, *(one for one, in kept)]:
                conn.execute(f'DROP DATABASE "{each}" WITH (FORCE)')
    database.drop()


def value(server, database, text):
    with server.connect(database) as conn:
        return conn.execute(text).fetchone()[0]


def test_waves_stop_and_go_on(stoa, server, shop):
    for number in range(12):
        shop.copy(f"tenant_{number:02}")
    with server.connect("tenant_05", shop.owner) as conn:
        conn.execute("ALTER TABLE orders ADD CONSTRAINT few CHECK (amount IS NOT NULL); UPDATE orders SET note = NULL WHERE id = 7")
    at = config(stoa, f"environments:\n  prod: {{url: '{shop.url()}', databases: 'tenant_*', waves: '1,4,100%', parallel: 2}}\n")
    text = "\n-- stoa: name noted\nALTER TABLE orders ALTER COLUMN note SET NOT NULL;"
    args = ("apply", text, "--yes", "--env", "prod", *at)
    first = stoa(*args, "--json", code=None, seconds=400)
    end = first.events[-1]["summary"]
    states = {one["database"]: one for one in end["databases"]}
    assert first.code != 0 and end["failed"] == 1 and states["tenant_05"]["exit_code"] == first.code, first
    assert all(states[f"tenant_{n:02}"]["state"] == "completed" or states[f"tenant_{n:02}"]["state"] == "ready" for n in range(5)), states
    assert end["not_begun"] >= 5 and end["done"] + end["failed"] + end["not_begun"] == 12
    assert {one["database"] for one in first.events[:-1] if "database" in one} <= set(states)
    assert value(server, "tenant_11", "SELECT to_regnamespace('stoa') IS NULL")
    again = stoa(*args, code=first.code, seconds=400)
    assert "tenant_05" in again.out and "the same command again" in again.err
    with server.connect("tenant_05", shop.owner) as conn:
        conn.execute("UPDATE orders SET note = '' WHERE note IS NULL")
    last = stoa(*args, "--json", seconds=400).events[-1]["summary"]
    assert last["done"] == 12 and last["failed"] == last["not_begun"] == 0
    assert sum(one["already_done"] for one in last["databases"]) >= 5
    table = stoa("status", "noted", "--env", "prod", *at)
    assert all(f"tenant_{n:02}" in table.out for n in range(12)) and "12 " in table.out.splitlines()[-1]
    told = stoa("status", "noted", "--env", "prod", "--json", *at).json
    assert [one["database"] for one in told["databases"]] == sorted(states)
    assert {one["changes"][0]["change_digest"] for one in told["databases"]} == {told["databases"][0]["changes"][0]["change_digest"]}
    one = stoa("status", "--env", "prod", "--database", "tenant_0[23]", "--json", "--all", *at).json
    assert len(one["databases"]) == 2


def test_which_databases(stoa, server, shop):
    for name in ("eu_a", "eu_b", "us_a"):
        shop.copy(name)
    url = shop.url()

    def names(where, code=0, env=None):
        at = config(stoa, f"environments:\n  prod: {{{where}}}\n")
        done = stoa("status", "--env", "prod", "--json", *at, code=code, env=env)
        return [one["database"] for one in done.json["databases"]] if code == 0 else done.err

    assert names(f"url: '{url}', databases: [us_a, 'eu_*']") == ["us_a", "eu_a", "eu_b"]
    assert names(f"url: '{url}', databases: {{query: \"SELECT datname FROM pg_database WHERE datname LIKE 'eu%' ORDER BY 1 DESC\"}}") == ["eu_b", "eu_a"]
    host = url.split("@")[1].split("/")[0]
    assert names(f"databases: ['${{FIRST}}', '{server.url('us_a', shop.owner)}']", env={"FIRST": server.url("eu_a", shop.owner)}) == \
        [f"{host}/eu_a", f"{host}/us_a"]
    assert "no database like" in names(f"url: '{url}', databases: 'xx_*'", code=2)
    assert "has no url" in names("databases: [a]", code=2) or "no url" in names("databases: [a]", code=2)
    at = config(stoa, f"environments:\n  prod: {{url: '{url}', databases: 'eu_*'}}\n")
    several = stoa("plan", SQL, "--env", "prod", *at, code=2)
    assert "eu_a, eu_b" in several.err and "--database" in several.err
    assert stoa("plan", SQL, "--env", "prod", "--database", "eu_b", "--json", *at).json["steps"]
    assert "eu_a, eu_b" in stoa("plan", SQL, "--env", "prod", "--database", "nope", *at, code=2).err
    assert "stoa_scratch" not in str(names(f"url: '{url}', databases: '*'"))


def test_schemas_are_tenants(stoa, server, shop):
    with server.connect(shop.name, shop.owner) as conn:
        for name in ("acme", "bolt", "Cat's"):
            conn.execute(f'CREATE SCHEMA "{name}"; CREATE TABLE "{name}".orders (LIKE orders INCLUDING ALL); '
                         f'INSERT INTO "{name}".orders OVERRIDING SYSTEM VALUE SELECT * FROM orders')
        conn.execute("CREATE SCHEMA empty")
    at = config(stoa, f"environments:\n  prod: {{url: '{shop.url()}', schemas: [acme, bolt, \"Cat's\"]}}\n")
    stoa("apply", SQL, "--yes", "--env", "prod", *at, seconds=400)
    for name in ("acme", "bolt", "Cat's"):
        assert shop.value(f'SELECT count(*) FROM "{name}".orders WHERE paid IS DISTINCT FROM (amount > 100)') == 0
    assert "paid" not in shop.columns("orders")
    assert [name for name, in shop.rows("SELECT name FROM stoa.changes ORDER BY 1")] == ["paid@Cat's", "paid@acme", "paid@bolt"]
    again = stoa("apply", SQL, "--yes", "--env", "prod", "--json", *at, seconds=400).events[-1]["summary"]
    assert all(one["already_done"] for one in again["databases"])
    told = stoa("status", "paid", "--env", "prod", "--json", *at).json["databases"]
    assert [len(one["changes"]) for one in told] == [1, 1, 1]
    stoa("complete", "paid", "--yes", "--force", "--env", "prod", *at, seconds=400)
    assert {state for state, in shop.rows("SELECT state FROM stoa.changes")} == {"completed"}
    stray = config(stoa, f"environments:\n  prod: {{url: '{shop.url()}', schemas: 'e*'}}\n")
    missing = stoa("apply", SQL, "--yes", "--env", "prod", *stray, code=2)
    assert 'no "orders" in the schema "empty"' in missing.err + missing.out
    assert "paid" not in shop.columns("orders")


def test_a_signal_stops_all(stoa, server, shop):
    for name in ("tenant_1", "tenant_2", "tenant_3"):
        shop.copy(name)
    at = config(stoa, f"environments:\n  prod: {{url: '{shop.url()}', databases: 'tenant_*', waves: all, parallel: 2}}\n")
    with server.connect("tenant_1", shop.owner) as one, server.connect("tenant_2", shop.owner) as two:
        for conn in (one, two):
            conn.autocommit = False
            conn.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        running = stoa.start("apply", SQL, "--yes", "--env", "prod", *at)
        for name in ("tenant_1", "tenant_2"):
            until(lambda: value(server, name, "SELECT to_regclass('stoa.events') IS NOT NULL"))
            until(lambda: value(server, name, "SELECT count(*) > 0 FROM stoa.events WHERE kind = 'lock_blocked'"))
        running.process.send_signal(signal.SIGTERM)
        done = running.wait(3, 60)
        for conn in (one, two):
            conn.rollback()
    assert "not begun" in done.out and value(server, "tenant_3", "SELECT to_regnamespace('stoa') IS NULL")
    stoa("apply", SQL, "--yes", "--env", "prod", *at, seconds=400)


def test_without_a_parent_they_end(stoa, server, shop):
    for name in ("tenant_1", "tenant_2"):
        shop.copy(name)
    at = config(stoa, f"environments:\n  prod: {{url: '{shop.url()}', databases: 'tenant_*', waves: all}}\n")
    with server.connect("tenant_1", shop.owner) as conn:
        conn.autocommit = False
        conn.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        running = stoa.start("apply", SQL, "--yes", "--env", "prod", *at)
        until(lambda: value(server, "tenant_1", "SELECT to_regclass('stoa.events') IS NOT NULL"))
        until(lambda: value(server, "tenant_1", "SELECT count(*) > 0 FROM stoa.events WHERE kind = 'lock_blocked'"))
        os.kill(running.process.pid, signal.SIGKILL)
        until(lambda: value(server, "tenant_1", "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'stoa:%'"))
        conn.rollback()
    last = stoa("apply", SQL, "--yes", "--env", "prod", "--json", *at, seconds=400).events[-1]["summary"]
    assert last["done"] == 2

"""The gate: shut until every database is ready, open then, and never on a guess; pipelines that go by it."""
import json
import pathlib
import subprocess

import pytest
import yaml

from test.lib.database import Database, orders
from test.lib.servers import ROOT, until
from test.lib.stoa import BINARY, Stoa

SQL = """
-- stoa: name paid
-- stoa: backfill orders.paid = (amount > 100)
ALTER TABLE orders ADD COLUMN paid boolean NOT NULL;
"""
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def stoa():
    program = Stoa("")
    yield program
    program.close()


@pytest.fixture
def three(server):
    databases = [Database(server) for _ in range(3)]
    for database in databases:
        orders(database, 300)
    yield databases
    for database in databases:
        database.drop()


def config(stoa, three):
    names = ("dev", "staging", "production")
    return stoa.file("stoa.yaml", "environments:\n" + "".join(
        f"  {name}: {{url: '{database.url()}'}}\n" for name, database in zip(names, three)))


def test_it_opens_environment_by_environment(stoa, three):
    at = ("--config", config(stoa, three))

    def gate(use, *more, code=0):
        done = stoa("gate", "orders.paid", "--for", use, "--json", *at, *more, code=code).json
        return done["open"], {one["environment"]: one["open"] for one in done["databases"]}

    def apply(name, *more):
        stoa("apply", SQL, "--yes", "--env", name, *at, *more)

    shut = dict.fromkeys(("dev", "staging", "production"), False)
    assert gate("write", code=3) == (False, shut)
    apply("dev", "--until", "expand")
    assert gate("write", code=3) == (False, {**shut, "dev": True})
    assert gate("read", code=3) == (False, shut)
    apply("dev")
    assert gate("read", "--env", "dev") == (True, {"dev": True})
    apply("staging")
    assert gate("read", "--env", "dev", "--env", "staging")[0] is True
    assert gate("read", code=3) == (False, {**shut, "dev": True, "staging": True})
    apply("production", "--until", "backfill")
    assert gate("write")[0] is True
    text = stoa("gate", "public.orders.paid", "--for", "read", *at, code=3)
    assert "production  missing  paid is" in text.out and text.out.rstrip().endswith("not yet")
    apply("production")
    assert gate("read")[0] is True and gate("write")[0] is True
    # the journal alone is not enough
    three[1].run("ALTER TABLE orders DROP COLUMN paid CASCADE")
    assert gate("read", code=3)[1]["staging"] is False


def test_drop(stoa, three):
    db = three[0]
    url = ("--url", db.url())
    said = stoa("gate", "orders.note", "--for", "drop", *url, code=3)
    assert "no change in the journal" in said.out
    stoa("apply", "ALTER TABLE orders DROP COLUMN note", "--yes", "--name", "gone", *url)
    said = stoa("gate", "orders.note", "--for", "drop", *url, code=3)
    assert "has not shown yet that nobody uses it" in said.out
    stoa("complete", "gone", "--yes", "--force", *url)
    stoa("gate", "orders.note", "--for", "drop", *url)
    stoa("gate", "orders.note", "--for", "write", *url, code=3)


def test_never_on_a_guess(stoa, three):
    db = three[0]
    url = ("--url", db.url())
    at = stoa.file("down.yaml", f"environments:\n  dev: {{url: '{db.url()}'}}\n"
                                "  far: {url: 'postgres://nobody@127.0.0.1:1/none'}\n  unset: {url-env: NOT_SET}\n")
    assert "no change in the journal" in stoa("gate", "orders.status", "--for", "read", *url, code=3).out
    stoa("apply", SQL, "--yes", *url)
    stoa("gate", "orders.paid", "--for", "read", *url)
    told = stoa("gate", "orders.paid", "--for", "read", "--json", "--env", "dev", "--env", "far", "--config", at, code=7).json
    assert told["open"] is None and [one["open"] for one in told["databases"]] == [True, None]
    assert "127.0.0.1" in told["databases"][1]["error"]["message"]
    assert "NOT_SET" in stoa("gate", "orders.paid", "--for", "read", "--config", at, code=2).out
    # held back, a further change of the column, a second table of the name
    stoa("flag", "orders.paid.read", "off", "--reason", "totals differ", *url)
    assert "totals differ" in stoa("gate", "orders.paid", "--for", "read", *url, code=3).out
    stoa("flag", "orders.paid.read", "on", *url)
    stoa("apply", "ALTER TABLE orders ALTER COLUMN paid SET DEFAULT true", "--yes", "--name", "later", "--until", "prepare", *url)
    assert "later" in stoa("gate", "orders.paid", "--for", "read", *url, code=3).out
    stoa("gate", "orders.paid@paid", "--for", "read", *url)
    stoa("apply", "ALTER TABLE orders ALTER COLUMN paid SET DEFAULT true", "--yes", "--name", "later", *url)
    db.run("CREATE SCHEMA other; CREATE TABLE other.orders (id int)")
    stoa("apply", "ALTER TABLE other.orders ADD COLUMN paid boolean", "--yes", "--name", "twin", *url)
    twice = stoa("gate", "orders.paid", "--for", "read", *url, code=2)
    assert "other" in twice.out and "public" in twice.out
    stoa("gate", "public.orders.paid", "--for", "read", *url)
    for args in (("orders.paid",), ("orders", "--for", "read"), ("orders.paid", "--for", "look")):
        stoa("gate", *args, *url, code=2)


def test_wait_ends_at_once(stoa, three):
    db = three[0]
    url = ("--url", db.url())
    assert "not yet" in stoa("gate", "orders.paid", "--for", "read", "--wait", "2s", *url, code=3).out
    stoa("apply", SQL, "--yes", "--until", "expand", *url)
    waiting = stoa.start("gate", "orders.paid", "--for", "read", "--wait", "5m", *url)
    until(lambda: "waiting: 0 of 1" in waiting.err)
    stoa("apply", SQL, "--yes", *url)
    done = waiting.wait(0, 60)
    assert "open" in done.out


def test_a_pipeline_deploys_when_the_gate_opens(stoa, three, tmp_path):
    """The program is deployed (and started) by the example's script, in an application whose code needs the column."""
    production = three[2]
    config_file = config(stoa, three)
    program = tmp_path / "report.py"
    program.write_text("import psycopg, sys\n"
                       "with psycopg.connect(sys.argv[1]) as conn:\n"
                       "    print(conn.execute('SELECT count(*) FROM orders WHERE paid').fetchone()[0])\n")
    marker = tmp_path / "deployed"
    roll_out = f"/usr/bin/python3 {program} '{production.url()}' > {marker}"
    env = stoa.environment({"PATH": f"{pathlib.Path(BINARY).parent}:/usr/bin:/bin", "STOA_CONFIG": config_file, "GATE_WAIT": "1s"})
    command = [EXAMPLES / "deploy.sh", "orders.paid", "read", "sh", "-c", roll_out]

    def pipeline(wait):
        return subprocess.Popen(command, env={**env, "GATE_WAIT": wait}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    early = pipeline("1s")
    out, err = early.communicate(timeout=120)
    assert early.returncode == 3 and "not deployed" in err and not marker.exists(), (out, err)
    running = pipeline("10m")
    try:
        for name in ("dev", "staging"):
            stoa("apply", SQL, "--yes", "--env", name, "--config", config_file)
        stoa("apply", SQL, "--yes", "--env", "production", "--until", "backfill", "--config", config_file)
        assert running.poll() is None and not marker.exists()
        stoa("apply", SQL, "--yes", "--env", "production", "--config", config_file)
        out, err = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 0, (out, err)
    assert int(marker.read_text()) == production.value("SELECT count(*) FROM orders WHERE amount > 100")


def test_examples_are_yaml_and_speak_the_verb(stoa):
    files = sorted(EXAMPLES.glob("*.y*ml"))
    assert len(files) == 4
    for path in files:
        text = path.read_text()
        assert isinstance(yaml.safe_load(text), dict), path
        assert "gate" in text and "orders.amount_cents" in text
    options = json.loads(stoa("help", "--options-json").out)
    known = {name for verb in options["verbs"] if verb["name"] == "gate" for name in verb["options"]}
    assert {"for", "wait", "env", "database", "json"} <= known

"""Many databases on one MariaDB or MySQL server, which have one journal together."""
import pytest

from test.lib.stoa import Stoa

SQL = "\n-- stoa: name amount\nALTER TABLE t MODIFY v BIGINT NOT NULL"


@pytest.fixture
def stoa():
    program = Stoa("")
    yield program
    program.close()


@pytest.fixture
def shards(my):
    names = ("shard_a", "shard_b")
    for name in names:
        my.query(f"CREATE DATABASE {name}")
        my.query(f"CREATE TABLE {name}.t (id INT PRIMARY KEY, v INT NOT NULL)")
        my.query(f"INSERT INTO {name}.t VALUES (1, 1), (2, 2)")
    yield names
    for name in (*names, "stoa"):
        my.query(f"DROP DATABASE IF EXISTS {name}")


def types(my, shards):
    return [my.query(f"SELECT data_type FROM information_schema.columns WHERE table_schema = '{name}' AND column_name = 'v'")[0][0]
            for name in shards]


@pytest.mark.parametrize("by", ["pattern", "url"])
def test_each_has_its_own_change(my, stoa, shards, by):
    where = f"url: '{my.url('shard_a')}', databases: 'shard_*'" if by == "pattern" else \
        f"databases: ['{my.url('shard_a')}', '{my.url('shard_b')}']"
    at = ("--config", stoa.file("stoa.yaml", f"environments:\n  prod: {{{where}}}\n"))
    stoa("apply", SQL, "--yes", "--env", "prod", "--database", "*shard_a", *at)
    shut = stoa("gate", "t.v", "--for", "read", "--json", "--env", "prod", *at, code=3).json
    assert [one["open"] for one in shut["databases"]] == [True, False]
    summary = stoa("apply", SQL, "--yes", "--env", "prod", "--json", *at).events[-1]["summary"]
    assert [one["already_done"] for one in summary["databases"]] == [True, False]
    assert [str(one) for one in types(my, shards)] == ["bigint", "bigint"]
    names = [str(row[0]) for row in my.query("SELECT name FROM stoa.changes WHERE name LIKE 'amount@%' ORDER BY id")]
    assert names == ["amount@shard_a", "amount@shard_b"]
    stoa("gate", "t.v", "--for", "read", "--env", "prod", *at)
    told = stoa("status", "amount", "--env", "prod", "--json", *at).json
    assert [len(one["changes"]) for one in told["databases"]] == [1, 1]


def test_schemas_are_refused(my, stoa, shards):
    at = ("--config", stoa.file("stoa.yaml", f"environments:\n  prod: {{url: '{my.url('shard_a')}', schemas: [x]}}\n"))
    assert "write them as databases" in stoa("status", "--env", "prod", *at, code=2).err

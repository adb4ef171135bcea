"""Flags on MariaDB and MySQL: columns are found in ALTER TABLE, and follow the change whatever its way."""
import json

import pytest

from test.lib.http import Serving
from test.lib.servers import until
from test.server.test_flags import ALL, EMPTY, OFF, becomes, one, value
from test.server_my.test_journal import stoa, table  # noqa: F401

CASES = {  # statement: [(column, is)], options
    "ALTER TABLE t ADD COLUMN c INT NULL": ([("c", "added")], ["--accept-star"]),
    "ALTER TABLE shop.t ADD (c INT, d INT)": ([("c", "added"), ("d", "added")], ["--accept-star"]),
    "ALTER TABLE t MODIFY v BIGINT NOT NULL": ([("v", "changed")], ["--strategy", "shadow"]),
    "ALTER TABLE t CHANGE v w INT NOT NULL": ([("w", "changed"), ("v", "dropped")], ["--accept-rename"]),
}


@pytest.fixture
def web(my, stoa, table):  # noqa: F811
    server = Serving(my.url("shop")).ready()
    yield server
    server.close()


@pytest.mark.parametrize("sql", list(CASES))
def test_flags(web, stoa, sql):  # noqa: F811
    columns, options = CASES[sql]
    stoa("apply", sql, "--name", "x", "--yes", *options)
    status = json.loads(stoa("status", "x", "--json").out)["changes"][0]
    assert status["columns"] == [{"schema": "shop", "table": "t", "column": name, "is": what} for name, what in columns]
    for name, what in columns:
        key = f"schema.shop.t.{name}."
        if what == "dropped":
            assert value(web, key + "read") == "FLAG_NOT_FOUND"
            becomes(web, key + "drop_ready", status["state"] == "completed")
            continue
        becomes(web, key + "read", True)
        assert value(web, key + "write") is True and value(web, f"t.{name}.read") is True
        assert value(web, key + "stage") == ("complete" if status["state"] == "completed" else "live")
        assert one(web, key + "read")[1]["metadata"]["change"] == "x"
    stoa("flag", f"t.{columns[0][0]}.read", "off", "--reason", "no")
    becomes(web, f"schema.shop.t.{columns[0][0]}.read", False)
    assert json.loads(stoa("history", "x", "--json").out)["events"][-1]["detail"]["reason"] == "no"
    stoa("flag", f"t.{columns[0][0]}.read", "on")
    becomes(web, f"schema.shop.t.{columns[0][0]}.read", True)


def test_aborted(web, stoa):  # noqa: F811
    stoa("apply", "ALTER TABLE t MODIFY v BIGINT NOT NULL", "--name", "x", "--yes", "--strategy", "shadow", "--until", "backfill")
    becomes(web, "shop.t.v.stage", "off")
    assert value(web, "shop.t.v.write") is False, "the shadow has not taken its place yet"
    stoa("abort", "x", "--yes")
    until(lambda: web.get("/api/v1/changes/x")["change"]["state"] == "aborted", 20, "it is not aborted")
    flags = web.ask(ALL, "POST", EMPTY)[2]["flags"]
    assert {flag["key"].rsplit(".", 1)[1]: flag["value"] for flag in flags} == OFF

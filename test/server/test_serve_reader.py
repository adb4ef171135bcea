"""stoa serve as a role that may read the journal and nothing else: it shows all, and offers nothing."""
import json

import pytest

from test.lib.http import Serving
from test.lib.metrics import until_told
from test.lib.servers import until

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"


@pytest.fixture
def reader(table):
    """The name of such a role, and the URL of the database for it."""
    name = table.role("reader")
    return name, table.url(name)


def grant(db, name):
    db.admin.execute(f"GRANT USAGE ON SCHEMA stoa TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA stoa TO {name}")


def test_it_shows_and_offers_nothing(table, stoa, reader):
    name, url = reader
    stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes")
    grant(table, name)
    web = Serving(url).ready()
    try:
        until(lambda: web.get("/api/v1/changes")["changes"], 10)
        assert json.loads(stoa("status", "w", "--json").out)["changes"] == web.get("/api/v1/changes")["changes"]
        assert web.get("/api/v1/changes/w/events")["events"]
        status = web.get("/api/v1/status", trusted=True)
        assert status["reads_only"] and not status["may_act"] and status["has_token"] and status["failed"] is None
        assert web.ask("/ofrep/v1/evaluate/flags/t.w.read", "POST", {"context": {}})[2]["value"] is True
        until_told(web, "w", "flag_ready")
        for path in ("/api/v1/changes/w/pause", "/api/v1/changes/w/abort", "/api/v1/flags/t.w.read/off"):
            code, _, body = web.ask(path, "POST", trusted=True)
            assert code == 403 and "may read the journal" in body["error"]["message"], body
        assert web.get("/api/v1/status")["acts"] == []
    finally:
        assert web.close() == 0


def test_status_history_and_flags_need_no_more(table, stoa, reader):
    name, url = reader
    stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes")
    grant(table, name)
    for args in (("status", "--all"), ("history", "w"), ("flag", "t.w.read")):
        told, mine = (stoa(*args, "--json", url=at) for at in (None, url))
        assert mine.out == told.out and mine.code == 0
    refused = stoa("pause", "w", url=url, code=7)
    assert "may not use the journal" in refused.err
    assert "flag t.w.read" not in stoa("history", "w").out
    stoa("flag", "t.w.read", "off", url=url, code=7)


def test_without_even_that(table, stoa, reader):
    """The grants are named, and as soon as they are there it goes on."""
    name, url = reader
    stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes")
    done = stoa("status", url=url, code=7)
    assert "may not read the journal" in done.err and f"GRANT SELECT ON ALL TABLES IN SCHEMA stoa TO {name}" in done.err
    web = Serving(url)
    try:
        until(lambda: "may not read" in (web.get("/api/v1/status")["failed"] or ""), 20, "it does not say what is missing")
        assert web.ask("/readyz")[0] == 503
        grant(table, name)
        web.ready()
        assert web.get("/api/v1/changes")["changes"][0]["state"] == "ready"
        table.admin.execute(f"REVOKE SELECT ON stoa.events FROM {name}")
        until(lambda: web.ask("/readyz")[0] == 503, 20, "it does not notice that it may not read any more")
        assert web.get("/api/v1/changes")["changes"][0]["state"] == "ready", "what was known stays"
    finally:
        web.close()

"""Whole changes in shadow tables, one behind the other under writers that do all that an application may do: in every second
one Stoa or the server is killed at a random moment. After each the table and its twin are equal, and nothing is left."""
import os
import random
import signal
import time

import pytest

from test.crash.test_crash import MOMENTS
from test.lib import storm
from test.lib.database import Database
from test.lib.servers import Server, until
from test.lib.stoa import Stoa
from test.lib.storm import Storm
from test.lib.writers import assert_equal, assert_twin
from test.server.test_shadow_pg import left, made

CHANGES = int(os.environ.get("STOA_SHADOW_CHANGES", "100" if MOMENTS >= 200 else "6"))
ROWS = 20000
VALUE = "coalesce((amount * 100)::bigint, -1)"
FAST = ["--max-stall", "500ms", "--strategy", "shadow", "--yes"]


@pytest.fixture
def place(home, version):
    """A server of its own, which may be killed; its commits are on disk."""
    server = Server(home, version, durable=True)
    db = Database(server)
    yield db
    server.end()


def change_of(db, number):
    """What is asked for, and whether there is a way back."""
    widened = "bigint" if db.columns("items")["n"][0] == "integer" else "int"
    sql = f"ALTER TABLE items ADD COLUMN c{number} bigint, ALTER COLUMN n TYPE {widened}"
    return [sql, "--backfill", f"items.c{number} = {VALUE}", "--name", f"change-{number}"], widened == "bigint"


def crash(chance, db, running, name):
    """Stoa or the server is killed somewhere on the way."""
    until(lambda: is_known(db, name) or not running.is_running(), 60, "the change to begin")
    time.sleep(chance.random() * 2.5)
    if chance.random() < 0.5:
        running.signal(signal.SIGKILL)
        running.wait(None)
        return "stoa"
    db.server.kill()
    db.server.start()
    running.wait(None, seconds=180)  # it may come through, or give up
    return "server"


def finish(stoa, db, name):
    """Until it is ready; what an interrupted server left behind is asked for again."""
    for _ in range(20):
        ended = stoa("resume", name, "--max-stall", "500ms", code=None, seconds=180)
        if stoa.status(name)["state"] == "ready":
            return
    raise AssertionError(f"it does not become ready: {ended}")


def is_known(db, name):
    return db.value("SELECT to_regclass('stoa.changes')") is not None and \
        db.value(f"SELECT count(*) FROM stoa.changes WHERE name = '{name}'") > 0


@pytest.mark.timeout(7200)
def test_whole_changes(place):
    db, chance, seed = place, random.Random(), int(os.environ.get("STOA_SEED", time.time_ns() % 1_000_000))
    chance.seed(seed)
    made(db, ROWS)
    stoa = Stoa(db.admin_url)
    ends, crashes = {"complete": 0, "revert": 0, "abort": 0}, {"stoa": 0, "server": 0}
    try:
        with Storm(db, ROWS, tolerant=True) as writers:
            for number in range(CHANGES):
                args, way_back = change_of(db, number)
                running, name = stoa.start("apply", *args, *FAST), f"change-{number}"
                end = chance.choice(["complete", "complete", "revert" if way_back else "complete", "abort"])
                if number % 2 == 0:
                    crashes[crash(chance, db, running, name)] += 1
                elif end == "abort":
                    time.sleep(chance.random() * 2)
                    running.signal(signal.SIGINT)
                    running.wait(None)
                else:
                    running.wait(0, seconds=180)
                if not is_known(db, name):  # it died before it was registered
                    continue
                if end == "abort" and stoa.status(name)["state"] in ("ready", "completed"):
                    end = "complete"
                if end == "abort":
                    stoa("abort", name, "--yes")
                else:
                    finish(stoa, db, name)
                    with writers.stopped():
                        assert_twin(db, "items", "twin")
                        assert_equal(db, "items", f"c{number}", VALUE)
                    stoa(end, name, "--yes", *(["--force"] if end == "complete" else []), seconds=180)
                ends[end] += 1
                with writers.stopped():
                    assert_twin(db, "items", "twin")
                    assert left(db) == [], (seed, number, end)
                if f"c{number}" in db.columns("items"):
                    db.run(f"ALTER TABLE items DROP COLUMN c{number}")
        assert sum(ends.values()) > CHANGES * 0.8, ends
    finally:
        stoa.close()
        print(f"\nseed {seed}: {CHANGES} changes, killed {crashes}, ended by {ends}, {writers.done} transactions, "
              f"{writers.lost} of them lost with the server, the longest took {writers.longest:.2f} s")

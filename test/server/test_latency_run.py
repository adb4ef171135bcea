"""What the latency signal is worth: the application's p99 while a whole backfill runs, with and without, and its price in speed."""
import os
import time

import pytest

from test.lib.load import Load
from test.lib.servers import Server
from test.lib.database import Database
from test.lib.stoa import Stoa

pytestmark = pytest.mark.long

ROWS = int(os.environ.get("STOA_LATENCY_ROWS", "400000"))
FACTOR = 1.5
ADD = ["ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL", "--name", "cents", "--backfill",
       "orders.amount_cents = (amount * 100)::bigint", "--yes"]


@pytest.fixture(params=[True, False], ids=["statements", "point-reads"])
def place(home, version, request):
    """A server of its own: with pg_stat_statements in the database, or without."""
    server = Server(home, version)
    db = Database(server)
    if request.param:
        db.admin.execute("CREATE EXTENSION pg_stat_statements")
        db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    yield db
    server.end()


def backfill(db, load, *args):
    """p99 in milliseconds before and during the backfill alone, and rows a second."""
    stoa = Stoa(db.url())
    try:
        stoa("apply", *ADD, "--until", "expand")
        load.mark()
        time.sleep(8)
        quiet = load.mark()
        began = time.monotonic()
        stoa("resume", "cents", "--until", "backfill", *args, seconds=400)
        took = time.monotonic() - began
        during = load.mark()
        assert db.value("SELECT count(*) FROM orders WHERE amount_cents IS NULL") == 0
        stoa("abort", "cents", "--yes", seconds=60)
        return quiet["p99_ms"], during["p99_ms"], ROWS / took
    finally:
        stoa.close()


def test_p99_stays(place):
    load = Load(place.url(), rows=ROWS, rate=200, sessions=4)
    try:
        time.sleep(3)
        quiet, free, fast = backfill(place, load)
        print(f"\nwithout: p99 {quiet:.2f} ms quiet, {free:.2f} ms during ({free / quiet:.2f} times), {fast:,.0f} rows/s")
        quiet, held, slow = backfill(place, load, "--max-load", "latency=1.2", "--chunk-time", "10ms")
        print(f"with the signal: p99 {quiet:.2f} ms quiet, {held:.2f} ms during ({held / quiet:.2f} times), {slow:,.0f} rows/s: {fast / slow:.1f} "
              "times as long")
        assert held <= FACTOR * quiet
    finally:
        load.close()

"""What the latency signal is worth on MariaDB and MySQL: the application's p99 while a whole copy runs, with and without,
and its price in speed."""
import os
import time

import pytest

from test.lib.load import Load
from test.lib.my_servers import MyServer
from test.lib.stoa import Stoa

pytestmark = pytest.mark.long

ROWS = int(os.environ.get("STOA_LATENCY_ROWS", "400000"))
FACTOR = 1.5
WIDE = ["ALTER TABLE orders MODIFY customer_id BIGINT NOT NULL", "--name", "wide", "--strategy", "shadow", "--yes", "--accept-star"]


@pytest.fixture(params=["ON", "OFF"], ids=["statements", "point-reads"])
def my(home, my_name, request):
    """A server of its own: with performance_schema, or without."""
    server = MyServer(home, my_name, settings={"performance_schema": request.param, "innodb_buffer_pool_size": "512M"})
    server.query("CREATE DATABASE shop")
    yield server
    server.end()


def copied(my, load, *args):
    """p99 in milliseconds before and during the copy alone, and rows a second."""
    stoa = Stoa(my.url("shop"))
    try:
        stoa("apply", *WIDE, "--until", "expand", seconds=60)
        load.mark()
        time.sleep(8)
        quiet = load.mark()
        began = time.monotonic()
        stoa("resume", "wide", "--until", "backfill", *args, seconds=400)
        took = time.monotonic() - began
        during = load.mark()
        assert not quiet["errors"] and not during["errors"], (quiet, during)
        stoa("abort", "wide", "--yes", seconds=60)
        return quiet["p99_ms"], during["p99_ms"], ROWS / took
    finally:
        stoa.close()


@pytest.mark.timeout(900)
def test_p99_stays(my):
    load = Load(my.url("shop"), rows=ROWS, rate=200, sessions=4)
    try:
        time.sleep(3)
        quiet, free, fast = copied(my, load)
        print(f"\n{my.name}, without: p99 {quiet:.2f} ms quiet, {free:.2f} ms during ({free / quiet:.2f} times), {fast:,.0f} rows/s")
        quiet, held, slow = copied(my, load, "--max-load", "latency=1.2", "--chunk-time", "10ms")
        print(f"{my.name}, with the signal: p99 {quiet:.2f} ms quiet, {held:.2f} ms during ({held / quiet:.2f} times), {slow:,.0f} rows/s: "
              f"{fast / slow:.1f} times as long")
        assert held <= FACTOR * quiet
    finally:
        load.close()

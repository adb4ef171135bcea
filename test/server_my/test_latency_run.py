"""What the latency signal is worth on MariaDB and MySQL: the application's p99 while a whole copy runs, with and without,
and its price in speed."""
import os
import random
import threading
import time

import pytest

from test.lib.my_servers import MyServer
from test.lib.stoa import Stoa

pytestmark = pytest.mark.long

ROWS = int(os.environ.get("STOA_LATENCY_ROWS", "400000"))
FACTOR = 1.5
THREADS, RATE = 4, 50
WIDE = ["ALTER TABLE orders MODIFY v BIGINT NOT NULL", "--name", "wide", "--strategy", "shadow", "--yes", "--accept-star"]


class Load:
    """Reads and writes single rows at a rate, whatever it takes; a statement counts from when it was due."""

    def __init__(self, my):
        self.over, self.lock, self.took, self.errors = threading.Event(), threading.Lock(), [], []
        self.threads = [threading.Thread(target=self._work, args=[my, number], daemon=True) for number in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def _work(self, my, number):
        chance = random.Random(number)
        with my.connect("shop") as conn, conn.cursor() as cursor:
            due = time.monotonic()
            while not self.over.is_set():
                due += chance.expovariate(RATE)
                time.sleep(max(0, due - time.monotonic()))
                key = chance.randrange(1, ROWS)
                try:
                    cursor.execute("SELECT * FROM orders WHERE id = %s" if chance.random() < 0.7 else
                                   "UPDATE orders SET v = v + 1 WHERE id = %s", [key])
                except Exception as problem:  # noqa: BLE001 told by p99_ms
                    self.errors.append(str(problem))
                with self.lock:
                    self.took.append(time.monotonic() - due)

    def forget(self):
        with self.lock:
            self.took = []

    def p99_ms(self):
        """Of what was due since the last call."""
        with self.lock:
            took, self.took = sorted(self.took), []
        assert not self.errors and len(took) > 100, self.errors
        return took[int(len(took) * 0.99)] * 1000

    def close(self):
        self.over.set()
        for thread in self.threads:
            thread.join(20)


@pytest.fixture(params=["ON", "OFF"], ids=["statements", "point-reads"])
def my(home, my_name, request):
    """A server of its own: with performance_schema, or without."""
    server = MyServer(home, my_name, settings={"performance_schema": request.param, "innodb_buffer_pool_size": "512M"})
    server.query("CREATE DATABASE shop")
    with server.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL, note VARCHAR(100), KEY (v))")
        for low in range(0, ROWS, 5000):
            cursor.execute("INSERT INTO orders (v, note) VALUES " + ", ".join(f"({n % 1000}, 'order number {n}')" for n in range(low, low + 5000)))
    yield server
    server.end()


def copied(my, load, *args):
    """p99 in milliseconds before and during the copy alone, and rows a second."""
    stoa = Stoa(my.url("shop"))
    try:
        stoa("apply", *WIDE, "--until", "expand", seconds=60)
        load.forget()
        time.sleep(8)
        quiet = load.p99_ms()
        began = time.monotonic()
        stoa("resume", "wide", "--until", "backfill", *args, seconds=400)
        took = time.monotonic() - began
        during = load.p99_ms()
        stoa("abort", "wide", "--yes", seconds=60)
        return quiet, during, ROWS / took
    finally:
        stoa.close()


@pytest.mark.timeout(900)
def test_p99_stays(my):
    load = Load(my)
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

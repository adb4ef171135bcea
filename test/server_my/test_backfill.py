"""Columns computed from others on MariaDB and MySQL: every row, under an application that does not know the column."""
import random
import threading

import pymysql
import pytest

from test.lib.servers import until
from test.server_my.test_plan import stoa  # noqa: F401

BACKFILL = "CHAR_LENGTH(customer) * 100 + IFNULL(amount, 0)"


class OldApplication:
    """Inserts, updates and deletes by the columns that it knows, in sessions of its own, until stop()."""

    def __init__(self, my):
        self.my, self.errors, self.written, self.quit = my, [], 0, False
        self.threads = [threading.Thread(target=self._run, args=[number], daemon=True) for number in range(3)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        chance = random.Random(number)
        conn = self.my.connect("shop")
        with conn, conn.cursor() as cursor:
            while not self.quit:
                try:
                    verb = chance.randrange(10)
                    key = chance.randrange(1, 1000) * 3 + number # each thread has rows of its own
                    if verb < 3:
                        cursor.execute("INSERT INTO orders (customer, amount) VALUES (%s, %s)", ["n" * chance.randrange(1, 15), chance.randrange(1000)])
                    elif verb < 8:
                        cursor.execute("UPDATE orders SET amount = amount + 1, customer = CONCAT('u', %s) WHERE id = %s", [chance.randrange(1000), key])
                    else:
                        cursor.execute("DELETE FROM orders WHERE id = %s", [key])
                    conn.commit()
                    self.written += 1
                except pymysql.Error as problem:
                    self.errors.append(problem)
                    return

    def goes_on(self, count=60):
        target = self.written + count
        until(lambda: self.written >= target or self.errors, 60, "the application to write")

    def stop(self):
        self.quit = True
        for thread in self.threads:
            thread.join(20)
        assert not self.errors


@pytest.fixture
def application(my, stoa): # noqa: F811
    running = OldApplication(my)
    running.goes_on()
    yield running
    running.quit = True


def wrong(my):
    return my.query(f"SELECT id, customer, amount, total FROM shop.orders WHERE NOT (total <=> {BACKFILL}) LIMIT 5")


def names(my):
    return {row[0] for row in my.query("SHOW TABLES IN shop")}, {row[0] for row in my.query("SHOW TRIGGERS IN shop")}


def test_filled_by_the_copy_and_by_triggers(my, stoa, application): # noqa: F811
    sql = f"ALTER TABLE orders ADD COLUMN total BIGINT AFTER id; -- stoa: backfill orders.total = {BACKFILL}"
    if my.name == "mysql-5.6":
        refused = stoa("plan", sql, code=4)
        assert "cannot be made so that it can be repeated" in refused.err
        return
    stoa.apply(sql, "--name", "total", "--max-stall", "2s", "--strategy", "shadow")
    application.goes_on()
    assert wrong(my) == ()
    application.goes_on()
    assert my.query("SELECT COUNT(*) FROM shop.orders WHERE total IS NULL")[0][0] == 0
    my.query("INSERT INTO shop.orders (customer, amount, total) VALUES ('new', 1, 77)") # a new application means it
    assert my.query("SELECT total FROM shop.orders WHERE customer = 'new'") == ((77,),)
    my.query("DELETE FROM shop.orders WHERE customer = 'new'")
    my.query("INSERT INTO shop.orders VALUES (NULL, 'bare', 5, 'new', NULL)") # without a column list, as before
    assert names(my) == ({"orders", "orders__stoa_old"}, {"orders__stoa_fill_ins", "orders__stoa_fill_upd"})
    application.stop()
    assert wrong(my) == ()
    stoa("complete", "total", "--yes", "--force")
    assert names(my) == ({"orders"}, set())
    assert "INVISIBLE" not in my.query("SHOW CREATE TABLE shop.orders")[0][1]
    assert wrong(my) == ()


def test_back_again(my, stoa, application): # noqa: F811
    if my.name == "mysql-5.6":
        return
    before = my.query("SHOW CREATE TABLE shop.orders")[0][1].split(" AUTO_INCREMENT=")[0]
    stoa.apply(f"ALTER TABLE orders ADD COLUMN total BIGINT; -- stoa: backfill orders.total = {BACKFILL}", "--name", "total", "--max-stall", "2s", "--strategy", "shadow")
    application.goes_on()
    stoa("revert", "total", "--yes", "--max-stall", "2s")
    application.goes_on()
    application.stop()
    assert names(my) == ({"orders"}, set())
    assert my.query("SHOW CREATE TABLE shop.orders")[0][1].split(" AUTO_INCREMENT=")[0] == before

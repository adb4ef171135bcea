"""Plans on MariaDB and MySQL: what the server says is what the plan does."""
import pytest

from test.lib.stoa import Stoa

ORDERS = """CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer VARCHAR(20) NOT NULL,
  amount INT DEFAULT 0 COMMENT 'cents',
  KEY c (customer)) ENGINE=InnoDB"""


@pytest.fixture
def stoa(my):
    my.query("DROP DATABASE IF EXISTS stoa")
    my.query("DROP DATABASE IF EXISTS shop")
    my.query("CREATE DATABASE shop")
    my.query("CREATE TABLE shop." + ORDERS[len("CREATE TABLE "):])
    my.query("INSERT INTO shop.orders (customer, amount) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
             "SELECT CONCAT('c', a.i), a.i FROM n a, n b WHERE b.i < 30")
    my.query("ANALYZE TABLE shop.orders")
    program = Stoa(my.url("shop"))
    yield program
    program.close()


def test_look(my, stoa):
    for sql in ("ALTER TABLE orders ADD COLUMN note VARCHAR(10) NOT NULL DEFAULT 'x' AFTER id",
                "ALTER TABLE orders MODIFY amount BIGINT",
                "CREATE INDEX i ON orders (amount)",
                "ALTER TABLE orders ADD COLUMN a INT, ADD INDEX (amount)",
                "CREATE TABLE x (id int primary key); CREATE TABLE y LIKE x; ALTER TABLE x ADD a INT; RENAME TABLE x TO z",
                ):
        print("-----", sql)
        for args in ((), ("--strategy", "shadow")):
            out = stoa("plan", "--probe", "on", *args, sql, code=None)
            print(out.out, out.err)

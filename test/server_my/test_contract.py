"""Contracts of columns on MariaDB and MySQL: in the journal, and in the comment, which is a part of the definition."""
import json
import signal
import threading
import time

import pymysql
import pytest

from test.lib.servers import until
from test.server_my.test_journal import stoa  # noqa: F401

OPTIONS = ("--yes", "--replicas", "0", "--accept-star")
SQL = """
-- stoa: name cents
-- stoa: owner payments
-- stoa: purpose the shop's totals in cents
-- stoa: expires 2031-06-30
ALTER TABLE orders ADD COLUMN cents BIGINT NULL COMMENT 'in ''cents'' \\\\ [net] ';
"""
MARK = "[stoa: owner payments; purpose the shop's totals in cents; expires 2031-06-30]"
FILL = ("--backfill", "orders.cents = amount * 100")


@pytest.fixture
def shop(my, stoa):  # noqa: F811
    check = " CHECK (amount >= 0)" if my.is_mariadb else ""
    my.query("CREATE TABLE shop.customers (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB")
    my.query("INSERT INTO shop.customers VALUES (1)")
    my.query("CREATE TABLE shop.orders (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, amount INT NOT NULL DEFAULT 0 "
             f"COMMENT 'by hand'{check}, note VARCHAR(50) CHARACTER SET latin1 DEFAULT 'a COMMENT ''b''', customer BIGINT NULL, "
             "CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES shop.customers (id)) ENGINE=InnoDB CHARACTER SET utf8mb4")
    my.query("CREATE TABLE shop.lines (id BIGINT NOT NULL PRIMARY KEY, of_order BIGINT NULL, "
             "FOREIGN KEY (of_order) REFERENCES shop.orders (id)) ENGINE=InnoDB")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.executemany("INSERT INTO orders (amount, note, customer) VALUES (%s, %s, 1)", [(i, f"note {i}") for i in range(1, 2001)])
    return my


def fill(my):
    """Before 8.0.29 no trigger can be made that fills."""
    return () if my.query("SELECT VERSION()")[0][0].startswith("5.") else FILL


def without_keys(my):
    my.query("DROP TABLE shop.lines")
    my.query("ALTER TABLE shop.orders DROP FOREIGN KEY of_customer, DROP INDEX of_customer")


def comment(my, column="cents", table="orders"):
    rows = my.query(f"SELECT column_comment FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = '{table}' "
                    f"AND column_name = '{column}'")
    return rows[0][0] if rows else None


def lines(my):
    """The definition of each column, without its comment."""
    return [row[:8] for row in my.query("SHOW FULL COLUMNS FROM shop.orders")]


def numbers(my):
    """InnoDB's numbers of the tables: a rebuild or a copy gives others."""
    view = "INNODB_SYS_TABLES" if my.is_mariadb or my.query("SELECT VERSION()")[0][0].startswith("5.") else "INNODB_TABLES"
    return my.query(f"SELECT table_id FROM information_schema.{view} WHERE name = 'shop/orders'")


def events(stoa, kind):  # noqa: F811
    return [one for one in stoa("history", "--json").json["events"] if one["event"] == kind]


class Writers:
    """Three sessions that write and read, each statement timed."""

    def __init__(self, my):
        self.my, self.stopped, self.errors, self.done, self.worst = my, threading.Event(), [], 0, 0.0
        self.threads = [threading.Thread(target=self.run, args=[at], daemon=True) for at in range(3)]

    def run(self, at):
        with self.my.connect("shop") as conn, conn.cursor() as cursor:
            number = at
            while not self.stopped.is_set():
                number += 3
                from_s = time.monotonic()
                try:
                    cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", [1 + number % 2000])
                    cursor.execute("SELECT amount, note FROM orders WHERE id = %s", [1 + number % 2000])
                except pymysql.err.Error as error:
                    self.errors.append(str(error))
                self.worst = max(self.worst, time.monotonic() - from_s)
                self.done += 1
                time.sleep(0.002)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: self.done > 30, 20, "writes")
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)


def test_in_journal_and_comment(shop, stoa):  # noqa: F811
    stoa("apply", SQL, "--flag", "new-totals", *OPTIONS)
    own, mark = "in 'cents' \\ [net] ", MARK.replace("; expires", "; flag new-totals; expires")
    assert comment(shop) == own + " " + mark
    assert [one["detail"]["comment"] for one in events(stoa, "contract")] == [True]
    before, number = lines(shop), numbers(shop)
    stoa("apply", SQL, "--flag", "new-totals", "--expires", "2032-01-01", *OPTIONS)
    assert comment(shop) == own + " " + mark.replace("2031-06-30", "2032-01-01")
    assert lines(shop) == before and numbers(shop) == number and comment(shop, "amount") == "by hand"
    stoa("apply", SQL, "--flag", "new-totals", "--expires", "2032-01-01", *OPTIONS)
    assert len(events(stoa, "contract")) == 2 and comment(shop).count("[stoa: ") == 1
    if stoa.status("cents")["state"] == "ready":
        stoa("complete", "cents", "--yes", "--force")
    assert not events(stoa, "contract_comment") and stoa("history", "orders.cents").out.count("contract") >= 2


def test_every_kind_of_column(shop, stoa):  # noqa: F811
    """Whatever its definition, it stays, and no row is touched."""
    kinds = ["a ENUM('a','b''c') NOT NULL DEFAULT 'b''c'", "b TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
             "c VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NULL DEFAULT 'x CHECK (1)'", "d DECIMAL(12,2) UNSIGNED NOT NULL DEFAULT 1.5",
             "e BLOB NULL", "f BIT(3) NOT NULL DEFAULT b'101'"]
    version = shop.query("SELECT VERSION()")[0][0]
    if not version.startswith("5."):
        kinds += ["g INT GENERATED ALWAYS AS (amount + 1) VIRTUAL", "h JSON NULL", "i INT NULL INVISIBLE"]
    if shop.is_mariadb:
        kinds += ["j INT NULL CHECK (j > 0)", "k INT NULL COMMENT 'own' CHECK (k > 0)", "l VARCHAR(40) NOT NULL DEFAULT (CONCAT('a', ' COMMENT '))"]
    for kind in kinds:
        shop.query(f"ALTER TABLE shop.orders ADD COLUMN {kind}")
    with shop.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("SHOW CREATE TABLE orders")
        before, number = cursor.fetchone()[1], numbers(shop)
    stoa("apply", "ALTER TABLE orders ADD COLUMN z INT NULL", "--name", "z", "--purpose", "the last one", *OPTIONS)
    number = numbers(shop) if version.startswith("5.") else number
    # the same contract, as if each of them had come with this change
    for kind in kinds:
        shop.query("INSERT INTO stoa.events (at, change_id, kind, step, detail, text, `by`) SELECT at, change_id, kind, step, "
                   f"REPLACE(detail, '\"z\"', '\"{kind[0]}\"'), text, `by` FROM stoa.events WHERE kind = 'contract' AND detail LIKE '%\"z\"%'")
    stoa("apply", "ALTER TABLE orders ADD COLUMN z INT NULL", "--name", "z", "--purpose", "the last one", *OPTIONS)
    assert [one["text"] for one in events(stoa, "contract_comment")] == []
    mark = "[stoa: purpose the last one]"
    assert {kind[0]: comment(shop, kind[0]) for kind in kinds} == {
        kind[0]: f"own {mark}" if "'own'" in kind else mark for kind in kinds}
    with shop.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("SHOW CREATE TABLE orders")
        after = cursor.fetchone()[1]
    for old, new in ((f" COMMENT 'own {mark}'", " COMMENT 'own'"), (f" COMMENT '{mark}'", "")):
        after = after.replace(old, new)
    assert [line for line in after.split("\n") if "`z`" not in line] == before.split("\n") and numbers(shop) == number


def test_the_application_goes_on(shop, stoa):  # noqa: F811
    stoa("apply", SQL, "--max-stall", "200ms", *OPTIONS)
    with Writers(shop) as writers:
        for year in range(2032, 2037):
            stoa("apply", SQL, "--expires", f"{year}-01-01", "--max-stall", "200ms", *OPTIONS)
            assert f"expires {year}" in comment(shop)
    print(f"five comments under {writers.done} writes, the longest pair of statements {writers.worst * 1000:.0f} ms")
    assert not writers.errors and not events(stoa, "contract_comment")


def test_a_table_that_is_held(shop, stoa):  # noqa: F811
    """Somebody has it for long: nobody is made to wait, it is said, and the next apply writes it."""
    stoa("apply", SQL, *OPTIONS)
    with shop.connect("shop") as holder, holder.cursor() as cursor, shop.connect("shop") as other, other.cursor() as reader:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM orders")
        time.sleep(0.3)  # longer than half of --max-stall: it is known, and not new
        slow, stopped = [0.0], threading.Event()

        def read():
            while not stopped.is_set():
                from_s = time.monotonic()
                reader.execute("SELECT amount FROM orders WHERE id = 7")
                slow[0] = max(slow[0], time.monotonic() - from_s)
                time.sleep(0.01)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        stoa("apply", SQL, "--expires", "2033-01-01", "--max-stall", "200ms", *OPTIONS)
        stopped.set()
        thread.join(10)
        holder.rollback()
    assert MARK in comment(shop) and slow[0] < 0.25 + 0.5, slow
    assert [one for one in events(stoa, "contract_comment") if "could not be written" in one["text"]]
    stoa("apply", SQL, "--expires", "2033-01-01", *OPTIONS)
    assert MARK.replace("2031-06-30", "2033-01-01") in comment(shop)


def test_an_alter_of_somebody_else_is_not_undone(shop, stoa):  # noqa: F811
    """The definition is read before the lock, and looked at again under it."""
    stoa("apply", SQL, *OPTIONS)
    running = stoa.start("apply", SQL, "--expires", "2034-01-01", *OPTIONS, env={"STOA_FAILPOINT": "comment_before=pause:1"})
    until(lambda: running.is_stopped, 60, "a pause before the comment")
    shop.query("ALTER TABLE shop.orders ALTER COLUMN cents SET DEFAULT 7")
    running.signal(signal.SIGCONT)
    running.wait()
    assert shop.query("SELECT column_default FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders' "
                      "AND column_name = 'cents'")[0][0] == "7"
    assert "2034-01-01" in comment(shop)


def test_abort_revert_and_a_copy(shop, stoa):  # noqa: F811
    """The way back of a copy goes on behind the comment, and ends without it."""
    without_keys(shop)
    stoa("apply", SQL, "--strategy", "shadow", *fill(shop), *OPTIONS)
    assert MARK in comment(shop)
    with shop.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE orders SET amount = 5000 WHERE id = 3")
        cursor.execute("INSERT INTO orders (amount, note, cents) VALUES (9, 'new', 900)")
    stoa("revert", "cents", "--yes")
    assert comment(shop) is None
    assert shop.query("SELECT amount FROM shop.orders WHERE id = 3 OR note = 'new' ORDER BY id") == ((5000,), (9,))


def test_kept_by_later_changes(shop, stoa):  # noqa: F811
    without_keys(shop)
    stoa("apply", SQL, *fill(shop), *OPTIONS)
    if stoa.status("cents")["state"] == "ready":
        stoa("complete", "cents", "--yes", "--force")
    plan = stoa("plan", "ALTER TABLE orders MODIFY cents DECIMAL(20,2) NULL COMMENT 'in ''cents'' \\\\ [net] '", "--json").json
    assert "lost-attributes" not in json.dumps(plan["risks"])
    stoa("apply", "ALTER TABLE orders MODIFY cents DECIMAL(20,2) NULL COMMENT 'short'", "--name", "wide", *OPTIONS)
    assert comment(shop) == "short " + MARK


def test_with_retire(shop, stoa, tmp_path):  # noqa: F811
    stoa("apply", SQL, *OPTIONS)
    if stoa.status("cents")["state"] == "ready":
        stoa("complete", "cents", "--yes", "--force")
    log = tmp_path / "log"
    log.write_text("begun\n")
    old = shop.query("SELECT VERSION()")[0][0].startswith("5.")
    begun = stoa("retire", "orders.cents", *OPTIONS, "--for", "1s", "--watch-log", log, code=2 if old else 3)
    assert not old or "--by none" in begun.err  # it renames a column only with its whole definition
    assert MARK in comment(shop)
    stoa("retire", "orders.cents", *OPTIONS, *(["--by", "none", "--force"] if old else []), "--wait", "0s", "--keep-data", tmp_path / "kept")
    assert comment(shop) is None


def test_without_comment(shop, stoa):  # noqa: F811
    stoa("apply", SQL, "--no-comment", *OPTIONS)
    assert comment(shop) == "in 'cents' \\ [net] " and events(stoa, "contract")[0]["detail"]["expires"] == "2031-06-30"

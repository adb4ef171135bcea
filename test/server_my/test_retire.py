"""A column's last days on MariaDB and MySQL: hidden under another name, found in use, dropped, and back."""
import threading

import pymysql
import pytest

from test.lib.servers import until
from test.server_my.test_journal import stoa  # noqa: F401

OPTIONS = ("--yes", "--replicas", "0", "--accept-star")
HIDDEN = "note__stoa_retired"


class Application(threading.Thread):
    """Says one statement again and again, and writes what goes wrong into a log."""

    def __init__(self, my, statement, log):
        super().__init__(daemon=True)
        self.my, self.statement, self.log = my, statement, log
        self.stopped, self.done, self.errors = threading.Event(), 0, 0

    def run(self):
        with self.my.connect("shop", user="app") as conn, conn.cursor() as cursor:
            while not self.stopped.wait(0.01):
                try:
                    cursor.execute(self.statement)
                    self.done += 1
                except pymysql.err.Error as error:
                    self.errors += 1
                    with open(self.log, "a") as file:
                        file.write(f"shop: {error.args[0]} {error.args[1]}\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join(30)


@pytest.fixture
def shop(my, stoa, tmp_path):  # noqa: F811
    my.query("DROP USER IF EXISTS app@localhost")
    my.query("CREATE USER app@localhost")
    my.query("GRANT SELECT, INSERT, UPDATE ON shop.* TO app@localhost")
    my.query("CREATE TABLE shop.orders (id BIGINT NOT NULL PRIMARY KEY, amount INT NOT NULL DEFAULT 0, note VARCHAR(50)) "
             "ENGINE=InnoDB CHARACTER SET utf8mb4")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s)",
                           [(i, i, None if i % 10 == 0 else f"note {i} ü\t\\\n" if i % 7 == 0 else f"note {i}")
                            for i in range(1, 2001)])
    my.log = tmp_path / "shop.log"
    my.log.write_text("begun\n")
    my.kept = tmp_path / "note.kept"
    yield my
    my.query("DROP USER app@localhost")


def columns(my):
    return [row[0] for row in my.query("SHOW COLUMNS FROM shop.orders")]


def create(my):
    return my.query("SHOW CREATE TABLE shop.orders")[0][1]


def retired(result):
    return [event for event in result.events if event["event"] == "retired"][0]


def test_a_column_through_its_whole_life(shop, stoa):  # noqa: F811
    my = shop
    stoa("apply", "ALTER TABLE orders ADD COLUMN old INT NULL", "--name", "old", *OPTIONS)
    if stoa.status("old")["state"] == "ready":
        stoa("complete", "old", "--yes")
    before, rows = create(my), my.query("SELECT id, note FROM shop.orders ORDER BY id")
    with Application(my, "SELECT note FROM orders WHERE id = 5", my.log) as reader:
        until(lambda: reader.done > 5, 10, "reads")
        result = stoa("retire", "orders.note", *OPTIONS, "--for", "60s", "--watch-log", my.log, "--json", code=4)
        report = retired(result)
        assert report["state"] == "in_use" and report["by"] == "rename" and "Unknown column" in report["seen"][0], report
        assert create(my) == before
        count, errors = reader.done, reader.errors
        until(lambda: reader.done > count + 5, 10, "reads again")
        assert errors > 0 and reader.errors <= errors + 1
    with Application(my, "UPDATE orders SET amount = amount + 1 WHERE id = 5", my.log) as writer:
        until(lambda: writer.done > 5, 10, "writes")
        stoa("retire", "orders.note", *OPTIONS, "--for", "2s", "--wait", "1h", "--watch-log", my.log, code=3)
        assert create(my) == before
        result = stoa("retire", "orders.note", *OPTIONS, "--wait", "0s", "--keep-data", my.kept, "--json")
        assert retired(result)["state"] == "dropped" and retired(result)["kept"]["rows"] == 2000
        assert columns(my) == ["id", "amount", "old"] and "INSTANT" in " ".join(retired(result)["notes"])
        my.query("DELETE FROM shop.orders WHERE id = 3")
        my.query("INSERT INTO shop.orders (id) VALUES (5000)")
        result = stoa("retire", "orders.note", "--undo", "--from", my.kept, *OPTIONS, "--json")
        figures = retired(result)["restored"]
        assert figures["gone"] == 1 and figures["null"] == 200 and figures["filled"] == 1799, figures
        assert writer.errors == 0, my.log.read_text()
    assert my.query("SELECT id, note FROM shop.orders WHERE id < 5000 ORDER BY id") == tuple(r for r in rows if r[0] != 3)


def test_killed_it_is_shown_by_its_guard(shop, stoa):  # noqa: F811
    before = create(shop)
    running = stoa.start("retire", "orders.note", *OPTIONS, "--for", "10m")
    until(lambda: HIDDEN in columns(shop), 60, "it is hidden")
    running.kill()
    until(lambda: create(shop) == before, 60, "it is shown again, and nobody else was there")


def test_killed_and_found_by_the_next_process(shop, stoa):  # noqa: F811
    before = create(shop)
    running = stoa.start("retire", "orders.note", *OPTIONS, "--for", "10m")
    until(lambda: HIDDEN in columns(shop), 60, "it is hidden")
    running.kill_all()
    shop.query("UPDATE stoa.leases SET host = 'elsewhere' WHERE table_key LIKE 'brownout:%'")
    stoa("status")
    assert HIDDEN in columns(shop), "its time is not over"
    held = stoa("retire", "orders.amount", *OPTIONS, code=None)
    assert held.code in (3, 4), str(held)
    shop.query("UPDATE stoa.leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE table_key LIKE 'brownout:%'")
    stoa("status")
    assert create(shop) == before


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_dies_at_every_point(shop, stoa, tmp_path):  # noqa: F811
    before, chain = create(shop), tmp_path / "chain"
    for _ in range(200):
        ended = stoa("retire", "orders.note", *OPTIONS, "--for", "1s", "--wait", "0s", "--force", "--keep-data", shop.kept,
                     code=None, env={"STOA_FAILPOINT_CHAIN": str(chain)})
        if ended.code not in (-9, 3) and "nothing is hidden" not in ended.err:  # its guard dies, too
            break
        stoa("status")
        if "note" in create(shop):
            assert create(shop) == before, chain.read_text()
    assert ended.code == 0 and columns(shop) == ["id", "amount"], str(ended)
    for point in ("brownout_journalled", "brownout_hidden_before_commit", "brownout_shown", "retire_kept", "alter_after", "complete_before_state"):
        assert point in chain.read_text()


def test_undo_while_it_is_hidden(shop, stoa):  # noqa: F811
    before = create(shop)
    running = stoa.start("retire", "orders.note", *OPTIONS, "--for", "10m")
    until(lambda: HIDDEN in columns(shop), 60, "it is hidden")
    stoa("retire", "orders.note", "--undo", *OPTIONS)
    assert create(shop) == before
    running.wait(3)


def test_invisible(shop, stoa):  # noqa: F811
    before = create(shop)
    with Application(shop, "INSERT INTO orders SELECT MAX(id) + 1, 1, 'x' FROM orders", shop.log) as writer:
        until(lambda: writer.done > 3, 10, "writes")
        running = stoa.start("retire", "orders.note", *OPTIONS, "--by", "invisible", "--for", "10m")
        until(lambda: "INVISIBLE" in create(shop), 60, "it is hidden")
        until(lambda: writer.errors > 0, 10, "INSERT without a column list fails")
        stoa("retire", "orders.note", "--undo", *OPTIONS)
        running.wait(3)
    assert create(shop) == before


def test_an_index(shop, stoa):  # noqa: F811
    shop.query("ALTER TABLE shop.orders ADD INDEX by_note (note)")
    before = create(shop)
    running = stoa.start("retire", "--index", "orders.by_note", *OPTIONS, "--for", "10m")
    until(lambda: "IGNORED" in create(shop) or "INVISIBLE" in create(shop), 60, "it is hidden")
    stoa("retire", "--index", "orders.by_note", "--undo", *OPTIONS)
    running.wait(3)
    assert create(shop) == before
    stoa("retire", "--index", "orders.by_note", *OPTIONS, "--for", "1s", "--wait", "0s")
    assert "by_note" not in create(shop)


def test_a_table(shop, stoa):  # noqa: F811
    shop.query("CREATE TABLE shop.old (id INT NOT NULL PRIMARY KEY)")
    with Application(shop, "SELECT * FROM old", shop.log) as reader:
        until(lambda: reader.done > 3, 10, "reads")
        result = stoa("retire", "--table", "old", *OPTIONS, "--watch-log", shop.log, "--json", code=4)
        assert "doesn't exist" in retired(result)["seen"][0], str(result)
    stoa("retire", "--table", "old", *OPTIONS, "--for", "1s", "--wait", "0s", "--force")
    assert shop.query("SHOW TABLES FROM shop LIKE 'old%'") == ()

"""Plans on MariaDB and MySQL: what the server says on an empty copy is what the plan does, and why."""
import pytest

from test.lib.my_servers import MyServer
from test.lib.stoa import Stoa

COLUMNS = """(
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer VARCHAR(20) NOT NULL,
  amount INT DEFAULT 0 COMMENT 'cents',
  state ENUM('new', 'old') NOT NULL DEFAULT 'new',
  note VARCHAR(30) CHARACTER SET utf8mb4,
  KEY c (customer)) ENGINE=InnoDB DEFAULT CHARSET=latin1"""
ROWS = 3000 # more than what counts as tiny


def fill(my, table, rows):
    my.query(f"INSERT INTO shop.{table} (customer, amount) VALUES " + ", ".join(f"('c{i}', {i})" for i in range(1000)))
    for start in range(1000, rows, 1000):
        my.query(f"INSERT INTO shop.{table} (customer, amount) SELECT CONCAT(customer, '-{start}'), amount + {start} "
                 f"FROM shop.{table} WHERE id <= 1000")
    my.query(f"ANALYZE TABLE shop.{table}")


@pytest.fixture
def stoa(my):
    for name in ("stoa", "shop"):
        my.query(f"DROP DATABASE IF EXISTS {name}")
    my.query("CREATE DATABASE shop")
    my.query(f"CREATE TABLE shop.orders {COLUMNS}")
    fill(my, "orders", ROWS)
    program = Stoa(my.url("shop"))
    yield program
    program.close()


def plan(stoa, sql, *options, code=0):
    return stoa("plan", "--json", *options, sql, code=code)


def kinds(plan):
    return [step["kind"] for step in plan["steps"]]


def ids(plan):
    return {risk["id"] for risk in plan["risks"]}


def adds_at_once(my):
    return my.is_mariadb or my.version >= (8, 0)


def test_an_added_column(my, stoa):
    made = plan(stoa, "ALTER TABLE orders ADD COLUMN extra INT NOT NULL DEFAULT 1").json
    if not adds_at_once(my):
        assert made["strategy"] in ("in-place", "shadow")
        return
    assert made["strategy"] == "instant" and kinds(made) == ["alter", "ready", "alter"]
    first, _, shown = made["steps"]
    assert first["sql"].endswith(", ALGORITHM=INSTANT") and "INVISIBLE" in first["sql"] and first["evidence"] == "measured"
    assert "DROP COLUMN `extra`" in first["undo"] and "ALGORITHM=" in first["undo"]
    assert shown["phase"] == "contract" and "INVISIBLE" not in shown["sql"] and "hidden" in ids(made)


def test_a_type(my, stoa):
    made = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'").json
    assert made["strategy"] == "shadow"
    assert kinds(made) == ["alter", "capture", "copy", "alter", "compare", "swap", "ready", "capture", "alter"]
    spec = made["steps"][2]["shadow"]
    assert (spec["source"], spec["shadow"], spec["old"]) == ("orders", "orders__stoa_new", "orders__stoa_old")
    assert [column["name"] for column in spec["columns"] if not column["same"]] == ["amount"]
    assert spec["key"] == "PRIMARY" and spec["key_exact"] and spec["key_unique"] and not spec["tightens"]
    assert spec["one_writer"] == (my.query("SELECT @@innodb_autoinc_lock_mode")[0][0] < 2)
    assert spec["capture"] == "log"
    assert [step["kind"] for step in made["revert_steps"]] == ["swap", "alter"]
    assert "lost-attributes" not in ids(made)


def test_attributes_that_get_lost(stoa):
    refused = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT")
    assert "lost-attributes" in ids(refused.json)
    told = next(risk for risk in refused.json["risks"] if risk["id"] == "lost-attributes")
    assert "DEFAULT" in told["message"] and "COMMENT 'cents'" in told["message"] and "TYPE" not in told["message"]
    assert told["accept"] == "--accept-lost-attributes" and not told["accepted"]
    made = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT", "--accept-lost-attributes").json
    assert next(risk for risk in made["risks"] if risk["id"] == "lost-attributes")["accepted"]


def test_an_index(stoa):
    made = plan(stoa, "CREATE INDEX i ON orders (amount, customer)").json
    assert made["strategy"] == "in-place" and kinds(made) == ["alter", "ready"]
    step = made["steps"][0]
    assert "LOCK=NONE" in step["sql"] and "DROP INDEX `i`" in step["undo"] and step["timeout"] == "watchdog"
    assert "build" in ids(made)


def test_actions_apart_are_cheaper(my, stoa):
    if not adds_at_once(my):
        return
    made = plan(stoa, "ALTER TABLE orders ADD COLUMN extra INT, ADD INDEX i (amount)").json
    assert made["strategy"] == "in-place" and kinds(made) == ["alter", "alter", "ready", "alter"] and "parts" in ids(made)


def test_statements_that_are_joined(stoa):
    made = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'; "
                      "ALTER TABLE orders MODIFY note VARCHAR(300) CHARACTER SET latin1").json
    assert kinds(made).count("copy") == 1 and "joined" in ids(made)
    assert {column["name"] for column in made["steps"][-4]["shadow"]["columns"] if not column["same"]} == {"amount", "note"}


def test_rows_are_looked_at_first(my, stoa):
    sql = ("ALTER TABLE orders MODIFY amount TINYINT NOT NULL DEFAULT 0 COMMENT 'cents', MODIFY note VARCHAR(5) CHARACTER SET latin1, "
           "MODIFY state ENUM('new') NOT NULL DEFAULT 'new', ADD UNIQUE u (amount)")
    made = plan(stoa, sql).json
    checks = [step["sql"] for step in made["steps"] if step["kind"] == "verify"]
    assert any("IS NULL" in sql for sql in checks) and any("< -128" in sql for sql in checks)
    assert any("CHAR_LENGTH" in sql for sql in checks) and any("USING latin1" in sql for sql in checks)
    assert any("= 'old'" in sql for sql in checks) and any("GROUP BY" in sql for sql in checks)
    for check in checks:
        my.query(check.replace("`orders`", "shop.orders")) # each is a statement that the server takes
    assert made["steps"][len(checks)]["phase"] == "expand"
    assert next(step for step in made["steps"] if step["kind"] == "copy")["shadow"]["tightens"]


@pytest.mark.parametrize("sql, words", [
    ("ALTER TABLE orders ADD COLUMN amount INT", "uplicate column"),
    ("ALTER TABLE nowhere ADD COLUMN amount INT", 'no table "nowhere"'),
    ("ALTER TABLE orders MODIFY amount BIGINT, ALGORITHM=INPLACE", "ALGORITHM=INPLACE"),
    ("ALTER TABLE orders MODIFY amount BIGINT, LOCK=EXCLUSIVE", "stops writers"),
    ("TRUNCATE orders", "no way back"),
    ("ALTER TABLE elsewhere.orders ADD COLUMN a INT", "another database"),
    ("ALTER TABLE orders ADD COLUMN a INT NOT NULL; -- stoa: backfill orders.a = amount + 1", "cannot promise"),
    ("ALTER TABLE orders ADD COLUMN a DATETIME; -- stoa: backfill orders.a = NOW()", "not the same twice"),
    ("ALTER TABLE orders ADD COLUMN a INT; -- stoa: backfill orders.b = amount + 1", "which no statement adds"),
])
def test_refusals(stoa, sql, words):
    refused = plan(stoa, sql, code=None)
    assert refused.code in (2, 4) and words in refused.out + refused.err, str(refused)


def test_what_stands_against_a_shadow(my, stoa):
    wide = "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'"
    my.query("CREATE TABLE shop.items (id INT PRIMARY KEY, o BIGINT NOT NULL, CONSTRAINT f FOREIGN KEY (o) REFERENCES shop.orders (id))")
    refused = plan(stoa, wide, code=None)
    assert refused.code == 4 and "foreign key f of items" in refused.out + refused.err
    my.query("DROP TABLE shop.items")
    my.query("CREATE TRIGGER shop.audit BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'")
    refused = plan(stoa, wide, code=None)
    assert refused.code == 4 and "triggers (audit)" in refused.out + refused.err
    my.query("DROP TRIGGER shop.audit")
    my.query("CREATE TABLE shop.orders__stoa_new (id INT)")
    refused = plan(stoa, wide, code=None)
    assert refused.code == 4 and "orders__stoa_new already" in refused.out + refused.err
    my.query("DROP TABLE shop.orders__stoa_new")
    my.query("ALTER TABLE shop.orders MODIFY id BIGINT NOT NULL, DROP PRIMARY KEY")
    refused = plan(stoa, wide, code=None)
    assert refused.code == 4 and "no PRIMARY KEY" in refused.out + refused.err


def test_tables_made_altered_and_renamed(my, stoa):
    made = plan(stoa, "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b LIKE a; ALTER TABLE a ADD COLUMN x INT; "
                      "ALTER TABLE a MODIFY x BIGINT; RENAME TABLE a TO c; DROP TABLE orders", "--accept-rename").json
    assert kinds(made) == ["alter", "alter", "alter", "alter", "alter", "ready", "alter"]
    assert made["steps"][4]["phase"] == "cutover" and len(made["steps"][4]["looks"]) == 2
    assert made["steps"][6]["phase"] == "contract" and made["steps"][6]["looks"][0]["after"] is None


def test_a_strategy_that_is_asked_for(stoa):
    wide = "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'"
    for strategy, words in (("instant", "at once"), ("in-place", "in place")):
        refused = plan(stoa, wide, "--strategy", strategy, code=None)
        if strategy == "in-place" and refused.code == 0: # MariaDB 11.2 and later copy online
            assert "online-copy" in ids(refused.json)
            continue
        assert refused.code == 4 and words in refused.out + refused.err
    assert plan(stoa, "CREATE INDEX i ON orders (amount)", "--strategy", "shadow").json["strategy"] == "shadow"
    assert plan(stoa, "ALTER TABLE orders FORCE").json["strategy"] == "shadow"


def test_nothing_is_left_behind(my, stoa):
    before = my.query("SHOW DATABASES")
    first = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'").json
    again = plan(stoa, "alter table orders\n modify amount BIGINT default 0 comment 'cents'").json
    assert first["plan_digest"] == again["plan_digest"]
    assert my.query("SHOW DATABASES") == before and my.query("SHOW TABLES IN shop") == (("orders",),)


def test_an_untested_server(my, stoa):
    tested = my.name in ("mariadb-10.11", "mariadb-11.8", "mysql-9.7", "mysql-5.6")
    assert ("untested-server" in ids(plan(stoa, "ALTER TABLE orders ADD COLUMN extra INT").json)) == (not tested)


def test_a_log_that_leaves_databases_out(myhome, my_name):
    server = MyServer(myhome, my_name, settings={"binlog_ignore_db": "elsewhere"})
    server.query("CREATE DATABASE shop")
    server.query(f"CREATE TABLE shop.orders {COLUMNS}")
    stoa = Stoa(server.url("shop"))
    try:
        made = plan(stoa, "ALTER TABLE orders MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'", "--strategy", "shadow").json
        assert next(step for step in made["steps"] if step["kind"] == "copy")["shadow"]["capture"] == "trigger"
        assert any("binlog_ignore_db" in risk["message"] for risk in made["risks"])
    finally:
        stoa.close()
        server.end()

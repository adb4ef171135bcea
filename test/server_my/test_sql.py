"""What the user wrote means on Stoa's way what it means on the server: zones and modes, tables that it speaks of,
views, statements that belong together, and what is nowhere in a definition."""
import signal

import pymysql
import pytest

from test.lib.my_plans import alters, register
from test.server_my.test_alter import MAX_STALL_MS, TOLERANCE_MS, Writer, stoa as small # noqa: F401
from test.server_my.test_plan import adds_at_once, fill, ids, kinds, plan, stoa # noqa: F401

WIDE = "MODIFY amount BIGINT DEFAULT 0 COMMENT 'cents'"


@pytest.fixture
def server(my):
    """Sets global variables, and sets them back."""
    before = {}

    def set_global(name, value):
        before.setdefault(name, my.query(f"SELECT @@GLOBAL.{name}")[0][0])
        my.query(f"SET GLOBAL {name} = '{value}'")
    yield set_global
    for name, value in before.items():
        my.query(f"SET GLOBAL {name} = '{value}'")


def apply(stoa, name, sql, *options, code=0, **rest): # noqa: F811
    """Where columns cannot be hidden (MySQL 5.6), that is accepted."""
    return stoa("apply", "--yes", "--name", name, "--accept-star", sql, *options, code=code, **rest)


def text(my, table):
    return my.query(f"SHOW CREATE TABLE shop.{table}")[0][1]


# ---- 6: small tables -----------------------------------------------------------------------------------------

def test_small_is_counted_not_believed(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.few (id INT PRIMARY KEY, v INT) ENGINE=InnoDB STATS_PERSISTENT=1, STATS_AUTO_RECALC=0")
    my.query("INSERT INTO shop.few SELECT id, amount FROM shop.orders")
    my.query("ANALYZE TABLE shop.few")
    my.query("UPDATE mysql.innodb_table_stats SET n_rows = 0, clustered_index_size = 1 WHERE table_name = 'few'")
    my.query("FLUSH TABLE shop.few")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        if not my.is_mariadb and my.version >= (8,):
            cursor.execute("SET information_schema_stats_expiry = 0")
        cursor.execute("SELECT table_rows FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'few'")
        assert cursor.fetchone()[0] < 1000 or my.is_mariadb # which keeps what it has counted in memory
    assert plan(stoa, "ALTER TABLE few MODIFY v BIGINT").json["strategy"] == "shadow"
    my.query("DELETE FROM shop.few WHERE id > 100")
    made = plan(stoa, "ALTER TABLE few MODIFY v BIGINT").json
    assert kinds(made) == ["alter", "ready"] and made["steps"][0]["scans"]
    assert made["steps"][0]["timeout"] == ("watchdog" if my.name == "mariadb-11.8" else "lock") # which copies online


def test_a_copy_that_takes_too_long_is_ended(my, small, tmp_path): # noqa: F811
    for _ in range(19):
        my.query("INSERT INTO shop.t (v) SELECT v FROM shop.t LIMIT 60000")
    slow = ("ALTER TABLE t MODIFY v BIGINT NOT NULL, ALGORITHM=COPY, LOCK=SHARED", None)
    made = alters(my, "slow", "shop", "t", [slow])
    made["steps"][0] |= {"scans": True, "rewrites": True}
    register(my, "shop", made, tmp_path)
    writer = Writer(my)
    failed = small("resume", "slow", "--max-stall", f"{MAX_STALL_MS}ms", "--lock-wait", "10s", code=5)
    longest = writer.stop()
    print(f"longest {longest:.0f} ms")
    assert "since writers waited" in failed.err and "--max-stall" in failed.err, failed
    assert my.query("SHOW COLUMNS FROM shop.t LIKE 'v'")[0][1].startswith("int") and longest <= MAX_STALL_MS + 4 * TOLERANCE_MS


# ---- 7: zones ------------------------------------------------------------------------------------------------

def test_wall_clocks_are_the_servers(my, stoa, server): # noqa: F811
    server("time_zone", "+05:00")
    my.query("CREATE TABLE shop.times (id INT PRIMARY KEY, ts TIMESTAMP NULL) ENGINE=InnoDB")
    with my.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("INSERT INTO times VALUES (1, '2024-05-01 10:00:00')")
    apply(stoa, "a", "ALTER TABLE times MODIFY ts DATETIME NULL")
    assert str(my.query("SELECT ts FROM shop.times")[0][0]) == "2024-05-01 15:00:00"
    apply(stoa, "b", "ALTER TABLE times ADD COLUMN at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, "
         "ADD COLUMN other TIMESTAMP NOT NULL DEFAULT '2024-05-01 10:00:00'")
    hours = my.query("SELECT ABS(TIMESTAMPDIFF(MINUTE, at, UTC_TIMESTAMP() + INTERVAL 5 HOUR)) FROM shop.times")[0][0]
    assert hours < 30
    assert my.query("SELECT UNIX_TIMESTAMP(other) FROM shop.times")[0][0] == 1714539600 # 05:00 UTC


def test_a_shadow_keeps_defaults_of_the_zone(my, stoa, server): # noqa: F811
    server("time_zone", "+05:00")
    apply(stoa, "a", f"ALTER TABLE orders {WIDE}, ADD COLUMN other TIMESTAMP NOT NULL DEFAULT '2024-05-01 10:00:00'")
    assert my.query("SELECT DISTINCT UNIX_TIMESTAMP(other) FROM shop.orders") == ((1714539600,),)
    refused = plan(stoa, "ALTER TABLE orders MODIFY amount INT DEFAULT 0 COMMENT 'cents', ADD COLUMN at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP", code=None)
    assert refused.code == 4 and "present time in UTC" in refused.err, refused


@pytest.mark.parametrize("expr, good", [("DATE(ts)", False), ("FROM_UNIXTIME(amount)", False), ("UNIX_TIMESTAMP('2024-01-01')", False),
                                        ("UNIX_TIMESTAMP(ts)", True), ("amount + 1", True)])
def test_backfills_and_zones(my, stoa, server, expr, good): # noqa: F811
    if my.name == "mysql-5.6":
        return # has no backfills at all
    server("time_zone", "+05:00")
    my.query("ALTER TABLE shop.orders ADD COLUMN ts TIMESTAMP NULL")
    made = plan(stoa, f"ALTER TABLE orders ADD COLUMN a VARCHAR(40); -- stoa: backfill orders.a = {expr}", code=None)
    assert (made.code == 0) == good and (good or "in the zone of each session" in made.err), made


# ---- 14: modes -----------------------------------------------------------------------------------------------

def test_modes_of_the_server(my, stoa, server): # noqa: F811
    server("sql_mode", "REAL_AS_FLOAT,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES")
    sql = "ALTER TABLE orders ADD COLUMN \"r\" REAL, ADD COLUMN s VARCHAR(10) DEFAULT 'a\\b'"
    apply(stoa, "a", sql)
    kept = {row[0]: row for row in my.query("SHOW COLUMNS FROM shop.orders")}
    assert kept["r"][1].startswith("float") and kept["s"][4].strip("'") == "a\\b", kept
    apply(stoa, "b", "CREATE VIEW pipes AS SELECT id, customer || 'x' AS both_of FROM orders")
    assert my.query("SELECT both_of FROM shop.pipes WHERE id = 1")[0][0] == "c0x"
    if my.name != "mysql-5.6":
        refused = plan(stoa, "ALTER TABLE orders ADD COLUMN b VARCHAR(40); -- stoa: backfill orders.b = customer || 'x'", code=None)
        assert refused.code == 4 and "sql_mode has" in refused.err


def test_another_language_is_refused(my, stoa, server): # noqa: F811
    if not my.is_mariadb:
        return
    server("sql_mode", "ORACLE")
    refused = plan(stoa, "ALTER TABLE orders ADD COLUMN b INT", code=None)
    assert refused.code == 4 and "ORACLE" in refused.err


# ---- 9: what belongs together --------------------------------------------------------------------------------

def test_parts_that_need_a_copy_go_together(my, stoa): # noqa: F811
    made = plan(stoa, "ALTER TABLE orders ADD INDEX i (amount), ADD COLUMN c INT", "--strategy", "shadow").json
    assert kinds(made).count("copy") == 1
    for index in range(2): # indexes long enough that replicas would lag by them
        fill(my, "orders", 60000)
    made = plan(stoa, "ALTER TABLE orders ADD INDEX i (amount), ADD COLUMN c INT", "--replicas", my.url("shop")).json
    if adds_at_once(my):
        assert "parts" not in ids(made) and kinds(made).count("copy") == 1, made["steps"]
        assert "`c` int" in next(step["sql"] for step in made["steps"] if "CREATE TABLE `orders__stoa_new`" in step["sql"])


def test_statements_of_one_table_apart_from_each_other(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.other LIKE shop.orders")
    apply(stoa, "a", f"ALTER TABLE orders {WIDE}; ALTER TABLE other ADD COLUMN x INT; "
         "ALTER TABLE orders MODIFY note VARCHAR(300) CHARACTER SET latin1; ALTER TABLE orders ADD COLUMN y INT")
    assert "`amount` bigint" in text(my, "orders") and "varchar(300)" in text(my, "orders") and "`y` int" in text(my, "orders")
    stoa("complete", "a", "--yes")
    refused = plan(stoa, "ALTER TABLE orders MODIFY amount INT DEFAULT 0 COMMENT 'cents'; CREATE TABLE between_them (id INT PRIMARY KEY); "
                         "ALTER TABLE orders MODIFY note VARCHAR(300) CHARACTER SET utf8mb4", code=None)
    assert refused.code == 4 and "needs another copy" in refused.err, refused
    apply(stoa, "b", "ALTER TABLE orders MODIFY amount INT DEFAULT 0 COMMENT 'cents'; "
         "CREATE TABLE between_them (id INT PRIMARY KEY); ALTER TABLE orders ALTER note SET DEFAULT 'n'")
    assert "`amount` int" in text(my, "orders") and "DEFAULT 'n'" in text(my, "orders")


# ---- 10: tables that are referred to -------------------------------------------------------------------------

def test_foreign_keys_to_other_tables(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.customers (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
    apply(stoa, "a", "CREATE TABLE bills (id INT PRIMARY KEY, c BIGINT, FOREIGN KEY (c) REFERENCES customers (id))")
    assert "REFERENCES `customers`" in text(my, "bills")
    apply(stoa, "b", "ALTER TABLE bills ADD COLUMN o BIGINT NULL, ADD CONSTRAINT o FOREIGN KEY (o) REFERENCES orders (id)")
    assert "REFERENCES `orders`" in text(my, "bills")
    my.query("ALTER TABLE shop.orders ADD COLUMN c BIGINT NULL")
    apply(stoa, "c", "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES customers (id)")
    assert "CONSTRAINT `f` FOREIGN KEY (`c`) REFERENCES `customers`" in text(my, "orders")


# ---- 11: views -----------------------------------------------------------------------------------------------

def test_views(my, stoa): # noqa: F811
    apply(stoa, "a", "CREATE VIEW totals AS SELECT customer, SUM(amount) AS amount FROM orders GROUP BY customer")
    my.query("CREATE VIEW shop.on_totals AS SELECT customer FROM shop.totals")
    apply(stoa, "b", "CREATE OR REPLACE VIEW totals AS SELECT customer, COUNT(*) AS amount FROM orders GROUP BY customer")
    assert my.query("SELECT COUNT(*) FROM shop.on_totals")[0][0] == 3000 and "count" in text(my, "totals").lower()
    apply(stoa, "c", "CREATE OR REPLACE VIEW on_totals AS SELECT customer, amount FROM totals; "
         "CREATE VIEW third AS SELECT customer FROM on_totals")
    apply(stoa, "d", "DROP VIEW third; DROP VIEW IF EXISTS nowhere", code=None)
    stoa("complete", "d", "--yes")
    assert not my.query("SHOW TABLES IN shop LIKE 'third'")
    refused = plan(stoa, "CREATE VIEW totals AS SELECT 1 AS a", code=None)
    assert refused.code != 0 and "already exists" in refused.err
    apply(stoa, "e", f"ALTER TABLE orders {WIDE}, ADD COLUMN extra INT; CREATE VIEW late AS SELECT id, extra FROM orders")
    assert my.query("SELECT COUNT(*) FROM shop.late")[0][0] == 3000


def test_a_view_that_is_replaced_comes_back(my, stoa): # noqa: F811
    if my.name != "mysql-5.6":
        my.query("CREATE USER IF NOT EXISTS other@localhost")
    my.query("GRANT SELECT ON shop.* TO other@localhost")
    my.query("CREATE DEFINER = other@localhost VIEW shop.v AS SELECT id FROM shop.orders")
    before = text(my, "v")
    apply(stoa, "a", "CREATE OR REPLACE VIEW v AS SELECT id, amount FROM orders; ALTER TABLE orders DROP COLUMN note")
    assert "amount" in text(my, "v")
    stoa("abort", "a", "--yes", "--force")
    assert text(my, "v") == before


# ---- 12: what gets lost --------------------------------------------------------------------------------------

@pytest.mark.parametrize("sql", ["CHANGE amount cost BIGINT, ADD COLUMN c INT", "CHANGE amount cost INT FIRST", "CHANGE amount cost INT"])
def test_renamed_columns_lose_attributes(stoa, sql): # noqa: F811
    told = [risk["message"] for risk in plan(stoa, f"ALTER TABLE orders {sql}").json["risks"] if risk["id"] == "lost-attributes"]
    assert told and "DEFAULT" in told[0] and "COMMENT 'cents'" in told[0], told


# ---- 13: lossy conversions -----------------------------------------------------------------------------------

@pytest.mark.parametrize("old, new, lost, kept", [
    ("BIGINT", "DOUBLE", "9007199254740993", "9007199254740991"),
    ("DECIMAL(20,2)", "DOUBLE", "123456789012345678.91", "123456789012.25"),
    ("INT", "FLOAT", "16777217", "16777215"),
    ("DECIMAL(12,4)", "FLOAT", "1234567.8901", "1234.5"),
    ("DOUBLE", "FLOAT", "1.23456789", "1.5"),
    ("DATETIME", "TIME", "'2024-01-01 10:00:00'", "NULL"),
    ("DATETIME", "YEAR", "'2024-01-01 10:00:00'", "NULL"),
    ("TIME", "DATETIME", "'10:00:00'", "NULL"),
    ("DATETIME(3)", "BIGINT", "'2024-01-01 10:00:00.6'", "'2024-01-01 10:00:00'"),
    ("VARCHAR(30)", "INT", "'1.5'", "' 17'"),
    ("VARCHAR(30)", "DECIMAL(6,2)", "'1.505'", "'1.500'"),
    ("VARCHAR(30)", "DATETIME", "'2024-01-01 10:00:00.6'", "'2024-01-01 10:00:00'"),
    ("VARCHAR(30)", "DATE", "'2024-01-01 10:00:00'", "'2024-01-01'"),
    ("VARCHAR(30)", "ENUM('a','it''s')", "'A'", "'it''s'"),
    ("VARCHAR(30)", "TIME(1)", "'10:00:00.26'", "'10:00:00.2'"),
])
def test_values_that_would_change(my, stoa, old, new, lost, kept): # noqa: F811
    my.query(f"CREATE TABLE shop.lossy (id INT PRIMARY KEY, v {old} NULL) ENGINE=InnoDB")
    my.query(f"INSERT INTO shop.lossy VALUES (1, {kept}), (2, {lost}), (3, NULL)")
    refused = apply(stoa, "a", f"ALTER TABLE lossy MODIFY v {new} NULL", code=6)
    assert "does not fit" in refused.err and "2" in refused.err, refused
    stoa("abort", "a", "--yes", code=None)
    my.query("DELETE FROM shop.lossy WHERE id = 2")
    apply(stoa, "b", f"ALTER TABLE lossy MODIFY v {new} NULL")
    assert new.split("(")[0].lower() in text(my, "lossy")


# ---- 18: what no definition tells ----------------------------------------------------------------------------

def counter(my, table):
    return int(text(my, table).split("AUTO_INCREMENT=")[1].split()[0])


def test_a_counter_is_set(my, stoa): # noqa: F811
    apply(stoa, "a", "ALTER TABLE orders AUTO_INCREMENT = 100000")
    assert counter(my, "orders") == 100000
    apply(stoa, "b", f"ALTER TABLE orders {WIDE}, AUTO_INCREMENT = 200000")
    assert counter(my, "orders") == 200000 and "`amount` bigint" in text(my, "orders")


@pytest.mark.parametrize("place", ["alter_before", "alter_after"])
def test_a_counter_is_set_whatever_dies(my, stoa, place): # noqa: F811
    died = apply(stoa, "a", "ALTER TABLE orders AUTO_INCREMENT = 100000", code=None, env={"STOA_FAILPOINT": f"{place}=kill:1"})
    assert died.code == -signal.SIGKILL
    stoa("resume", "a")
    assert counter(my, "orders") == 100000


def test_a_partition_is_rebuilt_or_refused(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.parted (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 2")
    made = plan(stoa, "ALTER TABLE parted REBUILD PARTITION p0", code=None)
    assert made.code != 0 or kinds(made.json) != [], made


# ---- 19: names that change places ----------------------------------------------------------------------------

def test_equal_tables_do_not_change_names(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.twin LIKE shop.orders")
    swap = "RENAME TABLE orders TO away, twin TO orders, away TO twin"
    refused = plan(stoa, swap, "--accept-rename", code=None)
    assert refused.code == 4 and "same definition" in refused.err, refused
    my.query("ALTER TABLE shop.twin COMMENT = 'the new one'")
    apply(stoa, "a", swap, "--accept-rename")
    assert "the new one" in text(my, "orders")


# ---- 21: triggers and views that name what goes --------------------------------------------------------------

def test_triggers_and_views_that_name_a_column(my, stoa): # noqa: F811
    my.query("CREATE TABLE shop.log (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(30)) ENGINE=InnoDB")
    my.query("CREATE TRIGGER shop.audit AFTER INSERT ON orders FOR EACH ROW INSERT INTO log (note) VALUES (NEW.note)")
    my.query("CREATE TRIGGER shop.quiet AFTER DELETE ON orders FOR EACH ROW INSERT INTO log (note) VALUES ('gone')")
    my.query("CREATE VIEW shop.notes AS SELECT id, note FROM shop.orders")
    my.query("CREATE VIEW shop.numbers AS SELECT id, amount FROM shop.orders")
    drop = "ALTER TABLE orders DROP COLUMN note"
    told = [risk for risk in plan(stoa, drop).json["risks"] if risk["id"] in ("triggers", "view")]
    words = " ".join(risk["message"] for risk in told)
    assert "trigger audit" in words and "view notes" in words and "numbers" not in words, words
    refused = apply(stoa, "a", drop, code=None)
    assert refused.code == 4 and "--accept-triggers" in refused.err and "--accept-view" in refused.err
    my.query("DROP TRIGGER shop.audit")
    my.query("DROP TRIGGER shop.quiet")
    made = plan(stoa, f"CREATE OR REPLACE VIEW notes AS SELECT id FROM orders; {drop}").json
    assert not ids(made) & {"triggers", "view"}


@pytest.mark.parametrize("sql", ["DROP COLUMN note", "CHANGE note remark VARCHAR(30)"])
def test_what_the_servers_let_happen(my, stoa, sql): # noqa: F811
    """Why the plan has to look: the ALTER TABLE succeeds, and from then on writes and reads fail."""
    my.query("CREATE TABLE shop.log (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(30)) ENGINE=InnoDB")
    my.query("CREATE TRIGGER shop.audit AFTER INSERT ON orders FOR EACH ROW INSERT INTO log (note) VALUES (NEW.note)")
    my.query("CREATE VIEW shop.notes AS SELECT id, note FROM shop.orders")
    my.query(f"ALTER TABLE shop.orders {sql}")
    with pytest.raises(pymysql.Error, match="1054"):
        my.query("INSERT INTO shop.orders (customer) VALUES ('c')")
    with pytest.raises(pymysql.Error, match="1356"):
        my.query("SELECT * FROM shop.notes")


# ---- further -------------------------------------------------------------------------------------------------

def test_what_becomes_visible_has_a_clause(my, stoa): # noqa: F811
    if not adds_at_once(my):
        return
    shown = plan(stoa, "ALTER TABLE orders ADD COLUMN c INT").json["steps"][-1]
    assert shown["phase"] == "contract" and "ALGORITHM=" in shown["sql"]

"""stoa stale on MariaDB and MySQL: every planted leftover is found, and nothing else."""
import pytest

from test.lib.my_servers import MyServer
from test.lib.servers import until
from test.lib.stoa import Stoa

HEALTHY = """
CREATE TABLE customers (id BIGINT PRIMARY KEY, email VARCHAR(100) NOT NULL, name VARCHAR(100), city VARCHAR(100), fax VARCHAR(40),
    UNIQUE KEY by_email (email), KEY by_city_name (city, name));
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, status VARCHAR(10) NOT NULL, total DECIMAL(12,2) NOT NULL,
    note VARCHAR(200), currency CHAR(3) NOT NULL, old_ref VARCHAR(40), body VARCHAR(200),
    KEY by_customer (customer_id, total), KEY by_note (note), KEY by_note_part (note(5)),
    CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE _settings_old (id INT PRIMARY KEY, v INT);
CREATE TABLE archive_new (id INT PRIMARY KEY, v INT);
CREATE VIEW paid AS SELECT id, total FROM orders WHERE status = 'paid';
"""

DIGITS = "(SELECT 0 i UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL " \
         "SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
NUMBERS = f"(SELECT 1 + a.i + 10 * b.i + 100 * c.i + 1000 * d.i n FROM {DIGITS} a, {DIGITS} b, {DIGITS} c, {DIGITS} d)"
ROWS = f"""
INSERT INTO customers (id, email, name, city) SELECT n, CONCAT('c', n, '@example.com'), CONCAT('name ', n % 900), CONCAT('city ', n % 50) FROM {NUMBERS} s;
INSERT INTO orders SELECT n, n, ELT(1 + n % 3, 'new', 'paid', 'sent'), n, IF(n % 2, CONCAT('note ', n), NULL), 'EUR',
    CONCAT('R', n % 4000), CONCAT(REPEAT('b', 60), n) FROM {NUMBERS} s;
"""

WORK = """
SELECT id, email, name, fax FROM customers WHERE id = 7;
SELECT email FROM customers WHERE email = 'c7@example.com';
SELECT name FROM customers FORCE INDEX (by_city_name) WHERE city = 'city 7';
SELECT o.id, o.total, o.currency, o.status, o.body FROM orders o FORCE INDEX (by_customer) WHERE o.customer_id = 7;
SELECT id FROM orders FORCE INDEX (by_note) WHERE note = 'note 7';
SELECT id FROM orders FORCE INDEX (by_note_part) WHERE note LIKE 'note%' LIMIT 5;
"""

PLANTED = """
ALTER TABLE orders ADD KEY legacy (body);
ALTER TABLE customers ADD KEY email_again (email);
ALTER TABLE customers ADD KEY city_only (city);
CREATE TABLE _orders_gho LIKE archive_new;
CREATE TABLE _orders_ghc LIKE archive_new;
CREATE TABLE _customers_new LIKE archive_new;
CREATE TABLE _customers_old LIKE archive_new;
CREATE TABLE orders__stoa_new LIKE archive_new;
CREATE TRIGGER pt_osc_shop_customers_del AFTER DELETE ON customers FOR EACH ROW SET @x = 1;
CREATE TRIGGER stoa_4711_ins AFTER INSERT ON archive_new FOR EACH ROW SET @x = 1;
CREATE DATABASE stoa_scratch_q4711_00;
"""

LEFT = {
    ("leftover", f"shop.{name}") for name in (
        "_orders_gho", "_orders_ghc", "_customers_new", "_customers_old", "orders__stoa_new",
        "customers.pt_osc_shop_customers_del", "archive_new.stoa_4711_ins")
} | {("leftover", "stoa_scratch_q4711_00")}
DOUBLED = {("duplicate-index", "shop.customers.email_again"), ("redundant-index", "shop.customers.city_only")}


def execute(server, text, database="shop"):
    with server.connect(database) as conn, conn.cursor() as cursor:
        for statement in filter(None, map(str.strip, text.strip().split(";\n"))):
            cursor.execute(statement.rstrip(";"))
            cursor.fetchall()
        conn.commit()


@pytest.fixture(scope="module")
def _seeded(home):
    made = {}

    def make(name):
        if name in made:
            return made[name]
        server = MyServer(home, name, settings={"performance_schema": "ON"} | (
            {"performance_schema_instrument": "wait/io/table/sql/handler=ON"} if name.startswith("mariadb") else {}))
        execute(server, "CREATE DATABASE shop", None)
        execute(server, HEALTHY)
        execute(server, ROWS)
        execute(server, PLANTED)
        if server.is_mariadb:
            execute(server, "ANALYZE TABLE customers PERSISTENT FOR ALL;\nANALYZE TABLE orders PERSISTENT FOR ALL")
        elif server.version >= (8,):
            execute(server, "ANALYZE TABLE customers UPDATE HISTOGRAM ON fax, name;\nANALYZE TABLE customers;\n"
                            "ANALYZE TABLE orders UPDATE HISTOGRAM ON currency, status;\nANALYZE TABLE orders")
        execute(server, "TRUNCATE performance_schema.events_statements_summary_by_digest;\n"
                        "TRUNCATE performance_schema.table_io_waits_summary_by_index_usage", None)
        for _ in range(3):
            execute(server, WORK)
        made[name] = server
        return server
    yield make
    for server in made.values():
        server.stop()


@pytest.fixture
def seeded(_seeded, my_name):
    return _seeded(my_name)


@pytest.fixture
def stoa(seeded):
    program = Stoa(seeded.url("shop"))
    yield program
    program.close()


def found(result):
    return {(one["kind"], one["object"]) for one in result.json["findings"]}


def test_all_that_is_planted_and_nothing_else(seeded, stoa):
    result = stoa("stale", "--json")
    wanted = LEFT | DOUBLED | {("unused-index", "shop.orders.legacy"), ("unnamed-column", "shop.orders.old_ref")}
    if seeded.is_mariadb or seeded.version >= (8,):
        wanted |= {("null-column", "shop.customers.fax"), ("constant-column", "shop.orders.currency")}
    more, less = found(result) - wanted, wanted - found(result)
    assert not less and not more, f"too much: {sorted(more)}\ntoo little: {sorted(less)}\n{result.json['unknown']}"
    by = {one["object"]: one for one in result.json["findings"]}
    assert by["shop._orders_gho"]["tool"] == "gh-ost" and by["shop._orders_gho"]["confidence"] == "low", "made just now"
    assert by["shop.customers.email_again"]["do"] == "stoa apply 'ALTER TABLE `shop`.`customers` DROP INDEX `email_again`'"
    assert "% covered" in by["shop.orders.old_ref"]["evidence"]
    assert result.json["cost"]["ms"] < 5000
    assert "cost: " in stoa("stale").out


def test_without_counters_it_says_so(my, my_name):
    """The usual settings: MariaDB counts nothing, MySQL does."""
    execute(my, "DROP DATABASE IF EXISTS plain;\nCREATE DATABASE plain", None)
    execute(my, "CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY (a))", "plain")
    stoa = Stoa(my.url("plain"))
    result = stoa("stale", "--json")
    assert result.json["findings"] == []
    if my.is_mariadb:
        assert any("performance_schema is off" in one["why"] and "userstat" in one["fix"] for one in result.json["unknown"])
    stoa.close()
    execute(my, "DROP DATABASE plain", None)


def test_it_is_cheap_with_2000_tables(quick):
    """Whose definitions the server has in memory, as it does where they are used."""
    execute(quick, "SET GLOBAL table_definition_cache = 4000;\nDROP DATABASE IF EXISTS many;\nCREATE DATABASE many", None)
    execute(quick, ";\n".join(f"CREATE TABLE t{i} (id BIGINT PRIMARY KEY, a INT, b VARCHAR(20), KEY ab (a, b))" for i in range(2000)), "many")
    execute(quick, "ALTER TABLE t77 ADD KEY a (a)", "many")
    stoa = Stoa(quick.url("many"))
    costs = []
    try:
        for _ in range(3):
            result = stoa("stale", "--json")
            assert [(one["kind"], one["object"]) for one in result.json["findings"]] == [("redundant-index", "many.t77.a")], result.out
            costs.append(result.json["cost"])
    finally:
        execute(quick, "DROP DATABASE many", None)
        stoa.close()
    print(f"2,000 tables: {costs}")
    assert min(cost["all_ms"] for cost in costs) < 5000, costs


def test_a_live_tool_is_no_leftover(seeded, stoa):
    with seeded.connect("shop") as holder, holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('gh-ost::shop.orders', 0)")
        cursor.fetchall()
        objects = {one[1] for one in found(stoa("stale", "--json"))}
        assert "shop._orders_gho" not in objects and "shop._customers_new" in objects
    until(lambda: "shop._orders_gho" in {one[1] for one in found(stoa("stale", "--json"))}, 20, "it is a leftover again")

"""The tables of the matrix: one for each thing that makes a change of a table on MariaDB or MySQL hard."""
from test.lib.my_writers import Column, Shape

MODERN = ("mariadb-10.11", "mariadb-11.8", "mysql-9.7")
MARIADB = ("mariadb-10.11", "mariadb-11.8")
MYSQL = ("mysql-9.7", "mysql-5.6")
ALL = (*MARIADB, *MYSQL)


def auto_key(kind="INT"):
    return Column("id", f"{kind} NOT NULL AUTO_INCREMENT PRIMARY KEY", key=True, auto=True)


def number(name="v", kind="INT", rest="NOT NULL"):
    """The column that most changes of the matrix widen."""
    return Column(name, f"{kind} {rest}", ["0", "1", "-1", "2147483647", "-2147483648"])


def code(name="code", kind="VARCHAR(40)"):
    return Column(name, f"{kind} NOT NULL", lambda new: f"'c{new:09}'", unique=True)


def orders(*more, tail="", **rest):
    return Shape(auto_key(), Column("customer_id", "INT NOT NULL DEFAULT 0", ["0", "1", "7", "2147483647"]), code(),
                 Column("amount", "DECIMAL(12,2) NOT NULL DEFAULT 0", ["0", "1.25", "-9999999999.99"]),
                 Column("status", "ENUM('new','paid','sent') NOT NULL DEFAULT 'new'", ["'new'", "'paid'", "'sent'"]),
                 Column("flags", "SET('a','b','c','d','e','f','g','h') NULL", ["'a'", "'a,b'", "''", "NULL"]),
                 Column("note", "VARCHAR(20) NULL DEFAULT 'none' COMMENT 'by hand'",
                        ["'short'", "''", "'äöü'", "NULL", "'it''s'"]),
                 Column("at", "DATETIME(6) NOT NULL", ["'2024-03-31 02:30:00.000001'", "'1000-01-01 00:00:00'"]), *more,
                 tail=", ".join(["KEY customer (customer_id)", "UNIQUE KEY code (code)"] + ([tail] if tail else [])), **rest)


def keyed(key, **rest):
    """A table with this key of one column, a unique value beside it and something to change."""
    return Shape(key, code(), number(), Column("w", "VARCHAR(30) NULL", ["'x'", "NULL", "'Ä'"]),
                 tail=f"PRIMARY KEY ({key.name}), UNIQUE KEY code (code)", **rest)


def words(collation, spaces=False):
    """Spellings that the collation takes for one, at the end of each word that tells two keys apart."""
    charset = collation.split("_")[0]
    mixed = collation not in ("utf8mb4_bin", "latin1_bin")
    letters = ["Ab", "äB", "ss"] if charset != "ascii" else ["Ab", "aB", "xy"]
    return keyed(Column("k", f"VARCHAR(40) CHARACTER SET {charset} COLLATE {collation} NOT NULL",
                        lambda new: f"'{letters[new % 3]}{new}{' ' * (new % 2) if spaces else ''}'", key=True, respell=mixed))


def kinds(server):
    """Every type with the values at its edges."""
    columns = [
        auto_key("BIGINT"), number(),
        Column("ub", "BIGINT UNSIGNED NOT NULL", ["0", "18446744073709551615", "9223372036854775808"]),
        Column("ti", "TINYINT NOT NULL", ["-128", "0", "126"]), Column("mi", "MEDIUMINT UNSIGNED NULL", ["16777215", "NULL"]),
        Column("de", "DECIMAL(30,10) NOT NULL", ["-12345678901234567890.0123456789", "0.0000000001", "0"]),
        Column("fl", "FLOAT NULL", ["1.5", "-3.4e38", "NULL", "0.1"]), Column("db", "DOUBLE NULL", ["1.1e-300", "0.1", "-0.0"]),
        Column("bi", "BIT(13) NOT NULL", ["b'1010101010101'", "b'0'"]), Column("b1", "BIT(64) NULL", ["b'1'", "0xFFFFFFFFFFFFFFFF"]),
        Column("en", "ENUM('a','ö','b,c','') NOT NULL", ["'a'", "'ö'", "'b,c'", "''"]),
        Column("se", "SET('x','y','ü') NOT NULL", ["''", "'x'", "'x,y,ü'"]),
        Column("ch", "CHAR(10) NOT NULL", ["'ab '", "''", "'日本'"]), Column("l1", "VARCHAR(100) CHARACTER SET latin1 NULL", ["'äöü€'", "NULL"]),
        Column("u3", "VARCHAR(50) CHARACTER SET utf8 NULL", ["'€uro'", "''"]), Column("u4", "VARCHAR(50) CHARACTER SET utf8mb4 NULL", ["'😀 '", "' '"]),
        Column("bn", "BINARY(8) NOT NULL", ["x'6100000000000000'", "x'00'", "x'FF20'"]), Column("vb", "VARBINARY(50) NULL", ["x'00FF2700'", "''", "NULL"]),
        Column("tx", "TEXT NULL", ["'it''s \\\\ a \"text\"\\n'", "NULL", "REPEAT('ä', 9000)"]), Column("bl", "BLOB NULL", ["x'00FF005C27'", "NULL"]),
        Column("da", "DATE NULL", ["'1000-01-01'", "'9999-12-31'", "NULL"]), Column("tm", "TIME(6) NOT NULL", ["'-838:59:59'", "'-00:00:00.500000'", "'838:59:59'"]),
        Column("dt", "DATETIME(6) NULL", ["'2024-03-31 02:30:00.123456'", "'9999-12-31 23:59:59.999999'"]),
        Column("ts", "TIMESTAMP(6) NULL", ["'2024-03-31 01:30:00.123456'", "'2024-10-27 00:59:59.9'", "'1970-01-01 00:00:01'", "NULL"]),
        Column("ye", "YEAR NULL", ["1901", "2155", "0"]),
        Column("ge", "GEOMETRY NULL", ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0,1 1,2 0.5)')", "NULL"]),
    ]
    if server != "mysql-5.6":
        stored = "PERSISTENT" if server in MARIADB else "STORED"
        columns += [Column("js", "JSON NULL", ["""'{"a": 1.10, "b": [1e2, "ä", null]}'""", "NULL", "'[]'"]),
                    Column("vg", "INT GENERATED ALWAYS AS (ti + 1) VIRTUAL"), Column("sg", f"INT GENERATED ALWAYS AS (ti * 2) {stored}"),
                    Column("iv", "INT NOT NULL DEFAULT 5 INVISIBLE", ["5", "6"])]
    return Shape(*columns, tail="KEY (v), KEY (ti)", init=["SET SESSION time_zone = '+00:00'"])


def zero_dates():
    return Shape(auto_key(), number(), Column("d", "DATE NOT NULL DEFAULT '0000-00-00'", ["'0000-00-00'", "'2024-02-00'"]),
                 Column("s", "DATETIME NOT NULL", ["'0000-00-00 00:00:00'", "'2024-01-01 00:00:00'"]),
                 init=["SET SESSION sql_mode = ''"])


def partitioned():
    return Shape(Column("id", "INT NOT NULL", lambda new: str(new), key=True), number(),
                 Column("at", "DATE NOT NULL", ["'2023-05-05'", "'2024-05-05'", "'2025-05-05'"], key=True),
                 tail="PRIMARY KEY (id, at)",
                 partition="PARTITION BY RANGE (YEAR(at)) (PARTITION p23 VALUES LESS THAN (2024), "
                           "PARTITION p24 VALUES LESS THAN (2025), PARTITION pmax VALUES LESS THAN MAXVALUE)")


def child(on_delete=""):
    return orders(tail=f"CONSTRAINT t_customer FOREIGN KEY (customer_id) REFERENCES customers (id) {on_delete}",
                  before=["CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB",
                          "INSERT INTO customers VALUES (0), (1), (7), (2147483647)"])


def parent():
    """Rows of it have children, which no writer removes; so nothing but updates."""
    return orders(after=["CREATE TABLE items (id INT PRIMARY KEY, t_id INT NOT NULL, CONSTRAINT items_t FOREIGN KEY (t_id) "
                         "REFERENCES {t} (id)) ENGINE=InnoDB", "INSERT INTO items SELECT id, id FROM {t} WHERE id < 100"],
                  verbs={"insert": 20, "update": 50, "hot": 30})


def triggered():
    return orders(Column("seen", "INT NOT NULL DEFAULT 0"),
                  after=["CREATE TRIGGER {t}_seen BEFORE UPDATE ON {t} FOR EACH ROW SET NEW.seen = OLD.seen + 1".replace("{t}_seen", "t_seen")])

#!/usr/bin/env python3
"""Makes the .hex files anew: python3 -m test.unit.binlog.capture [NAME…]

Each is a log of a real server as it lies on its disk, an event a line. The expected .txt beside it is what
test_binlog prints for it (build/test/unit/test_binlog --print NAME), read by a person once.
"""
import pathlib
import sys

from test.lib.my_servers import MyServer
from test.lib.servers import Home

HERE = pathlib.Path(__file__).parent
# name: server, options, statements of the session before all others
LOGS = {
    "mariadb-10.11": ("mariadb-10.11", {}, []),
    "mariadb-10.11-compressed": ("mariadb-10.11", {"log_bin_compress": "ON", "log_bin_compress_min_len": "10",
                                                   "binlog_checksum": "NONE"}, []),
    "mariadb-11.8-nodup": ("mariadb-11.8", {"binlog_row_image": "FULL_NODUP", "binlog_row_metadata": "FULL"}, []),
    "mysql-9.7": ("mysql-9.7", {"binlog_row_metadata": "FULL"}, []),
    "mysql-9.7-minimal": ("mysql-9.7", {"binlog_row_image": "MINIMAL", "binlog_checksum": "NONE"}, []),
    "mysql-9.7-payload": ("mysql-9.7", {}, ["SET binlog_transaction_compression = ON"]),
    "mysql-9.7-partial": ("mysql-9.7", {"binlog_row_value_options": "PARTIAL_JSON"}, []),
    "mysql-5.6": ("mysql-5.6", {}, []),
}
SQL = """
CREATE TABLE wide (a FLOAT, b DOUBLE, k1 INT UNSIGNED NOT NULL, c TEXT, d BLOB, k2 VARCHAR(30) CHARACTER SET latin1
 NOT NULL, e ENUM('a','b'), f SET('a','b'), g DECIMAL(20,6), h DATETIME(3) NULL, i TIME(2), j BIT(9), l GEOMETRY,
 m CHAR(250), n YEAR, o VARBINARY(300), k3 DATETIME(6) NOT NULL, p DATE, PRIMARY KEY (k2, k1, k3));
CREATE TABLE types (k1 BIGINT NOT NULL, k2 BINARY(4) NOT NULL, k3 DECIMAL(12,4) NOT NULL, k4 TIME(6) NOT NULL,
 k5 TIMESTAMP(2) NOT NULL DEFAULT '2020-01-01 00:00:00', k6 ENUM('a','b') NOT NULL, k7 SET('a','b','c') NOT NULL,
 k8 BIT(20) NOT NULL, k9 YEAR NOT NULL, k10 DATE NOT NULL, k11 CHAR(9) CHARACTER SET utf8 NOT NULL, rest TEXT,
 PRIMARY KEY (k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11));
CREATE TABLE docs (id INT PRIMARY KEY, doc JSON);
CREATE TABLE other (id INT PRIMARY KEY);
INSERT INTO wide VALUES (1.5, 2.5, 4294967295, 'text', X'00ff', 'k\u00e9y ', 'b', 'a,b', -12.5, '2020-02-29 12:13:14.567',
 '-01:02:03.45', 300, ST_GeomFromText('POINT(1 2)'), 'padded', 2021, X'0102', '2020-02-29 23:59:59.123456', '2020-01-01'),
 (NULL, NULL, 0, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1000-01-01', NULL);
INSERT INTO types VALUES (-9223372036854775808, X'61000000', -12345678.0009, '-838:59:58.000001', '2020-02-29 01:02:03.45',
 'b', 'a,c', 1048575, 1901, '9999-12-31', 'a\u00e9\u6f22', REPEAT('r', 300)), (0, X'00000000', 0, '00:00:00', '2037-01-01', 1, 0, 0, 2155,
 '1000-01-01', '', NULL);
INSERT INTO other VALUES (1);
UPDATE wide SET a = 3 WHERE k1 = 0;
UPDATE wide SET k1 = 7, c = REPEAT('t', 400) WHERE k1 = 0;
UPDATE types SET k1 = -1, k4 = '12:00:00.5' WHERE k1 = 0;
BEGIN;
DELETE FROM types;
INSERT INTO docs VALUES (1, '{"a": 1, "b": [1, 2, 3], "c": "some longer text here"}');
SAVEPOINT s;
DELETE FROM wide WHERE k1 = 7;
COMMIT;
UPDATE docs SET doc = JSON_SET(doc, '$.a', 2);
ALTER TABLE other ADD COLUMN x INT;
"""


def statements(name):
    text = SQL
    text = text.replace("ST_GeomFromText", "GeomFromText") if name == "mysql-5.6" else text
    text = text.replace("JSON)", "TEXT)").replace("JSON_SET(doc, '$.a', 2)", "'{}'") if name == "mysql-5.6" else text
    return [" ".join(sql.split("\n")) for sql in text.split(";\n") if sql.strip()]


def capture(home, name):
    server, settings, before = LOGS[name]
    my = MyServer(home, server, settings=settings)
    my.query("CREATE DATABASE d CHARACTER SET latin1")
    my.query("FLUSH BINARY LOGS")
    with my.connect("d") as conn, conn.cursor() as cursor:
        for sql in ["SET timestamp = 1700000000, time_zone = '+00:00'", *before, *statements(name)]:
            cursor.execute(sql)
    data = (my.data / "binlog.000002").read_bytes()
    at, lines = 4, []
    while at < len(data):
        size = int.from_bytes(data[at + 9:at + 13], "little")
        lines.append(data[at:at + size].hex())
        at += size
    (HERE / f"{name}.hex").write_text("\n".join(lines) + "\n")
    my.end()


def main():
    home = Home()
    try:
        for name in sys.argv[1:] or LOGS:
            capture(home, name)
            print(name)
    finally:
        home.close()


if __name__ == "__main__":
    main()

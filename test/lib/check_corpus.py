"""The statements of test/data/check/corpus_pg.txt, each on tables of its own that have rows."""
import re

from test.lib.check_examples import Renamed
from test.lib.servers import ROOT

DATA = ROOT / "test/data/check"
ROWS = """
INSERT INTO customers SELECT x, 'n' || x, 'e' || x, 'de' FROM generate_series(1, 901) x;
INSERT INTO orders SELECT x, x + 1, x, 'k' || x, x, x, '2024-01-01', true, '{}', md5(x::text)::uuid, '10.0.0.0'::inet + x, x
    FROM generate_series(1, 900) x;
INSERT INTO events SELECT x, '2024-05-05' FROM generate_series(1, 900) x;
INSERT INTO logs SELECT x, '2020-05-05' FROM generate_series(1, 900) x WHERE to_regclass('logs_rest') IS NOT NULL;
INSERT INTO loose SELECT x, '2026-05-05' FROM generate_series(1, 900) x;
REFRESH MATERIALIZED VIEW order_sums;
"""
HIDDEN = "LANGUAGE plpgsql AS 'BEGIN EXECUTE ''ALTER TABLE orders ALTER qty TYPE bigint''; END';"
# What single statements speak of besides.
THERE = {
    r"^INSERT INTO customers": "DELETE FROM customers WHERE id = 1;",
    r"^CLUSTER orders$": "ALTER TABLE orders CLUSTER ON orders_placed;",
    r"gen_random_uuid": "CREATE OR REPLACE FUNCTION gen_random_uuid() RETURNS uuid VOLATILE LANGUAGE sql AS 'SELECT md5(random()::text)::uuid';",
    r"(?:TO|FROM) reader": "CREATE ROLE reader;",
    r"SET SCHEMA archive": "CREATE SCHEMA archive;",
    r"DROP DATABASE shop": "CREATE DATABASE shop;",
    r"CALL migrate_everything": f"CREATE PROCEDURE migrate_everything() {HIDDEN}",
    r"SELECT migrate_everything": f"CREATE FUNCTION migrate_everything() RETURNS void {HIDDEN}",
    r"somewhere\.": "CREATE SCHEMA somewhere; CREATE DOMAIN somewhere.type_of_theirs AS int CHECK (VALUE > 0);",
    r"TABLE elsewhere": "CREATE TABLE elsewhere (c int); INSERT INTO elsewhere SELECT generate_series(1, 900);",
}
NAMES = re.compile(r"\b(?:customers|orders\w*|events\w*|logs\w*|loose|mood|positive|order_list|order_sums|numbers|touch|fresh|purchases|"
                   r"[ptuvsficu]|st|tr|other|reader|archive|shop|somewhere|elsewhere|migrate_everything)\b")
# They reach all that stands in the schema, or in the database.
WIDE = re.compile(r"SCHEMA public|CREATE EXTENSION")


class Statement:
    def __init__(self, sql, verdict, schema):
        self.name = self.text = sql
        self.verdict, self.wide = verdict, WIDE.search(sql) is not None
        self.schema = schema + ROWS + "\n".join(make for speaks, make in THERE.items() if re.search(speaks, sql))

    def renamed(self, number):
        return Renamed(self, number, NAMES)


def statements(version):
    schema = (DATA / "corpus_pg.sql").read_text()
    if version < 11:
        schema = re.sub(r"(?m)^CREATE TABLE \w+ PARTITION OF logs DEFAULT;\n", "", schema)
    found, verdict = [], None
    for line in (DATA / "corpus_pg.txt").read_text().splitlines():
        if line.startswith("= "):
            verdict = line[2:]
        elif line and line[0] != "#":
            found.append(Statement(line.partition(" -- alarm: ")[0], verdict, schema))
    return found

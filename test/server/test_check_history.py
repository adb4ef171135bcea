"""stoa check --pending: what the tools' tables say of files that were edited, or that came late; Rails and Django."""
import hashlib
import json
import os
import subprocess
import zlib

import pytest

from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
ONE, TWO, THREE = "CREATE TABLE t (id int, v int);\n", "ALTER TABLE t ADD COLUMN w int;\n", "ALTER TABLE t DROP COLUMN v;\n"


def flyway(text):
    value = zlib.crc32("".join(text.splitlines()).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


def prisma(text):
    return hashlib.sha256(text.encode()).hexdigest()


def told(folder, url, *args):
    done = subprocess.run([BIN, "check", folder, "--json", "--pending", "--url", url, "--rule", "lock-timeout-missing=off", *args],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return [(one["file"].removeprefix(str(folder) + "/"), one["rule"]) for one in json.loads(done.stdout)["findings"]
            if one["severity"] != "note"]


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


# Tool: what stands beside, names of three files, the table, and a row of it for a file whose text was this.
HISTORY = "flyway_schema_history (installed_rank int, version text, type text, script text, checksum int, success boolean)"
TOOLS = {
    "flyway": ({}, ["V1__a.sql", "V2__b.sql", "V3__c.sql"], HISTORY,
               lambda at, name, text: f"INSERT INTO flyway_schema_history VALUES ({at}, '{at}', 'SQL', '{name}', {flyway(text)}, true)"),
    "prisma": ({"migration_lock.toml": 'provider = "postgresql"\n'}, [f"2024010{i}_a/migration.sql" for i in (1, 2, 3)],
               "_prisma_migrations (migration_name text, checksum text, finished_at timestamptz, rolled_back_at timestamptz)",
               lambda _, name, text: f"INSERT INTO _prisma_migrations VALUES ('{name.split('/')[0]}', '{prisma(text)}', now(), NULL)"),
    "dbmate": ({}, [f"2024010{i}_a.sql" for i in (1, 2, 3)], "schema_migrations (version text)",
               lambda at, name, _: f"INSERT INTO schema_migrations VALUES ('2024010{at}')"),
    "goose": ({}, [f"0000{i}_a.sql" for i in (1, 2, 3)], "goose_db_version (id int, version_id bigint, is_applied boolean)",
              lambda at, name, _: f"INSERT INTO goose_db_version VALUES ({at}, {at}, true)"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_edited_and_late(db, tool, tmp_path):
    beside, names, table, row = TOOLS[tool]
    head = {"dbmate": "-- migrate:up\n", "goose": "-- +goose Up\n"}.get(tool, "")
    texts = [head + text for text in (ONE, TWO, THREE)]
    write(tmp_path, beside | dict(zip(names, texts)))
    db.run(f"CREATE TABLE t (id int, v int, w int); INSERT INTO t VALUES (1, 2, 3); CREATE TABLE {table};" + row(1, names[0], texts[0]))
    assert told(tmp_path, db.url()) == [(names[2], "drop-column")], "two files are pending, in order"
    db.run(row(3, names[2], texts[2]))
    assert told(tmp_path, db.url()) == [(names[1], "migration-out-of-order")]
    db.run(row(2, names[1], texts[1]))
    assert told(tmp_path, db.url()) == []
    write(tmp_path, {names[1]: texts[1] + "-- one word more\n"})
    edited = [(names[1], "migration-edited")] if tool in ("flyway", "prisma") else []
    assert told(tmp_path, db.url()) == edited
    if tool == "flyway":  # line ends are nothing to Flyway
        write(tmp_path, {names[1]: texts[1].replace("\n", "\r\n")})
        assert told(tmp_path, db.url()) == []


def test_rails(db, tmp_path):
    """structure.sql holds the versions itself; files of plain SQL by version go by schema_migrations."""
    db.run("CREATE TABLE t (id int, v int); INSERT INTO t VALUES (1, 1); CREATE TABLE schema_migrations (version varchar PRIMARY KEY);"
           "INSERT INTO schema_migrations VALUES ('20240101000000')")
    write(tmp_path, {"20240101000000_a.sql": ONE, "20240102000000_b.sql": THREE})
    assert told(tmp_path, db.url()) == [("20240102000000_b.sql", "drop-column")]


def test_django(db, tmp_path):
    head = "BEGIN;\n--\n-- Create model T\n--\n"
    db.run("CREATE TABLE t (id int, v int); INSERT INTO t VALUES (1, 1); CREATE TABLE django_migrations (id int, app varchar, "
           "name varchar, applied timestamptz); INSERT INTO django_migrations VALUES (1, 'shop', '0001_initial', now())")
    write(tmp_path, {"0001_initial.sql": head + ONE + "COMMIT;\n", "0002_drop.sql": head.replace("Create", "Delete") + THREE + "COMMIT;\n"})
    assert told(tmp_path, db.url()) == [("0002_drop.sql", "drop-column")]

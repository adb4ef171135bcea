"""stoa check --fix on a server: the fixed SQL ends in the same schema as the original, on a table with rows."""
import os
import subprocess

import pytest

from test.cli.test_check import BIN
from test.lib.database import Database
from test.server.probe_cases import CASES
from test.server.test_probe import SCHEMA, SCHEMA_11, make

FULL = bool(os.environ.get("STOA_CHECK_FULL"))
MORE = [
    "CREATE INDEX more ON orders (customer_id, (qty + 1)) WHERE qty > 3",
    "CREATE UNIQUE INDEX more ON orders (id DESC) INCLUDE (note)",
    "ALTER TABLE orders ADD CONSTRAINT more UNIQUE (region, id)",
    "ALTER TABLE orders ADD CONSTRAINT more CHECK (region > 0) NO INHERIT",
    "ALTER TABLE orders ADD CONSTRAINT one CHECK (region > 0), ADD CONSTRAINT two CHECK (amount > 0), ADD COLUMN x int",
    "ALTER TABLE orders ADD CONSTRAINT more FOREIGN KEY (region) REFERENCES customers ON DELETE SET NULL DEFERRABLE",
    "ALTER TABLE orders ALTER COLUMN region SET NOT NULL",
    "DROP INDEX orders_amount", "REINDEX INDEX orders_amount", "REINDEX TABLE orders",
    "CREATE INDEX more ON orders (region); DROP INDEX more; ALTER TABLE orders ALTER region SET NOT NULL; "
    "ALTER TABLE orders ADD CONSTRAINT u UNIQUE (region)",
]


def fix(folder, sql, version):
    """With the schema in sight, as files of the folder that have been applied."""
    (folder / "0.sql").write_text(SCHEMA + (SCHEMA_11 if version >= 11 else ""))
    (folder / "a.sql").write_text(sql + ";\n")
    done = subprocess.run([BIN, "check", folder / "0.sql", folder / "a.sql", "--applied", "0.sql", "--fix", "--engine", "postgres", "--server-version",
                           str(version)], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return (folder / "a.sql").read_text()


def psql(db, text):
    return subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", db.url()], input=text, capture_output=True,
                          text=True, timeout=60)


def plain(lines, name):
    return [tuple(str(part).replace(name, "DB") for part in line) for line in lines]


@pytest.mark.slow
def test_the_same_schema_comes_out(server, tmp_path):
    """Without the names of database and owner, which differ. What fails as written may fail as fixed. A third of the probe's
    statements, all with STOA_CHECK_FULL."""
    changed, different = 0, []
    for sql in [case[0] for case in (CASES if FULL else CASES[::3])] + MORE:
        fixed = fix(tmp_path, sql, server.version)
        if fixed == sql + ";\n" or fixed.replace("SET lock_timeout = '2s';\n", "") == sql + ";\n":
            continue
        ends = []
        for text in (sql + ";\n", fixed):
            db = Database(server)
            make(db, filled=True)
            done = psql(db, text)
            ends.append((done.returncode, plain(db.fingerprint(), db.name), done.stderr))
            db.drop()
        changed += 1
        if ends[0][0] != 0:
            continue
        if ends[0][:2] != ends[1][:2]:
            odd = set(ends[0][1]) ^ set(ends[1][1])
            different.append((sql, fixed, ends[1][2], odd))
    assert different == [] and changed >= (15 if FULL else 8)

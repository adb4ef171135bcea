"""int to bigint of a key that three tables refer to, on big tables under writers: one change that dies at every
point of every step, on the way to ready and on the way to completed, while ids pass what int can hold."""
import os
import re
import time

import psycopg

from test.crash.test_crash import MOMENTS
from test.lib.writers import Writers
from test.server.test_bigint_key import (CHANGE, NAME, TABLES, assert_all_bigint, copy_by_position, make, same, shape,
                                         write_by_position, write_what_int_could_not_hold, writes)

ROWS = int(os.environ.get("STOA_KEY_ROWS", "1000000" if MOMENTS >= 200 else "20000"))
WRITES = writes(ROWS)
INDEXES = ("CREATE INDEX {p}bosses ON {p}customers (boss); CREATE INDEX {p}customers_of ON {p}orders (customer); "
           "CREATE INDEX {p}profiles_of ON {p}pictures (profile)")
BY_NAME = [text for text in WRITES if not re.search(r"INSERT INTO \S+ VALUES", text)]  # positions change with complete


def application(db, statements, first):
    return Writers(db, "", statements, 1500, twin="twin_", tolerate=(psycopg.errors.DeadlockDetected,), first=first)


def finish(stoa, chain, *args):
    """Started again until it ends by itself."""
    for _ in range(2000):
        ended = stoa(*args, code=None, env={"STOA_FAILPOINT_CHAIN": str(chain)}, seconds=3000)
        if ended.code not in (3, -9):
            assert ended.code == 0, str(ended)
            return
    raise AssertionError(f"it does not end: {ended}")


def test_dies_at_every_point(db, stoa, tmp_path):
    for prefix in ("", "twin_"):
        make(db, prefix, ROWS)
        db.run(INDEXES.format(p=prefix))  # without them each deletion reads a million rows
    db.run("ANALYZE")
    write_by_position(db, 50_000_000)
    copy_by_position(db, 50_000_010)
    db.run("DELETE FROM customers WHERE name = 'all'")
    before, chain, started = shape(db), tmp_path / "chain", time.monotonic()
    with application(db, WRITES, 1) as writers:
        finish(stoa, chain, "apply", *CHANGE, "--yes", "--name", NAME)
        assert_all_bigint(db)
        ready = time.monotonic()
        write_what_int_could_not_hold(db)
        write_by_position(db, 60_000_000)
    same(db)
    with application(db, BY_NAME, 11) as later:
        finish(stoa, chain, "complete", NAME, "--yes", "--force", "--max-stall", "1s")
    same(db)
    assert before ^ shape(db) == set()
    for table in TABLES:
        assert all(valid for _, valid in db.constraints(table).values())
    deaths = chain.read_text().splitlines()
    assert len(deaths) >= 100 and len(set(deaths)) == len(deaths)
    print(f"{ROWS} rows a table, {len(deaths)} deaths, ready after {ready - started:.0f} s, longest statement of the "
          f"application {max(writers.longest, later.longest) * 1000:.0f} ms, {writers.done + later.done} written")

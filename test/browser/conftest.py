"""browser   one Chromium for all tests of a process;  web  starts "stoa serve" (or another verb) on db
table     db with a table t of 60,000 rows;  slow  carries a change out so slowly that somebody can look at it
"""
import pytest

from test.lib.browser import Browser
from test.lib.http import Serving

ROWS = 60000


@pytest.fixture(scope="session")
def browser():
    chromium = Browser()
    yield chromium
    chromium.close()


@pytest.fixture
def web(db):
    started = []

    def start(*args, **more):
        started.append(Serving(more.pop("url", db.url()), *args, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture
def table(db):
    db.run(f"CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i")
    return db


@pytest.fixture
def slow(table, stoa):
    def start(*args, nice="20"):
        return stoa.start("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes",
                          "--chunk-time", "10ms", "--nice", nice, *args)
    return start

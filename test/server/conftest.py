"""Fixtures of the tests of what is served over HTTP.

table      a database with 20,000 rows in t
serving    serving(*args): "stoa serve" on it, ended with the test
"""
import pytest

from test.lib.http import Serving


@pytest.fixture
def table(db):
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 20000) i")
    return db


@pytest.fixture
def serving(table):
    started = []

    def start(*args, **more):
        started.append(Serving(more.pop("url", table.url()), *args, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()

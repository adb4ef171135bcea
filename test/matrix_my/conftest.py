"""Fixtures of the matrix on MariaDB and MySQL: one server a name (--my as elsewhere)."""
import json
import os

import pytest

from test.lib.my_servers import MyServer
from test.matrix_my.operations import OPERATIONS
from test.matrix_my.place import Place


def pytest_configure(config):
    config.addinivalue_line("markers", "crash: killed at every point")


def pytest_addoption(parser):
    parser.addoption("--my", default="mariadb-10.11,mysql-9.7", help="servers to test on, by name and version")


def pytest_generate_tests(metafunc):
    if "my_name" in metafunc.fixturenames:
        metafunc.parametrize("my_name", metafunc.config.getoption("--my").split(","), scope="session")
    if "op" in metafunc.fixturenames:
        metafunc.parametrize("op", OPERATIONS, ids=lambda op: op.id)


def pytest_collection_modifyitems(config, items):
    """No item is skipped: what a server does not know is not asked of it."""
    def wanted(item):
        if not hasattr(item, "callspec") or "op" not in item.callspec.params:
            return True
        name, op = item.callspec.params["my_name"], item.callspec.params["op"]
        if item.get_closest_marker("crash") and not op.crash:
            return False
        return name in op.servers
    left = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def _my_servers():
    return {}


@pytest.fixture
def my(home, _my_servers, my_name):
    if my_name not in _my_servers:
        _my_servers[my_name] = MyServer(home, my_name)
    return _my_servers[my_name]


@pytest.fixture
def place(my, op):
    place = Place(my, op)
    yield place
    place.close()


@pytest.fixture
def result():
    """Keeps a line for docs/changes-mysql.md where STOA_MATRIX_OUT names a file."""
    def keep(line):
        if os.environ.get("STOA_MATRIX_OUT"):
            with open(os.environ["STOA_MATRIX_OUT"], "a") as out:
                out.write(json.dumps(line) + "\n")
    return keep

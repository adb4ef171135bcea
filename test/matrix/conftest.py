"""Fixtures of the matrix: one base database a server; deep tests run on 15 and 18 only."""
import json
import os

import pytest

from test.lib.servers import Server
from test.matrix.operations import OPERATIONS
from test.matrix.place import Base, Place

DEEP = (15, 18)


def pytest_configure(config):
    config.addinivalue_line("markers", "deep: lock timeout, crashes and abort, on 15 and 18")


def pytest_generate_tests(metafunc):
    if "op" in metafunc.fixturenames:
        metafunc.parametrize("op", OPERATIONS, ids=lambda op: op.id)


def pytest_collection_modifyitems(config, items):
    """What a version does not know yet is tested for its refusal alone; no item is skipped."""
    def wanted(item):
        if not hasattr(item, "callspec") or "version" not in item.callspec.params:
            return True
        version, op = item.callspec.params["version"], item.callspec.params.get("op")
        if item.get_closest_marker("deep") and (version not in DEEP or op.refused(version)):
            return False
        return op is None or (version < op.since) == (item.originalname == "test_older_version")
    left = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def _bases():
    return {}


@pytest.fixture
def base(home, _servers, _bases, version):
    if version not in _bases:
        if version not in _servers:
            _servers[version] = Server(home, version)
        _bases[version] = Base(_servers[version])
    return _bases[version]


@pytest.fixture
def place(base, op):
    place = Place(base, op)
    yield place
    place.close()


@pytest.fixture
def places(base, op):
    """Several in a row for the same operation."""
    made = []

    def make():
        while made:
            made.pop().close()
        made.append(Place(base, op))
        return made[-1]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def result():
    """Keeps a line for docs/operations.md where STOA_MATRIX_OUT names a file."""
    def keep(line):
        if os.environ.get("STOA_MATRIX_OUT"):
            with open(os.environ["STOA_MATRIX_OUT"], "a") as out:
                out.write(json.dumps(line) + "\n")
    return keep

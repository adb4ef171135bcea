"""Fixtures shared by all tests that run the program.

server     one private PostgreSQL per test process and version (--pg 10,15)
db         a database of its own on it, with a plain owner (db.owner)
stoa       the program, connected to db as its owner;  admin_stoa  the same as superuser
home       for tests that need servers of their own: Server(home, version, …), Bouncer(home, server)
"""
import pytest

from test.lib.database import Database
from test.lib.load import Load
from test.lib.servers import Home, Server
from test.lib.stoa import Stoa


def pytest_addoption(parser):
    parser.addoption("--pg", default="15", help="versions of PostgreSQL to test on: 10,11,…,18")


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        versions = [int(text) for text in metafunc.config.getoption("--pg").split(",")]
        metafunc.parametrize("version", versions, ids=[f"pg{version}" for version in versions], scope="session")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than half a minute")
    config.addinivalue_line("markers", "long: takes minutes, or needs a machine for itself; run by script/test --long")
    config.addinivalue_line("markers", "crash: kills a change at each of its points; run by script/test --crash")


@pytest.fixture(scope="session")
def home():
    home = Home()
    yield home
    home.close()


@pytest.fixture(scope="session")
def _servers(home):
    return {}


@pytest.fixture
def server(home, _servers, version):
    if version not in _servers:
        _servers[version] = Server(home, version)
    return _servers[version]


@pytest.fixture
def db(server):
    database = Database(server)
    yield database
    database.drop()


@pytest.fixture
def stoa(db):
    program = Stoa(db.url())
    yield program
    program.close()


@pytest.fixture
def admin_stoa(db):
    program = Stoa(db.admin_url)
    yield program
    program.close()


@pytest.fixture
def load(db):
    """The load generator: load(rows=20000, profile="hostile", twin="orders_twin"); ended with the test."""
    started = []

    def start(**options):
        started.append(Load(options.pop("url", db.url()), **options))
        return started[-1]

    yield start
    for generator in started:
        generator.close()

"""Fixtures of the tests on MariaDB and MySQL (--my mariadb-10.11,mysql-9.7,mariadb-11.8,mysql-5.6).

quick   one that never waits for its disk, for tests that change thousands of definitions
my      one private server per test process and name, with the tests' own settings changed back by each test
myhome  the folder and guard for tests that need servers of their own: MyServer(myhome, name, settings={…})
"""
import pytest

from test.lib.my_servers import MyServer


def pytest_addoption(parser):
    parser.addoption("--my", default="mariadb-10.11,mysql-9.7", help="servers to test on, by name and version")


def pytest_generate_tests(metafunc):
    if "my_name" in metafunc.fixturenames:
        metafunc.parametrize("my_name", metafunc.config.getoption("--my").split(","), scope="session")


@pytest.fixture(scope="session")
def myhome(home):
    return home


@pytest.fixture(scope="session")
def _my_servers():
    return {}


@pytest.fixture
def my(home, _my_servers, my_name):
    if my_name not in _my_servers:
        _my_servers[my_name] = MyServer(home, my_name)
    return _my_servers[my_name]


@pytest.fixture
def quick(home, _my_servers, my_name):
    name = f"{my_name} without sync"
    if name not in _my_servers:
        settings = {"innodb_flush_method": "nosync"} if my_name != "mysql-5.6" else {}
        settings |= {"debug_no_sync": "ON"} if my_name.startswith("mariadb") else {}
        _my_servers[name] = MyServer(home, my_name, settings=settings)
    return _my_servers[name]

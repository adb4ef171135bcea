"""--window on MariaDB and MySQL, whose tables of time zones are empty: by this machine's zones."""
import pytest

from test.lib.stoa import Stoa
from test.server.test_windows import EDGES, hours, looked_at, quiet


@pytest.fixture
def stoa(my):
    my.query("CREATE DATABASE IF NOT EXISTS shop")
    program = Stoa(my.url("shop"))
    yield program
    program.close()


def test_each_edge(my, stoa):
    assert my.query("SELECT CONVERT_TZ('2026-11-30 12:00', '+00:00', 'Europe/Berlin')") == ((None,),)
    assert looked_at(stoa, EDGES) == []


def test_quiet_hours_are_suggested(my, stoa, tmp_path):
    path = tmp_path / "hours"
    assert "0.0 days are known" in quiet(stoa, path)["message"]
    for _ in range(50):
        my.query("SELECT 1")
    quiet(stoa, path)
    samples = [list(map(int, line.split())) for line in path.read_text().splitlines()]
    assert samples[1][1] - samples[0][1] >= 50
    hours(path, samples[1][0], busy=10)
    assert quiet(stoa, path)["window"] == "01:00-05:00 UTC"


def test_what_nobody_knows(stoa):
    told = stoa("doctor", "--window", "01:00-02:00 Nowhere/Here", code=2)
    assert "Nowhere/Here" in told.err
    told = stoa("doctor", "--window", "01:00-02:00 Europe/Berlin", env={"TZDIR": "/nowhere"}, code=2)
    assert "mysql_tzinfo_to_sql" in told.err

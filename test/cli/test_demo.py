"""stoa demo: figures, and that nothing is left behind however it ends."""
import json
import os
import pathlib
import signal

import pytest

from test.lib.servers import until
from test.lib.stoa import Stoa


@pytest.fixture
def place(home, tmp_path_factory):
    """A folder of its own for temporary files, which has to be empty again at the end."""
    folder = home.folder / tmp_path_factory.mktemp("demo").name
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    until(lambda: not list(folder.iterdir()), 30, f"nothing to be left in {folder}")


@pytest.fixture
def program():
    program = Stoa(None)
    yield program
    program.close()


def start(program, place, *args):
    return program.start("demo", "--rows", "20000", "--rate", "100", *args, env={"TMPDIR": str(place)})


def postmaster(place):
    """The server's process, once it runs."""
    def look():
        for file in place.glob("stoa-demo-*/data/postmaster.pid"):
            words = file.read_text().split()
            if words and int(words[0]) > 0:  # less than 0 while initdb is at work
                return int(words[0])
        return None
    return until(look, 60, "the demo's server to run")


def is_gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists()


def test_figures(program, place):
    figures = json.loads(start(program, place, "--json").wait(0).out.splitlines()[-1])
    assert (figures["v"], figures["rows"], figures["rows_wrong"]) == (1, 20000, 0)
    assert figures["application"]["errors"] == 0
    assert 0 < figures["application"]["before"]["p50_ms"] <= figures["application"]["before"]["max_ms"]
    assert figures["application"]["during"]["p99_ms"] <= figures["application"]["during"]["max_ms"]
    assert figures["seconds"] > 0 and figures["wal_bytes"] > 20000 * 50
    assert 1 <= figures["heap_ratio"] < figures["naive"]["heap_ratio"]
    assert figures["naive"]["application"]["during"]["max_ms"] >= figures["naive"]["application"]["during"]["p50_ms"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_at_once(program, place, number):
    running = start(program, place)
    pid = postmaster(place)
    running.says("application of 100 statements")
    running.signal(number)
    result = running.wait(None, 20)
    assert result.code not in (0, 1) and "nothing is left" in result.err, result
    assert is_gone(pid)


def test_kill_leaves_no_server(program, place):
    running = start(program, place)
    pid = postmaster(place)
    running.kill()
    until(lambda: is_gone(pid), 30, "the server to end with the demo")


def test_table_and_keep(program, place):
    running = start(program, place, "--keep")
    pid = postmaster(place)
    result = running.wait(0)
    lines = {line[:26].strip(): line[26:].split() for line in result.out.splitlines() if line.strip()}
    assert lines["rows wrong"][0] == "0" and lines["application errors"][0] == "0", result
    assert len({len(line) for line in result.out.splitlines() if "stoa apply" in line or "WAL written" in line}) == 1
    assert "ALTER TABLE public.orders ADD COLUMN amount_cents" in result.err, result
    assert not is_gone(pid)
    command = next(line for line in result.err.splitlines() if "to end it" in line).split(": ", 1)[1]
    assert os.system(command) == 0
    until(lambda: is_gone(pid), 30, "the kept server to end")


def test_no_server_programs(program, place):
    result = program("demo", "--rows", "1000", code=2, env={"TMPDIR": str(place), "STOA_PG_BIN": "/nowhere"})
    assert "STOA_PG_BIN" in result.err

"""Indexes of a shadow that are built behind its rows: cut off while the server builds them, by the process's death and
by its own; refused, never and always."""
import json
import signal

import pytest

from test.lib.my_servers import MyServer
from test.lib.servers import until
from test.server_my.test_shadow_run import Place

LATE = ["ADD KEY by_name (name)", "ADD KEY by_note (note, v)", "ADD KEY by_v (v DESC, u)"]


def with_indexes(place):
    place.query("ALTER TABLE t " + ", ".join(LATE))
    place.query("ANALYZE TABLE t")
    return keys(place)


def keys(place, table="t"):
    return [line.strip().rstrip(",") for line in place.query(f"SHOW CREATE TABLE {table}")[0][1].splitlines()
            if "KEY `" in line]


def is_building(place):
    """Not on the empty copy, which is in another database."""
    return any(row[3] == place.name and "t__stoa_new` ADD KEY" in (row[7] or "") and "altering" in (row[6] or "")
               for row in place.server.query("SHOW FULL PROCESSLIST"))


def titles(place):
    return [step["title"] for step in place.stoa("plan", "ALTER TABLE t MODIFY v BIGINT NOT NULL", "--json").json["steps"]]


@pytest.mark.parametrize("dies", ["process", "server"])
def test_cut_off_in_the_build(home, my_name, dies):
    server = MyServer(home, my_name, durable=True)
    try:
        place = Place(server)
        before = with_indexes(place)
        with place.writers() as writers:
            running = place.start()
            until(lambda: is_building(place), 120, "the indexes to be built")
            writers.away = dies == "server"
            if dies == "server":
                server.kill()
                server.start()
                running.wait(0, 300)
            else:
                running.signal(signal.SIGKILL)
                running.wait(-signal.SIGKILL, 10)
                until(lambda: not is_building(place), 60, "the orphaned build to end")
                place.finish()
            writers.away = False
            place.check(writers)
        assert keys(place) == before
        place.stoa.close()
    finally:
        server.end()


def test_abort_behind_the_build(my):
    place = Place(my, rows=20000)
    try:
        before = with_indexes(place)
        running = place.start(failpoint="compare_settled=pause:1")
        until(lambda: running.is_stopped, 120, lambda: f"the comparison\n{running.partial()}")
        assert keys(place, "t__stoa_new") == before
        running.signal(signal.SIGKILL)
        running.wait(-signal.SIGKILL, 10)
        place.stoa("abort", "wide", "--yes")
        assert place.query("SHOW TABLES LIKE 't%stoa%'") == ()
        assert keys(place) == before and place.type_of().startswith("int")
    finally:
        place.close()


def test_what_decides(my):
    place = Place(my, rows=20000)
    try:
        with_indexes(place)
        assert any("5 indexes" in title for title in titles(place)), titles(place)
        place.query("ALTER TABLE t DROP KEY by_name, DROP KEY by_note, DROP KEY by_v, DROP KEY v")
        assert any(title == ("build the index of the shadow, whose rows are there: name") for title in titles(place))
        place.query("ALTER TABLE t DROP KEY name")
        assert not any("build" in title for title in titles(place))
        with_indexes(place)
        change = "ALTER TABLE t MODIFY v BIGINT NOT NULL"
        never = place.stoa("plan", change, "--late-indexes", "never", "--json").json
        assert not any("build" in step["title"] for step in never["steps"])
        assert any("`by_name`" in json.dumps(step) for step in never["steps"])
    finally:
        place.close()

"""Killed at every place and at any moment, under live writers, and resumed: every row is compared at the end.

STOA_CRASH_MOMENTS is the number of random moments (200); the server is killed at a tenth as many.
"""
import os
import random

import pytest

from test.lib.database import Database
from test.lib.load import Load
from test.lib.servers import Server
from test.lib.stoa import Stoa
from test.lib.writers import assert_equal

MOMENTS = int(os.environ.get("STOA_CRASH_MOMENTS", "200"))
SLICES = 4
NAME = "cents"
CHANGE = """-- stoa: name cents
-- stoa: backfill orders.amount_cents = (amount * 100)::bigint
ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL CHECK (amount_cents > -1000000000000);
CREATE INDEX orders_by_cents ON orders (amount_cents);
"""
INDEXES = {"orders_by_cents"}


class Place:
    """A database with an orders table, its twin, and the hostile application on both."""

    def __init__(self, server, rows=6000, rate=60):
        self.db = Database(server)
        Load(self.db.url(), rows=rows, profile="hostile", twin="orders_twin", rate=rate).close()
        self.before = self.db.fingerprint()
        self.indexes = self._indexes()
        self.load = Load(self.db.url(), profile="hostile", twin="orders_twin", rate=rate)
        self.stoa = Stoa(self.db.url())
        self.file = self.stoa.file("change.sql", CHANGE)

    def start(self, *args, failpoint=None, log=None):
        env = {key: value for key, value in (("STOA_FAILPOINT", failpoint), ("STOA_FAILPOINT_LOG", log)) if value}
        return self.stoa.start(*args, env=env)

    def apply(self, **options):
        return self.start("apply", "-f", self.file, "--yes", "--chunk-time", "2ms", **options)

    def finish(self, *args):
        """Runs the verb until it is through: a dead runner's lease may have to run out first."""
        result = self.stoa(*args, code=None)
        for _ in range(40):
            if result.code != 3:
                break
            result = self.stoa(*args, code=None)
        assert result.code == 0, str(result)
        return result

    def finish_apply(self):
        self.finish("apply", "-f", self.file, "--yes", "--chunk-time", "2ms")
        status = self.stoa.status(NAME)
        assert status["ready"] is True and status["state"] == "ready", status

    def _indexes(self):
        return {name: good for name, good in self.db.rows(
            "SELECT indexrelid::regclass::text, indisvalid AND indisready FROM pg_index "
            "WHERE indrelid = 'orders'::regclass")}

    def check(self):
        """Every row, and nothing left behind."""
        report = self.load.stop()
        assert report["errors"] == 0 and report["deadlocks"] == 0, report
        assert self.load.compare()["compared_new_column"] is True
        assert_equal(self.db, "orders", "amount_cents", "(amount * 100)::bigint")
        assert set(self._indexes()) - set(self.indexes) == INDEXES, "one index, and no leftover"
        assert all(self._indexes().values()), "all valid"

    def check_undone(self):
        report = self.load.stop()
        assert report["errors"] == 0 and report["deadlocks"] == 0, report
        assert self.db.fingerprint() == self.before

    def close(self):
        self.load.close()
        self.stoa.close()
        self.db.drop()


@pytest.fixture
def places():
    open_ = []

    def make(server, **options):
        open_.append(Place(server, **options))
        return open_[-1]

    yield make
    for place in open_:
        place.close()


def passages(place, tmp_path, *args):
    """{point: how often it was passed} of one run to the end."""
    log = tmp_path / "points"
    place.start(*args, log=str(log)).wait(0)
    return {name: int(count) for name, count in (line.split("=") for line in log.read_text().split())}


def choose(points, chance):
    """All passages of rare points, six of frequent ones."""
    chosen = []
    for name, count in sorted(points.items()):
        all_ = range(1, count + 1)
        chosen += [(name, at) for at in (all_ if count <= 6 else
                                         sorted({1, 2, count, *chance.sample(all_, 3)}))]
    return chosen


@pytest.mark.parametrize("slice_", range(SLICES))
def test_apply_killed_at_every_journal_write(server, places, tmp_path, slice_):
    first = places(server)
    points = passages(first, tmp_path, "apply", "-f", first.file, "--yes", "--chunk-time", "2ms")
    assert len(points) >= 5, points
    first.check()
    missed = 0
    cases = choose(points, random.Random(7))[slice_::SLICES]
    for name, at in cases:
        place = places(server)
        result = place.apply(failpoint=f"{name}=kill:{at}").wait(None)
        if result.code == 0:
            missed += 1  # this run needed fewer chunks
        else:
            assert result.code == -9, f"{name}:{at}: {result}"
        place.finish_apply()
        place.check()
    assert missed <= len(cases) // 4, f"{missed} of {len(cases)} places were not reached"


@pytest.mark.parametrize("verb", ["abort", "complete"])
def test_the_other_verbs_killed_at_every_journal_write(server, places, tmp_path, verb):
    prepare = ["apply", "-f", "", "--yes", *(["--until", "constrain"] if verb == "abort" else [])]
    args = [verb, NAME, "--yes", *(["--force"] if verb == "complete" else [])]

    def prepared():
        place = places(server, rows=2000)
        place.stoa(*[place.file if word == "" else word for word in prepare], code=None)
        return place

    points = passages(prepared(), tmp_path, *args)
    assert points
    for name, at in choose(points, random.Random(8)):
        place = prepared()
        result = place.start(*args, failpoint=f"{name}=kill:{at}").wait(None)
        assert result.code == -9, f"{name}:{at}: {result}"
        place.finish(*args)
        if verb == "abort":
            place.check_undone()
        else:
            assert place.db.triggers("orders") == []
            report = place.load.stop()
            assert report["deadlocks"] == 0, report


@pytest.mark.parametrize("slice_", range(SLICES))
def test_apply_killed_at_random_moments(server, places, slice_):
    chance = random.Random(slice_)
    kills, wanted = 0, -(-MOMENTS // SLICES)
    while kills < wanted:
        place = places(server, rows=20000)
        while kills < wanted:
            apply = place.apply()
            if not apply.ends_within(chance.choice([0.05, 0.15, 0.5, 1.5]) * chance.random()):
                apply.kill()
                kills += 1
            elif apply.wait(None).code != 3:  # 3: the lease of a dead one still runs
                apply.wait(0)
                break
        place.finish_apply()
        place.check()


@pytest.mark.parametrize("slice_", range(2))
def test_server_killed_at_random_moments(home, version, places, slice_):
    chance = random.Random(100 + slice_)
    server = Server(home, version, durable=True)
    kills, wanted = 0, max(2, MOMENTS // 20)
    while kills < wanted:
        place = places(server, rows=20000)
        while kills < wanted:
            apply = place.apply()
            if apply.ends_within(0.1 + 2 * chance.random()):
                apply.wait(0)
                break
            server.kill()
            kills += 1
            server.start()
            result = apply.wait(None, seconds=120)
            assert result.code in (0, 3, 7), str(result)
            if result.code == 0:
                break
        place.finish_apply()
        place.check()

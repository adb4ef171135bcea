"""A change of type, with a foreign key that follows, killed at every journal write under writers and gone on with; and
its revert. And the same of a rename."""
import random

import pytest

from test.crash.test_crash import MOMENTS, SLICES
from test.lib.database import Database
from test.lib.stoa import Stoa
from test.lib.writers import Writers

SHAPE = """
CREATE TABLE {p}groups (id serial PRIMARY KEY, title text);
CREATE TABLE {p}members (id int PRIMARY KEY, of int NOT NULL CONSTRAINT {p}of REFERENCES {p}groups ON DELETE CASCADE);
CREATE INDEX {p}by_group ON {p}members (of);
INSERT INTO {p}groups SELECT g, 't' || g FROM generate_series(1, 300) g;
INSERT INTO {p}members SELECT g, 1 + g % 300 FROM generate_series(1, 300) g;
"""
WRITES = ["INSERT INTO {t}groups (id, title) VALUES (%(new)s, 'named')", "INSERT INTO {t}groups VALUES (%(new)s, 'place')",
          "INSERT INTO {t}members VALUES (%(new)s, %(n)s %% 50 + 1)", "UPDATE {t}groups SET title = 'u%(m)s' WHERE id = %(n)s",
          "UPDATE {t}members SET of = %(m)s %% 50 + 1 WHERE id = %(n)s",
          "DELETE FROM {t}groups WHERE id = %(n)s AND id > 50 AND %(m)s < 200000"]
CASES = {"type": "ALTER TABLE groups ALTER COLUMN id TYPE bigint", "rename": "ALTER TABLE members RENAME COLUMN of TO grp"}

MADE_ANEW = {"type": "validate_before_commit", "rename": "index_after"}  # a foreign key; an index alone


class Place:
    def __init__(self, server, case):
        self.db = Database(server)
        self.db.run(SHAPE.format(p=""))
        self.db.run(SHAPE.format(p="twin_"))
        self.text = CASES[case]
        self.stoa = Stoa(self.db.url())

    def apply(self, **options):
        return self.stoa.start("apply", self.text, "--yes", "--name", "it", "--accept-column-order", "--accept-star",
                               "--max-stall", "1s", **options)

    def revert(self, **options):
        return self.stoa.start("revert", "it", "--yes", "--max-stall", "1s", **options)

    def finish(self, start):
        result = start().wait(None)
        for _ in range(40):
            if result.code != 3:
                break
            result = start().wait(None)
        assert result.code == 0, str(result)

    def same(self):
        """Every row is as the application meant it, and every foreign key holds."""
        for table, columns in (("groups", "id, title"), ("members", "id, of")):
            for one, other in ((table, "twin_" + table), ("twin_" + table, table)):
                extra = self.db.rows(f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other} LIMIT 5")
                assert not extra, f"in {one}, not in {other}: {extra}"
            assert all(valid for _, valid in self.db.constraints(table).values())
        assert self.db.value("SELECT count(*) FROM members m LEFT JOIN groups g ON g.id = m.of WHERE g.id IS NULL") == 0

    def close(self):
        self.stoa.close()
        self.db.drop()


def passages(log):
    return {name: int(count) for name, count in (line.split("=") for line in log.read_text().split())}


def points(log):
    return [(name, at) for name, count in passages(log).items() for at in range(1, count + 1)]


def died(run, name, at, log):
    """Whether the run was killed at the point; it may only live when it passed there less often, as with fewer waves."""
    dead = run.wait(None)
    assert dead.code == -9 or (dead.code == 0 and passages(log).get(name, 0) < at), f"{name}:{at}: {dead}"
    return dead.code == -9


def share(found, slice_):
    """This slice's part of all points; with fewer moments asked for, of half as many points as moments."""
    if MOMENTS < 200:
        found = random.Random(MOMENTS).sample(found, min(len(found), MOMENTS // 2))
    return found[slice_::SLICES]


@pytest.mark.parametrize("slice_", range(SLICES))
@pytest.mark.parametrize("case", CASES)
def test_killed_at_every_journal_write(server, tmp_path, case, slice_):
    first = Place(server, case)
    log = tmp_path / "points"
    first.apply(env={"STOA_FAILPOINT_LOG": str(log)}).wait(0)
    first.close()
    found = points(log)
    assert {"register_before_commit", "step_intent", "ddl_before_journal", MADE_ANEW[case]} <= {name for name, _ in found}
    chosen = share(found, slice_)
    kills = 0
    for name, at in chosen:
        place = Place(server, case)
        with Writers(place.db, "", WRITES, 300, twin="twin_"):
            env = {"STOA_FAILPOINT": f"{name}=kill:{at}", "STOA_FAILPOINT_LOG": str(log)}
            kills += died(place.apply(env=env), name, at, log)
            place.finish(place.apply)
        place.same()
        place.close()
    assert kills >= len(chosen) * 3 // 4, f"{kills} deaths at {len(chosen)} places"


@pytest.mark.parametrize("slice_", range(SLICES))
@pytest.mark.parametrize("case", CASES)
def test_revert_killed_at_every_journal_write(server, tmp_path, case, slice_):
    first = Place(server, case)
    log = tmp_path / "points"
    first.apply().wait(0)
    first.revert(env={"STOA_FAILPOINT_LOG": str(log)}).wait(0)
    first.close()
    chosen = share(points(log), slice_)
    kills = 0
    for name, at in chosen:
        place = Place(server, case)
        before = {line for line in place.db.fingerprint() if line[0] != "comment" and "pg_attver" not in line[2]}
        with Writers(place.db, "", WRITES, 300, twin="twin_"):
            place.apply().wait(0)
            env = {"STOA_FAILPOINT": f"{name}=kill:{at}", "STOA_FAILPOINT_LOG": str(log)}
            kills += died(place.revert(env=env), name, at, log)
            place.finish(place.revert)
        place.same()
        after = {line for line in place.db.fingerprint() if line[0] != "comment" and "pg_attver" not in line[2]}
        assert after == before, f"{name}:{at}: {after ^ before}"
        place.close()
    assert kills >= len(chosen) * 3 // 4, f"{kills} deaths at {len(chosen)} places"

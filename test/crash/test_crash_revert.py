"""A revert killed at every journal write, under writers of the old application, and begun again."""
from test.lib.database import Database
from test.lib.stoa import Stoa
from test.lib.writers import Writers

CHANGE = """-- stoa: name split
-- stoa: backfill people.first = split_part(name, ' ', 1)
-- stoa: backfill people.last = split_part(name, ' ', 2)
-- stoa: reverse people.name = first || ' ' || last
ALTER TABLE people ADD COLUMN first text NOT NULL, ADD COLUMN last text;
CREATE INDEX people_by_last ON people (last);
"""
NEW = ["UPDATE {t} SET first = 'f%(m)s' WHERE id = %(n)s", "UPDATE {t} SET last = 'l%(m)s' WHERE id = %(n)s"]
OLD = ["UPDATE {t} SET name = 'n%(m)s l%(m)s' WHERE id = %(n)s", "INSERT INTO {t} (id, name) VALUES (%(new)s, 'i j')"]
LATER = ["INSERT INTO {t} (id, name) VALUES (%(new)s + 50000000, 'k l')"]


class Place:
    """A change that is ready, written from both sides."""

    def __init__(self, server):
        self.db = Database(server)
        self.db.run("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);"
                    "INSERT INTO people SELECT i, 'a' || i || ' b' || i FROM generate_series(1, 500) i")
        self.before = self.db.fingerprint()
        self.stoa = Stoa(self.db.url())
        self.stoa("apply", "-f", self.stoa.file("change.sql", CHANGE), "--yes")
        with Writers(self.db, "people", NEW + OLD, count=500):
            pass

    def revert(self, **options):
        return self.stoa.start("revert", "split", "--yes", **options)

    def finish(self):
        result = self.revert().wait(None)
        for _ in range(40):
            if result.code != 3:
                break
            result = self.revert().wait(None)
        assert result.code == 0, str(result)

    def close(self):
        self.stoa.close()
        self.db.drop()


def test_revert_killed_at_every_journal_write(server, tmp_path):
    first = Place(server)
    log = tmp_path / "points"
    first.revert(env={"STOA_FAILPOINT_LOG": str(log)}).wait(0)
    first.close()
    counts = {name: int(count) for name, count in (line.split("=") for line in log.read_text().split())}
    assert {"revert_before_register", "revert_before_state", "step_intent", "ddl_before_journal"} <= counts.keys()
    for name, at in [(name, at) for name, count in counts.items() for at in range(1, count + 1)]:
        place = Place(server)
        names = dict(place.db.rows("SELECT id, name FROM people"))
        assert names == dict(place.db.rows("SELECT id, first || ' ' || last FROM people"))
        with Writers(place.db, "people", LATER, count=500):
            dead = place.revert(env={"STOA_FAILPOINT": f"{name}=kill:{at}"}).wait(None)
            assert dead.code == -9, f"{name}:{at}: {dead}"
            place.finish()
        assert place.db.fingerprint() == place.before, f"{name}:{at}"
        now = dict(place.db.rows("SELECT id, name FROM people"))
        assert {key: now[key] for key in names if now.get(key) != names[key]} == {}, f"{name}:{at}"
        place.close()

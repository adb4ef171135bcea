"""A partitioned table with an application on it whose rows move from one partition to another."""
import psycopg
import pytest

from test.lib.servers import until
from test.lib.writers import Writers, assert_twin, make_twin

MAX_STALL_MS = 200
PARTITIONS = 20
ROWS = 4000
WRITES = [
    "UPDATE {t} SET amount = %(m)s / 100.0 WHERE id = %(n)s",
    "UPDATE {t} SET note = 'touched ' || %(m)s WHERE id = %(n)s",
    "INSERT INTO {t} (id, day, shop_id, amount) VALUES (%(new)s, %(new)s %% 400, 7, %(m)s / 100.0)",
    "DELETE FROM {t} WHERE id = %(n)s AND %(m)s < 20000",
]
MOVE = "UPDATE {t} SET day = %(m)s %% 400 WHERE id = %(n)s"


def events(db, count=ROWS, default=False):
    """20 partitions by day, one of them partitioned again, one with its columns in another order."""
    parts = ["CREATE TABLE shops (id int PRIMARY KEY); INSERT INTO shops SELECT generate_series(0, 9);"
             "CREATE TABLE events (id bigint NOT NULL, day int NOT NULL, shop_id int NOT NULL, amount numeric(12,2) "
             "NOT NULL, note text) PARTITION BY RANGE (day);"
             "CREATE TABLE events_1 (note text, amount numeric(12,2) NOT NULL, id bigint NOT NULL, gone int, day int NOT NULL, "
             "shop_id int NOT NULL); ALTER TABLE events_1 DROP COLUMN gone;"
             "ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (20) TO (40);"
             "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (40) TO (60) PARTITION BY RANGE (day);"
             "CREATE TABLE events_2a PARTITION OF events_2 FOR VALUES FROM (40) TO (50);"
             "CREATE TABLE events_2b PARTITION OF events_2 FOR VALUES FROM (50) TO (60);"]
    parts += [f"CREATE TABLE events_{i} PARTITION OF events FOR VALUES FROM ({i * 20}) TO ({i * 20 + 20});"
              for i in range(PARTITIONS) if i not in (1, 2)]
    if default:
        parts.append("CREATE TABLE events_other PARTITION OF events DEFAULT;")
    parts.append(f"INSERT INTO events SELECT i, i % 400, i % 10, i / 100.0, 'n' || i FROM generate_series(1, {count}) i;")
    db.run("".join(parts))
    for leaf in leaves(db):
        db.run(f"CREATE INDEX ON {leaf} (id)")


def leaves(db, parent="events"):
    return [name for (name,) in db.rows(
        "WITH RECURSIVE t(id) AS (SELECT %s::regclass::oid UNION SELECT inhrelid FROM t JOIN pg_inherits ON inhparent = id) "
        "SELECT c.oid::regclass::text FROM t JOIN pg_class c ON c.oid = t.id WHERE relkind = 'r' ORDER BY 1", [parent])]


def writes(db):
    return WRITES + ([MOVE] if db.version >= 11 else [])


def writing(db, **options):
    """Two sessions may move the same row: PostgreSQL refuses the second with 40001, whoever it is."""
    return Writers(db, "events", writes(db), ROWS, twin="twin", tolerate=(psycopg.errors.SerializationFailure,), **options)


@pytest.fixture
def busy(db):
    events(db)
    make_twin(db, "events", "twin")
    db.run("CREATE INDEX ON twin (id)")
    with writing(db) as writers:
        yield writers
    assert_twin(db, "events", "twin")
    if db.version >= 11:
        assert writers.tolerated * 20 < writers.done


def stopped(stoa, place, *args):
    running = stoa.start("apply", *args, "--yes", env={"STOA_FAILPOINT": f"{place}=pause:1" if "=" not in place else place})
    until(lambda: running.is_stopped, 60, lambda: f"the stop at {place}\n{running.partial()}")
    return running


class Stalls:
    """How long the application waited for us: its longest transaction less that of a session that meets nobody."""

    def __init__(self, db, writers, most_ms=MAX_STALL_MS):
        self.most_ms = most_ms
        db.run("CREATE TABLE IF NOT EXISTS calm (id int, n int); INSERT INTO calm VALUES (1, 1)")
        self.writers, self.calm = writers, Writers(db, "calm", ["UPDATE {t} SET n = %(m)s WHERE id = 1"], threads=1)

    def __enter__(self):
        self.writers.mark()
        self.calm.mark()
        return self

    def __exit__(self, kind, value, trace):
        longest, noise = self.writers.mark(), self.calm.mark()
        print(f"longest {longest * 1000:.0f} ms, beside it {noise * 1000:.0f} ms")
        self.calm.stop()
        assert kind or (longest - noise) * 1000 < self.most_ms + 50, (longest, noise)

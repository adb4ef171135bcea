"""Partitions that come and go under writers, with and without a default partition: nothing is read under a strong lock."""
import re
import signal

import pytest

from test.lib.servers import until
from test.lib.tree import ROWS, events, stopped, writes
from test.lib.writers import Writers, assert_twin, make_twin
from test.server.test_partitions import plan

MARK = re.compile(r" ?\{pg_attver=\d+\}")  # of Debian's 15.20, which nobody can set
ATTACH = "ALTER TABLE events ATTACH PARTITION fresh FOR VALUES FROM (1000) TO (1100)"


@pytest.fixture(params=["default", "none"])
def busy(request, db):
    default = request.param == "default" and db.version >= 11
    events(db, default=default)
    if default:
        db.run("INSERT INTO events SELECT -i, 2000 + i, 1, i, 'far' FROM generate_series(1, 500) i")
    db.run("ALTER TABLE events ADD CONSTRAINT sound CHECK (amount > -1)")
    if db.version >= 11:
        db.run("CREATE INDEX by_shop ON events (shop_id); ALTER TABLE events ADD CONSTRAINT k PRIMARY KEY (id, day);"
               "ALTER TABLE events ADD CONSTRAINT shop FOREIGN KEY (shop_id) REFERENCES shops")
    make_twin(db, "events", "twin")
    with Writers(db, "events", writes(db)[:4], ROWS, twin="twin") as writers:
        writers.default = default
        yield writers


def fresh(db, rows=3000):
    """A table as the parent, without anything that it must have."""
    db.run(f"CREATE TABLE fresh (note text, amount numeric(12,2), id bigint, day int, shop_id int);"
           f"INSERT INTO fresh SELECT 'f' || i, i, -10000 - i, 1000 + i % 100, i % 10 FROM generate_series(1, {rows}) i")


def bounds(db, table):
    return db.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass", [table])


def test_attach(db, stoa, busy):
    fresh(db)
    steps = plan(stoa, ATTACH)["steps"]
    strong = [step for step in steps if step["kind"] == "ddl" and step["scans"]]
    assert strong == [] or db.version < 12, "10 and 11 read for SET NOT NULL, of the new table only"
    stoa.apply(ATTACH)
    busy.stop()
    assert bounds(db, "fresh") == "FOR VALUES FROM (1000) TO (1100)"
    assert db.value("SELECT count(*) FROM ONLY fresh") == 3000
    proofs = [name for name in (*db.constraints("fresh"), *(db.constraints("events_other") if busy.default else ())) if "bounds" in name]
    assert proofs == []
    assert db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    if db.version >= 11:
        assert db.value("SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid "
                        "WHERE x.indrelid = 'fresh'::regclass") == 2
        assert db.value("SELECT coninhcount FROM pg_constraint WHERE conrelid = 'fresh'::regclass AND contype = 'f'") == 1
    assert plan(stoa, ATTACH, "--name", "again")["nothing_to_do"] is True




def test_rows_that_do_not_fit(db, stoa, busy):
    fresh(db)
    db.run("INSERT INTO fresh VALUES ('wrong', 1, -5, 999, 1)")
    before = db.fingerprint()
    result = stoa.apply(ATTACH, code=6)
    assert "999" in result.err or "1 row" in result.err, str(result)
    if busy.default:
        db.run("DELETE FROM fresh WHERE day = 999; INSERT INTO events VALUES (-77, 1005, 1, 1)")
        assert "default partition" in stoa.apply(ATTACH, "--name", "two", code=6).err
        db.run("DELETE FROM events WHERE id = -77")
    assert db.fingerprint() == before


@pytest.mark.crash
def test_attach_aborted_from_anywhere(db, stoa, busy):
    fresh(db, 300)
    before = db.fingerprint()
    count = len([step for step in plan(stoa, ATTACH)["steps"] if step["phase"] != "ready"])
    for number, at in enumerate((count // 3, count // 2, count - 1, count)):
        running = stopped(stoa, f"step_outcome=pause:{at}", ATTACH, "--name", f"try{number}")
        running.kill()
        stoa("abort", f"try{number}", "--yes")
        assert db.fingerprint() == before, f"after step {at} of {count}"


@pytest.mark.crash
@pytest.mark.parametrize("number", [1, 3, 6, 9])
def test_attach_killed_and_resumed(db, stoa, busy, number):
    fresh(db, 300)
    stoa.start("apply", ATTACH, "--name", "one", "--yes", env={"STOA_FAILPOINT": f"locked_after_commit=kill:{number}"}).wait(None)
    result = stoa("apply", ATTACH, "--name", "one", "--yes", code=None)
    for _ in range(40):
        if result.code != 3:
            break
        result = stoa("apply", ATTACH, "--name", "one", "--yes", code=None)
    assert result.code == 0 and bounds(db, "fresh") is not None, str(result)


def test_create(db, stoa, busy):
    stoa.apply("CREATE TABLE events_1000 PARTITION OF events FOR VALUES FROM (1000) TO (1100)")
    db.run("INSERT INTO events VALUES (-1, 1000, 1, 5)")
    busy.stop()
    assert db.value("SELECT count(*) FROM events_1000") == 1
    assert bounds(db, "events_1000") == "FOR VALUES FROM (1000) TO (1100)"
    db.run("CREATE TABLE events_1100 PARTITION OF events FOR VALUES FROM (1100) TO (1200)")
    shape = [[(kind, text) for kind, name, text in db.fingerprint() if kind in ("column", "constraint", "index", "trigger")
              and name.replace("public.", "").startswith(table)] for table in ("events_1000", "events_1100")]
    strip = [sorted((kind, MARK.sub("", text).replace("events_1000", "t").replace("events_1100", "t")) for kind, text in one)
             for one in shape]
    assert strip[0] == strip[1], "as the server itself would have made it"


@pytest.mark.parametrize("at", [1, 2])
def test_create_aborted(db, stoa, busy, at):
    before = db.fingerprint()
    running = stopped(stoa, f"step_outcome=pause:{at}", "CREATE TABLE events_1000 PARTITION OF events FOR VALUES FROM (1000) TO (1100)", "--name", "one")
    running.kill()
    stoa("abort", "one", "--yes")
    assert db.fingerprint() == before


def test_detach(db, stoa, busy):
    count = db.value("SELECT count(*) FROM events_19")
    steps = plan(stoa, "ALTER TABLE events DETACH PARTITION events_19")["steps"]
    concurrently = any("CONCURRENTLY" in step["sql"] for step in steps if step["sql"])
    assert concurrently == (db.version >= 14 and not busy.default)
    busy.stop()
    stoa.apply("ALTER TABLE events DETACH PARTITION events_19")
    assert bounds(db, "events_19") is None and db.value("SELECT count(*) FROM events_19") >= count
    assert plan(stoa, "ALTER TABLE events DETACH PARTITION events_19", "--name", "again")["nothing_to_do"] is True


def test_detach_cut_off_and_finished(db, stoa, busy):
    """Killed while it waits for an old transaction: what is pending is finished, not begun again."""
    if db.version < 14 or busy.default:
        return
    busy.stop()
    with db.connect(autocommit=False) as holder:
        holder.execute("SELECT 1 FROM events LIMIT 1")
        running = stoa.start("apply", "ALTER TABLE events DETACH PARTITION events_19", "--name", "one", "--yes")
        until(lambda: db.value("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'events_19'::regclass"), 20, "pending")
        running.signal(signal.SIGKILL)
        running.wait(None)
        db.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stoa%'")
        holder.rollback()
    result = stoa("apply", "ALTER TABLE events DETACH PARTITION events_19", "--name", "one", "--yes", code=None)
    for _ in range(40):
        if result.code != 3:
            break
        result = stoa("apply", "ALTER TABLE events DETACH PARTITION events_19", "--name", "one", "--yes", code=None)
    assert result.code == 0 and bounds(db, "events_19") is None, str(result)


@pytest.mark.parametrize("key, bound, inside, outside", [
    ("LIST (day)", "FOR VALUES IN (3, 4)", "(1, 3, 'a')", "(1, 5, 'a')"),
    ("LIST (day)", "FOR VALUES IN (3, NULL)", "(1, NULL, 'a')", "(1, 5, 'a')"),
    ("LIST (name)", "FOR VALUES IN ('a')", "(1, 3, 'a')", "(1, 3, 'b')"),
    ("RANGE (name)", "FOR VALUES FROM ('a') TO (MAXVALUE)", "(1, 3, 'b')", "(1, 3, 'A')"),
    ("RANGE (day, id)", "FOR VALUES FROM (3, 5) TO (4, 2)", "(7, 3, 'a')", "(2, 3, 'a')"),
    ("RANGE (day, id)", "FOR VALUES FROM (3, 5) TO (3, MAXVALUE)", "(7, 3, 'a')", "(2, 3, 'a')"),
    ("RANGE (day, id)", "FOR VALUES FROM (MINVALUE, MINVALUE) TO (4, 2)", "(1, 4, 'a')", "(2, 4, 'a')"),
    ("RANGE (at)", "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", "(1, 1, 'a', '2026-01-05')", "(1, 1, 'a', '2026-02-01')"),
])
def test_bounds_of_every_kind(db, stoa, key, bound, inside, outside):
    """The proof is what the server takes: it says so, and the default partition's, too."""
    db.run(f"CREATE TABLE t (id int, day int, name varchar(9) COLLATE \"C\", at timestamptz) PARTITION BY {key}; CREATE TABLE x (LIKE t);"
           f"INSERT INTO x VALUES {inside}")
    if db.version >= 11:
        db.run(f"CREATE TABLE d PARTITION OF t DEFAULT; INSERT INTO t VALUES {outside}")
    text = f"ALTER TABLE t ATTACH PARTITION x {bound}"
    stoa.apply(text, "--until", "verify")
    steps = [step for step in plan(stoa, text)["steps"] if step["phase"] == "constrain"]
    proofs = [sql for step in steps for sql in (step["sql"] or "").split(";\n") if "ADD CONSTRAINT" in sql or "VALIDATE" in sql]
    assert len(proofs) >= 2
    said = []
    with db.connect(autocommit=False) as session:
        session.add_notice_handler(lambda notice: said.append(notice.message_primary))
        for sql in proofs:
            session.execute(sql)
        session.execute("SET LOCAL client_min_messages = debug1")
        session.execute(text)
        session.rollback()
    implied = [line for line in said if "is implied by existing constraints" in line]
    assert len(implied) == (2 if db.version >= 11 else 1) and not any("verifying" in line for line in said), said
    stoa.apply(text)
    assert db.value("SELECT count(*) FROM ONLY x") == 1


def test_hash(db, stoa):
    if db.version < 11:
        return
    db.run("CREATE TABLE t (id int NOT NULL) PARTITION BY HASH (id); CREATE TABLE x (LIKE t);"
           "INSERT INTO x SELECT i FROM generate_series(1, 100) i WHERE satisfies_hash_partition('t'::regclass, 4, 1, i)")
    assert stoa.apply("ALTER TABLE t ATTACH PARTITION x FOR VALUES WITH (MODULUS 4, REMAINDER 2)", code=6)
    stoa.apply("ALTER TABLE t ATTACH PARTITION x FOR VALUES WITH (MODULUS 4, REMAINDER 1)", "--name", "two")
    assert bounds(db, "x") == "FOR VALUES WITH (modulus 4, remainder 1)"

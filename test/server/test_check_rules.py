"""The examples of all rules, and a corpus of statements, on tables with rows: what check says of each, with the server at
hand and without, against what the server did.

STOA_CHECK_FULL=1 tries the statements in scratch schemas as well. STOA_CHECK_OUT=FILE gathers what was seen, one JSON
object a line: for the summary of script/test --check, and for tools/rules_doc.py."""
import os

import psycopg
import pytest

from test.lib.check_examples import check, cut, examples
from test.lib.check_corpus import statements
from test.lib.check_judge import Judge
from test.lib.check_truth import Truth
from test.lib.database import Database
from test.lib.servers import run_as_account

SHARDS, BATCH = 4, 21


@pytest.fixture
def place(db):
    """The database, with what statements name that belongs to the whole server."""
    folder = db.server.folder / "fast"
    if not folder.exists():
        run_as_account(["mkdir", folder])
        db.admin.execute(f"CREATE TABLESPACE fast LOCATION '{folder}'")
        db.admin.execute("CREATE ROLE somebody; CREATE ROLE app")
    if db.version >= 12:
        db.admin.execute("CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler")
    yield db
    with db.server.connect() as conn:
        for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^(d|shop)_[0-9]{3}$'").fetchall():
            conn.execute(f"DROP DATABASE {name}")


def set_up(conn, items):
    """{file: the numbers of what was made for it}; what cannot be made on this version is told as an error."""
    spans, errors = {}, {}
    for item in items:
        low = conn.execute("SELECT max(oid)::int8 + 1 FROM pg_class").fetchone()[0]
        try:
            for part in [sql for _, sql in cut(item.schema)] if "DATABASE" in item.schema else [item.schema]:
                conn.execute(part)
        except psycopg.Error as problem:
            errors[item.file] = (problem.sqlstate, str(problem).split("\n")[0])
        spans[item.file] = (low, conn.execute("SELECT max(oid)::int8 FROM pg_class").fetchone()[0])
    return spans, errors


def run(db, batch, folder, judge):
    spans, errors = set_up(db.admin, batch)
    there = [item for item in batch if item.file not in errors]
    for item in batch:
        if item.file in errors:
            judge.refused(item, *errors[item.file])
    db.admin.execute("ANALYZE")
    offline = ("--engine", "postgres", "--server-version", str(db.version))
    said = {"database": check(folder, there, "--url", db.admin_url, known=False),
            "file": check(folder, there, *offline),
            "nothing": check(folder, there, *offline, known=False)}
    if os.environ.get("STOA_CHECK_FULL"):
        said["schemas"] = check(folder, there, "--url", db.admin_url, "--probe", "schema", known=False)
    truth = Truth(lambda: db.server.connect(db.name))
    refused = []
    for item in there:
        done = truth.run(spans[item.file], [sql for _, sql in item.parts])
        for where, by_file in said.items():
            judge.take(item, where, done, by_file[item.file])
        if not all(part.reached and part.error is None for part in done):
            refused.append((item, done))
    truth.close()
    return refused


def stand_alone(db, refused, folder, judge, first):
    """What the server has refused, again and each by itself: a refusal hides those behind it."""
    for number, (item, done) in enumerate(refused, first):
        again = item.example.renamed(number)
        set_up(db.admin, [again])
        judge.take(again, "alone", done, check(folder, [again], "--url", db.admin_url, known=False)[again.file])


def run_all(db, items, folder, what):
    judge = Judge("postgres", db.version, what)
    refused = []
    odd = [item for item in items if "USING heap2" in item.schema]  # no copies are made where there is such a table
    items = [item for item in items if item not in odd]
    for at, batch in enumerate([items[at:at + BATCH] for at in range(0, len(items), BATCH)] + [odd] * (odd != [])):
        refused += run(db, batch, folder / str(at), judge)
    stand_alone(db, refused, folder / "alone", judge, 900)
    return judge


@pytest.mark.parametrize("shard", range(SHARDS))
def test_rules(place, shard, tmp_path):
    items = [example.renamed(number) for number, example in enumerate(examples("postgres"))][shard::SHARDS]
    run_all(place, items, tmp_path, "rules").end({item.name for item in items})


@pytest.mark.parametrize("shard", range(SHARDS))
def test_corpus(place, shard, tmp_path):
    items = [one.renamed(number) for number, one in enumerate(statements(place.version))][shard::SHARDS]
    judge = run_all(place, [item for item in items if not item.example.wide], tmp_path, "corpus")
    for item in items:
        if item.example.wide:
            alone = Database(place.server)
            refused = run(alone, [item], tmp_path / item.file, judge)
            stand_alone(alone, refused, tmp_path / "alone", judge, 800)
            alone.drop()
    judge.end({item.name for item in items})


# ---- what the truth is worth -----------------------------------------------------------------------

SEEN = [  # statement, since, the strongest lock on t, whether its writers wait while it is read or written
    ("CREATE INDEX CONCURRENTLY j ON t (b)", 10, "ShareUpdateExclusiveLock", False),
    ("DROP INDEX CONCURRENTLY j", 10, "ShareUpdateExclusiveLock", False),
    ("VACUUM t", 10, "ShareUpdateExclusiveLock", False),
    ("VACUUM FULL t", 10, "AccessExclusiveLock", True),
    ("REINDEX TABLE CONCURRENTLY t", 12, "ShareUpdateExclusiveLock", False),
    ("CREATE INDEX k ON t (b)", 10, "ShareLock", True),
    ("DROP INDEX k", 10, "AccessExclusiveLock", False),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", 10, "AccessExclusiveLock", False),
    ("ALTER TABLE t VALIDATE CONSTRAINT c", 10, "ShareUpdateExclusiveLock", False),
    ("ALTER TABLE t ALTER a TYPE bigint", 10, "AccessExclusiveLock", True),
    ("TRUNCATE t", 10, "AccessExclusiveLock", True),
]


def test_what_the_truth_sees(db):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT x, x, x FROM generate_series(1, 900) x")
    span = db.admin.execute("SELECT min(oid)::int8, max(oid)::int8 FROM pg_class WHERE oid >= 't'::regclass").fetchone()
    cases = [case for case in SEEN if case[1] <= db.version]
    truth = Truth(lambda: db.server.connect(db.name))
    seen = [(part.sql, part.error, part.locks.get("t"), "t" in part.heavy) for part in truth.run(span, [case[0] for case in cases])]
    truth.close()
    assert seen == [(sql, None, lock, heavy) for sql, _, lock, heavy in cases]


def test_a_lock_of_a_later_transaction_is_seen(db):
    db.run("CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)")
    span = db.admin.execute("SELECT min(oid)::int8, max(oid)::int8 FROM pg_class WHERE oid >= 't'::regclass").fetchone()
    truth = Truth(lambda: db.server.connect(db.name))
    [part] = truth.run(span, ["ALTER TABLE t DETACH PARTITION p CONCURRENTLY"])
    truth.close()
    if db.version < 14:  # no statement of these takes a strong lock in its second transaction
        assert part.error == "42601"
    else:
        assert part.error is None and part.locks == {"t": "ShareUpdateExclusiveLock", "p": "AccessExclusiveLock"}


def test_who_says_nothing_is_caught(db):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT x, x FROM generate_series(1, 900) x")
    span = db.admin.execute("SELECT min(oid)::int8, max(oid)::int8 FROM pg_class WHERE oid >= 't'::regclass").fetchone()
    item = next(example for example in examples("postgres") if example.name == "change-type-rewrite bad").renamed(1)
    truth = Truth(lambda: db.server.connect(db.name))
    done = truth.run(span, ["CREATE TABLE x (id int PRIMARY KEY)", "ALTER TABLE t ALTER a TYPE bigint"])
    harmless = truth.run(span, ["SELECT 1", "SELECT 2"])
    truth.close()
    says = {"rule": "change-type-rewrite", "severity": "block", "evidence": "measured", "cost": "rewrite", "line": 1,
            "column": item.text.index("ALTER") + 1}
    for where in ("database", "schemas", "file", "nothing"):
        judge = Judge("postgres", db.version, "rules")
        judge.take(item, where, done, [])
        assert len(judge.unsafe) == 1 and list(judge.found["silent"]) == [item.name]
        judge = Judge("postgres", db.version, "rules")
        judge.take(item, where, done, [says])
        assert judge.unsafe == [] and judge.found["alarm"] == {}
        judge.take(item, where, harmless, [says])
        assert list(judge.found["alarm"]) == [item.name]

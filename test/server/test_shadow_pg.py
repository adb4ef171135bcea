"""Changes in a shadow table of PostgreSQL, under writers that do all that an application may do, row for row."""
import random
import re
import signal
import threading
import time

import pytest

from test.lib import storm
from test.lib.servers import until
from test.lib.storm import Storm
from test.lib.writers import assert_equal, assert_twin, make_twin

SHADOW = ["--strategy", "shadow"]
EXTRA = """
ALTER TABLE items ADD CONSTRAINT positive CHECK (amount >= 0);
COMMENT ON TABLE items IS 'the items'; COMMENT ON COLUMN items.amount IS 'in euros';
COMMENT ON INDEX items_n IS 'few of them'; COMMENT ON CONSTRAINT positive ON items IS 'why not';
ALTER TABLE items ALTER amount SET STATISTICS 77;
ALTER TABLE items SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.3);
"""
CHANGE = "ALTER TABLE items ADD COLUMN cents bigint NOT NULL, ALTER COLUMN n TYPE bigint, ADD COLUMN kind text DEFAULT 'x'"
FILL = ["--backfill", "items.cents = coalesce((amount * 100)::bigint, -1)"]


def made(db, count=5000):
    db.run(storm.TABLE + EXTRA)
    storm.fill(db, count)
    make_twin(db, "items", "twin")


def left(db):
    """Whatever a change made, besides its journal."""
    return db.rows("""SELECT relname FROM pg_class WHERE relname LIKE '%stoa\\_new\\_%' OR relname LIKE '%stoa\\_old\\_%'
        OR relnamespace = to_regnamespace('stoa') AND relname ~ '^(keys|copied)_'
        UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'capture\\_%' OR proname LIKE 'sync\\_%'
        UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '%stoa\\_%'""")


def assert_changed(db):
    assert_twin(db, "items", "twin")
    assert_equal(db, "items", "cents", "coalesce((amount * 100)::bigint, -1)")
    assert db.columns("items")["n"][0] == "bigint"
    assert all(valid for _, valid in db.constraints("items").values())


def name_of(db):
    return db.value("SELECT name FROM stoa.changes")


def test_whole(db, admin_stoa):
    made(db)
    before = set(db.fingerprint())
    with Storm(db, 5000) as writers:
        admin_stoa.apply(CHANGE, *FILL, *SHADOW, "--probe", "on")
        assert db.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'stoa_capture%'") == 3
    print(f"{writers.done} transactions, the longest took {writers.longest:.3f} s")
    assert_changed(db)
    admin_stoa("complete", "--yes", "--force", name_of(db))
    assert_changed(db)
    assert left(db) == []
    print(before ^ set(db.fingerprint()))


def run_chain(stoa, tmp_path, *args):
    """Killed at the first passage of every point of every step, and started again until it comes through."""
    chain = tmp_path / "chain"
    for deaths in range(400):
        ended = stoa(*args, code=None, env={"STOA_FAILPOINT_CHAIN": str(chain)})
        if ended.code == 0:
            return chain.read_text().split()
        assert ended.code in (-9, 3), str(ended)
    raise AssertionError(f"it never came through: {chain.read_text()}")


@pytest.mark.crash
def test_killed_at_every_point(db, admin_stoa, tmp_path):
    made(db, 3000)
    with Storm(db, 3000, threads=4):
        points = run_chain(admin_stoa, tmp_path, "apply", CHANGE, *FILL, *SHADOW, "--probe", "on", "--yes")
    names = {point.split("@")[0] for point in points}
    assert {"copy_before", "copy_after", "copied_before", "copied_after", "bring_before", "bring_after", "compare_before",
            "swap_before", "swap_locked", "swap_applied", "swap_looked", "swap_after", "swap_before_journal"} <= names, names
    assert_changed(db)
    admin_stoa("complete", "--yes", "--force", name_of(db))
    assert left(db) == []


@pytest.mark.parametrize("failpoint", ["capture_begun=kill:1", "copy_after=kill:1", "copied_after=kill:1", "bring_after=kill:1",
                                       "compare_before=kill:1", "swap_looked=kill:1"])
def test_abort_leaves_nothing(db, admin_stoa, failpoint):
    made(db, 2000)
    before = db.fingerprint()
    with Storm(db, 2000, threads=4):
        admin_stoa("apply", CHANGE, *FILL, *SHADOW, "--yes", code=None, env={"STOA_FAILPOINT": failpoint})
        admin_stoa("abort", "--yes", name_of(db))
    assert left(db) == []
    assert db.fingerprint() == before
    assert_twin(db, "items", "twin")


def test_revert(db, admin_stoa):
    made(db, 3000)
    before = set(db.fingerprint())
    with Storm(db, 3000):
        admin_stoa.apply(CHANGE, *FILL, *SHADOW, "--probe", "on")
        assert left(db) != []
        admin_stoa("revert", "--yes", name_of(db))
    assert_twin(db, "items", "twin")
    assert left(db) == []
    assert {line for line in before if line[0] != "comment"} == {line for line in db.fingerprint() if line[0] != "comment"}


@pytest.mark.crash
def test_revert_killed_at_every_point(db, admin_stoa, tmp_path):
    made(db, 2000)
    with Storm(db, 2000, threads=4):
        admin_stoa.apply(CHANGE, *FILL, *SHADOW)
        run_chain(admin_stoa, tmp_path, "revert", "--yes", name_of(db))
    assert_twin(db, "items", "twin")
    assert left(db) == []


@pytest.mark.parametrize("when", ["copy_after", "copied_after", "compare_before", "swap_before"])
def test_truncate(db, admin_stoa, when):
    """The copy begins anew, and what was written before is gone."""
    made(db, 3000)
    running = stopped_at(admin_stoa, f"{when}=pause:1")
    db.run("TRUNCATE items, twin")
    storm.fill(db, 500)
    db.run("INSERT INTO twin SELECT * FROM items")
    with Storm(db, 3000, threads=4):
        running.signal(signal.SIGCONT)
        running.wait()
    assert "begins anew" in running.err
    assert_changed(db)
    assert db.value("SELECT count(*) FROM items") < 3000


def stopped_at(stoa, failpoint, *args):
    running = stoa.start("apply", CHANGE, *FILL, *SHADOW, "--yes", *args, env={"STOA_FAILPOINT": failpoint})

    def is_stopped():
        with open(f"/proc/{running.pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        assert state != "Z", f"it ended instead\n{running.partial()}"
        return state == "T"
    until(is_stopped, 60, lambda: f"the stop at {failpoint}\n{running.partial()}")
    return running


def test_truncate_behind_the_cutover_is_brought_back(db, admin_stoa):
    made(db, 1000)
    admin_stoa.apply(CHANGE, *FILL, *SHADOW)
    db.run("TRUNCATE items, twin")
    storm.fill(db, 300)
    db.run("INSERT INTO twin SELECT tenant, id, name, amount, n, big FROM items")
    admin_stoa("revert", "--yes", name_of(db))
    assert_twin(db, "items", "twin")
    assert left(db) == []


def test_written_anew_by_somebody(db, admin_stoa):
    """VACUUM FULL puts rows into other blocks without a word to any trigger: the copy notices, and begins anew."""
    made(db, 20000)
    db.run("DELETE FROM items WHERE id < 8000; DELETE FROM twin WHERE id < 8000")
    running = stopped_at(admin_stoa, "copy_after=pause:1")
    db.run("VACUUM FULL items")
    running.signal(signal.SIGCONT)
    running.wait()
    assert ("was written anew" in running.err) == (db.version >= 14)
    assert_changed(db)


def test_repairs(db, admin_stoa):
    """Rows that somebody has spoilt in the shadow, left out and added are found, named and brought over again."""
    made(db, 2000)
    running = stopped_at(admin_stoa, "compare_before=pause:1")
    db.run("UPDATE stoa_new_items SET big = 'spoilt' WHERE id = 17; DELETE FROM stoa_new_items WHERE id = 18; "
           "INSERT INTO stoa_new_items (tenant, id, name, cents) VALUES (77, 77, 'nobody', 1)")
    running.signal(signal.SIGCONT)
    running.wait()
    assert "3 rows of the copy differed" in running.err and "id=17" in running.err
    assert_changed(db)


def test_waits_for_an_old_snapshot(db, admin_stoa):
    """It would see no rows of the shadow: it is named, nobody waits for it, and the swap comes when it has ended."""
    made(db, 1000)
    with db.server.connect(db.name, db.owner, autocommit=False, application_name="reporting") as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM twin")
        running = admin_stoa.start("apply", CHANGE, *FILL, *SHADOW, "--yes")
        with Storm(db, 1000, threads=4) as writers:
            running.says("its snapshot is older than the copy's last rows", 60)
            assert "reporting" in running.err
            assert old.execute("SELECT count(*) FROM items").fetchone()[0] == 1000
            old.rollback()
            running.wait()
    assert writers.longest < 2
    assert_changed(db)


def test_table_changed_by_somebody_else(db, admin_stoa):
    """A column more, and a grant: the swap would lose them, so it is not committed."""
    made(db, 1000)
    running = stopped_at(admin_stoa, "compare_before=pause:1", "--probe", "on")
    db.run("ALTER TABLE items ADD COLUMN late int; GRANT SELECT ON items TO PUBLIC")
    running.signal(signal.SIGCONT)
    ended = running.wait(code=6)
    assert "late" in ended.err and "grant to public" in ended.err
    admin_stoa("abort", "--yes", name_of(db))
    assert left(db) == [] and "late" in db.columns("items")


@pytest.mark.parametrize("made_so, named", [
    ("CREATE MATERIALIZED VIEW m AS SELECT id FROM items", "materialized view public.m"),
    ("CREATE PUBLICATION every FOR ALL TABLES", "publication every"),
    ("ALTER TABLE items ADD COLUMN up bigint, ADD COLUMN up_t int, ADD CONSTRAINT above FOREIGN KEY (up_t, up) REFERENCES items",
     "foreign key above, which refers to the table itself"),
    ("ALTER TABLE items FORCE ROW LEVEL SECURITY", "forced row level security"),
    ("CREATE RULE r AS ON DELETE TO items DO ALSO NOTHING", "rule r"),
    ("CREATE FUNCTION g(items) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.g(public.items)"),
    ("CREATE TABLE holds (row items)", "public.holds"),
    ("CREATE TABLE child () INHERITS (items)", "inheritance"),
    ("ALTER TABLE items ADD CONSTRAINT late CHECK (n < 1000000) NOT VALID", "constraint late"),
    ("CREATE EXTENSION btree_gist; ALTER TABLE items ADD EXCLUDE USING gist (id WITH =)", "EXCLUDE"),
    ("ALTER TABLE items ADD CONSTRAINT later UNIQUE (n, id) DEFERRABLE", "constraint later, which is deferrable"),
    ("ALTER TABLE items SET UNLOGGED", "being unlogged"),
], ids=lambda value: value.split()[1].lower() if len(value) > 30 else None)
def test_refused_by_name(db, admin_stoa, made_so, named):
    made(db, 10)
    db.admin.execute(made_so)
    ended = admin_stoa("plan", CHANGE, *FILL, *SHADOW, code=4)
    assert named in ended.err and "--strategy shadow" in ended.err, ended.err


@pytest.mark.parametrize("sql, named", [
    ("ALTER TABLE items ADD COLUMN at timestamptz DEFAULT clock_timestamp()", "computed for each row"),
    ("ALTER TABLE items ADD COLUMN s bigserial", "a serial column"),
    ("ALTER TABLE items DROP COLUMN big", "such a statement"),
    ("ALTER TABLE items ALTER COLUMN name TYPE char(10)", "a cast may cut it"),
    ("CREATE INDEX ON items (amount)", "such a statement"),
    ("ALTER TABLE items ALTER COLUMN tenant TYPE text", "key column"),
])
def test_not_done_so(db, admin_stoa, sql, named):
    made(db, 10)
    assert named in admin_stoa("plan", sql, *SHADOW, code=4).err


def test_without_a_key(db, admin_stoa):
    db.run("CREATE TABLE items (id int, amount numeric)")
    assert "no key" in admin_stoa("plan", "ALTER TABLE items ADD COLUMN c int", *SHADOW, code=4).err


KEPT = """
CREATE TABLE "Odd items" (id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5), n serial, "Name" varchar(20) COLLATE "C"
    NOT NULL, price numeric(8,2) DEFAULT 1.5, at date, doc json, tags text[], PRIMARY KEY (id));
CREATE UNIQUE INDEX "by Name" ON "Odd items" ("Name" text_pattern_ops) WITH (fillfactor = 70) WHERE n > 2;
CREATE INDEX by_tags ON "Odd items" USING gin (tags);
CREATE INDEX by_half ON "Odd items" ((price / 2) DESC NULLS LAST);
ALTER TABLE "Odd items" ADD CONSTRAINT "no two" UNIQUE (n, at),
    ADD CONSTRAINT "cheap" CHECK (price < 10000), ALTER doc SET STORAGE EXTERNAL, ALTER price SET (n_distinct = -0.5),
    SET (fillfactor = 80, toast.autovacuum_enabled = off);
CLUSTER "Odd items" USING "Odd items_pkey";
COMMENT ON TABLE "Odd items" IS 'it''s odd'; COMMENT ON COLUMN "Odd items"."Name" IS 'name';
COMMENT ON INDEX by_tags IS 'tags'; COMMENT ON CONSTRAINT "no two" ON "Odd items" IS 'two';
COMMENT ON SEQUENCE "Odd items_id_seq" IS 'numbers';
INSERT INTO "Odd items" ("Name", price, at, doc, tags) SELECT 'n' || g, g, date '2026-01-01' + g, '{"a": 1}', ARRAY['t' || g]
    FROM generate_series(1, 500) g;
"""


def told(db):
    """The catalog without what differs by nature: numbers of objects, and the order of options."""
    return {(kind, re.sub(r"\d+", "N", name) if kind == "comment" else name,
             re.sub(r"\{?pg_attver=\d+\}?", "", re.sub(r"\{[^}]*\}", lambda m: str(sorted(m[0][1:-1].split(","))), text)))
            for kind, name, text in db.fingerprint()}


def test_all_that_is_carried_over(db, admin_stoa):
    """Another type, and back: the catalog differs in nothing but what was asked, and sequences go on."""
    db.run(KEPT)
    if db.version >= 11:
        db.run("ALTER INDEX by_half ALTER COLUMN 1 SET STATISTICS 50")
    reader, writer = db.role("reader"), db.role("writer")
    db.run(f'GRANT SELECT ON "Odd items" TO {reader}; GRANT INSERT, UPDATE (price, at) ON "Odd items" TO {writer} WITH GRANT '
           f'OPTION; GRANT SELECT (id) ON "Odd items" TO PUBLIC; GRANT USAGE ON SEQUENCE "Odd items_id_seq" TO {writer}; '
           f'ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO {reader}')
    before = told(db)
    ids = db.value('SELECT last_value FROM "Odd items_id_seq"')
    change = 'ALTER TABLE "Odd items" ALTER COLUMN id TYPE bigint, ALTER COLUMN price TYPE numeric(12,2)'
    admin_stoa.apply(change, *SHADOW, "--probe", "on")
    after = told(db)
    differ = {(kind, name) for kind, name, _ in before ^ after if "stoa" not in name}
    assert differ == {("column", '"Odd items".id'), ("column", '"Odd items".price'), ("column", '"Odd items_pkey".id')}
    db.run("""INSERT INTO "Odd items" ("Name", price, at) VALUES ('late', 2, '2027-01-01')""")
    assert db.value("""SELECT id FROM "Odd items" WHERE "Name" = 'late'""") == ids + 5
    admin_stoa("revert", "--yes", name_of(db))
    assert told(db) == before
    db.run("""INSERT INTO "Odd items" ("Name", price, at) VALUES ('later', 2, '2027-01-01')""")
    assert db.value("""SELECT id FROM "Odd items" WHERE "Name" = 'later'""") == ids + 10
    admin_stoa.apply(change, *SHADOW, "--probe", "on")
    admin_stoa("complete", "--yes", "--force", name_of_last(db))
    assert left(db) == []
    assert db.value('SELECT count(*) FROM "Odd items"') == 502


EVERYTHING = """
CREATE TABLE regions (id int PRIMARY KEY, name text);
CREATE TABLE kinds (id int PRIMARY KEY, name text);
INSERT INTO regions SELECT g, 'region ' || g FROM generate_series(0, 9) g;
INSERT INTO kinds SELECT g, 'kind ' || g FROM generate_series(0, 4) g;
CREATE TABLE things (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, region int NOT NULL REFERENCES regions ON DELETE CASCADE,
    kind int CONSTRAINT of_kind REFERENCES kinds DEFERRABLE INITIALLY DEFERRED, code text NOT NULL UNIQUE, price numeric(10,2), tags text[],
    doc text, touched int NOT NULL DEFAULT 0);
COMMENT ON CONSTRAINT of_kind ON things IS 'kinds'; COMMENT ON TABLE things IS 'all of it';
CREATE INDEX by_region ON things (region) WHERE price > 10;
CREATE INDEX by_price ON things ((price * 2));
CREATE INDEX by_tags ON things USING gin (tags);
CREATE INDEX by_code ON things USING hash (code);
CREATE STATISTICS of_things (dependencies) ON region, kind FROM things; COMMENT ON STATISTICS of_things IS 'together';
INSERT INTO things (region, kind, code, price, tags, doc) SELECT g % 10, g % 5, 'c' || g, g, ARRAY['t' || g % 7], repeat('d', g % 50)
    FROM generate_series(1, 3000) g;
CREATE TABLE parts (id int PRIMARY KEY, thing int REFERENCES things ON DELETE CASCADE, note text);
CREATE TABLE notes (id int PRIMARY KEY, code text CONSTRAINT of_thing REFERENCES things (code) ON UPDATE CASCADE ON DELETE SET NULL);
COMMENT ON CONSTRAINT of_thing ON notes IS 'to what';
INSERT INTO parts SELECT g, 1 + g % 3000, 'p' FROM generate_series(1, 2000) g;
INSERT INTO notes SELECT g, 'c' || (1 + g % 3000) FROM generate_series(1, 2000) g;
-- behind the commit of the rows, whose key is checked there
CREATE VIEW cheap WITH (security_barrier = true) AS SELECT id, code, price FROM things WHERE price < 1000 WITH LOCAL CHECK OPTION;
CREATE VIEW "by region" AS SELECT r.name, count(*) AS many FROM things t JOIN regions r ON r.id = t.region GROUP BY r.name;
CREATE VIEW cheaper AS SELECT * FROM cheap WHERE price < 100;
ALTER VIEW cheap ALTER COLUMN price SET DEFAULT 5;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE OF price, code ON things FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price) EXECUTE PROCEDURE touch();
CREATE TRIGGER never AFTER DELETE ON things FOR EACH STATEMENT EXECUTE PROCEDURE touch();
CREATE TRIGGER "on a replica" BEFORE INSERT ON things FOR EACH ROW EXECUTE PROCEDURE touch();
ALTER TABLE things DISABLE TRIGGER never, ENABLE REPLICA TRIGGER "on a replica"; COMMENT ON TRIGGER touched ON things IS 'counts';
CREATE POLICY of_region ON things AS RESTRICTIVE FOR SELECT TO PUBLIC USING (region IN (SELECT id FROM regions WHERE id < 9));
CREATE POLICY own ON things FOR UPDATE USING (id > 0) WITH CHECK (price > 0 OR id IN (SELECT t.id FROM things t WHERE t.region = things.region));
COMMENT ON POLICY own ON things IS 'mine'; ALTER TABLE things ENABLE ROW LEVEL SECURITY; ALTER TABLE things REPLICA IDENTITY USING INDEX things_code_key;
"""


def make_everything(db):
    for part in EVERYTHING.split("--"):
        db.run(part.removeprefix(" behind the commit of the rows, whose key is checked there"))


class Traffic:
    """Writers of the table, of its parents and children, and readers of its views; none of them may fail or wait long."""

    def __init__(self, db, first=0):
        self.first = first + 10000
        self.db, self.over, self.errors, self.longest, self.done = db, threading.Event(), [], 0, 0
        self.threads = [threading.Thread(target=self._work, args=[number], daemon=True) for number in range(4)]

    def _one(self, chance, conn, number):
        row, new = chance.randrange(1, 3000), self.first + number * 100000 + self.done
        statement = chance.choice([
            "UPDATE things SET price = price + 1 WHERE id = %(row)s", "UPDATE things SET doc = repeat('e', 3000) WHERE id = %(row)s",
            "UPDATE things SET region = (region + 1) %% 10 WHERE id = %(row)s AND region < 9", "SELECT * FROM cheap WHERE id = %(row)s",
            "SELECT count(*) FROM cheaper", "UPDATE cheap SET price = price + 0.5 WHERE id = %(row)s AND price < 900",
            "INSERT INTO parts SELECT %(new)s, id, 'new' FROM things WHERE id = %(row)s", "DELETE FROM parts WHERE id = %(row)s",
            "INSERT INTO things (region, kind, code, price) VALUES (3, 2, 'n' || %(new)s, 7)",
            "UPDATE things SET code = code || 'x' WHERE id = %(row)s", "DELETE FROM things WHERE code = 'n' || (%(new)s - 40)",
            "UPDATE regions SET name = name WHERE id = %(row)s %% 10"])
        began = time.monotonic()
        conn.execute(statement, {"row": row, "new": new})
        self.longest = max(self.longest, time.monotonic() - began)
        self.done += 1

    def _work(self, number):
        chance = random.Random(number)
        with self.db.connect() as conn:
            while not self.over.is_set():
                try:
                    self._one(chance, conn, number)
                except Exception as problem:  # noqa: BLE001 told at the end
                    self.errors.append(str(problem))
                time.sleep(0.005)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *problem):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.errors and self.done > 100, (self.done, self.errors[:5])


@pytest.mark.parametrize("plain", [False, True], ids=["superuser", "owner"])
def test_a_table_with_everything(db, stoa, admin_stoa, plain):
    """Keys in and out, views, policies, triggers, a publication, statistics: all of it goes with the table, and comes back."""
    make_everything(db)
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    carried_over(db, stoa if plain else admin_stoa, db.run if plain else db.admin.execute)


def carried_over(db, program, publish):
    reader = db.role("reader")
    db.run(f"GRANT SELECT (id, code), UPDATE (price) ON things TO {reader}; GRANT SELECT ON cheap TO {reader}")
    publish("CREATE PUBLICATION part_of_it FOR TABLE things, regions")
    before, rows = told(db), "SELECT id, region, kind, code, price, tags, md5(doc), touched FROM things ORDER BY id"
    change = ["ALTER TABLE things ALTER COLUMN kind TYPE bigint, ADD COLUMN extra int DEFAULT 5", *SHADOW, "--probe", "on",
              "--subscribers-ready"]
    with Traffic(db) as traffic:
        program.apply(*change)
        after, far = told(db), traffic.done
        until(lambda: traffic.done > far + 300, 60, "more traffic behind the cutover")
    print(f"{far} statements, the longest took {traffic.longest:.3f} s")
    assert traffic.longest < 1.05
    differ = {(kind, name) for kind, name, _ in before ^ after if "stoa" not in name}
    assert differ == {("column", "things.kind"), ("column", "things.extra")}, before ^ after
    assert db.value("SELECT count(*) FROM things WHERE extra IS DISTINCT FROM 5") == 0
    loose = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
    assert db.value(loose) == 0
    db.run("DELETE FROM regions WHERE id = 4; UPDATE notes SET code = code WHERE id = 1; DELETE FROM things WHERE id = 17")
    assert db.value("SELECT count(*) FROM things WHERE region = 4") == 0
    assert db.value("SELECT count(*) FROM parts WHERE thing = 17") == 0
    kept = db.rows(rows)
    program("revert", "--yes", name_of(db))
    assert db.rows(rows) == kept
    assert told(db) == before
    assert db.value(loose) == 0 and left(db) == []
    db.run("INSERT INTO regions VALUES (4, 'again')")
    with Traffic(db, 1_000_000) as traffic:
        program.apply(*change)
        program("complete", "--yes", "--force", name_of_last(db))
    assert traffic.longest < 1.05
    assert {(kind, name) for kind, name, _ in before ^ told(db) if "stoa" not in name} == differ
    assert db.value(loose) == 0 and left(db) == []


@pytest.mark.crash
def test_everything_killed_at_every_point(db, admin_stoa, tmp_path):
    """On the way there and back, also between the swap and the keys that are validated behind it."""
    make_everything(db)
    db.admin.execute("CREATE PUBLICATION part_of_it FOR TABLE things, regions")
    before, loose = told(db), "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    with Traffic(db) as traffic:
        run_chain(admin_stoa, there, "apply", "ALTER TABLE things ALTER COLUMN kind TYPE bigint, ADD COLUMN extra int DEFAULT 5", *SHADOW,
                  "--probe", "on", "--subscribers-ready", "--yes")
    assert traffic.longest < 1.05 and db.value(loose) == 0
    assert {(kind, name) for kind, name, _ in before ^ told(db) if "stoa" not in name} == {("column", "things.kind"), ("column", "things.extra")}
    with Traffic(db, 1_000_000) as traffic:
        run_chain(admin_stoa, back, "revert", "--yes", name_of(db))
    assert traffic.longest < 1.05 and db.value(loose) == 0
    assert told(db) == before and left(db) == []


def test_types_that_others_use(db, admin_stoa):
    make_everything(db)
    db.run("CREATE VIEW docs AS SELECT doc FROM things; CREATE PUBLICATION of_it FOR TABLE things")
    ended = admin_stoa("plan", "ALTER TABLE things ADD COLUMN c int", "--backfill", "things.c = id", *SHADOW, code=4)
    assert "subscribers of publication of_it would not get the values" in ended.err, ended.err
    for column, named in [("price", "policy own"), ("region", "policy of_region"), ("doc", "view public.docs")]:
        ended = admin_stoa("plan", f"ALTER TABLE things ALTER COLUMN {column} TYPE varchar(9000)", *SHADOW, code=4)
        assert f'column "{column}" is used by' in ended.err and named in ended.err, ended.err


def name_of_last(db):
    return db.value("SELECT name FROM stoa.changes ORDER BY id DESC LIMIT 1")


def test_as_an_owner_without_rights(db, stoa):
    """Neither superuser nor able to see others' sessions: refused, until the grant is there."""
    made(db, 500)
    assert "pg_read_all_stats" in stoa("plan", CHANGE, *FILL, *SHADOW, code=7).err
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    with Storm(db, 500, threads=2):
        stoa.apply(CHANGE, *FILL, *SHADOW, "--probe", "on")
    assert_changed(db)

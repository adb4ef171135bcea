"""Databases for one operation: made from a template, with the application at work, and a copy to observe steps on."""
import json
import subprocess

from psycopg import sql

from test.lib.database import Database
from test.lib.stoa import BUILD, Stoa
from test.lib.writers import Writers
from test.matrix.operations import BASE, ROWS, WRITERS

TOOL = BUILD / "test" / "tool" / "stoa-probe-tool"
OWNER = "app"
WEAK_FIRST = ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
              "EXCLUSIVE", "ACCESS EXCLUSIVE"]


def strength(mode):
    return WEAK_FIRST.index(mode)


class Base:
    """The tables of all operations, once a server; its journal is there already."""

    def __init__(self, server):
        self.server, self.count, self.name = server, 0, "base"
        with server.connect() as conn:
            conn.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB")
            conn.execute(f"CREATE DATABASE {self.name} OWNER {OWNER} TEMPLATE template0")
        with server.connect(self.name, OWNER) as conn:
            conn.execute(BASE)
            conn.execute("ANALYZE")
        with server.connect(self.name) as conn:  # 15 and later do not let everybody
            conn.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
        program = Stoa(server.url(self.name, OWNER))
        program.apply("COMMENT ON TABLE customers IS 'who buys'", "--probe", "off")
        program.close()

    def fresh(self):
        self.count += 1
        return f"m{self.count}"


class Copy(Database):
    """A database made from another one that nobody is connected to."""

    def __init__(self, base, template):
        self.server, self.version, self.name, self.owner = base.server, base.server.version, base.fresh(), OWNER
        self.roles, self._admin, self._extra = [], None, []
        with self.server.connect() as conn:
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(self.name), sql.Identifier(OWNER), sql.Identifier(template)))


class Place:
    """One operation's database, program and application."""

    def __init__(self, base, op):
        self.base, self.op = base, op
        self.db = Copy(base, base.name)
        try:
            self.db.run(op.setup or "SELECT 1")
        except Exception:
            self.db.drop()
            raise
        self.stoa = Stoa(self.db.url())
        self.writers = None
        self.accepts = []

    def plan(self, *args, code=0):
        told = self.stoa("plan", self.op.change, *self.op.args, "--probe", "on", "--json", *args, code=code)
        if told.code == 0:
            self.accepts = sorted({risk["accept"] for risk in told.json["risks"] if risk["accept"]})
        return told

    def apply_args(self, *more):
        return ["apply", self.op.change, *self.op.args, "--yes", "--name", "op", *self.accepts, *more]

    def write(self):
        statements = WRITERS.get(self.op.table)
        if statements:
            self.writers = Writers(self.db, self.op.table, statements, ROWS, twin=f"{self.op.table}_twin")

    def rest(self):
        """Ends the application; it had no error. The longest statement in milliseconds."""
        if self.writers is None:
            return 0
        self.writers.stop()
        longest, self.writers = self.writers.longest * 1000, None
        return round(longest)

    def compare(self, ended):
        """Every row against the twin, by the names that columns have now."""
        table = self.op.becomes if ended else self.op.table
        if self.op.table not in WRITERS or not table:
            return
        columns = []
        for column in self.db.columns(f"{self.op.table}_twin"):
            now = self.op.renamed.get(column, column) if ended else column
            if now is not None and column not in self.op.filled:
                columns.append((column, now))
        old = ", ".join(f'"{old}"' for old, _ in columns)
        new = ", ".join(f'"{new}"::text' for _, new in columns)
        mine = f"SELECT {new} FROM {table}"
        twin = f"SELECT {', '.join(part + '::text' for part in old.split(', '))} FROM {self.op.table}_twin"
        for one, other in ((mine, twin), (twin, mine)):
            extra = self.db.rows(f"({one}) EXCEPT ALL ({other}) LIMIT 3")
            assert not extra, f"rows of {one} that are not in {other}: {extra}"
        if ended and self.op.check:
            column, expression = self.op.check
            wrong = self.db.rows(f"SELECT {column}, {expression} FROM {table} "
                                 f"WHERE {column} IS DISTINCT FROM ({expression}) LIMIT 3")
            assert not wrong, f"{column} differs from {expression}: {wrong}"

    @property
    def state(self):
        """Of the last change."""
        return self.db.value("SELECT state FROM stoa.changes ORDER BY id DESC LIMIT 1")

    def drift(self):
        return self.db.rows("SELECT text FROM stoa.events WHERE kind IN ('drift', 'drift_accepted', 'stays')")

    def close(self):
        if self.writers is not None:
            self.writers._stop.set()
        self.stoa.close()
        self.db.drop()


def observe(base, place, plan):
    """Each transactional step on a copy with all rows, under the probe; what the plan says of it must be so."""
    copy = Copy(base, place.db.name)
    try:
        with copy.server.connect(copy.name, OWNER) as conn:
            for step in plan["steps"]:
                judge_step(place, copy, step)
                carry_out(conn, step)
    finally:
        copy.drop()


def statements(step):
    """As the step runs them: what leaves the trigger goes before its column."""
    own = len(step["statements"]) - step["sync_statement_count"]
    mine, sync = step["statements"][:own], step["statements"][own:]
    return sync + mine if step["sync"] and not step["fills"] else mine + sync


def carry_out(conn, step):
    """For the next step: a backfill in one statement, everything else as it stands."""
    table = step["table"] and sql.Identifier(step["table"]["schema"], step["table"]["name"])
    if step["kind"] == "backfill":
        for fill in step["fills"]:
            conn.execute(sql.SQL("UPDATE {} SET {} = {}").format(table, sql.Identifier(fill["column"]),
                                                                  sql.SQL(fill["expr"])))
    elif step["kind"] in ("ddl", "validate", "create_index", "drop_index"):
        for statement in statements(step):
            conn.execute(statement)


def relation_kinds(db):
    return dict(db.rows("SELECT format('%I.%I', nspname, relname), relkind::text FROM pg_class c "
                        "JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384"))


def judge_step(place, copy, step):
    if step["kind"] not in ("ddl", "validate") or not step["statements"]:
        return
    done = subprocess.run([TOOL, "--url", copy.url(), "; ".join(statements(step))], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    about = f"step {step['ordinal']} ({step['title']})"
    assert seen["error"] is None and not seen["outside"], f"{about}: {seen['error']}"
    there = relation_kinds(place.db)
    locks = {}
    for name, mode in sorted(seen["locks"], key=lambda lock: strength(lock[1])):
        if not name.startswith("stoa."):
            locks[name] = mode  # of two of one name (a view that makes room for a table) the strongest
    told = dict(zip(step["lock_on"], step.get("lock_modes") or [step["lock"]] * len(step["lock_on"])))
    for name, mode in locks.items():
        # nobody else knows what the change has made itself; a sequence goes with its table
        if strength(mode) >= strength("SHARE") and there.get(name, "S") != "S":
            assert name in told, f"{about} takes {mode} on {name}, which the plan does not say"
    for name, mode in told.items():
        if not mode or strength(mode) <= strength("SHARE UPDATE EXCLUSIVE"):
            continue  # the lock is also Stoa's own, so that an index is not renamed under a build, say
        taken = locks.get(name, WEAK_FIRST[0])
        exact = mode == taken or (step["sync"] and strength(mode) >= strength(taken))
        strong_index = mode == "ACCESS EXCLUSIVE" and any(
            lock == "ACCESS EXCLUSIVE" for _, lock in seen["index_locks"])
        assert exact or strong_index, f"{about} takes {taken} on {name}; the plan says {mode}"
    ours = [name for name in seen["rewritten"] if not name.startswith("stoa.")]
    scanned = [name for name in seen["scanned"]  # what the change made itself, a new partition, is empty
               if not name.startswith("stoa.") and name not in ours and name in there]
    assert step["rewrites"] == bool(ours), f"{about}: rewrites {ours}, plan says {step['rewrites']}"
    assert step["scans"] == bool(scanned), f"{about}: scans {scanned}, plan says {step['scans']}"

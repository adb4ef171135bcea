"""What a PostgreSQL server does with statements on tables that have rows: locks, storage and reads of each.

A statement runs in a transaction of its own, in which its locks and scans are read before it is committed. One that
cannot (CONCURRENTLY, VACUUM) runs under watch: two sessions take turns in holding what a writer holds on every table, so
it cannot take a lock that stops writers, in whichever of its transactions, without being seen to wait for it."""
import contextlib
import re
import threading

import psycopg

from test.lib.servers import until

MODES = ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
         "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]
OUTSIDE = {"25001"}
RELATIONS = """
SELECT c.oid::int8, c.relname, c.relkind::text, coalesce(i.indrelid, c.oid)::int8, coalesce(pg_relation_filenode(c.oid), 0)::int8,
    coalesce(pg_stat_get_xact_numscans(c.oid), 0)
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE coalesce(i.indrelid, c.oid)::int8 BETWEEN %s AND %s AND c.relkind IN ('r', 'm', 'p', 'i', 'I', 'v', 'S') AND c.relpersistence <> 't'"""
LOCKS = """SELECT relation::int8, mode, granted FROM pg_locks WHERE pid = %s AND relation IS NOT NULL AND locktype = 'relation'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class Done:
    """One statement: the strongest lock on each table that was there before, and which of them were rewritten, read or
    given an index while it held one that stops writers."""

    def __init__(self, sql):
        self.sql, self.error, self.message, self.reached = sql, None, None, True
        self.locks, self.rewritten, self.scanned, self.built, self.freed = {}, set(), set(), set(), False
        self.views = set()  # materialized ones: nobody writes them, so only who reads them can be stopped

    @property
    def strong(self):
        return {name for name, mode in self.locks.items()
                if MODES.index(mode) >= MODES.index("AccessExclusiveLock" if name in self.views else "ShareLock")}

    @property
    def heavy(self):
        return self.strong & (self.rewritten | self.scanned | self.built)

    @property
    def strongest(self):
        return max(self.locks.values(), key=MODES.index, default=None)

    @property
    def strongest_name(self):
        """As SQL has it: "SHARE ROW EXCLUSIVE"."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.strongest.removesuffix("Lock")).upper()


class Truth:
    def __init__(self, connect):
        self.runner, self.looker, self.writers = connect(), connect(), [connect(), connect()]
        self.words = []
        self.runner.prepare_threshold = None  # DISCARD ALL forgets what was prepared
        self.runner.add_notice_handler(lambda notice: self.words.append(notice.message_primary))
        self.pid = self.runner.info.backend_pid

    def close(self):
        for conn in (self.runner, self.looker, *self.writers):
            conn.close()

    # ---- looking ------------------------------------------------------------------------------------

    def relations(self, span):
        return {row[0]: row[1:] for row in self.runner.execute(RELATIONS, span).fetchall()}

    def note_locks(self, conn, tables, done):
        for oid, mode, _ in conn.execute(LOCKS, [self.pid]).fetchall():
            if oid in tables and tables[oid][1] not in "iI":
                name = tables[oid][0]
                if tables[oid][1] == "m":
                    done.views.add(name)
                done.locks[name] = max(done.locks.get(name, mode), mode, key=MODES.index)

    @staticmethod
    def compare(before, after, start, done):
        """`start`: what was there before the example began."""
        nodes = {row[3] for row in before.values()}
        for oid, (name, kind, table, node, scans) in after.items():
            owner = start.get(table)
            if owner is None or owner[1] not in "rm" or table not in before:
                continue
            if kind in "rm" and node != before[oid][3]:
                done.rewritten.add(name)
            if kind in "rm" and scans > before[oid][4]:
                done.scanned.add(name)
            if kind == "i" and node not in nodes and not (table in after and after[table][3] != before[table][3]):
                done.built.add(owner[0])

    # ---- running ------------------------------------------------------------------------------------

    def run(self, span, statements):
        """[Done] of the statements of one file, which are committed. `span`: the first and the last number of the
        relations that are there for it."""
        out = [Done(sql) for sql in statements]
        self.runner.execute("SET client_min_messages = debug1")
        start = self.relations(span)
        in_block = False
        try:
            for at, done in enumerate(out):
                word = done.sql.split()[0].upper()
                done.freed = self.runner.execute("SHOW lock_timeout").fetchone()[0] != "0" if not in_block else done.freed
                if word in ("BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT"):
                    self.runner.execute(done.sql)
                    in_block = word in ("BEGIN", "START")
                    continue
                self.one(span, start, done, in_block)
                if done.error is not None:
                    for rest in out[at + 1:]:
                        rest.reached = False
                    break
        finally:
            with contextlib.suppress(psycopg.Error):
                self.runner.execute("ROLLBACK")
            self.runner.execute("DISCARD ALL")
        return out

    def one(self, span, start, done, in_block):
        self.words.clear()
        before = {}
        wrapped = not in_block and done.sql.split()[0].upper() not in ("LOCK", "SAVEPOINT", "DECLARE")
        try:
            if wrapped:
                self.runner.execute("BEGIN")
            before = self.relations(span)
            done.freed = self.runner.execute("SHOW lock_timeout").fetchone()[0] != "0"
            self.runner.execute(done.sql)
            self.note_locks(self.runner, start, done)
            self.compare(before, self.relations(span), start, done)
            if wrapped:
                self.runner.execute("COMMIT")
        except psycopg.Error as problem:
            with contextlib.suppress(psycopg.Error):
                self.runner.execute("ROLLBACK")
            done.locks, done.rewritten, done.scanned, done.built = {}, set(), set(), set()
            if problem.sqlstate in OUTSIDE and not in_block:
                self.outside(span, start, before, done)
            else:
                done.error, done.message = problem.sqlstate or "?", str(problem).split("\n")[0]

    # ---- outside of a transaction -------------------------------------------------------------------

    def hold(self, writer, tables, mode):
        """The writer's next transaction. What is gone, and what the statement already keeps writers from, is left out:
        for that it is about to wait, or waits."""
        writer.execute("BEGIN; SET LOCAL lock_timeout = '50ms'")
        for (name,) in self.looker.execute("SELECT oid::regclass::text FROM pg_class WHERE oid::int8 = ANY(%s)", [tables]).fetchall():
            writer.execute("SAVEPOINT one")
            try:
                writer.execute(f"LOCK TABLE {name} IN {mode} MODE")
            except psycopg.Error:
                writer.execute("ROLLBACK TO one")

    def outside(self, span, start, before, done):
        tables = [oid for oid, row in start.items() if row[1] in "rp" and oid in before]
        problem = []

        def work():
            try:
                self.runner.execute(done.sql)
            except psycopg.Error as err:
                problem.append(err)
        self.hold(self.writers[0], tables, "SHARE UPDATE EXCLUSIVE")
        self.hold(self.writers[1], tables, "ROW EXCLUSIVE")
        thread = threading.Thread(target=work)
        thread.start()
        try:
            self.watch(thread, start, tables, done)
        finally:
            for writer in self.writers:
                writer.execute("ROLLBACK")
            thread.join(60)
        if problem:
            done.error, done.message = problem[0].sqlstate or "?", str(problem[0]).split("\n")[0]
            return
        self.compare(before, self.relations(span), start, done)
        for word in self.words:
            for name, kind, *_ in start.values():
                if kind in "rm" and re.search(rf'(?:verifying table|rewriting table|on table) "{re.escape(name)}"', word):
                    done.scanned.add(name)

    def watch(self, thread, start, tables, done):
        """Goes from one of its waits to the next; the writer that it waits for gives way to the other one."""
        seen = None
        while True:
            def other():
                if not thread.is_alive():
                    return "done"
                wait = self.looker.execute("SELECT locktype, virtualxid, relation, mode, pg_blocking_pids(pid) FROM pg_locks "
                                           "WHERE pid = %s AND NOT granted", [self.pid]).fetchone()
                return wait if wait is not None and wait[4] and wait != seen else None
            seen = until(other, 30, f"{done.sql} to end or to wait", every=0.002)
            if seen == "done":
                return
            self.note_locks(self.looker, start, done)
            if done.strong:
                return
            for writer in self.writers:
                if writer.info.backend_pid in seen[4]:
                    writer.execute("ROLLBACK")
                    self.hold(writer, tables, "ROW EXCLUSIVE")

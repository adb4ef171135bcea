"""An application that does all that one may do to a row, in transactions of several statements, and does the same to a
twin table. Each transaction takes advisory locks on the keys that it is about, so that no other one gets between its
statements on the table and those on the twin: what the two hold must be equal whenever nobody writes."""
import contextlib
import random
import threading
import time

import psycopg

COLUMNS = "tenant, id, name, amount, n, big"
TABLE = """
CREATE TABLE items (tenant int, id bigint, name text NOT NULL, amount numeric(10,2), n int DEFAULT 7, big text,
    PRIMARY KEY (tenant, id));
CREATE UNIQUE INDEX items_name ON items (name);
CREATE INDEX items_n ON items (n) WHERE n > 3;
CREATE INDEX items_lower ON items (lower(name));
"""


def fill(db, count):
    db.run(f"""INSERT INTO items SELECT g % 4, g, 'name ' || g, g % 100, g % 10, repeat(md5(g::text), g % 3 * 100)
        FROM generate_series(1, {count}) g""")


def insert(run, one, other, new):
    run("INSERT INTO {t} (tenant, id, name, amount, n, big) VALUES (%s, %s, %s, 5, 1, repeat('x', 3000))",
        new % 4, new, f"new {new}")


def set_null(run, one, other, new):
    run("UPDATE {t} SET amount = NULL, n = NULL WHERE id = %s", one)


def update(run, one, other, new):
    run("UPDATE {t} SET amount = %s, n = %s WHERE id = %s", new % 1000, new % 17, one)


def toast(run, one, other, new):
    run("UPDATE {t} SET big = repeat(md5(id::text), 200) WHERE id = %s", one)


def toast_kept(run, one, other, new):
    run("UPDATE {t} SET n = coalesce(n, 0) + 1 WHERE id = %s", one)


def new_key(run, one, other, new):
    run("UPDATE {t} SET id = %s, tenant = tenant + 1 WHERE id = %s", new, one)


def delete(run, one, other, new):
    run("DELETE FROM {t} WHERE id = %s", one)


def again(run, one, other, new):
    run("DELETE FROM {t} WHERE id = %s AND tenant = %s", one, one % 4)
    run("INSERT INTO {t} (tenant, id, name) VALUES (%s, %s, %s)", one % 4, one, f"again {new}")


def upsert(run, one, other, new):
    run("INSERT INTO {t} (tenant, id, name) VALUES (%s, %s, %s) ON CONFLICT (tenant, id) DO UPDATE SET n = 100",
        one % 4, one, f"upsert {new}")


def swap_names(run, one, other, new):
    """A unique value moves from one row to another."""
    run("UPDATE {t} SET name = 'free ' || name WHERE id = %s AND tenant = %s", one, one % 4)
    run("UPDATE {t} SET name = %s WHERE id = %s AND tenant = %s", f"moved {new}", other, other % 4)


def several(run, one, other, new):
    run("UPDATE {t} SET n = n + 1 WHERE id = ANY (%s)", [one, other])


def savepoints(run, one, other, new):
    run("SAVEPOINT a", table=False)
    run("UPDATE {t} SET amount = 999 WHERE id = %s", one)
    run("INSERT INTO {t} (tenant, id, name) VALUES (0, %s, %s)", new, f"undone {new}")
    run("ROLLBACK TO a", table=False)
    run("UPDATE {t} SET n = 3 WHERE id = %s", other)


def rolled_back(run, one, other, new):
    run("UPDATE {t} SET amount = 998 WHERE id = %s", one)
    run("DELETE FROM {t} WHERE id = %s", other)
    run("ROLLBACK", table=False)


def copied(run, one, other, new):
    run.copy(f"1\t{new}\tcopied {new}\t\\N\t\\N\ttext\n")


OPERATIONS = [insert, set_null, update, toast, toast_kept, new_key, delete, again, upsert, swap_names, several, savepoints,
              rolled_back, copied]


class Run:
    """One statement on the table and on the twin."""

    def __init__(self, conn):
        self.conn = conn

    def __call__(self, sql, *values, table=True):
        for name in ("items", "twin") if table else ("",):
            self.conn.execute(sql.replace("{t}", name), values or None)

    def copy(self, text):
        for name in ("items", "twin"):
            with self.conn.cursor().copy(f"COPY {name} ({COLUMNS}) FROM STDIN") as copy:
                copy.write(text)


class Storm:
    """tolerant: the server may die meanwhile; transactions that are lost with it are counted, and the application goes on."""

    def __init__(self, db, count, threads=8, pause=0.01, operations=None, first=1, tolerant=False):
        self.errors, self.done, self.lost, self.longest = [], 0, 0, 0.0
        self.operations, self.tolerant = operations or OPERATIONS, tolerant
        self.stopping = threading.Event()
        self.turns = [threading.Lock() for _ in range(threads)]
        self.threads = [threading.Thread(target=self.work, args=(db, count, number + first, pause, self.turns[number]), daemon=True)
                        for number in range(threads)]
        for thread in self.threads:
            thread.start()

    @contextlib.contextmanager
    def stopped(self):
        """Nobody is in a transaction, and nobody begins one."""
        with contextlib.ExitStack() as all_of_them:
            for turn in self.turns:
                all_of_them.enter_context(turn)
            yield

    def connect(self, db):
        while True:
            try:
                return db.server.connect(db.name, db.owner, autocommit=False, application_name="application")
            except psycopg.OperationalError:
                if not self.tolerant or self.stopping.is_set():
                    raise
                time.sleep(0.05)

    def work(self, db, count, number, pause, turn):
        chance = random.Random(number)
        new = 1_000_000 * number
        conn = self.connect(db)
        while not self.stopping.is_set():
            new += 1
            one, other = chance.randrange(1, count + 1), chance.randrange(1, count + 1)
            operation = chance.choice(self.operations)
            with turn:
                started = time.monotonic()
                try:
                    for key in sorted({one, other}):
                        conn.execute("SELECT pg_advisory_xact_lock(%s)", [key])
                    operation(Run(conn), one, other, new)
                    conn.commit()
                    self.longest = max(self.longest, time.monotonic() - started)
                except psycopg.Error as problem:
                    if not (conn.closed and self.tolerant):
                        self.errors.append(f"{operation.__name__}: {problem}")
                    if not conn.closed:
                        conn.rollback()
                    elif not self.tolerant:
                        return
                    else:
                        self.lost += 1
            if conn.closed:
                conn = self.connect(db)
            self.done += 1
            time.sleep(pause * chance.random())
        conn.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"
        assert not self.errors, f"{len(self.errors)} transactions of the application failed: {self.errors[:3]}"
        assert self.done > 0, "the application did nothing"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stopping.set()
        if kind is None:
            self.stop()

"""An application made of threads, for tables of any shape: it goes on writing while a test works, writes every
row to a twin table in the same transaction, and remembers each error and how long statements took."""
import random
import threading
import time

import psycopg


class Writers:
    """Statements are SQL templates with {t} for the table. Parameters: %(n)s a small number that hits existing
    rows, %(m)s any number, %(new)s a number never used before. Where the twin has another shape, a pair: one for the
    table and one for the twin. `options` are the session's settings, as libpq takes them; `first` sets new numbers
    of several applications apart.
    What hit no row of the table is not run on the twin: nothing holds others off, and the row may be there by then."""

    def __init__(self, db, table, statements, count=1000, threads=2, twin=None, user=None, pause=0.004, tolerate=(),
                 options="", first=1):
        self.errors = []
        self.tolerated = 0
        self.longest = 0.0
        self.done = 0
        self._stop = threading.Event()
        self._mark = threading.Lock()
        self._threads = []
        for number in range(threads):
            conn = db.server.connect(db.name, user or db.owner, autocommit=False, application_name="application",
                                     options=options)
            work = (conn, table, twin, statements, count, number + first - 1, pause, tolerate)
            self._threads.append(threading.Thread(target=self._work, args=work, daemon=True))
        for thread in self._threads:
            thread.start()

    def _work(self, conn, table, twin, statements, count, number, pause, tolerate):
        chance = random.Random(number)
        new = 1_000_000 * (number + 1)
        with conn:
            while not self._stop.is_set():
                new += 1
                values = {"n": chance.randrange(1, count + 1), "m": chance.randrange(1, 1_000_000), "new": new}
                statement = chance.choice(statements)
                statement, on_twin = statement if isinstance(statement, tuple) else (statement, statement)
                started = time.monotonic()
                try:
                    hit = conn.execute(statement.replace("{t}", table), values).rowcount
                    if twin and hit != 0:
                        conn.execute(on_twin.replace("{t}", twin), values)
                    conn.commit()
                except psycopg.Error as problem:
                    if tolerate and isinstance(problem, tolerate):
                        self.tolerated += 1
                    else:
                        self.errors.append(f"{statement}: {problem}")
                    if conn.closed:
                        return
                    conn.rollback()
                with self._mark:
                    self.longest = max(self.longest, time.monotonic() - started)
                    self.done += 1
                time.sleep(pause * chance.random())

    def mark(self):
        """Begins a new span for `longest`; returns the last one's, in seconds."""
        with self._mark:
            longest, self.longest = self.longest, 0.0
        return longest

    def stop(self):
        """Ends all threads; fails when a statement failed or nothing was written."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a writer hangs"
        assert not self.errors, f"{len(self.errors)} statements of the application failed: {self.errors[:3]}"
        assert self.done > 0, "the application wrote nothing"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._stop.set()
        if kind is None:
            self.stop()


def make_twin(db, table, twin):
    """A copy of the table before the change, without its constraints on other tables."""
    db.run(f"CREATE TABLE {twin} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES); "
           f"INSERT INTO {twin} SELECT * FROM {table}")


def assert_twin(db, table, twin):
    """Every row of the table is in the twin and the other way round, in the twin's columns."""
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in db.columns(twin))
    for one, other in ((table, twin), (twin, table)):
        extra = db.rows(f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other} LIMIT 5")
        assert not extra, f"rows in {one} that are not in {other}: {extra}"


def assert_equal(db, table, column, expression):
    """The column holds what the expression says in every row, and there are rows."""
    wrong = db.rows(f"SELECT {column}, {expression} FROM {table} WHERE {column} IS DISTINCT FROM ({expression}) LIMIT 5")
    assert not wrong, f"{column} differs from {expression}: {wrong}"

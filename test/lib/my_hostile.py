"""An application made of threads on MariaDB and MySQL: it goes on writing while a test works, does to a twin table
in the same transaction what it does to the table, and remembers each error and how long statements took.

A thread has the rows whose number is its own modulo the number of threads, so that the application never meets
itself (threads: 1, 2, 4 or 8): what waits or fails is not of its own making.
"""
import random
import threading
import time

import pymysql

COLUMNS = "id INT NOT NULL AUTO_INCREMENT, u INT NOT NULL, v INT NOT NULL, name VARCHAR(60) NOT NULL, note VARCHAR(100)"
KEYS = "PRIMARY KEY (id), UNIQUE KEY u (u), KEY v (v), KEY name (name)"


ZONE = 10**7


def zone(n):
    """A unique value for row `n`, apart from those of other threads' rows: a value that was there before is looked
    for under a lock that reaches to the next larger one."""
    return n + n % 8 * ZONE


def make_table(cursor, name, rows):
    """`rows` rows with ids 1 to rows, and one at the end of each zone that nobody writes to."""
    cursor.execute(f"CREATE TABLE {name} ({COLUMNS}, {KEYS}) ENGINE=InnoDB")
    ends = ", ".join(f"({-1000 - k}, {k * ZONE}, 0, 'end', 'of a zone')" for k in range(9))
    cursor.execute(f"INSERT INTO {name} (id, u, v, name, note) VALUES {ends}")
    for low in range(0, rows, 5000):
        values = ", ".join(f"({n}, {zone(n)}, {n % 1000}, 'name {n}', 'first')" for n in range(low + 1, min(low + 5000, rows) + 1))
        cursor.execute(f"INSERT INTO {name} (id, u, v, name, note) VALUES {values}")


class Hostile:
    """`hot` rows are written to more often than the others; `rate` transactions a second for each thread at most.
    While a server is expected to be away, errors of a lost connection are none (`away`); with `yields` deadlocks
    (1213) are none: the transaction is given up, and the next one comes."""

    def __init__(self, server, database, table, rows, threads=4, rate=100, hot=40, twin=None, yields=False):
        self.server, self.database, self.tables = server, database, [table] + ([twin] if twin else [])
        self.rows, self.threads, self.rate, self.hot = rows, threads, rate, hot
        self.errors, self.longest, self.done = [], 0.0, 0
        self.away, self.yields, self.yielded = False, yields, 0
        self._last = rows
        self._stop = threading.Event()
        self._mark = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=[number], daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _connect(self):
        conn = self.server.connect(self.database)
        with conn.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        conn.autocommit(False)
        return conn

    def _actions(self, chance, number, mine):
        """Statements of one transaction, with {t} for the table."""
        def some():
            if chance.random() < 0.3:
                return chance.choice(mine[:self.hot])
            return chance.choice(mine)
        kind = chance.random()
        if kind < 0.30:
            return [f"UPDATE {{t}} SET v = v + 1, note = 'u{chance.randrange(10**6)}' WHERE id = {some()}"]
        if kind < 0.40:
            new = self._new(number)
            mine.append(new)
            return [f"INSERT INTO {{t}} (id, u, v, name, note) VALUES ({new}, {zone(new)}, 1, 'new {new}', NULL)"]
        if kind < 0.55 and len(mine) > self.hot + 10:
            gone = mine.pop(chance.randrange(self.hot, len(mine)))
            return [f"DELETE FROM {{t}} WHERE id = {gone}"]
        if kind < 0.70 and len(mine) > self.hot + 10:  # another key for the row
            at, new = chance.randrange(self.hot, len(mine)), self._new(number)
            old, mine[at] = mine[at], new
            return [f"UPDATE {{t}} SET id = {new}, name = 'moved' WHERE id = {old}"]
        if kind < 0.85:  # two rows exchange a unique value
            one, two = some(), some()
            if one == two:
                return [f"UPDATE {{t}} SET name = 'alone' WHERE id = {one}"]
            return [f"SELECT u INTO @a FROM {{t}} WHERE id = {one}", f"SELECT u INTO @b FROM {{t}} WHERE id = {two}",
                    f"UPDATE {{t}} SET u = -{self._new(number)} WHERE id = {one}", f"UPDATE {{t}} SET u = @a WHERE id = {two}",
                    f"UPDATE {{t}} SET u = @b WHERE id = {one}"]
        if kind < 0.92:  # gone and back again
            one = some()
            return [f"SELECT u INTO @a FROM {{t}} WHERE id = {one}", f"DELETE FROM {{t}} WHERE id = {one}",
                    f"INSERT INTO {{t}} (id, u, v, name, note) VALUES ({one}, @a, 2, 'again', 'x')"]
        return [f"UPDATE {{t}} SET v = v + 1 WHERE id = {one}" for one in {some() for _ in range(6)}]

    def _new(self, number):
        with self._mark:
            self._last += 1
            return self._last * self.threads + number

    def _work(self, number):
        chance = random.Random(number)
        mine = [n for n in range(1, self.rows + 1) if n % self.threads == number]
        conn = None
        while not self._stop.is_set():
            at, sql, undo = time.monotonic(), "", mine.copy()
            try:
                conn = conn or self._connect()
                with conn.cursor() as cursor:
                    for template in self._actions(chance, number, mine):
                        for table in self.tables:
                            sql = template.replace("{t}", table)
                            began = time.monotonic()
                            cursor.execute(sql)
                            self._note(time.monotonic() - began)
                began = time.monotonic()
                sql = "COMMIT"
                conn.commit()
                self._note(time.monotonic() - began)
                with self._mark:
                    self.done += 1
            except pymysql.err.Error as problem:
                lost = problem.args and problem.args[0] in (2006, 2013, 2003, 2002, 1053, 1927, 0)
                with self._mark:
                    if self.yields and problem.args[0] == 1213:
                        self.yielded += 1
                    elif not (lost and self.away):
                        self.errors.append(f"{sql}: {problem}")
                mine[:] = undo
                try:
                    conn and conn.close()
                except pymysql.err.Error:
                    pass
                conn = None
                if lost:
                    mine[:] = self._look(number, mine)
            self._stop.wait(max(0.0, 1 / self.rate - (time.monotonic() - at)) * 2 * chance.random())
        if conn:
            conn.close()

    def _look(self, number, mine):
        """What is there after a commit of which nobody knows."""
        while not self._stop.is_set():
            try:
                found = self.server.query(f"SELECT id FROM {self.tables[-1]} WHERE MOD(id, {self.threads}) = {number}", self.database)
                known = [row[0] for row in found]
                first = set(mine[:self.hot])
                return [n for n in mine[:self.hot] if n in set(known)] + [n for n in known if n not in first]
            except pymysql.err.Error:
                time.sleep(0.2)
        return mine

    def _note(self, seconds):
        with self._mark:
            self.longest = max(self.longest, seconds)

    def mark(self):
        """Begins a new span for `longest`; returns the last one's, in seconds."""
        with self._mark:
            longest, self.longest = self.longest, 0.0
        return longest

    def stop(self):
        """Ends all threads; fails when a statement failed or nothing was written."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"
        assert not self.errors, f"{len(self.errors)} statements of the application failed: {self.errors[:3]}"
        assert self.done > 0, "the application wrote nothing"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._stop.set()

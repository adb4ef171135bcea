"""An application on a MariaDB or MySQL table of any shape: threads with sessions of their own that insert, update,
delete, replace, change keys and swap unique values, and write the same to a twin in the same transactions.

The twin is the same table in another database, made with the same rows, so that a plain ALTER TABLE can be run there
in the end. Each thread owns a part of the keys, so what it believes to be there is there; beside that all of them update the
same few hot rows. So the application has no deadlock of its own making: whatever fails is somebody else's doing.
Statements that meet a unique index are transactions of their own, and unique values of a thread sort together.
"""
import random
import threading
import time

import pymysql

FILL = 250  # rows a statement


def ident(name):
    return "`" + name.replace("`", "``") + "`"


class Column:
    """`values` are SQL literals to choose from, or a function from a number that was never used before to a literal
    (for keys and unique columns); None: nobody writes it (generated, or filled by the server)."""

    def __init__(self, name, definition, values=None, key=False, unique=False, auto=False,
                 respell=False):
        self.name, self.definition, self.values = name, definition, values
        self.key, self.unique, self.auto, self.respell = key, unique, auto, respell

    def choose(self, chance, new):
        return self.values(new) if callable(self.values) else chance.choice(self.values)


class Shape:
    """A table: its columns, and what else stands in CREATE TABLE. `before` is run first (parents, functions),
    `after` afterwards with {t} for the table (triggers, children). `init` is run by each session of the application."""

    def __init__(self, *columns, tail="", options="ENGINE=InnoDB", before=(), after=(), init=(), hot=10, verbs=None,
                 partition=""):
        self.columns, self.tail, self.options, self.partition = list(columns), tail, options, partition
        self.before, self.after, self.init, self.hot = list(before), list(after), list(init), hot
        self.verbs, self.quiet = verbs, ()  # how often each; those that are left out
        self.key = [column for column in columns if column.key]

    def create(self, table):
        parts = [f"{ident(column.name)} {column.definition}" for column in self.columns]
        return f"CREATE TABLE {ident(table)} ({', '.join(parts + ([self.tail] if self.tail else []))}) {self.options} {self.partition}"

    @property
    def written(self):
        return [column for column in self.columns if column.values is not None or column.auto]

    def rows(self, first, count, seed=0):
        """Literals for new rows with the numbers first … first + count - 1."""
        chance = random.Random(seed)
        return [[str(number) if column.auto else column.choose(chance, number) for column in self.written]
                for number in range(first, first + count)]

    def make(self, my, database, table, count):
        """Table and rows. Returns their keys, as tuples of literals."""
        rows = self.rows(1, count)
        names = ", ".join(ident(column.name) for column in self.written)
        with my.connect(database) as conn, conn.cursor() as cursor:
            for statement in [*self.init, *self.before, self.create(table)]:
                cursor.execute(statement)
            for low in range(0, count, FILL):
                values = ", ".join(f"({', '.join(row)})" for row in rows[low:low + FILL])
                cursor.execute(f"INSERT INTO {ident(table)} ({names}) VALUES {values}")
            for statement in self.after:
                cursor.execute(statement.replace("{t}", ident(table)))
            cursor.execute(f"ANALYZE TABLE {ident(table)}")
        places = [self.written.index(column) for column in self.key]
        return [tuple(row[place] for place in places) for row in rows]



class MyWriters:
    """Writes until stop(). `keys` are those that are there (Shape.make); `rate` statements a second of all threads;
    `unwritten` columns are left out, as by an application that does not know them (any more)."""

    def __init__(self, my, database, table, shape, keys, twin_database=None, threads=3, rate=150, unwritten=(), seed=1,
                 hostile=True, url_user="root"):
        self.my, self.shape, self.name = my, shape, ident(table)
        self.twin = f"{ident(twin_database)}.{ident(table)}" if twin_database else None
        self.rate, self.hostile, self.threads_count = rate, hostile, threads
        self.written = [column for column in shape.written if column.name not in unwritten]
        self.errors, self.longest, self.slowest, self.done = [], 0.0, "", 0
        self.verbs_done = {}
        self._stop, self._mark = threading.Event(), threading.Lock()
        hot = keys[:shape.hot]
        self._threads = []
        for number in range(threads):
            mine = [key for place, key in enumerate(keys) if place >= shape.hot and place % threads == number]
            conn = my.connect(database, user=url_user)
            with conn.cursor() as cursor:
                for statement in shape.init:
                    cursor.execute(statement)
                if self.twin:
                    cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')")
            self._threads.append(threading.Thread(target=self._work, args=(conn, number, mine, hot, seed), daemon=True))
        for thread in self._threads:
            thread.start()

    # ---- statements -----------------------------------------------------------------------------------------

    def _where(self, key):
        return " AND ".join(f"{ident(column.name)} = {value}" for column, value in zip(self.shape.key, key))

    def _values(self, chance, new, key=None):
        """Literals for all written columns but an automatic key; with `key` for that key."""
        columns = [column for column in self.written if key is not None or not column.auto]
        given = dict(zip((column.name for column in self.shape.key), key or ()))
        return columns, [given.get(column.name) or column.choose(chance, new) for column in columns]

    def _insert(self, cursor, chance, new, mine, verb="INSERT", key=None, tail=""):
        columns, values = self._values(chance, new, key)
        names, literals = ", ".join(ident(column.name) for column in columns), ", ".join(values)
        self._run(cursor, f"{verb} INTO {{t}} ({names}) VALUES ({literals}){tail}", on_twin=False)
        auto = next((column for column in self.shape.key if column.auto), None)
        if key is None and auto is not None:
            cursor.execute("SELECT LAST_INSERT_ID()")
            made = str(cursor.fetchone()[0])
            names, literals = f"{names}, {ident(auto.name)}", f"{literals}, {made}"
            key = tuple(made if column is auto else values[columns.index(column)] for column in self.shape.key)
        elif key is None:
            key = tuple(values[columns.index(column)] for column in self.shape.key)
        self._twin(cursor, f"{verb} INTO {{t}} ({names}) VALUES ({literals}){tail}")
        return key

    def _settable(self):
        return [column for column in self.written if not column.key and not column.auto]

    def _set(self, chance, new, columns):
        return ", ".join(f"{ident(column.name)} = {column.choose(chance, new)}" for column in columns)

    def _plain_columns(self):
        return [column for column in self._settable() if not column.unique]

    def _verb_insert(self, cursor, chance, new, mine, hot):
        mine.append(self._insert(cursor, chance, new, mine))

    def _verb_update(self, cursor, chance, new, mine, hot):
        columns = self._plain_columns()
        if columns:
            some = chance.sample(columns, chance.randint(1, min(3, len(columns))))
            self._run(cursor, f"UPDATE {{t}} SET {self._set(chance, new, some)} WHERE {self._where(chance.choice(mine))}")

    def _verb_hot(self, cursor, chance, new, mine, hot):
        columns = self._plain_columns()
        if columns and hot:
            self._run(cursor, f"UPDATE {{t}} SET {self._set(chance, new, [chance.choice(columns)])} "
                              f"WHERE {self._where(chance.choice(hot))}")

    def _verb_several(self, cursor, chance, new, mine, hot):
        """Some rows in one transaction, a part of it rolled back now and then, or all of it."""
        columns = self._plain_columns()
        if not columns:
            return None
        for step, key in enumerate(chance.sample(mine, min(4, len(mine)))):
            if step == 2:
                cursor.execute("SAVEPOINT half")
            self._run(cursor, f"UPDATE {{t}} SET {self._set(chance, new, [chance.choice(columns)])} WHERE {self._where(key)}")
            time.sleep(chance.random() * 0.005)
        if len(mine) > 2 and chance.random() < 0.2:
            cursor.execute("ROLLBACK TO SAVEPOINT half")
        return "ROLLBACK" if chance.random() < 0.1 else "COMMIT"

    def _verb_delete(self, cursor, chance, new, mine, hot):
        if len(mine) > 20:
            self._run(cursor, f"DELETE FROM {{t}} WHERE {self._where(mine.pop(chance.randrange(len(mine))))}")

    def _verb_move(self, cursor, chance, new, mine, hot):
        """The row gets another key; below zero where the server counts upwards, since the next automatic value would
        meet it otherwise (MySQL raises the counter with an UPDATE, too)."""
        if any(column.auto and "unsigned" in column.definition.lower() for column in self.shape.key):
            return
        place = chance.randrange(len(mine))
        fresh = tuple(str(-new) if column.auto else column.choose(chance, new) for column in self.shape.key)
        assigns = ", ".join(f"{ident(column.name)} = {value}" for column, value in zip(self.shape.key, fresh))
        self._run(cursor, f"UPDATE {{t}} SET {assigns} WHERE {self._where(mine[place])}")
        mine[place] = fresh

    def _verb_replace(self, cursor, chance, new, mine, hot):
        self._insert(cursor, chance, new, mine, "REPLACE", chance.choice(mine))

    def _verb_upsert(self, cursor, chance, new, mine, hot):
        columns = self._plain_columns()
        if columns:
            tail = f" ON DUPLICATE KEY UPDATE {self._set(chance, new, [chance.choice(columns)])}"
            self._insert(cursor, chance, new, mine, "INSERT", chance.choice(mine), tail)

    def _verb_again(self, cursor, chance, new, mine, hot):
        """Gone and there again in one transaction."""
        key = chance.choice(mine)
        self._run(cursor, f"DELETE FROM {{t}} WHERE {self._where(key)}")
        self._insert(cursor, chance, new, mine, "INSERT", key)

    def _verb_respell(self, cursor, chance, new, mine, hot):
        """The same key to the collation, in other letters."""
        column = next((ident(column.name) for column in self.shape.key if column.respell), None)
        if column:
            self._run(cursor, f"UPDATE {{t}} SET {column} = IF(BINARY {column} = BINARY UPPER({column}), LOWER({column}), "
                              f"UPPER({column})) WHERE {self._where(chance.choice(mine))}")

    def _verb_swap(self, cursor, chance, new, mine, hot):
        """Two rows exchange a unique value, by way of a third."""
        unique = [column for column in self._settable() if column.unique]
        if not unique or len(mine) < 2:
            return None
        column, (one, other) = ident(unique[0].name), chance.sample(mine, 2)
        values = []
        for key in (one, other):
            cursor.execute(f"SELECT QUOTE({column}) FROM {self.name} WHERE {self._where(key)}")
            values += [row[0] for row in cursor.fetchall()]
        if len(values) != 2:
            raise pymysql.err.DataError(0, f"a row is gone: {one} or {other}")
        first, second = values
        for key, value in ((one, unique[0].choose(chance, new)), (other, first), (one, second)):
            self._run(cursor, f"UPDATE {{t}} SET {column} = {value} WHERE {self._where(key)}")
        return None

    # ---- running --------------------------------------------------------------------------------------------

    def _run(self, cursor, statement, on_twin=True):
        started = time.monotonic()
        cursor.execute(statement.replace("{t}", self.name))
        self._took(time.monotonic() - started, statement)
        if on_twin:
            self._twin(cursor, statement)

    def _twin(self, cursor, statement):
        if self.twin:
            cursor.execute(statement.replace("{t}", self.twin))

    def _took(self, seconds, statement):
        with self._mark:
            if seconds > self.longest:
                self.longest, self.slowest = seconds, statement[:200]

    def _choose(self, chance):
        verbs = self.shape.verbs or {"insert": 15, "update": 30, "hot": 12, "several": 8, "delete": 8, "move": 6,
                                     "replace": 6, "upsert": 6, "again": 5, "swap": 4, "respell": 3}
        verbs = {verb: often for verb, often in verbs.items() if verb not in self.shape.quiet}
        if not self.hostile:
            verbs = {verb: verbs.get(verb, 0) for verb in ("insert", "update", "delete")}
        return chance.choices(list(verbs), list(verbs.values()))[0]

    def _work(self, conn, number, mine, hot, seed):
        chance = random.Random(seed * 1000 + number)
        new, due = 1_000_000 * (number + 1), time.monotonic()
        with conn, conn.cursor() as cursor:
            while not self._stop.is_set():
                new += 1
                verb = self._choose(chance)
                before = list(mine)
                try:
                    cursor.execute("BEGIN")
                    end = getattr(self, f"_verb_{verb}")(cursor, chance, new, mine, hot) or "COMMIT"
                    started = time.monotonic()
                    cursor.execute(end)
                    self._took(time.monotonic() - started, f"{end} after {verb}")
                except (pymysql.err.MySQLError, pymysql.err.InterfaceError) as problem:
                    mine[:] = before
                    with self._mark:
                        self.errors.append(f"{verb}: {problem}{self._deadlock(problem)}")
                    try:
                        cursor.execute("ROLLBACK")
                    except (pymysql.err.MySQLError, pymysql.err.InterfaceError):
                        return
                with self._mark:
                    self.done += 1
                    self.verbs_done[verb] = self.verbs_done.get(verb, 0) + 1
                due = max(due + self.threads_count / self.rate, time.monotonic() - 0.5)
                self._stop.wait(max(0.0, due - time.monotonic()))

    def _deadlock(self, problem):
        """What InnoDB says of it; nothing where it was one of metadata locks."""
        if problem.args[0] != 1213:
            return ""
        status = self.my.query("SHOW ENGINE INNODB STATUS")[0][2]
        part = status.partition("LATEST DETECTED DEADLOCK")[2].partition("\nTRANSACTIONS\n")[0]
        return "\n" + part if part else " (InnoDB knows of none)"

    def mark(self):
        """Begins a new span for `longest`; returns the last one's, in milliseconds."""
        with self._mark:
            longest, self.longest, self.slowest = self.longest, 0.0, ""
        return longest * 1000

    def stop(self):
        """Ends all threads; fails when a statement failed or nothing was written. The longest statement in ms."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"
        assert not self.errors, f"{len(self.errors)} statements of the application failed: {self.errors[:3]}"
        assert self.done > 0, "the application wrote nothing"
        return self.longest * 1000

    def end(self):
        """Ends all threads, whatever they met."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


# ---- comparing ------------------------------------------------------------------------------------------------

def columns_of(my, database, table):
    """(name, data type, is generated) in their order, those that are hidden as well."""
    return [(name, kind.lower(), "GENERATED" in extra.upper() and "DEFAULT_GENERATED" not in extra.upper())
            for name, kind, extra in my.query(
                "SELECT COLUMN_NAME, DATA_TYPE, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "
                f"'{database}' AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION")]


def _bytes_of(name, kind):
    column = ident(name)
    if kind in ("float", "double"):
        return f"HEX(CAST({column} + 0e0 AS CHAR))"
    if kind in ("char", "varchar", "binary", "varbinary", "bit", "enum", "set", "geometry", "point", "inet6", "uuid") or \
            kind.endswith(("text", "blob", "string", "polygon", "point")):
        return f"HEX({column})"
    return f"HEX(CAST({column} AS CHAR))"


def rows_of(my, database, table, columns):
    """All rows, as sorted tuples of hexadecimal bytes; None for NULL."""
    kinds = {name: kind for name, kind, _ in columns_of(my, database, table)}
    listed = ", ".join(_bytes_of(name, kinds[name]) for name in columns)
    with my.connect(database) as conn, conn.cursor() as cursor:
        cursor.execute("SET SESSION time_zone = '+00:00'")
        cursor.execute(f"SELECT {listed} FROM {ident(table)}")
        return sorted(cursor.fetchall(), key=lambda row: tuple(value or "" for value in row))


def assert_equal_rows(my, database, twin, table, but=()):
    """Every row of the table in one database is byte for byte in the other, in all columns of the twin; their number."""
    columns = [name for name, _, _ in columns_of(my, twin, table) if name not in but]
    mine, theirs = (rows_of(my, name, table, columns) for name in (database, twin))
    if mine == theirs:
        return len(mine)
    left, right = set(mine), set(theirs)
    raise AssertionError(f"{len(mine)} rows in {database}, {len(theirs)} in {twin}; columns {columns}\n"
                         f"only in {database}: {len(left - right)}, {sorted(left - right, key=str)[:3]}\n"
                         f"only in {twin}: {len(right - left)}, {sorted(right - left, key=str)[:3]}")

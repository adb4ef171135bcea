"""One server of script/bench rehearse with a table at its full size, and what happens to it."""
import heapq
import os
import random
import shutil
import subprocess
import threading
import time

import psycopg
import pymysql

from bench import measure
from bench.my_measure import settings_of
from bench.shapes import SPEECH, TABLE, shapes
from test.lib.my_servers import MyServer
from test.lib.servers import Server

SESSIONS, WARM_SECONDS, SETTLE_SECONDS = 8, 2.0, 0.5
BASE, COPY = "shop", "shop_plain"


class PostgresSide:
    name = "postgres"

    def __init__(self, home, version):
        self.server = Server(home, version, durable=True, settings=measure.SETTINGS)

    def url(self, database=BASE):
        return self.server.url(database)

    def connect(self, database=BASE):
        return psycopg.connect(self.server.url(database), autocommit=True)

    def run(self, statement, database=BASE):
        with self.connect(database) as connection:
            connection.execute(statement)

    def make(self, statements, seed):
        with self.server.connect() as connection:
            connection.execute(f"CREATE DATABASE {BASE}")
        with self.connect() as connection:
            connection.execute(f"SELECT setseed({seed % 1000 / 1000})")
            for statement in statements:
                connection.execute(statement)
            connection.execute("VACUUM ANALYZE")
        with self.server.connect() as connection:
            connection.execute(f"CREATE DATABASE {COPY} TEMPLATE {BASE}")
            connection.execute("CHECKPOINT")

    def log_bytes(self, connection):
        return int(connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").fetchone()[0])

    def rest(self):
        with self.server.connect() as connection:
            connection.execute("CHECKPOINT")

    def end(self):
        self.server.stop("immediate")
        shutil.rmtree(self.server.folder, ignore_errors=True)


class MySession:
    """A connection that is used as psycopg's is."""

    def __init__(self, server, database):
        self.connection = server.connect(database)

    def execute(self, statement):
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return cursor

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    close = __exit__


class MariaDbSide:
    name = "mariadb"

    def __init__(self, home, name):
        self.server = MyServer(home, name, durable=True, settings=settings_of(name))

    def url(self, database=BASE):
        return self.server.url(database)

    def connect(self, database=BASE):
        return MySession(self.server, database)

    def run(self, statement, database=BASE):
        with self.connect(database) as connection:
            for each in statement.split("; "):
                connection.execute(each)

    def make(self, statements, seed):
        for database in (BASE, COPY):
            self.server.query(f"CREATE DATABASE {database}")
        with self.connect() as connection:
            connection.execute(f"SET rand_seed1 = {seed % 2 ** 30}, rand_seed2 = {seed % 2 ** 29 + 7}")
            for statement in statements:
                connection.execute(statement)
            tables = [name for name, in connection.execute("SHOW TABLES").fetchall()]
            connection.execute(f"ANALYZE TABLE {', '.join(tables)}")
            self._copy(connection, tables)

    def _copy(self, connection, tables):
        """Page by page, as a copied data directory would be."""
        with self.connect(COPY) as copy:
            copy.execute("SET foreign_key_checks = 0")
            for table in tables:
                copy.execute(connection.execute(f"SHOW CREATE TABLE {table}").fetchone()[1])
                copy.execute(f"ALTER TABLE {table} DISCARD TABLESPACE")
            connection.execute(f"FLUSH TABLES {', '.join(tables)} FOR EXPORT")
            for table in tables:
                for ending in ("ibd", "cfg"):
                    made = self.server.data / COPY / f"{table}.{ending}"
                    shutil.copyfile(self.server.data / BASE / f"{table}.{ending}", made)
                    owner = os.stat(self.server.data / BASE)
                    if os.geteuid() == 0:
                        os.chown(made, owner.st_uid, owner.st_gid)
            connection.execute("UNLOCK TABLES")
            for table in tables:
                copy.execute(f"ALTER TABLE {table} IMPORT TABLESPACE")
            copy.execute(f"ANALYZE TABLE {', '.join(tables)}")

    def log_bytes(self, connection):
        return int(connection.execute("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                                      "'INNODB_LSN_CURRENT'").fetchone()[0])

    def rest(self):
        os.sync()

    def end(self):
        self.server.end()
        shutil.rmtree(self.server.folder, ignore_errors=True)


class Application:
    """Reads, updates and inserts in the shares that a rehearsal takes where the source does not tell, in open loop: a
    latency counts from the time that a statement was due."""

    def __init__(self, side, database, shape, rows, rate):
        self.side, self.database, self.shape, self.rows, self.rate = side, database, shape, rows, rate
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.errors, self.first_error, self.latencies, self.next, self.begun = 0, "", [], 0, time.monotonic()
        self.fresh = rows + 1
        self.threads = [threading.Thread(target=self._session, daemon=True) for _ in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def _filter(self, number):
        values = {"id": number, "tenant": number % 50}
        if self.shape.columns[0][1].startswith("char"):
            word = SPEECH[self.side.name].word(number, 32)
            return f"id = {word}"
        return " AND ".join(f"{name} = {values[name]}" for name in self.shape.key)

    def _statement(self, chance):
        number = chance.randint(1, self.rows)
        which = chance.random()
        if which < 0.6:
            return f"SELECT * FROM {TABLE} WHERE {self._filter(number)}"
        if which < 0.85:
            return f"UPDATE {TABLE} SET label = 'changed{number % 100}' WHERE {self._filter(number)}"
        with self.lock:
            number, self.fresh = self.fresh, self.fresh + 1
        names = ", ".join(name for name, _, _ in self.shape.columns)
        values = ", ".join(value for _, _, value in self.shape.columns)
        return f"INSERT INTO {TABLE} ({names}) SELECT {values} FROM (SELECT {number} AS i) AS numbers"

    def _session(self):
        connection = self.side.connect(self.database)
        while not self.stopping.is_set():
            with self.lock:
                number, self.next = self.next, self.next + 1
            due = self.begun + number / self.rate
            if self.stopping.wait(max(0, due - time.monotonic())):
                break
            try:
                connection.execute(self._statement(random.Random(number)))
            except (psycopg.Error, pymysql.Error) as problem:
                with self.lock:
                    self.errors += 1
                    self.first_error = self.first_error or str(problem)
            with self.lock:
                heapq.heappush(self.latencies, time.monotonic() - due)
        connection.close()

    def mark(self):
        """Seconds of each statement since the last mark."""
        with self.lock:
            latencies, self.latencies = self.latencies, []
        return latencies

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def beside(side, database, shape, rows, rate, work):
    """Does the work beside the application: what it took, the longest wait, the log less the application's share."""
    side.rest()
    application = Application(side, database, shape, rows, rate)
    try:
        with side.connect(database) as meter:
            time.sleep(WARM_SECONDS / 2)
            application.mark()
            log, started = side.log_bytes(meter), time.monotonic()
            time.sleep(WARM_SECONDS)
            quiet_rate = (side.log_bytes(meter) - log) / (time.monotonic() - started)
            quiet = application.mark()
            log, started = side.log_bytes(meter), time.monotonic()
            result = work()
            seconds = time.monotonic() - started
            log = side.log_bytes(meter) - log - quiet_rate * seconds
            time.sleep(SETTLE_SECONDS)
            waits = application.mark()
    finally:
        application.stop()
    waits += application.mark()
    return {"result": result, "seconds": seconds, "log": max(0, log), "own_log": quiet_rate * seconds,
            "stall_ms": 1000 * max(waits, default=0), "quiet_ms": 1000 * max(quiet, default=0),
            "errors": application.errors, "first_error": application.first_error}


def side_of(home, engine, options):
    return PostgresSide(home, options.server) if engine == "postgres" else MariaDbSide(home, options.mariadb)


def shape_of(engine, name, rows):
    return shapes(SPEECH[engine], rows)[name]


def stoa(folder, *args, check=True):
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "MYSQL", "STOA_"))}
    done = subprocess.run([str(measure.STOA), *map(str, args)], env={**keep, "HOME": str(folder), "NO_COLOR": "1"},
                          capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"stoa {args[0]} ends with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout

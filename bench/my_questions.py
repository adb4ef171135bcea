"""The open questions about key-based apply, asked of real servers: python3 -m bench.my_questions [SERVER…]

Prints what docs/mysql-measurements.md holds.
"""
import random
import statistics
import sys
import threading
import time

import pymysql

from test.lib.my_servers import MyServer
from test.lib.my_tools import changes
from test.lib.servers import Home

RC = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
SECONDS, ROUNDS = 2, 5


def session(my, database="q"):
    conn = my.connect(database)
    cursor = conn.cursor()
    cursor.execute(RC)
    cursor.execute("SET SESSION innodb_lock_wait_timeout = 5")
    return cursor


# ---- 1: what locking reads cost the application's writers ---------------------------------------------------

def writer(my, rows, until, out, errors):
    cursor = session(my)
    while time.monotonic() < until:
        begun = time.monotonic()
        try:
            cursor.execute("BEGIN")
            for key in sorted(random.sample(range(rows), 2), reverse=random.random() < 0.2):
                cursor.execute(f"UPDATE t SET v = v + 1 WHERE id = {key}")
            cursor.execute("COMMIT")
            out.append((time.monotonic() - begun) * 1000)
        except pymysql.err.MySQLError as problem:
            errors.append(problem.args[0])
            cursor.execute("ROLLBACK")


def apply_plain(cursor, keys, _share):
    cursor.execute("BEGIN")
    cursor.execute(f"DELETE FROM s WHERE id IN ({keys})")
    cursor.execute(f"INSERT INTO s SELECT * FROM t WHERE id IN ({keys})")
    cursor.execute("COMMIT")


def apply_naive(cursor, keys, share):
    cursor.execute("BEGIN")
    cursor.execute(f"DELETE FROM s WHERE id IN ({keys})")
    cursor.execute(f"INSERT INTO s SELECT * FROM t WHERE id IN ({keys}) {share}")
    cursor.execute("COMMIT")


def apply_waiting(cursor, keys, share):
    cursor.execute("BEGIN")
    cursor.execute(f"SELECT id FROM t WHERE id IN ({keys}) {share}")
    cursor.execute(f"DELETE FROM s WHERE id IN ({keys})")
    cursor.execute(f"INSERT INTO s SELECT * FROM t WHERE id IN ({keys}) {share}")
    cursor.execute("COMMIT")


def apply_nowait(cursor, keys, share):
    apply_waiting(cursor, keys, share + " NOWAIT")


def applier(my, rows, until, how, batch, done, errors):
    cursor = session(my)
    share = "LOCK IN SHARE MODE" if my.is_mariadb else "FOR SHARE"
    while time.monotonic() < until:
        keys = ",".join(map(str, random.sample(range(rows), batch)))
        try:
            how(cursor, keys, share)
            done.append(batch)
        except pymysql.err.MySQLError as problem:
            errors.append(problem.args[0])
            cursor.execute("ROLLBACK")


def contention(my):
    rows = 400
    cases = [("no apply", None, 0), ("plain read, 20 keys", apply_plain, 20),
             ("delete, then locking read, 20 keys", apply_naive, 20), ("locking read first, waits, 20 keys", apply_waiting, 20),
             ("locking read first, waits, 1 key", apply_waiting, 1), ("locking read first, NOWAIT, 20 keys", apply_nowait, 20),
             ("locking read first, NOWAIT, 1 key", apply_nowait, 1)]
    cursor = session(my)
    for table in "ts":
        cursor.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, v INT, pad CHAR(200)) ENGINE=InnoDB")
    cursor.executemany("INSERT INTO t VALUES (%s, 0, 'x')", [(i,) for i in range(rows)])
    sums = {case[0]: ([], [], [], []) for case in cases}
    for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all of them
        for name, how, batch in random.sample(cases, len(cases)):
            until = time.monotonic() + SECONDS
            times, errors, done, apply_errors = sums[name]
            threads = [threading.Thread(target=writer, args=(my, rows, until, times, errors)) for _ in range(4)]
            if how:
                threads += [threading.Thread(target=applier, args=(my, rows, until, how, batch, done, apply_errors))
                            for _ in range(2)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
    for name, (times, errors, done, apply_errors) in sums.items():
        cuts, seconds = statistics.quantiles(times, n=100), SECONDS * ROUNDS
        print(f"| {my.name} | {name} | {len(times) / seconds:.0f} | {cuts[49]:.1f} | {cuts[98]:.1f} | {max(times):.0f} | "
              f"{len(errors)} | {sum(done) / seconds:.0f} | {len(apply_errors) / seconds:.0f} |", flush=True)


# ---- 2: keys that a collation takes for one ----------------------------------------------------------------

def spellings(my):
    cursor = session(my)
    for shadow in ("utf8mb4_general_ci", "utf8mb4_bin"):
        for table, collation in (("c", "utf8mb4_general_ci"), ("cs", shadow)):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
            cursor.execute(f"CREATE TABLE {table} (k VARCHAR(10) CHARACTER SET utf8mb4 COLLATE {collation} PRIMARY KEY, "
                           f"v INT) ENGINE=InnoDB")
        gtid = my.query("SELECT @@GLOBAL.gtid_binlog_pos" if my.is_mariadb else "SELECT @@GLOBAL.gtid_executed")[0][0]
        words = ["a", "A", "ä", "Ä", "a ", "A  ", "b", "B", "ab", "AB", "aB"]
        for i in range(1500):
            word, other = random.choice(words), random.choice(words)
            sql = random.choice([f"INSERT IGNORE INTO c VALUES ('{word}', {i})", f"DELETE FROM c WHERE k = '{word}'",
                                 f"UPDATE IGNORE c SET k = '{other}', v = {i} WHERE k = '{word}'",
                                 f"REPLACE INTO c VALUES ('{word}', {i})"])
            cursor.execute(sql)
        lines, err = changes(my.url(), "q.c", gtid=gtid.replace("\n", ""), idle=500)
        assert err == "", err
        keys = list({line[when][0] for line in lines for when in ("before", "after") if line.get(when)})
        # stale rows, as a chunk might have copied them; those that collide are not copied
        cursor.executemany("INSERT IGNORE INTO cs VALUES (%s, -1)", [(word,) for word in words])
        random.shuffle(keys)
        for key in keys:
            cursor.execute("BEGIN")
            cursor.execute(f"DELETE FROM cs WHERE k = {key}")
            cursor.execute(f"INSERT INTO cs SELECT * FROM c WHERE k = {key} AND NOT EXISTS "
                           f"(SELECT 1 FROM cs x WHERE x.k = c.k)" if shadow.endswith("bin") else
                           f"INSERT INTO cs SELECT * FROM c WHERE k = {key}")
            cursor.execute("COMMIT")
        differ = "SELECT COUNT(*) FROM {0} l LEFT JOIN {1} r ON HEX(l.k) = HEX(r.k) AND l.v = r.v WHERE r.k IS NULL"
        counts = []
        for left, right in (("c", "cs"), ("cs", "c")):
            cursor.execute(differ.format(left, right))
            counts.append(cursor.fetchone()[0])
        print(f"| {my.name} | {shadow} | {len(keys)} | {counts[0]} | {counts[1]} |", flush=True)


# ---- 3: INSERT ... SELECT into an AUTO_INCREMENT table ------------------------------------------------------

def timed(my, sql, out):
    cursor = session(my)
    begun = time.monotonic()
    cursor.execute(sql)
    out.append((time.monotonic() - begun) * 1000)


def autoinc(my, mode):
    cursor = session(my)
    cursor.execute("CREATE TABLE src (id INT PRIMARY KEY AUTO_INCREMENT, v INT, pad CHAR(100)) ENGINE=InnoDB")
    cursor.execute("INSERT INTO src (v, pad) VALUES (1, 'x')")
    for _ in range(17):
        cursor.execute("INSERT INTO src (v, pad) SELECT v, pad FROM src")
    cursor.execute("SELECT MIN(id), MAX(id) FROM src")
    low, high = cursor.fetchone()
    half = (low + high) // 2
    for kind, column in (("AUTO_INCREMENT", "INT PRIMARY KEY AUTO_INCREMENT"), ("plain key", "INT PRIMARY KEY")):
        def fresh():
            cursor.execute("DROP TABLE IF EXISTS sh")
            cursor.execute(f"CREATE TABLE sh (id {column}, v INT, pad CHAR(100)) ENGINE=InnoDB")
        first = f"INSERT INTO sh SELECT * FROM src WHERE id < {half}"
        second = f"INSERT INTO sh SELECT * FROM src WHERE id >= {half}"
        fresh()
        alone = []
        timed(my, first, alone)
        fresh()
        both, small, values = [], [], []
        threads = [threading.Thread(target=timed, args=(my, sql, both)) for sql in (first, second)]
        begun = time.monotonic()
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        together = (time.monotonic() - begun) * 1000
        fresh()
        # what apply would do while a chunk is copied, and what the application's INSERT would do
        chunk = []
        thread = threading.Thread(target=timed, args=(my, first, chunk))
        thread.start()
        time.sleep(0.05)
        timed(my, f"INSERT INTO sh SELECT * FROM src WHERE id = {high}", small)
        thread.join()
        fresh()
        thread = threading.Thread(target=timed, args=(my, first, chunk))
        thread.start()
        time.sleep(0.05)
        timed(my, f"INSERT INTO sh VALUES ({high + 5}, 1, 'x')", values)
        thread.join()
        print(f"| {my.name} | {mode} | {kind} | {alone[0]:.0f} | {together:.0f} | {max(chunk):.0f} | {small[0]:.0f} | "
              f"{values[0]:.0f} |", flush=True)


def main():
    home = Home()
    try:
        for name in sys.argv[1:] or ["mariadb-10.11", "mysql-9.7"]:
            for mode in (1, 2):
                my = MyServer(home, name, durable=True, settings={"innodb_autoinc_lock_mode": mode})
                my.query("CREATE DATABASE q CHARACTER SET utf8mb4")
                if mode == 1:
                    contention(my)
                    spellings(my)
                autoinc(my, mode)
                my.end()
    finally:
        home.close()


if __name__ == "__main__":
    main()

"""The cutover of a shadow table: under fire, with every session and the process killed at every step.

STOA_FIRE=300 makes the long run of it. The application's statements must all succeed, with exactly one row each, so a
row that a cutover loses or doubles is met by the next statement, and at the end every row is compared.
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import threading
import time

import pymysql
import pytest

from test.lib.my_servers import MyServer
from test.lib.servers import until
from test.lib.stoa import BUILD

TOOL = BUILD / "test" / "tool" / "stoa-my-swap-tool"
CUTOVERS = int(os.environ.get("STOA_FIRE", "30"))
STALL_MS = 1000
ACCOUNTS, BALANCE = 20, 1000
KEY = "CONSTRAINT t_parent FOREIGN KEY (parent) REFERENCES parents (id)"
SENTRY_STEPS = ["opened", "sentry_made", "granted", "drained", "snapshots", "keys_off", "keys_on", "rename_sent", "proved",
                "sentry_dropped"]
LOCK_STEPS = ["opened", "granted", "drained", "snapshots", "keys_off", "keys_on", "renamed"]


def steps_of(my):
    return SENTRY_STEPS if my.is_mariadb or my.version < (8,) else LOCK_STEPS


@pytest.fixture
def shop(my):
    """A database with the table, and the user that swaps."""
    name = f"swap_{random.randrange(10 ** 9)}"
    my.query(f"CREATE DATABASE {name}")
    my.query("CREATE TABLE parents (id INT PRIMARY KEY) ENGINE=InnoDB", name)
    my.query("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, note VARCHAR(40) NOT NULL, parent INT NULL, KEY (v), "
             f"KEY t_parent (parent), {KEY}) ENGINE=InnoDB", name)
    my.query("CREATE TABLE other (id INT PRIMARY KEY) ENGINE=InnoDB", name)
    my.query("INSERT INTO other VALUES (1)", name)
    my.query("INSERT INTO t (id, v, note) VALUES " + ",".join(f"({i},{BALANCE},'account')" for i in range(1, ACCOUNTS + 1)), name)
    grant(my, "swapper", f"GRANT ALL ON {name}.* TO swapper@'%'", "GRANT PROCESS ON *.* TO swapper@'%'",
          "GRANT SELECT ON performance_schema.* TO swapper@'%'")
    yield name
    my.query(f"DROP DATABASE {name}")


def grant(my, user, *grants):
    if not my.query(f"SELECT 1 FROM mysql.user WHERE user = '{user}'"):
        my.query(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'")
    for sql in grants:
        my.query(sql)


def start(my, shop, *options, user="swapper", failpoint=None):
    words = [TOOL, "--url", my.url(user=user, password="pw"), "--schema", shop, "--stall", STALL_MS,
             "--keys-off", "DROP FOREIGN KEY t_parent", "--keys-on", f"ADD {KEY}", *options]
    environment = {**os.environ, **({"STOA_FAILPOINT": failpoint} if failpoint else {})}
    return subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            env=environment)


def finish(process, code=0):
    out = process.communicate(timeout=120)[0]
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == code, (process.returncode, lines)
    return lines


def swap(my, shop, *options, code=0, **how):
    return finish(start(my, shop, *options, **how), code)


def session(my, shop, role):
    """The session of a cutover under way: by the user-level locks that it keeps; the control session came first."""
    if role == "control":
        return my.query("SELECT MIN(ID) FROM information_schema.PROCESSLIST WHERE USER = 'swapper'")[0][0]
    digest = hashlib.sha256(f"{shop}.t".encode()).hexdigest()[:32]
    return my.query(f"SELECT IS_USED_LOCK('stoa.swap_{role}.{digest}')")[0][0]


def is_stopped(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def tables(my, shop):
    return {row[0] for row in my.query("SHOW TABLES", shop)}


class Application:
    """Writers, readers of the shadow, and transactions whose snapshot is older than their first look at the table."""

    def __init__(self, my, shop, writers=8, snapshots=3, peekers=2):
        self.my, self.shop, self.problems, self.rows, self.waits = my, shop, [], {}, []
        self.over, self.statements, self.held = threading.Event(), 0, 0
        self.threads = [threading.Thread(target=self._guard, args=(self._write, number)) for number in range(1, writers)]
        self.threads += [threading.Thread(target=self._guard, args=(self._transfer, 0))]
        self.threads += [threading.Thread(target=self._guard, args=(self._parents, 0))]
        self.threads += [threading.Thread(target=self._guard, args=(self._look_back, n)) for n in range(snapshots)]
        self.threads += [threading.Thread(target=self._guard, args=(self._peek, n)) for n in range(peekers)]
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        self.begun, self.attempts = time.monotonic(), []

    def _guard(self, what, number):
        try:
            with self.my.connect(self.shop) as conn, conn.cursor() as cursor:
                what(cursor, number)
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(f"{what.__name__} {number}: {problem!r}")

    def _run(self, cursor, sql, rows=None):
        begun = time.monotonic()
        cursor.execute(sql)
        took = time.monotonic() - begun
        if took > 0.01:
            self.waits.append((begun, took))
        self.statements += 1
        if rows is not None and cursor.rowcount != rows:
            self.problems.append(f"{sql}: {cursor.rowcount} rows")

    def _write(self, cursor, number):
        rows, following, dice = {}, number * 10 ** 6, random.Random(number)
        while not self.over.is_set():
            grouped = number % 2 == 0
            if grouped:
                self._run(cursor, "BEGIN")
            for _ in range(3 if grouped else 1):
                what = dice.random()
                if what < 0.4 and len(rows) < 40 or not rows:
                    following += 1
                    rows[following] = dice.randrange(10 ** 6)
                    self._run(cursor, f"INSERT INTO t (id, v, note) VALUES ({following}, {rows[following]}, 'w{number}')", 1)
                elif what < 0.75:
                    key = dice.choice(list(rows))
                    rows[key] += 1
                    self._run(cursor, f"UPDATE t SET v = v + 1 WHERE id = {key}", 1)
                else:
                    key = dice.choice(list(rows))
                    del rows[key]
                    self._run(cursor, f"DELETE FROM t WHERE id = {key}", 1)
            if grouped:
                self._run(cursor, "COMMIT")
            time.sleep(dice.random() * 0.02)
        self.rows.update(rows)

    def _transfer(self, cursor, _):
        dice = random.Random(1)
        while not self.over.is_set():
            one, two = sorted(dice.sample(range(1, ACCOUNTS + 1), 2))
            self._run(cursor, "BEGIN")
            self._run(cursor, f"UPDATE t SET v = v - 1 WHERE id = {one}", 1)
            self._run(cursor, f"UPDATE t SET v = v + 1 WHERE id = {two}", 1)
            self._run(cursor, "COMMIT")
            time.sleep(dice.random() * 0.02)

    def _parents(self, cursor, _):
        """Parents that come, get a child, lose it, get another key, and go: no row of another table may hold them."""
        dice, number = random.Random(2), 0
        while not self.over.is_set():
            number += 1
            account = dice.randrange(1, ACCOUNTS + 1)
            self._run(cursor, f"INSERT INTO parents VALUES ({number})", 1)
            self._run(cursor, f"UPDATE t SET parent = {number} WHERE id = {account}", 1)
            time.sleep(dice.random() * 0.01)
            self._run(cursor, f"UPDATE t SET parent = NULL WHERE id = {account}", 1)
            if number % 2:
                self._unless_held(cursor, f"UPDATE parents SET id = -{number} WHERE id = {number}")
            self._unless_held(cursor, f"DELETE FROM parents WHERE id = {-number if number % 2 else number}")

    def _unless_held(self, cursor, sql):
        """The keys of a cutover whose session or process was killed hold parents until the next one looks; counted."""
        while True:
            try:
                return self._run(cursor, sql, 1)
            except pymysql.err.IntegrityError as problem:
                if problem.args[0] != 1451:
                    raise
                self.held += 1
                time.sleep(0.02)

    def _look_back(self, cursor, number):
        dice = random.Random(100 + number)
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        while not self.over.is_set():
            if dice.random() < 0.5:
                cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            else:
                cursor.execute("BEGIN")
                cursor.execute("SELECT * FROM other")
                cursor.fetchall()
            time.sleep(dice.random() * 0.03)
            cursor.execute(f"SELECT COUNT(*), SUM(v) FROM t WHERE id <= {ACCOUNTS}")
            seen = cursor.fetchall()[0]
            if (seen[0], int(seen[1] or 0)) != (ACCOUNTS, ACCOUNTS * BALANCE):
                self.problems.append(f"a snapshot of before the cutover saw {seen}")
            cursor.execute("COMMIT")
            time.sleep(0.1 + dice.random() * 0.5)

    def _peek(self, cursor, _):
        while not self.over.is_set():
            try:
                cursor.execute("SELECT COUNT(*), SUM(v) FROM t__stoa_new")
                cursor.fetchall()
            except pymysql.err.MySQLError as problem:
                if problem.args[0] not in (1146, 1412):
                    raise
            time.sleep(0.01)

    def longest(self, begun, ended):
        """Milliseconds of the longest statement that overlaps."""
        return 1000 * max((took for at, took in self.waits if at < ended and at + took > begun), default=0)

    def noise(self):
        """Milliseconds of the longest statement outside of all attempts: this machine's own."""
        return 1000 * max((took for at, took in list(self.waits)
                           if not any(at < ended and at + took > begun for begun, ended in self.attempts)), default=0)

    def close(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.problems, self.problems[:5]
        found = dict(self.my.query(f"SELECT id, v FROM t WHERE id > {ACCOUNTS}", self.shop))
        assert found == self.rows
        assert self.my.query(f"SELECT COUNT(*), SUM(v) FROM t WHERE id <= {ACCOUNTS}", self.shop)[0] == (
            ACCOUNTS, ACCOUNTS * BALANCE)
        keys = self.my.query("SELECT TABLE_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'FOREIGN KEY' "
                             f"AND TABLE_SCHEMA = '{self.shop}' AND CONSTRAINT_NAME = 't_parent'")
        assert [row[0] for row in keys] == ["t"]


def waits(application, lines):
    """The longest wait of the application in each of these attempts, in ms."""
    times = [(line["begun"] / 1000, line["ended"] / 1000) for line in lines if "begun" in line]
    application.attempts += times
    return [application.longest(*pair) for pair in times]


def is_done(lines):
    return [line["done"] for line in lines if "done" in line][-1]


def disturbed(my, shop, step, victim, *options):
    """A cutover whose `victim` dies at this step; it is done in the end, by it or by a second process."""
    options = ["--tries", 100, *options]
    if victim == "process":
        lines = finish(start(my, shop, *options, failpoint=f"swap_{step}=kill:1"), -signal.SIGKILL)
        return lines + swap(my, shop, *options)
    process = start(my, shop, *options, failpoint=f"swap_{step}=pause:1")
    until(lambda: is_stopped(process) or process.poll() is not None, 60, "the step to be reached", 0.002)
    assert process.poll() is None, f"{step} was not reached"
    try:
        my.query(f"KILL {session(my, shop, victim)}")
    except pymysql.err.MySQLError as problem:
        assert problem.args[0] == 1094, problem  # gone already
    process.send_signal(signal.SIGCONT)
    return finish(process)


def test_under_fire(my, shop, capsys):
    dice = random.Random(7)
    deaths = [(step, victim) for step in steps_of(my) for victim in ("lock", "second", "control", "process")]
    dice.shuffle(deaths)
    application = Application(my, shop)
    quiet, hit, attempts, snapshots = [], [], 0, 0
    try:
        for number in range(CUTOVERS):
            if number % 2 == 0:
                held = application.held
                lines = swap(my, shop, "--tries", 100)
                assert application.held == held, "a parent was held by rows of another table, and nobody had died"
                quiet += waits(application, lines)
            else:
                lines = disturbed(my, shop, *deaths[number // 2 % len(deaths)])
                hit += waits(application, lines)
            attempts += len([line for line in lines if "done" in line])
            snapshots += len([line for line in lines if line.get("old_snapshot")])
            assert is_done(lines), lines
            assert not application.problems, (number, lines, application.problems[:5])
    finally:
        application.close()
    said = (f"{my.name}: {CUTOVERS} cutovers in {attempts} attempts ({snapshots} given up for old snapshots), "
            f"{application.statements} statements, 0 errors, 0 rows lost or doubled, {application.held} times a parent held "
            f"behind a death; longest wait in an attempt: p50 {statistics.median(quiet):.0f} ms, max {max(quiet):.0f} ms; "
            f"with deaths p50 {statistics.median(hit):.0f} ms, max {max(hit):.0f} ms; between them {application.noise():.0f} ms")
    with capsys.disabled():
        print(f"\n{said}")
    if "STOA_FIRE_OUT" in os.environ:  # where several run at once, what they print is not seen
        with open(os.environ["STOA_FIRE_OUT"], "a") as out:
            out.write(said + "\n")
    assert max(quiet + hit) < STALL_MS + 100 + application.noise()


def test_every_session_dies_at_every_step(my, shop):
    application = Application(my, shop, writers=3, snapshots=0, peekers=1)
    try:
        for step in steps_of(my):
            for victim in ("lock", "second", "control", "process"):
                lines = disturbed(my, shop, step, victim)
                assert is_done(lines), (step, victim, lines)
                assert not application.problems, (step, victim, lines, application.problems[:3])
    finally:
        application.close()


def test_there_and_back(my, shop):
    application = Application(my, shop, writers=4, snapshots=0, peekers=0)
    try:
        lines = swap(my, shop, "--count", 4, "--tries", 50, "--back")
        assert len([line for line in lines if line.get("done")]) == 8
    finally:
        application.close()
    assert tables(my, shop) == {"t", "other", "parents", "t__stoa_new"}


# ---- who is in the way ------------------------------------------------------------------------------------


def test_an_open_transaction_is_named(my, shop):
    application = Application(my, shop, writers=3, snapshots=0, peekers=0)
    try:
        with my.connect(shop) as conn, conn.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id, note FROM t WHERE id = 3")
            time.sleep(1.1)
            line = swap(my, shop, code=1)[0]
            assert not line["done"]
            assert f"pid {conn.thread_id()} (root@localhost)" in line["blocker"], line
            # Its snapshot is older than the copy, too; whole seconds make two of 1.1, and then that is seen first.
            assert "idle in transaction" in line["blocker"] or (line["old_snapshot"] and line["waited"] == 0), line
            if not my.is_mariadb and my.version > (8,):  # the server tells who holds what: nobody was made to wait
                assert not line["old_snapshot"]
                assert "SELECT id, note FROM t" in line["blocker"] and line["waited"] == 0
                assert waits(application, [line])[0] < 100 + application.noise()
            else:
                assert waits(application, [line])[0] < STALL_MS / 3 + 250 + application.noise()
            conn.commit()
        assert swap(my, shop, "--tries", 20)[-1]["done"]
    finally:
        application.close()


def test_maria_tells_with_its_plugin(my, shop):
    if not my.is_mariadb:
        return
    if not pathlib.Path(my.query("SELECT @@plugin_dir")[0][0], "metadata_lock_info.so").exists():
        with my.connect(shop) as conn, conn.cursor() as cursor:  # then it goes by transactions
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM t WHERE id = 3")
            time.sleep(1.1)
            assert f"pid {conn.thread_id()} (root@localhost), " in swap(my, shop, code=1)[0]["blocker"]
        return
    my.query("INSTALL SONAME 'metadata_lock_info'")
    try:
        with my.connect(shop) as conn, conn.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM t WHERE id = 3")
            time.sleep(1.1)
            line = swap(my, shop, code=1)[0]
            assert line["waited"] == 0 and f"pid {conn.thread_id()} (root@localhost), idle in transaction" in line["blocker"]
            conn.commit()
        test_every_session_dies_at_every_step(my, shop)  # the proof asks the plugin, too
    finally:
        my.query("UNINSTALL SONAME 'metadata_lock_info'")


def test_a_long_reader_of_the_shadow_does_not_stall_the_source(my, shop):
    process = start(my, shop, "--tries", 40, failpoint="swap_opened=pause:1")
    until(lambda: is_stopped(process), 30, "the sessions to be open")
    application = Application(my, shop, writers=3, snapshots=0, peekers=0)
    try:
        with my.connect(shop) as conn, conn.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT COUNT(*) FROM t__stoa_new")
            process.send_signal(signal.SIGCONT)
            time.sleep(1.5)
            conn.commit()
        lines = finish(process)
        named = [line["blocker"] for line in lines if line["blocker"]]
        assert any(f"pid {conn.thread_id()} " in blocker for blocker in named) and lines[-1]["done"], named
        assert max(waits(application, lines)) < STALL_MS / 3 + 250 + application.noise()
    finally:
        application.close()


def test_a_slow_drain_is_given_up(my, shop):
    application = Application(my, shop, writers=3, snapshots=0, peekers=0)
    try:
        line = swap(my, shop, "--hold", 800, code=1)[0]
        assert not line["done"] and "the last changes" in line["blocker"]
        assert waits(application, [line])[0] < STALL_MS + 100 + application.noise()
    finally:
        application.close()


# ---- snapshots --------------------------------------------------------------------------------------------


SNAPSHOTS = {  # what a session does before, and whether it is in the way
    "a consistent snapshot": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                               "START TRANSACTION WITH CONSISTENT SNAPSHOT"], True),
    "read something else": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN", "SELECT * FROM other"], True),
    "read only": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY",
                   "SELECT * FROM other"], True),
    "read and written": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN", "SELECT * FROM other",
                          "INSERT INTO other VALUES (7)"], True),
    "only begun": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN"], False),
    "only written": (["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN", "INSERT INTO other VALUES (8)"], False),
    "read committed": (["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN", "SELECT * FROM other"], False),
    "serializable": (["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN", "SELECT * FROM other"], None),  # where its locks go with one
}


@pytest.mark.parametrize("what", SNAPSHOTS)
def test_old_snapshots(my, shop, what):
    statements, blocks = SNAPSHOTS[what]
    if blocks is None:
        blocks = my.query("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'")[:1] == (("innodb_snapshot_isolation", "ON"),)
    level = "SERIALIZABLE" if what == "serializable" else "REPEATABLE READ"
    with my.connect(shop) as conn, conn.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
            cursor.fetchall()
        lines = swap(my, shop, "--tries", 1, code=1 if blocks else 0)
        assert lines[0]["old_snapshot"] == blocks and lines[0]["done"] == (not blocks), lines
        if blocks:
            assert f"pid {conn.thread_id()} (root@localhost), {level} with a snapshot" in lines[0]["blocker"]
            assert swap(my, shop, "--allow-old")[0]["done"]
        else:
            cursor.execute(f"SELECT COUNT(*) FROM t")
            assert cursor.fetchall()[0][0] == ACCOUNTS
        conn.rollback()


def test_a_select_that_runs_for_long_is_not_in_the_way(my, shop):
    with my.connect(shop) as conn, conn.cursor() as cursor:
        thread = threading.Thread(target=lambda: cursor.execute("SELECT COUNT(*), SLEEP(3) FROM other"))
        thread.start()
        until(lambda: any("SLEEP" in str(row[7]) for row in my.query("SHOW FULL PROCESSLIST")), 10, "it to run")
        assert swap(my, shop)[0]["done"]
        assert thread.is_alive()
        thread.join()


def test_the_list_of_transactions_may_be_old(my, shop):
    """Somebody reads INNODB_TRX all the time, so that it is never renewed."""
    over = threading.Event()

    def watch():
        with my.connect() as conn, conn.cursor() as cursor:
            while not over.is_set():
                cursor.execute("SELECT * FROM information_schema.INNODB_TRX")
                cursor.fetchall()
                time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        assert swap(my, shop)[0]["done"]  # nobody has a snapshot, and that is known without it
        with my.connect(shop) as conn, conn.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            line = swap(my, shop, code=1)[0]
            assert not line["done"] and line["old_snapshot"], line
    finally:
        over.set()
        thread.join()


def test_process_is_needed_to_see_them(my, shop):
    grant(my, "blind", f"GRANT ALL ON {shop}.* TO blind@'%'")
    line = swap(my, shop, user="blind", code=1)[0]
    assert line["error"] == "privilege" and "GRANT PROCESS ON *.* TO" in line["hint"]
    assert swap(my, shop, "--allow-old", user="blind")[0]["done"]
    grant(my, "blind", "GRANT PROCESS ON *.* TO blind@'%'")
    time.sleep(0.2)  # INNODB_TRX is all there is without performance_schema, and others have just read it
    assert swap(my, shop, "--tries", 3, user="blind")[-1]["done"]
    my.query("DROP USER blind@'%'")


# ---- what is left -----------------------------------------------------------------------------------------


def test_a_sentry_that_was_left_goes(my, shop):
    if steps_of(my) is LOCK_STEPS:
        return
    finish(start(my, shop, failpoint="swap_rename_sent=kill:1"), -signal.SIGKILL)
    until(lambda: "t__stoa_old" in tables(my, shop), 10, "the sentry to stay")
    assert swap(my, shop, "--look") == [{"state": "not done"}]
    assert tables(my, shop) == {"t", "other", "parents", "t__stoa_new"}


def test_a_table_of_somebody_else_stays(my, shop):
    swap(my, shop, "--tries", 0, code=1)  # makes the shadow
    my.query("CREATE TABLE t__stoa_old (id INT)", shop)
    line = swap(my, shop, code=1)[0]
    assert line["error"] in ("ambiguous", "unsafe"), line
    assert "t__stoa_old" in tables(my, shop)
    my.query("DROP TABLE t__stoa_old", shop)
    assert swap(my, shop)[0]["done"]


def test_half_a_rename_is_undone_where_it_can_happen(my, shop):
    swap(my, shop, "--tries", 0, code=1)
    my.query("RENAME TABLE t TO t__stoa_old", shop)
    atomic = my.version >= ((10, 6) if my.is_mariadb else (8,))
    assert swap(my, shop, "--look", code=1 if atomic else 0)[0] == {"state": "unknown" if atomic else "not done"}
    assert ("t" in tables(my, shop)) == (not atomic)


@pytest.mark.parametrize("step", ["granted", "drained", "rename_sent", "proved", "sentry_dropped", "renamed"])
def test_the_server_dies(myhome, my_name, step):
    my = MyServer(myhome, my_name, durable=True)
    if step not in steps_of(my):
        return
    my.query("CREATE DATABASE s")
    my.query("CREATE TABLE parents (id INT PRIMARY KEY) ENGINE=InnoDB", "s")
    my.query(f"CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, parent INT NULL, KEY t_parent (parent), {KEY}) "
             "ENGINE=InnoDB", "s")
    my.query("INSERT INTO t (id, v) VALUES (1, 1), (2, 2)", "s")
    grant(my, "swapper", "GRANT ALL ON s.* TO swapper@'%'", "GRANT PROCESS ON *.* TO swapper@'%'")
    process = start(my, "s", "--tries", 20, failpoint=f"swap_{step}=pause:1")
    until(lambda: is_stopped(process), 30, "the step")
    my.kill()
    process.send_signal(signal.SIGCONT)
    my.start()
    lines = finish(process)
    assert is_done(lines), lines
    assert my.query("SELECT id, v FROM t ORDER BY id", "s") == ((1, 1), (2, 2))
    assert my.query("SELECT DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 's' AND TABLE_NAME = 't' "
                    "AND COLUMN_NAME = 'v'")[0][0] == "bigint"
    my.end()


@pytest.mark.parametrize("what", [
    "CREATE TRIGGER seen AFTER INSERT ON t FOR EACH ROW SET @seen = 1",
    "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, t_id BIGINT, FOREIGN KEY (t_id) REFERENCES t (id)) ENGINE=InnoDB"])
def test_what_was_hung_on_the_source_is_not_lost(my, shop, what):
    swap(my, shop, "--tries", 0, code=1)
    my.query(what, shop)
    line = swap(my, shop, code=1)[0]
    assert line["error"] == "unsafe" and ("trigger" in line["message"] or "child" in line["message"]), line
    assert "t__stoa_old" not in tables(my, shop)
    if "TRIGGER" in what:
        my.query("DROP TRIGGER seen", shop)
    else:
        my.query("DROP TABLE child", shop)
    assert is_done(swap(my, shop))


def test_a_prepared_transaction_without_a_session_is_waited_for(my, shop):
    """MariaDB lets the table's lock go with the session, and keeps the rows' locks."""
    if my.version < (5, 7):
        return
    swap(my, shop, "--tries", 0, code=1)
    conn = my.connect(shop)
    cursor = conn.cursor()
    for sql in ("XA START 'left'", "UPDATE t SET v = -7 WHERE id = 1", "XA END 'left'", "XA PREPARE 'left'"):
        cursor.execute(sql)
    conn.close()
    lines = swap(my, shop, "--tries", 2, code=1)
    assert not is_done(lines) and (not my.is_mariadb or "left" in str(lines)), lines
    my.query("XA COMMIT 'left'")
    assert is_done(swap(my, shop))
    assert my.query("SELECT v FROM t WHERE id = 1", shop) == ((-7,),)


def test_writers_must_not_be_preferred(my, shop):
    if steps_of(my) is LOCK_STEPS:
        return
    before = my.query("SELECT @@GLOBAL.max_write_lock_count")[0][0]
    my.query("SET GLOBAL max_write_lock_count = 1")
    try:
        line = swap(my, shop, code=1)[0]
        assert line["error"] == "unsafe" and "max_write_lock_count" in line["hint"]
    finally:
        my.query(f"SET GLOBAL max_write_lock_count = {before}")

"""What capture hands out, both ways: every change and none that is not there, TRUNCATE, definitions that change, a lost
connection, a position that is gone; and what apply and copy make of rows that are in each other's way."""
import contextlib

import pytest

from test.lib.my_servers import MyServer
from test.lib.my_shadow import ShadowError, ShadowTool, spec_of
from test.lib.servers import until
from test.server_my.test_shadow_rows import assert_same, carry_over, database

WAYS = pytest.mark.parametrize("capture", ["log", "trigger"])


def pair(my, schema, body="id INT NOT NULL PRIMARY KEY, a VARCHAR(30), n INT, KEY (n)",
         new="id BIGINT NOT NULL PRIMARY KEY, a VARCHAR(30), n INT, KEY (n)", rows=300, **more):
    database(my, schema)
    my.query(f"CREATE TABLE t ({body})", schema)
    my.query(f"CREATE TABLE t__stoa_new ({new})", schema)
    if rows:
        my.query("INSERT INTO t (id, a, n) VALUES " + ", ".join(f"({at}, 'x{at}', {at})" for at in range(rows)), schema)
    return spec_of(my, schema, "t", "t__stoa_new", **more)


def collect(tool, wanted=None, rounds=40):
    """Keys until `wanted` of them have come, and the last answer."""
    keys = []
    for _ in range(rounds):
        answer = tool.capture(timeout=100)
        keys += answer["keys"]
        if answer["emptied"] or answer["altered"] or wanted is not None and len(set(keys)) >= wanted:
            break
    return keys, answer


@WAYS
def test_every_kind_of_write(my, capture):
    spec = pair(my, "cap_kinds", capture=capture, change_id=101)
    with ShadowTool(my.url(), spec) as tool, my.connect("cap_kinds") as conn, conn.cursor() as cursor:
        tool.open(position=tool.begin()["position"])
        writes = [
            ("INSERT INTO t VALUES (1000, 'a', 1)", {"1000"}),
            ("INSERT INTO t VALUES (1001, 'a', 1), (1002, 'b', 2)", {"1001", "1002"}),
            ("REPLACE INTO t VALUES (1000, 'b', 2)", {"1000"}),
            ("INSERT INTO t VALUES (1001, 'z', 1) ON DUPLICATE KEY UPDATE a = 'changed'", {"1001"}),
            ("UPDATE t SET id = -5 WHERE id = 1002", {"1002", "-5"}),
            ("UPDATE t SET n = n + 1 WHERE id < 3", {"-5", "0", "1", "2"}),
            ("DELETE FROM t WHERE id IN (10, 11)", {"10", "11"}),
            ("UPDATE t JOIN (SELECT 20 AS k) x ON x.k = t.id SET t.a = 'joined'", {"20"}),
            ("DELETE t FROM t JOIN (SELECT 21 AS k) x ON x.k = t.id", {"21"}),
            ("INSERT IGNORE INTO t VALUES (22, 'no', 0), (2000, 'yes', 0)", {"2000"}),
        ]
        for sql, wanted in writes:
            cursor.execute(sql)
            keys, answer = collect(tool, len(wanted))
            assert set(keys) == wanted, sql
            tool.applied(position=answer["position"])
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET a = 'never' WHERE id = 30")
        cursor.execute("ROLLBACK")
        for sql in ("XA START 'x'", "UPDATE t SET a = 'xa' WHERE id = 31", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"):
            cursor.execute(sql)
        keys, _ = collect(tool, 1)
        assert set(keys) == {"31"}
        tool.end()


@WAYS
def test_truncate_and_alter(my, capture):
    spec = pair(my, "cap_ddl", capture=capture, change_id=102)
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        my.query("ALTER TABLE t__stoa_new COMMENT 'ours, like t'", "cap_ddl")
        my.query("CREATE TABLE other LIKE t", "cap_ddl")
        my.query("TRUNCATE other", "cap_ddl")
        keys, answer = collect(tool, rounds=5)
        assert not keys and not answer["emptied"] and answer["altered"] is None
        my.query("TRUNCATE TABLE t", "cap_ddl")
        keys, answer = collect(tool)
        assert answer["emptied"] and answer["altered"] is None
        my.query("INSERT INTO t VALUES (1, 'a', 1)", "cap_ddl")
        keys, answer = collect(tool, 1)
        assert keys == ["1"] and not answer["emptied"]
        my.query("ALTER TABLE t ADD COLUMN z INT", "cap_ddl")
        keys, answer = collect(tool)
        assert answer["altered"]
        tool.end()


@WAYS
def test_truncate_in_the_midst(my, capture):
    """Rows come and go, all at once as well."""
    spec = pair(my, "cap_trunc", rows=2000, capture=capture, change_id=103)
    times = []

    def write(cursor, chance):
        cursor.execute(f"REPLACE INTO t VALUES ({chance.randrange(3000)}, 'w', 1)")
        if chance.random() < 0.01 and len(times) < 3:
            times.append(1)
            cursor.execute("TRUNCATE t")

    def again(tool):
        """Behind the last of them: the tool begins anew in `run` only."""
        until(lambda: len(times) == 3, 60, "three of them")
        tool.run(size=500)

    carry_over(my, spec, write, size=100, during=again)
    assert_same(my, "cap_trunc", "t", "t__stoa_new")


@WAYS
def test_large_transaction(my, capture):
    spec = pair(my, "cap_large", rows=1000, capture=capture, change_id=104)

    def large(tool):
        my.query("INSERT INTO t SELECT a.id * 100 + b.id + 10000, a.a, b.n FROM t a JOIN t b ON b.id < 100", "cap_large")
        tool.sync()

    carry_over(my, spec, lambda cursor, chance: cursor.execute(f"UPDATE t SET n = n + 1 WHERE id = {chance.randrange(900)}"),
               size=5000, writers=1, during=large)
    assert my.query("SELECT COUNT(*) FROM t__stoa_new", "cap_large")[0][0] >= 100000
    assert_same(my, "cap_large", "t", "t__stoa_new")


@WAYS
def test_unique_values_that_move(my, capture):
    body = "id INT NOT NULL PRIMARY KEY, u INT NOT NULL, v VARCHAR(20), UNIQUE KEY (u), UNIQUE KEY (v)"
    database(my, "cap_unique")
    my.query(f"CREATE TABLE t ({body})", "cap_unique")
    my.query(f"CREATE TABLE t__stoa_new ({body.replace('id INT', 'id BIGINT')})", "cap_unique")
    my.query("INSERT INTO t VALUES " + ", ".join(f"({at}, {at}, 'v{at}')" for at in range(200)), "cap_unique")
    spec = spec_of(my, "cap_unique", "t", "t__stoa_new", capture=capture, change_id=105)

    def write(cursor, chance):
        one, two = chance.sample(range(200), 2)
        kind = chance.randrange(4)
        if kind == 0:
            cursor.execute(f"REPLACE INTO t VALUES ({one}, {two}, 'v{chance.randrange(200)}')")
        elif kind == 1:
            cursor.execute(f"INSERT IGNORE INTO t VALUES ({one}, {two}, 'v{one}')")
        elif kind == 2:
            cursor.execute(f"UPDATE IGNORE t SET id = {one + 100} WHERE id = {two}")
        else:
            cursor.execute("BEGIN")
            cursor.execute(f"SELECT u FROM t WHERE id = {one} FOR UPDATE")
            mine = cursor.fetchone()
            cursor.execute(f"SELECT u FROM t WHERE id = {two} FOR UPDATE")
            other = cursor.fetchone()
            if mine and other:
                cursor.execute(f"UPDATE t SET u = -1 - {one} WHERE id = {one}")
                cursor.execute(f"UPDATE t SET u = {mine[0]} WHERE id = {two}")
                cursor.execute(f"UPDATE t SET u = {other[0]} WHERE id = {one}")
            cursor.execute("COMMIT")

    carry_over(my, spec, write, size=10, pause=0.001, during=lambda tool: [tool.sync() for _ in range(20)])
    assert_same(my, "cap_unique", "t", "t__stoa_new")


def test_real_duplicates_are_named(my):
    spec = pair(my, "cap_dup", new="id BIGINT NOT NULL PRIMARY KEY, a VARCHAR(30), n INT, UNIQUE KEY un (n)", tightens=True)
    my.query("UPDATE t SET n = 17 WHERE id = 41", "cap_dup")
    with ShadowTool(my.url(), spec) as tool:
        with pytest.raises(ShadowError) as problem:
            tool.copy()
        assert problem.value.kind == "verify" and "id=17" in str(problem.value) and "id=41" in str(problem.value)
        my.query("UPDATE t SET n = 41 WHERE id = 41", "cap_dup")
        assert tool.copy()["rows"] == 300
        # a value that moves from one row to another is no duplicate, whichever comes first
        my.query("UPDATE t SET n = 1000 WHERE id = 5", "cap_dup")
        my.query("UPDATE t SET n = 5 WHERE id = 6", "cap_dup")
        assert tool.owed()["keys"] == []
        answer = tool.apply(keys=["6"])
        assert answer["displaced"] == ["5"] and answer["busy"] == []
        assert tool.owed()["keys"] == ["5"]
        assert tool.apply(keys=["5"], owed=["5"])["rows"] == 1
        assert tool.owed()["keys"] == []
        assert tool.compare()["different"] == []
        my.query("UPDATE t SET n = 5 WHERE id = 7", "cap_dup")
        with pytest.raises(ShadowError) as problem:
            tool.apply(keys=["7"])
        assert problem.value.kind == "verify" and "id=6" in str(problem.value) and "id=7" in str(problem.value)
        tool.end()


def test_long_chains_of_moved_values(my):
    """Each row takes the value of the next: every batch makes room for itself, however long the chain, and whoever empties
    the shadow owes nothing."""
    body = "id INT NOT NULL PRIMARY KEY, a VARCHAR(30), n INT, UNIQUE KEY (n)"
    spec = pair(my, "cap_chain", body, body.replace("id INT", "id BIGINT"), rows=1500, change_id=113)
    with ShadowTool(my.url(), spec) as tool:
        tool.copy()
        my.query("UPDATE t SET n = -1 - n", "cap_chain")
        my.query("UPDATE t SET n = -n", "cap_chain")
        due, batches = ["0"], 0
        while due:
            answer = tool.apply(keys=due[:100], owed=due[:100] if batches else [])
            assert answer["busy"] == []
            due = due[100:] + answer["displaced"]
            batches += 1
            assert sorted(tool.owed()["keys"]) == sorted(due)
        assert batches == 1500 and tool.compare()["different"] == []
        my.query("UPDATE t SET n = 100000 WHERE id = 5", "cap_chain")
        my.query("UPDATE t SET n = 6 WHERE id = 6", "cap_chain")
        assert tool.apply(keys=["6"])["displaced"] == ["5"] and tool.owed()["keys"] == ["5"]
        my.query("UPDATE t SET n = n + 200000 WHERE id BETWEEN 700 AND 799", "cap_chain")
        my.query("UPDATE t SET n = n + 100 WHERE id BETWEEN 600 AND 699", "cap_chain")
        assert len(tool.apply(keys=[str(at) for at in range(600, 700)])["displaced"]) == 100
        assert len(tool.owed()["keys"]) == 101
        tool.empty()
        assert tool.owed()["keys"] == []
        tool.end()
    assert not my.query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_NAME LIKE 'owed\\_113%'")


def test_a_unique_index_that_the_optimizer_does_not_know(my):
    if my.version < (8,) and not my.is_mariadb:
        return  # it has none
    body = f"id INT NOT NULL PRIMARY KEY, a VARCHAR(30), n INT, UNIQUE KEY un (n) {'IGNORED' if my.is_mariadb else 'INVISIBLE'}"
    spec = pair(my, "cap_hidden", body, body.replace("id INT", "id BIGINT"), change_id=114)
    with ShadowTool(my.url(), spec) as tool:
        tool.copy()
        my.query("UPDATE t SET n = 1000 WHERE id = 5", "cap_hidden")
        my.query("UPDATE t SET n = 5 WHERE id = 6", "cap_hidden")
        assert tool.apply(keys=["6"])["displaced"] == ["5"]
        assert tool.apply(keys=["5"])["displaced"] == []
        assert tool.compare()["different"] == []
        tool.end()


def test_values_that_do_not_fit(my):
    spec = pair(my, "cap_fit", new="id BIGINT NOT NULL PRIMARY KEY, a VARCHAR(3), n TINYINT", rows=50)
    with ShadowTool(my.url(), spec) as tool:
        assert tool.copy()["rows"] == 50
        my.query("UPDATE t SET n = 300 WHERE id = 30", "cap_fit")
        with pytest.raises(ShadowError) as problem:
            tool.copy()
        assert problem.value.kind == "verify" and "id=30" in str(problem.value)
        assert my.query("SELECT COUNT(*) FROM t__stoa_new", "cap_fit")[0][0] == 50  # rolled back


def test_busy_rows_are_left_for_later(my):
    spec = pair(my, "cap_busy")
    with ShadowTool(my.url(), spec) as tool, my.connect("cap_busy") as conn, conn.cursor() as cursor:
        tool.copy()
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET a = 'mine' WHERE id IN (3, 4)")
        answer = tool.apply(keys=[str(at) for at in range(20)])
        assert sorted(answer["busy"]) == ["3", "4"] and answer["rows"] == 18
        different = tool.compare_keys(keys=[str(at) for at in range(20)])
        assert sorted(different["busy"]) == ["3", "4"] and different["different"] == []
        cursor.execute("COMMIT")
        assert tool.compare_keys(keys=["2", "3", "4"])["different"] == ["3", "4"]
        assert tool.apply(keys=["3", "4"])["busy"] == []
        assert tool.compare()["different"] == []


def test_a_position_that_is_gone(my):
    spec = pair(my, "cap_gone")
    with ShadowTool(my.url(), spec) as tool:
        position = tool.begin()["position"]
        my.query("INSERT INTO t VALUES (900, 'a', 1)", "cap_gone")
        my.query("FLUSH BINARY LOGS")
        my.query("INSERT INTO t VALUES (901, 'a', 1)", "cap_gone")
        end = my.query("SHOW BINARY LOG STATUS" if not my.is_mariadb and my.version > (8, 2) else "SHOW MASTER STATUS")
        until(lambda: (my.query(f"PURGE BINARY LOGS TO '{end[0][0]}'"), my.query("SHOW BINARY LOGS"))[1][0][0] == end[0][0],
              60, "the log to be purged")
        with pytest.raises(ShadowError) as problem:
            tool.open(position=position)
            collect(tool, 2)
        assert problem.value.kind == "gone" and "anew" in problem.value.answer["hint"]


def test_a_lost_connection_is_made_again(my):
    spec = pair(my, "cap_lost")
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        my.query("UPDATE t SET n = 0 WHERE id = 1", "cap_lost")
        assert collect(tool, 1)[0] == ["1"]
        dumps = my.query("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
        for row in dumps:
            my.query(f"KILL {row[0]}")
        assert dumps
        my.query("UPDATE t SET n = 0 WHERE id = 2", "cap_lost")
        assert "2" in collect(tool, 1)[0]


# ---- statements, prepared transactions, and what is hung on the source ----


def in_statement_format(my, schema, *statements):
    with my.connect(schema) as conn, conn.cursor() as cursor:
        cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
        for sql in statements:
            cursor.execute(sql)


def test_statements_about_other_tables_are_no_matter(my):
    """As Amazon RDS logs its heartbeat, whatever the format."""
    spec = pair(my, "cap_other")
    my.query("CREATE TABLE other (id INT NOT NULL PRIMARY KEY, value INT) ENGINE=InnoDB", "cap_other")
    my.query("CREATE TABLE IF NOT EXISTS mysql.rds_heartbeat2 (id INT NOT NULL PRIMARY KEY, t INT) ENGINE=InnoDB")
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        in_statement_format(my, "cap_other", "INSERT INTO mysql.rds_heartbeat2 (id, t) VALUES (1, 1) ON DUPLICATE KEY UPDATE t = 2",
                            "INSERT INTO other VALUES (1, 1)", "UPDATE other SET value = 2")
        my.query("UPDATE t SET n = -1 WHERE id = 5", "cap_other")
        assert collect(tool, 1)[0] == ["5"]
        in_statement_format(my, "cap_other", "UPDATE t SET n = -2 WHERE id = 6")
        with pytest.raises(ShadowError) as problem:
            collect(tool, 1)
        assert problem.value.kind == "unsafe" and "statement format" in str(problem.value)
    my.query("DROP TABLE mysql.rds_heartbeat2")


def test_a_statement_that_leads_to_the_source_is_refused(my):
    spec = pair(my, "cap_led")
    my.query("CREATE VIEW other AS SELECT id, n FROM t", "cap_led")
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        in_statement_format(my, "cap_led", "UPDATE other SET n = -2 WHERE id = 6")
        with pytest.raises(ShadowError) as problem:
            collect(tool, 1)
        assert problem.value.kind == "unsafe" and "view cap_led.other" in str(problem.value)


def test_statements_with_settings_in_front(my):
    """MariaDB logs SET STATEMENT … FOR as well."""
    if not my.is_mariadb:
        return
    spec = pair(my, "cap_set")
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        my.query("SET STATEMENT lock_wait_timeout = 5 FOR TRUNCATE t", "cap_set")
        assert collect(tool)[1]["emptied"]
        my.query("SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE t ADD w INT", "cap_set")
        assert collect(tool)[1]["altered"]


@pytest.mark.parametrize("what", [
    "CREATE TRIGGER seen AFTER INSERT ON t FOR EACH ROW SET @seen = 1",
    "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, t_id INT, FOREIGN KEY (t_id) REFERENCES t (id)) ENGINE=InnoDB",
    "RENAME TABLE t TO t_bak"])
def test_what_is_hung_on_the_source_shows_in_the_log(my, what):
    spec = pair(my, "cap_hung")
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        my.query("CREATE TABLE apart (id INT NOT NULL PRIMARY KEY, t INT) ENGINE=InnoDB", "cap_hung")
        my.query("CREATE TRIGGER apart_seen AFTER INSERT ON apart FOR EACH ROW SET @seen = 1", "cap_hung")
        my.query("ALTER TABLE apart ADD n INT, DROP COLUMN t", "cap_hung")
        assert collect(tool, rounds=3)[1]["altered"] is None
        my.query(what, "cap_hung")
        assert collect(tool)[1]["altered"]


@pytest.mark.parametrize("how", [["RENAME TABLE t TO t_bak", "CREATE TABLE t LIKE t_bak"], ["DROP TRIGGER stoa_110_upd"]])
def test_triggers_that_go_away_are_noticed(my, how):
    spec = pair(my, "cap_away", capture="trigger", change_id=110)
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        assert collect(tool, rounds=2)[1]["altered"] is None
        for sql in how:
            my.query(sql, "cap_away")
        answer = collect(tool)[1]
        assert answer["altered"] and not answer["emptied"]
        tool.end()


def test_a_key_log_keeps_what_is_not_applied(my):
    """A capture that was opened again does not forget what the one before it handed out."""
    spec = pair(my, "cap_again", capture="trigger", change_id=111)
    with ShadowTool(my.url(), spec) as tool:
        tool.open(position=tool.begin()["position"])
        for at in range(3):
            my.query(f"UPDATE t SET n = -1 WHERE id = {at}", "cap_again")
            keys, answer = collect(tool, 1)
            assert keys == [str(at)]
        my.query("UPDATE t SET n = -1 WHERE id = 7", "cap_again")
        tool.open(position=answer["position"])
        assert set(collect(tool, 4)[0]) == {"0", "1", "2", "7"}
        tool.applied(position=answer["position"])  # what the first capture handed out
        assert my.query("SELECT COUNT(*) FROM stoa.keys_111")[0][0] == 4
        tool.applied(position=collect(tool, rounds=1)[1]["position"])
        assert my.query("SELECT COUNT(*) FROM stoa.keys_111")[0][0] == 0
        tool.end()


@WAYS
def test_moments_as_keys(home, my_name, capture, monkeypatch):
    """The zero date, of which MariaDB's UNIX_TIMESTAMP(NEW.k) is NULL, and two moments that the writer's zone calls by one
    name."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    server = MyServer(home, my_name)
    try:
        body = "k TIMESTAMP(2) NOT NULL DEFAULT '2020-01-01 00:00:00' PRIMARY KEY, n INT"
        database(server, "cap_moments")
        keys = ["0000-00-00 00:00:00.00", "2025-10-26 00:30:00.25", "2025-10-26 01:30:00.25"]
        with server.connect("cap_moments") as conn, conn.cursor() as cursor:
            cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
            for name in ("t", "t__stoa_new"):
                cursor.execute(f"CREATE TABLE {name} ({body})")
            cursor.execute("INSERT INTO t (k, n) VALUES " + ", ".join(f"('{key}', 1)" for key in keys))
        assert len(server.query("SELECT DISTINCT CONCAT(k) FROM t", "cap_moments")) == 2
        spec = spec_of(server, "cap_moments", "t", "t__stoa_new", capture=capture, change_id=112)
        with ShadowTool(server.url(), spec) as tool:
            tool.open(position=tool.begin()["position"])
            for sql in ("UPDATE t SET n = 2", "DELETE FROM t"):
                server.query(sql, "cap_moments")
                captured, _ = collect(tool, 3)
                assert set(captured) == {f"'{key}'" for key in keys}
            tool.end()
    finally:
        server.end()


@pytest.mark.parametrize("leaves", [False, True])
@WAYS
def test_a_transaction_prepared_before_is_waited_for(my, capture, leaves):
    """Its rows stand in the log before the position where capture begins; committed it would be missed."""
    mine = pair(my, "cap_xa", capture=capture, change_id=112)
    keeps = not my.is_mariadb and my.version > (8,)  # the table's lock, so that no trigger can be made
    if my.version < (5, 7) and leaves or capture == "trigger" and (keeps or not leaves):
        return
    with ShadowTool(my.url(), mine) as tool, contextlib.ExitStack() as stack:
        conn = my.connect("cap_xa")
        if not leaves:
            stack.enter_context(conn)
        cursor = conn.cursor()
        for sql in ("XA START 'before'", "UPDATE t SET n = -9 WHERE id = 9", "XA END 'before'", "XA PREPARE 'before'"):
            cursor.execute(sql)
        if leaves:
            conn.close()
        try:
            with pytest.raises(ShadowError) as problem:
                tool.begin()
            assert problem.value.kind == "lock_timeout" and "before" in str(problem.value)
        finally:
            if leaves:
                my.query("XA COMMIT 'before'")
            else:
                cursor.execute("XA COMMIT 'before'")
        tool.begin()
        tool.end()

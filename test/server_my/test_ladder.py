"""What the ladder says of a statement is what the server does with it, on a full table under writers; and what is
known of tables, definitions and clones."""
import json
import random
import subprocess
import threading
import time

import pymysql
import pytest

from test.lib.my_ladder import CASES, FEW, FILL, PARENT, RANGES, ROWS, USUAL, cases_of
from test.lib.servers import until
from test.lib.stoa import BUILD

TOOL = BUILD / "test" / "tool" / "stoa-my-ladder-tool"
RESULTS = BUILD / "reports" / "ladder.jsonl"


def ask(url, table, *statements, more=()):
    """The table, then an answer for each statement."""
    tables = [word for name in (table, *more) for word in ("--table", name)]
    done = subprocess.run([TOOL, "--url", url, *tables, *statements], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=240)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def fresh(my, *statements, database="shop"):
    with my.connect() as conn, conn.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(f"DROP DATABASE IF EXISTS {database}")
        cursor.execute("SET foreign_key_checks = 1")
        cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {database}")
        for sql in statements:
            cursor.execute(sql)


def prepare(my, case):
    fresh(my, PARENT, "INSERT INTO parent VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)", case.table, case.fill,
          *case.more)


class Writers(threading.Thread):
    """One that counts in rows, until told to end. Errors are kept."""

    def __init__(self, my, table="t"):
        super().__init__(daemon=True)
        self.my, self.table = my, table
        self.done, self.errors, self.over, self.times = 0, [], threading.Event(), []

    def run(self):
        with self.my.connect("shop") as conn, conn.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            while not self.over.is_set():
                try:
                    cursor.execute(f"UPDATE {self.table} SET hits = hits + 1 WHERE id = %s", random.randint(1, ROWS))
                    self.done += cursor.rowcount
                    self.times.append(time.monotonic())
                except pymysql.err.Error as problem:
                    self.errors.append(problem)
                    return

    def __enter__(self):
        self.start()
        until(lambda: self.done > 0 or self.errors, 20, "a first write")
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(30)


def storage(my):
    """TABLE_ID and INDEX_ID of everything in the database; tables of FULLTEXT indexes left out."""
    sys = "sys_" if my.is_mariadb or my.version < (8,) else ""
    where = "SUBSTRING_INDEX(t.name, '/', 1) = 'shop' AND LOWER(t.name) NOT LIKE '%/fts\\_0%'"
    tables = my.query(f"SELECT table_id FROM information_schema.innodb_{sys}tables t WHERE {where}")
    indexes = my.query(f"SELECT i.index_id, i.table_id FROM information_schema.innodb_{sys}indexes i JOIN "
                       f"information_schema.innodb_{sys}tables t ON t.table_id = i.table_id WHERE {where}")
    return {row[0] for row in tables}, set(indexes)


def put(sql, clause):
    if not clause:
        return sql
    return f"{sql}, {clause}" if sql.startswith("ALTER") else f"{sql} {clause.replace(', ', ' ')}"


def attempt(cursor, sql):
    """The error's number, or None."""
    try:
        cursor.execute(sql)
        return None
    except pymysql.err.Error as problem:
        return problem.args[0]


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=lambda case: case.name)


# What a full table refuses because of its rows, which no empty copy can know: the run meets these errors.
ROWS_DECIDE = {"add a unique index on equal values": 1062}


def test_the_prediction_is_what_happens(my, case):
    if case not in cases_of(my.name):
        case = CASES[0]  # this server has no such thing
    prepare(my, case)
    answer = ask(my.url("shop"), "shop.t", case.sql, more=["shop.parent"])[1]
    assert "error" not in answer, answer
    prepare(my, case)  # nothing has changed, but what row versions the other tests used up
    before = storage(my)
    seen = []
    with my.connect("shop") as conn, conn.cursor() as cursor, Writers(my) as writers:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = 20")
        for turn in answer["tries"]:
            if turn["ok"] or not (turn["reason"] or "").startswith("it is accepted"):
                seen.append((turn["clause"], turn["ok"], attempt(cursor, put(case.sql, turn["clause"]))))
    after = storage(my)
    if case.name in ROWS_DECIDE:
        assert seen[-1][2] == ROWS_DECIDE[case.name]
        return
    wrong = [turn for turn in seen if turn[1] != (turn[2] is None)]
    assert not wrong, (answer["rung"], seen)
    if answer["rung"] == "refused":
        assert before == after
    else:
        innodb = my.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = "
                          f"'{case.moved}' AND engine = 'InnoDB'")[0][0]
        rebuilt = bool(before[0] - after[0]) and bool(after[0] - before[0])
        if innodb and "MyISAM" not in "".join(case.more):
            assert answer["rebuilds"] == rebuilt, (answer, before, after)
            new = {index for index, table in after[1] - before[1] if table in before[0]}
            if before[0] <= {table for _, table in before[1]}:
                assert answer["builds_index"] == (rebuilt or bool(new))
            else:  # MySQL 9 shows no index of partitions
                assert answer["builds_index"] == (rebuilt or "INDEX" in case.sql)
    if case.written:
        assert not writers.errors
        hits = my.query(f"SELECT SUM(hits), COUNT(*) FROM shop.{case.moved}")[0]
        assert hits == (writers.done, ROWS)
    shown = my.query(f"SHOW CREATE TABLE shop.{case.moved}")[0][1]
    table = ask(my.url("shop"), f"shop.{case.moved}")[0]
    if case.moved == "t" and answer["rung"] != "refused":
        assert table["definition"] == answer["after"], shown
    report(my, case, answer)


def report(my, case, answer):
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    line = {"server": my.name, "case": case.name, "sql": case.sql[:200]}
    line |= {key: answer[key] for key in ("rung", "clause", "rebuilds", "builds_index", "uses_row_version")}
    reasons = [turn["reason"] for turn in answer["tries"] if turn["reason"]]
    with open(RESULTS, "a") as out:
        out.write(json.dumps(line | {"reason": reasons[0] if reasons else None}) + "\n")


# ---- what LOCK=NONE and LOCK=SHARED mean to a writer --------------------------------------------------------------

MANY = 64000
DOUBLE = "INSERT INTO t (a, b, v, x, p) SELECT a, b, v, REPEAT('x', 90), p FROM t"


GOES_ON = {"inplace", "nocopy", "online copy"}


@pytest.mark.parametrize("sql", ["ALTER TABLE t FORCE", "ALTER TABLE t ADD INDEX by_x (x, v)", "ALTER TABLE t MODIFY b BIGINT NULL",
                                 "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4"])
def test_writers_go_on_or_wait_as_told(my, sql):
    fresh(my, PARENT, USUAL, FILL, *5 * [DOUBLE])
    answer = ask(my.url("shop"), "shop.t", sql)[1]
    with my.connect("shop") as conn, conn.cursor() as cursor, Writers(my) as writers:
        begun = time.monotonic()
        cursor.execute(put(sql, answer["clause"]))
        ended = time.monotonic()
        until(lambda: writers.errors or writers.times[-1] > ended, 20, "a write afterwards")
    assert not writers.errors
    during = [begun] + [at for at in writers.times if begun < at < ended] + [ended]
    gap = max(later - before for before, later in zip(during, during[1:]))
    if answer["rung"] in GOES_ON:
        assert gap < 0.7 * (ended - begun), (answer["rung"], gap, ended - begun)
    else:
        assert answer["rung"] == "writers wait"
    # Where no clause can be given the answer is the careful one: MariaDB 11.8 partitions a table while writers go on.
    if answer["rung"] == "writers wait" and answer["clause"]:
        assert gap > 0.5 * (ended - begun), (answer["rung"], gap, ended - begun)
    assert my.query("SELECT SUM(hits), COUNT(*) FROM shop.t")[0] == (writers.done, MANY)


# ---- single actions and combined ones -----------------------------------------------------------------------------

def test_actions_can_be_asked_one_by_one(my):
    """Two cheap actions make a dear one; each is asked as it would be behind the other."""
    fresh(my, PARENT, USUAL, FILL)
    answers = ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN z INT, ADD INDEX by_z (z)",
                  "ALTER TABLE t ADD COLUMN z INT", "run: ALTER TABLE t ADD COLUMN z INT", "ALTER TABLE t ADD INDEX by_z (z)",
                  "ALTER TABLE shop.t ADD INDEX by_z (z)")
    both, first, _, second, qualified = answers[1:]
    if "mysql-5.6" != my.name:
        assert both["rung"] == "inplace" and both["rebuilds"]
        assert first["rung"] == "instant"
    assert second["rung"] == ("nocopy" if my.is_mariadb else "inplace") and not second["rebuilds"]
    assert "`z`" not in first["before"] and "`z`" in second["before"]
    assert {**second, "sql": ""} == {**qualified, "sql": ""}
    assert my.query("SHOW COLUMNS FROM shop.t LIKE 'z'") == ()


def test_what_modify_takes_away_is_told(my):
    fresh(my, PARENT, USUAL)
    answer = ask(my.url("shop"), "shop.t", "ALTER TABLE t MODIFY l VARCHAR(10)")[1]
    lost = {tuple(line[:2]): line[2] for line in answer["lost"]}
    assert lost["column l", "NOT NULL"] == "" and lost["column l", "DEFAULT 'x'"] == ""
    assert lost["column l", "COMMENT 'said'"] == "" and lost["column l", "CHARACTER SET latin1"] == "CHARACTER SET utf8mb4"
    assert lost["column l", "COLLATE latin1_swedish_ci"] == "COLLATE utf8mb4_general_ci" and len(lost) == 5
    answer = ask(my.url("shop"), "shop.t", "ALTER TABLE t DROP COLUMN b", "renames v=y: ALTER TABLE t CHANGE v y VARCHAR(20) NOT NULL",
                 "ALTER TABLE t MODIFY id INT NOT NULL")
    assert [line for line in answer[1]["lost"] if line[0].startswith("index")] == [
        ["index by_ab", "KEY `by_ab` (`a`, `b`)", "KEY `by_ab` (`a`)"]]
    assert ["column v", "DEFAULT 'x'", ""] in answer[2]["lost"]
    assert answer[3]["lost"] == [["column id", "AUTO_INCREMENT", ""]]


# ---- the table ----------------------------------------------------------------------------------------------------

def test_a_table_is_known_as_it_is(my):
    checks = my.name != "mysql-5.6"
    fresh(my, PARENT, "CREATE TABLE `o-d``d tä` (`id x` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, k VARCHAR(40) COLLATE "
          "utf8mb4_bin NOT NULL, n INT, `it's` VARCHAR(20) NOT NULL DEFAULT 'it''s' COMMENT 'a ''comment''', at TIMESTAMP NOT "
          "NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, p INT, b BIT(3) DEFAULT b'101', PRIMARY KEY (`id x`), UNIQUE KEY by_k (k), "
          "UNIQUE KEY by_n (n), UNIQUE KEY by_part (k(5)), KEY by_p (p), CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id) "
          "ON DELETE CASCADE ON UPDATE SET NULL"
          + (", g INT AS (n + length('a''b')) VIRTUAL, CONSTRAINT c CHECK (n > 0)" if checks else "")
          + ") ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='whole'",
          "CREATE TABLE kid (id INT PRIMARY KEY, o BIGINT UNSIGNED, CONSTRAINT to_o FOREIGN KEY (o) REFERENCES `o-d``d tä` (`id x`)) ENGINE=InnoDB",
          "CREATE VIEW seen AS SELECT k FROM `o-d``d tä`", "CREATE TRIGGER tr BEFORE INSERT ON `o-d``d tä` FOR EACH ROW SET NEW.n = 1",
          "INSERT INTO parent VALUES (1)", "INSERT INTO `o-d``d tä` (k, p) VALUES ('a', 1)")
    table = ask(my.url(), "shop.o-d`d tä")[0]
    columns = {column["name"]: column for column in table["columns"]}
    indexes = {index["name"]: index for index in table["indexes"]}
    assert table["kind"] == "table" and table["engine"] == "InnoDB" and table["charset"] == "latin1"
    assert table["comment"] == "whole" and table["auto_increment"] == "2" and not table["empty"]
    assert columns["id x"]["auto_increment"] and columns["id x"]["exact"] and columns["id x"]["not_null"]
    assert columns["k"]["charset"] == "utf8mb4" and not columns["k"]["exact"] and columns["k"]["bytes"] == 160
    assert columns["it's"]["default"].replace("\\'", "''") == "'it''s'" and columns["it's"]["comment"] == "a 'comment'"
    assert columns["b"]["default"] == "b'101'" and not columns["b"]["computed"]
    assert columns["at"]["on_update"].lower().startswith("current_timestamp") and columns["at"]["computed"]
    assert [name for name, index in indexes.items() if index["key"]] == ["PRIMARY", "by_k"]
    assert indexes["PRIMARY"]["integer_key"] and not indexes["by_k"]["integer_key"]
    assert indexes["by_part"]["definition"] == "UNIQUE KEY `by_part` (`k`(5))"
    parent, child = table["parents"][0], table["children"][0]
    assert [parent[key] for key in ("name", "columns", "ref_table", "ref_columns", "on_delete", "on_update")] == [
        "to_parent", ["p"], "parent", ["id"], "CASCADE", "SET NULL"]
    assert [child[key] for key in ("name", "table", "columns", "ref_table", "ref_columns")] == [
        "to_o", "kid", ["o"], "o-d`d tä", ["id x"]]
    assert table["children_known"] and table["views"] == ["shop.seen"] and table["triggers"] == ["tr"]
    if checks:
        assert columns["g"]["generated"].replace("_utf8mb4", "").replace("\\'", "''").count("'a''b'") == 1
        assert [line["definition"].replace("(", "").replace(")", "") for line in table["constraints"] if line["kind"] == "c"] == ["CHECK `n` > 0"]
    assert "AUTO_INCREMENT=" not in table["definition"] and "AUTO_INCREMENT" in table["definition"]


def test_what_is_missing(my):
    fresh(my, "CREATE TABLE Orders (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM Orders")
    table = ask(my.url(), "shop.orders")[0]
    assert (table["kind"], table["definition"], table["similar"], table["schema_missing"]) == (
        "missing table", None, "`Orders`", False)
    assert ask(my.url(), "nothing.orders")[0]["schema_missing"]
    view = ask(my.url("shop"), "v")[0]
    assert view["kind"] == "view" and "VIEW" in view["definition"]


def test_partitions(my):
    fresh(my, RANGES, FEW)
    table = ask(my.url(), "shop.t")[0]
    assert table["kind"] == "partitioned table" and table["partition_by"].replace("`", "") == "RANGE (id)"
    assert table["partitions"] == [["p0", "1000"], ["p1", "1500"], ["p2", "100000"]]


def test_a_definition_is_that_of_a_copy(my):
    """Of every shape of table: the real one's text is that of its copy in another database."""
    for case in {case.table + str(case.more): case for case in cases_of(my.name)}.values():
        prepare(my, case)
        real, copied = ask(my.url("shop"), "shop.t", "ALTER TABLE t COMMENT = ''", more=["shop.parent"])
        if copied["before"] is None:
            assert case.name == "a column of a versioned table"
        assert real["definition"] == copied["before"], case.name


# ---- clones -------------------------------------------------------------------------------------------------------

def scratches(my):
    return [row[0] for row in my.query("SHOW DATABASES LIKE 'stoa\\_scratch%'")]


def test_nothing_is_left_and_the_dead_are_swept_away(my):
    fresh(my, PARENT, USUAL)
    words = [TOOL, "--url", my.url("shop"), "--table", "shop.t", "--hold", "ALTER TABLE t ADD COLUMN z INT"]
    held = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    held.stdout.readline(), held.stdout.readline()
    alive = scratches(my)
    assert len(alive) == 1
    ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN z INT")
    assert scratches(my) == alive  # that of the living stays
    held.kill()
    held.wait()
    until(lambda: my.query(f"SELECT IS_FREE_LOCK('{alive[0].rsplit('_', 1)[0]}')")[0][0] == 1, 20, "the session to end")
    ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN z INT")
    assert scratches(my) == []


def test_relatives_of_another_database(my):
    fresh(my, PARENT, database="other")
    fresh(my, USUAL, FILL.replace("1 + n % 10", "NULL"), "ALTER TABLE t ADD CONSTRAINT t_p FOREIGN KEY (p) REFERENCES other.parent (id)")
    with my.connect("other") as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE kid (id INT PRIMARY KEY, t INT, CONSTRAINT kid_t FOREIGN KEY (t) REFERENCES shop.t (id)) ENGINE=InnoDB")
    real, changed, drop, type_, far = ask(
        my.url(), "shop.t", "ALTER TABLE shop.t ADD CONSTRAINT again FOREIGN KEY (b) REFERENCES other.parent (id)",
        "ALTER TABLE shop.t DROP INDEX t_p", "ALTER TABLE shop.t MODIFY id BIGINT NOT NULL AUTO_INCREMENT",
        "ALTER TABLE other.unrelated ADD COLUMN x INT")
    assert changed["before"] == real["definition"] and "REFERENCES `other`.`parent`" in real["definition"]
    assert "CONSTRAINT `again` FOREIGN KEY (`b`) REFERENCES `other`.`parent` (`id`)" in changed["after"]
    assert drop["rung"] == "refused" and "foreign key" in drop["tries"][0]["reason"]
    assert type_["rung"] == "refused"  # the child's column has the old type
    assert far["error"] in ("unsafe", "sql") or far["rung"] == "refused"
    assert "stoa_scratch" not in json.dumps([real, changed, drop, type_])
    assert scratches(my) == []
    fresh(my)
    fresh(my, database="other")


def user(my, *grants):
    with my.connect() as conn, conn.cursor() as cursor:
        for sql in ("DROP USER plain@'127.0.0.1'", "CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'word'"):
            attempt(cursor, sql)
        for grant in grants:
            cursor.execute(f"GRANT {grant} TO plain@'127.0.0.1'")
    return my.url("shop", user="plain", password="word")


def test_a_plain_role(my):
    """Without the right to make databases the grant is named; without PROCESS the answer is the careful one."""
    fresh(my, PARENT, USUAL, FILL)
    url = user(my, "SELECT, ALTER, INSERT, CREATE, DROP, INDEX, REFERENCES ON shop.*")
    refused = ask(url, "shop.t", "ALTER TABLE t ADD COLUMN z INT")[1]
    assert refused["error"] == "privilege"
    assert refused["hint"] == "GRANT ALL ON `stoa\\_scratch\\_%`.* TO 'plain'@'127.0.0.1'"
    with my.connect() as conn, conn.cursor() as cursor:
        cursor.execute(refused["hint"])
    table, column, index, force = ask(url, "shop.t", "ALTER TABLE t ADD COLUMN z INT", "ALTER TABLE t ADD INDEX by_x (x)", "ALTER TABLE t FORCE")
    assert not table["children_known"]
    assert column["rung"] == ("inplace" if my.name == "mysql-5.6" else "instant")
    assert index["rung"] == ("nocopy" if my.is_mariadb else "inplace") and index["builds_index"]
    assert force["rung"] == "inplace" and force["rebuilds"]
    assert scratches(my) == []
    my.query("DROP USER plain@'127.0.0.1'")


def test_the_log_is_left_alone(my):
    """The scratch database is not written to the binary log where the role may keep it out."""
    fresh(my, PARENT, USUAL)
    before = my.query("SHOW BINARY LOG STATUS" if my.name == "mysql-9.7" else "SHOW MASTER STATUS")[0][:2]
    ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN z INT", "ALTER TABLE t FORCE")
    assert my.query("SHOW BINARY LOG STATUS" if my.name == "mysql-9.7" else "SHOW MASTER STATUS")[0][:2] == before


def test_row_versions_run_out(my):
    if my.name != "mysql-9.7":
        fresh(my, PARENT, USUAL)
        assert ask(my.url("shop"), "shop.t")[0]["row_versions"] == -1  # they are not counted elsewhere
        return
    fresh(my, "CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 1)")
    answer = ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN z INT")[1]
    assert (answer["rung"], answer["uses_row_version"], answer["row_versions_left"]) == ("instant", True, 255)
    with my.connect("shop") as conn, conn.cursor() as cursor:
        for i in range(255):
            cursor.execute(f"ALTER TABLE t {'ADD' if i % 2 == 0 else 'DROP'} COLUMN z{' INT' if i % 2 == 0 else ''}, ALGORITHM=INSTANT")
    table, answer = ask(my.url("shop"), "shop.t", "ALTER TABLE t ADD COLUMN y INT")
    assert table["row_versions"] == 255
    assert (answer["rung"], answer["row_versions_left"], answer["tries"][0]["ok"]) == ("inplace", 0, False)
    assert answer["tries"][0]["reason"] == "the table has no row version left"
    with my.connect("shop") as conn, conn.cursor() as cursor:
        assert attempt(cursor, "ALTER TABLE t ADD COLUMN y INT, ALGORITHM=INSTANT") is not None
        assert attempt(cursor, put("ALTER TABLE t ADD COLUMN y INT", answer["clause"])) is None

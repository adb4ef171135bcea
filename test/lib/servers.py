"""Private PostgreSQL servers in a temporary folder, as an unprivileged user, on 127.0.0.1 and a socket."""
import contextlib
import fcntl
import itertools
import os
import pathlib
import pwd
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
CACHE = pathlib.Path("/var/cache/stoa" if IS_ROOT else
                     os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "stoa"))
ACCOUNT = pwd.getpwnam("postgres") if IS_ROOT else pwd.getpwuid(os.geteuid())


def until(condition, seconds=30, what="the condition", every=0.02):
    """Waits until the condition yields something true, and returns it; fails after so many seconds, saying
    `what` (a text, or a function that gives one)."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


def run_as_account(command, **options):
    """Runs it as the servers' user and returns the finished process; fails with its output."""
    who = {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []} if IS_ROOT else {}
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", **who, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done


class Build:
    """One installed version of PostgreSQL."""

    def __init__(self, version):
        self.version = int(version)
        if self.version == 15:
            self.bin = pathlib.Path("/usr/lib/postgresql/15/bin")
            self.libdir = pathlib.Path("/usr/lib/postgresql/15/lib")
        else:
            native = CACHE / "pg" / "node_modules" / f"pg{version}" / "native"
            self.bin, self.libdir = native / "bin", native / "lib" / "postgresql"
        if not (self.bin / "postgres").exists():
            raise RuntimeError(f"PostgreSQL {version} is not in {self.bin}: run script/bootstrap --matrix")

    def has_statements(self):
        return (self.libdir / "pg_stat_statements.so").exists()

    def template(self):
        """A fresh data directory to copy, made once per build and kept in the cache folder."""
        text = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True)
        folder = CACHE / "template"
        folder.mkdir(parents=True, exist_ok=True)
        if IS_ROOT:
            shutil.chown(folder, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        data = folder / text.stdout.split()[2]
        with open(folder / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not data.exists():
                half = folder / f"half-{self.version}"
                shutil.rmtree(half, ignore_errors=True)
                run_as_account([self.bin / "initdb", "-D", half, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                                "--locale=C.UTF-8", "--no-sync"])
                half.rename(data)
        return data


class Home:
    """The folder of one test process with all its servers, watched by a guard (guard.py)."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stoa-test-"))
        self.folder.chmod(0o755)
        if IS_ROOT:
            os.chown(self.folder, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        self.guard = subprocess.Popen([sys.executable, ROOT / "test" / "lib" / "guard.py", self.folder],
                                      stdin=subprocess.PIPE, start_new_session=True)
        self.numbers = itertools.count(1)

    def close(self):
        self.guard.stdin.close()
        self.guard.wait(30)
        if self.folder.exists():
            raise RuntimeError(f"{self.folder} was left behind")


def free_port():
    """Below the range from which the kernel takes ports for clients."""
    while True:
        port = random.randrange(15000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """One running PostgreSQL. `durable` keeps fsync on, for tests that kill it. With `standby_of` it is a
    streaming standby of a server that was made from the same template. With `file_limit` no file grows past so
    many bytes. With `data_from` it begins as a copy of that data directory (the benchmarks do)."""

    def __init__(self, home, version, durable=False, standby_of=None, settings=None, file_limit=None,
                 data_from=None):
        self.file_limit = file_limit
        self.build = Build(version)
        self.version = self.build.version
        self.folder = home.folder / f"s{next(home.numbers)}"
        self.data = self.folder / "data"
        self.standby_of = standby_of
        run_as_account(["mkdir", "-p", self.folder])
        run_as_account(["cp", "-a", "--reflink=auto", data_from or self.build.template(), self.data])
        run_as_account(["chmod", "700", self.data])
        for _ in range(5):
            self.port = free_port()
            self._configure(durable, settings or {})
            try:
                self.start()
                return
            except RuntimeError as problem:
                if "Address already in use" not in str(problem):
                    raise
        raise RuntimeError("no free port in five attempts")

    def _configure(self, durable, extra):
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
            "fsync": "on" if durable else "off", "wal_level": "logical", "max_connections": 200,
            "max_wal_senders": 10, "max_replication_slots": 10, "max_prepared_transactions": 10,
            "shared_buffers": "128MB", "max_wal_size": "2GB", "log_lock_waits": "on", "hot_standby": "on",
            "log_line_prefix": "%m [%p] %a %u@%d ", "logging_collector": "off",
            "wal_receiver_status_interval": "1s",
        }
        settings["wal_keep_size" if self.version >= 13 else "wal_keep_segments"] = 1024 if self.version >= 13 else 64
        if self.build.has_statements():
            settings["shared_preload_libraries"] = "pg_stat_statements"
            settings["pg_stat_statements.max"] = 100000  # all tests of a process share it; none may push another's out
        if self.standby_of:
            upstream = (f"host={self.standby_of.folder} port={self.standby_of.port} user=postgres "
                        f"application_name=standby")
            if self.version >= 12:
                settings["primary_conninfo"] = upstream
                self._write("standby.signal", "")
            else:
                self._write("recovery.conf", f"standby_mode = on\nprimary_conninfo = '{upstream}'\n")
        settings.update(extra)
        self._write("stoa.conf", "".join(f"{key} = '{value}'\n" for key, value in settings.items()))
        main = (self.data / "postgresql.conf").read_text()
        if "include 'stoa.conf'" not in main:
            self._write("postgresql.conf", main + "\ninclude 'stoa.conf'\n")
        self._write("pg_hba.conf", "local all all trust\n"
                                   "host all with_password 127.0.0.1/32 md5\n"
                                   "host all all 127.0.0.1/32 trust\n"
                                   "local replication all trust\nhost replication all 127.0.0.1/32 trust\n")

    def _write(self, name, text):
        file = self.data / name
        file.write_text(text)
        if IS_ROOT:
            os.chown(file, ACCOUNT.pw_uid, ACCOUNT.pw_gid)

    def _ctl(self, *args):
        limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_limit, -1))) if self.file_limit else None
        return run_as_account([self.build.bin / "pg_ctl", "-D", self.data, "-w", "-t", "60", *args], preexec_fn=limit)

    @property
    def log(self):
        return self.folder / "log"

    def start(self):
        try:
            self._ctl("-l", self.log, "start")
        except RuntimeError as problem:
            tail = self.log.read_text()[-2000:] if self.log.exists() else ""
            raise RuntimeError(f"{problem}\n{tail}") from None

    def stop(self, mode="fast"):
        self._ctl("-m", mode, "stop")

    def end(self):
        """Stops it if it still runs."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")

    def restart(self):
        self._ctl("-m", "fast", "-l", self.log, "restart")

    def promote(self):
        self._ctl("promote")

    def reload(self):
        self._ctl("reload")

    def kill(self):
        """kill -9 of the whole server, as a crash of the machine would do it to its processes."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        children = [int(child) for child in
                    pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for process in [pid, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until(lambda: not any(_running(process) for process in [pid, *children]), 30, "the server to be dead")
        # a zombie that nobody has reaped yet would count as the owner of these
        for left in [self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")]:
            left.unlink(missing_ok=True)

    def url(self, database="postgres", user="postgres", password=None, **parameters):
        secret = f":{password}" if password else ""
        tail = "&".join(f"{key}={value}" for key, value in parameters.items())
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}{'?' + tail if tail else ''}"

    def connect(self, database="postgres", user="postgres", autocommit=True, **parameters):
        return psycopg.connect(host="127.0.0.1", port=self.port, dbname=database, user=user,
                               autocommit=autocommit, **parameters)


def _running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Bouncer:
    """PgBouncer in transaction mode in front of a server."""

    def __init__(self, home, server):
        self.folder = home.folder / f"b{next(home.numbers)}"
        run_as_account(["mkdir", "-p", self.folder])
        self.port = free_port()
        config = self.folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir = {self.folder}\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 200\n"
            f"ignore_startup_parameters = extra_float_digits,options\n"
            f"logfile = {self.folder}/log\npidfile = {self.folder}/pgbouncer.pid\n")
        # "any" forgets who logs in: the server sees the user named for the database
        text = config.read_text().replace("port={}".format(server.port), f"port={server.port} user=postgres")
        config.write_text(text)
        run_as_account(["/usr/sbin/pgbouncer", "-d", "-q", config])
        until(self._answers, 10, "PgBouncer to answer")

    def _answers(self):
        with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", self.port), 1)):
            return True
        return False

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

"""One contender on one copy of the data, with the application beside it, and what it cost."""
import json
import os
import shutil
import signal
import subprocess
import time

from bench import proc
from test.lib.servers import ROOT, Server, run_as_account

BUILD = ROOT / os.environ.get("STOA_BUILD", "build")
STOA = BUILD / "src" / "cli" / "stoa"
LOAD = BUILD / "src" / "load" / "tool" / "stoa-load"
DATABASE = "shop"
WARM_SECONDS, QUIET_SECONDS, SETTLE_SECONDS = 1.0, 3.0, 0.3

# PostgreSQL as people run it, not as tests do: what is committed is on disk.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "wal_level": "replica", "autovacuum": "on",
            "log_lock_waits": "off", "wal_keep_size": "0"}


class Base:
    """The data directory that everybody starts from, and a stopped server to copy it from."""

    def __init__(self, home, options):
        self.settings = dict(SETTINGS)
        if options.server < 13:
            self.settings["wal_keep_segments"] = self.settings.pop("wal_keep_size")
        server = Server(home, options.server, durable=True, settings=self.settings)
        with server.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        Application.create(server.url(DATABASE), options.rows)
        with server.connect(DATABASE) as connection:
            connection.execute("CHECKPOINT")
        server.stop()
        self.folder, self.data = server.folder, server.data

    def remove(self):
        shutil.rmtree(self.folder)


class Application:
    """The load generator as its own process."""

    def __init__(self, url, rate):
        self.process = subprocess.Popen([LOAD, "--url", url, "--rate", str(rate), "--quiet"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def create(url, rows):
        subprocess.run([LOAD, "--url", url, "--create-rows", str(rows), "--seconds", "0"], check=True,
                       stdout=subprocess.DEVNULL)

    def mark(self):
        """What happened since the last mark."""
        self.process.send_signal(signal.SIGUSR1)
        return self._line()

    def stop(self):
        """Ends it; what happened since its start."""
        self.process.send_signal(signal.SIGTERM)
        line = self._line()
        self.process.wait(60)
        return line

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load generator ended with exit code {self.process.wait(10)}")
        return json.loads(line)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _sizes(connection):
    return connection.execute(
        "SELECT pg_relation_size('orders'), pg_indexes_size('orders'), "
        "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()


def _updates(connection):
    """Rows updated, and those of them in place (HOT)."""
    return connection.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
                              "WHERE relname = 'orders'").fetchone()


def _wrong(connection):
    return connection.execute("SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM "
                              "(amount * 100)::bigint").fetchone()[0]


def one(home, base, contender, options):
    server = Server(home, options.server, durable=True, settings=base.settings, data_from=base.data)
    try:
        with server.connect(DATABASE) as connection:
            return _measure(server, connection, contender, options)
    finally:
        server.stop("immediate")
        run_as_account(["rm", "-rf", server.folder])


def _measure(server, connection, contender, options):
    connection.execute("SELECT count(*) FROM orders")  # everybody finds the same warm cache
    application = Application(server.url(DATABASE), options.rate)
    try:
        time.sleep(WARM_SECONDS)
        application.mark()
        time.sleep(QUIET_SECONDS)
        quiet = application.mark()
        heap, indexes, wal = _sizes(connection)
        updates, hot = _updates(connection)
        cpu, started = proc.server_cpu_seconds(server), time.monotonic()
        cost = contender.run(server, DATABASE)
        seconds, server_cpu = time.monotonic() - started, proc.server_cpu_seconds(server) - cpu
        after = _sizes(connection)
        time.sleep(SETTLE_SECONDS)
        during = application.mark()
        whole = application.stop()
    finally:
        application.kill()
    updates_after, hot_after = _updates(connection)
    return {
        "seconds": seconds, "backfill_seconds": cost.backfill_seconds, "rows_per_s": options.rows / seconds,
        "wal_mb": (after[2] - wal) / 1e6, "heap": after[0] / heap, "index": after[1] / indexes,
        "hot": (hot_after - hot) / max(1, updates_after - updates), "quiet_p99_ms": quiet["p99_ms"],
        "p50_ms": during["p50_ms"], "p99_ms": during["p99_ms"], "max_ms": during["max_ms"],
        "errors": whole["errors"] + whole["connection_errors"] + whole["unfinished"],
        "first_error": whole["first_error"] or "",
        "wrong": _wrong(connection), "peak_kb": cost.peak_kb, "cpu_seconds": cost.cpu_seconds,
        "server_cpu_seconds": server_cpu,
    }

"""One contender on one copy of a MariaDB or MySQL data directory, with the application beside it."""
import json
import os
import shutil
import subprocess
import time

from bench import measure, proc
from bench.my_contender import DATABASE, TABLE, Chunks
from test.lib.my_servers import MyServer
from test.lib.servers import run_as_account

TWIN = "orders_twin"
HOSTILE_STATEMENTS = 3  # those of a hostile transaction that a rate in statements counts; the twin's not among them

# As people run it: what is committed is on disk, and the table is in memory.
SETTINGS = {"innodb_buffer_pool_size": "512M", "innodb_log_file_size": "512M"}


def settings_of(name):
    settings = dict(SETTINGS)
    if name.startswith("mysql-") and not name.startswith("mysql-5"):
        settings |= {"innodb_redo_log_capacity": "1G"}
        del settings["innodb_log_file_size"]
    return settings


class Base:
    """The data directory that everybody starts from: the table, and the twin for the hostile application."""

    def __init__(self, home, name, options):
        self.name = name
        server = MyServer(home, name, durable=True, settings=settings_of(name))
        server.query(f"CREATE DATABASE {DATABASE}")
        self.version = server.query("SELECT VERSION()")[0][0]
        command = [measure.LOAD, "--url", server.url(DATABASE), "--create-rows", options.rows, "--seconds", "0"]
        if "hostile" in options.profiles:
            command += ["--twin", TWIN, "--create-twin"]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        server.query("SET GLOBAL innodb_fast_shutdown = 0")
        server.stop()
        self.folder, self.data = server.folder, server.data

    def remove(self):
        shutil.rmtree(self.folder)


class Application(measure.Application):
    """The load generator, in the profile that is asked for."""

    def __init__(self, url, rate, profile):
        command = [measure.LOAD, "--url", url, "--quiet", "--profile", profile]
        if profile == "hostile":
            command += ["--twin", TWIN, "--rate", rate / HOSTILE_STATEMENTS]
        else:
            command += ["--rate", rate]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)


def _server_cpu(server):
    return sum(int(ticks) for ticks in proc._stat(server.process.pid)[11:13]) / proc.TICK


def _log_bytes(server):
    return sum(file.stat().st_size for file in server.data.glob("binlog.0*"))


def _wrong(server, profile, options):
    """Rows that are not as the application wrote them, by the twin; the plain application has none and only adds
    rows, so there are at least as many as before."""
    if profile != "hostile":
        count = server.query(f"SELECT COUNT(*) FROM {TABLE}", DATABASE)[0][0]
        return max(0, options.rows - count)
    done = subprocess.run([measure.LOAD, "--url", server.url(DATABASE), "--twin", TWIN, "--only-compare"],
                          capture_output=True, text=True)
    if done.returncode not in (0, 6):
        raise RuntimeError(f"the rows cannot be compared: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["twin"]["differences"]


def one(home, base, contender, profile, options):
    server = MyServer(home, base.name, durable=True, settings=settings_of(base.name), data_from=base.data)
    try:
        return _measure(server, contender, profile, options)
    finally:
        server.end()
        run_as_account(["rm", "-rf", server.folder])


def _measure(server, contender, profile, options):
    for table in (TABLE, TWIN) if profile == "hostile" else (TABLE,):  # everybody finds the same warm cache
        server.query(f"SELECT COUNT(*), SUM(LENGTH(note)) FROM {table} FORCE INDEX (PRIMARY)", DATABASE)
    os.sync()  # nor the copied files' writing beside it
    application = Application(server.url(DATABASE), options.rate, profile)
    try:
        time.sleep(measure.WARM_SECONDS)
        application.mark()
        time.sleep(measure.QUIET_SECONDS)
        quiet = application.mark()
        cpu, log, started = _server_cpu(server), _log_bytes(server), time.monotonic()
        cost = contender.run(server)
        seconds = time.monotonic() - started
        server_cpu, log = _server_cpu(server) - cpu, _log_bytes(server) - log
        time.sleep(measure.SETTLE_SECONDS)
        during = application.mark()
        whole = application.stop()
    finally:
        application.kill()
    kind = server.query("SELECT DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "
                        f"'{DATABASE}' AND TABLE_NAME = '{TABLE}' AND COLUMN_NAME = 'customer_id'")[0][0]
    if not isinstance(contender, Chunks) and kind != "bigint":
        raise RuntimeError(f"{contender.name}: the column is {kind} afterwards")
    return {
        "seconds": cost.backfill_seconds or seconds, "rows_per_s": options.rows / seconds, "log_mb": log / 1e6,
        "quiet_p99_ms": quiet["p99_ms"], "quiet_max_ms": quiet["max_ms"], "p50_ms": during["p50_ms"],
        "p99_ms": during["p99_ms"], "max_ms": during["max_ms"],
        "errors": whole["errors"] + whole["connection_errors"] + whole["unfinished"], "deadlocks": whole["deadlocks"],
        "first_error": whole["first_error"] or "", "wrong": _wrong(server, profile, options),
        "peak_kb": cost.peak_kb, "cpu_seconds": cost.cpu_seconds, "server_cpu_seconds": server_cpu,
    }

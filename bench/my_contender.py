"""The ways to widen an indexed INT column of a busy MariaDB or MySQL table that are measured against each other."""
import json
import shutil
import subprocess
import threading
import time

from bench import proc
from bench.contender import Cost

ACTION = "MODIFY customer_id bigint NOT NULL"
DATABASE, TABLE = "shop", "orders"


def run(command, environment=None):
    """Its output, and what the process itself has used; fails with its last words."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment)
    watched = proc.Watched(process)
    said = {}
    readers = [threading.Thread(target=lambda n=name, s=stream: said.__setitem__(n, s.read()), daemon=True)
               for name, stream in (("out", process.stdout), ("err", process.stderr))]
    try:
        for reader in readers:
            reader.start()
        code = watched.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    for reader in readers:
        reader.join()
    if code != 0:
        raise RuntimeError(f"{command[0]}: exit {code}\n{said['out'][-2000:]}\n{said['err'][-2000:]}")
    return said["out"], Cost(peak_kb=watched.peak_kb, cpu_seconds=watched.cpu_seconds)


class Stoa:
    """The program itself, from its start to ready: plan, shadow table, copy, capture, checksum of every row, swap."""

    name = "stoa"

    def __init__(self, binary, environment, arguments=()):
        self.binary, self.environment, self.arguments = str(binary), environment, list(arguments)

    def run(self, server):
        out, cost = run([self.binary, "apply", f"ALTER TABLE {TABLE} {ACTION}", "--yes", "--json", *self.arguments,
                         "--url", server.url(DATABASE)], self.environment)
        self.events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return cost


class PtOsc:
    """pt-online-schema-change as it comes, but that it looks for no replicas. It compares nothing."""

    name = "pt-osc"
    program = "pt-online-schema-change"

    @staticmethod
    def is_there():
        return shutil.which(PtOsc.program) is not None

    @staticmethod
    def version():
        return subprocess.run([PtOsc.program, "--version"], capture_output=True, text=True).stdout.split()[-1]

    def run(self, server):
        return run([self.program, "--alter", ACTION, "--execute", "--recursion-method=none",
                    f"h=127.0.0.1,P={server.port},u=root,D={DATABASE},t={TABLE}"])[1]


class Plain:
    """The statement as it is, which stops the writers of the table (LOCK=SHARED)."""

    name = "plain"

    def run(self, server):
        server.query(f"ALTER TABLE {TABLE} {ACTION}", DATABASE)
        return Cost()


class Chunks:
    """INSERT … SELECT by key, 20,000 rows a transaction, and nothing else: no capture, no checksum, no swap. What a
    copy costs at least; its copy is thrown away."""

    name = "chunks"
    size = 20_000

    def run(self, server):
        with server.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute(f"CREATE TABLE chunks LIKE {TABLE}")
            cursor.execute(f"ALTER TABLE chunks {ACTION}")
            cursor.execute(f"SELECT MIN(id), MAX(id) FROM {TABLE}")
            low, end = cursor.fetchone()
            started = time.monotonic()
            while low <= end:
                cursor.execute(f"INSERT INTO chunks SELECT * FROM {TABLE} WHERE id >= {low} AND id < {low + self.size}")
                low += self.size
            seconds = time.monotonic() - started
            cursor.execute("DROP TABLE chunks")
        return Cost(backfill_seconds=seconds)

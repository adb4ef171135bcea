"""The ways to add and fill a column that are measured against each other."""
import json
import subprocess
import threading
import time

import psycopg

from bench import proc

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint"
EXPRESSION = "(amount * 100)::bigint"
NEW = EXPRESSION.replace("amount", "new.amount")
FUNCTION = f"""CREATE FUNCTION fill_amount_cents() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN new.amount_cents := {NEW}; RETURN new; END$$"""


class Cost:
    """What a contender's own process has used, where it is one."""

    def __init__(self, backfill_seconds=None, peak_kb=None, cpu_seconds=None):
        self.backfill_seconds, self.peak_kb, self.cpu_seconds = backfill_seconds, peak_kb, cpu_seconds


class Stoa:
    """The program itself, from its start to its end: plan, expand, backfill, VACUUM, verify, constrain, ready."""

    name = "stoa"

    def __init__(self, binary, environment, arguments=()):
        self.binary, self.environment, self.arguments = str(binary), environment, list(arguments)

    def run(self, server, database):
        process = subprocess.Popen(
            [self.binary, "apply", f"{ADD} NOT NULL", "--backfill", f"orders.amount_cents = {EXPRESSION}", "--yes",
             "--json", *self.arguments, "--url", server.url(database)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment)
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
            raise RuntimeError(f"stoa apply: exit {code}\n{said['out'][-2000:]}\n{said['err'][-2000:]}")
        self.events = [json.loads(line) for line in said["out"].splitlines() if line.startswith("{")]
        summary = next((event["summary"] for event in self.events if "summary" in event), {})
        return Cost(summary.get("backfill_ms", 0) / 1000, watched.peak_kb, watched.cpu_seconds)


class Shadow(Stoa):
    """The same change in a shadow table."""

    name = "shadow"

    def __init__(self, binary, environment, arguments=()):
        super().__init__(binary, environment, [*arguments, "--strategy", "shadow"])


def _constrain(connection):
    """The way to NOT NULL without a long lock, as careful tools take it."""
    for statement in ("ALTER TABLE orders ADD CONSTRAINT orders_amount_cents_set CHECK (amount_cents IS NOT NULL) NOT VALID",
                      "ALTER TABLE orders VALIDATE CONSTRAINT orders_amount_cents_set",
                      "ALTER TABLE orders ALTER COLUMN amount_cents SET NOT NULL",
                      "ALTER TABLE orders DROP CONSTRAINT orders_amount_cents_set"):
        connection.execute(statement)


class Keyset:
    """Batches of 1000 by key, a transaction each: the shape that other tools use, in its fastest form (direct
    SET, and a trigger that only fires when the source column is written, so not for the batches)."""

    name = "keyset"
    batch = 1000
    trigger = "BEFORE INSERT OR UPDATE OF amount"
    assignment = f"amount_cents = {EXPRESSION}"

    def run(self, server, database):
        with psycopg.connect(server.url(database), autocommit=True, prepare_threshold=0) as connection:
            with connection.transaction():
                connection.execute(ADD)
                connection.execute(FUNCTION)
                connection.execute(f"CREATE TRIGGER fill_amount_cents {self.trigger} ON orders "
                                   "FOR EACH ROW EXECUTE FUNCTION fill_amount_cents()")
            started = time.monotonic()
            cpu = time.thread_time()
            low, end = connection.execute("SELECT min(id) - 1, max(id) FROM orders").fetchone()
            bounds = f"SELECT max(id) FROM (SELECT id FROM orders WHERE id > %s ORDER BY id LIMIT {self.batch}) AS b"
            update = f"UPDATE orders SET {self.assignment} WHERE id > %s AND id <= %s"
            while low < end:
                high = connection.execute(bounds, [low]).fetchone()[0]
                connection.execute(update, [low, high])
                low = high
            seconds = time.monotonic() - started
            _constrain(connection)
            return Cost(seconds, cpu_seconds=time.thread_time() - cpu)


class Touch(Keyset):
    """The other common shape: the batch touches the row, and a trigger for each row computes the value."""

    name = "touch"
    trigger = "BEFORE INSERT OR UPDATE"
    assignment = "id = id"


class Naive:
    """One transaction, as it is usually written."""

    name = "naive"

    def run(self, server, database):
        with psycopg.connect(server.url(database)) as connection:
            for statement in (ADD, f"UPDATE orders SET amount_cents = {EXPRESSION}",
                              "ALTER TABLE orders ALTER COLUMN amount_cents SET NOT NULL"):
                connection.execute(statement)
        return Cost()

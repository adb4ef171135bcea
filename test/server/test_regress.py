"""What went wrong once: each test is a proof that it cannot come back."""
import signal
import threading
import time

from test.lib.database import orders
from test.lib.servers import until

ADD = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
FILL = ["--backfill", "orders.amount_cents = (amount * 100)::bigint"]
NAME = "orders-amount-cents"
WRONG = "SELECT count(*) FROM orders WHERE amount_cents IS DISTINCT FROM (amount * 100)::bigint"


class Writer:
    """One session that updates one row again and again, and measures how long each update waits."""

    def __init__(self, db, text):
        self.text, self.conn, self.waits, self.over = text, db.connect(), [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.over.is_set():
            begin = time.monotonic()
            self.conn.execute(self.text)
            self.waits.append(time.monotonic() - begin)
            time.sleep(0.002)

    def __enter__(self):
        self.begin = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(60)
        self.seconds = time.monotonic() - self.begin

    def stalled(self):
        """The share of the time that it waited for longer than an update takes."""
        return sum(wait for wait in self.waits if wait > 0.025) / self.seconds


def stopped_at(stoa, failpoint, *args):
    running = stoa.start("apply", ADD, *FILL, "--yes", *args, env={"STOA_FAILPOINT": f"{failpoint[0]}=pause:{failpoint[1]}"})
    until(lambda: running.is_stopped, 60, lambda: f"the stop at {failpoint}\n{running.partial()}")
    return running


def test_last_range_does_not_grow_with_the_table(db, stoa):
    """The last range was open: it read all that was appended since, in every wave, until no wave was in time."""
    db.run("CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric NOT NULL)")
    db.run("INSERT INTO orders SELECT i, i FROM generate_series(1, 20000) i")
    stoa.start("apply", ADD, *FILL, "--yes", env={"STOA_FAILPOINT": "wave_before_commit=kill:2"}).wait(None)
    db.run("INSERT INTO orders SELECT i, i, i * 100 FROM generate_series(20001, 2000000) i")
    # resumed in a pause of the writers, with a limit that reading all of the new rows does not keep
    stoa.apply(ADD, *FILL, "--max-stall", "60ms", "--until", "verify", seconds=300)
    stoa.apply(ADD, *FILL, "--max-stall", "2s", seconds=300)  # 10 and 11 read all rows for SET NOT NULL
    assert db.value(WRONG) == 0


def test_stopped_with_the_lock_in_hand(db, stoa):
    """A process that is stopped, or cut off, held the table's lock for as long as it stayed so."""
    orders(db, 100)
    with Writer(db, "UPDATE orders SET note = 'w' WHERE id = 7") as writer:
        apply = stopped_at(stoa, ("locked_before_commit", 1))
        time.sleep(2)
        apply.signal(signal.SIGCONT)
        apply.wait(0)
    assert max(writer.waits) < 1, max(writer.waits)
    assert db.value(WRONG) == 0


def test_foreign_key_does_not_wait_with_a_lock_in_hand(db, stoa):
    """While the other end was held, the table's writers stood still 64 % of the time, and nobody was named."""
    db.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers SELECT generate_series(0, 99)")
    orders(db, 100)
    holder = db.connect(autocommit=False, application_name="nightly import")
    holder.execute("UPDATE customers SET id = id WHERE id = 5")
    with Writer(db, "UPDATE orders SET note = 'w' WHERE id = 7") as writer:
        result = stoa.apply("ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id)",
                            "--lock-wait", "4s", code=5)
    assert "nightly import" in result.err and str(holder.info.backend_pid) in result.err, str(result)
    assert writer.stalled() < 0.2, writer.stalled()
    holder.rollback()


def test_hold_that_takes_too_long_is_not_tried_again_at_once(db, admin_stoa):
    """A lock that could not be given back within --max-stall was taken again at once, for ten minutes."""
    orders(db, 100)
    db.admin.execute("CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); END'")
    db.admin.execute("CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE PROCEDURE slow()")
    with Writer(db, "UPDATE orders SET note = 'w' WHERE id = 7") as writer:
        result = admin_stoa.apply(ADD, *FILL, "--max-stall", "60ms", code=5)
    assert "--max-stall" in result.err, str(result)
    assert writer.stalled() < 0.2, writer.stalled()
    assert "amount_cents" not in db.columns("orders")


def test_ready_stays_ready(db, stoa):
    """A failure after the commit of ready made the change a failed one that could not be completed."""
    orders(db, 100)
    stoa.apply(ADD, *FILL, "--until", "constrain")
    stoa("resume", NAME, env={"STOA_FAILPOINT": "step_outcome=error:1"}, code=None)
    assert stoa.status(NAME)["state"] == "ready"
    stoa.apply(ADD, *FILL)
    assert stoa.status(NAME)["ready_position"]
    stoa("complete", NAME, "--force", "--yes")


def test_abort_of_a_change_whose_table_is_gone(db, stoa):
    """It could not end, and function and counters stayed."""
    orders(db, 100)
    before = db.value("SELECT count(*) FROM pg_class")
    stoa.apply(ADD, *FILL, "--until", "backfill")
    db.run("DROP TABLE orders")
    stoa("abort", NAME, "--yes")
    assert db.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'sync%' AND pronamespace = 'stoa'::regnamespace") == 0
    assert db.value("SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'stoa'::regnamespace "
                    "AND relname ~ '^(fills|minute)_'") == 0
    assert before > 0 and db.value("SELECT count(*) FROM stoa.sync_columns") == 0


def test_abort_that_was_cut_off_then_apply(db, stoa):
    """The old checkpoint was found, nothing was filled, and the empty column was called ready."""
    orders(db, 1000)
    text = "ALTER TABLE orders ADD COLUMN seen_at timestamptz"
    fill = ["--backfill", "orders.seen_at = now() + customer_id * interval '1 s'", "--name", "seen"]
    stoa.apply(text, *fill, "--until", "verify")
    stoa("abort", "seen", "--yes", env={"STOA_FAILPOINT": "abort_before_state=kill:1"}, code=None)
    assert "seen_at" not in db.columns("orders")
    stoa.apply(text, *fill)
    assert db.value("SELECT count(*) FROM orders WHERE seen_at IS NULL") == 0


def test_another_table_of_the_same_name(db, stoa):
    """Neither called ready without a trigger, nor emptied by the abort."""
    orders(db, 100)
    stoa.apply(ADD, *FILL, "--until", "backfill")
    db.run("CREATE TABLE other (LIKE orders INCLUDING ALL); INSERT INTO other SELECT * FROM orders; "
           "DROP TABLE orders; ALTER TABLE other RENAME TO orders")
    result = stoa("resume", NAME, code=4)
    assert "replaced" in result.err, str(result)
    stoa("abort", NAME, "--yes")
    assert db.value("SELECT count(amount_cents) FROM orders") == 100


def test_parked_rows_whose_value_may_be_null(db, stoa):
    """Rows that stayed NULL, as they should, were waited for until --lock-wait was used up."""
    orders(db, 1000)
    text = "ALTER TABLE orders ADD COLUMN even_at timestamptz"
    fill = ["--backfill", "orders.even_at = CASE WHEN customer_id % 2 = 0 THEN now() END", "--name", "even"]
    stoa.apply(text, *fill, "--until", "expand")
    holder = db.connect(autocommit=False)
    holder.execute("UPDATE orders SET note = 'h' WHERE id = 4")
    resume = stoa.start("resume", "even")
    until(lambda: db.value("SELECT json_array_length(body->'parked') FROM stoa.checkpoints WHERE ordinal > 0") == 1, 30,
          lambda: f"a parked range\n{resume.partial()}")
    holder.commit()
    resume.wait(0, seconds=30)
    assert db.value("SELECT count(*) FROM orders WHERE (even_at IS NULL) <> (customer_id % 2 <> 0)") == 0


def test_connection_lost_between_two_steps(db, stoa):
    """It ended the run, unlike one that is lost within a step."""
    orders(db, 100)
    apply = stopped_at(stoa, ("step_outcome", 2))
    db.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stoa:%' "
                     "AND datname = current_database()")
    apply.signal(signal.SIGCONT)
    apply.wait(0)
    assert db.value(WRONG) == 0


def test_killed_while_the_server_validates(db, stoa):
    """The orphan kept the lease's row: every apply was refused until the validation had ended by itself."""
    db.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 300)")
    db.run("CREATE FUNCTION fine(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE "
           "AS $$BEGIN PERFORM pg_sleep(CASE WHEN current_query() LIKE 'ALTER%' THEN 0.5 ELSE 0 END); RETURN true; END$$")
    db.run("ALTER TABLE t ADD CONSTRAINT fine CHECK (fine(id)) NOT VALID")
    apply = stoa.start("apply", "ALTER TABLE t VALIDATE CONSTRAINT fine", "--yes", "--name", "fine")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%VALIDATE%' AND state = 'active' " \
              "AND datname = current_database() AND pid <> pg_backend_pid()"
    until(lambda: db.value(running) == 1, 30, lambda: f"the validation\n{apply.partial()}")
    apply.kill()
    db.run("CREATE OR REPLACE FUNCTION fine(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'")
    stoa.apply("ALTER TABLE t VALIDATE CONSTRAINT fine", "--name", "fine", seconds=40)
    assert db.constraints("t")["fine"][1]

"""Metrics of signals, of who waited for us, and of who asks for flags, as a real server gives them."""
import threading

import psycopg

from test.lib.metrics import labels_of, one, read, total, until_told, values_of
from test.lib.servers import until

SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"
# So slow that an index over it is built for some seconds.
SLOWLY = "CREATE FUNCTION slowly(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM pg_sleep(0.03); RETURN v + 1; END$$"


class Waiting:
    """A session that wants a lock which goes with no index build, from when it is under way."""

    def __init__(self, db):
        self.conn = db.connect()
        self.conn.autocommit = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.conn.execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
            self.conn.rollback()
        except psycopg.Error:
            pass

    def close(self):
        self.conn.cancel()
        self.thread.join(30)


def test_signals_and_who_waits_for_us(table, serving, stoa):
    table.admin.execute(f"GRANT pg_monitor TO {table.owner}")
    table.run(f"DELETE FROM t WHERE id > 600; {SLOWLY}")
    web = serving().ready()
    running = stoa.start("apply", "CREATE INDEX slow ON t (slowly(v))", "--name", "w", "--yes", "--max-load", "blocked-sessions=1000")
    building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = 't'::regclass AND phase LIKE 'building%'"
    until(lambda: table.value(building) == 1, 60, "no index is built")
    waiting = Waiting(table)
    try:
        until(lambda: total(values_of(web), "stoa_blocked_sessions_max", migration="w", kind="create_index") >= 1, 60, "nobody is seen to wait")
        values = values_of(web)
        names = {labels["signal"] for labels in labels_of(values, "stoa_signal_value")}
        assert {"active-sessions", "blocked-sessions", "snapshot-age"} <= names, names
        assert one(values, "stoa_signal_threshold", migration="w", signal="blocked-sessions") == 1000
        assert one(values, "stoa_signal_threshold", migration="w", signal="active-sessions") == 200
        assert not any(labels["signal"] == "snapshot-age" for labels in labels_of(values, "stoa_signal_threshold")), "it has no limit"
    finally:
        waiting.close()
    running.wait(0, 120)
    values = until_told(web, "w", "done")
    assert total(values, "stoa_blocked_sessions_max", migration="w", kind="create_index") >= 1, "the most that there were stays"
    assert not labels_of(values, "stoa_replica_lag_seconds")


def test_who_asks_for_flags(table, serving, stoa):
    """Counted by flag, also over a picture that changes; what is no flag has no label of its own."""
    stoa("apply", SQL, "--name", "w", "--backfill", "t.w = v + 1", "--yes")
    web = serving().ready()
    ask = "/ofrep/v1/evaluate/flags/{}".format
    until(lambda: web.ask(ask("t.w.read"), "POST", {"context": {}})[0] == 200, 20)
    before = one(values_of(web), "stoa_flag_evaluations_total", flag="schema.public.t.w.read", result="value")
    assert before >= 1
    for key in ("t.w.read", "schema.public.t.w.read", "public.t.w.read", "t.w.stage"):
        assert web.ask(ask(key), "POST", {"context": {}})[0] == 200
    for number in range(40):
        assert web.ask(ask(f"nothing.of.{number}"), "POST", {"context": {}})[0] == 404
    web.ask(ask("")[:-1], "POST", {"context": {}})
    stoa("flag", "t.w.read", "off")
    until(lambda: web.ask(ask("t.w.read"), "POST", {"context": {}})[2]["value"] is False, 20)
    values = values_of(web)
    count = "stoa_flag_evaluations_total"
    assert one(values, count, flag="schema.public.t.w.read", result="value") >= before + 4, "it goes on after the flag has changed"
    assert one(values, count, flag="schema.public.t.w.stage", result="value") == 1
    assert one(values, count, flag="schema.public.t.w.write", result="value") == 0, "nobody asks for this one"
    assert total(values, count, result="error") == 0
    assert one(values, count, result="not_found") >= 40
    assert len(labels_of(values, count)) == 2 * 4 + 1 and "nothing.of" not in read(web)
    assert one(values, "stoa_flag_value", flag="schema.public.t.w.read") == 0 and not any(
        labels["flag"].endswith("stage") for labels in labels_of(values, "stoa_flag_value"))

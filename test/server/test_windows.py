"""--window around each of its edges, by the server's own clock and zones: overnight, weekdays, clocks that are set."""
import datetime

import pytest

from test.lib.servers import until

# window, moment in UTC, open, minutes left (None: not looked at)
EDGES = [
    # plain, and its edges to the minute
    ("09:00-17:00 UTC", "2026-11-30 08:59:59", False, 0), ("09:00-17:00 UTC", "2026-11-30 09:00", True, 480),
    ("09:00-17:00 UTC", "2026-11-30 16:59:59", True, 1), ("09:00-17:00 UTC", "2026-11-30 17:00", False, 0),
    # over midnight
    ("22:00-06:00 UTC", "2026-11-30 21:59", False, 0), ("22:00-06:00 UTC", "2026-11-30 22:00", True, 480),
    ("22:00-06:00 UTC", "2026-12-01 00:00", True, 360), ("22:00-06:00 UTC", "2026-12-01 05:59", True, 1),
    ("22:00-06:00 UTC", "2026-12-01 06:00", False, 0), ("22:00-06:00 UTC", "2026-12-01 12:00", False, 0),
    # to midnight, from midnight, all day, all week
    ("20:00-24:00 UTC", "2026-11-30 23:59", True, 1), ("20:00-24:00 UTC", "2026-12-01 00:00", False, 0),
    ("20:00-00:00 UTC", "2026-11-30 23:59", True, 1), ("00:00-04:00 UTC", "2026-12-01 00:00", True, 240),
    ("00:00-24:00 UTC", "2026-11-30 12:00", True, -1), ("Mon 00:00-24:00 UTC", "2026-11-30 23:59", True, 1),
    ("Mon,Tue 00:00-24:00 UTC", "2026-11-30 23:59", True, 1441), ("Mon 00:00-24:00 UTC", "2026-12-01 00:00", False, 0),
    # weekdays: 2026-11-27 is a Friday. The day is the one on which it begins
    ("Fri 22:00-06:00 UTC", "2026-11-27 03:00", False, 0), ("Fri 22:00-06:00 UTC", "2026-11-27 22:00", True, 480),
    ("Fri 22:00-06:00 UTC", "2026-11-28 05:59", True, 1), ("Fri 22:00-06:00 UTC", "2026-11-28 06:00", False, 0),
    ("Fri 22:00-06:00 UTC", "2026-11-28 23:00", False, 0), ("Sat,Sun 00:00-24:00 UTC", "2026-11-29 23:59", True, 1),
    ("Sat,Sun 00:00-24:00 UTC", "2026-11-27 23:59", False, 0), ("Sun 23:00-01:00 UTC", "2026-11-30 00:59", True, 1),
    # a zone's own weekday: Monday in Auckland is still Sunday in UTC
    ("Mon 06:00-08:00 Pacific/Auckland", "2026-11-29 17:00", True, 120), ("Sun 06:00-08:00 Pacific/Auckland", "2026-11-29 17:00", False, 0),
    ("Sun 20:00-24:00 America/Los_Angeles", "2026-11-30 04:00", True, 240),
    # behind Greenwich, half hours, fixed offsets, which are east of Greenwich where they are positive
    ("22:00-06:00 America/New_York", "2026-12-01 03:00", True, 480), ("22:00-06:00 America/New_York", "2026-12-01 02:59", False, 0),
    ("06:00-07:00 Asia/Kolkata", "2026-11-30 00:30", True, 60), ("01:00-02:00 +05:30", "2026-11-30 19:30", True, 60),
    ("01:00-02:00 +05:30", "2026-11-30 06:30", False, 0), ("19:00-20:00 -05:00", "2026-12-01 00:00", True, 60),
    # Berlin sets its clocks forward at 2026-03-29 01:00 UTC (02:00 becomes 03:00) …
    ("01:00-04:00 Europe/Berlin", "2026-03-29 00:00", True, 120), ("01:00-04:00 Europe/Berlin", "2026-03-29 00:59", True, 61),
    ("01:00-04:00 Europe/Berlin", "2026-03-29 01:00", True, 60), ("01:00-04:00 Europe/Berlin", "2026-03-29 02:00", False, 0),
    ("02:00-03:00 Europe/Berlin", "2026-03-29 00:59", False, 0), ("02:00-03:00 Europe/Berlin", "2026-03-29 01:00", False, 0),
    ("22:00-06:00 Europe/Berlin", "2026-03-28 21:00", True, 420), ("22:00-06:00 Europe/Berlin", "2026-03-29 03:59", True, 1),
    ("22:00-06:00 Europe/Berlin", "2026-03-29 04:00", False, 0),
    # … and back at 2026-10-25 01:00 UTC (03:00 becomes 02:00): the hour is there twice
    ("02:00-03:00 Europe/Berlin", "2026-10-24 23:59", False, 0), ("02:00-03:00 Europe/Berlin", "2026-10-25 00:00", True, None),
    ("02:00-03:00 Europe/Berlin", "2026-10-25 00:59", True, None), ("02:00-03:00 Europe/Berlin", "2026-10-25 01:00", True, 60),
    ("02:00-03:00 Europe/Berlin", "2026-10-25 02:00", False, 0), ("22:00-06:00 Europe/Berlin", "2026-10-25 04:59", True, 1),
    ("22:00-06:00 Europe/Berlin", "2026-10-25 05:00", False, 0),
    # New York: forward at 2026-03-08 07:00 UTC, back at 2026-11-01 06:00 UTC
    ("01:30-03:30 America/New_York", "2026-03-08 06:30", True, 60), ("01:30-03:30 America/New_York", "2026-03-08 07:00", True, 30),
    ("01:30-03:30 America/New_York", "2026-03-08 07:30", False, 0), ("01:00-02:00 America/New_York", "2026-11-01 05:30", True, None),
    ("01:00-02:00 America/New_York", "2026-11-01 06:59", True, 1), ("01:00-02:00 America/New_York", "2026-11-01 07:00", False, 0),
    # Lord Howe: by half an hour, forward at 2026-10-03 15:30 UTC, back at 2026-04-04 15:00 UTC
    ("01:00-03:00 Australia/Lord_Howe", "2026-10-03 15:29", True, 31), ("01:00-03:00 Australia/Lord_Howe", "2026-10-03 15:30", True, 30),
    ("01:00-03:00 Australia/Lord_Howe", "2026-10-03 16:00", False, 0), ("01:30-02:00 Australia/Lord_Howe", "2026-04-04 14:59", True, None),
    ("01:30-02:00 Australia/Lord_Howe", "2026-04-04 15:29", True, 1), ("01:30-02:00 Australia/Lord_Howe", "2026-04-04 15:30", False, 0),
]


def looked_at(stoa, edges):
    wrong = []
    for window, at, is_open, left in edges:
        checks = stoa("doctor", "--window", window, "--at", at, "--json", code=None).json["checks"]
        check = next(check for check in checks if check["name"] == "window")
        if check["open"] != is_open or (left is not None and check["left_minutes"] != left):
            wrong.append((window, at, is_open, left, check["message"]))
    return wrong


def test_each_edge(stoa):
    assert looked_at(stoa, EDGES) == []


def hours(path, now, busy, days=9):
    """Samples of so many days up to now: nothing much from 1 to 5 o'clock where it is busy otherwise."""
    total, lines = 0, ["# seconds sum"]
    for at in range((now // 3600 - days * 24) * 3600, now, 3600):
        lines.append(f"{at} {total}")
        total += 3600 * (busy if at % 86400 // 3600 in (1, 2, 3, 4) else 100)
    path.write_text("\n".join(lines) + "\n")


def quiet(stoa, path):
    checks = stoa("doctor", "--quiet-hours", path, "--json").json["checks"]
    return [check for check in checks if check["name"] == "quiet hours"][0]


def test_quiet_hours_are_suggested(db, stoa, tmp_path):
    path = tmp_path / "hours"
    first = quiet(stoa, path)
    assert first["window"] is None and "0.0 days are known" in first["message"]
    with db.connect() as conn:
        for _ in range(50):
            conn.execute("SELECT 1")
        conn.execute("SELECT pg_stat_clear_snapshot()")

    def done():
        samples = [list(map(int, line.split())) for line in path.read_text().splitlines()]
        quiet(stoa, path)
        return samples[-1][1] - samples[0][1] >= 50
    until(done, 60, "what was done is counted")
    now = int(db.value("SELECT extract(epoch FROM clock_timestamp())::bigint"))
    hours(path, now, busy=10)
    found = quiet(stoa, path)
    assert found["window"] == "01:00-05:00 UTC" and found["fix"] == "--window '01:00-05:00 UTC'", found
    assert 90 < found["rates_per_s"][9] <= 100 and 9 < found["rates_per_s"][2] < 35
    hours(path, now, busy=80)
    assert quiet(stoa, path)["window"] is None and "none" in quiet(stoa, path)["message"]
    path.write_text("12 13\nwhat\n")
    assert "line 2" in stoa("doctor", "--quiet-hours", path, code=2).err


def test_what_is_no_window(stoa):
    for window in ("25:00-26:00", "22-06", "Foo 01:00-02:00", "01:00-24:01", "24:00-01:00", "01:60-02:00", "Mon;Tue 01:00-02:00"):
        assert "--window" in stoa("doctor", "--window", window, code=2).err
    assert "Nowhere/Here" in stoa("doctor", "--window", "01:00-02:00 Nowhere/Here", code=2).err
    stoa("doctor", "--at", "2026-11-30 12:00", code=2)


def shut_window():
    """One that opens in two hours."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    return f"{now:%H:%M}-{now + datetime.timedelta(hours=1):%H:%M} UTC"


def test_short_steps_at_any_time(db, stoa):
    """--window-for heavy: the column comes at once, the index waits for the window."""
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i")
    running = stoa.start("apply", "ALTER TABLE t ADD COLUMN b bigint; CREATE INDEX t_a ON t (a)", "--name", "fill", "--yes",
                         "--window", shut_window(), "--window-for", "heavy")
    until(lambda: "b" in db.columns("t"), 60, running.partial)
    running.says("outside the window", 60)
    assert db.value("SELECT to_regclass('t_a')") is None
    assert db.value("SELECT value FROM stoa.settings WHERE name = 'window-for'") == "heavy"
    stoa("resume", "fill", "--window", "00:00-24:00 UTC")
    running.wait(0)
    assert db.value("SELECT to_regclass('t_a')") is not None


def test_all_steps_wait_otherwise(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int)")
    running = stoa.start("apply", "ALTER TABLE t ADD COLUMN b bigint", "--name", "add", "--yes", "--window", shut_window())
    running.says("outside the window", 60)
    assert "b" not in db.columns("t")
    stoa("resume", "add", "--window-for", "heavy")
    running.wait(0)
    assert "b" in db.columns("t")

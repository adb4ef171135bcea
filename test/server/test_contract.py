"""Contracts of columns: in the journal, in the comment, in the life that history tells."""
import datetime

import pytest


@pytest.fixture
def orders(db):
    db.run("CREATE TABLE orders (id bigint PRIMARY KEY, amount int); INSERT INTO orders SELECT i, i FROM generate_series(1, 2000) i")
    return db


SQL = """
-- stoa: name cents
-- stoa: owner payments
-- stoa: purpose totals in cents, exactly
-- stoa: expires 2031-06-30
ALTER TABLE orders ADD COLUMN cents bigint NOT NULL;
"""
FILL = ("--backfill", "orders.cents = amount * 100")


def comment(db, column="cents"):
    return db.value("SELECT col_description('orders'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'orders'::regclass "
                    "AND attname = %s", [column])


def contracts(stoa):
    return [one["detail"] for one in stoa("history", "--json").json["events"] if one["event"] == "contract"]


def test_in_journal_and_comment(orders, stoa):
    stoa("apply", SQL, "--flag", "new-totals", "--yes", *FILL)
    assert contracts(stoa) == [{"schema": "public", "table": "orders", "column": "cents", "owner": "payments", "comment": True,
                                "purpose": "totals in cents, exactly", "flag": "new-totals", "expires": "2031-06-30"}]
    wanted = "[stoa: owner payments; purpose totals in cents, exactly; flag new-totals; expires 2031-06-30]"
    assert comment(orders) == wanted
    orders.run("COMMENT ON COLUMN orders.cents IS 'the customer''s words [and more]'")
    stoa("apply", SQL, "--flag", "new-totals", "--expires", "2032-01-01", "--yes", *FILL)
    assert comment(orders) == "the customer's words [and more] " + wanted.replace("2031-06-30", "2032-01-01")
    assert [one["expires"] for one in contracts(stoa)] == ["2031-06-30", "2032-01-01"]
    stoa("apply", SQL, "--flag", "new-totals", "--expires", "2032-01-01", "--yes", *FILL)
    assert len(contracts(stoa)) == 2 and comment(orders).count("[stoa: ") == 1
    stoa("complete", "cents", "--yes", "--force")
    assert "drift" not in [one["event"] for one in stoa("history", "--json").json["events"]]
    assert stoa("stale", "--json").json["findings"] == []


def test_the_digest_is_the_same(orders, stoa):
    one = stoa("plan", SQL, "--json", *FILL).json
    two = stoa("plan", SQL.replace("2031", "2032").replace("exactly", "nearly"), "--json", *FILL).json
    assert one["change_digest"] == two["change_digest"] and one["plan_digest"] == two["plan_digest"]


def test_without_comment(orders, stoa):
    stoa("apply", SQL, "--yes", "--no-comment", *FILL)
    assert comment(orders) is None and contracts(stoa)[0]["expires"] == "2031-06-30"


def test_a_comment_that_cannot_be_written_fails_nothing(orders, stoa):
    with orders.connect() as holder:
        holder.autocommit = False
        stoa("apply", SQL, "--yes", "--until", "constrain", *FILL)
        holder.execute("LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE")
        result = stoa("resume", "cents")
        holder.rollback()
    assert comment(orders) is None and stoa("status", "cents", "--json").json["changes"][0]["ready"], str(result)
    assert any(one["event"] == "contract_comment" for one in stoa("history", "--json").json["events"])
    stoa("apply", SQL, "--yes", *FILL)
    assert comment(orders).startswith("[stoa: ")


@pytest.mark.parametrize("args,words", [
    (["--expires", "2031-02-30"], "no day"), (["--expires", "next year"], "no day"), (["--purpose", "a [b]"], "bracket"),
    (["--flag", "a;b"], "semicolon"), (["--purpose", "x" * 301], "longer than"),
])
def test_refused(orders, stoa, args, words):
    result = stoa("plan", "ALTER TABLE orders ADD COLUMN c int", *args, code=2)
    assert words in result.err, str(result)


def test_expired(orders, stoa):
    yesterday = (datetime.date.today() - datetime.timedelta(days=2)).isoformat()
    stoa("apply", "ALTER TABLE orders ADD COLUMN c int", "--name", "c", "--expires", yesterday, "--yes", "--accept-star")
    found = [one for one in stoa("stale", "--json").json["findings"] if one["kind"] == "expired-contract"]
    assert [(one["object"], one["confidence"], one["do"]) for one in found] == [
        ("public.orders.c", "high", "stoa retire public.orders.c")]
    assert yesterday in found[0]["evidence"]
    orders.run("ALTER TABLE orders DROP COLUMN c")
    assert not [one for one in stoa("stale", "--json").json["findings"] if one["kind"] == "expired-contract"]


def test_the_life_of_a_column(orders, stoa):
    stoa("apply", SQL, "--yes", *FILL)
    stoa("flag", "orders.cents.read", "off", "--reason", "totals differ")
    stoa("complete", "cents", "--yes", "--force")
    stoa("apply", "ALTER TABLE orders ALTER COLUMN cents SET DEFAULT 7", "--name", "default", "--yes")
    stoa("apply", "ALTER TABLE orders ADD COLUMN other int", "--name", "other", "--yes", "--accept-star")
    life = stoa("history", "orders.cents", "--json").json
    assert life["column"] == "public.orders.cents"
    events = [(one["event"], one["change"]) for one in life["events"]]
    assert events[0] == ("added", "cents") and ("contract", "cents") in events and ("flag", "cents") in events
    assert ("ready", "cents") in events and ("completed", "cents") in events and ("changed", "default") in events
    assert not [one for one in events if one[1] == "other"]
    assert [one["at"] for one in life["events"]] == sorted(one["at"] for one in life["events"])
    assert stoa("history", "public.orders.cents", "--json").json == life
    text = stoa("history", "orders.cents").out
    assert "added by change cents, owner payments" in text and "totals differ" in text
    assert "no change in the journal was about" in stoa("history", "orders.nothing", code=2).err

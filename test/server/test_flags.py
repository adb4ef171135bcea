"""Flags: what they say through a change's life, every shape and status of OFREP, what survives what."""
import json
import re
import signal

import pytest

from test.lib.http import Serving, raw
from test.lib.servers import Server, free_port, until
from test.lib.stoa import Stoa

SQL = "ALTER TABLE orders ADD COLUMN cents bigint NOT NULL"
FULL = "schema.public.orders.cents."
ONE = "/ofrep/v1/evaluate/flags/"
ALL = "/ofrep/v1/evaluate/flags"
EMPTY = {"context": {}}
KINDS = ("write", "read", "stage", "drop_ready")


@pytest.fixture
def orders(db):
    db.run("CREATE TABLE orders (id bigint PRIMARY KEY, amount int); INSERT INTO orders SELECT i, i FROM generate_series(1, 5000) i")
    return db


@pytest.fixture
def serving(orders, tmp_path):
    started = []

    def start(*args, environment=None, **more):
        if environment:
            (tmp_path / "stoa.yaml").write_text(f"environments: {{{environment}: {{url: '{orders.url()}'}}}}")
            args += ("--env", environment, "--config", str(tmp_path / "stoa.yaml"))
        started.append(Serving(more.pop("url", orders.url()), *args, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()


def apply(stoa, *args, name="cents", **more):
    return stoa("apply", SQL, "--name", name, "--backfill", "orders.cents = amount * 100", "--yes", *args, **more)


def one(web, key, context=None, headers=None):
    """(status, body)"""
    status, _, body = web.ask(ONE + key, "POST", {"context": context or {}}, headers)
    return status, body


def value(web, key, context=None):
    status, body = one(web, key, context)
    return body["value"] if status == 200 else body["errorCode"]


def everything(web):
    return {kind: value(web, FULL + kind) for kind in KINDS}


def becomes(web, key, wanted, seconds=20, context=None):
    until(lambda: value(web, key, context) == wanted, seconds, f"{key} does not become {wanted}")


OFF = {"write": False, "read": False, "stage": "off", "drop_ready": False}


def test_a_life(serving, stoa):
    web = serving(environment="production").ready()
    assert value(web, FULL + "read") == "FLAG_NOT_FOUND"
    apply(stoa, "--until", "expand")
    becomes(web, FULL + "write", True)
    assert everything(web) == OFF | {"write": True, "stage": "dualwrite"}
    stoa("resume", "cents", "--until", "backfill")
    becomes(web, FULL + "stage", "shadow")
    assert everything(web) == OFF | {"write": True, "stage": "shadow"}
    stoa("resume", "cents")
    becomes(web, FULL + "read", True)
    assert everything(web) == {"write": True, "read": True, "stage": "live", "drop_ready": False}
    status, body = one(web, FULL + "read")
    assert status == 200 and body["key"] == FULL + "read" and body["reason"] == "STATIC" and body["variant"] == "on"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", body["metadata"].pop("verified_at"))
    assert body["metadata"] == {"change": "cents", "stage": "live", "environment": "production"}
    columns = json.loads(stoa("status", "cents", "--json").out)["changes"][0]["columns"]
    assert columns == [{"schema": "public", "table": "orders", "column": "cents", "is": "added"}]
    stoa("complete", "cents", "--force", "--yes")
    becomes(web, FULL + "stage", "complete")
    assert everything(web) == {"write": True, "read": True, "stage": "complete", "drop_ready": False}


def test_aborted_and_begun_again(serving, stoa):
    web = serving().ready()
    apply(stoa)
    becomes(web, FULL + "read", True)
    stoa("abort", "cents", "--force", "--yes")
    becomes(web, FULL + "stage", "off")
    assert everything(web) == OFF
    apply(stoa, "--until", "expand", name="again")
    becomes(web, FULL + "write", True)
    assert one(web, FULL + "write")[1]["metadata"]["change"] == "again" and value(web, FULL + "read") is False


def test_later_changes_and_drops(serving, stoa):
    """What is true of the first shape stays true; a later change has flags of its own; a drop ends them."""
    web = serving().ready()
    apply(stoa)
    stoa("complete", "cents", "--force", "--yes")
    becomes(web, FULL + "read", True)
    stoa("apply", "ALTER TABLE orders ALTER COLUMN cents TYPE numeric(20,2)", "--name", "wider", "--yes", "--until", "expand")
    becomes(web, FULL + "stage@wider", "off")
    assert value(web, FULL + "read") is True and value(web, FULL + "read@wider") is False and value(web, FULL + "read@cents") is True
    stoa("abort", "wider", "--yes")
    stoa("apply", "ALTER TABLE orders DROP COLUMN cents", "--name", "away", "--yes")
    until(lambda: one(web, FULL + "drop_ready")[1]["metadata"]["change"] == "away", 20, "the flag does not change hands")
    assert value(web, FULL + "read") is True and value(web, FULL + "drop_ready") is False
    stoa("complete", "away", "--force", "--yes")
    becomes(web, FULL + "drop_ready", True)
    becomes(web, FULL + "stage", "off")  # evidence comes before the drop
    assert value(web, FULL + "read") is False and value(web, FULL + "write") is False


def test_keys(serving, stoa, orders):
    orders.run('CREATE SCHEMA sales; CREATE TABLE sales."Big Orders" (id bigint PRIMARY KEY); CREATE TABLE sales.orders (id bigint PRIMARY KEY)')
    stoa("apply", 'ALTER TABLE sales."Big Orders" ADD COLUMN "a.b/c" int', "--name", "odd", "--yes")
    apply(stoa)
    web = serving().ready()
    becomes(web, FULL + "read", True)
    for key in ("orders.cents.read", "schema.orders.cents.read", "public.orders.cents.read", 'public."orders".`cents`.read',
                f"{orders.name}.public.orders.cents.read", "orders.cents.read@cents"):
        status, body = one(web, key.replace('"', "%22"))
        assert (status, body["value"], body["key"]) == (200, True, key)
    odd = 'schema.sales."Big Orders"."a.b/c".read'
    for path in (odd.replace(" ", "%20").replace('"', "%22"), odd.replace(" ", "%20").replace('"', "%22").replace("/", "%2F")):
        status, body = one(web, path)  # slashes come as they are, or encoded
        assert (status, body["value"], body["key"]) == (200, True, odd)
    assert value(web, "Orders.cents.read") == "FLAG_NOT_FOUND", "case counts"
    assert value(web, "orders%252Ecents.read") == "FLAG_NOT_FOUND", "decoded once"
    stoa("apply", "ALTER TABLE sales.orders ADD COLUMN cents int", "--name", "other", "--yes")
    becomes(web, "sales.orders.cents.read", True)
    status, body = one(web, "orders.cents.read")
    assert status == 404 and "public.orders" in body["errorDetails"] and "sales.orders" in body["errorDetails"]
    assert value(web, "orders.cents.read@other") is True


def test_shapes(serving, stoa):
    apply(stoa)
    web = serving().ready()
    becomes(web, FULL + "read", True)
    key = FULL + "read"
    cases = (  # body, status, errorCode
        ("", 400, "PARSE_ERROR"), ("{", 400, "PARSE_ERROR"), ("[1]", 400, "PARSE_ERROR"), ("{}", 400, "INVALID_CONTEXT"),
        ('{"context":1}', 400, "INVALID_CONTEXT"), ('{"context":{"targetingKey":1}}', 400, "INVALID_CONTEXT"),
        ('{"context":{"targetingKey":"u"},"more":1}', 200, None), ('{"context":{"targetingKey":null}}', 200, None))
    for body, status, code in cases:
        got, headers, answer = web.ask(ONE + key, "POST", body)
        assert (got, answer.get("errorCode"), answer["key"]) == (status, code, key) and headers["Content-Type"].startswith("application/json")
        assert (code is None) == ("value" in answer) and (code is None) == ("errorDetails" not in answer)
        got, _, answer = web.ask(ALL, "POST", body)
        assert (got, answer.get("errorCode")) == (status, code) and "key" not in answer
    status, body = one(web, "nothing.here")
    assert status == 404 and body == {"key": "nothing.here", "errorCode": "FLAG_NOT_FOUND", "errorDetails": body["errorDetails"]}
    status, _, body = web.ask(ONE + key, "POST", "x" * (2 << 20))
    assert status == 413 and body["errorDetails"]
    for headers in ({"Authorization": "Bearer wrong-but-long-enough"}, {"X-API-Key": "wrong"}):
        assert one(web, key, headers=headers)[0] == 401 and web.ask(ALL, "POST", EMPTY, headers)[0] == 401
    assert one(web, key, headers={"X-API-Key": web.token})[0] == 200
    status, headers, _ = web.ask(ONE + key)
    assert status == 405 and headers["Allow"] == "POST"
    open_web = serving(token=None).ready()
    assert one(open_web, key, headers={"Authorization": "Bearer of-another-service"})[0] == 200


def test_bulk(serving, stoa):
    apply(stoa)
    web = serving(environment="staging").ready()
    becomes(web, FULL + "read", True)
    status, headers, body = web.ask(ALL, "POST", EMPTY)
    assert status == 200 and {flag["key"]: flag["value"] for flag in body["flags"]} == {
        FULL + "write": True, FULL + "read": True, FULL + "stage": "live", FULL + "drop_ready": False}
    assert body["flags"][1] == one(web, FULL + "read")[1]
    assert body["metadata"]["flagSetId"] == "stoa" and body["metadata"]["environment"] == "staging"
    assert body["eventStreams"] == [{"type": "sse", "endpoint": {"requestUri": "/ofrep/v1/stream"}}]
    for prefix, wanted in (("/stoa", "/stoa"), ("/a/b/", "/a/b"), ("//evil\"x", ""), ("none", "")):
        answer = web.ask(ALL, "POST", EMPTY, {"X-Forwarded-Prefix": prefix})[2]
        assert answer == body | {"eventStreams": [{"type": "sse", "endpoint": {"requestUri": wanted + "/ofrep/v1/stream"}}]}
    etag = headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    assert web.ask(ALL + "/", "POST", EMPTY)[1]["ETag"] == etag
    status, headers, body = web.ask(ALL + "?flagConfigEtag=x&flagConfigLastModified=1", "POST", EMPTY, {"If-None-Match": etag})
    assert (status, headers["ETag"], body) == (304, etag, "")
    stoa("flag", "orders.cents.read", "off")
    until(lambda: web.ask(ALL, "POST", EMPTY, {"If-None-Match": etag})[0] == 200, 20, "the ETag stays")


def test_cors(serving):
    web = serving().ready()
    for path in (ALL, ONE + "x"):
        status, headers, _ = web.ask(path, "OPTIONS", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"})
        assert status == 204 and headers["Access-Control-Allow-Origin"] == "*" and "POST" in headers["Access-Control-Allow-Methods"]
        allowed = headers["Access-Control-Allow-Headers"]
        assert all(name in allowed for name in ("content-type", "authorization", "x-api-key", "if-none-match"))
        assert "ETag" in web.ask(path, "POST", EMPTY)[1]["Access-Control-Expose-Headers"]


def test_operators(serving, stoa):
    web = serving().ready()
    apply(stoa)
    key = FULL + "read"
    becomes(web, key, True)
    assert web.ask("/api/v1/flags/orders.cents.read/off", "POST")[0] == 401
    for path, code in (("orders.cents.read/maybe", 404), ("orders.cents.read/101%25", 404), ("no.such.flag/off", 404), ("orders.cents.read", 404)):
        assert web.ask("/api/v1/flags/" + path, "POST", trusted=True)[0] == code, path
    assert web.ask("/api/v1/flags/orders.cents.read/off", "POST", {"url": "x"}, trusted=True)[0] == 400
    status, _, body = web.ask("/api/v1/flags/orders.cents.read/off", "POST", {"reason": "totals differ"}, trusted=True)
    assert (status, body) == (202, {"v": 1, "asked": "off", "flag": key})
    becomes(web, key, False)
    assert one(web, key)[1]["reason"] == "DISABLED" and one(web, key)[1]["variant"] == "off" and value(web, FULL + "write") is True
    event = json.loads(stoa("history", "cents", "--json").out)["events"][-1]
    assert event["event"] == "flag" and event["by"] and event["at"] and event["detail"]["reason"] == "totals differ" and event["detail"]["account"]
    shown = next(flag for flag in web.get("/api/v1/flags")["flags"] if flag["key"] == key)
    assert shown["off"] and shown["value"] is False and shown["said"]["reason"] == "totals differ"
    assert web.ask("/api/v1/flags/orders.cents.read/30%25", "POST", trusted=True)[2]["asked"] == "30%"
    until(lambda: one(web, key)[1]["reason"] == "SPLIT", 20, "it has no share")
    web.ask("/api/v1/flags/orders.cents.read/on", "POST", trusted=True)
    becomes(web, key, True)
    stoa("flag", "orders.cents.stage", "off")
    becomes(web, FULL + "stage", "off")
    listed = json.loads(stoa("flag", "orders.cents.stage", "--json").out)["flags"]
    assert [flag["key"] for flag in listed] == [FULL + "stage"] and listed[0]["value"] == "off"
    assert stoa("flag").out.count(FULL) == 4
    for args, told in ((("orders.cents.none", "off"), "no change"), (("orders.cents.read", "perhaps"), "share"),
                       (("orders.cents.stage", "20%"), "no share"), (("orders.cents.read", "on", "x"), "two arguments")):
        assert told in stoa("flag", *args, code=2).err


def murmur3(data):
    """Written apart from the server's, from the algorithm's description."""
    mask, value = 0xffffffff, 0
    for at in range(0, len(data) // 4 * 4, 4):
        word = int.from_bytes(data[at:at + 4], "little") * 0xcc9e2d51 & mask
        value ^= ((word << 15 | word >> 17) & mask) * 0x1b873593 & mask
        value = ((value << 13 | value >> 19) & mask) * 5 + 0xe6546b64 & mask
    if len(data) % 4:
        word = int.from_bytes(data[len(data) // 4 * 4:], "little") * 0xcc9e2d51 & mask
        value ^= ((word << 15 | word >> 17) & mask) * 0x1b873593 & mask
    value ^= len(data)
    for shift, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35)):
        value = (value ^ value >> shift) * factor & mask
    return value ^ value >> 16


def test_shares(serving, stoa):
    assert murmur3(b"hello") == 0x248bfa47 and murmur3(b"hello, world") == 0x149bbb7f  # of the reference implementation
    web = serving().ready()
    apply(stoa)
    key = FULL + "read"
    becomes(web, key, True)
    people = [f"user-{i}-ä" for i in range(400)]
    hashes = [murmur3((key + who).encode()) for who in people]
    buckets = [abs(number - (1 << 32) if number >> 31 else number) / 0x7fffffff * 100 for number in hashes]
    before = set()
    for share in ("0%", "12.5%", "60%", "100%"):
        stoa("flag", key, share)
        percent = float(share[:-1])
        until(lambda: next(flag for flag in web.get("/api/v1/flags")["flags"] if flag["key"] == key)["share"] == percent, 20, "no share")
        got = {who for who in people if value(web, "orders.cents.read", {"targetingKey": who})}
        assert got == {who for who, bucket in zip(people, buckets) if bucket < percent} and got >= before
        before = got
        if percent < 100:
            body = one(web, key)[1]
            assert body["value"] is False and body["reason"] == "SPLIT", "nobody in particular is outside"
            document = web.get("/flagd/flags.json")["flags"][key]
            assert document["targeting"] == {"fractional": [["on", round(percent * 100)], ["off", round(10000 - percent * 100)]]}
            assert document["defaultVariant"] == "off"
    stoa("flag", key, "50%")
    becomes(web, key, False)
    inside, outside = people[buckets.index(min(buckets))], people[buckets.index(max(buckets))]
    etags = set()
    for who, wanted in ((inside, True), (outside, False)):
        status, headers, body = web.ask(ALL, "POST", {"context": {"targetingKey": who}})
        assert next(flag for flag in body["flags"] if flag["key"] == key)["value"] is wanted
        etags.add(headers["ETag"])
        assert web.ask(ALL, "POST", {"context": {"targetingKey": who}}, {"If-None-Match": headers["ETag"]})[0] == 304
    assert len(etags) == 2


def test_flagd(serving, stoa, tmp_path):
    path = tmp_path / "flags.json"
    web = serving("--flagd-file", str(path)).ready()
    apply(stoa)
    becomes(web, FULL + "read", True)
    status, headers, body = web.ask("/flagd/flags.json", headers={"Accept": "application/json"})
    assert status == 200 and body["$schema"] == "https://flagd.dev/schema/v0/flags.json" and body["metadata"]["flagSetId"] == "stoa"
    assert body["flags"][FULL + "read"] == {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on", "metadata": {"change": "cents"}}
    stage = body["flags"][FULL + "stage"]
    assert stage["defaultVariant"] == "live" and stage["variants"][stage["defaultVariant"]] == "live" and len(stage["variants"]) == 6
    assert web.ask("/flagd/flags.json", headers={"If-None-Match": headers["ETag"]})[0] == 304
    assert json.loads(path.read_text()) == body and [file.name for file in tmp_path.iterdir()] == ["flags.json"]
    stoa("flag", FULL + "read", "off")
    becomes(web, FULL + "read", False)
    assert json.loads(path.read_text())["flags"][FULL + "read"]["defaultVariant"] == "off"


def test_stream(serving, stoa):
    web = serving().ready()
    apply(stoa, "--until", "expand")
    becomes(web, FULL + "write", True)
    with web.stream("/ofrep/v1/stream") as events:
        event, number, data = next(events)
        etag = web.ask(ALL, "POST", EMPTY)[1]["ETag"].strip('"')
        assert (event, number, data) == ("message", etag, {"type": "refetchEvaluation", "etag": etag})
        stoa("flag", FULL + "write", "off")
        event, number, data = next(events)
        assert data["etag"] != etag and value(web, FULL + "write") is False
    last = data["etag"]
    with web.stream("/ofrep/v1/stream", {"Last-Event-ID": last}) as events:
        stoa("flag", FULL + "write", "on")
        assert next(events)[1] == etag, "what it knew already is not told again"


@pytest.fixture
def start():
    """Servers that end with the test, whatever it comes to."""
    started = []

    def one_more(url, *args):
        started.append(Serving(url, *args))
        return started[-1]
    yield one_more
    for web in started:
        web.close()


@pytest.fixture
def own(home, version):
    """A server that a test may stop, with the table and a ready change."""
    server = Server(home, version)
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    with server.connect() as conn:
        conn.execute("CREATE TABLE orders (id bigint PRIMARY KEY, amount int)")
    program = Stoa(url)
    yield server, url, program
    program.close()
    server.end()


def test_while_the_database_is_down(own, start, tmp_path):
    server, url, program = own
    apply(program)
    state = tmp_path / "state.json"
    web = start(url, "--state-file", str(state)).ready()
    becomes(web, FULL + "read", True)
    program("flag", FULL + "write", "off")
    becomes(web, FULL + "write", False)
    server.stop("immediate")
    until(lambda: web.ask("/readyz")[0] == 503, 20, "it does not notice")
    assert everything(web) == {"write": False, "read": True, "stage": "live", "drop_ready": False}
    web.close(signal.SIGKILL)
    before = state.read_text()
    web = start(url, "--state-file", str(state))
    assert everything(web) == {"write": False, "read": True, "stage": "live", "drop_ready": False}
    web.close()
    web = start(url)
    status, body = one(web, FULL + "read")
    assert status == 500 and body["errorCode"] == "GENERAL" and body["key"] == FULL + "read"
    assert web.ask(ALL, "POST", EMPTY)[0] == 500 and web.ask("/flagd/flags.json")[0] == 503
    web.close()
    for text, told in ((before[:-20], "cannot be read"), (before.replace(str(server.port), str(free_port())), "another database")):
        state.write_text(text)
        web = start(url, "--state-file", str(state))
        assert value(web, FULL + "read") == "GENERAL"
        until(lambda: told in "".join(web.said), 10, f"{told} is not told")
        web.close()
    state.write_text(before)
    web = start(url, "--state-file", str(state))
    server.start()
    until(lambda: web.ask("/readyz")[0] == 200, 30, "it does not come back")
    assert value(web, FULL + "read") is True
    web.close()


def test_what_was_true_is_held_against_the_journal(own, start, tmp_path):
    server, url, program = own
    apply(program)
    state = tmp_path / "state.json"
    web = start(url, "--state-file", str(state)).ready()
    becomes(web, FULL + "read", True)
    with server.connect() as conn:
        conn.execute("UPDATE stoa.changes SET state = 'running'")
    becomes(web, FULL + "read", "GENERAL")
    assert value(web, FULL + "write") is True
    flags = {flag["key"]: flag for flag in web.ask(ALL, "POST", EMPTY)[2]["flags"]}
    assert flags[FULL + "read"]["errorCode"] == "GENERAL" and flags[FULL + "write"]["value"] is True
    assert web.get("/flagd/flags.json")["flags"][FULL + "read"]["state"] == "DISABLED"
    web.close()
    web = start(url, "--state-file", str(state)).ready()
    assert value(web, FULL + "read") == "GENERAL", "a restart makes nobody forget"
    with server.connect() as conn:
        conn.execute("UPDATE stoa.changes SET state = 'ready'")
    becomes(web, FULL + "read", True)
    program("uninstall", "--force", "--yes")
    becomes(web, FULL + "read", "GENERAL")
    web.close()


def test_another_timeline(home, version, own, start, tmp_path):
    """A standby that never saw ready takes the primary's place: what was true is an error until it is true there."""
    server, url, program = own
    apply(program, "--until", "backfill")
    standby = Server(home, version, standby_of=server)
    both = f"postgres://postgres@127.0.0.1:{server.port},127.0.0.1:{standby.port}/postgres?target_session_attrs=read-write"
    with server.connect() as primary, standby.connect() as conn:
        position = primary.execute("SELECT pg_current_wal_flush_lsn()").fetchone()[0]
        until(lambda: conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,)).fetchone()[0], 20, "no replay")
    standby.stop()
    web = start(both, "--state-file", str(tmp_path / "state.json")).ready()
    program("resume", "cents")
    becomes(web, FULL + "read", True)
    program("flag", FULL + "stage", "off")
    becomes(web, FULL + "stage", "off")
    server.stop("immediate")
    until(lambda: web.ask("/readyz")[0] == 503, 20, "it does not notice")
    assert value(web, FULL + "read") is True and value(web, FULL + "write") is True
    seen = set()

    def proved():
        seen.add(value(web, FULL + "write"))
        return web.ask("/readyz")[0] == 200 and value(web, FULL + "write") is True
    standby.start()
    standby.promote()
    until(proved, 40, "the new timeline is not proved", every=0.005)
    assert "GENERAL" in seen, "an error stands between"
    assert "another one" in "".join(web.said)
    assert value(web, FULL + "read") == "GENERAL", "it was true, and is lost"
    there = Stoa(both)
    there("resume", "cents")
    becomes(web, FULL + "read", True)
    assert value(web, FULL + "stage") == "off", "an operator's word was lost, and holds"
    there("flag", FULL + "stage", "on")
    becomes(web, FULL + "stage", "live")
    there.close()
    web.close()
    standby.end()


def test_listen_while_applying(serving, orders, tmp_path):
    path = tmp_path / "flags.json"
    orders.run("INSERT INTO orders SELECT i, i FROM generate_series(5001, 200000) i")
    web = serving(SQL, "--name", "cents", "--backfill", "orders.cents = amount * 100", "--yes", "--flagd-file", str(path), verb="apply")
    becomes(web, FULL + "write", True)
    assert web.process.wait(60) == 0, web.said
    assert json.loads(path.read_text())["flags"][FULL + "write"]["defaultVariant"] == "on"


def test_raw_bytes(serving):
    web = serving().ready()
    for path in (b"/ofrep/v1/evaluate/flags/%ff%fe", b"/ofrep/v1/evaluate/flags/%22", b"/ofrep/v1/evaluate/flags/....", b"/ofrep/v1/evaluate/flags/%00"):
        got = raw(web.port, b"POST " + path + b' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{"context":{}}')
        assert got.startswith(b"HTTP/1.1 404"), got

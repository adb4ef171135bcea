"""--otlp: what a collector is sent, that it is one trace over kills and resumes, and that a dead one harms nothing."""
import http.server
import json
import re
import threading
import time

import pytest


SQL = "ALTER TABLE t ADD COLUMN w int NOT NULL"
ARGS = ("--name", "w", "--backfill", "t.w = v + 1", "--yes")
INTERNAL, OK, ERROR = 1, 1, 2


class Collector:
    """Keeps what is posted. `answers` are used up in turn, then 200; a float is how long it says nothing."""

    def __init__(self, answers=()):
        self.answers, self.got, self.over = list(answers), [], threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.got.append((self.path, self.headers, body))
                answer = collector.answers.pop(0) if collector.answers else 200
                if isinstance(answer, float):
                    collector.over.wait(answer)
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def spans(self):
        """All of them, each checked against the protocol's shape."""
        found = []
        for path, headers, body in self.got:
            assert path == "/v1/traces" and headers["Content-Type"] == "application/json"
            for resource in json.loads(body)["resourceSpans"]:
                about = attributes(resource["resource"]["attributes"])
                assert about["service.name"] == "stoa" and about["service.version"] and int(about["process.pid"]) > 0
                for scope in resource["scopeSpans"]:
                    assert set(scope["scope"]) == {"name", "version"}
                    found += [(about, check(span)) for span in scope["spans"]]
        return found

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def attributes(pairs):
    """{key: text or number}. 64-bit numbers are texts of digits in this encoding."""
    found = {}
    for pair in pairs:
        assert set(pair) == {"key", "value"} and len(pair["value"]) == 1
        (kind, value), = pair["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(value, str)
        found[pair["key"]] = int(value) if kind == "intValue" else value
    return found


def check(span):
    assert set(span) - {"parentSpanId", "events"} == {"traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"}
    assert re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"])
    assert "parentSpanId" not in span or re.fullmatch("[0-9a-f]{16}", span["parentSpanId"])
    assert span["kind"] == INTERNAL and set(span["status"]) <= {"code", "message"}
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    assert isinstance(span["startTimeUnixNano"], str) and time.time() - 3600 < start / 1e9 <= end / 1e9 < time.time() + 60
    for event in span.get("events", []):
        assert set(event) == {"timeUnixNano", "name", "attributes"} and attributes(event["attributes"])
    return {**span, "attributes": attributes(span["attributes"]), "start": start, "end": end}


@pytest.fixture
def collector():
    made = []

    def start(*answers):
        made.append(Collector(answers))
        return made[-1]
    yield start
    for one in made:
        one.close()


def by_name(spans):
    found = {}
    for _, span in spans:
        found.setdefault(span["name"], []).append(span)
    return found


def test_a_change_over_several_runs(table, stoa, collector):
    """Killed, resumed and completed: one trace, one span for the change, one for each run, one for each step."""
    there = collector()
    stoa("apply", SQL, *ARGS, "--otlp", there.url, "--until", "expand")
    first = there.spans()
    assert {span["traceId"] for _, span in first} == {first[0][1]["traceId"]}
    stoa("resume", "w", "--otlp", there.url + "/v1/traces")
    stoa("complete", "w", "--force", "--yes", "--otlp", there.url + "/")
    spans = there.spans()
    assert len({span["traceId"] for _, span in spans}) == 1, "one change is one trace"
    assert len({span["spanId"] for _, span in spans}) == len(spans)
    about = spans[0][0]
    assert about["db.system.name"] == "postgresql" and about["db.namespace"] == table.name
    named = by_name(spans)
    change, = named["change w"]
    assert "parentSpanId" not in change and change["attributes"]["stoa.change"] == "w"
    runs = [named[f"stoa {verb} w"][0] for verb in ("apply", "resume", "complete")]
    assert [run["parentSpanId"] for run in runs] == [change["spanId"]] * 3 and all(run["status"]["code"] == OK for run in runs)
    assert runs[0]["end"] <= runs[1]["start"] and change["start"] <= runs[0]["end"] and runs[1]["start"] <= change["end"] <= runs[2]["start"]
    steps = [span for _, span in spans if "stoa.step" in span["attributes"]]
    told = json.loads(stoa("status", "w", "--json").out)["changes"][0]["steps"]
    assert sorted(span["attributes"]["stoa.step"] for span in steps) == [step["ordinal"] for step in told]
    for span in steps:
        step = told[span["attributes"]["stoa.step"] - 1]
        run = next(run for run in runs if run["spanId"] == span["parentSpanId"])
        assert run["start"] <= span["start"] and span["end"] <= run["end"]
        assert span["name"] == step["title"] and span["attributes"]["stoa.kind"] == step["kind"] and span["attributes"]["stoa.phase"] == step["phase"]
    fill, = [span for span in steps if span["attributes"]["stoa.kind"] == "backfill"]
    assert fill["attributes"]["stoa.rows"] == 20000 and fill["attributes"]["db.collection.name"] == "public.t"
    ddl = next(span for span in steps if span["attributes"]["stoa.kind"] == "ddl")
    assert ddl["attributes"]["stoa.lock"] == "ACCESS EXCLUSIVE" and ddl["attributes"]["stoa.lock.acquired"] >= 1


def test_what_fails_says_so(table, stoa, collector):
    """A lock that is never granted: the step ends with the error, names who was in the way, and so does the run."""
    there = collector()
    with table.connect() as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE t IN ACCESS SHARE MODE")
        stoa("apply", SQL, *ARGS, "--otlp", there.url, "--lock-wait", "2s", code=5)
        holder.rollback()
    spans = there.spans()
    run, = by_name(spans)["stoa apply w"]
    assert run["status"]["code"] == ERROR and "no ACCESS EXCLUSIVE lock" in run["status"]["message"]
    step, = [span for _, span in spans if "stoa.step" in span["attributes"] and span["status"]["code"] == ERROR]
    assert step["attributes"]["stoa.lock.timed_out"] > 5
    assert any(event["name"] == "lock_blocked" for event in step["events"])


@pytest.mark.parametrize("answers, sent", [((503, 429), True), ((400,), False), ((0.5, 500), True)])
def test_tries_again_where_that_may_help(table, stoa, collector, answers, sent):
    there = collector(*answers)
    done = stoa("apply", SQL, *ARGS, "--otlp", there.url)
    bodies = [body for _, _, body in there.got]
    assert (bodies.count(bodies[0]) == len(answers) + 1) == sent
    assert ("not sent" in done.err) != sent
    assert "change w" in by_name(there.spans()), "what comes behind is sent anyway"


@pytest.mark.parametrize("dead", ["refused", "silent"])
def test_a_dead_collector_harms_nothing(table, stoa, collector, dead):
    there = collector(*[30.0] * 50)
    url = there.url if dead == "silent" else "http://127.0.0.1:9"
    began = time.monotonic()
    done = stoa("apply", SQL, *ARGS, "--otlp", url)
    assert time.monotonic() - began < 60 and "not sent to http://127.0.0.1" in done.err
    assert json.loads(stoa("status", "w", "--json").out)["changes"][0]["state"] == "ready"


def test_headers_and_secrets(table, stoa, collector):
    there = collector()
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2,x-tenant=shop"}
    stoa("apply", SQL, *ARGS, "--otlp", there.url, env=env)
    headers = there.got[0][1]
    assert headers["Authorization"] == "Bearer hunter2" and headers["X-Tenant"] == "shop"
    for args, env in ((("--otlp", "ftp://x"), {}), (("--otlp", "http://"), {}), (("--otlp", there.url), {"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0ac: d"})):
        refused = stoa("resume", "w", *args, env=env, code=2)
        assert "hint" in refused.err and "%0d" not in refused.err
    secret = "http://user:hunter2@127.0.0.1:9"
    done = stoa("complete", "w", "--force", "--yes", "--otlp", secret)
    assert "hunter2" not in done.err + done.out


def test_it_is_off_by_itself(table, stoa, collector):
    there = collector()
    stoa("apply", SQL, *ARGS, env={"OTEL_EXPORTER_OTLP_ENDPOINT": there.url})
    assert there.got == []

"""Prometheus' own promtool on what /metrics says while a change runs, on the alert rules, and on every expression of the
dashboard. script/bootstrap --promtool fetches it."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from test.lib.http import Serving
from test.lib.metrics import read, until_told
from test.lib.servers import ROOT

GRAFANA = ROOT / "docs" / "grafana"
CACHE = pathlib.Path("/var/cache") if os.geteuid() == 0 else pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
PROMTOOL = shutil.which("promtool") or CACHE / "stoa/promtool/promtool"
# What Grafana puts in before it asks.
VARIABLES = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}


def promtool(*args, text=None):
    return subprocess.run([PROMTOOL, *args], input=text, capture_output=True, text=True)


def expressions():
    """(where, expression) of the dashboard, as Prometheus gets them."""
    dashboard = json.loads((GRAFANA / "stoa.json").read_text())
    found = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"] if "expr" in note]
    known = VARIABLES | {one["name"]: "some" for one in dashboard["templating"]["list"]}
    return [(where, re.sub(r"\$\{?(\w+)\}?", lambda match: known[match[1]], text)) for where, text in found]


@pytest.fixture
def rules(tmp_path):
    def check(pairs):
        path = tmp_path / "rules.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
            {"record": f"stoa:expression_{number}", "expr": text} for number, (_, text) in enumerate(pairs)]}]}))
        return promtool("check", "rules", path)
    return check


def test_alert_rules():
    done = promtool("check", "rules", GRAFANA / "alerts.yml")
    assert done.returncode == 0 and re.search(r"SUCCESS: 1\d rules found", done.stdout), done


def test_every_expression_of_the_dashboard(rules):
    all_of_it = expressions()
    assert len(all_of_it) > 20
    done = rules(all_of_it)
    assert done.returncode == 0 and f"SUCCESS: {len(all_of_it)} rules found" in done.stdout, done


def test_it_can_say_no(rules):
    assert rules([("x", "rate(stoa_http_requests_total)")]).returncode != 0
    assert promtool("check", "metrics", text="# TYPE a counter\na 1\n").returncode != 0


def test_metrics_while_a_change_runs(db, stoa):
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 20000) i; ANALYZE t")
    web = Serving(db.url()).ready()
    try:
        stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = v + 1", "--yes")
        until_told(web, "w", "flag_ready")
        web.ask("/ofrep/v1/evaluate/flags/t.w.read", "POST", {"context": {}})
        text = read(web)
    finally:
        web.close()
    done = promtool("check", "metrics", text=text)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    names = set(re.findall(r"^# TYPE (\w+)", text, re.M))
    assert len(names) > 25

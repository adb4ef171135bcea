"""docs/metrics.md, the dashboard and the alert rules are about metrics that there are."""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from test.lib.promql import read
from test.lib.servers import ROOT
from test.lib.stoa import BINARY

GRAFANA = ROOT / "docs" / "grafana"
OF_CHANGES = {"environment", "engine", "database", "migration"}
OF_SCRAPES = {"instance", "job"}


def page():
    return subprocess.run([BINARY, "help", "--metrics-page"], capture_output=True, text=True, check=True).stdout


TABLE = {name: (kind, set(filter(None, labels.split(", ")))) for name, kind, labels in
         re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) \|", page(), re.M)}
DASHBOARD = json.loads((GRAFANA / "stoa.json").read_text())
RULES = [rule for group in yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    found = [(rule["alert"], rule["expr"]) for rule in RULES]
    found += [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
    found += [(note["name"], note["expr"]) for note in DASHBOARD["templating"]["list"] + DASHBOARD["annotations"]["list"] if "expr" in note]
    return found


def labels_of(metric):
    """Labels that a sample may have; the metric must be there."""
    base = metric
    if metric not in TABLE:
        base = re.sub("_(bucket|count|sum)$", "", metric)
        assert base in TABLE and TABLE[base][0] == "histogram", f"there is no metric {metric}"
    return TABLE[base][1] | OF_CHANGES | OF_SCRAPES | ({"le"} if metric.endswith("_bucket") else set())


def test_the_page_is_fresh():
    assert (ROOT / "docs" / "metrics.md").read_text() == page(), "stoa help --metrics-page > docs/metrics.md"
    assert len(TABLE) > 35 and TABLE["stoa_backfill_rows_updated_total"] == ("counter", {"table"})


@pytest.mark.parametrize("where, text", expressions())
def test_expressions_are_of_our_metrics(where, text):
    selectors, grouped = read(text)
    assert selectors
    for selector in selectors:
        assert set(selector.matchers) <= labels_of(selector.name), (where, selector.name)
    for metric, labels in grouped:
        assert set(labels) <= labels_of(metric), (where, metric)
    kinds = {TABLE.get(selector.name, ("histogram",))[0] for selector in selectors}
    if "rate(" in text or "increase(" in text:
        assert kinds & {"counter", "histogram"}, where
    for name in re.findall(r"(?:rate|increase)\((\w+)", text):
        assert TABLE.get(name, ("histogram",))[0] in ("counter", "histogram"), f"{where}: the rate of {name}, which is none"


def test_phases_and_reasons_that_are_asked_for_exist():
    source = "".join((ROOT / "src" / name).read_text() for name in ("serve/metrics_change.c", "serve/metrics_step.c", "run/tally.c"))
    for where, text in expressions():
        for selector in read(text)[0]:
            for label in ("phase", "reason", "result"):
                op, value = selector.matchers.get(label, ("", ""))
                for word in value.split("|") if value and "$" not in value else []:
                    assert f'"{word}"' in source, (where, label, word)


def test_rules():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) >= 10
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info") and rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        for text in rule["annotations"].values():
            assert text.count("{{") == text.count("}}") and "\n" not in text
    promtool = shutil.which("promtool")
    if promtool:
        subprocess.run([promtool, "check", "rules", GRAFANA / "alerts.yml"], check=True)


def test_dashboard():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) and len(PANELS) > 15
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places) and all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])
    known = {one["name"] for one in DASHBOARD["templating"]["list"]}
    for word in re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)):
        assert word in known | {"__all"}, word
    for one in DASHBOARD["templating"]["list"]:
        if one["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", one["query"]["query"]).groups()
            assert label in labels_of(metric)


@pytest.mark.parametrize("text", ["sum(stoa_x", "stoa_x{a=b}", "rate(stoa_x)", "stoa_x[5m]) > 1", "sum by (a (stoa_x)", "stoa_x and 3", "nosuch(stoa_x)",
                                  "stoa_x{a=\"b\"", "stoa_x > > 1", "stoa_x 5"])
def test_the_reader_refuses(text):
    with pytest.raises(AssertionError):
        read(text)

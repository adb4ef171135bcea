"""Metrics of a running stoa, read with the parsers of prometheus_client, and what must hold from one collection to the next."""
import math
import re
import threading
import urllib.request

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from test.lib.servers import ROOT, until

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def families(text, is_open=False):
    """{name: family}; the parsers complain by raising."""
    read = openmetrics.text_string_to_metric_families if is_open else text_string_to_metric_families
    found = {}
    for family in read(text):
        assert family.name not in found, f"{family.name} comes twice"
        found[family.name] = family
    return found


def key_of(sample):
    """Alike in both formats, which write the bounds of buckets in their own ways."""
    return sample.name, frozenset((name, str(float(value)) if name == "le" else value) for name, value in sample.labels.items())


def samples(found):
    """{(name, labels): value}, the labels as a frozenset of pairs."""
    values = {}
    for family in found.values():
        for sample in family.samples:
            key = key_of(sample)
            assert key not in values, f"{key} comes twice"
            assert not math.isnan(sample.value), key
            values[key] = sample.value
    return values


def rising(found):
    """Of these the value may never fall."""
    return {key_of(sample) for family in found.values() for sample in family.samples
            if family.type == "counter" or (family.type == "histogram" and re.search("_(bucket|count|sum)$", sample.name))}


def one(values, name, **labels):
    """The value of the only sample that has at least these labels."""
    got = [value for (has, pairs), value in values.items() if has == name and set(labels.items()) <= pairs]
    assert len(got) == 1, (name, labels, got)
    return got[0]


def total(values, name, **labels):
    return sum(value for (has, pairs), value in values.items() if has == name and set(labels.items()) <= pairs)


def labels_of(values, name):
    return [dict(pairs) for has, pairs in values if has == name]


def phase(values, migration):
    """The one phase that is 1."""
    states = [(dict(pairs)["phase"], value) for (has, pairs), value in values.items()
              if has == "stoa_migration_phase" and ("migration", migration) in pairs]
    assert sorted(value for _, value in states) == [0] * (len(states) - 1) + [1], states
    return next(name for name, value in states if value == 1)


def check_spreads(found):
    """Buckets rise, and the last one is the count."""
    for family in found.values():
        if family.type != "histogram":
            continue
        spreads = {}
        for sample in family.samples:
            rest = frozenset((key, value) for key, value in sample.labels.items() if key != "le")
            spreads.setdefault(rest, {})[sample.name[len(family.name):], sample.labels.get("le")] = sample.value
        for spread in spreads.values():
            rows = sorted((float(bound), value) for (name, bound), value in spread.items() if name == "_bucket")
            assert rows[-1][0] == math.inf and [value for _, value in rows] == sorted(value for _, value in rows), rows
            assert rows[-1][1] == spread["_count", None] and spread["_sum", None] >= 0


class Watch:
    """What was collected so far: each take() holds the new one against the one before."""

    def __init__(self):
        self.before, self.takes, self.phases, self.seen = {}, 0, [], set()

    def take(self, text, is_open=False, process_anew=False):
        found = families(text, is_open)
        check_spreads(found)
        values = samples(found)
        self.seen |= {name for name, _ in values}
        mine = rising(found)
        for key, value in self.before.items():
            of_process = process_anew and ("migration" not in dict(key[1])) and "prediction" not in key[0]
            if key in mine and not of_process:
                assert values[key] >= value, f"{key} fell from {value} to {values[key]}"
            if not of_process:
                assert key in values, f"{key} was {value} and is gone"
        self.before = {key: values[key] for key in mine}
        self.takes += 1
        for name in {dict(pairs).get("migration") for _, pairs in values} - {None}:
            now = name, phase(values, name)
            if now not in self.phases[-1:]:
                self.phases.append(now)
        return values


class Scraper:
    """Collects every 100 ms, by turns in both formats, until stop(), which raises what was wrong."""

    def __init__(self, web, watch=None):
        self.web, self.watch, self.wrong, self.quit = web, watch or Watch(), None, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.quit.wait(0.1):
                is_open = self.watch.takes % 2 == 1
                self.watch.take(read(self.web, is_open), is_open)
        except BaseException as problem:  # noqa: BLE001
            self.wrong = problem

    def stop(self):
        self.quit.set()
        self.thread.join(30)
        if self.wrong is not None:
            raise self.wrong
        return self.watch


def read(web, is_open=False):
    request = urllib.request.Request(f"http://{web.host}:{web.port}/metrics", headers={"Accept": OPEN if is_open else "text/plain"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        kind = answer.headers["Content-Type"]
        assert kind == (OPEN if is_open else "text/plain; version=0.0.4; charset=utf-8")
        text = answer.read().decode()
    assert not is_open or text.endswith("\n# EOF\n")
    return text


def values_of(web):
    return samples(families(read(web)))


def until_told(web, migration, wanted, timeout=60):
    """The values, once the migration is told to be in that phase."""
    values = {}

    def told():
        values.clear()
        values.update(values_of(web))
        known = any(dict(pairs).get("migration") == migration for _, pairs in values)
        return known and phase(values, migration) == wanted
    until(told, timeout, f"{migration} does not become {wanted}")
    return values


def agree_with_status(values, change):
    """What is told is what `stoa status --json` says of the change."""
    name = change["name"]
    assert total(values, "stoa_backfill_rows", migration=name, state="done") == change["rows_done"]
    assert total(values, "stoa_backfill_rows_updated_total", migration=name) >= change["rows_done"]
    assert total(values, "stoa_backfill_rows", migration=name, state="remaining_upper") == 0
    tables = {pairs["table"] for pairs in labels_of(values, "stoa_migration_info") if pairs["migration"] == name}
    assert tables == set(change["tables"])
    measured = change["measured"]
    for step in change["steps"]:
        mine = {"migration": name, "step": str(step["ordinal"])}
        sums = measured.get(str(step["ordinal"]), {})
        for result, count in sums.get("batches", {}).items():
            assert one(values, "stoa_backfill_batches_total", result=result, **mine) == count
        for result, count in sums.get("locks", {}).items():
            assert one(values, "stoa_lock_attempts_total", result=result, **mine) == count
        if "batch_s" in sums:
            assert one(values, "stoa_backfill_batch_duration_seconds_count", **mine) == sum(sums["batches"].values())
        if step["estimate_ms"]:
            assert one(values, "stoa_step_predicted_seconds", bound="high", **mine) == step["estimate_ms"]["high"] / 1000
    for reason, ms in measured.get("0", {}).get("throttled_ms", {}).items():
        assert one(values, "stoa_throttled_seconds_total", migration=name, reason=reason) == ms / 1000


def table():
    """The names that src/serve/metric_table.c has, with their types."""
    text = (ROOT / "src" / "serve" / "metric_table.c").read_text()
    return dict(re.findall(r'\.name = "(\w+)",\s*\.type = METRIC_(\w+)', text))

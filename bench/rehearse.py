"""script/bench rehearse: what rehearsals at a tenth of the size or less predict, against what happens.

Pairs of a table (twelve shapes) and a change (six kinds) are drawn at random, each on PostgreSQL or MariaDB and with
300,000 to 1,000,000 rows. Each is rehearsed, then carried out at its full size beside an application, and as it is
usually written beside the same one. Printed for each: predicted range and truth. Exit 0: all bounds kept; 1: one is not.
"""
import argparse
import itertools
import json
import math
import os
import pathlib
import random
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench import rehearse_side as side  # noqa: E402
from bench import report  # noqa: E402
from bench.pg import interrupted  # noqa: E402
from bench.shapes import CHANGES, SHAPES, SPEECH  # noqa: E402
from test.lib.servers import Home  # noqa: E402

LEAST_SHARE, MOST_SHARE = 0.06, 0.1   # of the full size, that is rehearsed
SHORT_STALL_MS = 50                   # below it a wait tells of the machine
LEAST_LOG = 1_500_000                 # bytes; below it other things that the server writes count as much
INSIDE, WIDTH, LOG_ERROR, STALL_TIMES, MINUTES = 0.9, 4, 0.05, 2, 60


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench rehearse", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=36)
    parser.add_argument("--seed", type=int, help="another one draws other pairs; printed")
    parser.add_argument("--engines", default="postgres,mariadb")
    parser.add_argument("--only", metavar="SHAPE/KIND", help="this pair alone, on each engine")
    parser.add_argument("--least-rows", type=int, default=300_000)
    parser.add_argument("--most-rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=60, help="statements of the application per second")
    parser.add_argument("--server", type=int, default=15, metavar="VERSION", help="version of PostgreSQL (15)")
    parser.add_argument("--mariadb", default="mariadb-10.11", help="which MariaDB")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def draw(options, chance):
    """No pair twice on the same engine, and as many on each."""
    engines = options.engines.split(",")
    if options.only:
        pairs = [(engine, *options.only.split("/")) for engine in engines]
    else:
        known = {engine: list(itertools.product([engine], SHAPES, CHANGES)) for engine in engines}
        for each in known.values():
            chance.shuffle(each)
        pairs = [known[engines[i % len(engines)]].pop() for i in range(options.pairs)]
    return [{"engine": engine, "shape": shape, "kind": kind,
             "rows": chance.randint(options.least_rows, options.most_rows),
             "share": chance.uniform(LEAST_SHARE, MOST_SHARE)} for engine, shape, kind in pairs]


def middle(span):
    return math.sqrt(max(span["low"], 1e-3) * max(span["high"], 1e-3))


def times_off(predicted, actual, floor):
    predicted, actual = max(predicted, floor), max(actual, floor)
    return max(predicted / actual, actual / predicted)


def carry_out(where, pair, change, shape, options, folder):
    """The rehearsal and both ways at the full size."""
    url, sql = where.url(), change.sql[pair["engine"]]
    made = int(pair["rows"] * pair["share"])
    told = json.loads(side.stoa(folder, "rehearse", sql, *change.options, "--url", url, "--rows", made, "--rate",
                                options.rate, "--sample", "500ms", "--json").splitlines()[-1])
    took = side.beside(where, side.BASE, shape, pair["rows"], options.rate, lambda: side.stoa(
        folder, "apply", sql, *change.options, "--url", url, "--yes", "--replicas", 0, "--json"))
    plain = side.beside(where, side.COPY, shape, pair["rows"], options.rate, lambda: where.run(
        change.plain.get(pair["engine"], sql), side.COPY))
    (score,) = json.loads(side.stoa(folder, "history", "--predictions", "--url", url, "--json"))["changes"]
    return told, took, plain, score


def one(home, pair, options, folder, seed):
    change, speech = CHANGES[pair["kind"]], SPEECH[pair["engine"]]
    shape = side.shape_of(pair["engine"], pair["shape"], pair["rows"])
    started = time.monotonic()
    where = side.side_of(home, pair["engine"], options)
    try:
        where.make(shape.statements(speech, pair["rows"]), seed)
        filled = time.monotonic() - started
        told, took, plain, score = carry_out(where, pair, change, shape, options, folder)
    finally:
        where.end()
    seconds, log, naive = score["seconds"], told["prediction"]["wal_bytes"], told["naive"]
    return {**pair, "filled_s": filled, "whole_s": time.monotonic() - started, "realistic": told["realistic"],
            "strategy": told["strategy"], "seconds": seconds, "log": {**log, "actual": took["log"]},
            "log_error": abs((log["low"] + log["high"]) / 2 - took["log"]) / max(took["log"], 1),
            "stall_ms": {**told["prediction"].get("longest_stall_ms", {}), "actual": took["stall_ms"]},
            "naive_seconds": {**naive["seconds"], "actual": plain["seconds"]},
            "naive_stall_ms": {**naive["longest_stall_ms"], "actual": plain["stall_ms"]},
            "stall_times": times_off(middle(naive["longest_stall_ms"]), plain["stall_ms"], SHORT_STALL_MS),
            "errors": took["errors"], "first_error": took["first_error"], "notes": told["notes"]}


def line(number, result):
    span, log, stall = result["seconds"], result["log"], result["naive_stall_ms"]
    verdict = "inside" if span["inside"] else "short" if not span["scored"] else "OUTSIDE"
    log_text = f"{result['log_error']:6.1%}" if log["actual"] >= LEAST_LOG else "     -"
    return (f"{number:>3} {result['engine']:<9}{result['shape']:<14}{result['kind']:<9}{result['rows']:>9,} rows, "
            f"{result['share']:4.1%}  {result['strategy']:<9}{span['low']:7.2f} – {span['high']:7.2f} s, was "
            f"{span['actual']:7.2f}  {verdict:<8}log {log['low'] / 1e6:7.1f} – {log['high'] / 1e6:7.1f} MB, was "
            f"{log['actual'] / 1e6:7.1f} {log_text}  stall of the plain way {stall['low']:6.0f} – {stall['high']:6.0f} ms, was "
            f"{stall['actual']:6.0f} ({result['stall_times']:.1f}x)  "
            + ("" if result["realistic"] else "NOT REALISTIC  ") + f"[{result['whole_s']:.0f} s]")


def quantile(values, share):
    """The least value that so many are not above."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0


def least(name, measured, bound, unit=""):
    return {"name": name, "measured": measured, "bound": bound, "unit": unit, "ok": measured >= bound, "least": True}


def bound_line(bound):
    text = report.bound_line(bound)
    return text.replace("(at most", "(at least") if bound.get("least") else text


def bounds(results, failed, minutes):
    scored = [result for result in results if result["seconds"]["scored"]]
    inside = [result["seconds"]["inside"] for result in scored]
    widths = [result["seconds"]["high"] / max(result["seconds"]["low"], 1e-3) for result in scored]
    logs = [result["log_error"] for result in results if result["log"]["actual"] >= LEAST_LOG]
    stalls = [result["stall_times"] for result in results]
    return [least(f"durations inside their ranges, of {len(scored)}", 100 * sum(inside) / max(1, len(inside)),
                  100 * INSIDE, " %"),
            report.bound("median width of a range", statistics.median(widths) if widths else 0, WIDTH, "x"),
            report.bound(f"log: error of 9 in 10, of {len(logs)}", 100 * quantile(logs, 0.9), 100 * LOG_ERROR, " %"),
            report.bound("stall of the plain way: 9 in 10 are off by", quantile(stalls, 0.9), STALL_TIMES, "x"),
            report.bound("pairs that could not be carried out", failed, 0),
            report.bound("minutes in all", minutes, MINUTES)]


def run_all(home, options, chance, seed, folder):
    results, failed = [], 0
    for number, pair in enumerate(draw(options, chance), 1):
        try:
            result = one(home, pair, options, folder, seed + number)
        except (RuntimeError, AssertionError, KeyError, ValueError) as problem:
            failed += 1
            print(f"{number:>3} {pair['engine']} {pair['shape']} {pair['kind']} {pair['rows']:,} rows: {problem!r}", flush=True)
            continue
        results.append(result)
        print(line(number, result), flush=True)
        if result["errors"]:
            print(f"    errors of the application: {result['errors']} ({result['first_error']})", flush=True)
    return results, failed


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    busy = os.getloadavg()[0]
    if busy > os.cpu_count() / 4:
        print(f"note: this machine is busy already (load {busy:.1f} on {os.cpu_count()} processors): seconds and "
              "latencies will mislead", file=sys.stderr)
    print(f"seed {seed}", flush=True)
    home, started = Home(), time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="stoa-bench-") as folder:
            results, failed = run_all(home, options, random.Random(seed), seed, folder)
    except KeyboardInterrupt:
        print("interrupted: servers and files are being removed", file=sys.stderr)
        return 130
    finally:
        home.close()
    held = bounds(results, failed, (time.monotonic() - started) / 60)
    print("\n" + "\n".join(bound_line(bound) for bound in held))
    if options.json:
        pathlib.Path(options.json).write_text(
            json.dumps({"v": 1, "seed": seed, "pairs": results, "failed": failed, "bounds": held}, indent=1) + "\n")
    return 0 if all(bound["ok"] for bound in held) else 1


if __name__ == "__main__":
    sys.exit(main())

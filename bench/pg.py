"""script/bench pg: Stoa and other ways to add and fill a NOT NULL column of a busy table.

All contenders start from identical copies of one data directory, with the same settings and the same
application beside them, interleaved in one run; the medians are compared with the bounds that the project
promises. Exit 0: all bounds kept; 1: one is not.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench import contender, measure, report  # noqa: E402
from test.lib.servers import Home  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench pg", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs, of which the medians count")
    parser.add_argument("--rate", type=float, default=300, help="statements of the application per second")
    parser.add_argument("--with", dest="others", action="append", default=[], choices=["naive", "touch", "shadow"],
                        help="one more contender; may be repeated")
    parser.add_argument("--only", choices=["stoa", "shadow", "keyset", "naive", "touch"], help="one contender, no bounds")
    parser.add_argument("--flat", action="store_true", help="also Stoa's cost per row with ten times the rows")
    parser.add_argument("--server", type=int, default=15, metavar="VERSION", help="version of PostgreSQL (15)")
    parser.add_argument("--stoa-args", default="", help="more options for stoa apply, in one word")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def contenders(options, folder):
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STOA_"))}
    stoa = contender.Stoa(measure.STOA, {**keep, "HOME": str(folder), "NO_COLOR": "1"}, options.stoa_args.split())
    shadow = contender.Shadow(measure.STOA, stoa.environment, stoa.arguments)
    known = {"stoa": stoa, "shadow": shadow, "keyset": contender.Keyset(), "touch": contender.Touch(), "naive": contender.Naive()}
    names = [options.only] if options.only else ["stoa", "keyset", *dict.fromkeys(options.others)]
    return [known[name] for name in names]


def median(runs):
    """Of each figure by itself; the worst of those that may never happen once."""
    worst = {"errors", "wrong", "max_ms", "peak_kb"}
    result = {}
    for key in runs[0]:
        values = [run[key] for run in runs if run[key] is not None]
        if not values:
            result[key] = None
        elif isinstance(values[0], str):
            result[key] = next((value for value in values if value), "")
        else:
            result[key] = max(values) if key in worst else statistics.median(values)
    return result


def measure_all(home, base, options, folder):
    """Round by round, each time beginning with another contender."""
    field = contenders(options, folder)
    runs = {each.name: [] for each in field}
    for round_ in range(options.runs):
        for i in range(len(field)):
            each = field[(i + round_) % len(field)]
            figures = measure.one(home, base, each, options)
            runs[each.name].append(figures)
            print(report.run_line(round_ + 1, each.name, figures), flush=True)
    return runs


def flat(home, options, folder, medians):
    """Cost per row with ten times the rows, against the same contender here."""
    big = argparse.Namespace(**{**vars(options), "rows": options.rows * 10, "runs": 1, "only": "stoa"})
    base = measure.Base(home, big)
    figures = measure_all(home, base, big, folder)["stoa"][0]
    base.remove()
    return {"rows": big.rows, "figures": figures,
            "ratio": figures["seconds"] / big.rows / (medians["stoa"]["seconds"] / options.rows)}


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    home = Home()
    try:
        with tempfile.TemporaryDirectory(prefix="stoa-bench-") as folder:
            started = time.monotonic()
            busy = os.getloadavg()[0]
            if busy > os.cpu_count() / 4:
                print(f"note: this machine is busy already (load {busy:.1f} on {os.cpu_count()} processors): seconds and "
                      "latencies will mislead", file=sys.stderr)
            print(f"loading {options.rows:,} rows", flush=True)
            base = measure.Base(home, options)
            print(f"loaded in {time.monotonic() - started:.1f} s", flush=True)
            runs = measure_all(home, base, options, folder)
            base.remove()
            medians = {name: median(each) for name, each in runs.items()}
            tenfold = flat(home, options, folder, medians) if options.flat and "stoa" in medians else None
    except KeyboardInterrupt:
        print("interrupted: servers and files are being removed", file=sys.stderr)
        return 130
    finally:
        home.close()
    print()
    print(report.table(medians))
    bounds = report.bounds(medians, tenfold)
    print("\n".join(report.bound_line(bound) for bound in bounds))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"v": 1, "rows": options.rows, "rate": options.rate, "server": options.server, "runs": runs,
             "medians": medians, "flat": tenfold, "bounds": bounds}, indent=1) + "\n")
    return 0 if all(bound["ok"] for bound in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())

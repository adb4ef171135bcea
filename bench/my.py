"""script/bench mysql: Stoa and other ways to widen an indexed INT column of a busy table to BIGINT.

All contenders start from identical copies of one data directory a server, with the same settings and the same
application beside them, interleaved in one run; the medians are compared with the bounds that the project promises.
Every figure is measured in this run. Exit 0: all bounds kept; 1: one is not.
"""
import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench import measure, my_contender, my_measure, report  # noqa: E402
from bench.pg import interrupted, median  # noqa: E402
from test.lib.my_servers import BUILDS  # noqa: E402
from test.lib.servers import Home  # noqa: E402

CONTENDERS = ["stoa", "pt-osc", "plain", "chunks"]
PROFILES = ["plain", "hostile"]
MAX_STALL_MS, SLACK_MS = 200, 50  # stoa's default, and what the promise allows on top

ROWS = [("seconds", "seconds", "{:.2f}"), ("rows/s", "rows_per_s", "{:,.0f}"), ("binary log MB", "log_mb", "{:,.0f}"),
        ("quiet p99 ms", "quiet_p99_ms", "{:.1f}"), ("quiet longest ms", "quiet_max_ms", "{:.1f}"),
        ("application p50 ms", "p50_ms", "{:.1f}"), ("application p99 ms", "p99_ms", "{:.1f}"),
        ("longest wait ms", "max_ms", "{:.1f}"), ("application errors", "errors", "{:.0f}"),
        ("of which deadlocks", "deadlocks", "{:.0f}"), ("rows wrong", "wrong", "{:.0f}"),
        ("own memory MB", "peak_mb", "{:.1f}"), ("own CPU s", "cpu_seconds", "{:.2f}"),
        ("server CPU s", "server_cpu_seconds", "{:.2f}")]


def chosen(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f'"{word}" is none of {", ".join(known)}')
        return words
    return parse


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench mysql", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs, of which the medians count")
    parser.add_argument("--rate", type=float, default=300, help="statements of the application per second")
    parser.add_argument("--servers", type=chosen(BUILDS), default=["mariadb-10.11", "mysql-9.7"])
    parser.add_argument("--profiles", type=chosen(PROFILES), default=PROFILES, help="the application: plain,hostile")
    parser.add_argument("--contenders", type=chosen(CONTENDERS), default=["stoa", "pt-osc"],
                        help="of stoa,pt-osc,plain,chunks; bounds need the first two")
    parser.add_argument("--stoa-args", default="", help="more options for stoa apply, in one word")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def field(options, folder):
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "MYSQL", "STOA_"))}
    environment = {**keep, "HOME": str(folder), "NO_COLOR": "1"}
    known = {"stoa": my_contender.Stoa(measure.STOA, environment, options.stoa_args.split()),
             "pt-osc": my_contender.PtOsc(), "plain": my_contender.Plain(), "chunks": my_contender.Chunks()}
    return [known[name] for name in options.contenders]


def run_line(server, profile, round_, name, figures):
    line = (f"{server:<14} {profile:<8} run {round_}  {name:<7}{figures['seconds']:7.2f} s  server CPU "
            f"{figures['server_cpu_seconds']:6.2f} s  log {figures['log_mb']:5.0f} MB  p99 {figures['p99_ms']:6.1f}  "
            f"max {figures['max_ms']:7.1f} ms  errors {figures['errors']}  deadlocks {figures['deadlocks']}  "
            f"wrong {figures['wrong']}")
    return line + (f"  ({figures['first_error']})" if figures["first_error"] else "")


def table(medians):
    lines = ["".join([f"{'median':<22}"] + [f"{name:>12}" for name in medians])]
    for label, key, form in ROWS:
        lines.append("".join([f"{label:<22}"] + [f"{report._text(figures, key, form):>12}" for figures in medians.values()]))
    return "\n".join(lines)


def bounds(where, medians):
    """What Stoa promises, most of it against pt-osc in the same run."""
    stoa, peer = medians.get("stoa"), medians.get("pt-osc")
    if not stoa:
        return []
    result = []
    if peer:
        result += [report.bound(f"{where}: time against pt-osc", stoa["seconds"] / peer["seconds"], 1.0, "x"),
                   report.bound(f"{where}: longest wait against pt-osc", stoa["max_ms"] / peer["max_ms"], 0.1, "x")]
    return result + [
        report.bound(f"{where}: longest wait of the application", stoa["max_ms"], MAX_STALL_MS + SLACK_MS, " ms"),
        report.bound(f"{where}: application errors", stoa["errors"], 0),
        report.bound(f"{where}: rows wrong", stoa["wrong"], 0),
        report.bound(f"{where}: own memory", stoa["peak_kb"] / 1024, 64, " MB")]


def measure_all(home, name, options, folder):
    """Round by round and profile by profile, each time beginning with another contender."""
    started = time.monotonic()
    print(f"{name}: loading {options.rows:,} rows", flush=True)
    base = my_measure.Base(home, name, options)
    print(f"{name}: {base.version}, loaded in {time.monotonic() - started:.1f} s", flush=True)
    everybody = field(options, folder)
    runs = {profile: {each.name: [] for each in everybody} for profile in options.profiles}
    for round_ in range(options.runs):
        for profile in options.profiles:
            for i in range(len(everybody)):
                each = everybody[(i + round_) % len(everybody)]
                figures = my_measure.one(home, base, each, profile, options)
                runs[profile][each.name].append(figures)
                print(run_line(name, profile, round_ + 1, each.name, figures), flush=True)
    base.remove()
    return {"version": base.version, "runs": runs,
            "medians": {profile: {who: median(each) for who, each in some.items()} for profile, some in runs.items()}}


def say_what_is_here(options):
    busy = os.getloadavg()[0]
    if busy > os.cpu_count() / 4:
        print(f"note: this machine is busy already (load {busy:.1f} on {os.cpu_count()} processors): seconds and "
              "latencies will mislead", file=sys.stderr)
    if "pt-osc" in options.contenders:
        print(f"pt-online-schema-change {my_contender.PtOsc.version()}; it makes no checksum, Stoa's is part of its time")


def main():
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    say_what_is_here(options)
    home, results = Home(), {}
    try:
        with tempfile.TemporaryDirectory(prefix="stoa-bench-") as folder:
            for name in options.servers:
                results[name] = measure_all(home, name, options, folder)
    except KeyboardInterrupt:
        print("interrupted: servers and files are being removed", file=sys.stderr)
        return 130
    finally:
        home.close()
    held = []
    for name, result in results.items():
        for profile, medians in result["medians"].items():
            print(f"\n{name} ({result['version']}), {profile} application, {options.rate:g} a second\n{table(medians)}")
            held += bounds(f"{name}, {profile}", medians)
    print("\n" + "\n".join(report.bound_line(bound) for bound in held))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"v": 1, "rows": options.rows, "rate": options.rate, "servers": results, "bounds": held}, indent=1) + "\n")
    return 0 if all(bound["ok"] for bound in held) else 1


if __name__ == "__main__":
    sys.exit(main())

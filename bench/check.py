"""script/bench check: stoa check and squawk on the same files of 10,000 statements, by turns in one run.

The best of each one's runs is compared, processor time and peak memory, with the bounds that the project promises.
Exit 0: all bounds kept; 1: one is not.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench import report  # noqa: E402
from bench.proc import Watched  # noqa: E402
from test.lib.stoa import BINARY  # noqa: E402

CACHE = pathlib.Path("/var/cache/stoa" if os.getuid() == 0 else
                     os.environ.get("XDG_CACHE_HOME", str(pathlib.Path.home() / ".cache")) + "/stoa") / "linters"
SQUAWK = CACHE / "node_modules/@squawk-cli/linux-x64/bin/squawk"
COUNT = 10_000
KINDS = ["ALTER TABLE t{0} ADD COLUMN c{0} int;", "CREATE INDEX i{0} ON t{0} (a);", "ALTER TABLE t{0} ALTER COLUMN a SET NOT NULL;",
         "ALTER TABLE t{0} ADD CONSTRAINT k{0} FOREIGN KEY (a) REFERENCES p (id);", "ALTER TABLE t{0} ALTER COLUMN a TYPE bigint;",
         "ALTER TABLE t{0} DROP COLUMN b;", "ALTER TABLE t{0} RENAME COLUMN a TO z;", "CREATE TABLE n{0} (id bigint PRIMARY KEY, v text);",
         "ALTER TABLE t{0} ADD CONSTRAINT x{0} CHECK (a > 0);", "UPDATE t{0} SET a = 1 WHERE id = {0};"]
FILES = {"plain": "\n".join(f"ALTER TABLE t{i} ADD COLUMN c int;" for i in range(COUNT)),
         "mixed": "\n".join(KINDS[i % len(KINDS)].format(i) for i in range(COUNT))}
# What is run: file, label, stoa's format, squawk's; text is not promised, since squawk's is slow there.
CASES = [("plain", "no finding", "json", "json"), ("mixed", "findings as JSON", "json", "json"),
         ("mixed", "findings as text", "text", "tty")]


def command(who, file, formats):
    if who == "stoa":  # without what squawk does not look for
        return [str(BINARY), "check", str(file), "--engine", "postgres", "--server-version", "15", "--format", formats[0],
                "--rule", "lock-timeout-missing=off", "--rule", "statement-timeout-missing=off"]
    return [str(SQUAWK), "--pg-version", "15", "--reporter", formats[1], "--exclude=require-timeout-settings", str(file)]


def once(words, keep):
    with open(keep, "wb") as out:
        watched = Watched(subprocess.Popen(words, stdout=out, stderr=subprocess.DEVNULL, cwd=keep.parent), every=0.001)
        code = watched.wait()
    assert code in (0, 1, 4), (words, code)
    return {"seconds": watched.cpu_seconds, "peak_kb": watched.peak_kb}


def compare(folder, runs, case):
    name, label, *formats = case
    best = {}
    for _ in range(runs):
        for who in ("stoa", "squawk"):
            one = once(command(who, folder / f"{name}.sql", formats), folder / f"{who}.out")
            best[who] = {key: min(value, best.get(who, one)[key]) if key == "seconds" else max(value, best.get(who, one)[key])
                         for key, value in one.items()}
    stoa, squawk = best["stoa"], best["squawk"]
    print(f"{label:<20} stoa {stoa['seconds']:.2f} s {stoa['peak_kb'] / 1024:.0f} MiB   squawk {squawk['seconds']:.2f} s "
          f"{squawk['peak_kb'] / 1024:.0f} MiB   ratio {stoa['seconds'] / squawk['seconds']:.2f}", flush=True)
    return {"case": label, **best}


def main():
    parser = argparse.ArgumentParser(prog="script/bench check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    options = parser.parse_args()
    version = subprocess.run([SQUAWK, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{COUNT:,} statements, {version}, processor time of the best and memory of the worst of {options.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            (pathlib.Path(folder) / f"{name}.sql").write_text(text + "\n")
        results = [compare(pathlib.Path(folder), options.runs, case) for case in CASES]
    bounds = [report.bound(f"time: {one['case']}", one["stoa"]["seconds"] / one["squawk"]["seconds"], 1.0, "x") for one in results]
    bounds.append(report.bound("memory", max(one["stoa"]["peak_kb"] for one in results) / 1024, 100, " MiB"))
    print(*map(report.bound_line, bounds), sep="\n")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"results": results, "bounds": bounds}, indent=1))
    return 0 if all(one["ok"] for one in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Runs the suites of script/test one after the other and adds up what passed and failed."""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
VERSIONS = ["10", "11", "12", "13", "14", "15", "16", "17", "18"]
PYTEST = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "3", "--durations=5"]


class Suites:
    def __init__(self, deadline):
        self.passed = self.failed = 0
        self.deadline = deadline
        self.lines = []

    def left(self):
        return None if self.deadline is None else self.deadline - time.monotonic()

    def run(self, title, command, env=None, count=None):
        """Runs one suite. `count` gives (passed, failed) afterwards; without it the suite is one test."""
        left = self.left()
        if left is not None and left < 30:
            self.note(title, 0, 0, 0, "left out: the time budget is used up")
            return True
        print(f"\n== {title}\n   {' '.join(map(str, command))}", flush=True)
        started = time.monotonic()
        cut = False
        try:
            child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})},
                                     stdin=subprocess.DEVNULL, start_new_session=False)
            try:
                code = child.wait(timeout=left)
            except subprocess.TimeoutExpired:
                cut = True
                code = interrupt(child)
        except OSError as problem:
            print(problem, flush=True)
            code = 127
        seconds = time.monotonic() - started
        passed, failed = count() if count else (int(code == 0), int(code != 0))
        if cut:
            self.passed, self.failed = self.passed + (passed if count else 0), self.failed + (failed if count else 0)
            self.note(title, seconds, passed if count else 0, failed if count else 0,
                      "cut off: the time budget is used up; what was not reached did not run")
            return failed == 0 or not count
        if code != 0 and failed == 0:
            failed = 1  # it broke before, or beside, its tests
        if code == 0 and passed == 0:
            failed = 1  # a suite without a test proves nothing
        self.passed += passed
        self.failed += failed
        self.note(title, seconds, passed, failed, "" if failed == 0 else "FAILED")
        return failed == 0

    def note(self, title, seconds, passed, failed, remark):
        self.lines.append(f"{title:<34} {seconds:7.1f} s  {passed:5} passed  {failed:3} failed  {remark}".rstrip())
        print(f"   {self.lines[-1]}", flush=True)

    def say(self, lines):
        """Figures, beside the lines of the suites."""
        for line in lines:
            self.lines.append(line)
            print(f"   {line}", flush=True)

    def pytest(self, title, paths, options=(), env=None):
        report = ROOT / "build" / "reports" / (re.sub(r"\W+", "-", title) + ".xml")
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        return self.run(title, [*PYTEST, f"--junitxml={report}", *options, *paths], env,
                        lambda: junit_counts(report))

    def meson(self, title, build, env=None):
        log = ROOT / build / "meson-logs" / "testlog.json"
        log.unlink(missing_ok=True)
        return self.run(title, ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs"], env,
                        lambda: cmocka_counts(log))


def interrupt(child):
    """Lets a test run end early and say what it saw so far; the servers' guard cleans up behind it."""
    child.send_signal(signal.SIGINT)
    try:
        return child.wait(timeout=60)
    except subprocess.TimeoutExpired:
        child.terminate()
        return child.wait()


def junit_counts(report):
    """Errors count as failures, and so do skipped tests: nothing here may be skipped."""
    if not report.exists():
        return 0, 0
    passed = failed = 0
    for suite in xml.parse(report).getroot().iter("testsuite"):
        bad = sum(int(suite.get(key, 0)) for key in ("failures", "errors", "skipped"))
        failed += bad
        passed += int(suite.get("tests", 0)) - bad
    return passed, failed


def cmocka_counts(log):
    if not log.exists():
        return 0, 0
    passed = failed = 0
    for line in log.read_text().splitlines():
        test = json.loads(line)
        text = test.get("stdout", "") + test.get("stderr", "")
        good = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", text)))
        bad = sum(map(int, re.findall(r"\[  FAILED  \][^\n]*? (\d+) test", text)))
        if test["result"] == "OK":
            passed += max(good, 1)
        else:
            passed += good
            failed += max(bad, 1)
    return passed, failed


def build(suites, folder, options, title, env=None):
    steps = []
    if not (ROOT / folder / "build.ninja").exists():
        steps.append(f"meson setup {folder} {' '.join(options)}")
    steps.append(f"ninja -C {folder} --quiet")
    return suites.run(title, ["bash", "-c", " && ".join(steps)], env)


def tidy(suites):
    sources = sorted(str(path.relative_to(ROOT)) for folder in ("src", "test") for suffix in ("c", "h")
                     for path in (ROOT / folder).rglob("*." + suffix))
    units = [source for source in sources if source.startswith("src/") and source.endswith(".c")]
    suites.run("clang-format", ["clang-format", "--dry-run", "-Werror", *sources])
    if build(suites, "build-clang", ["-Dwerror=true"], "build with clang", {"CC": "clang"}):
        jobs = str(os.cpu_count() or 2)
        # One file a process: the va_list check of clang-tidy 14 knows va_copy() only in the first file it sees.
        suites.run("clang-tidy", ["bash", "-c", 'printf "%s\\0" "$@" | xargs -0 -n 1 -P ' + jobs +
                                  " clang-tidy --quiet -p build-clang", "-", *units])
    suites.run("cppcheck", ["cppcheck", "--error-exitcode=1", "--enable=warning,performance,portability",
                            "--inline-suppr", "--std=c11", "--quiet", "-Isrc", "-j2",
                            # an Err returned by a call that was given &local is taken for a pointer to that local
                            "--suppress=returnDanglingLifetime", "--suppress=missingInclude",
                            # no semicolon: cppcheck ends a -D there, and then passes over every file in silence
                            "-Djson_array_foreach(array,index,value)="
                            "while ((value = json_array_get(array, index = 0)))", "src"])


def fuzz(suites, seconds):
    """libFuzzer over the parsers of outside bytes."""
    suites.run(f"fuzz, {seconds} s", ["sh", "test/fuzz/run", str(seconds)])


def duration(text):
    match = re.fullmatch(r"(\d+)(s|m|h)", text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}" is no duration; write 90s, 50m or 1h')
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def versions(text):
    chosen = VERSIONS if text in ("pg", "all") else text.split(",")
    for version in chosen:
        if version not in VERSIONS:
            raise argparse.ArgumentTypeError(f'"{version}" is none of {", ".join(VERSIONS)}')
    return chosen


FIRE = "test/server_my/test_swap.py"
MY_SERVERS = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7", "mysql-5.6"]
CHECKED = ["mariadb-10.11", "mariadb-11.8", "mysql-9.7"]


def matrices(text):
    """Versions of PostgreSQL, "pg" for all of them, "mysql" for the servers of MariaDB and MySQL, "all"."""
    if text in ("mysql", "all"):
        return (VERSIONS if text == "all" else []) + MY_SERVERS
    ours = [word for word in text.split(",") if word in MY_SERVERS]
    others = ",".join(word for word in text.split(",") if word not in MY_SERVERS)
    return ours + (versions(others) if others else [])


def my_servers(text):
    chosen = text.split(",")
    for name in chosen:
        if name not in MY_SERVERS:
            raise argparse.ArgumentTypeError(f'"{name}" is none of {", ".join(MY_SERVERS)}')
    return chosen


def options():
    parser = argparse.ArgumentParser(prog="script/test", allow_abbrev=False, description=(
        "Builds, then runs the floor check, the unit tests, and the tests of the whole program and against real "
        "servers on PostgreSQL 15. Where suites are named, they run instead of the last ones, which --base brings "
        "back. The last line says how many passed and failed."))
    parser.add_argument("--base", action="store_true", help="the tests on PostgreSQL 15 too, beside the suites that are named")
    parser.add_argument("--matrix", type=matrices, nargs="?", const=VERSIONS, metavar="pg|mysql|all|10,13,…|mysql-9.7,…",
                        help="every operation on PostgreSQL 10 to 18, or on those named: its plan, what the server "
                             "does against what the plan says, and a run; on 15 and 18 also blocked, killed, aborted. "
                             f"mysql: the same on {', '.join(MY_SERVERS)}, changes of ten kinds killed at each of their points")
    parser.add_argument("--servers", type=versions, nargs="?", const=VERSIONS, metavar="pg|10,13,…",
                        help="the server tests on PostgreSQL 10 to 18, or on those named")
    parser.add_argument("--check", type=matrices, nargs="?", const=VERSIONS + CHECKED, metavar="pg|mysql|all|10,mariadb-10.11,…",
                        help="the examples of all rules of stoa check, and its corpus, against what servers do with them: "
                             f"PostgreSQL 10 to 18, {', '.join(CHECKED)}, or those named; with STOA_RECORD=1 docs/rules.md is made "
                             "from it")
    parser.add_argument("--mysql", type=my_servers, nargs="?", const=["mariadb-10.11", "mysql-9.7"],
                        metavar="mariadb-10.11,…",
                        help=f"the tests on MariaDB 10.11 and MySQL 9.7, or on those named ({', '.join(MY_SERVERS)})")
    parser.add_argument("--flags", action="store_true", help="OpenFeature's own clients, under Node")
    parser.add_argument("--promtool", action="store_true", help="Prometheus' own promtool on /metrics, the alert rules and the dashboard")
    parser.add_argument("--cutover", type=int, nargs="?", const=300, metavar="N",
                        help="N cutovers (300) under fire on each server of MariaDB and MySQL: rows lost and the "
                             "longest wait are printed")
    parser.add_argument("--browser", action="store_true", help="the page in a headless Chromium")
    parser.add_argument("--crash", type=int, nargs="?", const=200, metavar="N",
                        help="the crash loops: every journal write, N random moments (200), and changes of all kinds "
                             "killed at each of their points")
    parser.add_argument("--long", action="store_true",
                        help="tests of minutes, one at a time: replicas and their readers through whole changes, latency, "
                             "sessions that are cut, 200 databases, rehearsals, 1,000 slow clients")
    parser.add_argument("--fuzz", type=duration, nargs="?", const=60, metavar="TIME",
                        help="fuzz the parsers of outside bytes that long (60s)")
    parser.add_argument("--sanitize", choices=["all", "unit"], nargs="?", const="all",
                        help="the same suites (or the unit tests only) with ASan and UBSan, in build-asan")
    parser.add_argument("--tidy", action="store_true", help="clang-format, clang-tidy and cppcheck")
    parser.add_argument("--all", action="store_true", help="all of these")
    parser.add_argument("--budget", type=duration, metavar="TIME", help="leave out what does not fit into this time")
    given = parser.parse_args()
    if given.all:
        given.matrix = given.matrix or VERSIONS + MY_SERVERS
        given.cutover = given.cutover or 300
        given.servers = given.servers or VERSIONS
        given.check = given.check or VERSIONS + CHECKED
        given.crash = given.crash or 200
        given.fuzz = given.fuzz or 60
        given.sanitize = given.sanitize or "all"
        given.mysql = given.mysql or MY_SERVERS
        given.tidy = given.flags = given.promtool = given.browser = given.long = True
    named = {name: value for name, value in vars(given).items() if name not in ("all", "base", "budget")}
    given.base = given.base or given.all or not any(named.values())
    return given


SHORT = ["-m", "not crash and not long"]  # those have options of their own


def main():
    wanted = options()
    os.environ["PATH"] = "/usr/bin:/bin:" + os.environ.get("PATH", "")
    started = time.monotonic()
    suites = Suites(started + wanted.budget if wanted.budget else None)
    programs = [str(path) for path in ("test/cli", "test/server") if (ROOT / path).is_dir()]

    suites.run("floors", [PYTHON, "tools/check_floors.py"])
    suites.run("list of operations", [PYTHON, "tools/operations_doc.py", "--check"])
    if build(suites, "build", ["-Dwerror=true"], "build"):
        suites.run("page of rules", [PYTHON, "tools/rules_doc.py", "--check"])
        suites.meson("unit tests", "build")
        if wanted.base:
            suites.pytest("program and server tests, 15", programs, SHORT)
        if wanted.crash:
            suites.pytest("changes killed at each point", ["test/server"], ["-m", "crash"])
            suites.pytest(f"crash loops, {wanted.crash} moments", ["test/crash"], ["--timeout=3600"],
                          {"STOA_CRASH_MOMENTS": str(wanted.crash)})
    if wanted.sanitize:
        sanitize(suites, programs, wanted.sanitize)
    if wanted.tidy:
        tidy(suites)
    if wanted.matrix:
        my_operations(suites, [name for name in wanted.matrix if name in MY_SERVERS])
        operations(suites, [version for version in wanted.matrix if version in VERSIONS])
    my_checks(suites, [name for name in wanted.check or [] if name in MY_SERVERS])
    checks(suites, [version for version in wanted.check or [] if version in VERSIONS])
    for version in wanted.servers or []:
        if version != "15":
            suites.pytest(f"server tests, {version}", ["test/server"], [*SHORT, f"--pg={version}"])
    if wanted.mysql:
        # Three tests at once are no place to measure waits: the bound itself is held by script/bench mysql.
        suites.pytest("MariaDB and MySQL", ["test/server_my"], ["-m", "not long", f"--my={','.join(wanted.mysql)}"],
                      {"STOA_SLACK_S": "1"})
    if wanted.flags:
        suites.pytest("OpenFeature's clients", ["test/openfeature"])
    if wanted.promtool:
        suites.pytest("promtool", ["test/promtool"])
    if wanted.browser:
        suites.pytest("the page in a browser", ["test/browser"])
    if wanted.cutover:
        figures = ROOT / "build" / "reports" / "cutovers.txt"
        figures.unlink(missing_ok=True)
        suites.pytest(f"{wanted.cutover} cutovers a server", [FIRE], [f"--my={','.join(MY_SERVERS)}", "--timeout=7200", "-s"],
                      {"STOA_FIRE": str(wanted.cutover), "STOA_FIRE_OUT": str(figures)})
        suites.say(figures.read_text().splitlines() if figures.exists() else [])
    if wanted.long:
        suites.pytest("long tests", programs, ["-m", "long", "-n", "1", "-s"])
        if wanted.mysql:
            suites.pytest("long tests, MariaDB and MySQL", ["test/server_my"],
                          ["-m", "long", "-n", "1", "-s", f"--my={','.join(wanted.mysql)}"])
    if wanted.fuzz:
        fuzz(suites, wanted.fuzz)

    print(f"\n{chr(10).join(suites.lines)}\n\n{time.monotonic() - started:.0f} s")
    print(f"{suites.passed} passed, {suites.failed} failed", flush=True)
    return 1 if suites.failed else 0


def operations(suites, chosen):
    """Every operation on these versions, and the statements; what came out goes to build/reports/operations.jsonl,
    from which tools/operations_doc.py makes docs/operations.md."""
    if not chosen:
        return
    out = ROOT / "build" / "reports" / "operations.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    for version in chosen:
        suites.pytest(f"operations, {version}", ["test/matrix/test_operations.py"], [f"--pg={version}"],
                      {"STOA_MATRIX_OUT": str(out)})
    if {"15", "18"} <= set(chosen):
        suites.pytest("statements, 15 and 18", ["test/matrix/test_statements.py"])


def checks(suites, chosen):
    """The rules' examples and the corpus on these versions; build/reports/check.jsonl becomes docs/rules.md."""
    if not chosen:
        return
    out = ROOT / "build" / "reports" / "check.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    for version in chosen:
        suites.pytest(f"rules, {version}", ["test/server/test_check_rules.py", "test/server/test_check_fix.py"],
                      [f"--pg={version}", "--timeout=600"], {"STOA_CHECK_OUT": str(out), "STOA_CHECK_FULL": "1"})
    suites.pytest("fixes of all examples", ["test/cli/test_check_fix.py"], ["--timeout=600"], {"STOA_CHECK_FULL": "1"})
    suites.say(check_summary(out))
    if os.environ.get("STOA_RECORD"):
        suites.run("docs/rules.md", [PYTHON, "tools/rules_doc.py", "--record", str(out)])


def check_summary(path):
    """One line for each server and set of statements."""
    sums = {}
    for line in map(json.loads, path.read_text().splitlines() if path.exists() else []):
        key = (line["engine"], str(line["version"]).rjust(2), line["what"])
        total = sums.setdefault(key, {})
        for name, value in line.items():
            if isinstance(value, int) and name != "version":
                total[name] = total.get(name, 0) + value
    for (engine, version, what), total in sorted(sums.items()):
        yield (f"{engine} {version.strip()}, {what}: {total['ran']} of {total['count']} ran, {total['refused']} refused as listed; "
               f"{total['false_safe']} false safe, {total['alarms']} alarms, {total['silent']} silent, {total['untold']} untold")


def my_operations(suites, chosen):
    """The same on MariaDB and MySQL; build/reports/operations-my.jsonl becomes docs/changes-mysql.md."""
    if not chosen:
        return
    out = ROOT / "build" / "reports" / "operations-my.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    for name in chosen:
        suites.pytest(f"operations, {name}", ["test/matrix_my"], [f"--my={name}"], {"STOA_MATRIX_OUT": str(out)})


def my_checks(suites, chosen):
    """The rules' examples, the corpus and the cases of the ladder; STOA_RECORD=1 makes test/data/check_measured_my.json."""
    for name in chosen:
        suites.pytest(f"rules, {name}", ["test/server_my/test_check_rules.py", "test/server_my/test_check_online.py"],
                      [f"--my={name}", "--timeout=1800"])


def sanitize(suites, programs, how_much):
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:strict_string_checks=1",
           "LSAN_OPTIONS": f"suppressions={ROOT}/test/lib/lsan.supp:print_suppressions=0",
           "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:abort_on_error=1"}
    setup = ["-Db_sanitize=address,undefined", "-Dbuildtype=debugoptimized", "-Dwerror=true"]
    if not build(suites, "build-asan", setup, "build with ASan and UBSan"):
        return
    suites.meson("unit tests, sanitized", "build-asan", env)
    if how_much == "all":
        suites.pytest("program and server tests, sanitized", programs, env={**env, "STOA_BUILD": "build-asan"})


if __name__ == "__main__":
    sys.exit(main())

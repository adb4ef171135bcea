"""The program without a server: usage, help, completion, manual page, exit codes, secrets."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
SECRET = "Tr0ub4dor-und-3"
SQL = "ALTER TABLE orders ADD COLUMN paid boolean"


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def environment(**more):
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STOA_", "LC_", "LANG"))}
    return {**plain, "LC_ALL": "C.UTF-8", **more}


def stoa(*args, stdin="", **env):
    return Outcome(subprocess.run([BIN, *args], input=stdin, capture_output=True, text=True, timeout=60,
                                  env=environment(**env)))


TABLES = json.loads(stoa("help", "--options-json").out)
VERBS = {verb["name"]: verb for verb in TABLES["verbs"]}
OPTIONS = {option["name"]: option for option in TABLES["options"]}


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# ---- help ------------------------------------------------------------------------------------------


def test_tables_hold_what_the_contract_names():
    assert set(VERBS) >= {"plan", "apply", "status", "watch", "pause", "resume", "abort", "complete", "history",
                          "doctor", "serve", "demo", "uninstall", "help", "version", "completion"}
    assert [entry["code"] for entry in TABLES["exit_codes"]] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 70, 128]
    assert {"url", "yes", "expect", "until", "strategy", "max-stall", "lock-wait", "max-lag", "chunk-time", "window",
            "replicas", "accept-star", "accept-triggers", "accept-scan", "accept-standby-stall",
            "subscribers-ready", "json"} <= set(VERBS["apply"]["options"])
    for name, option in OPTIONS.items():
        used = any(name in verb["options"] for verb in VERBS.values())
        assert used != option["file_only"], f"--{name} belongs to no verb, or does not stand in the file only"
        assert (option["kind"] == "flag") == (option["metavar"] is None), name


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_option_of_the_verb_and_no_other(verb):
    shown = stoa(verb, "--help")
    assert shown.code == 0 and shown.err == "", str(shown)
    lists = shown.out.split("\nOutput\n")[0].split("\nWhere\n")[-1] + shown.out.split("\nOutput\n")[1]
    named = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", lists, re.M))
    assert named == set(VERBS[verb]["options"])
    assert shown.out == stoa("help", verb).out
    assert max(map(len, shown.out.splitlines())) <= 100


def test_overview_names_every_verb():
    for args in ([], ["help"], ["--help"]):
        shown = stoa(*args)
        assert shown.code == 0
        for verb in VERBS if args != ["--help"] else []:
            assert re.search(rf"^  {verb} ", shown.out, re.M), verb


def test_version():
    assert stoa("version").out == "stoa 0.1.0\n"
    assert stoa("--version").out == "stoa 0.1.0\n"
    told = json.loads(stoa("version", "--json").out)
    assert told.keys() == {"v", "version", "revision"} and told["version"] == "0.1.0"
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?|unknown", told["revision"])


def test_manual_page_renders():
    source = stoa("help", "--man")
    assert source.code == 0
    page = subprocess.run(["scdoc"], input=source.out, capture_output=True, text=True, timeout=30)
    assert page.returncode == 0, page.stderr
    text = page.stdout.replace("\\-", "-").replace("\\", "")
    for name in OPTIONS:
        assert f"--{name}" in text, name
    for verb in VERBS:
        assert f"stoa {verb}" in text, verb


# ---- completion ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def completion(tmp_path_factory):
    script = tmp_path_factory.mktemp("completion") / "stoa.bash"
    script.write_text(stoa("completion", "bash").out)
    return script


def complete(script, *words):
    """What bash offers for the last word."""
    ask = (f"source {script}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _stoa; "
           "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", ask, "bash", "stoa", *words], capture_output=True, text=True, timeout=30,
                          cwd=script.parent)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


def test_completion_script_parses(completion):
    done = subprocess.run(["bash", "-n", completion], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_completion_offers_the_options_of_the_verb(completion, verb):
    assert set(complete(completion, verb, "--")) == {f"--{name}" for name in VERBS[verb]["options"]}


def test_completion_offers_verbs_values_and_files(completion):
    assert complete(completion, "pl") == ["plan"]
    assert set(complete(completion, "")) >= set(VERBS)
    assert complete(completion, "apply", "--max-s") == ["--max-stall"]
    assert complete(completion, "apply", "--strategy", "in") == ["instant", "in-place"]
    assert complete(completion, "apply", "--strategy", "=", "au") == ["auto"]
    assert complete(completion, "apply", "-f", "sto") == ["stoa.bash"]
    assert complete(completion, "apply", "--name", "") == []
    assert complete(completion, "help", "abo") == ["abort"]
    assert complete(completion, "completion", "") == ["bash"]


def test_completion_of_another_shell_is_refused():
    assert stoa("completion", "tcsh").code == 2
    assert stoa("completion").code == 2


# ---- usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("args, says", [
    (["apply", "--max-stal", "5s"], "did you mean --max-stall?"),
    (["apply", "--chunktime=5s"], "did you mean --chunk-time?"),
    (["plan", "--accept-triger", SQL], "did you mean --accept-triggers?"),
    (["aply", SQL], 'did you mean "stoa apply"?'),
    (["stauts"], 'did you mean "stoa status"?'),
    (["help", "pasue"], 'did you mean "stoa pause"?'),
    (["frobnicate"], '"stoa help" lists the verbs'),
    (["plan", "--frobnicate", SQL], 'unknown option "--frobnicate"'),
    (["plan", "-x", SQL], 'unknown option "-x"'),
    (["status", "--yes"], '"stoa status" has no option --yes'),
    (["plan", "--quiet", "1h", SQL], '"stoa plan" has no option --quiet'),
    (["apply", "--yes=1", SQL], "--yes takes no value"),
    (["apply", SQL, "--name"], "--name lacks its value"),
    (["apply", SQL, "--name", "--yes"], "--name lacks its value"),
    (["apply", SQL, "--name="], "--name is empty"),
    (["plan"], "there is no SQL"),
    (["plan", "ALTER", "TABLE"], "put the SQL into one pair of quotes"),
    (["plan", "a", "b", "c", "d"], "takes one argument"),
    (["plan", SQL, "-f", "x.sql"], "the SQL is given twice"),
    (["plan", "-f", "/nowhere/x.sql"], 'cannot read "/nowhere/x.sql"'),
    (["plan", SQL, "--strategy", "magic"], "write auto, instant, in-place or shadow"),
    (["plan", SQL, "--verify=maybe"], "write expression or filled"),
    (["apply", SQL, "--until", "never"], '--until cannot be "never"'),
    (["demo", "--rows", "many"], '"many" is not a whole number'),
    (["demo", "--rows", "0"], "0 is not between 1 and"),
    (["doctor", "please"], '"stoa doctor" takes no argument'),
    (["plan", SQL, "--url", "oracle://u@h/d"], 'no engine for "oracle://"'),
    (["plan", SQL, "--replicas", "0", "--replicas", "postgres://h/d"], "--replicas 0 states that there is none"),
])
def test_usage_errors(args, says):
    shown = stoa(*args)
    assert shown.code == 2, str(shown)
    assert says in shown.err, str(shown)
    assert shown.out == ""
    assert shown.err.startswith("error: ") and shown.err.count("error: ") == 1


DURATIONS = [name for name, option in OPTIONS.items() if option["kind"] == "duration"]


@pytest.mark.parametrize("name", DURATIONS)
def test_a_bare_number_where_a_unit_is_needed_is_an_error(name):
    verb = next(verb for verb in ("apply", "complete", "retire", "approve", "rehearse") if name in VERBS[verb]["options"])
    for args in ([f"--{name}", "5"], [f"--{name}=5"]):
        shown = stoa(verb, *args, "x")
        assert shown.code == 2 and f'--{name}: "5" lacks a unit' in shown.err, str(shown)
        assert "hint: write 200ms, 10s, 5m or 2h" in shown.err
    shown = stoa(verb, f"--{name}", "5parsec", "x")
    assert shown.code == 2 and 'unknown unit "parsec"' in shown.err


def test_apply_without_a_person_needs_yes():
    shown = stoa("apply", SQL, "--url", f"postgres://127.0.0.1:{closed_port()}/x")
    assert shown.code == 2 and "--yes" in shown.err and "--expect" in shown.err
    assert stoa("uninstall").code == 2


def test_two_dashes_end_the_options():
    shown = stoa("status", "--", "--json", "--url=x")
    assert shown.code == 2 and '"--url=x" follows "--json"' in shown.err, str(shown)


def test_options_may_stand_before_the_verb():
    assert json.loads(stoa("--json", "version").out)["version"] == "0.1.0"


# ---- the request -----------------------------------------------------------------------------------


def test_every_problem_is_told_with_its_place(tmp_path):
    file = tmp_path / "m.sql"
    file.write_text(f"{SQL};\nALTER TABLE orders FROBNICATE;\n\n  UPDATE orders SET a = 1;\n")
    shown = stoa("plan", "-f", str(file))
    assert shown.code == 2, str(shown)
    assert re.search(rf"^{file}:2:\d+: ", shown.err, re.M), str(shown)
    assert re.search(rf"^{file}:4:\d+: ", shown.err, re.M), str(shown)
    assert "2 problems" in shown.err


def test_what_is_understood_but_refused_exits_4():
    shown = stoa("plan", "UPDATE orders SET a = 1")
    assert shown.code == 4, str(shown)
    assert re.search(r"^<argument>:1:1: .*not the schema", shown.err, re.M), str(shown)


def test_standard_input_is_read_for_a_dash():
    shown = stoa("plan", "-f", "-", stdin="\nSELEC 1;\n")
    assert shown.code == 2 and "<stdin>:2:1: " in shown.err, str(shown)
    assert "no statement" in stoa("plan", "-f", "-", stdin="-- nothing\n").err
    assert "is not text" in stoa("plan", "-f", "-", stdin="SELECT 1\0;").err


def test_problems_stand_in_the_error_object():
    shown = stoa("plan", "UPDATE a SET b = 1; ALTER TABLE orders FROBNICATE", "--json")
    error = json.loads(shown.out.splitlines()[-1])["error"]
    assert error["kind"] == "usage" and len(error["problems"]) == 2
    assert {"kind", "file", "line", "column", "message", "hint"} == set(error["problems"][0])


# ---- no server -------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["plan", SQL], ["apply", "--yes", SQL], ["status"], ["history"], ["doctor"],
                                  ["watch", "c"], ["pause", "c"], ["resume", "c"], ["abort", "c", "--yes"],
                                  ["complete", "c", "--yes"],
                                  ["uninstall", "--yes"]], ids=lambda args: args[0])
def test_an_unreachable_server_exits_7_with_a_hint_and_no_secret(args):
    port = closed_port()
    for url in (f"postgres://ann:{SECRET}@127.0.0.1:{port}/shop",
                f"postgres://ann@127.0.0.1:{port}/shop?password={SECRET}"):
        shown = stoa(*args, "--url", url)
        assert shown.code == 7, str(shown)
        assert shown.err.startswith("error: ") and "\nhint: " in shown.err, str(shown)
        assert SECRET not in shown.err + shown.out
        assert shown.out == ""


def test_the_error_object():
    url = f"postgres://ann:{SECRET}@127.0.0.1:{closed_port()}/shop"
    for args in (["apply", "--yes", SQL], ["status"]):
        shown = stoa(*args, "--url", url, "--json")
        last = json.loads(shown.out.splitlines()[-1])
        assert last["v"] == 1 and set(last["error"]) == {"kind", "message", "hint", "sqlstate"}
        assert last["error"]["kind"] == "connect" and last["error"]["hint"]
        assert SECRET not in shown.out
    shown = stoa("apply", "--jsn", "--json")
    assert shown.code == 2 and json.loads(shown.out)["error"]["kind"] == "usage"


def test_the_environment_gives_the_url():
    shown = stoa("status", STOA_URL="oracle://u@h/d")
    assert shown.code == 2 and "oracle" in shown.err
    shown = stoa("status", "--url", f"postgres://127.0.0.1:{closed_port()}/x", STOA_URL="oracle://u@h/d")
    assert shown.code == 7
    shown = stoa("status", PGHOST="127.0.0.1", PGPORT=str(closed_port()))
    assert shown.code == 7, str(shown)


def silent_server():
    """Accepts connections and never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4)
    listener.settimeout(30)
    return listener


def start(*args):
    return subprocess.Popen([BIN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=environment())


def test_the_list_of_processes_shows_no_password():
    with silent_server() as listener:
        url = f"postgres://ann:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/shop"
        running = start("status", "--url", url)
        try:
            peer, _ = listener.accept()  # it has parsed its arguments by now
            line = pathlib.Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
            assert SECRET not in line and "ann:" in line and "*" * len(SECRET) in line
            peer.close()
        finally:
            running.kill()
            running.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_wait_for_the_server(number):
    with silent_server() as listener:
        running = start("status", "--url", f"postgres://ann@127.0.0.1:{listener.getsockname()[1]}/shop")
        try:
            peer, _ = listener.accept()
            running.send_signal(signal.SIGHUP)  # ends nothing
            for _ in range(50):  # at the latest the second one that it sees ends it
                running.send_signal(number)
                try:
                    running.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    pass
            _, err = running.communicate(timeout=10)
            peer.close()
            assert running.returncode in (3, 128 + number), err
            assert "error: " in err
        finally:
            running.kill()


# ---- streams ---------------------------------------------------------------------------------------


def test_colour_only_where_it_is_asked_for():
    assert "\033[" not in stoa("help", "plan").out
    assert "\033[1m" in stoa("help", "plan", "--color=always").out
    assert "\033[" not in stoa("help", "plan", "--color", "never").out


def test_a_full_disk_under_stdout_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN, "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "cannot write the output" in done.stderr

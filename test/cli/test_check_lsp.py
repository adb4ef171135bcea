"""stoa check --lsp, spoken to through the JSON-RPC library of the Python language server."""
import json
import os
import queue
import random
import subprocess
import threading
import time

import pytest
from pylsp_jsonrpc.dispatchers import MethodDispatcher
from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.exceptions import JsonRpcException
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

from test.cli.test_check import BIN

BAD = "CREATE INDEX i ON orders (a);\n"


class Receiver(MethodDispatcher):
    def __init__(self):
        self.published = queue.Queue()

    def m_text_document__publish_diagnostics(self, **params):
        self.published.put(params)


class Editor:
    """A client: the library frames, numbers and matches messages; this only names them."""

    def __init__(self, *args, initialize=True, **capabilities):
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "STOA_"))}
        self.process = subprocess.Popen([BIN, "check", "--lsp", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=plain)
        self.receiver = Receiver()
        self.endpoint = Endpoint(self.receiver, JsonRpcStreamWriter(self.process.stdin).write)
        reader = JsonRpcStreamReader(self.process.stdout)
        self.thread = threading.Thread(target=reader.listen, args=(self.endpoint.consume,), daemon=True)
        self.thread.start()
        self.versions = {}
        if initialize:
            self.capabilities = self.ask("initialize", processId=None, rootUri=None, capabilities=capabilities)
            self.tell("initialized")

    def ask(self, method, **params):
        return self.endpoint.request(method, params).result(timeout=30)

    def tell(self, method, **params):
        self.endpoint.notify(method, params)

    def open(self, text, uri="file:///db/m.sql"):
        self.versions[uri] = 1
        self.tell("textDocument/didOpen", textDocument={"uri": uri, "languageId": "sql", "version": 1, "text": text})
        return self.published(uri)

    def change(self, *changes, uri="file:///db/m.sql", wait=True):
        self.versions[uri] += 1
        self.tell("textDocument/didChange", textDocument={"uri": uri, "version": self.versions[uri]},
                  contentChanges=list(changes))
        return self.published(uri) if wait else None

    def published(self, uri):
        """The diagnostics of the newest version; those of older ones are passed over."""
        while True:
            params = self.receiver.published.get(timeout=30)
            if params["uri"] == uri and params.get("version") == self.versions.get(uri):
                return params["diagnostics"]

    def actions(self, start, end, uri="file:///db/m.sql", **context):
        return self.ask("textDocument/codeAction", textDocument={"uri": uri},
                        range={"start": position(*start), "end": position(*end)},
                        context={"diagnostics": [], **context})

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close(self, code=0):
        if self.process.poll() is None:
            self.ask("shutdown")
            self.tell("exit")
        assert self.process.wait(timeout=30) == code, self.process.stderr.read()
        assert self.process.stderr.read() == b""


def position(line, character):
    return {"line": line, "character": character}


@pytest.fixture
def editor():
    one = Editor("--rule", "lock-timeout-missing=off", "--rule", "statement-timeout-missing=off")
    yield one
    one.close()


def rules(diagnostics):
    return [diagnostic["code"] for diagnostic in diagnostics]


def apply(text, action, uri="file:///db/m.sql"):
    """What an editor does with the edits of an action; all places are of the text before."""
    lines = text.split("\n")

    def offset(place):
        line = lines[place["line"]].encode("utf-16-le")[:place["character"] * 2].decode("utf-16-le")
        return sum(len(one) + 1 for one in lines[:place["line"]]) + len(line)

    edits = action["edit"]["changes"][uri]
    for edit in sorted(edits, key=lambda one: offset(one["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


# ---- the protocol ----------------------------------------------------------------------------------


def test_capabilities(editor):
    told = editor.capabilities["capabilities"]
    assert told["positionEncoding"] == "utf-16" and told["textDocumentSync"]["change"] == 2
    assert told["hoverProvider"] is True and "quickfix" in told["codeActionProvider"]["codeActionKinds"]
    assert editor.capabilities["serverInfo"]["name"] == "stoa"


@pytest.mark.parametrize("wanted,chosen", [(["utf-8", "utf-16"], "utf-8"), (["utf-32"], "utf-32"),
                                           (["utf-7"], "utf-16"), ([], "utf-16")])
def test_the_encoding_is_agreed_on(wanted, chosen):
    one = Editor(general={"positionEncodings": wanted})
    assert one.capabilities["capabilities"]["positionEncoding"] == chosen
    one.close()


def test_unknown_methods_and_wrong_order(editor):
    for method in ("textDocument/definition", "$/something", "workspace/symbol"):
        with pytest.raises(JsonRpcException) as told:
            editor.ask(method)
        assert told.value.code == -32601
    editor.tell("workspace/didChangeConfiguration", settings={})
    editor.tell("$/cancelRequest", id="never asked")
    with pytest.raises(JsonRpcException) as told:
        editor.ask("initialize")
    assert told.value.code == -32600
    assert rules(editor.open(BAD)) == ["create-index-blocks"]


def test_before_initialize_and_after_shutdown():
    one = Editor(initialize=False)
    with pytest.raises(JsonRpcException) as told:
        one.ask("textDocument/hover")
    assert told.value.code == -32002
    one.ask("initialize", capabilities={})
    assert one.ask("shutdown") is None
    with pytest.raises(JsonRpcException) as told:
        one.ask("textDocument/hover")
    assert told.value.code == -32600
    one.tell("exit")
    assert one.process.wait(timeout=30) == 0


def test_exit_without_shutdown_and_end_of_input_are_1():
    one = Editor()
    one.tell("exit")
    assert one.process.wait(timeout=30) == 1
    one = Editor()
    one.process.stdin.close()
    assert one.process.wait(timeout=30) == 1


def test_wrong_options_are_told_at_once():
    done = subprocess.run([BIN, "check", "--lsp", "--server-version", "9.1"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 2 and "9.1" in done.stderr


def test_cancellation_is_ignored(editor):
    editor.open(BAD)
    asked = editor.endpoint.request("textDocument/hover", {"textDocument": {"uri": "file:///db/m.sql"},
                                                           "position": position(0, 3)})
    editor.tell("$/cancelRequest", id=1)
    assert asked.result(timeout=30)["contents"]["kind"] == "markdown"


@pytest.mark.parametrize("junk", [b"nonsense\r\n\r\n", b"Content-Length: x\r\n\r\n", b"Content-Length: 3\r\n\r\n{,}",
                                  b"Content-Length: 2\r\n\r\n[]", b"Content-Length: -5\r\n\r\n",
                                  b"Content-Length: 13\r\n\r\n{\"method\": 5}", b"A: b\n\n", b"\r\n\r\n",
                                  b"Content-Length: 0\r\n\r\n", b"x" * 20000 + b"\r\n\r\n",
                                  b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x01"])
def test_bad_bytes_are_answered_and_passed_over(editor, junk):
    editor.raw(junk)
    assert rules(editor.open(BAD)) == ["create-index-blocks"]


def test_a_huge_message_is_skipped(editor):
    size = (64 << 20) + 1
    editor.raw(b"Content-Length: %d\r\n\r\n" % size)
    for _ in range(size >> 20):
        editor.raw(b" " * (1 << 20))
    editor.raw(b" ")
    assert rules(editor.open(BAD)) == ["create-index-blocks"]
    with open(f"/proc/{editor.process.pid}/status") as status:
        [peak] = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    assert peak < 100 << 10


def test_bytes_one_by_one(editor):
    body = json.dumps({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": {
        "uri": "file:///db/slow.sql", "languageId": "sql", "version": 7, "text": BAD}}}).encode()
    editor.versions["file:///db/slow.sql"] = 7
    for byte in b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: %d\r\n\r\n" % len(body) + body:
        editor.raw(bytes([byte]))
    assert rules(editor.published("file:///db/slow.sql")) == ["create-index-blocks"]


# ---- diagnostics -----------------------------------------------------------------------------------


def test_a_diagnostic_says_all(editor):
    [told] = editor.open("SELECT 1;\n" + BAD)
    assert told["code"] == "create-index-blocks" and told["severity"] == 1 and told["source"] == "stoa"
    assert told["codeDescription"]["href"].endswith("rules.md#create-index-blocks")
    assert told["range"] == {"start": position(1, 0), "end": position(1, 28)}
    assert "stops all writers of orders" in told["message"] and told["data"]["evidence"] == "rule"


@pytest.mark.parametrize("encoding,character", [("utf-16", 14), ("utf-8", 17), ("utf-32", 13)])
def test_columns_are_of_the_encoding(encoding, character):
    one = Editor(general={"positionEncodings": [encoding]})
    told = one.open("SELECT 'ä😀'; DROP TABLE t;\n")
    [drop] = [diagnostic for diagnostic in told if diagnostic["code"] == "drop-table"]
    assert drop["range"]["start"] == position(0, character)
    one.close()


def test_incremental_changes(editor):
    assert rules(editor.open("CREATE TABLE t (id bigint PRIMARY KEY);\r\n")) == []
    insert = {"range": {"start": position(1, 0), "end": position(1, 0)}, "text": "CREATE INDEX i ON ö (a);\r\n"}
    assert rules(editor.change(insert)) == ["create-index-blocks"]
    rename = {"range": {"start": position(1, 18), "end": position(1, 19)}, "text": "t"}
    assert rules(editor.change(rename)) == []
    both = [{"range": {"start": position(0, 0), "end": position(1, 0)}, "text": ""},
            {"range": {"start": position(0, 99), "end": position(99, 0)}, "text": " -- end"}]
    assert rules(editor.change(*both)) == ["create-index-blocks"]
    assert rules(editor.change({"text": "SELECT 1;"})) == []


def test_incremental_changes_are_those_of_a_plain_text(editor):
    """Random edits with characters of every width: what is checked in the end is what an editor has."""
    dice = random.Random(5)
    text = "SELECT 1;\n"
    editor.open(text)
    for _ in range(60):
        lines = text.split("\n")
        line = dice.randrange(len(lines))
        units = [0]
        for character in lines[line]:
            units.append(units[-1] + (2 if ord(character) > 0xFFFF else 1))
        first, last = sorted((dice.randrange(len(units)), dice.randrange(len(units))))
        word = dice.choice(["ä", "😀", "\n", "DROP TABLE t;", "--", " ", "'x'", ";", ""])
        editor.change({"range": {"start": position(line, units[first]), "end": position(line, units[last])}, "text": word},
                      wait=False)
        at = sum(len(one) + 1 for one in lines[:line])
        text = text[:at + first] + word + text[at + last:]
    told = editor.change({"range": {"start": position(0, 0), "end": position(0, 0)}, "text": ""})
    fresh = Editor("--rule", "lock-timeout-missing=off", "--rule", "statement-timeout-missing=off")
    assert fresh.open(text) == told
    fresh.close()


def test_typing_fast_ends_with_the_last_text(editor):
    editor.open("")
    for character in BAD:
        editor.change({"range": {"start": position(0, 10 ** 6), "end": position(0, 10 ** 6)}, "text": character},
                      wait=False)
    assert rules(editor.published("file:///db/m.sql")) == ["create-index-blocks"]


def test_other_files_of_the_folder_are_in_sight(tmp_path, editor):
    (tmp_path / "V1__a.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY, c varchar(10));\n")
    (tmp_path / "V9__z.sql").write_text("FROBNICATE;\n")
    uri = (tmp_path / "V2 b.sql").as_uri().replace("V2%20b", "V2__b%20c")
    told = editor.open("ALTER TABLE t ALTER COLUMN c TYPE varchar(20);\n", uri)
    assert "change-type-rewrite" not in rules(told) and "syntax-unknown" not in rules(told)
    (tmp_path / "V1__a.sql").write_text("CREATE TABLE t (id bigint PRIMARY KEY, c bigint);\n")
    editor.tell("textDocument/didSave", textDocument={"uri": uri})
    assert "change-type-rewrite" in rules(editor.published(uri))


def test_close_takes_the_findings_away(editor):
    editor.open(BAD)
    editor.tell("textDocument/didClose", textDocument={"uri": "file:///db/m.sql"})
    del editor.versions["file:///db/m.sql"]
    assert editor.published("file:///db/m.sql") == []
    assert editor.actions((0, 0), (0, 1)) == []
    assert editor.ask("textDocument/hover", textDocument={"uri": "file:///db/m.sql"}, position=position(0, 0)) is None


def test_a_large_file_is_checked_in_time(editor):
    text = "".join(f"ALTER TABLE t{i} ADD COLUMN c int;\n" for i in range(5000))
    began = time.monotonic()
    editor.open(text)
    for i in range(20):
        editor.change({"range": {"start": position(i, 0), "end": position(i, 0)}, "text": "-- x\n"}, wait=False)
    editor.published("file:///db/m.sql")
    assert time.monotonic() - began < 20


# ---- actions and hover -----------------------------------------------------------------------------


def test_a_fix_is_exact_and_preferred(editor):
    text = "-- keep\n  create   unique index i /* why */ on orders (a); -- tail\n"
    editor.open(text)
    fix, silence = editor.actions((1, 5), (1, 5))[:2]
    assert fix["isPreferred"] and fix["kind"] == "quickfix" and fix["diagnostics"][0]["code"] == "create-index-blocks"
    assert apply(text, fix) == text.replace("index i", "index CONCURRENTLY i")
    fixed = editor.change({"text": apply(text, fix)})
    assert "create-index-blocks" not in rules(fixed)


def test_silence_here(editor):
    text = "SELECT 1;\n\tALTER TABLE t DROP COLUMN c;\nDROP TABLE t; DROP TABLE ö;\n"
    editor.open(text)
    [one] = [action for action in editor.actions((1, 18), (1, 18)) if action["title"].startswith("Silence drop-column")]
    silenced = apply(text, one)
    assert silenced.split("\n")[1] == "\t-- stoa: ignore drop-column: say why"
    assert "drop-column" not in rules(editor.change({"text": silenced}))
    editor.change({"text": text})
    [one] = [action for action in editor.actions((2, 16), (2, 16)) if action["title"].startswith("Silence drop-table")]
    silenced = apply(text, one)
    assert silenced.split("\n")[2] == "DROP TABLE t; /* stoa: ignore drop-table: say why */ DROP TABLE ö;"
    assert rules(editor.change({"text": silenced})).count("drop-table") == 1


def test_the_safer_form(editor):
    text = "ALTER TABLE t ADD COLUMN a int, ADD COLUMN j json;\n"
    editor.open(text)
    [one] = [action for action in editor.actions((0, 40), (0, 40)) if "safer" in action["title"]]
    assert "as a comment" in one["title"]
    assert "-- ALTER TABLE t ADD COLUMN j jsonb;" in apply(text, one)
    text = "ALTER TABLE t ADD COLUMN j json;\n"
    editor.change({"text": text})
    [one] = [action for action in editor.actions((0, 20), (0, 20)) if "safer" in action["title"]]
    assert apply(text, one) == "ALTER TABLE t ADD COLUMN j jsonb;\n"


def test_only_what_is_asked_for(editor):
    editor.open(BAD)
    assert editor.actions((0, 0), (0, 5), only=["refactor"]) == []
    assert editor.actions((0, 0), (0, 5), only=["quickfix"]) != []
    assert editor.actions((5, 0), (5, 5)) == []


def test_hover_says_why(editor):
    editor.open("SELECT 1;\n" + BAD)
    told = editor.ask("textDocument/hover", textDocument={"uri": "file:///db/m.sql"}, position=position(1, 3))
    assert "SHARE conflicts with every INSERT" in told["contents"]["value"] and "```sql" in told["contents"]["value"]
    assert told["range"]["start"] == position(1, 0)
    assert editor.ask("textDocument/hover", textDocument={"uri": "file:///db/m.sql"}, position=position(0, 3)) is None


def test_mysql(editor):
    uri = "file:///db/my.sql"
    assert "lock-wait-timeout-missing" in rules(editor.open("ALTER TABLE `t` MODIFY COLUMN `c` int UNSIGNED;\n", uri))

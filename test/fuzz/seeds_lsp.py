#!/usr/bin/env python3
"""Seeds for fuzz_lsp: what editors send, framed and as lines."""
import json
import pathlib
import sys

out = pathlib.Path(sys.argv[2])
document = {"uri": "file:///a.sql", "version": 1}
place = {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 9}}
messages = [
    {"method": "initialized", "params": {}},
    {"method": "textDocument/didOpen", "params": {"textDocument": {**document, "text": "CREATE INDEX i ON ö (a);\nDROP TABLE t;"}}},
    {"method": "textDocument/didChange", "params": {"textDocument": document, "contentChanges": [{"range": place, "text": "ä😀"}]}},
    {"id": 2, "method": "textDocument/codeAction", "params": {"textDocument": document, "range": place, "context": {"only": ["quickfix"]}}},
    {"id": "x", "method": "textDocument/hover", "params": {"textDocument": document, "position": place["start"]}},
    {"method": "textDocument/didSave", "params": {"textDocument": document, "text": "DROP TABLE t;"}},
    {"method": "$/cancelRequest", "params": {"id": 2}},
    {"id": 3, "method": "textDocument/definition", "params": None},
    {"method": "textDocument/didClose", "params": {"textDocument": document}},
    {"id": 4, "method": "shutdown"},
    {"method": "exit"},
]
bodies = [json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() for message in messages]
framed = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
(out / "seed0").write_bytes(b"\x20" + framed)
(out / "seed1").write_bytes(b"\x80" + b"\n".join(bodies))
for number, body in enumerate(bodies):
    (out / f"seed{number + 2}").write_bytes(b"\x00Content-Length: %d\r\n\r\n%s" % (len(body), body))

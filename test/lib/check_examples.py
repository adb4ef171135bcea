"""The rules' examples of test/unit/check/rules.txt, each with the tables that it speaks of, under names of its own so
that many can stand in one database and be checked in one run."""
import json
import os
import re
import subprocess

from test.lib.servers import ROOT
from test.lib.stoa import BINARY

BIN = os.environ.get("STOA_BIN", str(BINARY))
RULES = ROOT / "test/unit/check/rules.txt"
TOKEN = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|[();]|[^();'$-]+|.", re.S)
# Names that examples, and what is set up for them, give to objects and columns.
NAMES = re.compile(r"\b(?:[a-z]|mood|positive|amount|pair|kind|my_function|do_something|somewhere|Orders)\b")

FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
# What is there where an example speaks of it, does not make it itself, and does not say otherwise behind "setup".
THERE = {
    "s": (r"\bs\.|SCHEMA s\b", "CREATE SCHEMA s;"),
    "mood": (r"\bmood\b", "CREATE TYPE mood AS ENUM ('a', 'c');"),
    "my_function": (r"\bmy_function\b", "CREATE FUNCTION my_function() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 7';"),
    "p": (r"(?:REFERENCES|PARTITION) p\b", "CREATE TABLE p (id bigint PRIMARY KEY, a int); INSERT INTO p SELECT x, x FROM "
                                           "generate_series(0, 999) x;"),
    "u": (r"(?:ALTER TABLE|FROM|UPDATE) u\b", "CREATE TABLE u (id bigint PRIMARY KEY, a int); INSERT INTO u VALUES (1, 1);"),
    "t": (r"\bt\b|INDEX(?: CONCURRENTLY)? i\b", None),
    "i": (r"(?:INDEX(?: CONCURRENTLY)?|USING|ON) i\b", "CREATE INDEX i ON t (a);"),
    "v": (r"VIEW(?: CONCURRENTLY)? v\b", "CREATE VIEW v AS SELECT 1;"),
    "f": (r"\bf\(\)", FUNCTION),
}
KINDS = {"s": "SCHEMA", "mood": "TYPE", "my_function": "FUNCTION", "i": "(?:UNIQUE )?INDEX(?: CONCURRENTLY)?", "v": "VIEW",
         "f": "FUNCTION"}


def makes(text, name):
    kind = KINDS.get(name, "(?:TEMP |UNLOGGED )?TABLE(?: IF NOT EXISTS)?")
    made = re.search(rf"CREATE (?:MATERIALIZED )?{kind} (?:s\.)?{name}\b", text)
    return made is not None and not re.search(rf"DROP TABLE IF EXISTS {name}\b", text[:made.start()])


class Example:
    def __init__(self, rule, kind, number, version, applied, setup, text):
        self.rule, self.kind, self.number, self.version, self.text = rule, kind, number, version, text
        self.name = f"{rule} {kind}" + (f" {number}" if number > 1 else "")
        setup = applied + self.left(setup)
        self.schema = "\n".join(self.there(setup, False) + [setup] * (setup != "") + self.there(setup, True))

    def left(self, setup):
        """Without what the example makes itself."""
        out, without = [], set()
        for _, sql in cut(setup):
            made = re.match(r"CREATE (?:UNIQUE )?(?:MATERIALIZED )?(\w+)(?: CONCURRENTLY)? (\w+)|ALTER TABLE \w+ (ADD CONSTRAINT \w+)|"
                            r"INSERT INTO (\w+)", sql)
            kind, name, constraint, filled = made.groups() if made else (None,) * 4
            if filled in without and filled or constraint and constraint in self.text:
                continue
            if kind and re.search(rf"CREATE (?:UNIQUE )?{kind}(?: CONCURRENTLY)? {name}\b", self.text):
                without.add(name)
                continue
            out.append(sql + ";")
        return "\n".join(out)

    def there(self, setup, last):
        """Of what it speaks of, what neither it nor its setup makes. `last`: what stands on tables."""
        whole = self.text + "\n" + setup
        return [make or self.table() for name, (speaks, make) in THERE.items() if (name in "iv") == last and
                re.search(speaks, whole) and not makes(setup, name) and not makes(self.text, name)]

    def table(self):
        """t as most examples mean it: with the columns that they do not add themselves."""
        columns = [one for one in "abcd" if not re.search(rf"ADD (?:COLUMN )?(?:IF NOT EXISTS )?{one} ", self.text)]
        names = ", ".join(["id", *columns])
        return (f"CREATE TABLE t (id bigint PRIMARY KEY, {', '.join(one + ' int' for one in columns)}); INSERT INTO t ({names}) "
                f"SELECT {', '.join('x' for _ in range(len(columns) + 1))} FROM generate_series(1, 900) x;")

    def renamed(self, number):
        return Renamed(self, number)


class Renamed:
    """An example whose names nobody else has."""

    def __init__(self, example, number, names=NAMES):
        def own(text):
            return names.sub(lambda match: f"{match.group(0)}_{number:03}", text)
        self.example, self.name, self.file = example, example.name, f"x{number:03}.sql"
        self.schema, self.text = own(example.schema), own(example.text)
        self.parts = cut(self.text)

    def part_at(self, finding):
        """Which of its statements a finding is about."""
        lines = self.text.split("\n")
        offset = sum(len(line) + 1 for line in lines[:finding["line"] - 1]) + finding["column"] - 1
        return max([n for n, (start, _) in enumerate(self.parts) if start <= offset], default=0)


def cut(text):
    """[(where it begins, statement)], cut at semicolons outside of quotes and parentheses."""
    found, start, depth = [], 0, 0
    for match in [*TOKEN.finditer(text), None]:
        word = match.group(0) if match else ";"
        depth += (word == "(") - (word == ")")
        if word != ";" or depth > 0 and match:
            continue
        end = match.start() if match else len(text)
        bare = re.sub(r"\A(?:\s|--[^\n]*(?:\n|\Z))*", "", text[start:end])
        if bare.strip():
            found.append((end - len(bare), bare.strip()))
        start = end + 1
    return found


def examples(*engines):
    found, seen = [], {}
    for block in RULES.read_text().split("\n= ")[1:]:
        rule, engine, version = block.split("\n")[0].split()[:3]
        if engine not in engines:
            continue
        setup, bad, good = re.search(r"\A[^\n]*\n(?:setup\n(.*?)\n)?bad\n(.*?)\ngood\n(.*)", block, re.S).groups()
        seen[rule] = seen.get(rule, 0) + 1
        for kind, text in (("bad", bad), ("good", good)):
            before, _, after = text.rpartition("-- applied\n")
            found.append(Example(rule, kind, seen[rule], version, before, setup or "", after.strip()))
    return found


def check(folder, items, *args, known=True):
    """{file: its findings} of one run over all of them. `known`: what is set up is in sight, as a file that has been
    applied."""
    folder.mkdir(exist_ok=True)
    paths = []
    for item in items:
        (folder / item.file).write_text(item.text)
        paths.append(folder / item.file)
    if known:
        (folder / "a.sql").write_text("\n".join(item.schema for item in items))
        paths, args = [folder / "a.sql", *paths], [*args, "--applied", "a.sql"]
    done = subprocess.run([BIN, "check", *paths, *args, "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 4), (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    by_file = {item.file: [] for item in items}
    for finding in told["findings"]:
        by_file.setdefault(os.path.basename(finding["file"]), []).append(finding)
    return by_file

"""What check said against what a server did, statement by statement.

unsafe    the server read, rewrote or indexed a table under a lock that stops its writers, and check did not say so
silent    the server took such a lock, no lock_timeout was set, and check did not say that it is missing
untold    the server refused the statement, and check, asked about it alone, did not say so
alarm     check said that a table is read, rewritten, indexed or refused, and the server did not do that
refused   the server did not take every statement of the example

None may be unsafe. Others that are known stand in test/data/check_alarms.json: versions, SQLSTATE or where (database, schemas: with --url; file,
nothing: without, the tables in sight or not), the reason, and which. What is not known fails, and so does
what is known and has not come."""
import json
import os
import re

from test.lib.check_examples import cut
from test.lib.servers import ROOT

ALARMS = ROOT / "test/data/check_alarms.json"
HEAVY = {"scan", "build", "rewrite"}
KINDS = ("refused", "untold", "alarm", "silent")
TELLS_REFUSED = {"measured-refused", "measured-duplicates", "syntax-unknown", "syntax-too-new"}
WEAK = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
ONLINE = {"database", "schemas", "alone"}
# Blocks that are not about locks: applications or rows depend on what goes.
LOSES = {"drop-column", "rename-column", "rename-table", "set-schema", "drop-table", "rename-schema", "rename-enum-value", "drop-cascade",
         "drop-view", "drop-schema", "drop-database", "drop-and-create-table", "add-column-not-null", "trigger-state",
         "foreign-key-set-null", "commit-in-tool-transaction", "transaction-unclosed", "rows-in-ddl-transaction",
         "statement-after-strong-lock"}


def within(versions, version):
    """"10-14,17" holds 12."""
    spans = [part.split("-") for part in versions.split(",")]
    return any(int(span[0]) <= version <= int(span[-1]) for span in spans)


class Judge:
    def __init__(self, engine, version, what):
        self.engine, self.version, self.what = engine, version, what
        known = json.loads(ALARMS.read_text()).get(f"{engine}-{what}", {})
        self.known = {kind: {name: how for versions, how, _, names in known.get(kind, []) if within(versions, version)
                             for name in names} for kind in KINDS}
        self.found = {kind: {} for kind in KINDS}
        self.unsafe, self.measured, self.ran, self.places = [], [], set(), set()

    def refused(self, item, state, message):
        self.found["refused"][item.name] = f"{state} {message}"

    # ---- one file -----------------------------------------------------------------------------------

    def take(self, item, where, done, findings):
        self.places.add(where)
        by_part = [[] for _ in done]
        for finding in findings:
            by_part[item.part_at(finding)].append(finding)
        if where == "database" and getattr(item.example, "kind", None) == "bad":
            self.record(item, done)
        told_lock = False
        for part, said in zip(done, by_part):
            told_lock = told_lock or any(one["rule"] == "lock-timeout-missing" for one in said)
            if part.error is not None:
                self.take_refusal(item, where, part, said)
                self.refused(item, part.error, part.message)
            if part.error is not None or not part.reached:
                break
            self.judge(item, where, part, said, told_lock)
        else:
            self.ran.add(item.name)

    def record(self, item, done):
        """What the server did with the statements of a bad example, as docs/rules.md shows it."""
        example = item.example
        for (_, sql), part in zip(cut(example.text), done):
            row = {"rule": example.rule, "number": example.number, "statement": " ".join(sql.split())}
            if part.error is not None:
                refused = re.sub(r"_\d{3}\b", "", part.message)
                self.measured.append({**row, "refused": refused})
                return
            if part.locks and (part.strongest not in WEAK or part.rewritten or part.built):
                self.measured.append({**row, "lock": part.strongest_name, "rewrites": bool(part.rewritten),
                                      "reads": bool(part.scanned), "builds": bool(part.built)})

    @staticmethod
    def row(item, where, part, said):
        return item.name, where, part.sql, [(one["rule"], one["severity"], one["evidence"], one.get("cost")) for one in said]

    def take_refusal(self, item, where, part, said):
        """Many files in one run hide refusals from each other, so those are told where the example stands alone."""
        told = any(one["severity"] == "block" or one["rule"] in TELLS_REFUSED or one["evidence"] == "unknown" for one in said)
        if where == "alone" and not told:
            self.found["untold"][item.name] = f"{part.error} {part.message}"

    def judge(self, item, where, part, said, told_lock):
        row = self.row(item, where, part, said)
        unknown = any(one["evidence"] == "unknown" for one in said)
        blocks = [one for one in said if one["severity"] == "block"]
        weighs = any(one["evidence"] != "unknown" and one["rule"] not in LOSES for one in blocks)
        told = weighs or unknown or blocks and where not in ONLINE
        if where in ONLINE:
            weighs = weighs or any(one.get("cost") in HEAVY for one in said)
            told = told or weighs or any(one.get("cost") == "rows" for one in said)
        if part.heavy and not told and not any(one["rule"] == "validate-same-transaction" for one in said):
            self.unsafe.append((*row, f"heavy: {sorted(part.heavy)}"))
        if part.strong and not part.freed and not told_lock and not unknown:
            self.note("silent", item, where, (*row, str(part.locks)))
        if weighs and not part.heavy:
            self.note("alarm", item, where, row)
        if any(one["rule"] in ("measured-refused", "measured-duplicates") for one in blocks):
            self.note("alarm", item, where, (*row, "not refused"))

    def note(self, kind, item, where, row):
        self.found[kind].setdefault(item.name, {})[where] = row

    # ---- the end ------------------------------------------------------------------------------------

    def end(self, names):
        """`names`: of all that was looked at here."""
        missing = []
        for kind, found in self.found.items():
            for name, what in found.items():
                known = self.known[kind].get(name, "")
                if kind in ("refused", "untold"):
                    same = what.startswith(known) and known
                else:
                    same = set(what) - {"alone"} == set(known.split(",")) & self.places
                if not same:
                    missing.append((kind, name, what, "known is", self.known[kind].get(name)))
            missing += [("no longer " + kind, name) for name in self.known[kind] if name in names and name not in found]
        self.write(len(names))
        print(*self.unsafe, "--", *missing, sep="\n")
        assert self.unsafe == [], "check did not say what the server did"
        assert missing == [], "not as test/data/check_alarms.json has it"

    def write(self, count):
        if not os.environ.get("STOA_CHECK_OUT"):
            return
        line = {"engine": self.engine, "version": self.version, "what": self.what, "count": count, "ran": len(self.ran),
                "refused": len(self.found["refused"]), "false_safe": len(self.unsafe), "alarms": len(self.found["alarm"]),
                "silent": len(self.found["silent"]), "untold": len(self.found["untold"]), "found": self.found, "measured": self.measured}
        with open(os.environ["STOA_CHECK_OUT"], "a") as out:
            out.write(json.dumps(line) + "\n")

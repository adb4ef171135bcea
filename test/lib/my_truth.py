"""What MySQL and MariaDB do with statements on tables that have rows: whether a table was written anew, an index
built, and whether writers could go on meanwhile; and what stoa check said against it."""
import re
from dataclasses import dataclass

import pymysql

# As the ladder's, but asked of the table itself. MySQL refuses INSTANT with a LOCK of its own.
WAYS = [("instant", "ALGORITHM=INSTANT"), ("nocopy", "ALGORITHM=NOCOPY, LOCK=NONE"), ("inplace", "ALGORITHM=INPLACE, LOCK=NONE"),
        ("online copy", "ALGORITHM=COPY, LOCK=NONE"), ("writers wait", "ALGORITHM=INPLACE, LOCK=SHARED"),
        ("writers wait", "ALGORITHM=COPY, LOCK=SHARED"), ("nobody reads", "ALGORITHM=INPLACE, LOCK=EXCLUSIVE"),
        ("nobody reads", "ALGORITHM=COPY, LOCK=EXCLUSIVE")]
STOPPED = {"writers wait", "nobody reads", "as written"}
CHANGE = re.compile(r"(ALTER\s+(ONLINE\s+|IGNORE\s+)?TABLE|CREATE\s+(\w+\s+)?INDEX|DROP\s+INDEX)\b", re.I)
WRITES_ALL = re.compile(r"OPTIMIZE\s+TABLE\b", re.I)
CLAUSE = re.compile(r"[,\s]\s*(ALGORITHM|LOCK)\s*=?\s*(\w+)", re.I)
SIZED = {"scan", "build", "rewrite", "copy", "rebuild"}
TELLS_REFUSAL = {"measured-refused", "measured-duplicates", "syntax-unknown", "syntax-too-new", "identifier-too-long"}


@dataclass
class Did:
    """`way` is a name of WAYS; None for what is no change of a table. Of tables that others may use: `rebuilds`,
    `builds`, and `stops`: that, while writers wait."""
    sql: str
    way: str = None
    rebuilds: bool = False
    builds: bool = False
    stops: bool = False
    error: tuple = None
    own: bool = False  # the example's own table


def cut(text):
    """Statements at semicolons outside of quotes, as the client cuts them; comments before one belong to it."""
    parts = re.findall(r"(?:'(?:[^'\\]|\\.|'')*'|'.*|`[^`]*`|--[^\n]*|/\*.*?\*/|[^;'`/-]|[-/])+", text, re.S)
    return [part.strip() for part in parts if re.sub(r"--[^\n]*|/\*.*?\*/", "", part, flags=re.S).strip()]


class Truth:
    """One database of one server, statement by statement in one session."""

    def __init__(self, my, cursor, database="shop"):
        self.my, self.cursor, self.database = my, cursor, database
        self.made = set()

    def _rows(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def storage(self):
        """{table: {TABLE_ID}}, {(TABLE_ID, INDEX_ID)}; tables of FULLTEXT indexes left out."""
        sys = "sys_" if self.my.is_mariadb or self.my.version < (8,) else ""
        where = f"t.name LIKE '{self.database}/%' AND LOWER(t.name) NOT LIKE '%/fts\\_0%'"
        tables = {}
        for id_, name in self._rows(f"SELECT table_id, name FROM information_schema.innodb_{sys}tables t WHERE {where}"):
            tables.setdefault(re.split("#[pP]#", name.split("/")[1])[0], set()).add(id_)
        indexes = self._rows(f"SELECT i.table_id, i.index_id FROM information_schema.innodb_{sys}indexes i JOIN "
                             f"information_schema.innodb_{sys}tables t ON t.table_id = i.table_id WHERE {where}")
        return tables, set(indexes)

    def names(self):
        return {row[0] for row in self._rows(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{self.database}'")}

    def _attempt(self, sql):
        try:
            self.cursor.execute(sql)
            while self.cursor.nextset():
                pass
            return None
        except (pymysql.err.Error, RuntimeError) as problem:
            return problem.args

    def _ways(self, sql):
        """(name, statement) from the cheapest on. What the user wrote of ALGORITHM and LOCK stays."""
        said = {word.upper(): value.upper() for word, value in CLAUSE.findall(sql)}
        joint = ", " if re.match(r"\s*ALTER", sql, re.I) else " "
        for name, clause in WAYS:
            words = dict(part.split("=") for part in clause.split(", "))
            if (clause.startswith("ALGORITHM=NOCOPY") and not self.my.is_mariadb) or \
                    (name == "online copy" and not (self.my.is_mariadb and self.my.version >= (11, 2))) or \
                    (name == "instant" and self.my.version < (8,)):
                continue
            if any(said.get(word, "DEFAULT") not in ("DEFAULT", value) for word, value in words.items()):
                continue
            yield name, sql + joint + joint.join(f"{word}={value}" for word, value in words.items())

    def _change(self, sql):
        for name, words in self._ways(sql):
            if self._attempt(words) is None:
                return name, None
        error = self._attempt(sql)
        return ("as written", None) if error is None else (None, error)

    def run(self, sql):
        sql = re.sub(r"^(\s*--[^\n]*\n)+", "", sql)
        if not CHANGE.match(sql) and not WRITES_ALL.match(sql):
            names = self.names()
            error = self._attempt(sql)
            if re.match(r"CREATE\b", sql, re.I):
                self.made |= self.names() - names
            return Did(sql, error=error)
        before, indexes = self.storage()
        way, error = self._change(sql) if CHANGE.match(sql) else ("inplace", self._attempt(sql))
        if error:
            return Did(sql, error=error)
        after, indexes_after = self.storage()
        names = self.names()
        changed = [table for table, ids in before.items() if table in names and
                   ids - after.get(table, set()) and (after.get(table, set()) - ids or table not in after)]
        built = [table for table, ids in before.items()
                 if any(id_ in ids for id_, _ in indexes_after - indexes) and table not in changed]
        did = Did(sql, way, bool(set(changed) - self.made), bool(set(built) - self.made),
                  own=bool(set(changed + built) & self.made))
        if way == "instant" and did.rebuilds:  # it is accepted, and not true (MariaDB, another engine)
            did.way = "as written"
        did.stops = did.way in STOPPED and (did.rebuilds or did.builds)
        return did


def by_statement(parts, told):
    """The findings of each of these statements, which stand one behind the other, each from a line of its own on."""
    lines, at = [], 1
    for part in parts:
        lines.append((at, at + part.count("\n")))
        at += part.count("\n") + 1
    return [[one for one in told["findings"] if low <= one["line"] <= high] for low, high in lines]


def said_of(findings):
    return {one["cost"] for one in findings if one.get("cost") and one["severity"] != "off"}


def judged(did, findings, rule=None):
    """("unsafe", why), ("alarm", why) or None."""
    said = said_of(findings) & SIZED
    if did.error:
        told = {one["rule"] for one in findings} & (TELLS_REFUSAL | {rule})
        told = told or any(one["evidence"] == "unknown" for one in findings)
        return None if told else ("unsafe", f"the server refuses it: {did.error}")
    if did.stops and "copy" not in said:
        return "unsafe", f"writers wait: {did.way}"
    if did.rebuilds and not said & {"copy", "rebuild"}:
        return "unsafe", f"it is written anew: {did.way}"
    if did.builds and not said:
        return "unsafe", f"an index is built: {did.way}"
    if "copy" in said and not did.stops:
        return "alarm", f"writers go on: {did.way}"
    if said and not (did.rebuilds or did.builds):
        return "alarm", f"nothing is written: {did.way}"
    return None

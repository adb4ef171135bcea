"""Twelve tables and six changes for script/bench rehearse, in the words of PostgreSQL and of MariaDB.

Every table is called "subject" and has what the changes need beside its own: quantity, label (nullable, without a
NULL) and code (unique, without an index). Rows come from numbers 1 to N, called i.
"""
import dataclasses

TABLE = "subject"


class Postgres:
    """What the two say in different words."""
    name = "postgres"
    chance, bigint, text, time, double = "random()", "bigint", "text", "timestamptz", "double precision"
    series = "generate_series(1, {rows}) AS i"

    def whole(self, expr):
        return f"floor({expr})::bigint"

    def word(self, expr, length):
        return f"left(repeat(md5(({expr})::text), {length // 32 + 1}), {length})"

    def moment(self, seconds):
        return f"timestamptz '2024-01-01' + ({seconds}) * interval '1 second'"

    def one_of(self, *words):
        listed = ", ".join(f"'{word}'" for word in words)
        return f"(ARRAY[{listed}])[1 + floor({self.chance} * {len(words)})::integer]"

    def some(self, expr, share):
        return f"CASE WHEN {self.chance} < {share} THEN {expr} END"


class MariaDb:
    name = "mariadb"
    chance, bigint, text, time, double = "RAND()", "bigint", "text", "datetime", "double"
    series = "(SELECT seq AS i FROM seq_1_to_{rows}) AS numbers"

    def whole(self, expr):
        return f"FLOOR({expr})"

    def word(self, expr, length):
        return f"LEFT(REPEAT(MD5({expr}), {length // 32 + 1}), {length})"

    def moment(self, seconds):
        return f"'2024-01-01' + INTERVAL FLOOR({seconds}) SECOND"

    def one_of(self, *words):
        listed = ", ".join(f"'{word}'" for word in words)
        return f"ELT(1 + FLOOR(RAND() * {len(words)}), {listed})"

    def some(self, expr, share):
        return f"IF(RAND() < {share}, {expr}, NULL)"


SPEECH = {"postgres": Postgres(), "mariadb": MariaDb()}


@dataclasses.dataclass
class Shape:
    """Columns as (name, type, value), the key, further indexes by their columns."""
    columns: list
    key: tuple = ("id",)
    indexes: tuple = ()
    parent: bool = False  # refers to a table of a fiftieth as many rows
    holes: int = 0        # every so many-th row is deleted again

    def statements(self, speech, rows):
        """What makes the table, in order."""
        tail = [f"PRIMARY KEY ({', '.join(self.key)})"]
        made = []
        if self.parent:
            made += [f"CREATE TABLE parents (id bigint PRIMARY KEY, name varchar(60) NOT NULL)",
                     f"INSERT INTO parents SELECT i, {speech.word('i', 20)} FROM "
                     + speech.series.format(rows=max(1, rows // 50))]
            tail.append("FOREIGN KEY (parent) REFERENCES parents (id)")
        defined = ", ".join([f"{name} {kind}" for name, kind, _ in self.columns] + tail)
        made.append(f"CREATE TABLE {TABLE} ({defined})")
        if speech.name == "mariadb":
            made += self._indexes()  # as it grows in life: row by row
        made.append(f"INSERT INTO {TABLE} ({', '.join(name for name, _, _ in self.columns)}) SELECT "
                    + ", ".join(value for _, _, value in self.columns)
                    + f" FROM {speech.series.format(rows=rows)}")
        if speech.name == "postgres":
            made += self._indexes()
        if self.holes:
            made.append(f"DELETE FROM {TABLE} WHERE quantity % {self.holes} = 0")
        return made

    def _indexes(self):
        return [f"CREATE INDEX {TABLE}_{number} ON {TABLE} ({columns})" for number, columns in enumerate(self.indexes)]


def shapes(speech, rows):
    """All of them, by name."""
    s = speech
    own = [("quantity", "integer NOT NULL", s.whole(f"{s.chance} * 1000")),
           ("label", "varchar(40)", s.word("i % 5000", 12)),
           ("code", "varchar(40) NOT NULL", s.word("i", 24))]
    key = [("id", f"{s.bigint} NOT NULL", "i")]
    at = ("at", f"{s.time} NOT NULL", s.moment("i * 31"))
    customer = ("customer", "bigint NOT NULL", s.whole(f"POWER({s.chance}, 3) * {rows // 20} + 1"))
    return {
        "narrow": Shape(key + own),
        "wide": Shape(key + own + [("note", f"{s.text} NOT NULL", s.word("i", 320))]),
        "indexed": Shape(key + own + [customer, at], indexes=("customer", "at", "label", "quantity, label")),
        "random-key": Shape([("id", "char(32) NOT NULL", s.word("i", 32))] + own + [at], indexes=("at",)),
        "composite-key": Shape([("tenant", "integer NOT NULL", "i % 50"), ("id", "integer NOT NULL", "i")] + own + [at],
                               key=("tenant", "id"), indexes=("at",)),
        "skewed": Shape(key + own + [customer, ("status", "varchar(10) NOT NULL",
                                                s.one_of("new", "paid", "sent", "sent", "sent", "lost"))],
                        indexes=("customer", "status")),
        "sparse": Shape(key + own + [(f"extra{n}", "varchar(60)", s.some(s.word(f"i + {n}", 30), 0.2)) for n in range(6)],
                        indexes=("extra0",)),
        "numbers": Shape(key + own + [(f"n{n}", f"{s.double} NOT NULL", f"{s.chance} * {10 ** n}") for n in range(4)]
                         + [("price", "decimal(12,2) NOT NULL", f"{s.chance} * 900")], indexes=("price",)),
        "log": Shape(key + own + [at, ("line", "varchar(200) NOT NULL", s.word("i", 90))], indexes=("at", "at, quantity")),
        "many-columns": Shape(key + own + [(f"c{n}", "integer NOT NULL", s.whole(f"{s.chance} * {100 + 700 * n}"))
                                           for n in range(18)], indexes=("c3", "c7")),
        "child": Shape(key + own + [("parent", "bigint NOT NULL", f"1 + i % {max(1, rows // 50)}")], indexes=("parent",),
                       parent=True),
        "holed": Shape(key + own + [customer, at], indexes=("customer",), holes=3),
    }


SHAPES = list(shapes(SPEECH["postgres"], 1000))


@dataclasses.dataclass
class Change:
    sql: dict        # by engine
    options: tuple = ()
    plain: dict = dataclasses.field(default_factory=dict)  # where the usual way is written otherwise


def both(sql):
    return {"postgres": sql, "mariadb": sql}


CHANGES = {
    "widen": Change({"postgres": f"ALTER TABLE {TABLE} ALTER COLUMN quantity TYPE bigint",
                     "mariadb": f"ALTER TABLE {TABLE} MODIFY quantity bigint NOT NULL"}, ("--accept-column-order",)),
    "index": Change(both(f"CREATE INDEX {TABLE}_new ON {TABLE} (quantity, code)")),
    "unique": Change(both(f"CREATE UNIQUE INDEX {TABLE}_code ON {TABLE} (code)")),
    "filled": Change(both(f"ALTER TABLE {TABLE} ADD COLUMN total bigint NOT NULL"),
                     ("--backfill", f"{TABLE}.total = quantity * 2"),
                     {"postgres": f"BEGIN; ALTER TABLE {TABLE} ADD COLUMN total bigint; UPDATE {TABLE} SET total = "
                                  f"quantity * 2; ALTER TABLE {TABLE} ALTER COLUMN total SET NOT NULL; COMMIT",
                      "mariadb": f"ALTER TABLE {TABLE} ADD COLUMN total bigint NOT NULL; UPDATE {TABLE} SET total = "
                                 "quantity * 2"}),
    "check": Change(both(f"ALTER TABLE {TABLE} ADD CONSTRAINT positive CHECK (quantity >= 0)")),
    "not-null": Change({"postgres": f"ALTER TABLE {TABLE} ALTER COLUMN label SET NOT NULL",
                        "mariadb": f"ALTER TABLE {TABLE} MODIFY label varchar(40) NOT NULL"}),
}

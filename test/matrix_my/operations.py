"""Every action and every type of the matrix on MariaDB and MySQL, as rows of data.

`expect` is what the plan must be: "instant", "in-place", "shadow", "nothing", or "refused: words"; a text for all
servers, or a dict by the beginning of the server's name, of which the longest one that fits counts."""
from test.matrix_my import shapes
from test.matrix_my.shapes import ALL, MARIADB, MODERN, MYSQL, Column

ROWS = 5000
WIDEN = "ALTER TABLE t MODIFY v BIGINT NOT NULL"
WIDEN_CUSTOMER = "ALTER TABLE t MODIFY customer_id BIGINT NOT NULL DEFAULT 0"


class Op:
    """`unwritten`: columns that the application leaves out; `but`: columns that are not compared, since the server
    gives each table other values; `becomes`: the table's name afterwards ("" none); `since` what the server must be;
    `args` for plan and apply; `writers` False where the application cannot go on with the change (a rename); `twin`:
    what the twin gets behind the plain statement, which knows no backfill."""

    def __init__(self, id_, change, expect, shape=None, servers=ALL, args=(), unwritten=(), but=(), becomes="t",
                 writers=True, prepare=(), crash=False, twin=()):
        self.id, self.change, self.expect, self._shape, self.servers = id_, change, expect, shape, servers
        self.args, self.unwritten, self.but, self.becomes = list(args), unwritten, but, becomes
        self.writers, self.prepare, self.crash, self.twin = writers, list(prepare), crash, list(twin)

    def shape(self, server):
        shape = self._shape or shapes.orders()
        return shape(server) if callable(shape) else shape

    def expected(self, server):
        if isinstance(self.expect, str):
            return self.expect
        return self.expect[max((start for start in self.expect if server.startswith(start)), key=len)]

    def __repr__(self):
        return self.id


INSTANT_OR_COPY = {"": "instant", "mysql-5.6": "in-place"}  # 5,000 rows are rebuilt in no time
SHADOW = "shadow"
AS_SHADOW = ["--strategy", "shadow"]
NO_CONFLICTS = {"insert": 30, "update": 40, "hot": 10, "delete": 20}  # what REPLACE meets is another row behind the change


def full(**rest):
    """The orders table with a FULLTEXT index."""
    return shapes.orders(tail="FULLTEXT KEY words (note)", **rest)


COLUMNS = [
    # 92–98: new columns
    Op("add column", "ALTER TABLE t ADD COLUMN c BIGINT NULL", INSTANT_OR_COPY),
    Op("add column, default", "ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 5", INSTANT_OR_COPY, crash=True),
    Op("add column not null, no default", "ALTER TABLE t ADD COLUMN c INT NOT NULL", INSTANT_OR_COPY, writers=False),
    Op("add column, time of now", "ALTER TABLE t ADD COLUMN c DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP", INSTANT_OR_COPY, but=["c"]),
    Op("add column first", "ALTER TABLE t ADD COLUMN c INT NULL FIRST", INSTANT_OR_COPY),
    Op("add column after", "ALTER TABLE t ADD COLUMN c INT NULL AFTER code", INSTANT_OR_COPY),
    Op("add two columns", "ALTER TABLE t ADD COLUMN c INT NULL, ADD COLUMN d VARCHAR(10) NOT NULL DEFAULT 'd'", INSTANT_OR_COPY),
    Op("add column, compressed table", "ALTER TABLE t ADD COLUMN c INT NULL", "in-place",
       shapes.orders(options="ENGINE=InnoDB ROW_FORMAT=COMPRESSED"), servers=MODERN),
    Op("add column, compressed table, in a copy", "ALTER TABLE t ADD COLUMN c INT NULL", SHADOW,
       shapes.orders(options="ENGINE=InnoDB ROW_FORMAT=COMPRESSED"), servers=MODERN, args=AS_SHADOW),
    Op("add column, full-text index", "ALTER TABLE t ADD COLUMN c INT NULL", SHADOW, full()),
    Op("add column first, virtual column", "ALTER TABLE t ADD COLUMN c INT NULL FIRST", {"mariadb": SHADOW, "mysql-9.7": "instant"},
       shapes.orders(Column("twice", "BIGINT GENERATED ALWAYS AS (customer_id + 1) VIRTUAL")), servers=MODERN),
    Op("add column, volatile default", "ALTER TABLE t ADD COLUMN c VARCHAR(40) NOT NULL DEFAULT (UUID())", {"mariadb": SHADOW, "mysql-9.7": "refused: "}, servers=MODERN, but=["c"]),
    Op("add column, auto increment", "ALTER TABLE t ADD COLUMN c BIGINT NOT NULL AUTO_INCREMENT UNIQUE", "refused: AUTO_INCREMENT",
       shapes.keyed(Column("k", "INT NOT NULL", lambda new: str(new), key=True))),
    Op("add column, stored", "ALTER TABLE t ADD COLUMN c DECIMAL(14,2) GENERATED ALWAYS AS (amount + 1) STORED", SHADOW, servers=("mysql-9.7",)),
    Op("add column, persistent", "ALTER TABLE t ADD COLUMN c DECIMAL(14,2) GENERATED ALWAYS AS (amount + 1) PERSISTENT", SHADOW, servers=MARIADB),
    Op("add column, virtual", "ALTER TABLE t ADD COLUMN c DECIMAL(14,2) GENERATED ALWAYS AS (amount + 1) VIRTUAL", "instant", servers=MODERN),
    Op("add column, check", "ALTER TABLE t ADD COLUMN c INT NULL CHECK (c > 0)", {"mariadb": "instant", "mysql-9.7": SHADOW}, servers=MODERN),
    Op("add column, references", "ALTER TABLE t ADD COLUMN c INT NULL REFERENCES customers (id)", {"": "refused: ", "mysql-5.6": "in-place"},
       shapes.orders(before=["CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB"])),
    Op("add column that is there", "ALTER TABLE t ADD COLUMN IF NOT EXISTS note VARCHAR(20)", "nothing", servers=MARIADB),
    # 93, 102–104, 118, 119: columns that are there
    Op("drop column", "ALTER TABLE t DROP COLUMN note", INSTANT_OR_COPY, unwritten=["note"]),
    Op("drop column of an index", "ALTER TABLE t DROP COLUMN customer_id", {"mariadb": "instant", "mysql": "in-place"}, unwritten=["customer_id"]),
    Op("drop column of an index, in a copy", "ALTER TABLE t DROP COLUMN customer_id", "refused: takes something away", args=AS_SHADOW),
    Op("drop and add of one name", "ALTER TABLE t DROP COLUMN note, ADD COLUMN note VARCHAR(20) NULL", "refused: makes it anew"),
    Op("rename column", "ALTER TABLE t RENAME COLUMN note TO remark", "instant", servers=MODERN, unwritten=["note"]),
    Op("rename column by change", "ALTER TABLE t CHANGE note remark VARCHAR(20) NULL DEFAULT 'none' COMMENT 'by hand'", {"": "instant"}, unwritten=["note"]),
    Op("rename column and widen another", "ALTER TABLE t CHANGE note remark VARCHAR(20) NULL DEFAULT 'none' COMMENT 'by hand', "
       "MODIFY customer_id BIGINT NOT NULL DEFAULT 0", SHADOW, unwritten=["note"]),
    Op("exchange two names", "ALTER TABLE t CHANGE a b INT NOT NULL DEFAULT 0, CHANGE b a BIGINT NOT NULL DEFAULT 0", SHADOW,
       shapes.Shape(shapes.auto_key(), shapes.number("a", rest="NOT NULL DEFAULT 0"), shapes.number("b", rest="NOT NULL DEFAULT 0"),
                    shapes.number("v")), unwritten=["a", "b"]),
    Op("reorder columns", "ALTER TABLE t MODIFY note VARCHAR(20) NULL DEFAULT 'none' COMMENT 'by hand' FIRST",
       {"mariadb": "instant", "mysql": "in-place"}),
    Op("set default", "ALTER TABLE t ALTER amount SET DEFAULT 3", "instant"),
    Op("drop default", "ALTER TABLE t ALTER note DROP DEFAULT", "instant"),
    Op("modify with fewer attributes", "ALTER TABLE t MODIFY note VARCHAR(20)", "refused: --accept-lost-attributes"),
    Op("modify with fewer attributes, accepted", "ALTER TABLE t MODIFY note VARCHAR(20)", "instant", args=["--accept-lost-attributes"]),
    Op("not null", "ALTER TABLE t MODIFY w VARCHAR(30) NOT NULL", "in-place",
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) NULL", ["'x'", "'Ä'"]), shapes.number())),
    Op("not null, in a copy", "ALTER TABLE t MODIFY w VARCHAR(30) NOT NULL", SHADOW,
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) NULL", ["'x'", "'Ä'"]), shapes.number()), args=AS_SHADOW),
    Op("not null, with nulls", "ALTER TABLE t MODIFY flags SET('a','b','c','d','e','f','g','h') NOT NULL", "refused: NULL"),
    Op("null", "ALTER TABLE t MODIFY amount DECIMAL(12,2) NULL DEFAULT 0", "in-place"),
    Op("null, in a copy", "ALTER TABLE t MODIFY amount DECIMAL(12,2) NULL DEFAULT 0", SHADOW, args=AS_SHADOW),
    Op("hide column", "ALTER TABLE t ALTER COLUMN note SET INVISIBLE", "instant", servers=("mysql-9.7",)),
    # 99–101: types
    Op("widen an indexed int", WIDEN_CUSTOMER, SHADOW, crash=True),
    Op("widen the key", "ALTER TABLE t MODIFY id BIGINT NOT NULL AUTO_INCREMENT", SHADOW, crash=True),
    Op("narrow an int that fits", "ALTER TABLE t MODIFY v SMALLINT NOT NULL", SHADOW,
       shapes.Shape(shapes.auto_key(), Column("v", "INT NOT NULL", ["1", "-32768"]))),
    Op("narrow an int that does not fit", "ALTER TABLE t MODIFY customer_id SMALLINT NOT NULL DEFAULT 0", "refused: "),
    Op("int to unsigned with negatives", "ALTER TABLE t MODIFY v INT UNSIGNED NOT NULL", "refused: ", shapes.keyed(Column("id", "INT NOT NULL", lambda new: str(new), key=True))),
    Op("widen varchar in 255 bytes", "ALTER TABLE t MODIFY note VARCHAR(50) NULL DEFAULT 'none' COMMENT 'by hand'", {"": "instant", "mysql-5.6": SHADOW}),
    Op("widen varchar past 255 bytes", "ALTER TABLE t MODIFY note VARCHAR(64) NULL DEFAULT 'none' COMMENT 'by hand'", {"mariadb": "instant", "mysql": SHADOW}),
    Op("widen varbinary past 255 bytes", "ALTER TABLE t MODIFY w VARBINARY(300)", {"mariadb": "instant", "mysql": SHADOW},
       shapes.Shape(shapes.auto_key(), Column("w", "VARBINARY(100)", ["x'00'", "NULL"]), shapes.number())),
    Op("narrow varchar that fits", "ALTER TABLE t MODIFY note VARCHAR(10) NULL DEFAULT 'none' COMMENT 'by hand'", SHADOW),
    Op("narrow varchar that does not fit", "ALTER TABLE t MODIFY note VARCHAR(3) NULL DEFAULT 'non' COMMENT 'by hand'", "refused: "),
    Op("decimal scale", "ALTER TABLE t MODIFY amount DECIMAL(14,4) NOT NULL DEFAULT 0", SHADOW),
    Op("decimal loses digits", "ALTER TABLE t MODIFY amount DECIMAL(12,1) NOT NULL DEFAULT 0", "refused: "),
    Op("int to text", "ALTER TABLE t MODIFY customer_id VARCHAR(20) NOT NULL DEFAULT '0'", SHADOW),
    Op("text to int", "ALTER TABLE t MODIFY w INT NULL", "refused: ", shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30)", ["'7'", "'x'"]), shapes.number())),
    Op("datetime to time", "ALTER TABLE t MODIFY at TIME NOT NULL", "refused: does not fit"),
    Op("text to int, with a fraction", "ALTER TABLE t MODIFY w INT NULL", "refused: does not fit", shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30)", ["'7'", "'1.5'"]), shapes.number())),
    Op("bigint to double", "ALTER TABLE t MODIFY w DOUBLE NULL", "refused: does not fit", shapes.Shape(shapes.auto_key(), Column("w", "BIGINT NULL", ["7", "9007199254740993"]), shapes.number())),
    Op("datetime to date", "ALTER TABLE t MODIFY at DATE NOT NULL", "refused: "),
    Op("datetime to timestamp", "ALTER TABLE t MODIFY s TIMESTAMP NULL", SHADOW, shapes.Shape(shapes.auto_key(), Column("s", "DATETIME NULL", ["'2024-03-31 01:30:00'", "NULL"]), shapes.number(), init=["SET SESSION time_zone = '+00:00'"])),
    Op("another charset, fits", "ALTER TABLE t MODIFY w VARCHAR(30) CHARACTER SET utf8mb4 NULL", {"": SHADOW},
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) CHARACTER SET latin1 NULL", ["'ä€'", "NULL", "''"]), shapes.number())),
    Op("utf8mb3 to utf8mb4", "ALTER TABLE t MODIFY w VARCHAR(30) CHARACTER SET utf8mb4 NULL", {"": SHADOW, "mariadb": "instant", "mysql-9.7": "instant"},
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) CHARACTER SET utf8 NULL", ["'€'", "NULL"]), shapes.number())),
    Op("another charset, does not fit", "ALTER TABLE t MODIFY w VARCHAR(30) CHARACTER SET latin1 NULL", "refused: ",
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) CHARACTER SET utf8mb4 NULL", ["'日本'", "'a'"]), shapes.number())),
    Op("another collation of an indexed column", "ALTER TABLE t MODIFY w VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
       SHADOW,
       shapes.Shape(shapes.auto_key(), Column("w", "VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL", ["'a'", "'A'", "NULL"]), shapes.number(), tail="KEY (w)")),
    Op("convert to utf8mb4", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", SHADOW),
    # 105, 106: ENUM and SET
    Op("append to enum", "ALTER TABLE t MODIFY status ENUM('new','paid','sent','back') NOT NULL DEFAULT 'new'", "instant"),
    Op("insert into enum", "ALTER TABLE t MODIFY status ENUM('new','packed','paid','sent') NOT NULL DEFAULT 'new'", SHADOW),
    Op("remove from enum, in use", "ALTER TABLE t MODIFY status ENUM('new','paid') NOT NULL DEFAULT 'new'", "refused: "),
    Op("ninth member of a set", "ALTER TABLE t MODIFY flags SET('a','b','c','d','e','f','g','h','i') NULL", SHADOW),
]


def backfill(id_, columns, more="", expect="in-place", args=(), **rest):
    """A new column is added and filled for each (name, type, expression)."""
    said = [word for name, _, expression in columns for word in ("--backfill", f"t.{name} = {expression}")]
    added = ", ".join(f"ADD COLUMN {name} {type_}" for name, type_, _ in columns)
    filled = ", ".join(f"{name} = {expression}" for name, _, expression in columns)
    return Op(id_, f"ALTER TABLE t {added}{more}", expect, args=[*said, *args], twin=[f"UPDATE t SET {filled}"],
              **{"servers": MODERN, **rest})


NUMBER = ("c", "BIGINT NULL", "CHAR_LENGTH(COALESCE(note, '')) * 10 + customer_id")
WORDS = ("d", "VARCHAR(60) NULL AFTER id", "CONCAT(status, '/', amount)")
BACKFILLS = [
    backfill("backfill", [NUMBER], crash=True),
    backfill("backfill of two columns", [NUMBER, WORDS], crash=True),
    backfill("backfill that gives null", [("c", "VARCHAR(20) NULL", "NULLIF(note, 'short')")]),
    backfill("backfill in a copy, as asked", [NUMBER], expect=SHADOW, args=["--strategy", "shadow"]),
    backfill("backfill where a rebuild is needed anyway", [WORDS], ", MODIFY customer_id BIGINT NOT NULL DEFAULT 0", expect=SHADOW),
    backfill("backfill by a key of words", [("c", "BIGINT NULL", "v * 2")], shape=shapes.words("utf8mb4_general_ci")),
    backfill("backfill by a key of bytes", [("c", "DECIMAL(12,1) NULL", "v / 3")], shape=shapes.words("latin1_bin", spaces=True)),
    backfill("backfill not null", [("c", "BIGINT NOT NULL", "customer_id")], expect="refused: cannot promise"),
    backfill("backfill of a new number", [("c", "BIGINT NULL", "id * 2")], expect="refused: gets only behind"),
    backfill("backfill on an old server", [NUMBER], expect="refused: cannot be made so that it can be repeated", servers=("mysql-5.6",)),
]

INDEXES = [
    # 107–112
    Op("add index", "ALTER TABLE t ADD INDEX at (at)", "in-place", crash=True),
    Op("create index", "CREATE INDEX at ON t (at, amount)", "in-place"),
    Op("add two indexes", "ALTER TABLE t ADD INDEX at (at), ADD INDEX amount (amount)", "in-place"),
    Op("add unique", "ALTER TABLE t ADD UNIQUE INDEX c2 (c2)", "in-place",
       shapes.Shape(shapes.auto_key(), Column("c2", "VARCHAR(30) NOT NULL", lambda new: f"'c{new:09}'", unique=True), shapes.number())),
    Op("add unique, in a copy", "ALTER TABLE t ADD UNIQUE INDEX c2 (c2), MODIFY v BIGINT NOT NULL", SHADOW,
       shapes.Shape(shapes.auto_key(), Column("c2", "VARCHAR(30) NOT NULL", lambda new: f"'c{new:09}'", unique=True), shapes.number())),
    Op("add unique with duplicates", "ALTER TABLE t ADD UNIQUE INDEX s (status)", "refused: "),
    Op("add unique with duplicates, in a copy", "ALTER TABLE t ADD UNIQUE INDEX s (status), MODIFY customer_id BIGINT NOT NULL DEFAULT 0", "refused: "),
    Op("add column and index", "ALTER TABLE t ADD COLUMN c INT NULL, ADD INDEX c (c)", {"": "in-place", "mysql-5.6": "in-place"}),
    Op("full-text index", "ALTER TABLE t ADD FULLTEXT INDEX words (note)", SHADOW),
    Op("spatial index", "ALTER TABLE t ADD SPATIAL INDEX g (g)", SHADOW,
       shapes.Shape(shapes.auto_key(), Column("g", "GEOMETRY NOT NULL", ["ST_GeomFromText('POINT(1 2)')"]), shapes.number()), servers=MARIADB),
    Op("drop index", "ALTER TABLE t DROP INDEX customer", "instant"),
    Op("drop index of a foreign key", "ALTER TABLE t DROP INDEX customer", "refused: foreign key", shapes.child()),
    Op("rename index", "ALTER TABLE t RENAME INDEX customer TO who", "instant", servers=MODERN),
    Op("invisible index", "ALTER TABLE t ALTER INDEX customer INVISIBLE", "instant", servers=("mysql-9.7",)),
    Op("ignored index", "ALTER TABLE t ALTER INDEX customer IGNORED", "instant", servers=MARIADB),
    Op("another primary key", "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (code)", "in-place",
       shapes.Shape(Column("id", "INT NOT NULL", lambda new: str(new), key=True), shapes.code(), shapes.number(), tail="PRIMARY KEY (id), UNIQUE KEY code (code)", verbs=NO_CONFLICTS)),
    Op("another primary key, in a copy", "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (code)", SHADOW,
       shapes.Shape(Column("id", "INT NOT NULL", lambda new: str(new), key=True), shapes.code(), shapes.number(), tail="PRIMARY KEY (id), UNIQUE KEY code (code)", verbs=NO_CONFLICTS), args=AS_SHADOW),
    Op("drop primary key", "ALTER TABLE t DROP PRIMARY KEY", "refused: ", shapes.Shape(Column("id", "INT NOT NULL", lambda new: str(new), key=True), shapes.number(), tail="PRIMARY KEY (id)")),
    Op("add primary key", "ALTER TABLE t ADD PRIMARY KEY (code)", "in-place",
       shapes.Shape(Column("code", "VARCHAR(40) NOT NULL", lambda new: f"'c{new:09}'", key=True), shapes.number(), tail="UNIQUE KEY code (code)")),
    Op("add primary key, in a copy", "ALTER TABLE t ADD PRIMARY KEY (code)", SHADOW,
       shapes.Shape(Column("code", "VARCHAR(40) NOT NULL", lambda new: f"'c{new:09}'", key=True), shapes.number(), tail="UNIQUE KEY code (code)"), args=AS_SHADOW),
    Op("no usable key", WIDEN, "refused: ", shapes.Shape(Column("id", "INT NULL", lambda new: str(new), key=True), shapes.number(), tail="KEY (id)")),
]

TABLES = [
    # 90, 91: what the user says of algorithms
    Op("instant, as asked", "ALTER TABLE t ADD COLUMN c INT NULL, ALGORITHM=INSTANT", "instant", servers=MODERN),
    Op("copy, as asked", "ALTER TABLE t ADD COLUMN c INT NULL, ALGORITHM=COPY", {"": "refused: ALGORITHM"}),
    Op("instant, that it is not", WIDEN_CUSTOMER + ", ALGORITHM=INSTANT", "refused: ", servers=MODERN),
    # 113–119, 123
    Op("add foreign key", "ALTER TABLE t ADD CONSTRAINT t_customer FOREIGN KEY (customer_id) REFERENCES customers (id)", "instant",
       shapes.orders(before=["CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO customers VALUES (0), (1), (7), (2147483647)"])),
    Op("add foreign key, with orphans", "ALTER TABLE t ADD CONSTRAINT t_customer FOREIGN KEY (customer_id) REFERENCES customers (id)", "refused: without a parent",
       shapes.orders(before=["CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO customers VALUES (0), (1), (7)"]), writers=False),
    Op("drop foreign key", "ALTER TABLE t DROP FOREIGN KEY t_customer", "instant", shapes.child()),
    Op("add check", "ALTER TABLE t ADD CONSTRAINT positive CHECK (customer_id >= 0)", SHADOW, servers=MODERN),
    Op("add check that does not hold", "ALTER TABLE t ADD CONSTRAINT positive CHECK (amount >= 0)", "refused: ", servers=MODERN),
    Op("comment", "ALTER TABLE t COMMENT 'what was ordered'", "instant"),
    Op("row format", "ALTER TABLE t ROW_FORMAT=COMPRESSED", "in-place", servers=MODERN),
    Op("row format, in a copy", "ALTER TABLE t ROW_FORMAT=COMPRESSED", SHADOW, servers=MODERN, args=AS_SHADOW),
    Op("force", "ALTER TABLE t FORCE", SHADOW),
    Op("same engine", "ALTER TABLE t ENGINE=InnoDB", SHADOW),
    Op("optimize", "OPTIMIZE TABLE t", "refused: "),
    Op("from MyISAM", "ALTER TABLE t ENGINE=InnoDB", "refused: MyISAM", shapes.orders(options="ENGINE=MyISAM", verbs={"update": 1})),
    Op("next auto increment", "ALTER TABLE t AUTO_INCREMENT=10000000", "instant"),
    Op("rename table", "ALTER TABLE t RENAME TO t2", "instant", becomes="t2", writers=False),
    Op("drop table", "DROP TABLE t", "instant", becomes="", writers=False),
    Op("truncate", "TRUNCATE TABLE t", "refused: ", writers=False),
    # 117: partitions
    Op("widen in a partitioned table", WIDEN, SHADOW, shapes.partitioned(), crash=True),
    Op("add partition", "ALTER TABLE t REORGANIZE PARTITION pmax INTO (PARTITION p25 VALUES LESS THAN (2026), PARTITION pmax VALUES LESS THAN MAXVALUE)",
       {"": SHADOW}, shapes.partitioned()),
    Op("remove partitioning", "ALTER TABLE t REMOVE PARTITIONING", SHADOW, shapes.partitioned()),
    Op("partition by hash", "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4", SHADOW,
       shapes.Shape(Column("id", "INT NOT NULL", lambda new: str(new), key=True), shapes.number(), tail="PRIMARY KEY (id)")),
    # 120, 122
    Op("triggers on the table", WIDEN_CUSTOMER, "refused: trigger", shapes.triggered()),
    Op("system versioned", WIDEN_CUSTOMER, "refused: version", shapes.orders(options="ENGINE=InnoDB WITH SYSTEM VERSIONING"), servers=MARIADB),
    # foreign keys and a change of the table at either end
    Op("child, on delete cascade", WIDEN_CUSTOMER, "refused: foreign key", shapes.child("ON DELETE CASCADE")),
    Op("child, restrict", "ALTER TABLE t MODIFY amount DECIMAL(14,4) NOT NULL DEFAULT 0", SHADOW, shapes.child(), crash=True),
    Op("parent", "ALTER TABLE t MODIFY amount DECIMAL(14,4) NOT NULL DEFAULT 0", {"": "refused: foreign key"}, shapes.parent()),
    # 121: several statements
    Op("two statements", "ALTER TABLE t ADD COLUMN c INT NULL; ALTER TABLE t ADD INDEX c (c)", {"": "in-place", "mysql-5.6": "in-place"}),
    Op("statements of one table apart", "ALTER TABLE t MODIFY customer_id BIGINT NOT NULL DEFAULT 0; CREATE TABLE fresh (id INT PRIMARY KEY); ALTER TABLE t COMMENT 'wide'", SHADOW),
    Op("new table", "CREATE TABLE fresh (id INT PRIMARY KEY, v INT)", "instant"),
    Op("new table with a foreign key", "CREATE TABLE fresh (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES customers (id))", "instant",
       shapes.orders(before=["CREATE TABLE customers (id INT PRIMARY KEY) ENGINE=InnoDB"])),
    Op("rebuild partition", "ALTER TABLE t REBUILD PARTITION pmax", SHADOW, shapes.partitioned()),
    # views
    Op("new view", "CREATE VIEW seen AS SELECT id, amount FROM t", "instant"),
    Op("another view", "CREATE OR REPLACE VIEW seen AS SELECT id, amount FROM t", "instant", shapes.orders(before=["CREATE OR REPLACE VIEW seen AS SELECT 1 AS id"])),
    Op("drop view", "DROP VIEW seen", "instant", shapes.orders(before=["CREATE OR REPLACE VIEW seen AS SELECT 1 AS id"])),
    Op("names change places, equal tables", "RENAME TABLE a TO x, b TO a, x TO b", "refused: same definition", args=["--accept-rename"],
       shape=shapes.orders(before=["DROP TABLE IF EXISTS a, b", "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)"])),
]

TYPES = [
    Op("every type", WIDEN, SHADOW, shapes.kinds, crash=True),
    Op("zero dates", WIDEN, SHADOW, lambda server: shapes.zero_dates()),
    Op("key, unsigned bigint", WIDEN, SHADOW, shapes.keyed(Column("k", "BIGINT UNSIGNED NOT NULL", lambda new: str(2**64 - 1 - new), key=True))),
    Op("key, negative and zero", WIDEN, SHADOW, shapes.keyed(Column("k", "INT NOT NULL", lambda new: str(new - 2500), key=True), init=["SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"])),
    Op("key, decimal", WIDEN, SHADOW, shapes.keyed(Column("k", "DECIMAL(20,4) NOT NULL", lambda new: f"{new}.{new % 10000:04}", key=True))),
    Op("key, composite", WIDEN, SHADOW, shapes.Shape(Column("a", "SMALLINT NOT NULL", lambda new: str(new % 50 - 25), key=True), Column("b", "VARCHAR(20) NOT NULL", lambda new: f"'x{new % 7}'", key=True),
                                                     Column("c", "BIGINT NOT NULL", lambda new: str(new), key=True), shapes.number(), tail="PRIMARY KEY (a, b, c)"), crash=True),
    Op("key, char", WIDEN, SHADOW, shapes.keyed(Column("k", "CHAR(20) CHARACTER SET latin1 NOT NULL", lambda new: f"'k{new}'", key=True, respell=True))),
    Op("key, binary", WIDEN, SHADOW, shapes.keyed(Column("k", "BINARY(16) NOT NULL", lambda new: f"x'{new * 2654435761 % 2**64:016x}0000000000000000'", key=True))),
    Op("key, varbinary", WIDEN, SHADOW, shapes.keyed(Column("k", "VARBINARY(40) NOT NULL", lambda new: f"x'00{new:08x}{'00' * (new % 3)}'", key=True))),
    Op("key, date and time", WIDEN, SHADOW, shapes.keyed(Column("k", "DATETIME(6) NOT NULL", lambda new: f"'2024-03-31 00:00:00' + INTERVAL {new} MICROSECOND", key=True))),
    Op("key, timestamp around DST", WIDEN, SHADOW, shapes.keyed(Column("k", "TIMESTAMP(3) NOT NULL DEFAULT '2000-01-01'", lambda new: f"FROM_UNIXTIME(1711843200 + {new})", key=True), init=["SET SESSION time_zone = '+00:00'"])),
    Op("key, enum", WIDEN, SHADOW, shapes.Shape(Column("e", "ENUM('z','m','a') NOT NULL", lambda new: "zma"[new % 3].join("''"), key=True), Column("n", "INT NOT NULL", lambda new: str(new), key=True),
                                                shapes.number(), tail="PRIMARY KEY (e, n)")),
    Op("key, unique and not null", WIDEN, SHADOW, shapes.Shape(Column("k", "INT NOT NULL", lambda new: str(new), key=True), shapes.number(), tail="UNIQUE KEY k (k)")),
] + [
    Op(f"key, {collation}", WIDEN, SHADOW, shapes.words(collation, spaces), servers=servers)
    for collation, spaces, servers in (
        ("utf8mb4_general_ci", True, ALL), ("utf8mb4_bin", False, ALL), ("utf8mb4_unicode_ci", False, ALL),
        ("latin1_swedish_ci", True, ALL), ("latin1_german2_ci", False, ALL), ("utf8mb4_unicode_nopad_ci", False, MARIADB),
        ("utf8mb4_0900_ai_ci", False, ("mysql-9.7",)), ("utf8mb4_uca1400_ai_ci", False, ("mariadb-11.8",)))]

OPERATIONS = COLUMNS + BACKFILLS + INDEXES + TABLES + TYPES

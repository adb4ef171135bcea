"""Statements about one table, and tables to try them on: what the ladder says is held against a full table."""
from dataclasses import dataclass

ROWS = 2000
DIGITS = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL " \
         "SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
NUMBERS = f"(SELECT 1 + x.d + 10 * y.d + 100 * z.d + 1000 * w.d AS n FROM {DIGITS} x, {DIGITS} y, {DIGITS} z, " \
          f"(SELECT 0 AS d UNION ALL SELECT 1) w) n"

PARENT = "CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB"
COLUMNS = """id INT NOT NULL AUTO_INCREMENT, hits INT NOT NULL DEFAULT 0, a INT NOT NULL DEFAULT 1, b INT NULL,
  v VARCHAR(20) NOT NULL DEFAULT 'x', w VARCHAR(63) NULL, x VARCHAR(100) NULL, vb VARBINARY(100) NULL,
  l VARCHAR(10) CHARACTER SET latin1 NOT NULL DEFAULT 'x' COMMENT 'said', c CHAR(5) NULL,
  e ENUM('one','two') NULL, s SET('1','2','3','4','5','6','7','8') NULL, d DECIMAL(10,2) NULL, txt TEXT NULL,
  at DATETIME NULL, p INT NULL"""
USUAL = f"CREATE TABLE t ({COLUMNS}, PRIMARY KEY (id), KEY by_a (a), KEY by_v (v), KEY by_ab (a, b)) " \
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
FILL = f"INSERT INTO t (id, a, b, v, w, e, p, txt) SELECT n, n % 50, n, CONCAT('v', n), REPEAT('w', n % 60), 'one', " \
       f"1 + n % 10, 'some text' FROM {NUMBERS}"


@dataclass(frozen=True)
class Case:
    """`servers` are beginnings of names, all by default. `table` makes it, `fill` its rows, `more` changes it before.
    The writers count in `hits` unless the statement leaves nothing to count in."""
    name: str
    sql: str
    table: str = USUAL
    fill: str = FILL
    more: tuple = ()
    servers: tuple = ("mariadb", "mysql")
    written: bool = True
    moved: str = "t"


def partitioned(how):
    return f"CREATE TABLE t (id INT NOT NULL, hits INT NOT NULL DEFAULT 0, a INT NULL, PRIMARY KEY (id)) " \
           f"ENGINE=InnoDB {how}"


FEW = f"INSERT INTO t (id, a) SELECT n, n FROM {NUMBERS}"
RANGES = partitioned("PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (1000), PARTITION p1 VALUES LESS THAN "
                     "(1500), PARTITION p2 VALUES LESS THAN (100000))")
HASHES = partitioned("PARTITION BY HASH (id) PARTITIONS 4")
NEW = ("mariadb", "mysql-8", "mysql-9")
VIRTUAL = (f"ALTER TABLE t ADD COLUMN g INT AS (a + 1) VIRTUAL",)
PLAIN = f"CREATE TABLE t (id INT NOT NULL, hits INT NOT NULL DEFAULT 0, a INT NULL) ENGINE=InnoDB"
KEYED = f"CREATE TABLE t (id INT NOT NULL, hits INT NOT NULL DEFAULT 0, a INT NULL, b INT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"
REDUNDANT = USUAL + " ROW_FORMAT=REDUNDANT"
COMPRESSED = KEYED + " ROW_FORMAT=COMPRESSED"
CHILD = ("ALTER TABLE t ADD CONSTRAINT t_p FOREIGN KEY (p) REFERENCES parent (id)",)
CASCADE = ("ALTER TABLE t ADD CONSTRAINT t_p FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE",)

CASES = [
    # columns that come and go
    Case("add a last column", "ALTER TABLE t ADD COLUMN z INT"),
    Case("add a first column", "ALTER TABLE t ADD COLUMN z INT FIRST"),
    Case("add a column after another", "ALTER TABLE t ADD COLUMN z INT AFTER a"),
    Case("add a column NOT NULL without default", "ALTER TABLE t ADD COLUMN z INT NOT NULL"),
    Case("add a column with a constant default", "ALTER TABLE t ADD COLUMN z VARCHAR(9) NOT NULL DEFAULT 'new'"),
    Case("add a column with CURRENT_TIMESTAMP", "ALTER TABLE t ADD COLUMN z DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP"),
    Case("add a column with uuid() as default", "ALTER TABLE t ADD COLUMN z CHAR(36) DEFAULT (uuid())", servers=NEW),
    Case("add a column with rand() as default", "ALTER TABLE t ADD COLUMN z INT DEFAULT (rand() * 10)", servers=NEW),
    Case("add an AUTO_INCREMENT column", "ALTER TABLE t ADD COLUMN z INT NOT NULL AUTO_INCREMENT, ADD UNIQUE (z)",
         table=KEYED, fill=FEW),
    Case("add a stored generated column", "ALTER TABLE t ADD COLUMN z INT AS (a + 1) STORED", servers=NEW),
    Case("add a virtual generated column", "ALTER TABLE t ADD COLUMN z INT AS (a + 1) VIRTUAL", servers=NEW),
    Case("add a virtual column to one with such", "ALTER TABLE t ADD COLUMN z INT AS (a + 2) VIRTUAL", more=VIRTUAL, servers=NEW),
    Case("add a column with REFERENCES", "ALTER TABLE t ADD COLUMN z INT REFERENCES parent (id)"),
    Case("add a column with a CHECK", "ALTER TABLE t ADD COLUMN z INT CHECK (z > 0)"),
    Case("add an invisible column", "ALTER TABLE t ADD COLUMN z INT INVISIBLE", servers=NEW),
    Case("add a column beside a virtual one", "ALTER TABLE t ADD COLUMN z INT FIRST", more=VIRTUAL, servers=NEW),
    Case("add a column beside FULLTEXT", "ALTER TABLE t ADD COLUMN z INT", more=("ALTER TABLE t ADD FULLTEXT (txt)",)),
    Case("add a column to a COMPRESSED table", "ALTER TABLE t ADD COLUMN z INT", table=COMPRESSED, fill=FEW),
    Case("add a column to a MyISAM table", "ALTER TABLE t ADD COLUMN z INT", more=("ALTER TABLE t ENGINE=MyISAM",)),
    Case("add a column to a child", "ALTER TABLE t ADD COLUMN z INT", more=CHILD),
    Case("drop a column", "ALTER TABLE t DROP COLUMN x"),
    Case("drop a column with an index", "ALTER TABLE t DROP COLUMN v"),
    Case("drop a column of a wider index", "ALTER TABLE t DROP COLUMN b"),
    Case("drop a virtual column", "ALTER TABLE t DROP COLUMN g", more=VIRTUAL, servers=NEW),
    Case("drop a stored column", "ALTER TABLE t DROP COLUMN g", more=("ALTER TABLE t ADD COLUMN g INT AS (a + 1) STORED",), servers=NEW),
    Case("drop a column of a foreign key", "ALTER TABLE t DROP COLUMN p", more=CHILD),
    Case("drop a column beside a virtual one", "ALTER TABLE t DROP COLUMN x", more=VIRTUAL, servers=NEW),
    # names
    Case("rename a column by CHANGE", "ALTER TABLE t CHANGE x y VARCHAR(100) NULL"),
    Case("rename a column", "ALTER TABLE t RENAME COLUMN x TO y", servers=NEW),
    Case("rename a column of a foreign key", "ALTER TABLE t RENAME COLUMN p TO q", more=CHILD, servers=NEW),
    Case("rename a column with an index", "ALTER TABLE t CHANGE v y VARCHAR(20) NOT NULL DEFAULT 'x'"),
    Case("rename the table", "ALTER TABLE t RENAME TO moved", moved="moved", written=False),
    Case("rename an index", "ALTER TABLE t RENAME INDEX by_a TO of_a", servers=NEW),
    Case("a column elsewhere", "ALTER TABLE t MODIFY x VARCHAR(100) NULL FIRST"),
    # types
    Case("int to bigint", "ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 1"),
    Case("int to bigint of the key", "ALTER TABLE t MODIFY id BIGINT NOT NULL AUTO_INCREMENT"),
    Case("int to unsigned", "ALTER TABLE t MODIFY a INT UNSIGNED NOT NULL DEFAULT 1"),
    Case("the same again", "ALTER TABLE t MODIFY a INT NOT NULL DEFAULT 1"),
    Case("varchar wider within 255 bytes", "ALTER TABLE t MODIFY v VARCHAR(40) NOT NULL DEFAULT 'x'"),
    Case("varchar wider past 255 bytes", "ALTER TABLE t MODIFY w VARCHAR(64) NULL"),
    Case("varchar wider beyond 255 bytes", "ALTER TABLE t MODIFY x VARCHAR(200) NULL"),
    Case("varbinary wider past 255", "ALTER TABLE t MODIFY vb VARBINARY(300) NULL"),
    Case("varchar narrower", "ALTER TABLE t MODIFY v VARCHAR(10) NOT NULL DEFAULT 'x'"),
    Case("varchar to text", "ALTER TABLE t MODIFY x TEXT NULL"),
    Case("char wider", "ALTER TABLE t MODIFY c CHAR(9) NULL"),
    Case("decimal wider", "ALTER TABLE t MODIFY d DECIMAL(12,2) NULL"),
    Case("datetime with fractions", "ALTER TABLE t MODIFY at DATETIME(3) NULL"),
    Case("another character set of a column", "ALTER TABLE t MODIFY l VARCHAR(10) CHARACTER SET utf8mb4 NOT NULL DEFAULT 'x' COMMENT 'said'"),
    Case("another collation of a column", "ALTER TABLE t MODIFY x VARCHAR(100) COLLATE utf8mb4_bin NULL"),
    Case("another collation of a column with an index", "ALTER TABLE t MODIFY v VARCHAR(20) COLLATE utf8mb4_bin NOT NULL DEFAULT 'x'"),
    Case("attributes not repeated", "ALTER TABLE t MODIFY l VARCHAR(10)"),
    Case("NULL to NOT NULL", "ALTER TABLE t MODIFY b INT NOT NULL"),
    Case("NULL to NOT NULL beside a virtual column", "ALTER TABLE t MODIFY b INT NOT NULL", more=VIRTUAL, servers=NEW),
    Case("NOT NULL to NULL", "ALTER TABLE t MODIFY a INT NULL DEFAULT 1"),
    Case("NOT NULL to NULL in REDUNDANT", "ALTER TABLE t MODIFY a INT NULL DEFAULT 1", table=REDUNDANT),
    Case("a member behind those of an ENUM", "ALTER TABLE t MODIFY e ENUM('one','two','three') NULL"),
    Case("a member between those of an ENUM", "ALTER TABLE t MODIFY e ENUM('one','half','two') NULL"),
    Case("a member of an ENUM goes", "ALTER TABLE t MODIFY e ENUM('one') NULL"),
    Case("an ENUM past 255 members", "ALTER TABLE t MODIFY e ENUM(%s) NULL" % ",".join(["'one'", "'two'"] + [f"'m{i}'" for i in range(256)])),
    Case("a SET past 8 members", "ALTER TABLE t MODIFY s SET('1','2','3','4','5','6','7','8','9') NULL"),
    Case("another expression of a virtual column", "ALTER TABLE t MODIFY g INT AS (a + 3) VIRTUAL", more=VIRTUAL, servers=NEW),
    # attributes
    Case("set a default", "ALTER TABLE t ALTER COLUMN b SET DEFAULT 7"),
    Case("drop a default", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"),
    Case("a comment on a column", "ALTER TABLE t MODIFY x VARCHAR(100) NULL COMMENT 'words'"),
    Case("a column becomes invisible", "ALTER TABLE t MODIFY x VARCHAR(100) NULL INVISIBLE", servers=NEW),
    Case("a comment on the table", "ALTER TABLE t COMMENT = 'words'"),
    Case("the next AUTO_INCREMENT", "ALTER TABLE t AUTO_INCREMENT = 100000"),
    Case("STATS_PERSISTENT", "ALTER TABLE t STATS_PERSISTENT = 1"),
    # indexes
    Case("add an index", "ALTER TABLE t ADD INDEX by_b (b)"),
    Case("CREATE INDEX", "CREATE INDEX by_b ON t (b)"),
    Case("DROP INDEX", "DROP INDEX by_a ON t"),
    Case("add a unique index", "ALTER TABLE t ADD UNIQUE KEY by_b (b)"),
    Case("add a unique index on equal values", "ALTER TABLE t ADD UNIQUE KEY of_p (p)"),
    Case("add a FULLTEXT index", "ALTER TABLE t ADD FULLTEXT KEY words (txt)"),
    Case("add a second FULLTEXT index", "ALTER TABLE t ADD FULLTEXT KEY words (txt)", more=("ALTER TABLE t ADD FULLTEXT KEY more (x)",)),
    Case("add a SPATIAL index", "ALTER TABLE t ADD SPATIAL KEY place (g)", more=("ALTER TABLE t ADD COLUMN g POINT NULL", "UPDATE t SET g = ST_GeomFromText('POINT(1 1)')", "ALTER TABLE t MODIFY g POINT NOT NULL"), servers=("mariadb",)),
    Case("drop an index", "ALTER TABLE t DROP INDEX by_a"),
    Case("drop a foreign key's index", "ALTER TABLE t DROP INDEX t_p", more=CHILD),
    Case("an index becomes invisible", "ALTER TABLE t ALTER INDEX by_a INVISIBLE", servers=("mysql-8", "mysql-9")),
    Case("an index becomes ignored", "ALTER TABLE t ALTER INDEX by_a IGNORED", servers=("mariadb",)),
    Case("drop and add an index", "ALTER TABLE t DROP INDEX by_a, ADD INDEX by_a (a, hits)"),
    # keys
    Case("add a primary key", "ALTER TABLE t ADD PRIMARY KEY (id)", table=PLAIN, fill=FEW),
    Case("drop the primary key", "ALTER TABLE t DROP PRIMARY KEY", table=KEYED, fill=FEW),
    Case("another primary key", "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, hits)", table=KEYED, fill=FEW),
    Case("add a foreign key", "ALTER TABLE t ADD CONSTRAINT t_p FOREIGN KEY (p) REFERENCES parent (id)"),
    Case("drop a foreign key", "ALTER TABLE t DROP FOREIGN KEY t_p", more=CHILD),
    Case("add a CHECK", "ALTER TABLE t ADD CONSTRAINT positive CHECK (a >= 0)"),
    Case("drop a CHECK", "ALTER TABLE t DROP CONSTRAINT positive", more=("ALTER TABLE t ADD CONSTRAINT positive CHECK (a >= 0)",), servers=NEW),
    # the whole table
    Case("CONVERT TO CHARACTER SET", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
    Case("DEFAULT CHARACTER SET", "ALTER TABLE t DEFAULT CHARACTER SET latin1"),
    Case("ENGINE=InnoDB again", "ALTER TABLE t ENGINE=InnoDB"),
    Case("ENGINE=MyISAM", "ALTER TABLE t ENGINE=MyISAM"),
    Case("ENGINE=InnoDB of MyISAM", "ALTER TABLE t ENGINE=InnoDB", more=("ALTER TABLE t ENGINE=MyISAM",)),
    Case("FORCE", "ALTER TABLE t FORCE"),
    Case("ROW_FORMAT", "ALTER TABLE t ROW_FORMAT=COMPACT"),
    Case("ROW_FORMAT=COMPRESSED", "ALTER TABLE t ROW_FORMAT=COMPRESSED", table=KEYED, fill=FEW),
    Case("ADD SYSTEM VERSIONING", "ALTER TABLE t ADD SYSTEM VERSIONING", servers=("mariadb",)),
    Case("a column of a versioned table", "ALTER TABLE t ADD COLUMN z INT", more=("ALTER TABLE t ADD SYSTEM VERSIONING",), servers=("mariadb",)),
    # partitions
    Case("PARTITION BY", "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4", table=KEYED, fill=FEW),
    Case("REMOVE PARTITIONING", "ALTER TABLE t REMOVE PARTITIONING", table=HASHES, fill=FEW),
    Case("ADD PARTITION of a range", "ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES LESS THAN (200000))", table=RANGES, fill=FEW),
    Case("ADD PARTITION of a hash", "ALTER TABLE t ADD PARTITION PARTITIONS 2", table=HASHES, fill=FEW),
    Case("COALESCE PARTITION", "ALTER TABLE t COALESCE PARTITION 1", table=HASHES, fill=FEW),
    Case("REORGANIZE PARTITION", "ALTER TABLE t REORGANIZE PARTITION p0, p1 INTO (PARTITION p01 VALUES LESS THAN (1500))", table=RANGES, fill=FEW),
    Case("DROP PARTITION", "ALTER TABLE t DROP PARTITION p0", table=RANGES, fill=FEW, written=False),
    Case("a column of a partitioned table", "ALTER TABLE t ADD COLUMN z INT", table=RANGES, fill=FEW),
    Case("an index of a partitioned table", "ALTER TABLE t ADD INDEX (a)", table=RANGES, fill=FEW),
    # several at once
    Case("a column and an index", "ALTER TABLE t ADD COLUMN z INT, ADD INDEX by_b (b)"),
    Case("two columns", "ALTER TABLE t ADD COLUMN z INT, ADD COLUMN y INT"),
    Case("a column comes, another goes", "ALTER TABLE t ADD COLUMN z INT, DROP COLUMN x"),
    Case("a column and its index", "ALTER TABLE t ADD COLUMN z INT, ADD INDEX (z)"),
    Case("an index and a wider column", "ALTER TABLE t ADD INDEX by_b (b), MODIFY v VARCHAR(40) NOT NULL DEFAULT 'x'"),
    Case("no such column", "ALTER TABLE t DROP COLUMN nothing"),
]


def cases_of(server):
    return [case for case in CASES if any(server.startswith(name) for name in case.servers)]

"""A database for one operation with the application on it, and its twin, which gets the plain statement at the end."""
import itertools
import re

from test.lib.my_writers import MyWriters, assert_equal_rows
from test.lib.stoa import Stoa
from test.matrix_my.operations import ROWS

NUMBERS = itertools.count(1)
TABLE = "t"
MAX_STALL_MS, SLACK_MS = 1000, 50  # a busy machine is no stall of ours; the promise itself is held in the benchmark


class Place:
    def __init__(self, my, op):
        self.my, self.op, self.shape = my, op, op.shape(my.name)
        self.name = f"m{next(NUMBERS)}"
        self.twin = f"{self.name}_twin"
        self.stoa = Stoa(my.url(self.name))
        self.writers, self.accepts = None, []
        for database in (self.name, self.twin):
            my.query(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        for database in (self.twin, self.name):
            self.keys = self.shape.make(my, database, TABLE, ROWS)
            for statement in op.prepare:
                my.query(statement, database)

    def plan(self, *args, code=0):
        told = self.stoa("plan", self.op.change, *self.op.args, "--json", "--name", self.name, *args, code=code)
        if told.code == 0:
            self.accepts = sorted({risk["accept"] for risk in told.json["risks"] if risk["accept"]})
        return told

    def apply_args(self, *more):
        return ["apply", self.op.change, *self.op.args, "--yes", "--name", self.name, "--max-stall", f"{MAX_STALL_MS}ms",
                "--lock-wait", "60s", *[accept for accept in self.accepts if accept not in self.op.args], *more]

    def write(self, strategy=""):
        """Where the server builds in place its last lock may meet a transaction that has read the table before it
        writes it, which the server ends as a deadlock (docs/mysql.md), and MySQL before 8.0 does not tell of such ones;
        what is promised holds for the others."""
        self.shape.quiet = ("swap",) if strategy == "in-place" or self.my.name == "mysql-5.6" else ()
        if self.op.writers:
            self.writers = MyWriters(self.my, self.name, TABLE, self.shape, self.keys, twin_database=self.twin,
                                     unwritten=self.op.unwritten)

    def rest(self):
        """Ends the application; it had no error. The longest statement in milliseconds."""
        if self.writers is None:
            return 0
        longest = self.writers.stop()
        self.slowest, self.writers = self.writers.slowest, None
        return longest

    @property
    def state(self):
        return self.stoa.status(self.name)["state"]

    def storage(self):
        """InnoDB's number of the table, another one when it is rebuilt; 0 where there is none."""
        view = "INNODB_TABLES" if self.my.name.startswith("mysql-9") else "INNODB_SYS_TABLES"
        rows = self.my.query(f"SELECT SUM(TABLE_ID) FROM information_schema.{view} WHERE NAME = '{self.name}/{TABLE}' "
                             f"OR NAME LIKE '{self.name}/{TABLE}#%'")
        return int(rows[0][0] or 0)

    def definition(self, database, table):
        rows = self.my.query(f"SHOW CREATE TABLE `{table}`", database)
        # MySQL remembers whether a character set was written beside its collation.
        return re.sub(r" AUTO_INCREMENT=\d+|(?<=\)) CHARACTER SET \w+(?= COLLATE)", "", rows[0][1])

    def plain(self):
        """The same as it is written, on the twin."""
        with self.my.connect(self.twin) as conn, conn.cursor() as cursor:
            for statement in self.shape.init:
                cursor.execute(statement)
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO')"
                           if "sql_mode = ''" not in " ".join(self.shape.init) else "SET SESSION sql_mode = ''")
            for statement in [*re.sub(r", ALGORITHM=\w+", "", self.op.change).split("; "), *self.op.twin]:
                cursor.execute(statement)
            conn.commit()

    def compare(self):
        """Definition and every row, against what the plain statement makes of the twin."""
        self.plain()
        there = {row[0] for row in self.my.query("SHOW TABLES", self.name)}
        assert there == {row[0] for row in self.my.query("SHOW TABLES", self.twin)}, "tables are left, or missing"
        if not self.op.becomes:
            return 0
        mine, theirs = (self.definition(database, self.op.becomes) for database in (self.name, self.twin))
        assert mine == theirs, f"\n{mine}\n\nbut the plain statement makes\n{theirs}"
        assert self.triggers(self.name) == self.triggers(self.twin)
        return assert_equal_rows(self.my, self.name, self.twin, self.op.becomes, self.op.but)

    def triggers(self, database):
        return [row[0] for row in self.my.query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = "
                                                f"'{database}' ORDER BY 1")]

    def untouched(self):
        """As before: the definition of the twin, which nobody has changed, and no other table."""
        assert self.definition(self.name, TABLE) == self.definition(self.twin, TABLE)
        assert {row[0] for row in self.my.query("SHOW TABLES", self.name)} == {
            row[0] for row in self.my.query("SHOW TABLES", self.twin)}

    def close(self):
        if self.writers is not None:
            self.writers.end()
        self.stoa.close()
        for database in (self.name, self.twin):
            self.my.query(f"DROP DATABASE {database}")

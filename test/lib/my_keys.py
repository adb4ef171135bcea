"""Tables with keys of every type, random writes to them, and what the server itself says which keys changed.

Triggers write OLD and NEW keys of every changed row into a log of the same types, so the truth does not pass
through any client's idea of a value.
"""
import contextlib
import random

import pymysql

# What stands between the key columns has to be skipped by its type.
NOISE = ["n1 FLOAT NULL", "n2 DOUBLE NULL", "n3 VARCHAR(300) NULL", "n4 TEXT NULL", "n5 LONGBLOB NULL",
         "n6 ENUM('a','b','c') NULL", "n7 SET('x','y','z') NULL", "n8 DECIMAL(30,10) NULL", "n9 DATETIME(5) NULL",
         "n10 TIME(3) NULL", "n11 BIT(13) NULL", "n12 GEOMETRY NULL", "n13 CHAR(200) NULL", "n14 YEAR NULL",
         "n15 MEDIUMINT NULL", "n16 VARBINARY(10) NULL", "n17 TIMESTAMP(1) NULL", "n18 DATE NULL"]
FILL = ["RAND()", "RAND() * 1e100", "REPEAT('v', FLOOR(RAND() * 300))", "REPEAT('t', FLOOR(RAND() * 3000))",
        "REPEAT('b', FLOOR(RAND() * 3000))", "1 + FLOOR(RAND() * 3)", "FLOOR(RAND() * 8)", "(RAND() - 0.5) * 1e15",
        "'2020-02-29 12:13:14.56789'", "'-12:13:14.567'", "FLOOR(RAND() * 8192)", "ST_GeomFromText('POINT(1 2)')",
        "REPEAT('c', FLOOR(RAND() * 200))", "2000", "-5", "X'00ff00'", "'2021-01-01 01:02:03.4'", "'2020-01-01'"]


def text(letters, longest):
    return lambda: "'" + "".join(random.choice(letters) for _ in range(random.randint(0, longest))) + "'"


def whole(low, high):
    return lambda: str(random.choice([low, high, 0 if low <= 0 else low, random.randint(low, high),
                                      random.randint(max(low, -20), min(high, 200))]))


def decimal(digits, scale):
    def make():
        number = random.choice([0, 10 ** digits - 1, random.randrange(10 ** digits), random.randrange(10 ** min(digits, 4))])
        body = str(number).rjust(scale + 1, "0")
        sign = random.choice(["", "-"]) if number else ""
        return sign + (body[:-scale] + "." + body[-scale:] if scale else body)
    return make


def clock(most_hours, fraction, signed):
    def make():
        sign = random.choice(["", "-"]) if signed else ""
        tail = "." + str(random.randrange(10 ** fraction)).rjust(fraction, "0") if fraction else ""
        if random.random() < 0.1:
            return f"'{sign}00:00:00{tail}'" if signed else f"'00:00:00{tail}'"
        return f"'{sign}{random.randint(0, most_hours):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}{tail}'"
    return make


def day(low_year, high_year):
    return lambda: f"{random.randint(low_year, high_year):04}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"


def moment(low_year, high_year, fraction, zero=False):
    date, time = day(low_year, high_year), clock(23, fraction, False)
    return lambda: ("'0000-00-00 00:00:00'" if zero and random.random() < 0.05 else f"'{date()} {time()[1:]}")


def bytes_(longest, exact=False):
    def make():
        count = longest if exact and random.random() < 0.5 else random.randint(0, longest)
        body = bytes(random.choice([0, 0, 32, 65, 255]) for _ in range(count))
        return f"X'{body.hex()}'"
    return make


WIDE = "aAäÄßéñ漢字😀 \\'".replace("'", "").replace("\\", "")
KEYS = {
    "tiny": [("TINYINT", whole(-128, 127))],
    "tiny_u": [("TINYINT UNSIGNED", whole(0, 255))],
    "small": [("SMALLINT", whole(-32768, 32767))],
    "small_u": [("SMALLINT UNSIGNED", whole(0, 65535))],
    "medium": [("MEDIUMINT", whole(-8388608, 8388607))],
    "medium_u": [("MEDIUMINT UNSIGNED", whole(0, 16777215))],
    "int_": [("INT", whole(-2147483648, 2147483647))],
    "int_u": [("INT UNSIGNED", whole(0, 4294967295))],
    "big": [("BIGINT", whole(-9223372036854775808, 9223372036854775807))],
    "big_u": [("BIGINT UNSIGNED", whole(0, 18446744073709551615))],
    "int_zerofill": [("INT(8) ZEROFILL", whole(0, 4294967295))],
    "dec_20_5": [("DECIMAL(20,5)", decimal(20, 5))],
    "dec_65_30": [("DECIMAL(65,30)", decimal(65, 30))],
    "dec_5_5": [("DECIMAL(5,5)", decimal(5, 5))],
    "dec_9_0": [("DECIMAL(9,0)", decimal(9, 0))],
    "dec_18_9": [("DECIMAL(18,9)", decimal(18, 9))],
    "vc_latin1": [("VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_swedish_ci", text("aAäÄßéñ ", 12))],
    "vc_utf8mb4": [("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", text(WIDE, 12))],
    "vc_bin": [("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", text(WIDE, 12))],
    "vc_long": [("VARCHAR(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", text(WIDE, 200))],
    "vc_utf8": [("VARCHAR(40) CHARACTER SET utf8 COLLATE utf8_general_ci", text("aAäß漢字 ", 12))],
    "vc_ucs2": [("VARCHAR(40) CHARACTER SET ucs2 COLLATE ucs2_bin", text("aAäß漢字 ", 12))],
    "vc_utf16": [("VARCHAR(40) CHARACTER SET utf16 COLLATE utf16_bin", text(WIDE, 12))],
    "vc_utf32": [("VARCHAR(40) CHARACTER SET utf32 COLLATE utf32_bin", text(WIDE, 12))],
    "vc_sjis": [("VARCHAR(40) CHARACTER SET sjis COLLATE sjis_japanese_ci", text("aA漢字表ソ ", 12))],
    "vc_gbk": [("VARCHAR(40) CHARACTER SET gbk COLLATE gbk_chinese_ci", text("aA漢字 ", 12))],
    "ch_latin1": [("CHAR(20) CHARACTER SET latin1 COLLATE latin1_bin", text("aAäß ", 12))],
    "ch_utf8mb4": [("CHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", text(WIDE, 100))],
    "bin": [("BINARY(16)", bytes_(16, exact=True))],
    "bin_255": [("BINARY(255)", bytes_(255, exact=True))],
    "vbin": [("VARBINARY(20)", bytes_(20))],
    "vbin_long": [("VARBINARY(700)", bytes_(600))],
    "date_": [("DATE", lambda: random.choice(["'0000-00-00'", "'9999-12-31'", f"'{day(1000, 9999)()}'"]))],
    "time_0": [("TIME", clock(838, 0, True))],
    "time_1": [("TIME(1)", clock(837, 1, True))],
    "time_2": [("TIME(2)", clock(837, 2, True))],
    "time_3": [("TIME(3)", clock(837, 3, True))],
    "time_4": [("TIME(4)", clock(837, 4, True))],
    "time_6": [("TIME(6)", clock(837, 6, True))],
    "dt_0": [("DATETIME", moment(1000, 9999, 0, zero=True))],
    "dt_1": [("DATETIME(1)", moment(1000, 9999, 1))],
    "dt_3": [("DATETIME(3)", moment(1000, 9999, 3))],
    "dt_6": [("DATETIME(6)", moment(1, 9999, 6, zero=True))],
    "ts_0": [("TIMESTAMP", moment(1971, 2037, 0, zero=True))],
    "ts_2": [("TIMESTAMP(2)", moment(1971, 2037, 2))],
    "ts_5": [("TIMESTAMP(5)", moment(1971, 2037, 5))],
    "ts_6": [("TIMESTAMP(6)", moment(1971, 2037, 6))],
    "year_": [("YEAR", lambda: random.choice(["0", "1901", "2155", str(random.randint(1901, 2155))]))],
    "enum_": [("ENUM('a','b','C','ö')", lambda: str(random.randint(1, 4)))],
    "enum_wide": [("ENUM(" + ",".join(f"'e{i}'" for i in range(300)) + ")", lambda: str(random.randint(1, 300)))],
    "set_": [("SET('a','b','c','d','e','f','g','h','i')", lambda: str(random.randrange(512)))],
    "bit_1": [("BIT(1)", lambda: str(random.randrange(2)))],
    "bit_17": [("BIT(17)", lambda: str(random.randrange(2 ** 17)))],
    "bit_64": [("BIT(64)", lambda: str(random.choice([2 ** 64 - 1, random.randrange(2 ** 64)])))],
    "text_prefix": [("TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", text(WIDE, 30), 20)],
    "blob_prefix": [("BLOB", bytes_(40), 15)],
    "pair": [("INT", whole(-50, 50)), ("VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", text(WIDE, 3))],
    "triple": [("DATETIME(6)", moment(2020, 2020, 6)), ("BIGINT UNSIGNED", whole(0, 18446744073709551615)),
               ("ENUM('a','b','c')", lambda: str(random.randint(1, 3)))],
    "quad": [("BINARY(4)", bytes_(4, exact=True)), ("DECIMAL(10,3)", decimal(10, 3)), ("TINYINT", whole(-5, 5)),
             ("TIME(6)", clock(20, 6, True))],
}
MODE = ("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', "
        "foreign_key_checks = 0")


class KeyTable:
    """One table with a key of `columns`, its log, and writers."""

    def __init__(self, name, columns):
        self.name, self.columns = name, columns
        self.keys = [f"k{i}" for i in range(len(columns))]

    def create(self, cursor):
        """Whether the server can have such a key."""
        split = len(NOISE) // (len(self.columns) + 1)
        body, noise = ["rid INT NOT NULL"], list(NOISE)
        for key, column in zip(self.keys, self.columns):
            body += noise[:split]
            noise = noise[split:]
            zero = " DEFAULT '2020-01-01 00:00:00'" if column[0].startswith("TIMESTAMP") else ""
            body.append(f"{key} {column[0]} NOT NULL{zero}")
        body += noise
        # the key's own order is not that of the columns
        parts = [f"{key}({column[2]})" if len(column) > 2 else key for key, column in zip(self.keys, self.columns)]
        primary = ", ".join(reversed(parts))
        try:
            cursor.execute(f"CREATE TABLE {self.name} ({', '.join(body)}, PRIMARY KEY ({primary}), KEY (rid)) "
                           f"ENGINE=InnoDB")
        except pymysql.err.OperationalError as problem:
            if problem.args[0] != 1071:  # the key is too long
                raise
            return False
        for log in ("log", "got"):
            both = [f"{when}_{key} {column[0]} NULL" for when in "ba" for key, column in zip(self.keys, self.columns)]
            cursor.execute(f"CREATE TABLE {self.name}_{log} (seq INT PRIMARY KEY AUTO_INCREMENT, verb VARCHAR(6), "
                           f"{', '.join(both)}) ENGINE=InnoDB")
        for verb, before, after in (("write", False, True), ("update", True, True), ("delete", True, False)):
            names = [f"b_{key}" for key in self.keys if before] + [f"a_{key}" for key in self.keys if after]
            values = [f"OLD.{key}" for key in self.keys if before] + [f"NEW.{key}" for key in self.keys if after]
            event = {"write": "INSERT"}.get(verb, verb.upper())
            cursor.execute(f"CREATE TRIGGER {self.name}_{verb} AFTER {event} ON {self.name} FOR EACH ROW INSERT INTO "
                           f"{self.name}_log (verb, {', '.join(names)}) VALUES ('{verb}', {', '.join(values)})")
        return True

    def empty(self, cursor):
        for name in (self.name, f"{self.name}_log"):
            cursor.execute(f"DELETE FROM {name}")

    def row(self):
        noise = [random.choice([fill, "NULL"]) for fill in FILL]
        names = ["rid", *self.keys, *[column.split()[0] for column in NOISE]]
        values = [str(random.randrange(10 ** 6)), *[column[1]() for column in self.columns], *noise]
        return names, values

    def write(self, cursor):
        """One random statement, duplicates included. Every update changes something: of one that does not, a trigger
        knows, and the log does not."""
        names, values = self.row()
        columns = ", ".join(names)
        key = random.choice(self.keys)
        value = self.columns[self.keys.index(key)][1]()
        kind = random.randrange(10)
        if kind < 4:
            more = [", ".join(self.row()[1]) for _ in range(random.randrange(3))]
            rows = ", ".join(f"({row})" for row in [", ".join(values), *more])
            sql = f"INSERT IGNORE INTO {self.name} ({columns}) VALUES {rows}"
        elif kind == 4:
            sql = f"REPLACE INTO {self.name} ({columns}) VALUES ({', '.join(values)})"
        elif kind == 5:
            sql = (f"INSERT INTO {self.name} ({columns}) VALUES ({', '.join(values)}) "
                   f"ON DUPLICATE KEY UPDATE rid = rid + 1")
        elif kind == 6:
            sql = f"UPDATE {self.name} SET {key} = {value}, rid = rid + 1 ORDER BY rid LIMIT {random.randint(1, 2)}"
        elif kind == 7:
            sql = f"UPDATE {self.name} SET rid = rid + 1, n4 = {random.choice([FILL[3], 'NULL'])} ORDER BY rid LIMIT 3"
        elif kind == 8:
            sql = f"UPDATE {self.name} SET {key} = {value}, rid = rid + 1, n3 = NULL, n13 = 'x' ORDER BY rid DESC LIMIT 1"
        else:
            sql = f"DELETE FROM {self.name} ORDER BY rid LIMIT {random.randint(1, 2)}"
        # UPDATE IGNORE would tell less: on MariaDB its AFTER triggers run for rows that were left as they were.
        with contextlib.suppress(pymysql.err.IntegrityError):
            cursor.execute(sql)

    def check(self, cursor, changes):
        """The stream's changes, written back as the literals that they are, equal the server's own log."""
        rows = []
        for at, change in enumerate(changes, 1):
            cells = [(change[when] or ["NULL"] * len(self.keys)) for when in ("before", "after")]
            # the key's order is reversed
            cells = [list(reversed(part)) for part in cells]
            rows.append(f"({at}, '{change['verb']}', {', '.join(cells[0] + cells[1])})")
        cursor.execute(f"DELETE FROM {self.name}_got")
        for at in range(0, len(rows), 50):
            cursor.execute(f"INSERT INTO {self.name}_got VALUES {', '.join(rows[at:at + 50])}")
        names = [f"{when}_{key}" for when in "ba" for key in self.keys]
        same = " AND ".join(f"HEX(CAST(l.{name} AS BINARY)) <=> HEX(CAST(g.{name} AS BINARY))" for name in names)
        cursor.execute(f"SELECT COUNT(*) FROM {self.name}_log")
        written = cursor.fetchone()[0]
        assert written == len(changes), f"{self.name}: {written} changes, and {len(changes)} in the stream"
        cursor.execute(f"SELECT COUNT(*) FROM (SELECT l.*, @at := @at + 1 AS place FROM (SELECT @at := 0) z, "
                       f"(SELECT * FROM {self.name}_log ORDER BY seq LIMIT 1000000) l) l JOIN {self.name}_got g ON "
                       f"g.seq = l.place WHERE g.verb = l.verb AND {same}")
        equal = cursor.fetchone()[0]
        assert equal == written, f"{self.name}: {written - equal} of {written} keys differ"
        return written

    def find_again(self, cursor, changes):
        """Each key that is there still is found by its literals, once; each that is gone is not."""
        last = {}
        for change in changes:
            if change["before"]:
                last[tuple(change["before"])] = False
            if change["after"]:
                last[tuple(change["after"])] = True
        cursor.execute(f"SELECT COUNT(*) FROM {self.name}")
        left = cursor.fetchone()[0]
        found = 0
        for key, alive in last.items():
            where = " AND ".join(f"{name} = {literal}" for name, literal in zip(reversed(self.keys), key))
            cursor.execute(f"SELECT COUNT(*) FROM {self.name} WHERE {where}")
            count = cursor.fetchone()[0]
            # where a collation knows two spellings as one key, the one that is gone finds the other
            assert count == 1 if alive else count <= 1, f"{self.name}: {key} is there {count} times"
            found += alive
        assert found == left, f"{self.name}: {left} rows, {found} keys alive"

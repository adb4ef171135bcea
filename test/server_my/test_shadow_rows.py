"""A shadow is filled while its source is written to, and has every row as it is in the source when that stands still:
keys of every type and collation, both ways of capture."""
import contextlib
import random
import threading

import pymysql
import pytest

from test.lib.my_keys import FILL, KEYS, MODE, NOISE, KeyTable
from test.lib.my_shadow import ShadowError, ShadowTool, columns_of, ident, is_generated, spec_of


def database(my, name):
    my.query(f"DROP DATABASE IF EXISTS {name}")
    my.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return name


def image(my, schema, table, columns=None):
    """Every row as bytes, sorted. Numbers of single precision would lose digits as text."""
    parts = []
    for column in columns_of(my, schema, table):
        if columns is not None and column["name"] not in columns:
            continue
        name = ident(column["name"])
        if column["data"] == "float":
            parts.append(f"{name} * 1e0")
        elif column["data"] in ("enum", "set"):
            parts.append(f"CONCAT(CAST({name} AS UNSIGNED), ':', {name})")
        elif column["data"] in ("geometry", "point", "json", "bit"):
            parts.append(f"HEX({name})")
        else:
            parts.append(f"HEX(CAST({name} AS BINARY))")
    with my.connect(schema) as conn, conn.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(f"SELECT {', '.join(parts)} FROM {ident(table)}")
        return sorted(cursor.fetchall(), key=repr)


def assert_same(my, schema, source, shadow, columns=None):
    left, right = image(my, schema, source, columns), image(my, schema, shadow, columns)
    if left == right:
        return
    lost, extra = [row for row in left if row not in right], [row for row in right if row not in left]
    raise AssertionError(f"{source}: {len(left)} rows, {len(right)} in the shadow; {len(lost)} lost, {len(extra)} "
                         f"too many\n{lost[:2]}\n{extra[:2]}")


class Writers:
    """Threads that call `write(cursor)` until they are stopped while the tables are locked: the statements that wait
    then are thrown out, so nothing is written behind the drain."""

    def __init__(self, my, schema, write, count=3, pause=0.004, errors=(1062, 1213, 1205)):
        self.my, self.schema, self.write, self.pause, self.allowed = my, schema, write, pause, errors
        self.over, self.errors, self.done = threading.Event(), [], 0
        self.conns = [my.connect(schema) for _ in range(count)]
        self.threads = [threading.Thread(target=self._run, args=(conn, at)) for at, conn in enumerate(self.conns)]
        for thread in self.threads:
            thread.start()

    def _run(self, conn, at):
        chance = random.Random(at)
        with conn.cursor() as cursor:
            while not self.over.is_set():
                try:
                    self.write(cursor, chance)
                    self.done += 1
                except pymysql.err.MySQLError as problem:
                    if problem.args[0] in self.allowed:
                        with contextlib.suppress(pymysql.err.MySQLError):
                            cursor.execute("ROLLBACK")
                    elif not self.over.is_set():
                        self.errors.append(str(problem))
                        return
                self.over.wait(self.pause)

    def stop(self):
        self.over.set()
        for conn in self.conns:
            with contextlib.suppress(pymysql.err.MySQLError):
                self.my.query(f"KILL {conn.thread_id()}")
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors[:3]


def carry_over(my, spec, write, size=200, writers=3, during=None, pause=0.004):
    """Copy, catch up, lock, drain, compare. What the tool said last."""
    running = Writers(my, spec["schema"], write, writers, pause)
    try:
        with ShadowTool(my.url(), spec) as tool:
            tool.open(position=tool.begin()["position"])
            tool.run(size=size)
            if during is not None:
                during(tool)
            tool.lock()
            said = tool.drain()
            running.stop()
            tool.unlock()
            assert tool.compare_all(size) == set()
            tool.end()
    finally:
        running.stop()
    return said


class KeyShadow(KeyTable):
    """A table of test.lib.my_keys without its log, and a shadow with some other types around the same key."""

    def make(self, cursor, keys=None, changes=(("rid INT NOT NULL", "rid BIGINT NOT NULL"), ("n15 MEDIUMINT", "n15 BIGINT"),
                                              ("n3 VARCHAR(300)", "n3 VARCHAR(500)"), ("n8 DECIMAL(30,10)", "n8 DECIMAL(40,10)"))):
        for name, columns in ((self.name, self.columns), (f"{self.name}__stoa_new", keys or self.columns)):
            split = len(NOISE) // (len(columns) + 1)
            body, noise = ["rid INT NOT NULL"], list(NOISE)
            for key, column in zip(self.keys, columns):
                body += noise[:split]
                noise = noise[split:]
                zero = " DEFAULT '2020-01-01 00:00:00'" if column[0].startswith("TIMESTAMP") else ""
                body.append(f"{key} {column[0]} NOT NULL{zero}")
            text = ", ".join(body + noise)
            for old, new in changes if name != self.name else ():
                assert old in text
                text = text.replace(old, new)
            parts = [f"{key}({column[2]})" if len(column) > 2 else key for key, column in zip(self.keys, columns)]
            try:
                cursor.execute(f"CREATE TABLE {name} ({text}, PRIMARY KEY ({', '.join(reversed(parts))}), KEY (rid)) "
                               f"ENGINE=InnoDB")
            except pymysql.err.OperationalError as problem:
                if problem.args[0] != 1071:
                    raise
                return False
        return True


# One of each kind of literal and of comparison; what else test_keys_of_every_type in test_binlog.py has differs in size.
KINDS = ["tiny", "big", "big_u", "int_zerofill", "dec_20_5", "vc_latin1", "vc_utf8mb4", "vc_bin", "vc_utf8", "vc_ucs2",
         "vc_sjis", "ch_latin1", "bin", "vbin", "date_", "time_3", "dt_0", "dt_6", "ts_0", "ts_5", "year_", "enum_", "set_",
         "bit_17", "bit_64", "text_prefix", "blob_prefix", "pair", "triple", "quad"]


def key_shadows(my, schema):
    tables = []
    with my.connect(schema) as conn, conn.cursor() as cursor:
        cursor.execute(MODE)
        for name, columns in [(name, KEYS[name]) for name in KINDS]:
            table = KeyShadow(name, columns)
            if table.make(cursor):
                tables.append(table)
                for _ in range(60):
                    table.write(cursor)
    return tables


@pytest.mark.parametrize("capture", ["log", "trigger"])
def test_keys_of_every_type(my, capture):
    random.seed(capture)
    schema = database(my, "kinds")
    tables = key_shadows(my, schema)
    assert len(tables) >= 25
    wrong, said, chunks = [], {}, 0
    for number, table in enumerate(tables):
        def write(cursor, chance):
            if cursor.connection not in ready:
                cursor.execute(MODE)
                ready.add(cursor.connection)
            inside = chance.random() < 0.2
            cursor.execute("BEGIN" if inside else "DO 0")
            for _ in range(3 if inside else 1):
                table.write(cursor)
            cursor.execute(chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]) if inside else "DO 0")
        ready = set()
        spec = spec_of(my, schema, table.name, f"{table.name}__stoa_new", capture=capture, change_id=number + 1)
        print(table.name, flush=True)
        try:
            said = carry_over(my, spec, write, size=15, writers=2, pause=0.001, during=lambda tool: tool.call("sync"))
            assert_same(my, schema, table.name, f"{table.name}__stoa_new")
            assert said["applied"] > 0
            chunks += said["chunks"]
        except (AssertionError, ShadowError) as problem:
            wrong.append(f"{table.name}: {str(problem)[:600]}")
            print(wrong[-1], flush=True)
    assert not wrong, "\n".join(wrong)
    assert chunks > len(tables)  # an ENUM of four has one, most have some

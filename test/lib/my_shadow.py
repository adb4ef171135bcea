"""stoa-my-shadow-tool as an object, specifications made from two tables, and the comparison of all of their rows."""
import json
import subprocess

import pymysql

from test.lib.stoa import BUILD


class ShadowError(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer['error']}: {answer['message']} (hint: {answer['hint']})")
        self.kind, self.number, self.answer = answer["error"], answer["number"], answer


class ShadowTool:
    """tool.copy(low=…, high=…) is {"do": "copy", …}; the answer comes as a dict, an error as ShadowError."""

    def __init__(self, url, spec):
        self.process = subprocess.Popen([BUILD / "test" / "tool" / "stoa-my-shadow-tool"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.call("use", url=url, spec=spec)

    def call(self, name, **arguments):
        self.process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the tool died in {name}: {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ShadowError(answer)
        return answer

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **arguments: self.call(name, **arguments)

    def ranges(self, size):
        low = None
        while True:
            answer = self.call("next", low=low, size=size)
            if answer["done"]:
                return
            yield {key: answer[key] for key in ("low", "high")}
            low = answer["high"]
            if low is None:
                return

    def compare_all(self, size=1000):
        different = set()
        for part in self.ranges(size):
            different |= set(self.call("compare", **part)["different"])
        return different

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ident(name):
    return "`" + name.replace("`", "``") + "`"


def columns_of(my, schema, table):
    with my.connect() as conn, conn.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, COLLATION_NAME AS collation, EXTRA AS extra, "
                       "DATA_TYPE AS data FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s "
                       "ORDER BY ORDINAL_POSITION", (schema, table))
        return cursor.fetchall()


def is_generated(column):
    return any(word in column["extra"].upper() for word in ("VIRTUAL", "STORED GENERATED", "PERSISTENT"))


def spec_of(my, schema, source, shadow, key="PRIMARY", renames=None, exprs=None, exact=None, **more):
    """As a plan would make it: `renames` says shadow's name by source's, `exprs` what new columns are."""
    renames, exprs = renames or {}, exprs or {}
    back = {new: old for old, new in renames.items()}
    sources = {column["name"]: column for column in columns_of(my, schema, source)}
    columns = []
    for column in columns_of(my, schema, shadow):
        name = column["name"]
        old = back.get(name, name)
        if is_generated(column):
            continue
        if name in exprs:
            columns.append({"name": name, "source": None, "expr": exprs[name], "same": False})
        elif old in sources:
            same = all(sources[old][part] == column[part] for part in ("type", "collation"))
            columns.append({"name": name, "source": old, "expr": ident(old), "same": same})
    with my.connect() as conn, conn.cursor() as cursor:
        cursor.execute("SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = "
                       "%s AND INDEX_NAME = %s ORDER BY SEQ_IN_INDEX", (schema, source, key))
        names = [row[0] for row in cursor.fetchall()]
    if exact is None:
        exact = all((sources[name]["collation"] or "_bin").endswith("_bin") for name in names)
    return {"schema": schema, "source": source, "shadow": shadow, "old": f"{source}__stoa_old",
            "sentry": f"{source}__stoa_old", "columns": columns, "key": key, "key_columns": names,
            "key_targets": [renames.get(name, name) for name in names], "key_exact": exact, "key_unique": True,
            "tightens": False, "one_writer": False, "capture": "log", "change_id": 7} | more

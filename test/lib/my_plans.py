"""Plans written by hand, put into the journal as if their process had died at once: `stoa resume` carries them out."""
import json
import subprocess

from test.lib.stoa import BUILD

TOOL = BUILD / "test" / "tool" / "stoa-plan-tool"


def tool(*words):
    done = subprocess.run([str(TOOL), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def digest(my, schema, table):
    text = tool("digest", my.url(schema), schema, table)
    return None if text == "none" else text


def behind(my, schema, table, statements):
    """The definition's digest behind each of the statements, found on a copy of the table in another database."""
    my.query("DROP DATABASE IF EXISTS trial")
    my.query("CREATE DATABASE trial")
    my.query(f"CREATE TABLE trial.{table} LIKE {schema}.{table}")
    digests = [digest(my, "trial", table)]
    for sql in statements:
        my.query(sql, "trial")
        digests.append(digest(my, "trial", table))
    my.query("DROP DATABASE trial")
    return digests


def alter_step(ordinal, phase, schema, table, sql, undo, before, after, build=False):
    return {"ordinal": ordinal, "phase": phase, "kind": "alter", "title": sql[:60], "statements": [sql],
            "undo_statements": [undo] if undo else [], "evidence": "measured",
            "timeout": "watchdog" if build else "lock", "lock": "EXCLUSIVE METADATA",
            "lock_on": [f"{schema}.{table}"], "lock_modes": ["EXCLUSIVE METADATA"],
            "table": {"schema": schema, "name": table},
            "looks": [{"table": {"schema": schema, "name": table}, "before": before, "after": after}]}


def plain_step(ordinal, phase, kind):
    return {"ordinal": ordinal, "phase": phase, "kind": kind, "title": kind, "statements": [], "undo_statements": [],
            "evidence": "rule", "timeout": "none", "lock": "", "lock_on": []}


def alters(my, name, schema, table, pairs, contract=(), build=False):
    """A plan of these (statement, undo) pairs, and of others for complete."""
    digests = behind(my, schema, table, [sql for sql, _ in [*pairs, *contract]])
    steps = [alter_step(i + 1, "expand", schema, table, sql, undo, digests[i], digests[i + 1], build)
             for i, (sql, undo) in enumerate(pairs)]
    steps.append(plain_step(len(steps) + 1, "ready", "ready"))
    for i, (sql, undo) in enumerate(contract, len(pairs)):
        steps.append(alter_step(len(steps) + 1, "contract", schema, table, sql, undo, digests[i], digests[i + 1]))
    return {"v": 1, "change": name, "owner": "", "source": "; ".join(sql for sql, _ in pairs),
            "change_digest": f"sha256:{name}", "plan_digest": f"sha256:plan-{name}", "engine": "mysql", "server": "",
            "strategy": "instant", "tables": [f"{schema}.{table}"], "search_path": [schema], "steps": steps,
            "risks": []}


def register(my, schema, plan, folder):
    path = folder / f"{plan['change']}.json"
    path.write_text(json.dumps(plan))
    return int(tool("register", my.url(schema), path))

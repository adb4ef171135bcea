"""Runs the engine's parts as programs: stoa-my-tool and stoa-binlog-tool."""
import json
import subprocess

from test.lib.stoa import BUILD


def statements(url, *sql, **options):
    """The lines of stoa-my-tool: the server first, then one for each statement."""
    return _lines("stoa-my-tool", url, options, sql)[0]


def changes(url, *tables, **options):
    """The lines of stoa-binlog-tool and what it said on stderr; underscores in options are dashes."""
    return _lines("stoa-binlog-tool", url, options, tables)


def _lines(program, url, options, rest):
    words = [BUILD / "test" / "tool" / program, "--url", url]
    for key, value in options.items():
        words += [f"--{key}"] if value is True else [f"--{key}", str(value)]
    done = subprocess.run([*map(str, words), *rest], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=240)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

#!/usr/bin/env python3
"""Turns a text file into C: embed_text.py OUT.c NAME FILE makes `const char NAME[]`."""
import pathlib
import sys


def c_string(line):
    return '    "' + line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '\\n"'


def main(out, name, file):
    lines = pathlib.Path(file).read_text().splitlines()
    pathlib.Path(out).write_text("\n".join(["/* Made by tools/embed_text.py. */", f"extern const char {name}[];", f"const char {name}[] =",
                                            *map(c_string, lines)]) + ";\n")


main(*sys.argv[1:])

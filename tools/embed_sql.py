#!/usr/bin/env python3
"""Turns .sql files into C: embed_sql.py OUT.c OUT.h FILE.sql…

table.sql becomes `const char catalog_table_sql[]`. Lines that are comments are left out; line ends stay, because
a mark for server versions ("--@15+") belongs to its line.
"""
import pathlib
import sys


def c_string(line):
    return '    "' + line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '\\n"'


def main(out_c, out_h, *files):
    source = ["/* Made by tools/embed_sql.py. */", '#include "engine/postgres/catalog_sql.h"', ""]
    header = ["/* Made by tools/embed_sql.py. */", "#pragma once", ""]
    for file in map(pathlib.Path, files):
        name = f"catalog_{file.stem}_sql"
        lines = [line.rstrip() for line in file.read_text().splitlines()]
        lines = [line for line in lines if line.strip() and not line.strip().startswith("-- ")]
        source += [f"const char {name}[] =", *map(c_string, lines)]
        source[-1] += ";"
        header.append(f"extern const char {name}[];")
    pathlib.Path(out_c).write_text("\n".join(source) + "\n")
    pathlib.Path(out_h).write_text("\n".join(header) + "\n")


main(*sys.argv[1:])

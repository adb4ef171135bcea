#!/usr/bin/env python3
"""Turns the page's files into C: embed_page.py OUT.c FILE…

index.html is served at "/", everything else at "/page/NAME"; Chart.js, whatever its file is called, at
"/page/chart.js". The ETag is a digest of the content.
"""
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".js": "text/javascript; charset=utf-8"}


def path_of(file):
    if file.name == "index.html":
        return "/"
    return "/page/" + ("chart.js" if file.name.lower().startswith("chart.") else file.name)


def main(out, *files):
    lines = ["/* Made by tools/embed_page.py. */", '#include "serve/page.h"', ""]
    rows = []
    for number, file in enumerate(map(pathlib.Path, files)):
        data = file.read_bytes()
        lines.append(f"static const unsigned char file_{number}[] = {{")
        lines += ["    " + "".join(f"{byte}," for byte in data[at:at + 32]) for at in range(0, len(data), 32)]
        lines.append("};")
        etag = hashlib.sha256(data).hexdigest()[:20]
        rows.append(f'    {{"{path_of(file)}", "{TYPES[file.suffix]}", "\\"{etag}\\"", file_{number}, sizeof file_{number}}},')
    lines += ["const PageFile page_files[] = {", *rows, "};",
              "const size_t page_file_count = sizeof page_files / sizeof page_files[0];"]
    pathlib.Path(out).write_text("\n".join(lines) + "\n")


main(*sys.argv[1:])

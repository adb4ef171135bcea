#!/usr/bin/env python3
"""Fails when a file includes upwards, sideways into another engine, or a system header it may not know."""
import pathlib, re, sys

FLOORS = {"base": 0, "engine": 1, "change": 2, "plan": 3, "run": 4, "check": 5, "load": 5, "host": 5, "notify": 5, "lsp": 6, "demo": 6, "rehearse": 6, "rollout": 6, "serve": 6, "cli": 7}
PRIVATE = {"engine/postgres", "engine/mysql"}                                   # nobody outside may include
OWNED = {                                                                       # system header -> only home
    "libpq-fe.h": "engine/postgres", "mysql.h": "engine/mysql", "mariadb_rpl.h": "engine/mysql",
    "pg_query.h": "change", "microhttpd.h": "serve", "termios.h": "cli",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)

def home(path):                       # "engine/postgres/conn.c" -> ("engine", "engine/postgres")
    parts = path.parts
    return parts[0], "/".join(parts[:2]) if len(parts) > 2 else parts[0]

def main(root):
    bad = []
    for file in sorted(root.rglob("*.[ch]")):
        rel = file.relative_to(root)
        floor, folder = home(rel)
        for kind, target in INCLUDE.findall(file.read_text()):
            if kind == "<":
                owner = OWNED.get(target)
                if owner and not folder.startswith(owner):
                    bad.append(f"{rel}: <{target}> belongs to {owner}/")
                continue
            if "/" not in target:
                bad.append(f'{rel}: "{target}" must be written from src/, e.g. "{floor}/{target}"')
                continue
            to_floor, to_folder = home(pathlib.PurePath(target))
            if to_floor not in FLOORS or floor not in FLOORS:
                bad.append(f"{rel}: unknown floor in {target}")
            elif FLOORS[to_floor] > FLOORS[floor] or (FLOORS[to_floor] == FLOORS[floor] and to_floor != floor):
                bad.append(f"{rel}: {floor}/ may not know {to_floor}/ ({target})")
            elif to_folder in PRIVATE and to_folder != folder and rel.as_posix() not in {"cli/main.c", "load/tool/main.c"}:
                bad.append(f"{rel}: {to_folder}/ is private ({target})")
    print("\n".join(bad) or "floors hold")
    return bool(bad)

sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")))

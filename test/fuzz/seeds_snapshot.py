#!/usr/bin/env python3
"""Seeds for fuzz_snapshot: snapshots of small servers."""
import json
import pathlib
import sys

out = pathlib.Path(sys.argv[2])
DDL = {"postgres": ["CREATE TABLE public.t (a integer NOT NULL, b text)", "CREATE UNIQUE INDEX t_a ON public.t (a)",
                    "ALTER TABLE public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a)"],
       "mysql": ["CREATE TABLE `t` (`a` int NOT NULL, `b` varchar(20), PRIMARY KEY (`a`)) ENGINE=InnoDB"]}
for count, (engine, version) in enumerate([("postgres", 150020), ("mysql", 90700), ("mariadb", 101100)]):
    tables = [{"schema": "public", "name": name, "view": False, "empty": rows == 0, "rows": rows, "bytes": rows * 100,
               "index_bytes": rows * 20, "writes": 7, "row_versions": 3, "row_versions_most": 64, "views": ["public.v"],
               "indexes": ["t_a"], "ddl": DDL.get(engine, DDL["mysql"])} for name, rows in [("t", 10 ** 8), ("p", 0)]]
    (out / f"seed{count}").write_text(json.dumps(
        {"stoa_snapshot": 1, "taken": "2026-11-29", "engine": engine, "version": version, "version_text": "1",
         "replicas": 2, "lock_timeout_ms": 0, "statement_timeout_ms": 10, "tables": tables}))

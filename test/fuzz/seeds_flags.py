#!/usr/bin/env python3
"""Seeds for fuzz_flags: keys, state files, operators' words, requests and journals; the first byte says which."""
import json
import pathlib
import sys

out = pathlib.Path(sys.argv[2])
STEPS = [{"phase": "expand", "kind": "ddl", "state": "done"}, {"phase": "contract", "kind": "evidence", "state": "pending"}]
CHANGE = {"name": "w", "state": "ready", "phase": "ready", "ready_position": "0/1", "steps": STEPS,
          "columns": [{"schema": "public", "table": "orders", "column": "c", "is": "added"}],
          "signals": [{"name": "replica-lag", "target": "r", "value": 1.5, "limit": 5, "age_ms": 3}],
          "measured": {"1": {"batches": {"ok": 1}, "batch_s": {"us": 5, "n": [0] * 14}, "sums": {"rows": 3, "done_ms": 4}}},
          "throttled_by": "replica r lags 7.2 s (limit 5.0 s)"}
SAID = {"flag": "schema.public.orders.c.read", "set": "12.5%", "at": "2026-11-20T21:04:31Z", "account": "a@b", "reason": None}
KEYS = ["schema.public.orders.c.read", "orders.c.read", "shop.public.orders.c.write@x", '"a.b"."T ""q""".é.read', "`a.b`.t.stage",
        'orders.c.drop_ready@w', "schema..", "@", '"']
STATE = {"v": 1, "label": "fuzz", "system": "7/1", "database": "shop", "changes": [CHANGE], "flags": [SAID],
         "promised": {"schema.public.orders.c.read": "w", "schema.a.b.c.read": "gone"}, "lost": [SAID]}
BODIES = [{"context": {"targetingKey": "user-1", "plan": "gold"}}, {"context": {}}, {"context": {"targetingKey": 3}}, [], {"context": None},
          {"context": {"targetingKey": "\u0000é"}}]
seeds = [bytes([0]) + key.encode() for key in KEYS]
seeds += [bytes([1]) + json.dumps(STATE).encode()]
seeds += [bytes([2]) + word.encode() for word in ("on", "off", "25%", "0%", "100%", "0.005%", "1e3%", "101%", "..%", "%")]
seeds += [bytes([3]) + f"{key}\n\"0123\"\n/prefix\n{json.dumps(body)}".encode() for key in KEYS[:3] for body in BODIES]
seeds += [bytes([4]) + json.dumps({"changes": [CHANGE], "flags": [SAID], "system": system}).encode() for system in ("7/1", "7/2")]
for number, seed in enumerate(seeds):
    (out / f"seed{number}").write_bytes(seed)

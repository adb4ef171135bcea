"""Seeds for fuzz_config: files that are right, and a few that are not."""
import pathlib
import sys

SEEDS = ["max-stall: 100ms\nenvironments:\n  production: {url: 'postgres://a@b/c', max-lag: 2s}\n",
         "check:\n  rules: {drop-column: warn}\n  paths:\n    - path: [legacy, \"old/*.sql\"]\n      rules: {all: off}\n",
         "a: &x [1, 2]\nb: *x\n", "&a [*a]", "---\na: |\n  text\n  more\n...\n", "a: >-\n  x\n? b\n: c\n", "a: [", "a: 1\na: 2\n",
         "!!str x: !!int 7\n", "%YAML 1.1\n---\na\n", "\ufeffa: 'it''s'\n", "{[]: 1}"]
out = pathlib.Path(sys.argv[2])
for number, seed in enumerate(SEEDS):
    (out / f"seed_{number}").write_text(seed)

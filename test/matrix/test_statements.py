"""Every statement of statements.py has a safe plan that does what the plain SQL does, or a precise refusal."""
import json
import os

import pytest

from test.lib.servers import Server
from test.matrix.judge import Template, judge
from test.matrix.statements import STATEMENTS

_templates = {}


@pytest.fixture
def template(home):
    def of(version):
        if version not in _templates:
            _templates[version] = Template(Server(home, version), "shop")
        return _templates[version]
    return of


def test_there_are_enough():
    assert len(STATEMENTS) >= 200 and len({statement.sql for statement in STATEMENTS}) == len(STATEMENTS)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)
def test_statement(statement, template):
    verdict = judge(statement, template(18 if statement.since > 15 else 15))
    if os.environ.get("STOA_STATEMENTS_OUT"):
        with open(os.environ["STOA_STATEMENTS_OUT"], "a") as out:
            out.write(json.dumps({"group": statement.group, "sql": statement.sql, "outcome": verdict.outcome,
                                  "wrong": verdict.wrong, "detail": verdict.detail}) + "\n")
    assert bool(verdict.wrong) == statement.gap, str(verdict)

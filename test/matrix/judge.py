"""What the program makes of a statement, against the plain SQL on a twin database."""
import re

import psycopg
from psycopg import sql

from test.lib.database import Database
from test.lib.stoa import Stoa
from test.matrix import shop

# Words that name a gap in the program rather than a reason.
EXCUSES = re.compile(r"not (supported|carried out|known|handled|possible) yet|there is no way yet|not yet|"
                     r"cannot carry (it )?out|not supported|internal error|a bug")
PLANNED, REFUSED, NOTHING = "planned", "refused", "nothing to do"


class Twin(Database):
    """A database made from the shop; its owner is the superuser, so that no right is missing."""

    def __init__(self, server, template):
        self.server, self.version = server, server.version
        self.name, self.owner = template.fresh(), "postgres"
        self.roles, self._admin, self._extra = [], None, []
        with server.connect() as conn:
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(self.name), sql.Identifier(template.name)))


class Template:
    """The shop, once a server, to be copied."""

    def __init__(self, server, name):
        self.server, self.name, self.count = server, name, 0
        with server.connect() as conn:
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        with server.connect(name) as conn:
            conn.execute(shop.schema(server.version))
            conn.execute(shop.rows(server.version))
            conn.execute("ANALYZE")

    def fresh(self):
        self.count += 1
        return f"{self.name}_{self.count}"


class Verdict:
    def __init__(self, statement, outcome, wrong="", detail=""):
        self.statement, self.outcome, self.wrong, self.detail = statement, outcome, wrong, detail

    def __str__(self):
        return f"{self.statement.name}\n    {self.outcome}" + (f"; WRONG: {self.wrong}" if self.wrong else "") + (
            f"\n    {self.detail}" if self.detail else "")


def words(text):
    return " | ".join(line.strip() for line in text.strip().splitlines() if line.strip())[:700]


def split_order(print_):
    """Lines of Database.fingerprint() without the place of columns, and the places apart."""
    lines, order = [], {}
    for kind, name, value in print_:
        if kind == "column":
            place, _, value = value.partition(" ")
            order[name] = int(place)
            value = re.sub(r" ?\{pg_attver=\d+\}", "", value)  # a mark of the server's own
        if kind in ("comment", "published"):
            name = re.sub(r"\b\d{5,}\b", "N", name)  # an object's number, where it has no better name
        lines.append((kind, name, value))
    return sorted(lines), order


def plain(statement, twin):
    """Runs it as it is written; None, or what the server says."""
    try:
        with twin.server.connect(twin.name) as conn:
            for part in ([statement.sql] if "$$" in statement.sql else statement.sql.split("; ")):
                conn.execute(part)
    except psycopg.Error as problem:
        return f"{problem.sqlstate}: {words(str(problem))}"
    return None


def judge(statement, template):
    server = template.server
    mine = Twin(server, template)
    program = Stoa(mine.admin_url)
    args = [part for fill in statement.backfill for part in ("--backfill", fill)]
    try:
        return _judge(statement, template, mine, program, args)
    finally:
        program.close()
        mine.drop()


def _judge(statement, template, mine, program, args):
    before = mine.fingerprint()
    told = program("plan", statement.sql, "--probe", "on", "--json", *args, code=None)
    if mine.fingerprint() != before:
        return Verdict(statement, "plan", "planning changed the database")
    if told.code != 0:
        return refusal(statement, template, told)
    plan = told.json
    if plan["nothing_to_do"]:
        return Verdict(statement, NOTHING, *effect(statement, template, mine, plan))
    accepts = sorted({risk["accept"] for risk in plan["risks"] if risk["accept"] and not risk["accepted"]})
    done = program("apply", statement.sql, "--yes", "--probe", "on", "--lock-wait", "60s", "--max-stall", "1s", *args, *accepts, code=None)
    if done.code != 0:
        said = "\n".join(line for line in done.err.splitlines() if line.startswith(("error:", "hint:")))
        if done.code == 6 and server_refuses(statement, template):
            return Verdict(statement, "planned, rows are in the way", "", words(said))
        return Verdict(statement, PLANNED, f"apply ended with {done.code}", words(said))
    if program.status(plan["change"])["state"] == "ready":
        ended = program("complete", plan["change"], "--yes", "--force", "--quiet", "0s", code=None)
        if ended.code != 0:
            return Verdict(statement, PLANNED, f"complete ended with {ended.code}", words(ended.err))
    return Verdict(statement, PLANNED, *effect(statement, template, mine, plan))


def server_refuses(statement, template):
    twin = Twin(template.server, template)
    try:
        return plain(statement, twin)
    finally:
        twin.drop()


def refusal(statement, template, told):
    """A precise refusal has a reason and says what to do; what the server itself refuses needs its words only."""
    server_says = server_refuses(statement, template)
    detail = words(told.err)
    if told.code not in (2, 4):
        return Verdict(statement, REFUSED, f"exit {told.code}", detail)
    if EXCUSES.search(told.err):
        return Verdict(statement, REFUSED, "no reason but a gap", detail)
    if server_says is None and told.code == 2:
        return Verdict(statement, REFUSED, "exit 2, but the server takes it", detail)
    if server_says is None and "hint:" not in told.err:
        return Verdict(statement, REFUSED, "no hint what to do by hand", detail)
    if statement.refused and statement.refused not in told.err:
        return Verdict(statement, REFUSED, f'"{statement.refused}" is not named', detail)
    return Verdict(statement, REFUSED, "", detail)


def effect(statement, template, mine, plan):
    """The same as the plain SQL leaves, but for the order of columns where the plan says so."""
    twin = Twin(template.server, template)
    try:
        problem = plain(statement, twin)
        if problem and not statement.backfill:
            return "", f"done, although the server refuses the plain SQL: {problem}"
        (ours, our_order), (theirs, their_order) = split_order(mine.fingerprint()), split_order(twin.fingerprint())
        if statement.backfill:  # plain SQL cannot fill
            return "", ""
        only_ours, only_theirs = (
            [" ".join(line) for line in some if line not in others and not (
                statement.beside and statement.beside in " ".join(line))]
            for some, others in ((ours, theirs), (theirs, ours)))
        if only_ours or only_theirs:
            return "another result than the plain SQL", f"stoa: {only_ours[:4]} plain: {only_theirs[:4]}"[:900]
        announced = any("order" in risk["id"] for risk in plan["risks"])
        if our_order != their_order and not announced:
            return "another order of columns, not announced", ""
        return "", ""
    finally:
        twin.drop()

"""Privileges of every shape are the same behind a brown-out as before it, byte for byte but for their order."""
import pytest

from test.lib.servers import until
from test.server.test_retire import acl, hidden, shop  # noqa: F401

# {o} the owner, {a} {b} {c} roles, {g} a group that {a} inherits and {n} one that {c} does not. Said as the role
# in front of the colon.
SHAPES = {
    "all": ["o: GRANT ALL ON orders TO {a}"],
    "select": ["o: GRANT SELECT ON orders TO {a}"],
    "public": ["o: GRANT SELECT, UPDATE ON orders TO PUBLIC"],
    "group": ["o: GRANT SELECT, INSERT ON orders TO {g}", "o: GRANT SELECT ON orders TO {n}"],
    "with_grant_option": ["o: GRANT SELECT, UPDATE ON orders TO {a} WITH GRANT OPTION"],
    "granted_on": ["o: GRANT SELECT, UPDATE ON orders TO {a} WITH GRANT OPTION", "a: GRANT SELECT ON orders TO {b}"],
    "granted_on_twice": ["o: GRANT SELECT ON orders TO {a} WITH GRANT OPTION",
                         "a: GRANT SELECT ON orders TO {b} WITH GRANT OPTION", "b: GRANT SELECT ON orders TO {c}"],
    "by_two_grantors": ["o: GRANT SELECT ON orders TO {a} WITH GRANT OPTION", "o: GRANT SELECT ON orders TO {b}",
                        "a: GRANT SELECT ON orders TO {b}"],
    "columns_only": ["o: GRANT SELECT (id, note), UPDATE (note) ON orders TO {a}"],
    "columns_beside": ["o: GRANT SELECT ON orders TO {a}", "o: GRANT SELECT (id, note), INSERT (amount) ON orders TO {a}"],
    "columns_with_option": ["o: GRANT SELECT (note, amount) ON orders TO {a} WITH GRANT OPTION",
                            "a: GRANT SELECT (note) ON orders TO {b}", "a: GRANT SELECT (amount) ON orders TO {b}"],
    "weaker_on_column": ["o: GRANT SELECT (amount) ON orders TO {a}",
                         "o: GRANT SELECT ON orders TO {a} WITH GRANT OPTION"],
    "stronger_on_column": ["o: GRANT SELECT (amount) ON orders TO {a} WITH GRANT OPTION",
                           "o: GRANT SELECT ON orders TO {a}"],
    "column_from_table_option": ["o: GRANT SELECT ON orders TO {a} WITH GRANT OPTION",
                                 "a: GRANT SELECT (amount) ON orders TO {b}", "a: GRANT SELECT (note) ON orders TO {b}"],
    "references_and_rest": ["o: GRANT REFERENCES, TRIGGER, TRUNCATE, DELETE ON orders TO {a}",
                            "o: GRANT INSERT (note) ON orders TO PUBLIC"],
    "owner_less": ["o: REVOKE UPDATE ON orders FROM {o}", "o: GRANT UPDATE, SELECT ON orders TO {a}"],
    "default_privileges": ["o: ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {c}", "o: GRANT SELECT ON orders TO {a}"],
    "quoted": ["o: GRANT SELECT ON orders TO {q}"],
}


@pytest.fixture
def roles(shop):  # noqa: F811
    db = shop
    db.run(f"REVOKE ALL ON orders FROM {db.app}")
    names = {"o": db.owner, "a": db.app, "b": db.role("b"), "c": db.role("c"), "g": db.role("g", "NOLOGIN"),
             "n": db.role("n", "NOLOGIN"), "q": f'"{db.role("Q u")}"'}
    db.admin.execute(f"GRANT {names['g']} TO {names['a']}; GRANT {names['n']} TO {names['c']}; ALTER ROLE {names['c']} NOINHERIT")
    db.names = names
    return db


def say(db, lines):
    for line in lines:
        who, text = line.split(": ", 1)
        db.run(text.format(**db.names), db.names[who])


def may(db):
    """Who may do what with which column, whatever the way."""
    return db.rows("SELECT r.rolname, a.attname, p, has_column_privilege(r.oid, 'orders'::regclass, a.attnum, p) FROM pg_roles r, "
                   "pg_attribute a, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p WHERE a.attrelid = "
                   "'orders'::regclass AND a.attnum > 0 AND r.rolname LIKE %s AND r.rolname <> %s ORDER BY 1, 2, 3",
                   [db.name + "\\_%", db.owner])


@pytest.mark.parametrize("shape", SHAPES)
def test_privileges_are_restored(roles, admin_stoa, shape):
    db = roles
    say(db, SHAPES[shape])
    before, could = acl(db), may(db)
    running = admin_stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force")
    until(lambda: db.value("SELECT to_regclass('stoa.events')") is not None and
          db.value("SELECT count(*) FROM stoa.events WHERE kind = 'brownout' AND detail ->> 'state' = 'hidden'") == 1,
          60, "it is hidden")
    can = may(db)
    assert all(not yes for _, column, _, yes in can if column == "note"), can
    assert [row for row in can if row[1] != "note"] == [row for row in could if row[1] != "note"]
    admin_stoa("retire", "orders.note", "--undo")
    running.wait(3)
    assert acl(db) == before
    assert may(db) == could
    if shape == "default_privileges":
        db.run("CREATE TABLE later (id int)")
        assert db.value("SELECT has_table_privilege(%s, 'later', 'SELECT')", [db.names["c"]])


def test_what_others_grant_meanwhile_stays(roles, admin_stoa):
    db = roles
    say(db, ["o: GRANT SELECT, UPDATE ON orders TO {a} WITH GRANT OPTION", "o: GRANT INSERT ON orders TO {b}"])
    running = admin_stoa.start("retire", "orders.note", "--yes", "--for", "10m", "--force")
    until(lambda: hidden(db), 60, "it is hidden")
    say(db, ["o: GRANT DELETE ON orders TO {c}", "o: GRANT SELECT ON orders TO {c}", "a: GRANT SELECT (amount) ON orders TO {b}",
             "o: REVOKE INSERT ON orders FROM {b}"])
    admin_stoa("retire", "orders.note", "--undo")
    running.wait(3)
    check = lambda role, what: db.value(f"SELECT has_table_privilege(%s, 'orders', %s)", [db.names[role], what])
    assert check("c", "DELETE") and check("c", "SELECT") and check("a", "SELECT") and check("a", "UPDATE")
    assert not check("b", "INSERT"), "what was taken meanwhile is not given back"
    assert db.value("SELECT has_column_privilege(%s, 'orders', 'amount', 'SELECT')", [db.names["b"]])


def test_a_grantor_that_we_may_not_act_as(roles, stoa):
    db = roles
    say(db, ["o: GRANT SELECT ON orders TO {a} WITH GRANT OPTION", "a: GRANT SELECT ON orders TO {b}"])
    before = acl(db)
    result = stoa("retire", "orders.note", "--yes", "--force", code=7)
    assert "which we may not act as" in result.err and db.app in result.err, str(result)
    assert acl(db) == before

"""The journal of an older version is brought to the present one by the first run, and goes on being used."""
import pathlib

VERSION_1 = (pathlib.Path(__file__).parents[1] / "data" / "journal_1.sql").read_text()


def shape(db):
    return db.rows("SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
                   "pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                   "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
                   "WHERE c.relnamespace = 'stoa'::regnamespace AND c.relkind IN ('r', 'i') AND a.attnum > 0 ORDER BY 1, 2")


def test_a_journal_of_version_1_is_upgraded(db, stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 50) i")
    db.run(VERSION_1)
    db.run("INSERT INTO stoa.changes (name, change_digest, plan_digest, sql, plan, state, phase) "
           "VALUES ('old', 'x', 'y', 'SELECT 1', '{}', 'completed', 'contract')")
    stoa("plan", "ALTER TABLE t ADD COLUMN b bigint", "--backfill", "t.b = a")
    assert db.value("SELECT version FROM stoa.meta") == 1, "looking changes nothing"
    assert [change["name"] for change in stoa("status", "--all", "--json").json["changes"]] == ["old"]
    stoa("apply", "ALTER TABLE t ADD COLUMN b bigint", "--backfill", "t.b = a", "--yes")
    assert db.value("SELECT version FROM stoa.meta") == 4
    upgraded = shape(db)
    db.run("UPDATE t SET a = 7 WHERE id = 3")
    assert db.value("SELECT b FROM t WHERE id = 3") == 7
    stoa("complete", "--yes", "--force")
    stoa("uninstall", "--yes")
    stoa("apply", "ALTER TABLE t ADD COLUMN c int", "--yes")
    assert shape(db) == upgraded, "the same journal as one that is made anew"


def test_only_the_owner_of_the_journal_upgrades_it(db, stoa, admin_stoa):
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 50) i")
    db.run(VERSION_1, user="postgres")
    db.run(f"GRANT ALL ON SCHEMA stoa TO {db.owner}; GRANT ALL ON ALL TABLES IN SCHEMA stoa TO {db.owner}; "
           f"GRANT ALL ON ALL SEQUENCES IN SCHEMA stoa TO {db.owner}", user="postgres")
    change = ["apply", "ALTER TABLE t ADD COLUMN b bigint", "--backfill", "t.b = a", "--yes"]
    refused = stoa(*change, code=7)
    assert "version 1" in refused.err and "owns schema stoa" in refused.err
    admin_stoa("apply", "ALTER TABLE t ADD COLUMN c int", "--yes")
    assert db.value("SELECT version FROM stoa.meta") == 4
    stoa(*change)
    db.run("UPDATE t SET a = 7 WHERE id = 3")
    assert db.value("SELECT b FROM t WHERE id = 3") == 7

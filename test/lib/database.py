"""A database of its own for each test, with a plain owner, and what tests ask of it."""
import itertools

import psycopg
from psycopg import sql

numbers = itertools.count(1)

# Everything a change must leave as it was, of all schemas but the server's and Stoa's own. Without OIDs,
# file names, statistics and dropped columns.
FINGERPRINT = """
WITH ours AS (SELECT oid, nspname FROM pg_namespace
              WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'stoa'))
SELECT 'schema', nspname, '' FROM ours
UNION ALL SELECT 'relation', c.oid::regclass::text,
    concat_ws(' ', c.relkind, c.relpersistence, c.relowner::regrole, c.relacl, c.reloptions, c.relrowsecurity,
              c.relforcerowsecurity, c.relreplident, c.relispartition, c.reltablespace)
  FROM pg_class c JOIN ours ON ours.oid = relnamespace
UNION ALL SELECT 'column', a.attrelid::regclass || '.' || attname,
    concat_ws(' ', row_number() OVER (PARTITION BY attrelid ORDER BY attnum), format_type(atttypid, atttypmod),
              attnotnull, attidentity, coalesce(attstattarget, -1), attstorage, (SELECT collname FROM pg_collation l WHERE l.oid = attcollation),
              attacl, attoptions, pg_get_expr(adbin, adrelid))
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = attrelid JOIN ours ON ours.oid = relnamespace
  LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname,
    concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), convalidated, condeferrable, condeferred)
  FROM pg_constraint JOIN ours ON ours.oid = connamespace
UNION ALL SELECT 'index', indexrelid::regclass::text,
    concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready, indisprimary, indisclustered, indisreplident)
  FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN ours ON ours.oid = relnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
  FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN ours ON ours.oid = relnamespace WHERE NOT tgisinternal
UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', md5(prosrc), proowner::regrole, proacl, prosecdef, proconfig)
  FROM pg_proc p JOIN ours ON ours.oid = pronamespace
UNION ALL SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid)
  FROM pg_class c JOIN ours ON ours.oid = relnamespace WHERE relkind IN ('v', 'm')
UNION ALL SELECT 'policy', polrelid::regclass || '.' || polname,
    concat_ws(' ', polcmd, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
UNION ALL SELECT 'comment', concat_ws(' ', classoid::regclass, coalesce(
        (SELECT o.oid::regclass::text FROM pg_class o WHERE o.oid = objoid), objoid::text), objsubid), description
  FROM pg_description WHERE objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_class o JOIN pg_namespace n
        ON n.oid = o.relnamespace WHERE o.oid = objoid AND nspname = 'stoa')
    AND objoid NOT IN (SELECT oid FROM pg_namespace WHERE nspname = 'stoa')
    AND objoid NOT IN (SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'stoa')
UNION ALL SELECT 'publication', pubname, concat_ws(' ', puballtables, pubinsert, pubupdate) FROM pg_publication
UNION ALL SELECT 'published', prpubid::text, prrelid::regclass::text FROM pg_publication_rel
ORDER BY 1, 2, 3
"""


def scratch_databases(conn, oid):
    """The scratch databases kept for the database with this number."""
    return [row[0] for row in conn.execute("SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1",
                                           [f"^stoa_scratch_{oid}_[0-9]+$"]).fetchall()]


class Database:
    def __init__(self, server, name=None):
        self.server = server
        self.version = server.version
        self.name = name or f"t{next(numbers)}"
        self.owner = f"{self.name}_owner"
        with server.connect() as conn:
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(self.owner)))
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                sql.Identifier(self.name), sql.Identifier(self.owner)))
        self.roles = [self.owner]
        self._admin = None
        self._extra = []

    @property
    def admin(self):
        """A superuser's autocommit connection; opened again after a restart of the server."""
        if self._admin is not None and not self._admin.closed:
            try:
                self._admin.execute("SELECT 1")
            except psycopg.OperationalError:
                self._admin.close()
        if self._admin is None or self._admin.closed:
            self._admin = self.server.connect(self.name, application_name="test")
            self._admin.prepare_threshold = None  # what is asked again and again may have other columns by then
        return self._admin

    def connect(self, user=None, **parameters):
        """A further session as the owner, closed with the database."""
        conn = self.server.connect(self.name, user or self.owner, **parameters)
        self._extra.append(conn)
        return conn

    def url(self, user=None, **parameters):
        return self.server.url(self.name, user or self.owner, **parameters)

    @property
    def admin_url(self):
        return self.server.url(self.name, "postgres")

    def role(self, suffix, options="LOGIN"):
        role = f"{self.name}_{suffix}"
        self.admin.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(role)))
        self.roles.append(role)
        return role

    def run(self, text, user=None):
        """Statements as the owner (or another user), in one go."""
        with self.server.connect(self.name, user or self.owner) as conn:
            conn.execute(text)

    def rows(self, text, params=None):
        return self.admin.execute(text, params).fetchall()

    def value(self, text, params=None):
        row = self.admin.execute(text, params).fetchone()
        return None if row is None else row[0]

    def fingerprint(self):
        return [tuple(map(str, row)) for row in self.rows(FINGERPRINT)]

    def columns(self, table):
        """{name: (type, not null, default)} of a table given as in SQL."""
        return {name: (type_, not_null, default) for name, type_, not_null, default in self.rows(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) "
            "FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [table])}

    def constraints(self, table):
        """{name: (definition, validated)}"""
        return {name: (text, valid) for name, text, valid in self.rows(
            "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype <> 'n'", [table])}

    def triggers(self, table):
        return [row[0] for row in self.rows(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY 1", [table])]

    def drop(self):
        for conn in [*self._extra, self._admin]:
            if conn is not None:
                conn.close()
        with self.server.connect() as conn:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name])
            for (slot,) in conn.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s AND NOT active",
                                        [self.name]).fetchall():
                conn.execute("SELECT pg_drop_replication_slot(%s)", [slot])
            for (gid,) in conn.execute("SELECT gid FROM pg_prepared_xacts WHERE database = %s", [self.name]).fetchall():
                with self.server.connect(self.name) as other:
                    other.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
            force = " WITH (FORCE)" if self.version >= 13 else ""
            own = conn.execute("SELECT oid FROM pg_database WHERE datname = %s", [self.name]).fetchone()[0]
            for name in [self.name, *scratch_databases(conn, own)]:
                conn.execute(sql.SQL("DROP DATABASE {}" + force).format(sql.Identifier(name)))
            for role in self.roles:
                conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def orders(database, count=2000, table="orders"):
    """A small table of orders with two secondary indexes, made by the owner."""
    with database.server.connect(database.name, database.owner) as conn:
        conn.execute(f"""
            CREATE TABLE {table} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, customer_id int NOT NULL,
                amount numeric(12,2) NOT NULL, status text NOT NULL DEFAULT 'new', note text,
                created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz)""")
        conn.execute(f"INSERT INTO {table} (customer_id, amount, status, note) SELECT i % 100, (i % 9973) + 0.25, "
                     f"(ARRAY['new', 'paid', 'sent'])[1 + i % 3], repeat('n', i % 40) FROM generate_series(1, {count}) i")
        conn.execute(f"CREATE INDEX ON {table} (customer_id)")
        conn.execute(f"CREATE INDEX ON {table} (status, created_at)")

-- Who would not notice that privileges on a table are gone. $1 the table's number. One row a role that is
-- connected; why NULL: it would.
-- A line that ends in "--@14+" is for PostgreSQL 14 and later only.
WITH rel AS (
    SELECT c.oid AS id, c.relowner FROM pg_catalog.pg_class c WHERE c.oid = $1::oid
), here AS (
    SELECT a.usesysid AS role, pg_catalog.count(*) AS sessions
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.application_name NOT LIKE 'stoa:%' AND a.usesysid IS NOT NULL
    GROUP BY a.usesysid
)
SELECT r.rolname AS role, h.sessions AS sessions,
    CASE WHEN r.rolsuper THEN 'is a superuser'
         WHEN r.oid = rel.relowner THEN 'owns the table'
         WHEN pg_catalog.pg_has_role(r.oid, rel.relowner, 'USAGE') THEN 'has the rights of the owner'
         WHEN EXISTS (SELECT FROM pg_catalog.pg_roles d WHERE d.rolname = 'pg_read_all_data' --@14+
                      AND pg_catalog.pg_has_role(r.oid, d.oid, 'USAGE')) THEN 'is a member of pg_read_all_data' --@14+
    END AS why
FROM here h JOIN pg_catalog.pg_roles r ON r.oid = h.role, rel
ORDER BY 1

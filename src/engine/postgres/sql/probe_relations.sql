-- Every relation of the user's in schemas whose names begin with $1, with what a statement can change about its storage. pg_relation_filenode takes
-- no lock. The scans are those of this session that it has not handed on yet, so only their growth counts. Made by
-- an earlier step of the plan is what is newer than all that was copied.
SELECT c.oid::int8 AS id, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
    coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8 AS node,
    coalesce(pg_catalog.pg_relation_filenode(nullif(c.reltoastrelid, 0)), 0)::int8 AS toast_node,
    coalesce(i.indrelid, 0)::int8 AS table_id,
    pg_catalog.pg_stat_get_xact_numscans(c.oid) AS scans,
    coalesce(c.oid::int8 > nullif(pg_catalog.current_setting('stoa.newest_copy', true), '')::int8, false) AS made
FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_catalog.left(n.nspname, pg_catalog.length($1::text)) = $1::text
    AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I')
ORDER BY c.oid

-- Who stands before a lock on tables: holders of conflicting locks, then those who wait for one.
-- $1 tables, $2 lock modes that conflict (as pg_locks writes them), from the weakest to the strongest.
WITH here AS (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
), held AS (
    -- The strongest lock of each: $2 begins with the weakest.
    SELECT DISTINCT ON (coalesce(l.pid::text, l.virtualtransaction)) l.pid, l.virtualtransaction, l.mode, l.granted,
           l.relation
    FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = ANY ($1::oid[]) AND l.database = (SELECT oid FROM here)
      AND l.mode = ANY ($2::text[]) AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    ORDER BY coalesce(l.pid::text, l.virtualtransaction), l.granted DESC,
        pg_catalog.array_position($2::text[], l.mode) DESC
), me AS (
    SELECT a.usesysid, a.client_addr FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()
)
SELECT coalesce(h.pid, 0) AS pid,
    CASE WHEN h.pid IS NULL THEN 'prepared transaction ' || coalesce(x.gid, '')
         WHEN a.backend_type = 'autovacuum worker' THEN 'autovacuum' ELSE coalesce(a.application_name, '') END
        AS application,
    coalesce(a.usename::text, x.owner::text, '') AS "user",
    CASE WHEN h.pid IS NULL THEN 'prepared' ELSE coalesce(a.state, '') END AS state,
    CASE WHEN a.query <> '<insufficient privilege>' AND a.query <> '' THEN "left"(a.query, 200) END AS statement,
    CASE WHEN h.pid IS NULL THEN 'prepared transaction' ELSE h.mode END AS mode,
    h.relation::regclass::text AS relation,
    coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(a.xact_start, x.prepared)) * 1000, 0)::int8
        AS age_ms,
    NOT h.granted AS waiting
FROM held h CROSS JOIN me
    LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = h.pid
    -- A prepared transaction has no process; it is known by the lock on its own number.
    LEFT JOIN pg_catalog.pg_locks own
        ON h.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' AND own.granted
            AND own.virtualtransaction = h.virtualtransaction
    LEFT JOIN pg_catalog.pg_prepared_xacts x ON x.transaction::text = own.transactionid::text
WHERE NOT coalesce(a.application_name LIKE 'stoa: %' AND a.usesysid = me.usesysid
                   AND a.client_addr IS NOT DISTINCT FROM me.client_addr, false)
ORDER BY waiting, age_ms DESC, pid

-- The server, the database and what this role may do, in one row; lists are JSON.
-- A line that ends in "--@15+" is for PostgreSQL 15 and later only, "--@15-" for what is older.
WITH me AS (
    SELECT r.rolsuper, r.rolsuper OR r.rolcreatedb AS creates, r.rolsuper OR pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS sees
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
), journal AS (
    SELECT n.oid, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usable,
           pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')
                               AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
                               AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
                               AND pg_catalog.has_table_privilege(c.oid, 'DELETE')) AS granted,
           pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')) AS all_readable,
           pg_catalog.bool_or(c.relname = 'meta') AS has_meta,
           pg_catalog.bool_or(c.relname = 'meta' AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) AS readable
    FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
    WHERE n.nspname = 'stoa' GROUP BY n.oid
), wal AS (
    SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                THEN coalesce(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
                ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
)
SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) AS version,
    pg_catalog.current_database() AS database,
    current_user AS role,
    me.rolsuper AS superuser,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.current_setting('default_transaction_read_only') = 'on' AS read_only,
    pg_catalog.pg_backend_pid() AS pid,
    me.rolsuper
        OR pg_catalog.has_parameter_privilege(current_user, 'session_replication_role', 'SET') --@15+
        AS may_quiet_triggers,
    me.rolsuper
        OR pg_catalog.has_parameter_privilege(current_user, 'deadlock_timeout', 'SET') --@15+
        AS may_yield_autovacuum,
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schema,
    me.creates AS may_create_database,
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AS may_temp,
    me.sees AS may_read_stats,
    journal.has_meta AS journal_exists,
    journal.usable AND journal.readable AS journal_readable,
    journal.usable AND journal.all_readable AS journal_all_readable,
    journal.usable AND journal.granted AS journal_granted,
    pg_catalog.current_setting('block_size') AS block_size,
    pg_catalog.current_setting('wal_level') AS wal_level,
    (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout') AS deadlock_timeout_ms,
    pg_catalog.array_to_json(pg_catalog.array_remove(pg_catalog.current_schemas(false), NULL)) AS search_path,
    pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may_control_system,
    pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') AS may_control_checkpoint,
    pg_catalog.current_setting('max_connections') AS max_connections,
    (SELECT count(*) FROM pg_catalog.pg_stat_activity a
        WHERE a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.datid IS NOT NULL) AS connections,
    pg_catalog.current_setting('server_encoding') AS encoding,
    pg_catalog.current_setting('autovacuum') = 'on' AS autovacuum,
    EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_stat_statements')
        AND pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL AS statement_statistics,
    pg_catalog.current_setting('synchronous_standby_names') <> '' AS wants_synchronous,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', r.application_name || coalesce('@' || pg_catalog.host(r.client_addr), ''),
            'visible', r.state IS NOT NULL, 'synchronous', coalesce(r.sync_state IN ('sync', 'quorum'), false))
        ORDER BY r.application_name, r.client_addr, r.pid)
     FROM pg_catalog.pg_stat_replication r
     WHERE r.state IS DISTINCT FROM 'backup' AND r.pid NOT IN (
        SELECT s.active_pid FROM pg_catalog.pg_replication_slots s
        WHERE s.slot_type = 'logical' AND s.active_pid IS NOT NULL)) AS standbys,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', o.owner, 'tables', o.tables) ORDER BY o.owner)
     FROM (SELECT pg_catalog.pg_get_userbyid(c.relowner) AS owner, count(*) AS tables
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
              AND n.nspname NOT IN ('information_schema', 'stoa') AND NOT (
              pg_catalog.pg_has_role(current_user, c.relowner, 'USAGE')
              AND pg_catalog.pg_has_role(current_user, c.relowner, 'SET') --@16+
              ) GROUP BY 1) o) AS other_owners,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', s.slot_name, 'plugin', s.plugin,
            'active', s.active, 'retained',
            coalesce(pg_catalog.pg_wal_lsn_diff(wal.lsn, s.restart_lsn), 0)::int8) ORDER BY s.slot_name)
     FROM pg_catalog.pg_replication_slots s
     WHERE s.slot_type = 'logical' AND s.database = pg_catalog.current_database()) AS slots,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', p.pubname, 'all', p.puballtables)
        ORDER BY p.pubname) FROM pg_catalog.pg_publication p
     WHERE p.puballtables
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace pn --@15+
                   JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid --@15+
                   WHERE pn.pnpubid = p.oid AND n.nspname = 'stoa') --@15+
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel pr
                   JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE pr.prpubid = p.oid AND n.nspname = 'stoa')) AS publications
FROM me CROSS JOIN wal LEFT JOIN journal ON true

-- One relation and all that belongs to it, in one row; lists are JSON.
-- $1 schema or NULL for the search path, $2 name. No row: there is no such relation.
-- A line that ends in "--@15+" is for PostgreSQL 15 and later only, "--@15-" for what is older.
WITH RECURSIVE rel AS (
    SELECT c.oid AS id, c.relname, c.relkind, c.relowner, c.relnamespace, c.relpersistence, c.relrowsecurity,
           c.relforcerowsecurity, c.reltuples, c.relpages, c.reloptions, n.nspname,
           CASE WHEN c.relkind IN ('r', 'm', 't') THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END AS heap_bytes,
           c.relispartition
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE CASE WHEN $1::text IS NULL THEN c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident($2::text))
               ELSE n.nspname = $1::text AND c.relname = $2::text END
), ancestor(id) AS (
    SELECT id FROM rel
    UNION
    SELECT i.inhparent FROM ancestor a
        JOIN pg_catalog.pg_class c ON c.oid = a.id AND c.relispartition
        JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.id
), above(id, level) AS (
    SELECT i.inhparent, 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = (SELECT id FROM rel)
    UNION ALL
    SELECT i.inhparent, a.level + 1 FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.id
), below(id, parent, level, detaching) AS (
    SELECT i.inhrelid, i.inhparent, 1, false
        OR i.inhdetachpending --@14+
    FROM pg_catalog.pg_inherits i JOIN rel ON rel.id = i.inhparent WHERE rel.relkind IN ('r', 'p', 'f')
    UNION
    SELECT i.inhrelid, i.inhparent, b.level + 1, b.detaching
        OR i.inhdetachpending --@14+
    FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.id
), type_base(start, typ) AS (
    SELECT a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = (SELECT id FROM rel) AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT b.start, t.typbasetype FROM type_base b
        JOIN pg_catalog.pg_type t ON t.oid = b.typ WHERE t.typtype = 'd'
), unproved(attnum) AS (
    SELECT 0::int2 WHERE false
    UNION SELECT k.conkey[1] FROM pg_catalog.pg_constraint k --@18+
    WHERE k.conrelid = (SELECT id FROM rel) AND k.contype = 'n' AND NOT k.convalidated --@18+
), col AS (
    SELECT a.attnum, a.attname, a.attcollation, a.atttypid, t.typname AS base,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expr,
           a.attgenerated <> '' AS generated, --@12+
           false AS generated, --@12-
           a.attidentity AS identity,
           pg_catalog.has_column_privilege((SELECT relowner FROM rel), a.attrelid, a.attnum, 'UPDATE') AS writable,
           a.attnotnull AND a.attnum NOT IN (SELECT u.attnum FROM unproved u) AS not_null,
           CASE WHEN a.attcollation <> own.typcollation
                THEN (SELECT pg_catalog.format('%I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
                      JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)
           END AS collation,
           -- Equal values are the same bytes: what a B-tree may deduplicate (pg_amproc support function 4,
           -- from 13 on, says the same of these types). Blank-padded text only with a length.
           (t.typtype = 'e' OR t.typnamespace = 'pg_catalog'::regnamespace AND (
               t.typname IN ('int2', 'int4', 'int8', 'oid', 'bool', 'date', 'time', 'timetz', 'timestamp',
                             'timestamptz', 'uuid', 'bytea', 'text', 'varchar', 'char', 'name', 'macaddr',
                             'macaddr8', 'inet', 'cidr', 'money', 'bit', 'varbit', 'pg_lsn', 'tid')
               OR t.typname = 'bpchar' AND a.atttypmod > 0 AND own.typtype <> 'd'))
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_collation co --@12+
                           WHERE co.oid = a.attcollation AND NOT co.collisdeterministic) --@12+
           AS exact
    FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
        JOIN type_base b ON b.start = a.atttypid
        JOIN pg_catalog.pg_type t ON t.oid = b.typ AND t.typtype <> 'd'
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = (SELECT id FROM rel) AND a.attnum > 0 AND NOT a.attisdropped
), ind AS (
    SELECT i.indexrelid AS id, c.relname AS name, n.nspname AS schema, i.indisunique, i.indisprimary,
           i.indisvalid AND i.indisready AS valid, i.indimmediate, i.indpred IS NULL AS whole,
           (SELECT m.amname = 'btree' FROM pg_catalog.pg_am m WHERE m.oid = c.relam) AS btree,
           pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
           CASE WHEN c.relkind = 'i' THEN pg_catalog.pg_relation_size(i.indexrelid) ELSE 0 END AS bytes,
           (SELECT pg_catalog.json_build_array(pn.nspname, p.relname) FROM pg_catalog.pg_inherits h
                JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
                JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
            WHERE h.inhrelid = i.indexrelid) AS parent, keys.*
    FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            -- Plain: can be compared and ordered by the column's own operators and collation.
            SELECT pg_catalog.json_agg(col.attname ORDER BY k.ord) AS columns,
                   pg_catalog.bool_and(coalesce(col.not_null AND col.attcollation = k.coll
                                                AND fam.is_default, false)) AS plain,
                   pg_catalog.count(*) = 1 AND pg_catalog.bool_and(coalesce(
                       col.base IN ('int2', 'int4', 'int8'), false)) AS integer,
                   (pg_catalog.array_agg(col.attname ORDER BY k.ord))[1] AS first_column
            FROM ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indcollation::oid[]),
                            pg_catalog.unnest(i.indclass::oid[])) WITH ORDINALITY AS k(attnum, coll, opclass, ord)
                LEFT JOIN col ON col.attnum = k.attnum
                LEFT JOIN LATERAL (SELECT pg_catalog.bool_or(sib.opcdefault) AS is_default
                    FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_opclass sib ON sib.opcfamily = o.opcfamily
                    WHERE o.oid = k.opclass) fam ON true
            WHERE k.ord <= i.indnkeyatts --@11+
        ) keys
    WHERE i.indrelid = (SELECT id FROM rel) AND i.indislive
)
SELECT rel.nspname AS schema, rel.relname AS name, rel.id::int8 AS id, rel.relkind AS relkind,
    rel.id < 16384 OR rel.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') AS system,
    rel.relispartition AS is_partition,
    (SELECT pg_catalog.format('%I.%I', pn.nspname, p.relname) FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
     WHERE i.inhrelid = rel.id ORDER BY i.inhseqno LIMIT 1) AS parent,
    EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = rel.id) AS has_children,
    (SELECT pg_catalog.json_build_array(tn.nspname, t.relname) FROM above a
        JOIN pg_catalog.pg_class t ON t.oid = a.id JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
     ORDER BY a.level DESC LIMIT 1) AS root,
    (SELECT a.id::int8 FROM above a ORDER BY a.level DESC LIMIT 1) AS root_id,
    CASE WHEN rel.relispartition THEN pg_catalog.pg_get_partition_constraintdef(rel.id) END
        AS partition_constraint,
    false
        OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = rel.id AND i.inhdetachpending) --@14+
        AS detaching,
    CASE WHEN rel.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(rel.id) END AS partition_key,
    (SELECT pg_catalog.json_agg(a.attname ORDER BY k.ord) FROM pg_catalog.pg_partitioned_table pt
        CROSS JOIN LATERAL pg_catalog.unnest(pt.partattrs::int2[]) WITH ORDINALITY AS k(attnum, ord)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = pt.partrelid AND a.attnum = k.attnum AND k.attnum > 0
     WHERE pt.partrelid = rel.id) AS key_columns,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname,
            'id', b.id::int8, 'parent', pg_catalog.json_build_array(pn.nspname, p.relname), 'kind', c.relkind,
            'bound', pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'detaching', b.detaching,
            -- Opens it: what a session knows of it is not looked up under the lock then.
            'bytes', pg_catalog.pg_relation_size(c.oid))
        ORDER BY b.level, n.nspname, c.relname)
     FROM (SELECT id, pg_catalog.min(parent::int8)::oid AS parent, pg_catalog.max(level) AS level,
                  pg_catalog.bool_or(detaching) AS detaching FROM below GROUP BY id) b
        JOIN pg_catalog.pg_class c ON c.oid = b.id JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_class p ON p.oid = b.parent
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace) AS partitions,
    pg_catalog.pg_get_userbyid(rel.relowner) AS owner,
    pg_catalog.pg_has_role(current_user, rel.relowner, 'USAGE')
        AND pg_catalog.pg_has_role(current_user, rel.relowner, 'SET') --@16+
        AS may_own,
    rel.relpersistence = 't' AS temporary,
    rel.relpersistence = 'u' AS unlogged,
    rel.relrowsecurity AS rls,
    rel.relforcerowsecurity AS rls_forced,
    rel.reltuples AS tuples, rel.relpages AS pages, rel.heap_bytes AS heap_bytes,
    CASE WHEN rel.relkind IN ('r', 'm') THEN pg_catalog.pg_indexes_size(rel.id) ELSE 0 END AS index_bytes,
    CASE WHEN rel.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(rel.id) ELSE 0 END AS total_bytes,
    coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(rel.reloptions) o
              WHERE o.option_name = 'fillfactor'), '100') AS fillfactor,
    -- As the planner guesses the width of rows it has no statistics of.
    (SELECT coalesce(sum(CASE WHEN t.typlen > 0 THEN t.typlen
                              WHEN a.atttypmod > 4 AND t.typname IN ('varchar', 'bpchar')
                              THEN least((a.atttypmod - 4) / 2 + 1, 1000) ELSE 32 END), 0)
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = rel.id AND a.attnum > 0 AND NOT a.attisdropped) AS width,
    rel.relkind IN ('r', 'p') AND pg_catalog.has_any_column_privilege(rel.id, 'SELECT')
        AND pg_catalog.has_schema_privilege(rel.relnamespace, 'USAGE')
        AND NOT pg_catalog.row_security_active(rel.id) AS may_look,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', c.attname, 'type', c.type,
            'default', CASE WHEN NOT c.generated THEN c.expr END, 'generated', CASE WHEN c.generated THEN c.expr END,
            'collation', c.collation, 'identity', c.identity, 'not_null', c.not_null, 'exact', c.exact,
            'writable', c.writable)
        ORDER BY c.attnum) FROM col c) AS columns,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', i.schema, 'name', i.name,
            'definition', i.definition, 'columns', i.columns, 'unique', i.indisunique,
            'primary', i.indisprimary, 'valid', i.valid, 'btree', i.btree,
            'key', i.indisunique AND i.valid AND i.indimmediate AND i.whole AND i.plain,
            'integer', i.integer, 'bytes', i.bytes, 'parent', i.parent,
            'constraint', (SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conindid = i.id
                           AND k.conrelid = rel.id AND k.contype IN ('p', 'u', 'x') LIMIT 1),
            'correlation', (SELECT s.correlation FROM pg_catalog.pg_stats s WHERE s.schemaname = rel.nspname
                            AND s.tablename = rel.relname AND s.attname = i.first_column AND NOT s.inherited))
        ORDER BY i.name) FROM ind i) AS indexes,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'kind', k.contype,
            'validated', k.convalidated, 'ref_schema', fn.nspname, 'ref_table', f.relname,
            'inherited', k.coninhcount > 0, 'local', k.conislocal,
            'definition', pg_catalog.pg_get_constraintdef(k.oid))
        ORDER BY k.conname) FROM pg_catalog.pg_constraint k
            LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
            LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
     WHERE k.conrelid = rel.id AND k.contype IN ('c', 'f', 'u', 'p', 'x', 'n')) AS constraints,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', g.tgname,
            'function', pg_catalog.format('%I.%I', fn.nspname, f.proname), 'enabled', g.tgenabled,
            'type', g.tgtype, 'any_column', pg_catalog.cardinality(g.tgattr::int2[]) = 0,
            -- 11 to 14 call a partition's copy of its parent's trigger internal, too.
            'internal', g.tgisinternal AND (g.tgconstraint <> 0 OR NOT rel.relispartition),
            'stoa', fn.nspname = 'stoa',
            'compiled', (SELECT l.lanname IN ('c', 'internal') FROM pg_catalog.pg_language l
                         WHERE l.oid = f.prolang)) ORDER BY g.tgname)
     FROM (
        -- Of the tables beneath it those that it does not have itself, each name once.
        SELECT DISTINCT ON (t.tgname) t.* FROM pg_catalog.pg_trigger t
        WHERE t.tgrelid = rel.id OR NOT t.tgisinternal AND t.tgrelid IN (SELECT b.id FROM below b)
        ORDER BY t.tgname, t.tgrelid = rel.id DESC
     ) g JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid
        JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace) AS triggers,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', p.pubname,
            'all', p.puballtables OR p.of_schema, 'journal', p.puballtables OR p.of_journal,
            'columns', coalesce(p.columns, false), 'rows', coalesce(p.rows, false)) ORDER BY p.pubname)
     FROM (SELECT pub.pubname, pub.puballtables,
              EXISTS (SELECT FROM pg_catalog.pg_publication_namespace pn --@15+
                      JOIN pg_catalog.pg_class ac ON ac.relnamespace = pn.pnnspid --@15+
                      WHERE pn.pnpubid = pub.oid AND ac.oid IN (SELECT a.id FROM ancestor a)) OR --@15+
              false AS of_schema,
              EXISTS (SELECT FROM pg_catalog.pg_publication_namespace pn --@15+
                      JOIN pg_catalog.pg_namespace jn ON jn.oid = pn.pnnspid --@15+
                      WHERE pn.pnpubid = pub.oid AND jn.nspname = 'stoa') OR --@15+
              EXISTS (SELECT FROM pg_catalog.pg_publication_rel jr
                      JOIN pg_catalog.pg_class jc ON jc.oid = jr.prrelid
                      JOIN pg_catalog.pg_namespace jn ON jn.oid = jc.relnamespace
                      WHERE jr.prpubid = pub.oid AND jn.nspname = 'stoa') AS of_journal,
              listed.*
           FROM pg_catalog.pg_publication pub LEFT JOIN LATERAL (
              SELECT true AS listed,
                     pg_catalog.bool_and(pr.prattrs IS NOT NULL) AS columns, --@15+
                     pg_catalog.bool_and(pr.prqual IS NOT NULL) AS rows --@15+
                     false AS columns, false AS rows --@15-
              FROM pg_catalog.pg_publication_rel pr
              WHERE pr.prpubid = pub.oid AND pr.prrelid IN (SELECT a.id FROM ancestor a) HAVING count(*) > 0
           ) listed ON true) p
     WHERE rel.relkind IN ('r', 'p') AND rel.relpersistence = 'p' AND rel.id >= 16384
        AND (p.puballtables OR p.of_schema OR p.listed)) AS publications,
    (SELECT pg_catalog.json_agg(DISTINCT pg_catalog.format('%I.%I', vn.nspname, v.relname))
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
        JOIN pg_catalog.pg_class v ON v.oid = r.ev_class JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = rel.id AND v.oid <> rel.id) AS views,
    (SELECT coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000), 0)::int8
     FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'relation' AND l.relation = rel.id AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ) AS oldest_writer_ms,
    pg_catalog.current_setting('default_transaction_isolation') IN ('repeatable read', 'serializable')
        OR EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS c(setting)
                   WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                               WHERE datname = pg_catalog.current_database()))
                     AND c.setting ~* '^default_transaction_isolation=(repeatable read|serializable)$')
        AS repeatable_read_default,
    EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'stoa' AND c.relname = 'sync_columns'
              AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
              AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) AS has_sync,
    -- The module answers only where it was loaded at server start: then its settings exist.
    (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL) AS statements_schema
FROM rel

-- What is known of the tables $1 (qualified names, quoted as SQL needs it): one row of JSON a table. Read from the
-- catalog and the planner's statistics alone; of user tables no row is read. Runs with search_path = pg_catalog,
-- pg_temp and DateStyle ISO. Values of types that have an order are given as numbers: times in seconds.
WITH rel AS (
    SELECT c.oid, c.relname, n.nspname, c.reltuples, c.relpages, c.reltoastrelid, c.reloptions, c.relkind
    FROM unnest($1::text[]) AS u(name) JOIN pg_class c ON c.oid = u.name::regclass
        JOIN pg_namespace n ON n.oid = c.relnamespace
), col AS (
    SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type, b.typname AS base,
        b.typtype, b.oid AS base_id, b.typlen, t.typelem, a.attnotnull OR t.typnotnull AS not_null,
        a.attidentity::text AS identity, to_jsonb(a) ->> 'attgenerated' AS generated,
        CASE WHEN b.typname IN ('varchar', 'bpchar') AND m.typmod > 4 THEN m.typmod - 4 END AS most,
        CASE WHEN b.typname = 'numeric' AND m.typmod > 4 THEN (m.typmod - 4) & 2047 END AS scale,
        s.null_frac, s.avg_width, s.n_distinct, s.correlation, s.most_common_freqs::float8[] AS freqs,
        s.most_common_vals::text::text[] AS common, s.histogram_bounds::text::text[] AS bounds,
        CASE WHEN b.typname IN ('int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'oid', 'money') THEN 'number'
             WHEN b.typname IN ('date', 'timestamp', 'timestamptz') THEN 'time'
             WHEN b.typname IN ('time', 'interval') THEN 'span'
             WHEN b.typname = 'bool' OR b.typtype = 'e' THEN 'label'
             WHEN b.typname IN ('text', 'varchar', 'bpchar', 'citext', 'name') THEN 'text'
             ELSE 'other' END AS kind
    FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN LATERAL (
            WITH RECURSIVE beneath(id, typmod) AS (
                SELECT a.atttypid, a.atttypmod
                UNION ALL SELECT d.typbasetype, d.typtypmod FROM beneath w JOIN pg_type d ON d.oid = w.id
                WHERE d.typtype = 'd')
            SELECT w.id, w.typmod FROM beneath w JOIN pg_type d ON d.oid = w.id WHERE d.typtype <> 'd') m ON true
        JOIN pg_type b ON b.oid = m.id
        LEFT JOIN pg_stats s ON s.schemaname = r.nspname AND s.tablename = r.relname AND s.attname = a.attname
            AND NOT s.inherited
), axis AS (
    SELECT c.attrelid, c.attnum,
        CASE c.kind
            WHEN 'number' THEN (SELECT json_agg(CASE WHEN c.base = 'money' THEN v::money::numeric ELSE v::numeric END
                                ORDER BY o) FROM unnest(c.common) WITH ORDINALITY u(v, o) WHERE v !~ '[nN]')
            WHEN 'time' THEN (SELECT json_agg(extract(epoch FROM v::timestamptz) ORDER BY o)
                FROM unnest(c.common) WITH ORDINALITY u(v, o) WHERE v !~ 'inf|BC')
            WHEN 'span' THEN (SELECT json_agg(extract(epoch FROM v::interval) ORDER BY o)
                FROM unnest(c.common) WITH ORDINALITY u(v, o))
            WHEN 'label' THEN to_json(c.common)
            WHEN 'text' THEN to_json(c.common) END AS common,
        CASE c.kind
            WHEN 'number' THEN (SELECT json_agg(CASE WHEN c.base = 'money' THEN v::money::numeric ELSE v::numeric END
                                ORDER BY o) FROM unnest(c.bounds) WITH ORDINALITY u(v, o) WHERE v !~ '[nN]')
            WHEN 'time' THEN (SELECT json_agg(extract(epoch FROM v::timestamptz) ORDER BY o)
                FROM unnest(c.bounds) WITH ORDINALITY u(v, o) WHERE v !~ 'inf|BC')
            WHEN 'span' THEN (SELECT json_agg(extract(epoch FROM v::interval) ORDER BY o)
                FROM unnest(c.bounds) WITH ORDINALITY u(v, o)) END AS bounds,
        (SELECT json_agg(octet_length(v) ORDER BY o) FROM unnest(c.bounds) WITH ORDINALITY u(v, o)
         WHERE c.kind IN ('text', 'other')) AS lengths
    FROM col c
)
SELECT json_build_object(
    'schema', r.nspname, 'name', r.relname, 'partitioned', r.relkind = 'p', 'analyzed', r.reltuples > 0 OR r.relpages > 0,
    'rows', CASE WHEN r.relpages > 0 AND r.reltuples >= 0
        THEN round(r.reltuples::numeric / r.relpages * (pg_relation_size(r.oid) / current_setting('block_size')::int))
        ELSE greatest(r.reltuples, 0) END,
    'heap_bytes', pg_relation_size(r.oid),
    'toast_bytes', CASE WHEN r.reltoastrelid <> 0 THEN pg_relation_size(r.reltoastrelid) ELSE 0 END,
    'fillfactor', coalesce((SELECT option_value::int FROM pg_options_to_table(r.reloptions)
                            WHERE option_name = 'fillfactor'), 100),
    'dead_rows', coalesce(pg_stat_get_dead_tuples(r.oid), 0),
    'inserted', coalesce(pg_stat_get_tuples_inserted(r.oid), 0),
    'updated', coalesce(pg_stat_get_tuples_updated(r.oid), 0),
    'hot_updated', coalesce(pg_stat_get_tuples_hot_updated(r.oid), 0),
    'deleted', coalesce(pg_stat_get_tuples_deleted(r.oid), 0),
    'fetched', (SELECT coalesce(sum(pg_stat_get_numscans(i.indexrelid)), 0) FROM pg_index i WHERE i.indrelid = r.oid),
    'columns', (SELECT json_agg(json_build_object(
            'name', c.attname, 'type', c.type, 'base', c.base, 'kind', c.kind, 'size', c.typlen, 'array', c.typelem <> 0 AND c.typlen = -1,
            'not_null', c.not_null, 'identity', c.identity, 'generated', coalesce(c.generated, '') <> '',
            'most', c.most, 'scale', c.scale, 'null_fraction', c.null_frac, 'width', c.avg_width,
            'distinct', c.n_distinct, 'correlation', c.correlation, 'frequencies', to_json(c.freqs),
            'common', x.common, 'bounds', x.bounds, 'lengths', x.lengths,
            'labels', (SELECT json_agg(v.enumlabel ORDER BY v.enumsortorder) FROM pg_enum v WHERE v.enumtypid = c.base_id))
            ORDER BY c.attnum)
        FROM col c JOIN axis x ON x.attrelid = c.attrelid AND x.attnum = c.attnum WHERE c.attrelid = r.oid),
    'indexes', (SELECT json_agg(json_build_object(
            'name', x.relname, 'bytes', pg_relation_size(x.oid), 'unique', i.indisunique, 'primary', i.indisprimary,
            'whole', i.indpred IS NULL, 'btree', m.amname = 'btree', 'fillfactor', coalesce((SELECT option_value::int
                FROM pg_options_to_table(x.reloptions) WHERE option_name = 'fillfactor'), 0),
            'columns', (SELECT json_agg(a.attname ORDER BY k.o) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(n, o)
                LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.n AND k.n > 0
                WHERE k.o <= coalesce((to_jsonb(i) ->> 'indnkeyatts')::int, i.indnatts)))
            ORDER BY x.relname)
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        WHERE i.indrelid = r.oid AND i.indisvalid),
    'references', (SELECT json_agg(json_build_object(
            'schema', pn.nspname, 'name', p.relname,
            'columns', (SELECT json_agg(a.attname ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
            'keys', (SELECT json_agg(a.attname ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
                JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)) ORDER BY k.conname)
        FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE k.conrelid = r.oid AND k.contype = 'f'))
FROM rel r ORDER BY r.oid

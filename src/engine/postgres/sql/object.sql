-- What stands under the name of an object, and the server's own words for it, without the schema in front.
-- $1 type as pg_get_object_address() takes it, $2 names, $3 argument types. Fails where there is none.
-- A line that ends in "--@15+" is for PostgreSQL 15 and later only, "--@15-" for what is older.
WITH obj AS (
    SELECT classid, objid FROM pg_catalog.pg_get_object_address($1::text, $2::text[], $3::text[])
), place AS (
    SELECT o.classid, o.objid, n.nspname FROM obj o
        JOIN pg_catalog.pg_namespace n ON n.oid = CASE o.classid
            WHEN 'pg_catalog.pg_class'::regclass THEN (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = o.objid)
            WHEN 'pg_catalog.pg_type'::regclass THEN (SELECT typnamespace FROM pg_catalog.pg_type WHERE oid = o.objid)
            WHEN 'pg_catalog.pg_proc'::regclass THEN (SELECT pronamespace FROM pg_catalog.pg_proc WHERE oid = o.objid)
            WHEN 'pg_catalog.pg_trigger'::regclass THEN (SELECT c.relnamespace FROM pg_catalog.pg_trigger t
                JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE t.oid = o.objid)
            WHEN 'pg_catalog.pg_policy'::regclass THEN (SELECT c.relnamespace FROM pg_catalog.pg_policy t
                JOIN pg_catalog.pg_class c ON c.oid = t.polrelid WHERE t.oid = o.objid)
            WHEN 'pg_catalog.pg_rewrite'::regclass THEN (SELECT c.relnamespace FROM pg_catalog.pg_rewrite t
                JOIN pg_catalog.pg_class c ON c.oid = t.ev_class WHERE t.oid = o.objid)
        END
), columns AS (
    SELECT p.objid, pg_catalog.string_agg(pg_catalog.format('%I %s%s%s%s%s', a.attname,
               pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
               CASE WHEN a.attidentity <> '' THEN ' identity ' || a.attidentity::text END,
               CASE WHEN a.attgenerated <> '' THEN ' generated' END, --@12+
               '', --@12-
               ' ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum) AS text
    FROM place p JOIN pg_catalog.pg_attribute a
        ON a.attrelid = CASE WHEN p.classid = 'pg_catalog.pg_class'::regclass THEN p.objid
                             ELSE (SELECT t.typrelid FROM pg_catalog.pg_type t WHERE t.oid = p.objid) END
            AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    GROUP BY p.objid
), words AS (
    SELECT p.classid, p.objid, p.nspname, CASE p.classid
        WHEN 'pg_catalog.pg_class'::regclass THEN (
            SELECT CASE c.relkind
                WHEN 'v' THEN (SELECT k.text FROM columns k) || E'\n' || pg_catalog.pg_get_viewdef(c.oid) ||
                    coalesce(pg_catalog.array_to_string(c.reloptions, ','), '')
                WHEN 'm' THEN pg_catalog.pg_get_viewdef(c.oid) || coalesce(pg_catalog.array_to_string(c.reloptions, ','), '')
                WHEN 'S' THEN (SELECT pg_catalog.concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement,
                                   s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
                               FROM pg_catalog.pg_sequence s WHERE s.seqrelid = c.oid)
                WHEN 'r' THEN pg_catalog.concat_ws(E'\n', (SELECT k.text FROM columns k),
                    (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid)),
                         E'\n' ORDER BY k.conname) FROM pg_catalog.pg_constraint k
                     WHERE k.conrelid = c.oid AND k.contype NOT IN ('f', 'n', 't')))
            END FROM pg_catalog.pg_class c WHERE c.oid = p.objid)
        WHEN 'pg_catalog.pg_type'::regclass THEN (
            SELECT CASE t.typtype
                WHEN 'e' THEN coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
                     FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '')
                WHEN 'c' THEN coalesce((SELECT k.text FROM columns k), '')
                WHEN 'r' THEN (SELECT pg_catalog.format('%s %s %s %s', pg_catalog.format_type(r.rngsubtype, NULL), r.rngcollation,
                                   r.rngsubopc, r.rngsubdiff) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
                WHEN 'd' THEN pg_catalog.concat_ws(E'\n', pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull,
                    t.typdefault, t.typcollation, (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', k.conname,
                        pg_catalog.pg_get_constraintdef(k.oid)), E'\n' ORDER BY k.conname)
                        FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
            END FROM pg_catalog.pg_type t WHERE t.oid = p.objid)
        WHEN 'pg_catalog.pg_proc'::regclass THEN (
            SELECT pg_catalog.pg_get_functiondef(f.oid) FROM pg_catalog.pg_proc f WHERE f.oid = p.objid
            AND f.prokind IN ('f', 'p')) --@11+
            AND NOT f.proisagg AND NOT f.proiswindow) --@11-
        WHEN 'pg_catalog.pg_trigger'::regclass THEN pg_catalog.pg_get_triggerdef(p.objid)
        WHEN 'pg_catalog.pg_rewrite'::regclass THEN pg_catalog.pg_get_ruledef(p.objid)
        WHEN 'pg_catalog.pg_policy'::regclass THEN (
            SELECT pg_catalog.concat_ws(' ', l.polcmd, l.polpermissive, l.polroles::text,
                pg_catalog.pg_get_expr(l.polqual, l.polrelid), 'check', pg_catalog.pg_get_expr(l.polwithcheck, l.polrelid))
            FROM pg_catalog.pg_policy l WHERE l.oid = p.objid)
    END AS text
    FROM place p
)
SELECT pg_catalog.replace(pg_catalog.replace(w.text, pg_catalog.quote_ident(w.nspname) || '.', ''), 'pg_temp.', '') AS definition,
    CASE
        WHEN w.classid = 'pg_catalog.pg_proc'::regclass OR w.classid = 'pg_catalog.pg_trigger'::regclass
            THEN w.text
        WHEN w.classid = 'pg_catalog.pg_rewrite'::regclass THEN pg_catalog.rtrim(w.text, ';')
        WHEN w.classid = 'pg_catalog.pg_class'::regclass THEN (
            SELECT pg_catalog.format('CREATE OR REPLACE VIEW %I.%I%s AS %s', w.nspname, c.relname,
                ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
                pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'))
            FROM pg_catalog.pg_class c WHERE c.oid = w.objid AND c.relkind = 'v')
    END AS restore
FROM words w
UNION ALL
SELECT NULL, NULL FROM obj o WHERE NOT EXISTS (SELECT FROM words)

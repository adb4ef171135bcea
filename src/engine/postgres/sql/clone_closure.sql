-- What an empty clone of some tables has to hold: rows of (class, id, level) as pg_depend knows objects.
-- $1 the tables; $2 the search path; then what statements speak of: $3 schemas (NULL: by search path), $4 names,
-- $5 what they may stand for (NAMES_… in engine/probe.h), $6 levels. Runs with search_path = pg_catalog, pg_temp, as all queries of the clone do.
-- Level 2: the tables, their partitions, parents and views, whose dependents are followed as well; 1: what those
-- need or what points at them; 0: what the text of an SQL function seems to speak of, which may be missing.
-- What another plan has in scratch schemas just now is nothing of the user's.
WITH RECURSIVE scratch AS (
    SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^stoa_scratch_[0-9]+_[0-9]+_[0-9a-f]+_[0-9]+$'
), mention AS (
    SELECT m.name, m.kinds, m.level, n.oid AS space
    FROM unnest($3::text[], $4::text[], $5::int[], $6::int[]) AS m(space, name, kinds, level)
        JOIN pg_namespace n ON n.nspname = m.space OR m.space IS NULL AND n.nspname = ANY ($2::text[])
), alone AS (
    SELECT m.name, m.kinds, m.level FROM unnest($3::text[], $4::text[], $5::int[], $6::int[]) AS m(space, name, kinds, level)
    WHERE m.space IS NULL
), root(class, id, level) AS (
    SELECT 'pg_class'::regclass::oid, coalesce(i.indrelid, c.oid), m.level
    FROM mention m JOIN pg_class c ON c.relname = m.name AND c.relnamespace = m.space AND c.relkind <> 'c'
        LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE m.kinds & 1 <> 0
    UNION ALL SELECT 'pg_type'::regclass, t.oid, m.level
    FROM mention m JOIN pg_type t ON t.typname = m.name AND t.typnamespace = m.space WHERE m.kinds & 2 <> 0
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, m.level
    FROM mention m JOIN pg_proc p ON p.proname = m.name AND p.pronamespace = m.space WHERE m.kinds & 4 <> 0
    UNION ALL SELECT 'pg_operator'::regclass, o.oid, m.level
    FROM mention m JOIN pg_operator o ON o.oprname = m.name AND o.oprnamespace = m.space WHERE m.kinds & 8 <> 0
    UNION ALL SELECT 'pg_collation'::regclass, l.oid, m.level
    FROM mention m JOIN pg_collation l ON l.collname = m.name AND l.collnamespace = m.space WHERE m.kinds & 16 <> 0
    UNION ALL SELECT 'pg_opclass'::regclass, o.oid, m.level
    FROM mention m JOIN pg_opclass o ON o.opcname = m.name AND o.opcnamespace = m.space WHERE m.kinds & 32 <> 0
    UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, m.level
    FROM mention m JOIN pg_opfamily o ON o.opfname = m.name AND o.opfnamespace = m.space WHERE m.kinds & 32 <> 0
    UNION ALL SELECT 'pg_ts_config'::regclass, s.oid, m.level
    FROM mention m JOIN pg_ts_config s ON s.cfgname = m.name AND s.cfgnamespace = m.space WHERE m.kinds & 64 <> 0
    UNION ALL SELECT 'pg_ts_dict'::regclass, s.oid, m.level
    FROM mention m JOIN pg_ts_dict s ON s.dictname = m.name AND s.dictnamespace = m.space WHERE m.kinds & 64 <> 0
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, m.level
    FROM mention m JOIN pg_statistic_ext s ON s.stxname = m.name AND s.stxnamespace = m.space WHERE m.kinds & 1 <> 0
    UNION ALL SELECT 'pg_extension'::regclass, e.oid, m.level
    FROM alone m JOIN pg_extension e ON e.extname = m.name WHERE m.kinds & 128 <> 0
    UNION ALL SELECT 'pg_language'::regclass, l.oid, m.level
    FROM alone m JOIN pg_language l ON l.lanname = m.name WHERE m.kinds & 256 <> 0
    UNION ALL SELECT o.class, o.id, m.level
    FROM alone m JOIN pg_namespace n ON n.nspname = m.name CROSS JOIN LATERAL (
        SELECT 'pg_class'::regclass AS class, c.oid AS id FROM pg_class c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p WHERE p.pronamespace = n.oid
        UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t WHERE t.typnamespace = n.oid) o
    WHERE m.kinds & 1024 <> 0
), walk(class, id, level) AS (
    SELECT 'pg_class'::regclass::oid, unnest($1::oid[]), 2
    UNION SELECT r.class, r.id, r.level FROM root r WHERE r.id >= 16384
    UNION
    SELECT e.class, e.id, e.level FROM walk w CROSS JOIN LATERAL (
        -- What it needs; of an extension's member only the extension.
        SELECT d.refclassid AS class, d.refobjid AS id,
            CASE WHEN w.level = 2 AND w.class = 'pg_rewrite'::regclass AND d.deptype = 'i' THEN 2
                 ELSE least(w.level, 1) END AS level
        FROM pg_depend d
        WHERE d.classid = w.class AND d.objid = w.id AND d.refobjid >= 16384 AND d.deptype <> 'x'
          AND (d.deptype = 'e' OR NOT EXISTS (SELECT FROM pg_depend x
               WHERE x.classid = w.class AND x.objid = w.id AND x.deptype = 'e'))
        UNION ALL SELECT 'pg_class'::regclass, t.typrelid, least(w.level, 1)
        FROM pg_type t WHERE w.class = 'pg_type'::regclass AND t.oid = w.id AND t.typrelid <> 0
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid, least(w.level, 1)
        FROM pg_constraint k WHERE w.class = 'pg_type'::regclass AND k.contypid = w.id
        -- A relation's own parts.
        UNION ALL SELECT 'pg_attrdef'::regclass, a.oid, least(w.level, 1)
        FROM pg_attrdef a WHERE w.class = 'pg_class'::regclass AND a.adrelid = w.id
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid, least(w.level, 1)
        FROM pg_constraint k
        WHERE w.class = 'pg_class'::regclass AND k.conrelid = w.id AND (w.level = 2 OR k.contype NOT IN ('f', 't'))
        UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, least(w.level, 1)
        FROM pg_index i WHERE w.class = 'pg_class'::regclass AND i.indrelid = w.id
        UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, least(w.level, 1)
        FROM pg_statistic_ext s WHERE w.class = 'pg_class'::regclass AND s.stxrelid = w.id
        UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, w.level
        FROM pg_rewrite r
        WHERE w.class = 'pg_class'::regclass AND r.ev_class = w.id AND (w.level = 2 OR r.rulename = '_RETURN')
        UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 1
        FROM pg_trigger t
        WHERE w.class = 'pg_class'::regclass AND t.tgrelid = w.id AND w.level = 2 AND NOT t.tgisinternal
        UNION ALL SELECT 'pg_policy'::regclass, p.oid, 1
        FROM pg_policy p WHERE w.class = 'pg_class'::regclass AND p.polrelid = w.id AND w.level = 2
        UNION ALL SELECT 'pg_class'::regclass, d.objid, least(w.level, 1)
        FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE w.class = 'pg_class'::regclass AND d.refclassid = w.class AND d.refobjid = w.id
          AND d.classid = w.class AND d.deptype IN ('a', 'i')
        -- Parents and children.
        UNION ALL SELECT 'pg_class'::regclass, i.inhparent, 2
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
        WHERE w.class = 'pg_class'::regclass AND w.level = 2 AND i.inhrelid = w.id
        UNION ALL SELECT 'pg_class'::regclass, i.inhrelid, 2
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent AND c.relkind IN ('r', 'p', 'f')
        WHERE w.class = 'pg_class'::regclass AND w.level = 2 AND i.inhparent = w.id
        -- What depends on it, or on its row type.
        UNION ALL SELECT d.classid, d.objid, CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 2 ELSE 1 END
        FROM pg_depend d
        WHERE w.class = 'pg_class'::regclass AND w.level = 2 AND d.refclassid = w.class AND d.refobjid = w.id
        UNION ALL SELECT d.classid, d.objid, CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 2 ELSE 1 END
        FROM pg_class c JOIN pg_type t ON t.oid = c.reltype
            JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
        WHERE w.class = 'pg_class'::regclass AND w.level = 2 AND c.oid = w.id
        UNION ALL SELECT d.classid, d.objid, CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 2 ELSE 1 END
        FROM pg_depend d
        WHERE w.class <> 'pg_class'::regclass AND w.level = 2 AND d.refclassid = w.class AND d.refobjid = w.id
          AND d.deptype <> 'e'
        UNION ALL SELECT d.classid, d.objid, CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 2 ELSE 1 END
        FROM pg_type t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.typarray
        WHERE w.class = 'pg_type'::regclass AND w.level = 2 AND t.oid = w.id AND t.typarray <> 0
        -- An SQL function may be inlined where an index or a check uses it: then its text must make sense.
        UNION ALL SELECT o.class, o.id, 0
        FROM pg_proc f CROSS JOIN LATERAL (
                SELECT DISTINCT u.word FROM unnest(regexp_split_to_array(lower(f.prosrc), '[^[:alnum:]_$]+')) AS u(word)
            ) u CROSS JOIN LATERAL (
                SELECT 'pg_proc'::regclass AS class, p.oid AS id FROM pg_proc p
                WHERE p.proname = u.word AND p.oid >= 16384 AND p.pronamespace NOT IN (SELECT oid FROM scratch)
                UNION ALL SELECT 'pg_class'::regclass, c.oid FROM pg_class c
                WHERE c.relname = u.word AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm')
                    AND c.relnamespace NOT IN (SELECT oid FROM scratch)
            ) o
        WHERE w.class = 'pg_proc'::regclass AND f.oid = w.id AND f.prolang = 14
          AND NOT EXISTS (SELECT FROM pg_depend x
                          WHERE x.classid = 'pg_proc'::regclass AND x.objid = f.oid AND x.deptype = 'e')
    ) e
)
SELECT w.class, w.id, max(w.level) AS level
FROM walk w
WHERE NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = w.class AND x.objid = w.id AND x.deptype = 'e')
GROUP BY w.class, w.id

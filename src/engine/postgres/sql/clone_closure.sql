-- What an empty clone of some tables has to hold: rows of (class, id, level) as pg_depend knows objects.
-- $1 the tables. Runs with search_path = pg_catalog, pg_temp, as all queries of the clone do.
-- Level 2: the tables, their partitions, parents and views, whose dependents are followed as well; 1: what those
-- need or what points at them; 0: what the text of an SQL function seems to speak of, which may be missing.
WITH RECURSIVE walk(class, id, level) AS (
    SELECT 'pg_class'::regclass::oid, unnest($1::oid[]), 2
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
        -- An SQL function may be inlined where an index or a check uses it: then its text must make sense.
        UNION ALL SELECT o.class, o.id, 0
        FROM pg_proc f CROSS JOIN LATERAL (
                SELECT DISTINCT u.word FROM unnest(regexp_split_to_array(lower(f.prosrc), '[^[:alnum:]_$]+')) AS u(word)
            ) u CROSS JOIN LATERAL (
                SELECT 'pg_proc'::regclass AS class, p.oid AS id FROM pg_proc p
                WHERE p.proname = u.word AND p.oid >= 16384
                UNION ALL SELECT 'pg_class'::regclass, c.oid FROM pg_class c
                WHERE c.relname = u.word AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm')
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

-- What a transaction of ours reached outside the scratch schemas whose names begin with $1; in words, NULL: nothing.
-- `gone`: numbers of relations that it locked and that are no more. Members of extensions are not copied, so they
-- may be read and depended on.
WITH space AS (
    SELECT n.oid FROM pg_catalog.pg_namespace n WHERE pg_catalog.left(n.nspname, pg_catalog.length($1::text)) = $1::text
), member AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), own(class, id) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, oid FROM pg_catalog.pg_class WHERE relnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE pronamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, oid FROM pg_catalog.pg_operator WHERE oprnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, oid FROM pg_catalog.pg_opclass WHERE opcnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, oid FROM pg_catalog.pg_opfamily WHERE opfnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, oid FROM pg_catalog.pg_collation WHERE collnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, oid FROM pg_catalog.pg_conversion WHERE connamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, oid FROM pg_catalog.pg_ts_config WHERE cfgnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, oid FROM pg_catalog.pg_ts_dict WHERE dictnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, oid FROM pg_catalog.pg_statistic_ext WHERE stxnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint WHERE connamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, a.oid FROM pg_catalog.pg_attrdef a
        JOIN pg_catalog.pg_class c ON c.oid = a.adrelid WHERE c.relnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE c.relnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, p.oid FROM pg_catalog.pg_policy p
        JOIN pg_catalog.pg_class c ON c.oid = p.polrelid WHERE c.relnamespace IN (SELECT oid FROM space)
), outside AS (
    -- every schema of the user's but these
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.oid NOT IN (SELECT oid FROM space)
), held AS (
    SELECT DISTINCT l.relation, l.mode FROM pg_catalog.pg_locks l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
), me AS (
    SELECT (pg_catalog.txid_current() & 4294967295)::text::xid AS id
)
SELECT coalesce((
    SELECT pg_catalog.format('it takes %s on %I.%I', h.mode, o.nspname, c.relname)
    FROM held h JOIN pg_catalog.pg_class c ON c.oid = h.relation JOIN outside o ON o.oid = c.relnamespace
    WHERE h.mode <> 'AccessShareLock' OR NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid)
    LIMIT 1), (
    SELECT pg_catalog.format('it changes %s', x.what) FROM (
        SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, c.oid, 0) AS what
        FROM pg_catalog.pg_class c JOIN outside o ON o.oid = c.relnamespace, me WHERE c.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_proc'::regclass, p.oid, 0)
        FROM pg_catalog.pg_proc p JOIN outside o ON o.oid = p.pronamespace, me WHERE p.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_type'::regclass, t.oid, 0)
        FROM pg_catalog.pg_type t JOIN outside o ON o.oid = t.typnamespace, me WHERE t.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_operator'::regclass, p.oid, 0)
        FROM pg_catalog.pg_operator p JOIN outside o ON o.oid = p.oprnamespace, me WHERE p.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_collation'::regclass, l.oid, 0)
        FROM pg_catalog.pg_collation l JOIN outside o ON o.oid = l.collnamespace, me WHERE l.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_statistic_ext'::regclass, s.oid, 0)
        FROM pg_catalog.pg_statistic_ext s JOIN outside o ON o.oid = s.stxnamespace, me WHERE s.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_namespace'::regclass, o.oid, 0)
        FROM outside o JOIN pg_catalog.pg_namespace n ON n.oid = o.oid, me WHERE n.xmin = me.id
        UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_extension'::regclass, e.oid, 0)
        FROM pg_catalog.pg_extension e, me WHERE e.xmin = me.id) x LIMIT 1), (
    -- An array or row type of a member is not a member itself.
    SELECT pg_catalog.format('%s depends on %s', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid),
        pg_catalog.pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
    FROM own JOIN pg_catalog.pg_depend d ON d.classid = own.class AND d.objid = own.id
    WHERE d.refobjid >= 16384 AND d.refclassid <> 'pg_catalog.pg_extension'::regclass
        AND NOT EXISTS (SELECT FROM own r WHERE r.class = d.refclassid AND r.id = d.refobjid)
        AND NOT (d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid IN (SELECT oid FROM space))
        AND NOT EXISTS (SELECT FROM member m WHERE m.classid = d.refclassid AND m.objid = d.refobjid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i JOIN member m ON m.classid = i.refclassid AND m.objid = i.refobjid
                        WHERE i.classid = d.refclassid AND i.objid = d.refobjid AND i.deptype = 'i')
    LIMIT 1)) AS why,
    (SELECT pg_catalog.array_agg(DISTINCT h.relation)::text FROM held h
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = h.relation)) AS gone

-- What a view that stands in for a relation has to carry, in one row; lists are JSON. $1 the relation's number.
-- Grants are those the relation has now: the owner's own are left out, a view's owner has all of his by himself.
WITH rel AS (
    SELECT c.oid AS id, c.relowner, c.relacl, c.relnamespace FROM pg_catalog.pg_class c WHERE c.oid = $1::oid
), acl AS (
    SELECT NULL::name AS attname, 0::int2 AS attnum, x.grantee, x.privilege_type, x.is_grantable
    FROM rel CROSS JOIN LATERAL pg_catalog.aclexplode(rel.relacl) x
    WHERE x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    UNION ALL
    SELECT a.attname, a.attnum, x.grantee, x.privilege_type, x.is_grantable
    FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.id AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
    WHERE x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
), grants AS (
    SELECT DISTINCT acl.attname, acl.attnum, acl.privilege_type, acl.is_grantable,
           CASE WHEN acl.grantee <> 0 THEN pg_catalog.pg_get_userbyid(acl.grantee) END AS grantee
    FROM acl, rel WHERE acl.grantee <> rel.relowner
), users AS (
    SELECT DISTINCT CASE WHEN x.grantee <> 0 THEN pg_catalog.pg_get_userbyid(x.grantee) END AS grantee
    FROM rel JOIN pg_catalog.pg_namespace n ON n.oid = rel.relnamespace
        CROSS JOIN LATERAL pg_catalog.aclexplode(
            coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x
    WHERE x.privilege_type = 'USAGE' AND x.grantee <> rel.relowner
), version AS (
    -- A schema that --versioned made is known by its function.
    SELECT DISTINCT n.oid, n.nspname, v.relname
    FROM rel JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = rel.id
            AND d.classid = 'pg_catalog.pg_rewrite'::regclass
        JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
        JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' AND v.oid <> rel.id
        JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
    WHERE EXISTS (SELECT FROM pg_catalog.pg_proc p
                  WHERE p.pronamespace = n.oid AND p.proname = 'stoa_version_fits' AND p.pronargs = 0)
)
SELECT pg_catalog.obj_description(rel.id, 'pg_class') AS comment,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('column', a.attname, 'comment', d.description)
                                ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_description d ON d.objoid = a.attrelid
        AND d.objsubid = a.attnum AND d.classoid = 'pg_catalog.pg_class'::regclass
     WHERE a.attrelid = rel.id AND a.attnum > 0 AND NOT a.attisdropped) AS comments,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('column', g.attname, 'privilege', g.privilege_type,
            'grantee', g.grantee, 'grantable', g.is_grantable)
            ORDER BY g.attnum, g.grantee NULLS FIRST, g.is_grantable, g.privilege_type) FROM grants g) AS grants,
    (SELECT pg_catalog.json_agg(u.grantee ORDER BY u.grantee NULLS FIRST) FROM users u) AS users,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', v.nspname, 'view', v.relname, 'others',
            (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class o
             WHERE o.relnamespace = v.oid AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND o.relname <> v.relname))
            ORDER BY v.nspname, v.relname) FROM version v) AS versions
FROM rel

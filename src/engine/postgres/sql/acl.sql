-- Every privilege on a table and on its columns that is not the owner's own. $1 the table's number.
-- One row a privilege; column NULL: on the table; grantee NULL: everybody.
WITH rel AS (
    SELECT c.oid AS id, c.relowner, c.relacl FROM pg_catalog.pg_class c WHERE c.oid = $1::oid
), acl AS (
    SELECT NULL::name AS attname, 0::int2 AS attnum, x.grantor, x.grantee, x.privilege_type, x.is_grantable
    FROM rel CROSS JOIN LATERAL pg_catalog.aclexplode(rel.relacl) x
    UNION ALL
    SELECT a.attname, a.attnum, x.grantor, x.grantee, x.privilege_type, x.is_grantable
    FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.id AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
)
SELECT acl.attname AS column, pg_catalog.pg_get_userbyid(acl.grantor) AS grantor,
    CASE WHEN acl.grantee <> 0 THEN pg_catalog.pg_get_userbyid(acl.grantee) END AS grantee,
    acl.privilege_type AS privilege, acl.is_grantable AS grantable, acl.grantor = rel.relowner AS by_owner,
    pg_catalog.pg_has_role(acl.grantor, 'MEMBER') AS may_act,
    acl.grantor <> rel.relowner AND pg_catalog.pg_has_role(acl.grantor, rel.relowner, 'USAGE') AS as_owner
FROM acl, rel WHERE acl.grantee <> rel.relowner
ORDER BY acl.attnum, 2, 3 NULLS FIRST, acl.privilege_type

-- What a copy of a table under another name needs so that it can take the table's place, and what it could not carry.
-- $1 the table's number, $2 the copy's name, $3 the table's name behind the cutover. Runs with search_path =
-- pg_catalog, pg_temp, so that definitions are qualified.
-- kind 'obstacle': `name` cannot be carried over. Others: `make` are statements on the copy, `swap` go with the change
-- of names (the table is called $3 and the copy as the table by then), `back` the other way round. `columns` must keep
-- their types, as ALTER COLUMN TYPE would ask for. kind 'membership' is done by the session's own role, not the owner's;
-- `more` of it comes before anything is locked. `more` of a key: schema, table and name of it, the other table, 'valid'.
WITH rel AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name,
        format('%I.%I', n.nspname, $2::text) AS copy, format('%I.%I', n.nspname, $3::text) AS old
        , c.oid --@12-
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::int8::oid
), col AS (
    SELECT a.*, rel.name, rel.copy, rel.nspname, rel.relowner,
        a.attgenerated::text AS generated --@12+
        ''::text AS generated --@12-
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
), ind AS (
    SELECT i.*, x.relname, x.reltablespace, x.relname AS own_name, rel.nspname, rel.name AS table_name, rel.copy,
        k.oid AS constraint_id, k.contype, k.condeferrable, k.condeferred, k.conname,
        'stoa_new_' || substr(md5(x.relname), 1, 16) AS new_name, 'stoa_old_' || substr(md5(x.relname), 1, 16) AS old_name,
        pg_get_indexdef(i.indexrelid) AS definition,
        format('CREATE %sINDEX %I ON %s ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, rel.name) AS head
    FROM rel JOIN pg_index i ON i.indrelid = rel.oid JOIN pg_class x ON x.oid = i.indexrelid
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = rel.oid AND k.contype IN ('p', 'u', 'x')
), con AS (
    SELECT k.*
        , k.oid --@12-
    FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid
), seq AS (
    SELECT s.*, c.relname, c.relacl, c.relowner, n.nspname, d.deptype, col.attname, col.attidentity, col.name AS table_name,
        col.copy, format('%I.%I', n.nspname, c.relname) AS name,
        'stoa_new_' || substr(md5(c.relname), 1, 16) AS new_name, 'stoa_old_' || substr(md5(c.relname), 1, 16) AS old_name
    FROM col JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = col.attrelid
            AND d.refobjsubid = col.attnum AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_sequence s ON s.seqrelid = c.oid
), trg AS (
    SELECT t.*, rel.name, rel.copy, rel.old, rel.relowner,
        CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END AS state
        , t.oid --@12-
    FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid AND NOT t.tgisinternal AND t.tgconstraint = 0
), pol AS (
    SELECT p.*, rel.name
        , p.oid --@12-
    FROM rel JOIN pg_policy p ON p.polrelid = rel.oid
), sta AS (
    SELECT s.*, n.nspname, rel.name, rel.copy, format('%I.%I', n.nspname, s.stxname) AS own, rel.relowner,
        'stoa_new_' || substr(md5(s.stxname), 1, 16) AS new_name, 'stoa_old_' || substr(md5(s.stxname), 1, 16) AS old_name,
        pg_get_statisticsobjdef(s.oid) AS definition, format('CREATE STATISTICS %I.%I', n.nspname, s.stxname) AS head,
        ' FROM ' || rel.name AS tail
        , s.oid --@12-
    FROM rel JOIN pg_statistic_ext s ON s.stxrelid = rel.oid JOIN pg_namespace n ON n.oid = s.stxnamespace
), pub AS (
    SELECT l.prpubid, p.pubname, p.pubowner, rel.name, rel.old, rel.copy, coalesce(
        ' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(l.prattrs) WITH ORDINALITY u(attnum, n) --@15+
            JOIN pg_attribute a ON a.attrelid = l.prrelid AND a.attnum = u.attnum) || ')', '') || coalesce( --@15+
        ' WHERE (' || pg_get_expr(l.prqual, l.prrelid) || ')', --@15+
        '') AS what, l.oid AS id
    FROM rel JOIN pg_publication_rel l ON l.prrelid = rel.oid JOIN pg_publication p ON p.oid = l.prpubid
), fk AS (
    SELECT k.oid, k.conname, k.convalidated, k.conrelid = rel.oid AS outgoing, rel.old, rel.copy, rel.oid AS rel_id, k.confrelid,
        format('%I.%I', cn.nspname, c.relname) AS child, cn.nspname::text AS child_schema, c.relname::text AS child_name,
        c.relkind, c.relispartition, c.relowner, format('%I.%I', pn.nspname, p.relname) AS parent, p.relkind AS parent_kind,
        CASE WHEN k.conrelid = rel.oid THEN format('%I.%I', pn.nspname, p.relname) ELSE format('%I.%I', cn.nspname, c.relname) END AS other,
        format('ALTER TABLE %I.%I ADD CONSTRAINT %I ', cn.nspname, c.relname, k.conname)
            || regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') || ' NOT VALID' AS made,
        format('COMMENT ON CONSTRAINT %I ON %I.%I IS ', k.conname, cn.nspname, c.relname)
            || quote_literal(obj_description(k.oid, 'pg_constraint')) AS remark,
        (SELECT array_agg(col.attname::text) FROM col
            WHERE col.attnum = ANY (CASE WHEN k.conrelid = rel.oid THEN k.conkey ELSE k.confkey END)) AS columns
    FROM rel JOIN pg_constraint k ON k.contype = 'f' AND rel.oid IN (k.conrelid, k.confrelid)
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
        JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
), vie AS (
    -- whoever reads a view has locked it before the tables in it, so it is locked first, by a statement that changes nothing
    SELECT w.oid, c.relowner, format('%I.%I', n.nspname, c.relname) AS view,
        format('CREATE OR REPLACE VIEW %I.%I%s AS ', n.nspname, c.relname, ' WITH (' || array_to_string(c.reloptions, ', ') || ')')
            || rtrim(pg_get_viewdef(c.oid), ';') AS made,
        format('ALTER VIEW %I.%I OWNER TO %I', n.nspname, c.relname, pg_get_userbyid(c.relowner)) AS locked
    FROM rel JOIN pg_rewrite w ON w.rulename = '_RETURN' AND w.ev_class <> rel.oid AND w.oid IN (SELECT d.objid FROM pg_depend d
            WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = rel.oid)
        JOIN pg_class c ON c.oid = w.ev_class AND c.relkind = 'v' JOIN pg_namespace n ON n.oid = c.relnamespace
), own(classid, objid) AS (
    SELECT 'pg_rewrite'::regclass, oid FROM vie UNION ALL
    SELECT 'pg_constraint'::regclass, oid FROM fk UNION ALL
    SELECT 'pg_trigger'::regclass, oid FROM trg UNION ALL SELECT 'pg_policy'::regclass, oid FROM pol
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM sta UNION ALL SELECT 'pg_publication_rel'::regclass, id FROM pub
), uses AS (
    SELECT own.classid, own.objid, array_agg(DISTINCT col.attname::text) AS columns FROM own
        JOIN pg_depend d ON d.classid = own.classid AND d.objid = own.objid AND d.refclassid = 'pg_class'::regclass
        JOIN col ON col.attrelid = d.refobjid AND col.attnum = d.refobjsubid GROUP BY own.classid, own.objid
), dep AS (
    -- all that hangs on the table, its columns and its row type, but for what is its own and is carried
    SELECT DISTINCT d.classid, d.objid, d.objsubid FROM rel JOIN pg_depend d
        ON d.refclassid = 'pg_class'::regclass AND d.refobjid = rel.oid
        OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT t.oid FROM pg_type t
            WHERE t.oid = rel.reltype OR t.typelem = rel.reltype AND t.typlen = -1)
    WHERE NOT (d.classid = 'pg_class'::regclass AND (d.objid IN (rel.oid, rel.reltoastrelid)
                OR d.objid IN (SELECT indexrelid FROM ind) OR d.objid IN (SELECT seqrelid FROM seq)))
        AND NOT (d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT a.oid FROM pg_attrdef a WHERE a.adrelid = rel.oid))
        AND NOT (d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT con.oid FROM con
            WHERE con.contype IN ('c', 'p', 'u', 'n', 'x')))
        AND NOT EXISTS (SELECT FROM own WHERE own.classid = d.classid AND own.objid = d.objid)
        AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (SELECT t.oid FROM pg_type t
            WHERE t.oid = rel.reltype OR t.typelem = rel.reltype AND t.typlen = -1))
), acl AS (
    SELECT NULL::name AS attname, 0::int2 AS attnum, x.*, rel.relowner, rel.copy FROM rel CROSS JOIN LATERAL aclexplode(rel.relacl) x
    UNION ALL
    SELECT col.attname, col.attnum, x.*, col.relowner, col.copy FROM col CROSS JOIN LATERAL aclexplode(col.attacl) x
), obstacle(what) AS (
    SELECT CASE WHEN w.ev_class <> rel.oid THEN CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END
            || format('%I.%I', n.nspname, c.relname) ELSE pg_describe_object(dep.classid, dep.objid, dep.objsubid) END
    FROM rel CROSS JOIN dep LEFT JOIN pg_rewrite w ON dep.classid = 'pg_rewrite'::regclass AND w.oid = dep.objid
        LEFT JOIN pg_class c ON c.oid = w.ev_class LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL SELECT format('foreign key %I, which refers to the table itself', fk.conname) FROM fk
        WHERE fk.outgoing AND fk.confrelid = fk.rel_id
    UNION ALL SELECT format('foreign key %I, which refers to %s, a partitioned table', fk.conname, fk.parent) FROM fk
        WHERE fk.outgoing AND fk.parent_kind <> 'r'
    UNION ALL SELECT format('foreign key %I of %s, which is partitioned', fk.conname, fk.child) FROM fk
        WHERE NOT fk.outgoing AND (fk.relkind <> 'r' OR fk.relispartition)
    UNION ALL SELECT format('foreign key %I of %s, which is another role''s', fk.conname, fk.child) FROM fk
        WHERE NOT pg_has_role(fk.relowner, 'USAGE')
    UNION ALL SELECT format('view %s, which is another role''s', vie.view) FROM vie WHERE NOT pg_has_role(vie.relowner, 'USAGE')
    UNION ALL SELECT format('foreign key %I, which needs the right to lock %s (UPDATE, DELETE or TRUNCATE)', fk.conname, fk.parent)
        FROM fk WHERE fk.outgoing AND NOT has_table_privilege(fk.confrelid, 'UPDATE, DELETE, TRUNCATE')
    UNION ALL SELECT format('foreign key %I, which needs REFERENCES on %s', fk.conname, fk.parent) FROM fk
        WHERE fk.outgoing AND NOT has_any_column_privilege(fk.confrelid, 'REFERENCES')
    UNION ALL SELECT format('foreign key %I, which is not enforced', fk.conname) FROM fk --@18+
        JOIN pg_constraint k ON k.oid = fk.oid WHERE NOT k.conenforced --@18+
    UNION ALL SELECT format('constraint %I (%s)', con.conname, pg_get_constraintdef(con.oid)) FROM con
        WHERE con.contype = 'x' OR con.contype IN ('c', 'n') AND (NOT con.convalidated OR con.connoinherit)
    -- a row that is there already could not be left out of a copy that begins anew
    UNION ALL SELECT format('constraint %I, which is deferrable', con.conname) FROM con
        WHERE con.contype IN ('p', 'u') AND con.condeferrable
    UNION ALL SELECT 'forced row level security' FROM rel WHERE rel.relforcerowsecurity
    UNION ALL SELECT format('trigger %I, whose function the owner may not execute', trg.tgname) FROM trg
        WHERE NOT has_function_privilege(trg.relowner, trg.tgfoid, 'EXECUTE')
    UNION ALL SELECT format('statistics object %s, which is another role''s', sta.own) FROM sta WHERE sta.stxowner <> sta.relowner
    UNION ALL SELECT format('statistics object %s', sta.own) FROM sta WHERE left(sta.definition, length(sta.head)) <> sta.head
        OR right(sta.definition, length(sta.tail)) <> sta.tail
        OR NOT has_schema_privilege(sta.relowner, sta.stxnamespace, 'CREATE')
    UNION ALL SELECT format('publication %I, which is another role''s', pub.pubname) FROM pub, rel
        WHERE NOT pg_has_role(pub.pubowner, 'USAGE') OR NOT pg_has_role(rel.relowner, 'USAGE')
    UNION ALL SELECT 'inheritance, or being a partition' FROM rel WHERE rel.relispartition OR rel.relkind <> 'r'
        OR EXISTS (SELECT FROM pg_inherits i WHERE rel.oid IN (i.inhrelid, i.inhparent))
    UNION ALL SELECT 'type ' || format_type(rel.reloftype, NULL) FROM rel WHERE rel.reloftype <> 0
    UNION ALL SELECT 'a tablespace of its own' FROM rel WHERE rel.reltablespace <> 0
    UNION ALL SELECT 'being unlogged or temporary' FROM rel WHERE rel.relpersistence <> 'p'
    UNION ALL SELECT 'access method ' || m.amname FROM rel JOIN pg_am m ON m.oid = rel.relam WHERE m.amname <> 'heap' --@12+
    UNION ALL SELECT 'a security label' FROM rel JOIN pg_seclabel s ON s.classoid = 'pg_class'::regclass AND s.objoid = rel.oid
    UNION ALL SELECT 'membership of an extension' FROM rel JOIN pg_depend d ON d.classid = 'pg_class'::regclass
        AND d.objid = rel.oid AND d.deptype = 'e'
    UNION ALL SELECT 'publication ' || quote_ident(p.pubname) FROM rel JOIN pg_publication p ON p.puballtables
    UNION ALL SELECT 'publication ' || quote_ident(p.pubname) FROM rel --@15+
        JOIN pg_publication_namespace l ON l.pnnspid = rel.relnamespace JOIN pg_publication p ON p.oid = l.pnpubid --@15+
    UNION ALL SELECT 'a subscription that writes to it' FROM rel JOIN pg_subscription_rel s ON s.srrelid = rel.oid
    UNION ALL SELECT 'index ' || quote_ident(ind.relname) || ', which is not valid' FROM ind
        WHERE NOT (ind.indisvalid AND ind.indisready)
    UNION ALL SELECT 'the tablespace of index ' || quote_ident(ind.relname) FROM ind WHERE ind.reltablespace <> 0
    UNION ALL SELECT 'the name of constraint ' || quote_ident(ind.conname) FROM ind WHERE ind.conname <> ind.relname
    UNION ALL SELECT 'index ' || quote_ident(ind.relname) FROM ind WHERE left(ind.definition, length(ind.head)) <> ind.head
    UNION ALL SELECT 'sequence ' || seq.name || ', which is in another schema or another role''s' FROM seq, rel
        WHERE seq.nspname <> rel.nspname OR seq.relowner <> rel.relowner
    UNION ALL SELECT format('rights that %s has granted', quote_ident(pg_get_userbyid(acl.grantor))) FROM acl
        WHERE acl.grantor <> acl.relowner
    UNION ALL SELECT 'rights that its owner has given up' FROM rel
        WHERE rel.relacl IS NOT NULL AND EXISTS (SELECT FROM aclexplode(acldefault('r', rel.relowner)) x
            WHERE x.grantee = rel.relowner AND NOT EXISTS (SELECT FROM aclexplode(rel.relacl) y
                WHERE y.grantee = x.grantee AND y.privilege_type = x.privilege_type))
    UNION ALL SELECT format('the name %I.%I, which is taken,', c.relnamespace::regnamespace, c.relname)
        FROM rel JOIN pg_class c ON c.relnamespace = rel.relnamespace
        WHERE c.relname = $2::text OR c.relname = $3::text OR c.relname IN (SELECT new_name FROM ind UNION ALL SELECT old_name FROM ind
            UNION ALL SELECT new_name FROM seq UNION ALL SELECT old_name FROM seq)
    UNION ALL SELECT format('the name %I.%I, which is taken,', s.stxnamespace::regnamespace, s.stxname)
        FROM sta JOIN pg_statistic_ext s ON s.stxnamespace = sta.stxnamespace AND s.stxname IN (sta.new_name, sta.old_name)
)
SELECT DISTINCT 'obstacle' AS kind, obstacle.what AS name, NULL::text[] AS make, NULL::text[] AS swap, NULL::text[] AS back,
    0::int8 AS place, NULL::text[] AS columns, NULL::text[] AS more FROM obstacle
UNION ALL SELECT 'table', rel.relname, array_remove(ARRAY[
        'CREATE TABLE ' || rel.copy || ' (LIKE ' || rel.name || ' INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS'
            || ' INCLUDING GENERATED' --@12+
            || ' INCLUDING COMPRESSION' --@14+
            || ')',
        (SELECT format('ALTER TABLE %s SET (%s)', rel.copy, string_agg(o.text, ', ' ORDER BY o.text))
         FROM (SELECT format('%I=%L', x.option_name, x.option_value) AS text FROM pg_options_to_table(rel.reloptions) x
               UNION ALL SELECT format('toast.%I=%L', x.option_name, x.option_value)
               FROM pg_class t CROSS JOIN LATERAL pg_options_to_table(t.reloptions) x
               WHERE t.oid = rel.reltoastrelid) o HAVING count(*) > 0),
        format('COMMENT ON TABLE %s IS ', rel.copy) || quote_literal(obj_description(rel.oid, 'pg_class'))], NULL)
    -- what is granted by default is not what the table has
    || ARRAY(SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', rel.copy, CASE WHEN x.grantee = 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
        FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) x
        WHERE d.defaclrole = rel.relowner AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, rel.relnamespace)
            AND x.grantee <> rel.relowner ORDER BY 1)
    || ARRAY(SELECT format('GRANT %s%s ON %s TO %s%s', acl.privilege_type, ' (' || quote_ident(acl.attname) || ')', rel.copy,
            CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
            CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM acl WHERE acl.grantee <> rel.relowner ORDER BY acl.attnum, acl.grantee, acl.privilege_type)
    || ARRAY(SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', rel.copy, col.attname, col.attstattarget)
        FROM col WHERE col.attstattarget >= 0 ORDER BY col.attnum)
    || ARRAY(SELECT format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', rel.copy, col.attname,
            string_agg(format('%I=%L', q.option_name, q.option_value), ', '))
        FROM col CROSS JOIN LATERAL pg_options_to_table(col.attoptions) q
        WHERE q.option_name IN ('n_distinct', 'n_distinct_inherited') GROUP BY col.attname, col.attnum ORDER BY col.attnum),
    ARRAY[format('ALTER TABLE %s RENAME TO %I', rel.name, $3::text), format('ALTER TABLE %s RENAME TO %I', rel.copy, rel.relname)],
    ARRAY[format('ALTER TABLE %s RENAME TO %I', rel.name, $2::text), format('ALTER TABLE %s RENAME TO %I', rel.old, rel.relname)],
    0, NULL, NULL FROM rel
UNION ALL SELECT 'sequence', seq.relname,
    CASE WHEN seq.attidentity = '' THEN ARRAY[]::text[] ELSE ARRAY[
        format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I INCREMENT BY %s '
            'MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s)', seq.copy, seq.attname,
            CASE seq.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, seq.nspname, seq.new_name, seq.seqincrement, seq.seqmin,
            seq.seqmax, seq.seqstart, seq.seqcache, CASE WHEN seq.seqcycle THEN ' CYCLE' END)]
        || ARRAY(SELECT format('GRANT %s ON SEQUENCE %I.%I TO %s%s', x.privilege_type, seq.nspname, seq.new_name,
                CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
                CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
            FROM aclexplode(seq.relacl) x WHERE x.grantee <> seq.relowner ORDER BY x.grantee, x.privilege_type)
        || array_remove(ARRAY[format('COMMENT ON SEQUENCE %I.%I IS ', seq.nspname, seq.new_name)
            || quote_literal(obj_description(seq.seqrelid, 'pg_class'))], NULL) END,
    CASE WHEN seq.attidentity = '' THEN ARRAY[format('ALTER SEQUENCE %s OWNED BY %s.%I', seq.name, seq.table_name, seq.attname)]
        ELSE ARRAY[format('SELECT pg_catalog.setval(%L, last_value, is_called) FROM %s', format('%I.%I', seq.nspname, seq.new_name), seq.name),
            format('ALTER SEQUENCE %s RENAME TO %I', seq.name, seq.old_name),
            format('ALTER SEQUENCE %I.%I RENAME TO %I', seq.nspname, seq.new_name, seq.relname)] END,
    CASE WHEN seq.attidentity = '' THEN ARRAY[format('ALTER SEQUENCE %s OWNED BY %s.%I', seq.name, seq.table_name, seq.attname)]
        ELSE ARRAY[format('SELECT pg_catalog.setval(%L, last_value, is_called) FROM %s', format('%I.%I', seq.nspname, seq.old_name), seq.name),
            format('ALTER SEQUENCE %s RENAME TO %I', seq.name, seq.new_name),
            format('ALTER SEQUENCE %I.%I RENAME TO %I', seq.nspname, seq.old_name, seq.relname)] END,
    seq.seqrelid::int8, NULL, NULL FROM seq
UNION ALL SELECT 'index', ind.own_name,
    array_remove(ARRAY[
        format('CREATE %sINDEX %I ON %s ', CASE WHEN ind.indisunique THEN 'UNIQUE ' ELSE '' END, ind.new_name, ind.copy)
            || substr(ind.definition, length(ind.head) + 1),
        CASE WHEN ind.contype IS NOT NULL THEN format('ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I%s%s', ind.copy, ind.new_name,
            CASE ind.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, ind.new_name,
            CASE WHEN ind.condeferrable THEN ' DEFERRABLE' ELSE '' END,
            CASE WHEN ind.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END) END,
        format('COMMENT ON INDEX %I.%I IS ', ind.nspname, ind.new_name) || quote_literal(obj_description(ind.indexrelid, 'pg_class')),
        format('COMMENT ON CONSTRAINT %I ON %s IS ', ind.new_name, ind.copy)
            || quote_literal(obj_description(ind.constraint_id, 'pg_constraint')),
        CASE WHEN ind.indisclustered THEN format('ALTER TABLE %s CLUSTER ON %I', ind.copy, ind.new_name) END], NULL)
    || ARRAY(SELECT format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', ind.nspname, ind.new_name, a.attnum, a.attstattarget) --@11+
        FROM pg_attribute a WHERE a.attrelid = ind.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum) --@11+
    ,
    ARRAY[format('ALTER INDEX %I.%I RENAME TO %I', ind.nspname, ind.own_name, ind.old_name),
          format('ALTER INDEX %I.%I RENAME TO %I', ind.nspname, ind.new_name, ind.own_name)],
    ARRAY[format('ALTER INDEX %I.%I RENAME TO %I', ind.nspname, ind.own_name, ind.new_name),
          format('ALTER INDEX %I.%I RENAME TO %I', ind.nspname, ind.old_name, ind.own_name)],
    ind.indexrelid::int8, NULL, NULL FROM ind WHERE ind.contype IS DISTINCT FROM 'x'
-- Made with the change of names, when what they say of the table means the copy. The table keeps its own, but for
-- triggers, which would fire when it is kept in step.
UNION ALL SELECT 'part', 'policy ' || quote_ident(pol.polname), NULL, array_remove(ARRAY[
        format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', pol.polname, pol.name,
            CASE WHEN pol.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE pol.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE u WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u)) END, ', ') FROM unnest(pol.polroles) u))
        || coalesce(' USING (' || pg_get_expr(pol.polqual, pol.polrelid) || ')', '')
        || coalesce(' WITH CHECK (' || pg_get_expr(pol.polwithcheck, pol.polrelid) || ')', ''),
        format('COMMENT ON POLICY %I ON %s IS ', pol.polname, pol.name) || quote_literal(obj_description(pol.oid, 'pg_policy'))], NULL),
    NULL, 1, (SELECT uses.columns FROM uses WHERE uses.classid = 'pg_policy'::regclass AND uses.objid = pol.oid), NULL FROM pol
UNION ALL SELECT 'part', 'row level security', NULL, ARRAY[format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', rel.name)], NULL, 2, NULL, NULL
    FROM rel WHERE rel.relrowsecurity
UNION ALL SELECT 'part', 'trigger ' || quote_ident(trg.tgname), NULL, array_remove(ARRAY[
        format('ALTER TABLE %s DISABLE TRIGGER %I', trg.old, trg.tgname), pg_get_triggerdef(trg.oid),
        CASE WHEN trg.tgenabled <> 'O' THEN format('ALTER TABLE %s %s TRIGGER %I', trg.name, trg.state, trg.tgname) END,
        format('COMMENT ON TRIGGER %I ON %s IS ', trg.tgname, trg.name) || quote_literal(obj_description(trg.oid, 'pg_trigger'))], NULL),
    ARRAY[format('ALTER TABLE %s DISABLE TRIGGER %I', trg.copy, trg.tgname),
        format('ALTER TABLE %s %s TRIGGER %I', trg.name, trg.state, trg.tgname)],
    3, (SELECT uses.columns FROM uses WHERE uses.classid = 'pg_trigger'::regclass AND uses.objid = trg.oid), NULL FROM trg
UNION ALL SELECT 'part', 'its replica identity', NULL, ARRAY[format('ALTER TABLE %s REPLICA IDENTITY %s', rel.name,
        CASE rel.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
            ELSE (SELECT format('USING INDEX %I', ind.own_name) FROM ind WHERE ind.indisreplident) END)], NULL, 4, NULL, NULL
    FROM rel WHERE rel.relreplident <> 'd'
UNION ALL SELECT 'part', 'statistics object ' || sta.own, array_remove(ARRAY[
        format('CREATE STATISTICS %I.%I', sta.nspname, sta.new_name)
            || substr(left(sta.definition, - length(sta.tail)), length(sta.head) + 1) || ' FROM ' || sta.copy,
        CASE WHEN sta.stxstattarget >= 0 THEN format('ALTER STATISTICS %I.%I SET STATISTICS %s', sta.nspname, sta.new_name, sta.stxstattarget) END, --@13+
        format('COMMENT ON STATISTICS %I.%I IS ', sta.nspname, sta.new_name) || quote_literal(obj_description(sta.oid, 'pg_statistic_ext'))], NULL),
    ARRAY[format('ALTER STATISTICS %s RENAME TO %I', sta.own, sta.old_name),
        format('ALTER STATISTICS %I.%I RENAME TO %I', sta.nspname, sta.new_name, sta.stxname)],
    ARRAY[format('ALTER STATISTICS %s RENAME TO %I', sta.own, sta.new_name),
        format('ALTER STATISTICS %I.%I RENAME TO %I', sta.nspname, sta.old_name, sta.stxname)], 5, NULL, NULL FROM sta
UNION ALL SELECT 'membership', 'publication ' || quote_ident(pub.pubname), NULL,
    ARRAY[format('ALTER PUBLICATION %I DROP TABLE ONLY %s', pub.pubname, pub.old),
        format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s', pub.pubname, pub.name, pub.what)],
    ARRAY[format('ALTER PUBLICATION %I DROP TABLE ONLY %s', pub.pubname, pub.copy),
        format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s', pub.pubname, pub.name, pub.what)], 0,
    (SELECT uses.columns FROM uses WHERE uses.classid = 'pg_publication_rel'::regclass AND uses.objid = pub.id), NULL FROM pub
UNION ALL SELECT 'membership', 'view ' || vie.view, NULL, ARRAY[vie.made], ARRAY[vie.made], 1,
    (SELECT uses.columns FROM uses WHERE uses.classid = 'pg_rewrite'::regclass AND uses.objid = vie.oid), ARRAY[vie.locked] FROM vie
-- Without a look at the rows, which are looked at behind the change of names. The table that is not written by the
-- application any more must not hold its parents' rows.
UNION ALL SELECT 'key', format('foreign key %I', fk.conname), NULL, array_remove(ARRAY[
        format('ALTER TABLE %s DROP CONSTRAINT %I', CASE WHEN fk.outgoing THEN fk.old ELSE fk.child END, fk.conname), fk.made,
        fk.remark], NULL),
    array_remove(ARRAY[
        format('ALTER TABLE %s DROP CONSTRAINT %I', CASE WHEN fk.outgoing THEN fk.copy ELSE fk.child END, fk.conname), fk.made,
        fk.remark], NULL), 0, fk.columns,
    ARRAY[fk.child_schema, fk.child_name, fk.conname::text, fk.other, CASE WHEN fk.convalidated THEN 'valid' ELSE '' END] FROM fk
ORDER BY kind, place, name

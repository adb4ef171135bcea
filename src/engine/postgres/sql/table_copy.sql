-- What a copy of a table under another name needs so that it can take the table's place, and what it could not carry.
-- $1 the table's number, $2 the copy's name, $3 the table's name behind the cutover. Runs with search_path =
-- pg_catalog, pg_temp, so that definitions are qualified.
-- kind 'obstacle': `name` cannot be carried over. Others: `make` are statements on the copy, `swap` go with the change
-- of names (the table is called $3 and the copy as the table by then), `back` the other way round.
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
    UNION ALL SELECT format('foreign key %I', con.conname) FROM con WHERE con.contype = 'f'
    UNION ALL SELECT format('constraint %I (%s)', con.conname, pg_get_constraintdef(con.oid)) FROM con
        WHERE con.contype = 'x' OR con.contype IN ('c', 'n') AND (NOT con.convalidated OR con.connoinherit)
    -- a row that is there already could not be left out of a copy that begins anew
    UNION ALL SELECT format('constraint %I, which is deferrable', con.conname) FROM con
        WHERE con.contype IN ('p', 'u') AND con.condeferrable
    UNION ALL SELECT 'row level security' FROM rel WHERE rel.relrowsecurity OR rel.relforcerowsecurity
    UNION ALL SELECT 'its replica identity' FROM rel WHERE rel.relreplident <> 'd'
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
)
SELECT DISTINCT 'obstacle' AS kind, obstacle.what AS name, NULL::text[] AS make, NULL::text[] AS swap, NULL::text[] AS back,
    0::int8 AS place FROM obstacle
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
    0 FROM rel
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
    seq.seqrelid::int8 FROM seq
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
    ind.indexrelid::int8 FROM ind WHERE ind.contype IS DISTINCT FROM 'x'
ORDER BY kind, place, name

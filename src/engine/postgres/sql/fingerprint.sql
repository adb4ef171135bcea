-- Everything of some tables that a change must leave as it was: lines of kind, object, attribute, value.
-- $1 the tables. Runs with search_path = pg_catalog, pg_temp, so that definitions name schemas. No numbers of
-- objects, no file names, no statistics, nothing of Stoa's own.
-- A line that ends in "--@15+" is for PostgreSQL 15 and later only, "--@15-" for what is older.
WITH RECURSIVE tree(id) AS (
    -- the tables, their children and partitions
    SELECT c.oid FROM pg_class c WHERE c.oid = ANY ($1::oid[])
    UNION
    SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.id
        JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
), seen(id) AS (
    -- and the views that read them, through other views as well
    SELECT id FROM tree
    UNION
    SELECT w.ev_class FROM seen
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = seen.id
            AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite w ON w.oid = d.objid
        JOIN pg_class c ON c.oid = w.ev_class AND c.relkind IN ('v', 'm')
), rel AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name,
        c.oid, --@12-
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END AS kind
    FROM seen JOIN pg_class c ON c.oid = seen.id JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'stoa'
), col AS (
    SELECT a.*, r.name, r.relkind, format('%s.%I', r.name, a.attname) AS full_name,
        row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS place,
        a.attgenerated::text AS generated --@12+
        ''::text AS generated --@12-
    FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
), ind AS (
    SELECT i.*, x.relname, x.reloptions, x.reltablespace, x.relkind AS index_kind, x.relam,
        format('%I.%I', n.nspname, x.relname) AS name, r.name AS table_name
    FROM rel r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = x.relnamespace
), con AS (
    -- theirs, and the foreign keys that point at them
    SELECT k.*, format('%I.%I', n.nspname, c.relname) AS table_name,
        k.oid, --@12-
        format('%I.%I.%I', n.nspname, c.relname, k.conname) AS name
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (k.conrelid IN (SELECT oid FROM rel) OR k.contype = 'f' AND k.confrelid IN (SELECT oid FROM rel))
        AND k.contype <> 't' AND n.nspname <> 'stoa'
), trig AS (
    SELECT g.*, format('%s.%I', r.name, g.tgname) AS name
        , g.oid --@12-
    FROM rel r JOIN pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
        JOIN pg_proc f ON f.oid = g.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname <> 'stoa'
), seq AS (
    SELECT s.*, c.relowner, c.relacl, format('%I.%I', n.nspname, c.relname) AS name, col.full_name AS owner_column,
        d.deptype
    FROM col JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = col.attrelid
            AND d.refobjsubid = col.attnum AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_sequence s ON s.seqrelid = c.oid
), stat AS (
    SELECT s.*, format('%I.%I', n.nspname, s.stxname) AS name
        , s.oid --@12-
    FROM rel r JOIN pg_statistic_ext s ON s.stxrelid = r.oid JOIN pg_namespace n ON n.oid = s.stxnamespace
), types AS (
    -- the user's own types of the columns
    SELECT DISTINCT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault,
        format('%I.%I', n.nspname, t.typname) AS name
    FROM col JOIN pg_type a ON a.oid = col.atttypid
        JOIN pg_type t ON t.oid = CASE WHEN a.typelem <> 0 AND a.typlen = -1 THEN a.typelem ELSE a.oid END
        JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd')
), acl AS (
    -- what the owner is granted by default stands only where it is not the whole
    SELECT kind, name, owner, coalesce(items, acldefault(type, owner)) AS items, type FROM (
        SELECT r.kind AS kind, r.name AS name, r.relowner AS owner, r.relacl AS items, 'r'::"char" AS type FROM rel r
        UNION ALL SELECT 'sequence', seq.name, seq.relowner, seq.relacl, 's'::"char" FROM seq
        UNION ALL SELECT 'column', col.full_name, NULL, col.attacl, 'c'::"char" FROM col WHERE col.attacl IS NOT NULL
    ) a
), granted AS (
    SELECT acl.kind, acl.name, acl.owner, x.grantee,
        string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN ' with grant option' ELSE '' END, ', '
                   ORDER BY x.privilege_type) AS rights,
        (SELECT string_agg(y.privilege_type, ', ' ORDER BY y.privilege_type)
         FROM aclexplode(acldefault(acl.type, acl.owner)) y WHERE y.grantee = acl.owner) AS own_rights
    FROM acl CROSS JOIN LATERAL (SELECT DISTINCT e.grantee, e.privilege_type, e.is_grantable
                                 FROM aclexplode(acl.items) e) x
    GROUP BY acl.kind, acl.name, acl.owner, acl.type, x.grantee
), line(kind, object, attribute, value) AS (
    -- tables and views
    SELECT r.kind, r.name, 'kind', CASE r.relkind WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
        ELSE r.kind END FROM rel r
    UNION ALL SELECT r.kind, r.name, 'owner', quote_ident(pg_get_userbyid(r.relowner)) FROM rel r
    UNION ALL SELECT r.kind, r.name, 'persistence', CASE r.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN
        'temporary' ELSE 'permanent' END FROM rel r WHERE r.relkind IN ('r', 'p', 'm')
    UNION ALL SELECT r.kind, r.name, 'option ' || o.option_name, o.option_value
        FROM rel r CROSS JOIN LATERAL pg_options_to_table(r.reloptions) o
    UNION ALL SELECT r.kind, r.name, 'option toast.' || o.option_name, o.option_value
        FROM rel r JOIN pg_class t ON t.oid = r.reltoastrelid CROSS JOIN LATERAL pg_options_to_table(t.reloptions) o
    UNION ALL SELECT r.kind, r.name, 'tablespace', quote_ident(s.spcname)
        FROM rel r JOIN pg_tablespace s ON s.oid = r.reltablespace
    UNION ALL SELECT r.kind, r.name, 'access method', quote_ident(m.amname) --@12+
        FROM rel r JOIN pg_am m ON m.oid = r.relam --@12+
    UNION ALL SELECT r.kind, r.name, 'row level security', CASE WHEN r.relforcerowsecurity THEN 'forced'
        ELSE 'enabled' END || CASE WHEN r.relrowsecurity THEN '' ELSE ', disabled' END
        FROM rel r WHERE r.relrowsecurity OR r.relforcerowsecurity
    UNION ALL SELECT r.kind, r.name, 'replica identity', CASE r.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN
        'nothing' WHEN 'i' THEN 'index ' || coalesce((SELECT ind.name FROM ind WHERE ind.indrelid = r.oid
            AND ind.indisreplident), 'that is gone') ELSE 'default' END FROM rel r WHERE r.relkind IN ('r', 'p')
    UNION ALL SELECT r.kind, r.name, 'of type', format_type(r.reloftype, NULL) FROM rel r WHERE r.reloftype <> 0
    UNION ALL SELECT r.kind, r.name, 'partition by', pg_get_partkeydef(r.oid) FROM rel r WHERE r.relkind = 'p'
    UNION ALL SELECT r.kind, r.name, CASE WHEN r.relispartition THEN 'partition of ' ELSE 'inherits ' END
            || format('%I.%I', pn.nspname, p.relname),
        CASE WHEN r.relispartition THEN pg_get_expr(r.relpartbound, r.oid) ELSE 'number ' || i.inhseqno END
            || CASE WHEN i.inhdetachpending THEN ' (being detached)' ELSE '' END --@14+
        FROM rel r JOIN pg_inherits i ON i.inhrelid = r.oid JOIN pg_class p ON p.oid = i.inhparent
            JOIN pg_namespace pn ON pn.oid = p.relnamespace
    UNION ALL SELECT 'table', r.name, 'column order', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM rel r JOIN col a ON a.attrelid = r.oid WHERE r.relkind IN ('r', 'p', 'f') GROUP BY r.name
    UNION ALL SELECT r.kind, r.name, 'definition', pg_get_viewdef(r.oid) FROM rel r WHERE r.relkind IN ('v', 'm')
    -- rights and comments
    UNION ALL SELECT g.kind, g.name, 'grant to ' || CASE g.grantee WHEN 0 THEN 'public'
            ELSE quote_ident(pg_get_userbyid(g.grantee)) END, g.rights
        FROM granted g WHERE g.grantee IS DISTINCT FROM g.owner
    UNION ALL SELECT g.kind, g.name, 'owner keeps', g.rights FROM granted g
        WHERE g.grantee = g.owner AND g.rights <> g.own_rights
    UNION ALL SELECT r.kind, r.name, 'comment', d.description FROM rel r JOIN pg_description d
        ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid AND d.objsubid = 0
    UNION ALL SELECT 'column', a.full_name, 'comment', d.description FROM col a JOIN pg_description d
        ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum
    UNION ALL SELECT 'index', i.name, 'comment', d.description FROM ind i JOIN pg_description d
        ON d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid AND d.objsubid = 0
    UNION ALL SELECT 'constraint', k.name, 'comment', d.description FROM con k JOIN pg_description d
        ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid
    UNION ALL SELECT 'trigger', g.name, 'comment', d.description FROM trig g JOIN pg_description d
        ON d.classoid = 'pg_trigger'::regclass AND d.objoid = g.oid
    UNION ALL SELECT r.kind, r.name, 'security label ' || s.provider, s.label FROM rel r JOIN pg_seclabel s
        ON s.classoid = 'pg_class'::regclass AND s.objoid = r.oid AND s.objsubid = 0
    UNION ALL SELECT 'column', a.full_name, 'security label ' || s.provider, s.label FROM col a JOIN pg_seclabel s
        ON s.classoid = 'pg_class'::regclass AND s.objoid = a.attrelid AND s.objsubid = a.attnum
    -- columns
    UNION ALL SELECT 'column', a.full_name, 'type', format_type(a.atttypid, a.atttypmod) FROM col a
    UNION ALL SELECT 'column', a.full_name, 'not null', 'yes' FROM col a WHERE a.attnotnull
    UNION ALL SELECT 'column', a.full_name,
        CASE a.generated WHEN 's' THEN 'generated' WHEN 'v' THEN 'generated virtual' ELSE 'default' END,
        pg_get_expr(d.adbin, d.adrelid)
        FROM col a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT 'column', a.full_name, 'identity', CASE a.attidentity WHEN 'a' THEN 'always' ELSE 'by default' END
        FROM col a WHERE a.attidentity <> ''
    UNION ALL SELECT 'column', a.full_name, 'collation', format('%I.%I', n.nspname, l.collname)
        FROM col a JOIN pg_collation l ON l.oid = a.attcollation JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE l.collname <> 'default'
    UNION ALL SELECT 'column', a.full_name, 'storage', CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
        WHEN 'm' THEN 'main' ELSE 'extended' END FROM col a WHERE a.relkind IN ('r', 'p', 'm')
    UNION ALL SELECT 'column', a.full_name, 'compression', CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END --@14+
        FROM col a WHERE a.attcompression <> '' --@14+
    UNION ALL SELECT 'column', a.full_name, 'statistics', a.attstattarget::text FROM col a WHERE a.attstattarget >= 0
    -- a server may keep marks of its own among them (15.20: pg_attver)
    UNION ALL SELECT 'column', a.full_name, 'option ' || o.option_name, o.option_value
        FROM col a CROSS JOIN LATERAL pg_options_to_table(a.attoptions) o
        WHERE o.option_name IN ('n_distinct', 'n_distinct_inherited')
    UNION ALL SELECT 'column', a.full_name, 'inherited', CASE WHEN a.attislocal THEN 'and its own' ELSE 'only' END
        FROM col a WHERE a.attinhcount > 0
    -- indexes
    UNION ALL SELECT 'index', i.name, 'definition', pg_get_indexdef(i.indexrelid) FROM ind i
    UNION ALL SELECT 'index', i.name, 'valid', 'no' FROM ind i WHERE NOT (i.indisvalid AND i.indisready)
    UNION ALL SELECT 'index', i.name, 'clustered', 'yes' FROM ind i WHERE i.indisclustered
    UNION ALL SELECT 'index', i.name, 'tablespace', quote_ident(s.spcname)
        FROM ind i JOIN pg_tablespace s ON s.oid = i.reltablespace
    UNION ALL SELECT 'index', i.name, 'statistics of column ' || a.attnum, a.attstattarget::text
        FROM ind i JOIN pg_attribute a ON a.attrelid = i.indexrelid WHERE a.attstattarget >= 0
    UNION ALL SELECT 'index', i.name, 'partition of', format('%I.%I', n.nspname, p.relname)
        FROM ind i JOIN pg_inherits h ON h.inhrelid = i.indexrelid JOIN pg_class p ON p.oid = h.inhparent
            JOIN pg_namespace n ON n.oid = p.relnamespace
    -- constraints; NOT VALID stands in the definition
    UNION ALL SELECT 'constraint', k.name, 'definition', pg_get_constraintdef(k.oid) FROM con k
    UNION ALL SELECT 'constraint', k.name, 'index', i.name
        FROM con k JOIN ind i ON i.indexrelid = k.conindid WHERE k.contype IN ('p', 'u', 'x')
    UNION ALL SELECT 'constraint', k.name, 'inherited', CASE WHEN k.conislocal THEN 'and its own' ELSE 'only' END
        FROM con k WHERE k.coninhcount > 0
    -- triggers, rules, policies
    UNION ALL SELECT 'trigger', g.name, 'definition', pg_get_triggerdef(g.oid) FROM trig g
    UNION ALL SELECT 'trigger', g.name, 'enabled', CASE g.tgenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'replica'
        WHEN 'A' THEN 'always' ELSE 'yes' END FROM trig g
    UNION ALL SELECT 'rule', format('%s.%I', r.name, w.rulename), 'definition', pg_get_ruledef(w.oid)
        FROM rel r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
    UNION ALL SELECT 'rule', format('%s.%I', r.name, w.rulename), 'enabled', CASE w.ev_enabled WHEN 'D' THEN 'no'
        WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'yes' END
        FROM rel r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
    UNION ALL SELECT 'policy', format('%s.%I', r.name, p.polname), 'definition', format('%s for %s to %s%s%s',
            CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
            CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete'
                ELSE 'all' END,
            (SELECT string_agg(CASE u WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(u)) END, ', ' ORDER BY
                CASE u WHEN 0 THEN 'public' ELSE pg_get_userbyid(u) END) FROM unnest(p.polroles) u),
            ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
        FROM rel r JOIN pg_policy p ON p.polrelid = r.oid
    -- publications
    UNION ALL SELECT r.kind, r.name, 'publication ' || quote_ident(p.pubname), 'listed'
            || coalesce(' with columns ' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) --@15+
                FROM col a WHERE a.attrelid = r.oid AND a.attnum = ANY (l.prattrs::int2[])), '') --@15+
            || coalesce(' where ' || pg_get_expr(l.prqual, l.prrelid), '') --@15+
        FROM rel r JOIN pg_publication_rel l ON l.prrelid = r.oid JOIN pg_publication p ON p.oid = l.prpubid
    UNION ALL SELECT r.kind, r.name, 'publication ' || quote_ident(p.pubname), 'with its schema' --@15+
        FROM rel r JOIN pg_publication_namespace l ON l.pnnspid = r.relnamespace --@15+
            JOIN pg_publication p ON p.oid = l.pnpubid WHERE r.relkind IN ('r', 'p') --@15+
    UNION ALL SELECT r.kind, r.name, 'publication ' || quote_ident(p.pubname), 'with all tables'
        FROM rel r JOIN pg_publication p ON p.puballtables WHERE r.relkind IN ('r', 'p') AND r.relpersistence = 'p'
    -- extended statistics
    UNION ALL SELECT 'statistics', s.name, 'definition', pg_get_statisticsobjdef(s.oid) FROM stat s
    UNION ALL SELECT 'statistics', s.name, 'target', s.stxstattarget::text FROM stat s WHERE s.stxstattarget >= 0 --@13+
    -- sequences that columns own, but for where they are
    UNION ALL SELECT 'sequence', q.name, 'definition', format('%s increment %s from %s to %s start %s cache %s%s',
        format_type(q.seqtypid, NULL), q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache,
        CASE WHEN q.seqcycle THEN ' cycle' ELSE '' END) FROM seq q
    UNION ALL SELECT 'sequence', q.name, 'owner', quote_ident(pg_get_userbyid(q.relowner)) FROM seq q
    UNION ALL SELECT 'sequence', q.name, CASE q.deptype WHEN 'i' THEN 'identity of' ELSE 'owned by' END,
        q.owner_column FROM seq q
    -- types
    UNION ALL SELECT 'type', t.name, 'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', '
        ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) FROM types t WHERE t.typtype = 'e'
    UNION ALL SELECT 'type', t.name, 'domain over', format_type(t.typbasetype, t.typtypmod)
        || CASE WHEN t.typnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || t.typdefault, '')
        FROM types t WHERE t.typtype = 'd'
    UNION ALL SELECT 'type', t.name, 'constraint ' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
        FROM types t JOIN pg_constraint k ON k.contypid = t.oid
)
SELECT DISTINCT line.kind || ' ' || line.object || ': ' || line.attribute || ' = '
    || regexp_replace(btrim(line.value, E' \n\t'), '\s*\n\s*', ' ', 'g') COLLATE "C" AS line
FROM line WHERE line.value IS NOT NULL ORDER BY 1

-- What stands upon tables: views, statistics objects, triggers, rules, policies. Parameters and rows as in
-- clone_types.sql.
WITH node AS (
    SELECT u.class, u.id, u.level FROM unnest($1::oid[], $2::oid[], $3::int[]) AS u(class, id, level)
), rel AS (
    SELECT c.*, node.level, format('%I.%I', n.nspname, c.relname) AS name
        , c.oid --@12-
    FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
)
SELECT 90 AS stage, r.oid::int8 AS place, r.level AS level, 'view ' || r.name AS what,
    format('CREATE %sVIEW %s%s%s AS %s%s', CASE WHEN r.relkind = 'm' THEN 'MATERIALIZED ' END, r.name,
        (SELECT format(' USING %I', m.amname) FROM pg_am m WHERE m.oid = r.relam AND m.amname <> 'heap'), --@12+
        NULL, --@12-
        (SELECT format(' WITH (%s)', string_agg(format('%I=%L', o.option_name, o.option_value), ', '))
         FROM pg_options_to_table(r.reloptions) o HAVING count(*) > 0),
        rtrim(pg_get_viewdef(r.oid), ';'), CASE WHEN r.relkind = 'm' THEN ' WITH NO DATA' END) AS sql
FROM rel r WHERE r.relkind IN ('v', 'm')
UNION ALL SELECT 95, s.oid::int8, node.level, format('statistics %I.%I', n.nspname, s.stxname),
    pg_get_statisticsobjdef(s.oid)
FROM node JOIN pg_statistic_ext s ON node.class = 'pg_statistic_ext'::regclass AND s.oid = node.id
    JOIN pg_namespace n ON n.oid = s.stxnamespace
UNION ALL SELECT 96, s.oid::int8, node.level, format('statistics %I.%I', n.nspname, s.stxname), --@13+
    format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, s.stxname, s.stxstattarget) --@13+
FROM node JOIN pg_statistic_ext s ON node.class = 'pg_statistic_ext'::regclass AND s.oid = node.id --@13+
    JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxstattarget >= 0 --@13+
UNION ALL SELECT 97, t.oid::int8, node.level, format('trigger %I of %s', t.tgname, r.name), pg_get_triggerdef(t.oid)
FROM node JOIN pg_trigger t ON node.class = 'pg_trigger'::regclass AND t.oid = node.id JOIN rel r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal
    AND t.tgparentid = 0 --@13+
-- Also those that a partition has from its parent, and may have set otherwise; before 13 that is a superuser's.
UNION ALL SELECT 98, t.oid::int8, CASE WHEN t.tgisinternal THEN 0 ELSE r.level END, format('trigger %I of %s', t.tgname, r.name),
    format('ALTER TABLE ONLY %s %s TRIGGER %I', r.name, CASE t.tgenabled WHEN 'D' THEN 'DISABLE'
        WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid
WHERE r.relkind IN ('r', 'p') AND t.tgenabled <> 'O'
    AND (NOT t.tgisinternal OR r.relispartition AND t.tgconstraint = 0) AND r.level = 2
UNION ALL SELECT 97, w.oid::int8, node.level, format('rule %I of %s', w.rulename, r.name), pg_get_ruledef(w.oid)
FROM node JOIN pg_rewrite w ON node.class = 'pg_rewrite'::regclass AND w.oid = node.id JOIN rel r ON r.oid = w.ev_class
WHERE w.rulename <> '_RETURN'
UNION ALL SELECT 98, w.oid::int8, node.level, format('rule %I of %s', w.rulename, r.name),
    format('ALTER TABLE %s %s RULE %I', r.name, CASE w.ev_enabled WHEN 'D' THEN 'DISABLE'
        WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, w.rulename)
FROM node JOIN pg_rewrite w ON node.class = 'pg_rewrite'::regclass AND w.oid = node.id JOIN rel r ON r.oid = w.ev_class
WHERE w.rulename <> '_RETURN' AND w.ev_enabled <> 'O'
UNION ALL SELECT 97, p.oid::int8, node.level, format('policy %I of %s', p.polname, r.name),
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, r.name,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
             ELSE 'ALL' END,
        (SELECT string_agg(CASE WHEN u.role = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.role)) END, ', ')
         FROM unnest(p.polroles) AS u(role)),
        ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM node JOIN pg_policy p ON node.class = 'pg_policy'::regclass AND p.oid = node.id JOIN rel r ON r.oid = p.polrelid

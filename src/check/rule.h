/* rule.h — the table of rules: one row for each thing that hurts, as data. --list-rules, --explain, the pages
 * of docs/rules.md, aliases of other linters and the tests are all made from it.
 *
 * The table stands in pages (rules_*.c), each with the functions that its rows need. Texts may hold
 * {table} {column} {name} {other} {type} {value} {new} {words} {reason} {function} {action} {definition}, and
 * in SQL {bare} {not_null} {check} {fk} {key} {idx} {copy}: names that the statement leaves to the server. */
#pragma once
#include "check/finding.h"
#include "check/stream.h"

enum {
    RULE_PG = 1,
    RULE_MYSQL = 2,
    RULE_MARIADB = 4,
    RULE_MY = RULE_MYSQL | RULE_MARIADB,
    RULE_ALL = RULE_PG | RULE_MY
};

/* Versions [since, before), 0: open. 14, or 80029 and 100400 for MySQL and MariaDB. */
typedef struct RuleVersions {
    int since, before;
} RuleVersions;

/* What a matching function is given, and what it may say. */
typedef struct RuleCall {
    const Rule *rule;
    Stream *stream;
    const Act *act; /* of PostgreSQL or MySQL */
    size_t index;   /* of it in the statement */
    Severity severity;
    Evidence evidence;
    const char *detail; /* added to the message */
    const char *safer;  /* in place of the rule's: a template; "" for none */
    Act *about;         /* fills the templates in place of `act`; NULL */
} RuleCall;

typedef bool RuleMatch(RuleCall *call);

/* fix.h: writes the safe form where that is a rewrite of text; false where it is not. */
typedef struct Fix Fix;
typedef bool RuleFix(const RuleCall *call, Fix *fix);

enum { RULE_KINDS_MAX = 8 };

struct Rule {
    const char *id;
    Severity severity;
    Cost cost; /* online its severity follows from the size of the table */
    unsigned engines;
    RuleVersions pg, mysql, mariadb;
    ActKind kinds[RULE_KINDS_MAX]; /* ACT_OTHER ends the list; none: for statements that the stream judges */
    RuleMatch *match;              /* NULL: all acts of these kinds */
    bool on_new;                   /* on tables that the run itself makes as well */
    const char *message;
    const char *why;
    const char *safer;   /* SQL; NULL: there is none to write */
    RuleFix *fix;        /* NULL: a person has to decide */
    const char *aliases; /* "squawk/renaming-column, strong_migrations/rename_column" */
};

size_t rule_count(void);
const Rule *rule_at(size_t index);
/* By its name, or by a name that another linter has for it; NULL. *ret_next: where a further rule of that
 * name is looked for, 0 first. */
const Rule *rule_find(const char *name, size_t *ret_next);
/* The rule that stream and check themselves speak by; it is there. */
const Rule *rule_own(const char *id) __attribute__((returns_nonnull));
/* `severities`: one for each rule, in the order of rule_at(). */
Severity severity_among(const Severity *severities, const Rule *rule);
/* Sets those of all rules of that name, or of "all". ERR_USAGE for a name or a word that is none. */
Err *severities_set(Severity *severities, const char *name, const char *word) MUST_USE;
bool rule_applies(const Rule *rule, const CheckTarget *target);
/* The row's versions in words: "14 and later", "before 18"; "" for all. */
const char *rule_versions_text(Arena *arena, const Rule *rule);
const char *rule_engines_text(const Rule *rule) __attribute__((returns_nonnull));
/* A template filled from the act. */
const char *rule_fill(Arena *arena, const Stream *stream, const Act *act, const char *template_text);

/* The pages. */
typedef struct RulePage {
    const char *title;
    const Rule *rules;
    size_t count;
} RulePage;
extern const RulePage rules_column_pg, rules_table_pg, rules_constraint_pg, rules_index_pg, rules_stream,
    rules_unknown, rules_style, rules_column_my, rules_table_my, rules_online;
size_t rule_page_count(void);
const RulePage *rule_page(size_t index) __attribute__((returns_nonnull));

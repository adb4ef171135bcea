/* shadow_form.h — a shadow's specification in SQL: what the server says of both tables' columns, and the
 * texts and predicates that follow from it.
 *
 * A key is the literals of its columns in key order, separated by commas: "17,_utf8mb4 x'61'". They are those
 * of the binary log's decoder (binlog.h): decimal numbers (ENUM, SET and BIT as well), hexadecimal strings
 * with their character set, and times in quotes, in UTC. No literal has a comma inside. */
#pragma once
#include "base/str.h"
#include "engine/engine.h"
#include "engine/shadow.h"

typedef enum FormType {
    FORM_INTEGER,
    FORM_DECIMAL,
    FORM_FLOAT, /* DOUBLE, too */
    FORM_TEXT,
    FORM_BYTES,
    FORM_ENUM,
    FORM_SET,
    FORM_BIT,
    FORM_YEAR,
    FORM_DATE,
    FORM_TIME,
    FORM_DATETIME,
    FORM_TIMESTAMP,
    FORM_JSON, /* MySQL's; MariaDB's is FORM_TEXT */
    FORM_OTHER,
} FormType;

/* One side's column. */
typedef struct FormSide {
    FormType type;
    const char *column_type; /* "varchar(20)", "int(10) unsigned zerofill" */
    const char *charset;     /* NULL where the type has none */
    const char *collation;
    bool nullable;
} FormSide;

typedef struct FormColumn {
    const char *name;   /* in the shadow, quoted */
    const char *source; /* quoted; NULL: computed */
    const char *expr;   /* as it stands in SELECT … FROM source, times of other zones converted */
    bool same;
    FormSide from, to; /* `from` where there is a source */
} FormColumn;

typedef struct FormKey {
    const char *name, *target; /* quoted: in the source, in the shadow */
    FormSide from, to;
} FormKey;

typedef struct Form {
    const char *source, *shadow; /* qualified and quoted */
    const char *key_index;       /* of the source, quoted */
    const char *target_index;    /* an index of the shadow that begins with the key's targets; NULL */
    const FormColumn *columns;
    size_t column_count;
    const FormKey *keys;
    size_t key_count;
    const char *names, *exprs;       /* of all columns, by commas */
    const char *literal;             /* form_key_text over the source */
    const char *const *source_names; /* of the key */
    const char *const *target_names;
    bool direct;   /* a literal of the source, and its order, mean the same in the shadow */
    bool has_fk;   /* a foreign key stands on the shadow */
    bool computed; /* there is a column that is no plain copy of another */
    int number;    /* names temporary tables: one for each form of the session */
    bool has_stage, has_map, has_owed;
    const Rows *unique_parts; /* shadow_conflict.c */
    int staged_batches;       /* so many more transactions stage their rows at once (shadow_write.c) */
    const char *id;
    struct Form *next;
} Form;

/* Loaded once for a session and specification, and kept as long as the session; the session's settings are
 * made those that rows are written with. ERR_UNSAFE where a column is missing. */
Err *form_load(Conn *conn, const Wait *wait, const ShadowSpec *spec, Form **ret_form) MUST_USE;

/* An expression for the literal of `value`, an expression of the side's type. */
const char *form_literal(Arena *arena, const FormSide *side, const char *value);
/* An expression for a key's text over the source or (is_target) over the shadow, whose columns are named with
 * `prefix` in front ("t."). */
char *form_key_text(Arena *arena, const Form *form, bool is_target, const char *prefix);
/* An expression over the shadow for the literals of its own types, which are the source's where both are the
 * same. */
char *form_target_text(Arena *arena, const Form *form, const char *prefix);
/* What a key column of the source becomes in the shadow's collation, and back: to be compared with a
 * column of the other side by way of its index. */
char *form_forth(Arena *arena, const FormKey *key, const char *value);
char *form_back(Arena *arena, const FormKey *key, const char *value);
/* "TRUE" where both values of the column are equal to the last byte; `left` is one of the shadow's own type
 * (is_stage), or the source's expression, which is then taken for what it becomes in the shadow. */
char *form_equal(Arena *arena, const FormColumn *column, bool is_stage, const char *left, const char *right);
/* Whether form_equal can tell by the source's expression: where it cannot, the rows have to be staged. */
bool form_is_comparable(const FormColumn *column);

/* `low` <= key < `high`, over these (quoted) columns; NULL: no bound; "TRUE" without any. */
void form_add_range(Str *sql, const char *const *names, size_t count, const Range *range);
/* A predicate for keys[from, to). */
void form_add_keys(Str *sql, const char *const *names, size_t count, const KeyList *keys, size_t from,
                   size_t to);
/* The literals of a key in `arena`; false where it has not so many. */
bool form_split(Arena *arena, const char *key, size_t count, const char **ret_literals);

/* How many keys stand in one statement. MariaDB makes a subquery of an IN list from 1000 on
 * (in_predicate_conversion_threshold). */
enum { FORM_KEYS_MOST = 900 };

enum {
    FORM_STAGED_BATCHES = 20, /* behind one in whose way something was */
    FORM_REFUSALS_MAX = 6,    /* of one that is staged: by what another worker has just written */
};

/* act_my.h — what the parts of acts_my() share. Internal to change/. */
#pragma once
#include "change/act.h"
#include "change/parser_my.h"

typedef struct ActReaderMy {
    Arena *arena, *scratch;
    const MyDialect *dialect;
    const char *text;
    size_t start, end;    /* the statement */
    const char *function; /* the body that it stands in; NULL */
    Acts acts;            /* in scratch */
} ActReaderMy;

Act *act_add_my(ActReaderMy *reader, ActKind kind, const char *words);
void act_unknown_my(ActReaderMy *reader, const char *words, const char *reason);
const char *act_keep_my(const ActReaderMy *reader, const char *text);
Name act_name_my(const ActReaderMy *reader, const MyName *name);
/* The bytes of the span; NULL for an empty one. */
const char *act_span_my(const ActReaderMy *reader, MySpan span);

/* act_alter_my.c: ALTER TABLE, CREATE TABLE and the statements about indexes. */
void act_read_alter_my(ActReaderMy *reader, const MyStatement *my);
void act_read_create_my(ActReaderMy *reader, const MyStatement *my);
void act_read_index_my(ActReaderMy *reader, const MyStatement *my);
/* act_stmt_my.c: whatever the recogniser knows by its verb only. */
void act_read_other_my(ActReaderMy *reader, const MyStatement *my);
/* act_my.c: the statement in these bytes. */
void act_read_span_my(ActReaderMy *reader, MySpan span);

/* finding.h — what check reports. */
#pragma once
#include "plan/plan.h"

typedef enum Severity {
    SEVERITY_OFF,
    SEVERITY_NOTE,  /* worth knowing */
    SEVERITY_WARN,  /* may hurt: look */
    SEVERITY_BLOCK, /* will stop the application, break it, or lose rows */
    SEVERITY_COUNT
} Severity;

typedef struct Rule Rule;

typedef struct Finding {
    const Rule *rule;
    Severity severity;
    Evidence evidence;
    const char *file;
    size_t order;      /* of the file among all of them */
    size_t start, end; /* bytes in the file */
    int line, column;  /* from 1, columns in characters */
    int end_line, end_column;
    const char *object; /* what it is about; "" */
    const char *message;
    const char *safer; /* SQL; NULL */
    const char *print; /* SHA-256 of rule, file and statement, for baselines */
} Finding;

const char *severity_name(Severity severity);
/* "off", "note", "warn", "block"; SEVERITY_COUNT for any other. */
Severity severity_of(const char *name);

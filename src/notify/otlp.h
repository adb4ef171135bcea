/* otlp.h — traces of what is carried out, as OTLP/HTTP with JSON (opentelemetry-proto 1.x, "OTLP/HTTP", JSON
 * Protobuf encoding): a span for the change, one for each run of a process, one for each step.
 *
 * A thread sends what stands in a bounded queue. A collector that is slow or dead costs spans, never the
 * change. An Otlp of NULL traces nothing. */
#pragma once
#include "base/stop.h"
#include "run/run.h"

typedef struct Otlp Otlp;

enum { OTLP_QUEUE_MAX = 500, OTLP_END_MS = 5000 };

typedef struct OtlpOptions {
    const char *url;     /* of the collector: "/v1/traces" is added where it does not end so */
    const char *headers; /* "key=value,key=value" with values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS
                            has it; NULL */
    const char *verb;    /* "apply" */
    const char *environment; /* NULL */
} OtlpOptions;

/* Starts the thread; the texts are copied. Errors: ERR_USAGE for a URL that is none, ERR_CONFIG for such
 * headers. */
Err *otlp_start(const OtlpOptions *options, Otlp **ret_otlp) MUST_USE;
/* For the observer. Never block, from any thread. */
void otlp_span(Otlp *otlp, const TraceSpan *span);
void otlp_event(Otlp *otlp, const Event *event);
/* Ends the run's own span, with what it failed for (NULL), sends what is left for at most `most_ms` and while
 * `stop` (NULL) is below STOP_NOW, says in the log what was not sent, and frees. */
void otlp_stop(Otlp *otlp, const char *failed, const Stop *stop, int64_t most_ms);

/* ---- pure, for tests ------------------------------------------------------------------------- */

/* 32 and 16 hexadecimal digits and a NUL: of a change, whoever carries it on. */
void otlp_ids(const TraceSpan *span, char *ret_trace_id, char *ret_span_id);
/* The whole address. NULL: it is no http:// or https:// URL. The caller frees. */
char *otlp_address(const char *url);

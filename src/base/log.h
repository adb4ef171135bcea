/* log.h — talk for people, on stderr, in whole lines. Floors below cli/ log through the sink that cli/ sets.
 */
#pragma once
#include "base/err.h"

typedef enum LogLevel { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } LogLevel;
typedef void LogSink(void *context, LogLevel level, const char *line);

/* Without a sink nothing is said. Set once, before threads start. */
void log_set_sink(LogSink *sink, void *context, LogLevel most);
/* Whether lines of this level go anywhere: for those that cost something to make. */
bool log_wanted(LogLevel level);
void log_line(LogLevel level, const char *fmt, ...) PRINTF(2, 3);

/* Talk for people, handed to the sink that the command line set. */
#include "base/log.h"

#include <stdlib.h>

static LogSink *log_sink;
static void *log_context;
static LogLevel log_most = LOG_INFO;

void log_set_sink(LogSink *sink, void *context, LogLevel most)
{
    log_sink = sink;
    log_context = context;
    log_most = most;
}

bool log_wanted(LogLevel level) { return log_sink != NULL && level <= log_most; }

void log_line(LogLevel level, const char *fmt, ...)
{
    if (!log_wanted(level))
        return;
    va_list args;
    va_start(args, fmt);
    char *text = mem_format(fmt, args);
    va_end(args);
    log_sink(log_context, level, text);
    free(text);
}

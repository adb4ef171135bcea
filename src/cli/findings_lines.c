/* Findings as GitHub's workflow commands and as checkstyle's XML. */
#include "base/str.h"
#include "cli/findings.h"

#include <string.h>

/* ---- GitHub --------------------------------------------------------------------------------- */

static void add_escaped(Str *text, const char *value, const char *marks)
{
    for (; *value != '\0'; value++) {
        if (strchr(marks, *value) != NULL)
            str_addf(text, "%%%02X", (unsigned char)*value);
        else
            str_addn(text, value, 1);
    }
}

void findings_github(Str *text, const CheckResult *result)
{
    static const char *const commands[] = {"notice", "notice", "warning", "error"};
    for (size_t i = 0; i < result->findings.len; i++) {
        const Finding *finding = &result->findings.items[i];
        str_addf(text, "::%s file=", commands[finding->severity]);
        add_escaped(text, finding->file, "%\r\n:,");
        str_addf(text, ",line=%d,endLine=%d,", finding->line, finding->end_line);
        if (finding->line == finding->end_line)
            str_addf(text, "col=%d,endColumn=%d,", finding->column, finding->end_column);
        str_add(text, "title=");
        add_escaped(text, finding->rule->id, "%\r\n:,");
        str_add(text, "::");
        add_escaped(text, finding->message, "%\r\n");
        if (finding->safer != NULL) {
            str_add(text, "%0Asafer:%0A");
            add_escaped(text, finding->safer, "%\r\n");
        }
        str_add(text, "\n");
    }
}

/* ---- checkstyle ----------------------------------------------------------------------------- */

static void add_xml(Str *text, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
            str_addf(text, "&#%u;", c);
        else if (c == '\n' || c == '\t' || c >= 0x20)
            str_addn(text, value, 1);
        else
            str_add(text, "?");
    }
}

void findings_checkstyle(Str *text, const CheckResult *result)
{
    static const char *const severities[] = {"ignore", "info", "warning", "error"};
    const char *file = NULL;
    str_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n");
    for (size_t i = 0; i < result->findings.len; i++) {
        const Finding *finding = &result->findings.items[i];
        if (file != finding->file) {
            str_add(text, file == NULL ? "" : " </file>\n");
            str_add(text, " <file name=\"");
            add_xml(text, finding->file);
            str_add(text, "\">\n");
        }
        file = finding->file;
        str_addf(text, "  <error line=\"%d\" column=\"%d\" severity=\"%s\" source=\"stoa.%s\" message=\"",
                 finding->line, finding->column, severities[finding->severity], finding->rule->id);
        add_xml(text, finding->message);
        str_add(text, "\"/>\n");
    }
    str_add(text, file == NULL ? "</checkstyle>\n" : " </file>\n</checkstyle>\n");
}

/* The report as one page that needs nothing but itself. */
#include "rehearse/text.h"

#include <string.h>

/* Made by tools/embed_text.py from src/rehearse/page/. */
extern const char report_css[], report_js[];

/* Nothing is fetched, whatever a text may say. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Rehearsal of ";

static const struct {
    const char *id, *title, *what;
} charts[] = {
    {"time-chart", "Time", "points were measured; bars are the range that is predicted for all rows"},
    {"log-chart", "Log", "points were written; bars are the range that is predicted for all rows"},
    {"steps-chart", "Steps", "the range of seconds that is predicted for each"},
    {"stall-chart", "The application", "how long its statements took, in milliseconds"},
};

static void add_charts(Str *out)
{
    str_add(out, "<div class=\"charts\">\n");
    for (size_t i = 0; i < ARRAY_LEN(charts); i++)
        str_addf(out,
                 "<figure><figcaption>%s<span>%s</span></figcaption><div><canvas id=\"%s\" role=\"img\" "
                 "aria-label=\"%s: %s; the figures stand in the tables below\"></canvas></div></figure>\n",
                 charts[i].title, charts[i].what, charts[i].id, charts[i].title, charts[i].what);
    str_add(out, "</div>\n");
}

/* JSON in which no end of an element, and no comment, can stand. */
static void add_data(Str *out, const json_t *json)
{
    CLEANUP(mem_freep) char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    str_add(out, "<script type=\"application/json\" id=\"report\">");
    for (const char *c = text == NULL ? "{}" : text; *c != '\0'; c++) {
        if (*c == '<' || *c == '>' || *c == '&')
            str_addf(out, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            str_addn(out, c, 1);
    }
    str_add(out, "</script>\n");
}

char *rehearse_html(Arena *arena, const json_t *json, const char *chart_js, size_t chart_js_len)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *change = json_string_value(json_object_get(json, "change"));
    const char *digest = json_string_value(json_object_get(json, "plan_digest"));
    const char *made_at = json_string_value(json_object_get(json, "made_at"));
    char *body = text_write(arena, json, TEXT_HTML);
    /* The charts stand behind what is predicted, before the first table of details. */
    char *details = strstr(body, "<h2>");
    str_add(&out, head);
    text_escape(&out, change == NULL ? "" : change);
    str_addf(&out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", report_css);
    str_addn(&out, body, details == NULL ? strlen(body) : (size_t)(details - body));
    add_charts(&out);
    str_add(&out, details == NULL ? "" : details);
    str_add(&out, "<footer>plan ");
    text_escape(&out, digest == NULL ? "" : digest);
    str_add(&out, ", rehearsed ");
    text_escape(&out, made_at == NULL ? "" : made_at);
    str_add(&out, "</footer>\n");
    add_data(&out, json);
    str_add(&out, "<script>\n");
    str_addn(&out, chart_js, chart_js_len);
    str_addf(&out, "\n</script>\n<script>\n%s</script>\n</body>\n</html>\n", report_js);
    return arena_dup(arena, out.buf);
}

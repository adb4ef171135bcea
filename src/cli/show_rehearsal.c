/* Shows what a rehearsal said: beside a plan, and against what happened. */
#include "base/unit.h"
#include "cli/show.h"

#include <string.h>

enum { TITLE_COLUMN = 4, RANGE_COLUMN = 46, ACTUAL_COLUMN = 66, VERDICT_COLUMN = 80, CELL_BYTES = 80 };

static double number(const json_t *json, const char *key)
{
    return json_number_value(json_object_get(json, key));
}

/* "4.0 s – 9.0 s", "80–88 MB" likewise, into `ret_text` (CELL_BYTES). */
static const char *seconds_range(const json_t *range, char *ret_text)
{
    return range_text((int64_t)(number(range, "low") * 1000), (int64_t)(number(range, "high") * 1000),
                      ret_text);
}

static const char *bytes_range(const json_t *range, char *ret_text)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];
    (void)unit_size_text((int64_t)number(range, "low"), low);
    (void)unit_size_text((int64_t)number(range, "high"), high);
    (void)snprintf(ret_text, CELL_BYTES, strcmp(low, high) == 0 ? "%s" : "%s – %s", low, high);
    return ret_text;
}

const json_t *rehearsal_step(const json_t *rehearsal, int ordinal)
{
    size_t i = 0;
    const json_t *step = NULL;
    json_array_foreach(json_object_get(rehearsal, "steps"), i,
                       step) if ((int)number(step, "ordinal") == ordinal) return step;
    return NULL;
}

void show_rehearsal(Page *page, const json_t *rehearsal)
{
    const json_t *prediction = json_object_get(rehearsal, "prediction");
    const json_t *stall = json_object_get(prediction, "longest_stall_ms");
    char cell[CELL_BYTES], rows[UNIT_TEXT_BYTES], made[UNIT_TEXT_BYTES];
    page_put(page, STYLE_DIM, "rehearsed ");
    page_putf(page, STYLE_DIM, "%.10s", text_of(rehearsal, "made_at"));
    page_putf(page, STYLE_DIM,
              " with %s rows for %s: ", unit_count_text((int64_t)number(rehearsal, "rehearsed_rows"), made),
              unit_count_text((int64_t)number(rehearsal, "rows"), rows));
    page_put(page, STYLE_PLAIN, seconds_range(json_object_get(prediction, "seconds"), cell));
    page_putf(page, STYLE_PLAIN, ", %s of log", bytes_range(json_object_get(prediction, "wal_bytes"), cell));
    if (stall != NULL)
        page_putf(page, STYLE_PLAIN, ", longest stall %s",
                  range_text((int64_t)number(stall, "low"), (int64_t)number(stall, "high"), cell));
    page_newline(page);
    if (json_is_string(json_object_get(prediction, "error"))) {
        page_put(page, STYLE_RED, "it did not get through beside the application: ");
        page_wrap(page, STYLE_PLAIN, 2, text_of(prediction, "error"));
        page_newline(page);
    }
    if (json_is_true(json_object_get(prediction, "stalls"))) {
        page_put(page, STYLE_RED, "it stalls the application for longer than --max-stall");
        page_newline(page);
    }
    if (json_is_true(json_object_get(json_object_get(rehearsal, "naive"), "stalls")) &&
        json_is_false(json_object_get(prediction, "stalls"))) {
        page_put(page, STYLE_DIM,
                 "as it is usually written it would stall the application, and this plan does not");
        page_newline(page);
    }
    if (json_is_false(json_object_get(rehearsal, "realistic"))) {
        page_put(page, STYLE_YELLOW, "not realistic: made rows do not take as much room as the table's");
        page_newline(page);
    }
}

void show_rehearsal_step(Page *page, const json_t *step)
{
    const json_t *seen = json_object_get(step, "rehearsed"), *application = NULL;
    char cell[CELL_BYTES];
    page_put(page, STYLE_PLAIN, seconds_range(json_object_get(step, "seconds"), cell));
    page_putf(page, STYLE_PLAIN, ", %s of log", bytes_range(json_object_get(step, "wal_bytes"), cell));
    application = json_object_get(seen, "application");
    if (number(application, "max_ms") > 0)
        page_putf(page, STYLE_DIM, ", the application waited %s at most",
                  unit_duration_text((int64_t)number(application, "max_ms"), cell));
}

/* ---- predictions against what happened ------------------------------------------------------ */

static void show_verdict(Page *page, const json_t *range)
{
    bool inside = json_is_true(json_object_get(range, "inside"));
    page_to(page, VERDICT_COLUMN);
    if (!json_is_true(json_object_get(range, "scored")))
        page_put(page, STYLE_DIM, "too short to tell");
    else
        page_put(page, inside ? STYLE_GREEN : STYLE_YELLOW,
                 inside                                           ? "inside"
                 : number(range, "actual") < number(range, "low") ? "less"
                                                                  : "more");
}

static void show_scored(Page *page, const json_t *range, bool bytes)
{
    char cell[CELL_BYTES];
    if (json_object_get(range, "actual") == NULL)
        return;
    page_to(page, RANGE_COLUMN);
    page_put(page, STYLE_PLAIN, bytes ? bytes_range(range, cell) : seconds_range(range, cell));
    page_to(page, ACTUAL_COLUMN);
    page_put(page, STYLE_BOLD,
             bytes ? unit_size_text((int64_t)number(range, "actual"), cell)
                   : unit_duration_text((int64_t)(number(range, "actual") * 1000), cell));
    show_verdict(page, range);
    page_newline(page);
}

/* Where it was rehearsed: another machine is faster or slower. */
static void show_machine(Page *page, const json_t *machine)
{
    char memory[UNIT_TEXT_BYTES];
    if (!json_is_object(machine))
        return;
    page_newline(page);
    page_to(page, TITLE_COLUMN);
    page_putf(page, STYLE_DIM, "on %d cores, %s", (int)number(machine, "cores"),
              unit_size_text((int64_t)number(machine, "memory_bytes"), memory));
    if (number(machine, "sync_ms") > 0)
        page_putf(page, STYLE_DIM, ", %.1f ms a sync", number(machine, "sync_ms"));
}

static void show_change(Page *page, const json_t *change)
{
    const json_t *step = NULL;
    size_t i = 0;
    page_put(page, STYLE_BOLD, text_of(change, "change"));
    page_putf(page, STYLE_DIM, " · ready %.10s %.5s", text_of(change, "at"),
              strlen(text_of(change, "at")) > 11 ? text_of(change, "at") + 11 : "");
    show_machine(page, json_object_get(change, "machine"));
    page_to(page, RANGE_COLUMN);
    page_put(page, STYLE_DIM, "predicted");
    page_to(page, ACTUAL_COLUMN);
    page_put(page, STYLE_DIM, "was");
    page_newline(page);
    json_array_foreach(json_object_get(change, "steps"), i, step)
    {
        page_putf(page, STYLE_PLAIN, "%3d", (int)number(step, "ordinal"));
        page_to(page, TITLE_COLUMN);
        page_putf(page, STYLE_PLAIN, "%.*s", RANGE_COLUMN - TITLE_COLUMN - 2, text_of(step, "title"));
        show_scored(page, json_object_get(step, "seconds"), false);
    }
    page_to(page, TITLE_COLUMN);
    page_put(page, STYLE_PLAIN, "in all");
    show_scored(page, json_object_get(change, "seconds"), false);
    page_to(page, TITLE_COLUMN);
    page_put(page, STYLE_PLAIN, "log, of all that wrote meanwhile");
    show_scored(page, json_object_get(change, "wal_bytes"), true);
    if (json_is_true(json_object_get(change, "cut"))) {
        page_to(page, TITLE_COLUMN);
        page_put(page, STYLE_YELLOW,
                 "a process that worked on it was killed, and its time is not known: "
                 "this one does not count");
        page_newline(page);
    }
    page_newline(page);
}

void show_predictions(Page *page, const json_t *predictions)
{
    const json_t *change = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(predictions, "changes"), i, change) show_change(page, change);
    if (i == 0) {
        page_put(page, STYLE_DIM, "no change that was rehearsed has become ready yet");
        page_newline(page);
        return;
    }
    page_putf(page, STYLE_PLAIN, "%d of %d changes took as long as their rehearsals said, and %d of %d steps",
              (int)number(predictions, "inside"), (int)number(predictions, "scored"),
              (int)number(predictions, "steps_inside"), (int)number(predictions, "steps_scored"));
    page_newline(page);
}

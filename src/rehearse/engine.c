/* The kinds of servers that rehearsals know. */
#include "rehearse/engine.h"

#include "base/str.h"

#include <string.h>
#include <unistd.h>

const RehearseEngine *rehearse_engine(const char *name)
{
    static const RehearseEngine *const engines[] = {&rehearse_engine_pg, &rehearse_engine_mariadb,
                                                    &rehearse_engine_mysql};
    for (size_t i = 0; i < ARRAY_LEN(engines); i++)
        if (str_eq(name, engines[i]->name))
            return engines[i];
    return NULL;
}

void rehearse_setting(Str *out, const Facts *facts, const char *name, const char *own_name)
{
    const char *text = facts_setting_text(facts, name);
    if (text == NULL || strpbrk(text, "'\"\\\n\r#;") != NULL) /* a snapshot may be anybody's */
        return;
    str_addf(out, "%s = '%s'\n", own_name, text);
}

int64_t rehearse_scaled(const Facts *facts, const char *name, double share, int64_t least, int64_t most)
{
    int64_t source = facts_setting(facts, name, 0), bytes = (int64_t)((double)source * share);
    return source <= 0 ? 0 : bytes < least ? least : bytes > most ? most : bytes;
}

int64_t rehearse_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (int64_t)pages * page_bytes : INT64_C(1) << 30;
}

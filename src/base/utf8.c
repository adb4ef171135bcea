/* UTF-8 as RFC 3629 has it. */
#include "base/utf8.h"

#include "base/str.h"

size_t utf8_len(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xc2 && at[0] <= 0xdf   ? 2
                 : at[0] >= 0xe0 && at[0] <= 0xef ? 3
                 : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
                                                  : 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool longer = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool none = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return longer || none ? 0 : len;
}

static char *mend(const char *text, bool line)
{
    Str mended = STR_INIT;
    for (const char *at = text; *at != '\0';) {
        size_t len = utf8_len(at);
        unsigned char first = (unsigned char)*at;
        bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)at[1] < 0xa0);
        if (len == 0)
            str_add(&mended, "\xef\xbf\xbd");
        else if (line && control)
            str_add(&mended, "?");
        else
            str_addn(&mended, at, len);
        at += len == 0 ? 1 : len;
    }
    return str_take(&mended);
}

char *utf8_mend(const char *text) { return mend(text, false); }
char *utf8_line(const char *text) { return mend(text, true); }

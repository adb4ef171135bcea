/* page.h — the page at "/": files that the program carries with it. */
#pragma once
#include <stddef.h>

/* Made by tools/embed_page.py from src/serve/page/ and Chart.js. */
typedef struct PageFile {
    const char *path; /* "/page/main.js"; "/" for index.html */
    const char *type; /* content type */
    const char *etag; /* with its quotes; of the content alone */
    const unsigned char *bytes;
    size_t len;
} PageFile;

extern const PageFile page_files[];
extern const size_t page_file_count;

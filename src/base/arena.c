/* Memory that lives as long as its owner. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 8000 };

typedef struct Page Page;
struct Page {
    Page *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char data[];
};
struct Arena {
    Page *page;
};

Arena *arena_new(void) { return mem_zero(sizeof(Arena)); }

void *arena_alloc(Arena *arena, size_t size)
{
    size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (arena->page == NULL || arena->page->size - arena->page->used < need) {
        size_t page_size = need > PAGE_BYTES ? need : PAGE_BYTES;
        Page *page = mem_resize(NULL, sizeof *page + page_size);
        *page = (Page){.next = arena->page, .size = page_size};
        arena->page = page;
    }
    void *res = arena->page->data + arena->page->used;
    arena->page->used += need;
    return memset(res, 0, need);
}

char *arena_dupn(Arena *arena, const char *text, size_t len)
{
    return memcpy(arena_alloc(arena, len + 1), text, len);
}

char *arena_dup(Arena *arena, const char *text) { return arena_dupn(arena, text, strlen(text)); }

char *arena_printf(Arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mem_format(fmt, args);
    va_end(args);
    char *res = arena_dup(arena, text);
    free(text);
    return res;
}

void *arena_grow(Arena *arena, void *items, size_t len, size_t *cap, size_t item_size)
{
    if (items != NULL && len < *cap)
        return items;
    size_t more = *cap == 0 ? 8 : *cap * 2;
    void *res = arena_alloc(arena, more * item_size);
    if (items != NULL)
        memcpy(res, items, len * item_size);
    *cap = more;
    return res;
}

static void pages_free(Page *page)
{
    while (page != NULL) {
        Page *next = page->next;
        free(page);
        page = next;
    }
}

void arena_clear(Arena *arena)
{
    if (arena->page == NULL)
        return;
    pages_free(arena->page->next);
    arena->page->next = NULL;
    arena->page->used = 0;
}

void arena_free(Arena *arena)
{
    if (arena == NULL)
        return;
    pages_free(arena->page);
    free(arena);
}

/* arena.h — memory that lives as long as a change, a plan, a request or a step; nothing inside is freed
 * singly. */
#pragma once
#include "base/err.h"

typedef struct Arena Arena;
Arena *arena_new(void) __attribute__((returns_nonnull));
void arena_free(Arena *arena);
/* Forgets all contents and keeps one page: for loops of unbounded length. */
void arena_clear(Arena *arena);
/* Zeroed memory, aligned for any type. */
void *arena_alloc(Arena *arena, size_t size) __attribute__((malloc, alloc_size(2), returns_nonnull));
char *arena_dup(Arena *arena, const char *text) __attribute__((returns_nonnull));
char *arena_dupn(Arena *arena, const char *text, size_t len) __attribute__((returns_nonnull));
char *arena_printf(Arena *arena, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull));
static inline void arena_freep(Arena **arena)
{
    arena_free(*arena);
    *arena = NULL;
}

/* A growing array inside an arena: VEC(Step) steps = {0}; *vec_push(arena, &steps) = step; */
#define VEC(T)                                                                                               \
    struct {                                                                                                 \
        T *items;                                                                                            \
        size_t len, cap;                                                                                     \
    }
#define vec_push(arena, vec)                                                                                 \
    ((vec)->items = arena_grow((arena), (vec)->items, (vec)->len, &(vec)->cap, sizeof *(vec)->items),        \
     &(vec)->items[(vec)->len++])
void *arena_grow(Arena *arena, void *items, size_t len, size_t *cap, size_t item_size)
    __attribute__((returns_nonnull));

/* local_disk.h — what is free on a disk of this machine, and which processes run here: for servers that are
 * proved to be here. */
#pragma once
#include "base/arena.h"

/* Bytes that are free, for others than root, where `path` is; -1, and *ret_why, where that cannot be told. */
int64_t local_free(Arena *arena, const char *path, const char **ret_why);
/* The first `size` - 1 bytes of a file; false where it cannot be read. */
bool local_read(const char *path, char *ret_text, size_t size);
/* When a process of this machine began, in seconds since 1970, and its name, of at most 15 bytes; false where
 * there is none of that number. Sources: proc(5), fields 2 and 22 of /proc/PID/stat, btime of /proc/stat. */
bool local_process(int64_t pid, int64_t *ret_started_s, char ret_name[16]);

/* notice.h — one thing that is told. Private to notify/. */
#pragma once
#include "notify/notify.h"
#include "notify/post.h"

/* Texts of whoever tells; UTF-8 or not. */
typedef struct Notice {
    const char *event; /* "started", "throttled", "blocked", "alarm", "ready", "failed", "completed" … */
    const char *change, *state;
    int step; /* 0 */
    const char *text;
} Notice;

/* As it goes out; texts on the heap. */
typedef struct Parcel {
    char delivery[33]; /* the same at each try and for each receiver */
    char *event, *body;
    char **variables; /* "STOA_EVENT=…"; NULL ends */
    int64_t told_ms;  /* clock_ms() */
    struct Parcel *next;
} Parcel;

Parcel *parcel_new(const NotifyOptions *options, const Notice *notice, const char *delivery)
    __attribute__((returns_nonnull));
void parcel_free(Parcel *parcel);
/* 32 hexadecimal digits and a NUL into `ret_id`. */
void parcel_id(char *ret_id);

/* hook.c: runs it once, 30 s at most. */
Err *hook_run(const char *program, const Parcel *parcel, const Stop *stop) MUST_USE;

/* webhook.c */
/* One try, 15 s at most, less where `stop` is at STOP_NOW. */
void webhook_post(const char *url, const char *secret, const Parcel *parcel, const Stop *stop,
                  PostResult *ret_result);
/* "https://host:port/…": paths and users of webhooks are often secrets. The caller frees. */
char *webhook_label(const char *url);
Err *webhook_check(const char *url) MUST_USE;

/* watch.c: what of all that happens is told. */
typedef struct Watch Watch;
typedef struct WatchOptions {
    int64_t throttled_after_ms;
    void (*tell)(void *context, const Notice *notice);
    void *context;
} WatchOptions;
Watch *watch_new(const WatchOptions *options) __attribute__((returns_nonnull));
void watch_free(Watch *watch);
/* `now_ms`: clock_ms(). */
void watch_event(Watch *watch, int64_t now_ms, const Event *event);
void watch_progress(Watch *watch, int64_t now_ms, const char *change, const char *throttled_by);
void watch_failed(Watch *watch, int64_t now_ms, const char *text);
void watch_look(Watch *watch, int64_t now_ms, const json_t *changes, const json_t *events);

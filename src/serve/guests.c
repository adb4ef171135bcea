/* A list, oldest request first, and shutdown(2), which makes libmicrohttpd close. */
#include "serve/guests.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 20000, CROWDED_MS = 2000, EVERY_MS = 250 };

struct Guest {
    int socket;
    bool busy;
    int64_t since_ms; /* it is waited for since then */
    Guest *before, *after;
};

struct Guests {
    pthread_mutex_t lock;
    size_t most, count;
    Guest *first, *last; /* by since_ms */
    int64_t swept_ms;
};

/* Under the lock. */
static void take_out(Guests *guests, Guest *guest)
{
    *(guest->before == NULL ? &guests->first : &guest->before->after) = guest->after;
    *(guest->after == NULL ? &guests->last : &guest->after->before) = guest->before;
}

static void put_last(Guests *guests, Guest *guest)
{
    guest->since_ms = clock_ms();
    guest->before = guests->last;
    guest->after = NULL;
    *(guests->last == NULL ? &guests->first : &guests->last->after) = guest;
    guests->last = guest;
}

Guests *guests_new(size_t most)
{
    Guests *guests = mem_zero(sizeof *guests);
    guests->most = most;
    (void)pthread_mutex_init(&guests->lock, NULL);
    return guests;
}

void guests_free(Guests *guests)
{
    (void)pthread_mutex_destroy(&guests->lock);
    free(guests);
}

Guest *guest_come(Guests *guests, int socket)
{
    Guest *guest = mem_zero(sizeof *guest);
    guest->socket = socket;
    pthread_mutex_lock(&guests->lock);
    put_last(guests, guest);
    guests->count++;
    pthread_mutex_unlock(&guests->lock);
    guests_sweep(guests);
    return guest;
}

void guest_leave(Guests *guests, Guest *guest)
{
    pthread_mutex_lock(&guests->lock);
    take_out(guests, guest);
    guests->count--;
    pthread_mutex_unlock(&guests->lock);
    free(guest);
}

void guest_busy(Guests *guests, Guest *guest, bool busy)
{
    pthread_mutex_lock(&guests->lock);
    guest->busy = busy;
    take_out(guests, guest);
    put_last(guests, guest);
    pthread_mutex_unlock(&guests->lock);
}

void guests_sweep(Guests *guests)
{
    pthread_mutex_lock(&guests->lock);
    int64_t now_ms = clock_ms();
    int64_t patience_ms = guests->count > guests->most / 4 * 3 ? CROWDED_MS : PATIENCE_MS;
    bool due = now_ms - guests->swept_ms >= EVERY_MS;
    if (due)
        guests->swept_ms = now_ms;
    for (const Guest *guest = guests->first; due && guest != NULL; guest = guest->after) {
        if (now_ms - guest->since_ms < patience_ms)
            break;
        if (!guest->busy)
            (void)shutdown(guest->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&guests->lock);
}

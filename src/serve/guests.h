/* guests.h — who is connected, and for how long without a whole request. One that sends a byte now and then
 * is never idle, so libmicrohttpd alone would keep it for ever. */
#pragma once
#include "base/err.h"

typedef struct Guests Guests;
typedef struct Guest Guest;

/* `most`: how many there can be. */
Guests *guests_new(size_t most) __attribute__((returns_nonnull));
void guests_free(Guests *guests);
/* The socket stays whoever's it is; it must be open until guest_leave(). */
Guest *guest_come(Guests *guests, int socket) __attribute__((returns_nonnull));
void guest_leave(Guests *guests, Guest *guest);
/* Its request is there whole, and is being answered; or the answer is through. */
void guest_busy(Guests *guests, Guest *guest, bool busy);
/* Cuts those off that have come to no request for 20 s, or 2 s where most places are taken. Often; it does
 * nothing when the last time was just now. */
void guests_sweep(Guests *guests);

/* Turns signals into the stop token's levels. */
#include "cli/signals.h"

#include <signal.h>

static Stop *signals_stop;
static _Atomic bool status_wanted;
static _Atomic bool at_once;

static void on_stop(int number)
{
    bool soon = stop_level(signals_stop) == STOP_NONE && !at_once;
    stop_raise(signals_stop, soon ? STOP_SOON : STOP_NOW, number);
}

static void on_status(int number)
{
    (void)number;
    status_wanted = true;
}

static void on_nothing(int number) { (void)number; }

static void install(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void signals_install(Stop *stop, bool keep_going)
{
    signals_stop = stop;
    install(SIGINT, on_stop);
    install(SIGTERM, on_stop);
    install(SIGUSR1, on_status);
    install(SIGHUP, on_nothing);
    if (keep_going)
        install(SIGPIPE, SIG_IGN);
}

void signals_stop_at_once(void) { at_once = true; }

bool signals_take_status(void) { return atomic_exchange(&status_wanted, false); }

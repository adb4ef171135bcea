/* order.h — a change goes from one environment to the next. */
#pragma once
#include "cli/places.h"

/* Refuses a change that is not ready in every environment before the one of --env: ERR_UNSAFE naming what is
 * missing where, or another content under its name with both digests; ERR_CONNECT where one cannot be looked
 * at and nothing else is missing. What has been begun here already may go on. With --out-of-order *ret_note
 * is what the journal is to be told, in the arena; else, or where nothing is missing, NULL. */
Err *order_check(Cli *cli, const Change *change, const RunNote **ret_note) MUST_USE;

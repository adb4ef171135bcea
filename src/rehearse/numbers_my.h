/* numbers_my.h — a table of whole numbers, out of which rows are made where the server has no series. */
#pragma once

/* 0 to NUMBERS_MY_COUNT less one, in the database that rows are made in. */
#define NUMBERS_MY "`stoa_rehearsal_numbers`"
enum { NUMBERS_MY_COUNT = 50000 };

/* split_my.h — a text of MySQL or MariaDB cut into statements, where the command line client cuts it.
 *
 * Sources, asked of the client of MariaDB 10.11 (text sent = general log) and read in the manuals ("mysql
 * Client Commands", "Defining Stored Programs"):
 *  - A statement ends at the delimiter, wherever it stands outside of quotes and plain comments; inside of an
 *    executable comment it ends there as well, and so it does within a body without DELIMITER.
 *  - DELIMITER is taken at the beginning of a line that begins no later than the statement; it ends at white
 *    space or is quoted, the rest of the line is ignored. It is no longer than 15 bytes and has no backslash.
 *    MySQL's client also takes it in the middle of a line, MariaDB's does not: here that is a fault.
 *  - A line that is a command of the client ("use shop", "source x.sql") needs no delimiter. USE is a
 * statement here, the others are faults, and so are \g, \G and any other backslash command.
 *  - "--" that stands where a statement would begin is a comment, whatever follows; no statement begins so.
 *  - The last statement needs no delimiter. Statements without a token are none.
 *  - In quotes and comments the server's rules hold (lex_my.h); the clients agree, but for a backslash in
 *    backticks, where MariaDB's goes by the server and older MySQL's does not. */
#pragma once
#include "change/lex_my.h"

typedef struct MyPiece {
    MySpan span;  /* from its first to its last byte of code, without the delimiter */
    MySpan whole; /* with the comments and white space around it, up to the delimiter */
    int line;     /* of span.start, from 1 */
    bool cut;     /* part of a body that a delimiter cuts; there is a fault */
} MyPiece;

/* What stands behind "stoa:" in a comment, without white space around. */
typedef struct MyNote {
    MySpan span;
    int line;
    size_t
        piece; /* index of the statement that it stands in or before; the count of pieces: behind the last */
} MyNote;

typedef struct MySplit {
    VEC(MyPiece) pieces;
    VEC(MyNote) notes;
    VEC(MyFault) faults; /* by position, but those of cut bodies come last */
} MySplit;

/* Cuts `len` bytes. What stands behind a quote or comment that does not end is left out. */
MySplit my_split(Arena *arena, const MyDialect *dialect, const char *text, size_t len);

/* body_my.c: true for the beginning of a stored program or compound statement whose END is missing; true in
 * ret_tail for what only stands inside of one (END, ELSEIF, DECLARE …). Internal to change/. */
bool my_body_is_cut(const MyDialect *dialect, const char *text, MySpan span, bool *ret_tail);

/* reserved.h — words that a server takes as a name only in quotes. */
#pragma once

enum { RESERVED_POSTGRES = 1, RESERVED_MYSQL = 2, RESERVED_MARIADB = 4 };

/* The servers that reserve the word, in any case of letters: bits; as PostgreSQL 18, MySQL 9.7, MariaDB 11.8.
 */
unsigned word_reserved(const char *text);

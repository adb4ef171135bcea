/* build_my.h — what RehearseEngine asks of a build, on MySQL and MariaDB. */
#pragma once
#include "rehearse/build.h"

/* Copies a database: definitions as the server shows them, rows by their files where the server is a private
 * one and the tables allow it, else row by row; then what stands around the tables. */
Err *build_copy_my(Stage *stage, const char *name, const char *from) MUST_USE;
Err *build_prepare_my(const Build *build) MUST_USE;
/* By innodb_fill_factor (MySQL 5.7, MariaDB 10.2), which holds for what is built sorted. */
Err *build_settle_my(const Build *build) MUST_USE;
Err *build_finish_my(const Build *build) MUST_USE;

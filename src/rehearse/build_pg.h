/* build_pg.h — what RehearseEngine asks of a build, on PostgreSQL. */
#pragma once
#include "rehearse/build.h"

Err *build_before_rows_pg(const Build *build, const FactTable *table) MUST_USE;
Err *build_after_rows_pg(const Build *build, const FactTable *table) MUST_USE;
Err *build_settle_pg(const Build *build) MUST_USE;
Err *build_finish_pg(const Build *build) MUST_USE;
bool build_is_foreign_pg(const Facts *facts, const CopyStatement *statement);

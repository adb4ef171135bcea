/* postgres.h — the PostgreSQL engine, 10 to 18, over libpq. */
#pragma once
#include "engine/engine.h"

extern const EngineOps engine_postgres;

/* mysql.h — the engine for MySQL and MariaDB. */
#pragma once
#include "engine/engine.h"

extern const EngineOps engine_mysql;

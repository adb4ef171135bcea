#!/bin/sh
# Deploys code that needs a column once every environment's databases let it through.
# Usage: deploy.sh TABLE.COLUMN write|read|drop COMMAND…      e.g. deploy.sh orders.amount_cents read ./roll-out v42
set -eu
column=$1
use=$2
shift 2

code=0
stoa gate "$column" --for "$use" --wait "${GATE_WAIT:-10m}" || code=$?
case $code in
0) exec "$@" ;;
3) echo "not deployed: $column is not ready for $use yet" >&2 ;;
*) echo "not deployed: nobody can tell whether $column is ready for $use" >&2 ;;
esac
exit "$code"

#!/usr/bin/env bash
# How long a batch's file takes until every line is validated and durable, and how much memory that takes. See bench/README.md.
#   bench/batches.sh [--lines 50000] [--bytes 1000] [--runs 3]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
in_turn build bench/Batches/Batches.csproj
exec dotnet "$root/bench/Batches/bin/Release/net10.0/LlmQueue.Bench.Batches.dll" "$@"

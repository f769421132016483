#!/usr/bin/env bash
# What a day's mixed work costs by the routing table, against sending everything to the strongest model. See bench/README.md.
#   bench/routing.sh [--tasks 2000] [--seed 1]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
need_rabbitmq
in_turn build bench/Routing/Routing.csproj
exec dotnet "$root/bench/Routing/bin/Release/net10.0/LlmQueue.Bench.Routing.dll" "$@"

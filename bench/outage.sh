#!/usr/bin/env bash
# What a task notices when its first provider goes down in the middle of 1,000 of them. See bench/README.md.
#   bench/outage.sh [refuses|hangs|resets …]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
need_rabbitmq
in_turn build bench/Outage/Outage.csproj
exec dotnet "$root/bench/Outage/bin/Release/net10.0/LlmQueue.Bench.Outage.dll" "$@"

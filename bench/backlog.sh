#!/usr/bin/env bash
# What a task costs, what the worker and the database weigh and how long a start after a crash takes, with few and with very many tasks waiting. See bench/README.md.
#   bench/backlog.sh [--waiting 1000,100000,1000000] [--drain 2000]
#   bench/backlog.sh --hour [--tasks 36000] [--rate 200]    dead rows while an hour's work is done
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
need_rabbitmq
in_turn build bench/Backlog/Backlog.csproj
exec dotnet "$root/bench/Backlog/bin/Release/net10.0/LlmQueue.Bench.Backlog.dll" "$@"

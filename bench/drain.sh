#!/usr/bin/env bash
# How close to the least possible time the queue drains calls through limits; with --peer the same for BullMQ. See bench/README.md.
#   bench/drain.sh [--scenario base|two-keys|claims-double|claims-half|mixed] [--workers 1] [--runs 3] [--calls N] [--peer] [--cold] [--seed 1] [--verbose]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
need_rabbitmq
if printf '%s\n' "$@" | grep -qx -- --peer; then
  if ! command -v redis-server >/dev/null 2>&1; then install redis-server "leave --peer out" redis-server redis redis; fi
  command -v npm >/dev/null 2>&1 || stop "npm was not found; the peer is a program for node. Install node and npm, or leave --peer out."
  # Outside the repository, as everything that a bench leaves behind.
  peer=${XDG_CACHE_HOME:-$HOME/.cache}/llmqueue-bench/drain-peer
  mkdir -p "$peer"
  cp "$root"/bench/Drain/Peer/* "$peer/"
  if [ ! -d "$peer/node_modules/bullmq" ]; then
    say "Installing bullmq into $peer."
    (cd "$peer" && npm install --no-audit --no-fund --silent) || stop "npm could not install bullmq; the lines above say why."
  fi
  export BENCH_PEER=$peer/drain.mjs
fi

in_turn build bench/Drain/Drain.csproj
exec dotnet "$root/bench/Drain/bin/Release/net10.0/LlmQueue.Bench.Drain.dll" "$@"

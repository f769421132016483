#!/usr/bin/env bash
# Tasks a second and latency of the whole durable flow, and of graphile-worker, pg-boss and BullMQ doing the same work in the same run. See bench/README.md.
#   bench/throughput.sh [--rounds 5] [--tasks 5000] [--warm 5000] [--peers graphile,pgboss,bullmq|none] [--rate 100] [--seconds 10] [--verbose]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=../prerequisites.sh
. "$root/prerequisites.sh"

need_sdk
need_postgres
need_rabbitmq

# The peers live outside the repository, as everything that a bench leaves behind. What cannot be had is left out, and said so.
peers=${XDG_CACHE_HOME:-$HOME/.cache}/llmqueue-bench/throughput-peers
if ! command -v npm >/dev/null 2>&1; then
  say "npm was not found, so no peer is measured. Install node and npm to measure them."
else
  mkdir -p "$peers"
  cp "$root"/bench/Throughput/Peers/* "$peers/"
  if ! cmp -s "$peers/package.json" "$peers/installed.json"; then
    say "Installing graphile-worker, pg-boss and bullmq into $peers."
    if (cd "$peers" && npm install --no-audit --no-fund --silent); then cp "$peers/package.json" "$peers/installed.json"; else say "npm could not install the peers; the lines above say why."; fi
  fi
  # Both libraries on PostgreSQL ask for node 22; the registry has it as a package.
  node=$(command -v node || true)
  if ! { [ -n "$node" ] && "$node" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 22 ? 0 : 1)'; }; then
    platform=node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
    node=$peers/node/node_modules/$platform/bin/node
    if [ ! -x "$node" ]; then
      say "Installing node 22 into $peers/node."
      mkdir -p "$peers/node"
      (cd "$peers/node" && npm install --no-audit --no-fund --silent --prefix . "$platform@22") || say "npm could not install $platform@22; the lines above say why."
    fi
  fi
  if [ -x "$node" ] && [ -f "$peers/installed.json" ]; then
    export BENCH_PEERS=$peers BENCH_NODE=$node
  fi
  if ! command -v redis-server >/dev/null 2>&1; then say "redis-server was not found, so BullMQ is left out. Install it (on Debian: apt-get install redis-server) to measure it."; fi
fi

in_turn build bench/Throughput/Throughput.csproj
exec dotnet "$root/bench/Throughput/bin/Release/net10.0/LlmQueue.Bench.Throughput.dll" "$@"

#!/usr/bin/env bash
# Sets up what is missing, builds what has changed, and becomes the queue: ./run.sh --help says what it can do.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=prerequisites.sh
. "$root/prerequisites.sh"

program=$root/src/Embedded/bin/Release/net10.0/LlmQueue.Embedded.dll
simulator=$root/tests/ProviderSimulator/bin/Release/net10.0/ProviderSimulator.dll
built=$root/src/Embedded/obj/run.built

# Folders count too: their time changes when a file in them goes away.
is_built() {
  [ -f "$program" ] && [ -f "$simulator" ] && [ -f "$built" ] || return 1
  local newer
  newer=$(cd "$root" && find src tests/ProviderSimulator ./*.props ./*.json BannedSymbols.txt .editorconfig \
    \( -name bin -o -name obj \) -prune -o -newer "$built" -print) || return 1
  [ -z "$newer" ]
}

build_what_changed() {
  # Asked again, because the one who had the lock may have built it meanwhile.
  if is_built; then return; fi
  need_sdk
  say "Building the queue."
  local project began
  # Made beforehand, so that making them does not look like a change next time.
  for project in "$root"/src/*/ "$root/tests/ProviderSimulator/"; do mkdir -p "$project/bin" "$project/obj"; done
  began=$(mktemp)
  build tests/ProviderSimulator/ProviderSimulator.csproj
  build src/Embedded/Embedded.csproj
  # The time is that of the beginning: what was edited during the build counts as changed.
  touch -r "$began" "$built"
  rm -f "$began"
}

need_dotnet
if [ -z "$(setting DATABASE_URL)" ]; then need_postgres; fi
if ! is_built; then in_turn build_what_changed; fi

export LLMQUEUE_HOME=$root LLMQUEUE_SIMULATOR=$simulator
exec dotnet "$program" "$@"

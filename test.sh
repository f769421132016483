#!/usr/bin/env bash
# Sets up what is missing, builds everything, and runs every test against real servers.
#   ./test.sh                 all tests
#   ./test.sh chaos           the chaos tests run long
#   ./test.sh --filter NAME   only tests whose class or method contains NAME
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=prerequisites.sh
. "$root/prerequisites.sh"

runner=()
while [ $# -gt 0 ]; do
  case $1 in
    chaos) export LLMQUEUE_TESTS=long; shift ;;
    --filter)
      [ $# -ge 2 ] || { say "--filter needs the name, or a part of the name, of a class or method."; exit 2; }
      runner+=(-method "*$2*"); shift 2 ;;
    *) say "Not understood: $1. Known are: chaos, --filter NAME."; exit 2 ;;
  esac
done

need_sdk
need_postgres
need_rabbitmq
if ! command -v node >/dev/null 2>&1; then say "node was not found: tests with clients written for node are skipped."; fi

say "Building everything."
in_turn build Queue.sln

# A test that cannot have its server fails here, instead of being skipped and forgotten.
export LLMQUEUE_TESTS_REQUIRE_SERVERS=1
results=$(mktemp)
trap 'rm -f "$results"' EXIT
say "Running the tests."
code=0
dotnet "$root/tests/Queue.Tests/bin/Release/net10.0/LlmQueue.Tests.dll" \
  -noLogo -noColor -reporter verbose -longRunning 60 -xml "$results" ${runner[@]+"${runner[@]}"} </dev/null || code=$?

count() { grep -o '<assembly [^>]*>' "$results" | head -n 1 | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9][0-9]*' || printf 0; }
passed=$(count passed)
skipped=$(count skipped)
# An error is a fixture or a clean-up that failed outside any test; a run that died left no result at all.
failed=$(($(count failed) + $(count errors)))
if [ "$code" != 0 ] && [ "$failed" = 0 ]; then say "The test program ended with code $code."; failed=1; fi
if [ "$failed" != 0 ] && [ "$code" = 0 ]; then code=1; fi
if [ "$((passed + failed + skipped))" = 0 ]; then say "No test was run."; code=1; fi

if [ "$skipped" = 0 ]; then echo "$passed passed, $failed failed"; else echo "$passed passed, $failed failed, $skipped skipped"; fi
exit "$code"

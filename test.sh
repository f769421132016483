#!/usr/bin/env bash
# Sets up what is missing, builds everything, and runs every test against real servers.
#   ./test.sh                      all tests
#   ./test.sh chaos                the chaos tests alone, in their long form
#   ./test.sh chaos --short        the chaos tests alone, as ./test.sh runs them: small, two at a time
#   ./test.sh chaos --rounds 10    either form ten times over, with how often each passed
#   ./test.sh --filter NAME        only tests whose class or method contains NAME
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=prerequisites.sh
. "$root/prerequisites.sh"

runner=()
rounds=1
chaos=''
short=''
while [ $# -gt 0 ]; do
  case $1 in
    chaos) chaos=1; shift ;;
    --short) short=1; shift ;;
    --rounds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { say "--rounds needs a number from 1 up."; exit 2; }
      rounds=$2; shift 2 ;;
    --filter)
      [ $# -ge 2 ] || { say "--filter needs the name, or a part of the name, of a class or method."; exit 2; }
      runner+=(-method "*$2*"); shift 2 ;;
    *) say "Not understood: $1. Known are: chaos, --short, --rounds N, --filter NAME."; exit 2 ;;
  esac
done

if [ -n "$short" ] && [ -z "$chaos" ]; then say "--short is a form of the chaos tests: ./test.sh chaos --short."; exit 2; fi
if [ -n "$chaos" ]; then runner+=(-namespace LlmQueue.Tests.Chaos); fi
if [ -n "$chaos" ] && [ -z "$short" ]; then
  # One cell after the other: each has the machine to itself, and its recovery times mean something.
  export LLMQUEUE_TESTS=long
  runner+=(-parallel none)
fi

need_sdk
need_postgres
need_rabbitmq
want_faketime
if ! command -v node >/dev/null 2>&1; then say "node was not found: tests with clients written for node are skipped."; fi

say "Building everything."
in_turn build Queue.sln

# A test that cannot have its server fails here, instead of being skipped and forgotten.
export LLMQUEUE_TESTS_REQUIRE_SERVERS=1
results=$(mktemp)
cells=$(mktemp)
trap 'rm -f "$results" "$cells"' EXIT
code=0
for ((round = 1; round <= rounds; round++)); do
  if [ "$rounds" = 1 ]; then say "Running the tests."; else say "Round $round of $rounds."; fi
  dotnet "$root/tests/Queue.Tests/bin/Release/net10.0/LlmQueue.Tests.dll" \
    -noLogo -noColor -reporter verbose -longRunning 60 -xml "$results" ${runner[@]+"${runner[@]}"} </dev/null || code=$?
  if [ -n "$chaos" ]; then
    # What each test says of its recovery is in its output; a passed test's is in the results alone.
    grep -o '<test [^>]*>\|recovery: [^<]*' "$results" | sed -e 's/.* name="LlmQueue\.Tests\.Chaos\.\([^"]*\)".* result="\([^"]*\)".*/\2 \1/' -e 's/&#xA;.*//' | tee -a "$cells"
  fi
done
# A run's output is long, and whoever looks at its end wants to know which tests failed, and of what.
failures() {
  sed -e 's/<test /\n&/g; s/<output>/\n&/g; s/<failure/\n&/g; s/<\/failure>/\n&/g; s/<[/]*\(message\|stack-trace\)>//g; s/<!\[CDATA\[//g; s/\]\]>//g' "$results" |
    awk '/^<test /{failed = /result="Fail"/; name = $0; sub(/.* name="/, "", name); sub(/" type=.*|" result=.*/, "", name)}
         /^<failure/{inside = failed; if (inside) print "FAILED " substr(name, 1, 200)}
         /^<\/failure>/{inside = 0}
         inside{sub(/^<failure[^>]*>/, ""); if ($0 != "") print "    " substr($0, 1, 300)}'
}
if [ "$code" != 0 ] && [ -s "$results" ]; then failures | head -n 200 || true; fi
if [ "$rounds" != 1 ]; then
  say "How often each ended how, of $rounds rounds:"
  grep -E '^(Pass|Fail|Skip) ' "$cells" | sort | uniq -c
fi

count() { grep -o '<assembly [^>]*>' "$results" | head -n 1 | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9][0-9]*' || printf 0; }
passed=$(count passed)
skipped=$(count skipped)
# An error is a fixture or a clean-up that failed outside any test; a run that died left no result at all.
failed=$(($(count failed) + $(count errors)))
if [ "$rounds" != 1 ]; then
  passed=$(grep -c '^Pass ' "$cells" || true)
  skipped=$(grep -c '^Skip ' "$cells" || true)
  failed=$(grep -c '^Fail ' "$cells" || true)
fi
if [ "$code" != 0 ] && [ "$failed" = 0 ]; then say "The test program ended with code $code."; failed=1; fi
if [ "$failed" != 0 ] && [ "$code" = 0 ]; then code=1; fi
if [ "$((passed + failed + skipped))" = 0 ]; then say "No test was run."; code=1; fi

if [ "$skipped" = 0 ]; then echo "$passed passed, $failed failed"; else echo "$passed passed, $failed failed, $skipped skipped"; fi
exit "$code"

#!/usr/bin/env bash
# One task over HTTP: hand it in under an id of its own, follow its life, read its answer.
#   examples/curl/task.sh "Why is the sky blue?"
set -euo pipefail

url=${LLMQUEUE_URL:-http://127.0.0.1:8080}
auth=(-H "Authorization: Bearer ${LLMQUEUE_TOKEN:-none}")
prompt=${1:-Why is the sky blue?}

# The same key again finds the same task: a request whose answer was lost is simply sent once more.
id=$(curl -sS --fail-with-body "${auth[@]}" "$url/v1/tasks" -H 'content-type: application/json' -H "Idempotency-Key: $(date +%s)-$$" \
  -d "{\"prompt\":\"${prompt//\"/\\\"}\",\"priority\":\"interactive\"}" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
curl -sSN "${auth[@]}" "$url/v1/tasks/$id/events"
curl -sS --fail-with-body "${auth[@]}" "$url/v1/tasks/$id"
echo

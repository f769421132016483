#!/usr/bin/env bash
# A batch with nothing but curl: upload a file, create the batch, wait for it, read both files.
#   examples/curl/batch.sh [input.jsonl]
set -euo pipefail

url=${LLMQUEUE_URL:-http://127.0.0.1:8080}
auth=(-H "Authorization: Bearer ${LLMQUEUE_TOKEN:-none}")
# One member of a flat JSON object, without a JSON tool.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

input=${1:-}
if [ -z "$input" ]; then
  input=$(mktemp --suffix=.jsonl)
  trap 'rm -f "$input"' EXIT
  for word in one two three; do
    printf '{"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":{"model":"auto","messages":[{"role":"user","content":"Say %s."}],"max_tokens":20}}\n' "$word" "$word"
  done > "$input"
fi

file=$(curl -sS --fail-with-body "${auth[@]}" "$url/v1/files" -F purpose=batch -F "file=@$input;filename=input.jsonl" | member id)
batch=$(curl -sS --fail-with-body "${auth[@]}" "$url/v1/batches" -H 'content-type: application/json' \
  -d "{\"input_file_id\":\"$file\",\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\"}" | member id)
echo "batch $batch of $file"

while :; do
  seen=$(curl -sS --fail-with-body "${auth[@]}" "$url/v1/batches/$batch")
  status=$(printf '%s' "$seen" | member status)
  case $status in completed | failed | expired | cancelled) break ;; esac
  sleep 1
done
echo "$status"
for id in $(printf '%s' "$seen" | member output_file_id) $(printf '%s' "$seen" | member error_file_id); do
  curl -sS --fail-with-body "${auth[@]}" "$url/v1/files/$id/content"
done

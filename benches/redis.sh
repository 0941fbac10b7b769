#!/usr/bin/env bash
# How many events of 256 bytes a second Redis Streams take with every one of them synced, beside `cargo bench --bench durable`.
#
#   benches/redis.sh [DIR]
#
# DIR is on the disk to measure, target/tmp by default. Needs redis-server and redis-benchmark. No part of CI.
set -euo pipefail
dir=$(mktemp -d "${1:-$(dirname "$0")/../target/tmp}/redis-XXXXXX")
port=${REDIS_PORT:-16399}
redis-server --port "$port" --dir "$dir" --save '' --appendonly yes --appendfsync always --daemonize no >"$dir/said" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
until redis-cli -p "$port" ping >/dev/null 2>&1; do
    kill -0 "$server" || { cat "$dir/said" >&2; exit 1; }
done
for clients in 1 64 1024; do
    count=$((clients == 1 ? 10000 : 100000))
    printf '%5d in flight: ' "$clients"
    redis-benchmark -p "$port" -q -n "$count" -c "$clients" -d 256 XADD events '*' payload "$(printf 'x%.0s' {1..256})" |
        tr '\r' '\n' | grep 'requests per second' | sed 's/.*: //'
done

#!/usr/bin/env bash
# Runs unit tests, one more at once than there are processors: tests/unit/run.sh PROGRAM... Each one's output comes in one piece.
set -uo pipefail

# These wait for servers and timers longest, so they begin first.
long='platform_test|queue.*_test|schedule_test|slot_test|server_test|supervisor_test|client_fetch_test|mail_smtp_test|pg_conn_test'
one='log=$1.log; SECONDS=0; "$1" >"$log" 2>&1; code=$?
  [ $code -eq 0 ] || echo "FAILED: $1 ($code)" >>"$log"
  echo "   $1: $SECONDS s" >>"$log"
  flock "$(dirname "$0")" cat "$log"; rm -f "$log"; [ $code -eq 0 ]'
slots=$(($(nproc) + 1)) # most of their time they wait
printf '%s\n' "$@" | awk -v long="/($long)\$" '$0 ~ long { print; next } { rest[++n] = $0 } END { for (i = 1; i <= n; i++) print rest[i] }' |
  xargs -P "$slots" -I{} bash -c "$one" "$0" {}

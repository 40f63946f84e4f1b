#!/usr/bin/env bash
# Runs unit tests, one more at once than there are processors: tests/unit/run.sh PROGRAM... Each one's output comes in one
# piece. All temporary folders are in one, and what tests that pass leave there fails the run.
set -uo pipefail

# These wait for servers and timers longest, so they begin first.
long='platform_test|queue.*_test|schedule_test|slot_test|server_test|supervisor_test|client_fetch_test|mail_smtp_test|pg_conn_test'
one='log=$1.log; SECONDS=0; "$1" >"$log" 2>&1; code=$?
  [ $code -eq 0 ] || echo "FAILED: $1 ($code)" >>"$log"
  echo "   $1: $SECONDS s" >>"$log"
  flock "$(dirname "$0")" cat "$log"; rm -f "$log"; [ $code -eq 0 ]'

TMPDIR=$(tests/scratch.sh $$) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
printf '%s\n' "$@" | awk -v long="/($long)\$" '$0 ~ long { print; next } { rest[++n] = $0 } END { for (i = 1; i <= n; i++) print rest[i] }' |
  xargs -P $(($(nproc) + 1)) -I{} bash -c "$one" "$0" {}
code=$?
left=$(cd "$TMPDIR" && find . -mindepth 1)
[ $code -ne 0 ] || [ -z "$left" ] || { echo "FAILED: left behind in the temporary folder: $left"; code=1; }
exit $code

#!/usr/bin/env bash
# Makes the temporary folder of a test run and prints its path: tests/scratch.sh PID, the runner's process id, which is in the
# folder's name. It is in memory (/dev/shm) where there is room: on a disk the thousands of small files that test databases create and
# delete cost a third of the run's processor time. Removes the folders of runners that are gone, as after a SIGKILL.
set -euo pipefail

room() { # 4 GiB free in /dev/shm, 8 GiB of free memory, also under a container's limit, and programs can be run from it
  local free limit
  awk '$2 == "/dev/shm" && $3 == "tmpfs" && $4 !~ /noexec/ { found = 1 } END { exit !found }' /proc/mounts && [ -w /dev/shm ] || return 1
  free=$(df --output=avail -k /dev/shm | tail -n 1)
  [ "$free" -ge $((4 << 20)) ] || return 1
  free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    limit=$(cat "$limit" 2>/dev/null || echo max)
    [ "$limit" = max ] || [ $((limit / 1024)) -ge "$free" ] || free=$((limit / 1024))
  done
  [ "$free" -ge $((8 << 20)) ]
}

find /dev/shm "${TMPDIR:-/tmp}" -maxdepth 1 -name 'sf-run-*-*' -user "$(id -u)" -mmin +10 2>/dev/null | while read -r old; do
  pid=${old##*/sf-run-}
  kill -0 "${pid%%-*}" 2>/dev/null || rm -rf "$old"
done
if room; then TMPDIR=/dev/shm; fi
folder=$(mktemp -d -p "${TMPDIR:-/tmp}" "sf-run-$1-XXXXXX")
chmod 711 "$folder" # PostgreSQL may be another user's
echo "$folder"

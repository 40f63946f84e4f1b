#!/usr/bin/env bash
# Installs what is missing from Debian's packages: `tools/install.sh build` (to build and run), `test` (also to test), `bench` (also to measure).
# Works as root or with sudo; does nothing, in well under a second, when everything is there.
set -euo pipefail

build_packages=(gcc make pkg-config libc6-dev libuv1-dev node-llhttp libpq-dev libsqlite3-dev libjansson-dev libsodium-dev
  libssl-dev libjwt-dev libcurl4-openssl-dev librabbitmq-dev zlib1g-dev libbrotli-dev ca-certificates tzdata)
test_packages=(libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev postgresql-15 rabbitmq-server sqlite3 chromium git procps util-linux
  openssl python3-aiosmtpd prometheus fonts-noto-cjk) # the font: Korean text is measured as its readers see it
bench_packages=(postgresql-15 postgresql-contrib nginx-light wrk rabbitmq-server redis-server python3-celery python3-redis python3-psycopg2)

want=("${build_packages[@]}")
case "${1:-build}" in
build) ;;
test) want+=("${test_packages[@]}") ;;
bench) want+=("${bench_packages[@]}") ;;
*) echo "usage: tools/install.sh [build|test|bench]" >&2; exit 2 ;;
esac
command -v node >/dev/null || want+=(nodejs)
command -v npm >/dev/null || want+=(npm)

missing=()
have=" $(dpkg-query -W -f '${Package}/${db:Status-Status} ' "${want[@]}" 2>/dev/null || true)"
for package in "${want[@]}"; do
  [[ $have == *" $package/installed "* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install: these packages are missing and neither root nor sudo is at hand: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "install: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# Servers among the packages must not start as the machine's own: whoever tests starts them in folders of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
  trap '"${as_root[@]}" rm -f "$policy" "$log"' EXIT
else
  trap 'rm -f "$log"' EXIT
fi
for try in 1 2 3; do
  if "${as_root[@]}" apt-get update >"$log" 2>&1 &&
     "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
       -o DPkg::Lock::Timeout=300 "${missing[@]}" >>"$log" 2>&1; then
    exit 0
  fi
  [ $try -lt 3 ] && sleep $((try * 3))
done
echo "install: apt-get could not install ${missing[*]}:" >&2
tail -n 20 "$log" >&2
exit 1

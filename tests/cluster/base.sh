#!/usr/bin/env bash
# Makes the root file system that images stand on where there is no registry: Debian 12 with Python 3.11.
# Root, debootstrap, 1-2 minutes, once.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

out=$images/python-3.11.rootfs.tar
[[ -e $out ]] && exit
[[ $EUID == 0 ]] || fail "the base image is made by debootstrap, which needs root"
command -v debootstrap > /dev/null || fail "debootstrap is missing: apt-get install debootstrap"
mkdir -p "$images"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
echo "making the base image from Debian packages" >&2
# venv is for the first stage of the Containerfile.
nice -n 19 debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$tree" \
    ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} > "$images/debootstrap.log" 2>&1 || { tail -n 20 "$images/debootstrap.log" >&2 && exit 1; }
(cd "$tree" && rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/{doc,man,locale,info,zoneinfo-icu} dev/* proc/*)
find "$tree" -name __pycache__ -prune -exec rm -rf {} +
tar --sort=name --mtime=@0 --numeric-owner -C "$tree" -cf "$out.part" .
mv "$out.part" "$out"
echo "  $(du -h "$out" | cut -f1), $SECONDS s" >&2

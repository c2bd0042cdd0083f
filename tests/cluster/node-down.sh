#!/usr/bin/env bash
# Ends the node: one signal, and the kernel takes processes, mounts and network along.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

[[ -d $state ]] || exit 0
if node_runs; then
    kill -KILL "$(<"$state/unshare.pid")"
fi
for hierarchy in $(cgroup_hierarchies); do
    [[ -d $hierarchy/$cgroup ]] || continue
    for _ in {1..50}; do
        find "$hierarchy/$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null && break
        sleep 0.1 # its processes are still ending
    done
done
rm -rf "$state"

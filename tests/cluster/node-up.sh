#!/usr/bin/env bash
# Starts a one-node cluster in network, mount and PID namespaces of its own. Root only, one a machine.
#
#   node-up.sh [IMAGE.tar...]
#
# MIXHAUL_NODE_OWNER=PID: once that process is gone, the next start ends this node instead of refusing.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

why=$(missing_for_node)
[[ -z $why ]] || fail "$why"
if node_runs && ! node_left_over; then
    fail "a node runs already: make cluster-down first"
fi
"$here/node-down.sh"
mkdir -p "$state"
chmod 700 "$state"
[[ -z ${MIXHAUL_NODE_OWNER:-} ]] || echo "$MIXHAUL_NODE_OWNER" > "$state/owner"

# kubelet wants its root cgroup to be there in every hierarchy (v1), or with the controllers passed on to it (v2).
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    sed 's/\b\([a-z]\)/+\1/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control \
        || fail "/sys/fs/cgroup passes its controllers on to nobody: in a container it needs a cgroup namespace and --privileged"
fi
for hierarchy in $(cgroup_hierarchies); do
    mkdir -p "$hierarchy/$cgroup"
    for file in cpuset.cpus cpuset.mems; do # v1 only: a new cpuset is empty, and nothing may enter it
        [[ ! -e $hierarchy/$file || ! -e $hierarchy/$cgroup/$file ]] || cat "$hierarchy/$file" > "$hierarchy/$cgroup/$file"
    done
done

[[ -e $images/pause.tar ]] \
    || python3 "$here/image.py" "$images/pause.tar" localhost/pause:1 --add "$bin/pause=/pause" --entrypoint /pause

setsid unshare --net --mount --pid --ipc --uts --fork --kill-child --mount-proc \
    env PATH="$bin:$PATH" PYTHONPATH="$root/tests" python3 -m cluster.node "$state" "/$cgroup" "$images/pause.tar" "$@" \
    > "$state/node.log" 2>&1 < /dev/null &
echo $! > "$state/unshare.pid"

while [[ ! -e $state/ready ]]; do
    if [[ ! -d /proc/$! ]]; then
        cat "$state/node.log" >&2
        "$here/node-down.sh"
        exit 1
    fi
    sleep 0.1
done
cat "$state/node.log" >&2

#!/usr/bin/env bash
# Says in one line why a level can't be had on this machine, or nothing where it can: for CI, which goes on without.
#
#   why-not.sh control-plane | node
#
# What is there but broken is no reason: then the build or a test has to fail.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

lacks_go() { # nothing where the level is built already, or Go and its modules are there
    local program version
    for program in "$@"; do
        [[ -x $bin/$program ]] || break
        program=
    done
    [[ -n $program ]] || return 0
    command -v go > /dev/null || { echo "Go is missing: https://go.dev/dl/, 1.26 or later" && return; }
    version=$(GOTOOLCHAIN=local go env GOVERSION)
    [[ $(printf '%s\n' go1.26 "$version" | sort --version-sort | head -n 1) == go1.26 ]] \
        || { echo "Go is $version: 1.26 or later is needed" && return; }
    (cd "$here/tools/kubernetes" && timeout 180 go mod download k8s.io/kubernetes) > /dev/null 2>&1 \
        || echo "Go's modules can't be fetched: is there a network, or a GOPROXY?"
}

lacks_for_control_plane() {
    local program
    for program in openssl setpriv; do
        command -v "$program" > /dev/null || { echo "$program is missing: apt-get install openssl util-linux" && return; }
    done
    lacks_go etcd kube-apiserver kube-controller-manager kube-scheduler
}

lacks_for_node() {
    local why hierarchy
    why=$(missing_for_node)
    [[ -z $why ]] || { echo "$why" && return; }
    command -v buildah > /dev/null || { echo "buildah is missing: apt-get install buildah" && return; }
    for hierarchy in $(cgroup_hierarchies); do
        mkdir -p "$hierarchy/$cgroup" 2> /dev/null || { echo "no cgroup can be made in $hierarchy" && return; }
    done
    unshare --net --mount --pid --ipc --uts --fork --mount-proc sh -c \
        'ip link add mixhaul type bridge && nft add table ip mixhaul && mount -t tmpfs none /mnt' > /dev/null 2>&1 \
        || { echo "this root may make no namespace with a bridge, nftables and mounts of its own" && return; }
    if [[ ! -x $bin/runc ]]; then
        { command -v gcc && pkg-config --exists libseccomp; } > /dev/null 2>&1 \
            || { echo "runc can't be built: apt-get install gcc libc6-dev pkg-config libseccomp-dev" && return; }
    fi
    why=$(lacks_go kubelet kube-proxy containerd containerd-shim-runc-v2 ctr runc coredns pause)
    [[ -z $why ]] || { echo "$why" && return; }
    "$here/base.sh" > /dev/null 2>&1 || echo "the base image can't be made of Debian packages: see $images/debootstrap.log"
}

case ${1:-} in
    control-plane) lacks_for_control_plane ;;
    node) lacks_for_node ;;
    *) fail "control-plane or node" ;;
esac

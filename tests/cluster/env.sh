# shellcheck shell=bash disable=SC2034
# What the scripts agree upon. Sourced: it runs before each `make` target of the cluster, so it is quick.
# `paths.py` says the same to Python.
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=${here%/tests/cluster}
kubernetes=$(<"$here/kubernetes-version")
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/mixhaul/kubernetes-$kubernetes
bin=${MIXHAUL_CLUSTER_BIN:-$cache/bin}
images=$cache/images
state=${MIXHAUL_NODE_STATE:-/var/lib/mixhaul-node} # not below /run, which is another one inside, nor in anybody's /tmp
cgroup=mixhaul-node
kind_cluster=mixhaul
kind_kubeconfig=$cache/kind/kubeconfig

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

cgroup_hierarchies() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        echo /sys/fs/cgroup
    else
        find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d
    fi
}

node_runs() {
    [[ -e $state/unshare.pid && -d /proc/$(<"$state/unshare.pid") ]]
}

node_left_over() { # by a test run that was killed: nobody else will end it
    [[ -e $state/owner && ! -d /proc/$(<"$state/owner") ]]
}

kind_runs() {
    [[ -e $kind_kubeconfig ]]
}

use_own_settings() { # nothing of the developer's own kubectl and helm is seen or changed
    export KUBECACHEDIR=$1/kubectl-cache HELM_CACHE_HOME=$1/helm/cache HELM_CONFIG_HOME=$1/helm/config HELM_DATA_HOME=$1/helm/data
}

first_process() { # of the node's PID namespace, as seen from outside
    local parent
    parent=$(<"$state/unshare.pid")
    awk '{print $1}' "/proc/$parent/task/$parent/children"
}

docker_answers() {
    command -v docker > /dev/null && timeout 10 docker info > /dev/null 2>&1
}

best_level() {
    if docker_answers; then
        echo kind
    elif [[ -z $(missing_for_node) ]]; then
        echo node
    else
        echo control-plane
    fi
}

missing_for_node() { # a sentence, or nothing where a node of our own can run
    local program
    [[ $EUID == 0 ]] || { echo "a node of our own makes namespaces, mounts and cgroups: it needs root" && return; }
    for program in unshare nsenter setpriv ip nft conntrack mount debootstrap; do
        command -v "$program" > /dev/null || { echo "$program is missing: apt-get install nftables conntrack iproute2 debootstrap" && return; }
    done
    [[ -w /sys/fs/cgroup/. || -e /sys/fs/cgroup/cgroup.controllers ]] || echo "/sys/fs/cgroup can't be written"
}

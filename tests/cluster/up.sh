#!/usr/bin/env bash
# Starts a cluster to play with: the best that this machine allows, or the one that is named.
#
#   up.sh [kind | node | control-plane]      then: enter.sh kubectl get pods -A, down.sh
#
# kind: where a Docker engine answers. node: a real node without Docker; root, some Debian packages. control-plane: a real
# API server and controllers, any user; pods stay Pending.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

level=${1:-}
if [[ -z $level ]]; then
    level=$(best_level)
    [[ $level != control-plane ]] || echo "without pods, for no Docker engine answers, and $(missing_for_node)" >&2
fi

"$here/build.sh" "$level"
case $level in
    kind)
        mkdir -p "${kind_kubeconfig%/*}"
        "$bin/kind" get clusters 2> /dev/null | grep -qx "$kind_cluster" \
            || "$bin/kind" create cluster --name "$kind_cluster" --kubeconfig "$kind_kubeconfig" --wait 180s
        ;;
    node)
        if node_runs && ! node_left_over; then
            echo "a node runs already" >&2
        else
            "$here/node-up.sh"
        fi
        ;;
    control-plane) PYTHONPATH=$root/tests python3 -m cluster.session up > /dev/null ;;
esac
echo "up: $level in $SECONDS s. Next: make cluster-enter, make cluster-down" >&2

#!/usr/bin/env bash
# Ends whatever up.sh started, or of that only what is named. Nothing running is no error.
#
#   down.sh [kind | node | control-plane]
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

level=${1:-all}
if [[ $level =~ ^(all|node)$ ]] && node_runs; then
    "$here/node-down.sh"
fi
if [[ $level =~ ^(all|kind)$ ]] && kind_runs; then
    "$bin/kind" delete cluster --name "$kind_cluster" --kubeconfig "$kind_kubeconfig"
    rm -f "$kind_kubeconfig"
fi
if [[ $level =~ ^(all|control-plane)$ ]]; then
    PYTHONPATH=$root/tests python3 -m cluster.session down
fi

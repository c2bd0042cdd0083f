#!/usr/bin/env bash
# Puts images into the cluster that runs, so that pods with imagePullPolicy Never or IfNotPresent find them.
#
#   load.sh IMAGE.tar...
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

(($#)) || fail "no image is named"
for image; do
    [[ -f $image ]] || fail "$image is no file: \`make images\` makes them"
    if node_runs; then
        "$here/enter.sh" ctr --namespace=k8s.io images import --local "$image"
    elif kind_runs; then
        "$bin/kind" load image-archive "$image" --name "$kind_cluster"
    else
        fail "no cluster with a node runs: make cluster-up"
    fi
done

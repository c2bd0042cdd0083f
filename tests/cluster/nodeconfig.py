"""Settings of a node's programs, as pure functions: containerd, its pod network, kubelet, kube-proxy, CoreDNS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NODE_IP = "10.244.255.1"
"""The node's address and the API server's. What listens on it inside (`enter.sh`) can be reached from pods."""
PODS = "10.244.0.0/24"
PAUSE = "localhost/pause:1"


def pod_network() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "hairpinMode": True,  # a pod may reach itself through its own Service
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def containerd(*, root: Path, programs: Path, networks: Path) -> str:
    return f"""
version = 4
root = '{root}'
state = '/run/containerd'
disabled_plugins = [
  'io.containerd.nri.v1.nri',
  'io.containerd.internal.v1.opt',
  'io.containerd.image-verifier.v1.bindir',
]
[metrics]
address = ''
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{PAUSE}'
[plugins.'io.containerd.cri.v1.runtime']
# Without CAP_SYS_RESOURCE, as in some containers and VMs, nobody may lower an oom score: such pods would not start.
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{programs}/cni']
conf_dir = '{networks}'
use_internal_loopback = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '{programs}/runc'
SystemdCgroup = false
"""


def kubelet(*, cgroup: str, authority: Path, resolv_conf: Path, plugins: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,  # since 1.35 the default is to refuse a machine with cgroup v1
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failSwapOn": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(authority)}},
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolv_conf),
        "evictionHard": {"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # an image that is collected here cannot be pulled again
        "serializeImagePulls": False,
        "volumePluginDir": str(plugins),
    }


def kube_proxy(*, kubeconfig: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": PODS,
        "hostnameOverride": "node",
        "conntrack": {"maxPerCore": 0},  # that table's size belongs to the machine, not to this namespace
        "nftables": {"syncPeriod": "30s", "minSyncPeriod": "100ms"},
    }


def corefile(*, kubeconfig: Path) -> str:
    return f"""
.:53 {{
    bind {NODE_IP}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""

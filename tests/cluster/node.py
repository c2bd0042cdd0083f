"""One Kubernetes node and its control plane, as the first process of namespaces of its own. Started by node-up.sh.

    python -m cluster.node FOLDER CGROUP IMAGE.tar...

Killing this process ends everything: the kernel takes the processes, the network and the mounts along. There is no way
out of the network it makes: loopback, a bridge for pods, and a bridge without ports as default route.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cluster import nodeconfig
from cluster.controlplane import CONTROLLERS, ControlPlane
from cluster.nodeconfig import NODE_IP
from cluster.paths import BIN

EXTRA_CONTROLLERS = (
    "node-lifecycle-controller",  # takes the not-ready taint away, without which nothing is scheduled
    "taint-eviction-controller",
    "pod-garbage-collector-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
)


def main() -> None:
    folder, cgroup, images = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:6.2f} s  {what}", flush=True)

    memory = folder / "plane"
    memory.mkdir()
    mount(memory)
    connect(folder)
    plane = ControlPlane(
        folder=memory,
        address=NODE_IP,
        controllers=CONTROLLERS + EXTRA_CONTROLLERS,
        scheduler=True,
        apiserver_flags=(
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",  # logs and exec: the node's name is in no DNS
            f"--kubelet-client-certificate={memory}/ca.crt",
            f"--kubelet-client-key={memory}/ca.key",
        ),
    )
    start_containerd(plane, folder)
    for image in images:
        run(BIN / "ctr", "--namespace=k8s.io", "images", "import", "--local", image)
    tell(f"containerd answers, {len(images)} images loaded")
    plane.start()
    tell("control plane is ready")
    start_kubelet(plane, folder, cgroup)
    start_kube_proxy(plane)
    start_dns(plane)
    plane.servers.wait("the node", lambda: node_is_ready(plane))
    tell("node is ready")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_bytes(plane.kubeconfig.read_bytes())
    (folder / "ready").touch()
    reap(plane)


def mount(memory: Path) -> None:
    run("mount", "--make-rshared", "/")
    # containerd, runc, CNI plugins and kubelet write to the first two, whatever their flags say.
    for place in ("/run", "/var/log", memory):
        run("mount", "-t", "tmpfs", "tmpfs", place)


def connect(folder: Path) -> None:
    run("ip", "link", "set", "lo", "up")
    # An address at which pods reach the API server, and a default route, which kubelet and kube-proxy look for. A
    # bridge without ports drops what it is given; `dummy` would be the usual choice, and some kernels lack it.
    run("ip", "link", "add", "node0", "type", "bridge")
    run("ip", "address", "add", f"{NODE_IP}/32", "dev", "node0")
    run("ip", "link", "set", "node0", "up")
    run("ip", "route", "add", "default", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # Else a pod's answer to its neighbour crosses the bridge unseen, and a Service's address translation is not undone.
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")
    resolv = folder / "resolv.conf"
    resolv.write_text(f"nameserver {NODE_IP}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n")
    run(
        "mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")
    )  # what enter.sh runs finds Services by name too


def start_containerd(plane: ControlPlane, folder: Path) -> None:
    networks = plane.folder / "cni"
    networks.mkdir()
    (networks / "10-pods.conflist").write_text(json.dumps(nodeconfig.pod_network()))
    config = plane.folder / "containerd.toml"
    config.write_text(nodeconfig.containerd(root=folder / "containerd", programs=BIN, networks=networks))
    plane.servers.start("containerd", f"--config={config}", "--log-level=warn")

    def answers() -> bool:
        return subprocess.run([BIN / "ctr", "version"], capture_output=True, check=False).returncode == 0

    plane.servers.wait("containerd's socket", answers)


def start_kubelet(plane: ControlPlane, folder: Path, cgroup: str) -> None:
    nothing = folder / "empty-resolv.conf"  # else a pod with dnsPolicy Default asks the host's DNS
    nothing.touch()
    settings = nodeconfig.kubelet(
        cgroup=cgroup,
        authority=plane.folder / "ca.crt",
        resolv_conf=nothing,
        plugins=folder / "kubelet" / "plugins",
    )
    config = plane.folder / "kubelet.json"
    config.write_text(json.dumps(settings))
    plane.servers.start(
        "kubelet",
        f"--config={config}",
        f"--kubeconfig={plane.kubeconfig}",
        f"--root-dir={folder}/kubelet",
        f"--node-ip={NODE_IP}",
        "--hostname-override=node",
    )


def start_kube_proxy(plane: ControlPlane) -> None:
    config = plane.folder / "kube-proxy.json"
    config.write_text(json.dumps(nodeconfig.kube_proxy(kubeconfig=plane.kubeconfig)))
    plane.servers.start("kube-proxy", f"--config={config}")


def start_dns(plane: ControlPlane) -> None:
    """A process on the node instead of pods and a Service: the same server and the same answers, two seconds sooner."""
    config = plane.folder / "Corefile"
    config.write_text(nodeconfig.corefile(kubeconfig=plane.kubeconfig))
    plane.servers.start("coredns", f"-conf={config}")


def node_is_ready(plane: ControlPlane) -> bool:
    node = plane.get("/api/v1/nodes/node") or {}
    conditions = {one["type"]: one["status"] for one in node.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and not node["spec"].get("taints")


def reap(plane: ControlPlane) -> None:
    """The first process of a PID namespace inherits every orphan, each container's shim among them."""
    names = {pid: name for name, pid in plane.servers.pids().items()}
    while True:
        pid, status = os.wait()
        if pid in names:
            log = plane.servers.log(names[pid])[-2000:]
            sys.exit(f"{names[pid]} ended with status {status}, and the cluster with it:\n{log}")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    main()

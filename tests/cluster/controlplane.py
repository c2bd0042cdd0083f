"""A Kubernetes control plane on loopback, for tests: etcd, kube-apiserver, kube-controller-manager.

The API server is the real one: CEL rules, RBAC, server-side apply, status subresources, 409 and 410 come from it.
There is no node: pods are made by the controllers and stay Pending. Whoever needs them to run wants the other level.

    with ControlPlane() as plane:
        plane.kubectl("get", "namespaces")
        bound = plane.kubeconfig_for(namespace="mixhaul", service_account="operator")

The programs are made by build.sh. Nothing here is safe to expose: etcd has no authentication and durability is off.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from cluster.access import Access
from cluster.commands import environment, run
from cluster.credentials import write_credentials
from cluster.paths import FAST
from cluster.processes import Servers, free_ports, listens, sweep

CONTROLLERS = (
    "cronjob-controller",
    "job-controller",
    "ttl-after-finished-controller",
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)
"""Left out on purpose: node, volume, attach-detach, certificate and cloud controllers, which only cost memory here."""

_PREFIX = "mixhaul-cluster-"
_SERVICES = "10.0.0.0/24"
_API_SERVER = "kube-apiserver"


class ControlPlane:
    """One control plane in a folder of its own. Several may run side by side."""

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        controllers: tuple[str, ...] = CONTROLLERS,
        scheduler: bool = False,
        audit: bool = False,
        apiserver_flags: tuple[str, ...] = (),
        controller_manager_flags: tuple[str, ...] = (),
        ready_within: float = 60.0,
        folder: Path | None = None,
    ) -> None:
        """`folder` is given by whoever runs in a PID namespace: there the owners of other folders look dead."""
        if folder is None:
            sweep(FAST, _PREFIX)
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=FAST))
        self.kubeconfig = self.folder / "kubeconfig"
        self.audit_log = self.folder / "audit.log"
        self.servers = Servers(self.folder, ready_within=ready_within)
        self._address = address
        self._controllers = controllers
        self._scheduler = scheduler
        self._audit = audit
        self._apiserver_flags = apiserver_flags
        self._controller_manager_flags = controller_manager_flags
        self.access = Access(url="", token=secrets.token_hex(16), folder=self.folder)

    def __enter__(self) -> ControlPlane:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until the controllers act."""
        (port,) = free_ports(self._address, 1)
        self.access = Access(url=f"https://{self._address}:{port}", token=self.access.token, folder=self.folder)
        write_credentials(self.folder, address=self._address, token=self.access.token)
        self.access.write_kubeconfig(self.kubeconfig, token=self.access.token, namespace="default")
        etcd = self._start_etcd()
        self._start_api_server(etcd, port)
        self._start_controllers()
        if self._scheduler:
            self._start_scheduler()
        # A pod is refused until its namespace has the account "default", made by a controller: it is the last to come.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self.servers.wait("the default ServiceAccount", lambda: self.get(account) is not None)

    def stop(self) -> None:
        """End every process and remove the folder. No grace: the data is thrown away."""
        self.servers.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path: str) -> Any:
        return self.access.get(path)

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None, patch: str = "merge"
    ) -> Any:
        return self.access.request(method, path, body, token=token, patch=patch)

    def token_for(self, *, namespace: str, service_account: str, seconds: int = 3600) -> str:
        return self.access.token_for(namespace=namespace, service_account=service_account, seconds=seconds)

    def kubeconfig_for(self, *, namespace: str, service_account: str, seconds: int = 3600) -> Path:
        return self.access.kubeconfig_for(namespace=namespace, service_account=service_account, seconds=seconds)

    def kubectl(self, *arguments: str, kubeconfig: Path | None = None) -> str:
        return run("kubectl", *arguments, env=environment(self.folder, kubeconfig or self.kubeconfig))

    def helm(self, *arguments: str, kubeconfig: Path | None = None) -> str:
        return run("helm", *arguments, env=environment(self.folder, kubeconfig or self.kubeconfig))

    def stop_api_server(self) -> None:
        """Every watch breaks and every request is refused, as in an outage. The data stays."""
        self.servers.kill(_API_SERVER)

    def start_api_server(self) -> None:
        """At the same address, with the same data."""
        self.servers.start_again(_API_SERVER)
        self._wait_for_api_server()

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports("127.0.0.1", 2))
        self.servers.start(
            "etcd",
            "--name=0",
            f"--data-dir={self.folder}/etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=0={peer}",
        )
        self.servers.wait("etcd's port", lambda: listens("127.0.0.1", int(client.rpartition(":")[2])))
        return client

    def _start_api_server(self, etcd: str, port: int) -> None:
        flags = [
            f"--etcd-servers={etcd}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",
            f"--secure-port={port}",
            f"--tls-cert-file={self.folder}/ca.crt",
            f"--tls-private-key-file={self.folder}/ca.key",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder}/sa.pub",
            f"--service-account-signing-key-file={self.folder}/sa.key",
            f"--service-cluster-ip-range={_SERVICES}",
            "--profiling=false",
        ]
        if self._address.startswith("127."):
            flags.append("--endpoint-reconciler-type=none")  # loopback is no valid endpoint: it would complain for ever
        if self._audit:
            policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
            (self.folder / "audit-policy.json").write_text(json.dumps(policy))
            flags += [f"--audit-policy-file={self.folder}/audit-policy.json", f"--audit-log-path={self.audit_log}"]
        self.servers.start(_API_SERVER, *flags, *self._apiserver_flags)
        self._wait_for_api_server()

    def _wait_for_api_server(self) -> None:
        self.servers.wait("the API server's /readyz", lambda: bool(self.get("/readyz") == "ok"))

    def _start_controllers(self) -> None:
        self.servers.start(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(self._controllers)}",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            f"--root-ca-file={self.folder}/ca.crt",
            f"--service-account-private-key-file={self.folder}/sa.key",
            "--secure-port=0",
            "--profiling=false",
            *self._controller_manager_flags,
        )

    def _start_scheduler(self) -> None:
        config = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": str(self.kubeconfig)},
            "leaderElection": {"leaderElect": False},
        }
        (self.folder / "scheduler.json").write_text(json.dumps(config))
        self.servers.start(
            "kube-scheduler", f"--config={self.folder}/scheduler.json", "--secure-port=0", "--profiling=false"
        )

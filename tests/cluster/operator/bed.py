"""A namespace with what a release brings, and the operator as a process under its own ServiceAccount."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.acts import eventually
from cluster.controlplane import ControlPlane
from cluster.errors import Refused
from cluster.operator.rights import ACCOUNT
from cluster.processes import free_ports

CREDENTIALS = {"clientID": "client", "clientSecret": "hush-hush-1", "username": "fleet@example.com", "password": "pw-1"}
CONDITIONS = ("Ready", "Reconciling", "Stalled", "CredentialsValid", "Synced", "Fresh", "CaughtUp")

# The folder's place is fixed in the libraries: it is put there in a mount namespace of the process's own.
_AS_IN_A_POD = """
mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io
ln -s "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"
"""

SPEC: dict[str, Any] = {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, "organisationIDs": ["101"]}


@dataclass(slots=True)
class Operator:
    """A running process; what it says goes into a file."""

    process: subprocess.Popen[bytes]
    log_file: Path
    port: int

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the operator ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)


@dataclass(slots=True)
class Bed:
    """One namespace."""

    plane: ControlPlane
    namespace: str
    database_url: str
    folder: Path
    _starts: int = field(default=0)

    # What is there

    def path(self, plural: str, name: str = "", part: str = "") -> str:
        root = {
            "mixsources": "/apis/mixhaul.io/v1alpha1",
            "cronjobs": "/apis/batch/v1",
        }.get(plural, "/api/v1")
        parts = [f"{root}/namespaces/{self.namespace}/{plural}", name, part]
        return "/".join(each for each in parts if each)

    def get(self, plural: str, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.plane.get(self.path(plural, name))
        return found

    def source(self, name: str) -> dict[str, Any]:
        found = self.get("mixsources", name)
        assert found is not None, f"there is no MixSource {name}"
        return found

    def condition(self, name: str, kind: str) -> tuple[str, str, str]:
        """Status, reason and message; blank where it is not there yet."""
        found = self.get("mixsources", name) or {}
        for each in found.get("status", {}).get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"], each["message"]
        return "", "", ""

    def events(self, reason: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.plane.request("GET", self.path("events"))["items"]
        return [each for each in items if each["reason"] == reason]

    # What people do

    def make_secret(self, name: str = "mix", values: Mapping[str, str] | None = None) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in (values or CREDENTIALS).items()}
        body = {"metadata": {"name": name}, "data": data}
        try:
            self.plane.request("POST", self.path("secrets"), body)
        except Refused as error:
            if error.code != 409:
                raise
            self.plane.request("PUT", self.path("secrets", name), body)

    def make_template(self, *, image: str = "registry.example/mixhaul:1") -> None:
        container = {
            "name": "sync",
            "image": image,
            "env": [{"name": "MIXHAUL_DATA_DIR", "value": "/data"}],
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
        }
        body = {"metadata": {"name": "mixhaul-sync"}, "template": {"spec": {"containers": [container]}}}
        if self.get("podtemplates", "mixhaul-sync") is None:
            self.plane.request("POST", self.path("podtemplates"), body)
        else:
            self.plane.request("PATCH", self.path("podtemplates", "mixhaul-sync"), body)

    def make_source(self, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        body = {
            "apiVersion": "mixhaul.io/v1alpha1",
            "kind": "MixSource",
            "metadata": {"name": name, "annotations": dict(annotations or {})},
            "spec": {**SPEC, **spec},
        }
        made: dict[str, Any] = self.plane.request("POST", self.path("mixsources"), body)
        return made

    def change_source(self, name: str, **spec: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.plane.request("PATCH", self.path("mixsources", name), {"spec": spec})
        return changed

    def annotate(self, name: str, **annotations: str) -> None:
        patch = {
            "metadata": {"annotations": {f"mixhaul.io/{key.replace('_', '-')}": v for key, v in annotations.items()}}
        }
        self.plane.request("PATCH", self.path("mixsources", name), patch)

    def delete(self, plural: str, name: str) -> None:
        self.plane.request("DELETE", self.path(plural, name))

    # The operator

    @contextmanager
    def operator(
        self, *, wait: bool = True, kubeconfig: Path | None = None, account: Path | None = None, **settings: str
    ) -> Iterator[Operator]:
        """Running until the end of the block, or until the test ends it.

        `account`: a folder as kubelet projects one into a pod, instead of a kubeconfig; needs root.
        """
        (port,) = free_ports("127.0.0.1", 1)
        self._starts += 1
        log_file = self.folder / f"operator-{self._starts}.log"
        environment = {
            "PATH": os.environ["PATH"],
            **self._access(kubeconfig, account),
            "MIXHAUL_NAMESPACE": self.namespace,
            "MIXHAUL_DATABASE_URL": self.database_url,
            "MIXHAUL_ADMIN_PORT": str(port),
            "MIXHAUL_PROGRESS_SECONDS": "1",
            "MIXHAUL_LOG_LEVEL": "info",
            **{f"MIXHAUL_{key.upper()}": value for key, value in settings.items()},
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [
                    *(() if account is None else ("unshare", "--mount", "sh", "-c", _AS_IN_A_POD, str(account))),
                    *("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "mixhaul_operator", "run"),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        running = Operator(process, log_file, port)
        try:
            if wait:
                eventually(running.is_ready, within=60)
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _access(self, kubeconfig: Path | None, account: Path | None) -> dict[str, str]:
        if account is not None:
            address = urlsplit(self.plane.access.url)
            return {
                "KUBERNETES_SERVICE_HOST": str(address.hostname),
                "KUBERNETES_SERVICE_PORT": str(address.port),
            }
        found = kubeconfig or self.plane.kubeconfig_for(namespace=self.namespace, service_account=ACCOUNT)
        return {"KUBECONFIG": str(found)}


def until(look: Any, *, within: float = 60.0) -> Any:
    """`eventually`, with time for a busy machine."""
    return eventually(look, within=within)


def settled(bed: Bed, name: str) -> bool:
    """The operator has taken up the newest generation."""
    source = bed.source(name)
    return bool(source.get("status", {}).get("observedGeneration") == source["metadata"]["generation"])


def pause(seconds: float) -> None:
    """For what must not happen."""
    time.sleep(seconds)

"""The administrator's way to an API server: requests, tokens, kubeconfigs. Standard library only.

A product's Kubernetes client is under test and so is not used here. No retries: a test wants to see the first answer.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.errors import Refused


@dataclass(frozen=True, slots=True)
class Access:
    """What one needs to talk to a plane: also from another process than the one that holds it."""

    url: str
    token: str
    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None, patch: str = "merge"
    ) -> Any:
        """The answer as JSON, or as text where it is none. Raises `Refused` from 400 on."""
        kind = f"application/{patch}-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": kind}
        tls = ssl.create_default_context(cafile=str(self.authority))
        with closing(http.client.HTTPSConnection(urlsplit(self.url).netloc, context=tls, timeout=30)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            response = connection.getresponse()
            text = response.read().decode()
        parsed = json.loads(text) if response.getheader("Content-Type", "").startswith("application/json") else text
        if response.status >= 400:
            status = parsed if isinstance(parsed, dict) else {"message": text}
            raise Refused(method=method, path=path, code=response.status, status=status)
        return parsed

    def get(self, path: str) -> Any:
        """As `request`, but None where there is nothing (yet): for whoever waits."""
        try:
            return self.request("GET", path)
        except (Refused, OSError, http.client.HTTPException):
            return None

    def token_for(self, *, namespace: str, service_account: str, seconds: int = 3600) -> str:
        """A token as kubelet projects it into a pod. Less than 600 seconds are refused by the API server."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        return str(self.request("POST", path, {"spec": {"expirationSeconds": seconds}})["status"]["token"])

    def kubeconfig_for(self, *, namespace: str, service_account: str, seconds: int = 3600) -> Path:
        """A kubeconfig that is bound by the RBAC of a ServiceAccount: what a process in a pod may do, and no more."""
        token = self.token_for(namespace=namespace, service_account=service_account, seconds=seconds)
        return self.write_kubeconfig(
            self.folder / f"kubeconfig-{namespace}-{service_account}", token=token, namespace=namespace
        )

    def write_kubeconfig(self, path: Path, *, token: str, namespace: str) -> Path:
        authority = base64.b64encode(self.authority.read_bytes()).decode()
        name = "mixhaul"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }
        path.touch(mode=0o600)  # before there is anything to read; helm warns of others' rights, too
        path.write_text(json.dumps(config, indent=1))  # JSON is YAML
        return path

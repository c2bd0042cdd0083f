"""The way to the API server: the pod's own ServiceAccount, or a kubeconfig where that is asked for.

The token is projected into the pod and rotates; so does, rarely, the CA. The token is read with every request, the CA
with every client that is made. Of a kubeconfig the library takes care. It does not guarantee any right.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from mixhaul_ingestor.kubernetes.errors import NoClusterAccess
from mixhaul_runtime import logs

log = structlog.get_logger("mixhaul_ingestor.kubernetes.access")

HOST: Final = "KUBERNETES_SERVICE_HOST"
PORT: Final = "KUBERNETES_SERVICE_PORT"


@dataclass(frozen=True, slots=True)
class Access:
    """Makes clients. `namespace` is the pod's, or the one of the kubeconfig's context."""

    namespace: str
    configuration: Configuration

    def client(self) -> ApiClient:
        """A client with connections of its own."""
        return ApiClient(self.configuration)


async def find(account: Path, environment: Mapping[str, str] = os.environ) -> Access:
    """In a pod by the files of `account`, elsewhere by the kubeconfig of whoever runs it."""
    configuration = Configuration()
    # Straight to the API server, whatever proxy is meant for MiX.
    configuration.client_session_kwargs = {"trust_env": False}
    if environment.get(HOST):
        namespace = _in_pod(configuration, account, environment)
    else:
        namespace = await _by_kubeconfig(configuration)
    return Access(namespace=namespace, configuration=configuration)


def _in_pod(configuration: Configuration, account: Path, environment: Mapping[str, str]) -> str:
    host, port = environment[HOST], environment.get(PORT) or "443"
    configuration.host = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    authority = account / "ca.crt"
    try:
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
        if not authority.read_bytes() or not namespace:
            raise NoClusterAccess(f"a file in {account} is empty")
    except OSError as error:
        raise NoClusterAccess(f"{error.filename}: {error.strerror}") from error
    configuration.ssl_ca_cert = str(authority)
    token = TokenFile(account / "token")
    token(configuration)
    configuration.refresh_api_key_hook = token  # type: ignore[assignment]  # the library types it as None
    return namespace


async def _by_kubeconfig(configuration: Configuration) -> str:
    try:
        await config.load_kube_config(client_configuration=configuration)
        _, active = config.list_kube_config_contexts()
    except (config.ConfigException, OSError) as error:
        raise NoClusterAccess(str(error)) from error
    return str(active.get("context", {}).get("namespace") or "default")


class TokenFile:
    """The projected token. kubelet replaces the file long before the old token ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""

    def __call__(self, configuration: Configuration) -> None:
        """Put what the file holds now into the configuration; what it held before while it can't be read."""
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            if not self._token:
                raise NoClusterAccess(f"{self._path}: {error.strerror}") from error
            log.warning("the ServiceAccount token can't be read; the old one is used", error=error.strerror)
            return
        if not token:
            if not self._token:
                raise NoClusterAccess(f"{self._path} is empty")
            return
        if token != self._token:
            logs.register_secret(token, rotating=True)
            if self._token:
                log.info("the ServiceAccount token has rotated")
            self._token = token
            configuration.api_key["BearerToken"] = f"Bearer {token}"

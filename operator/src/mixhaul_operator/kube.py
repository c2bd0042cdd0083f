"""Calls to the API server: raw dicts in and out, every call with a time-out, errors as our types.

The library brings configuration, tokens that rotate, TLS and the connection pool; its models would drop fields that
they do not know. Nothing is tried again here.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from mixhaul_operator.errors import (
    ApiOverloaded,
    ApiTrouble,
    ApiUnreachable,
    Conflict,
    Forbidden,
    KubeError,
    NoClusterAccess,
    NotFound,
    Refused,
)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
_MERGE_PATCH: Final = "application/merge-patch+json"
_PAGE: Final = 200
_MOST_CONNECTIONS: Final = 16

Object = dict[str, Any]


class Kube:
    """The few calls that the operator makes. `last_good` is when (monotonic) the API server last answered at all."""

    def __init__(self, client: ApiClient, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self.last_good: float | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        return await self._call("GET", path, query=query)

    async def create(self, path: str, body: Mapping[str, Any]) -> Object:
        return await self._call("POST", path, body=body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Object:
        return await self._call("PUT", path, body=body)

    async def merge(self, path: str, body: Mapping[str, Any]) -> Object:
        return await self._call("PATCH", path, body=body, content_type=_MERGE_PATCH)

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> tuple[list[Object], str]:
        """All items, page by page, and the resource version at which they were all so."""
        items: list[Object] = []
        query = {**(query or {}), "limit": str(_PAGE)}
        while True:
            page = await self.get(path, query)
            items.extend(page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", "0"))
            query["continue"] = str(metadata["continue"])

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        what = f"{method} {path}"
        url = f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Content-Type": content_type,
            "Accept": "application/json",
            "User-Agent": "mixhaul-operator",
        }
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = await self._client.call_api(method, url, headers, body=body, _request_timeout=_TIMEOUT)
            raw = await answer.read()
        except TimeoutError as error:
            raise ApiUnreachable(what, detail="no answer in time") from error
        except (aiohttp.ClientError, OSError, ssl.SSLError, config.ConfigException) as error:
            raise ApiUnreachable(what, detail=str(error) or type(error).__name__) from error
        self.last_good = self._monotonic()
        if 200 <= answer.status < 300:
            return _object(what, raw, status=answer.status)
        raise _error(what, status=answer.status, raw=raw, retry_after=answer.getheader("Retry-After"))


@asynccontextmanager
async def connected() -> AsyncIterator[Kube]:
    """The pod's own ServiceAccount, or else the kubeconfig of whoever runs it."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            raise NoClusterAccess(str(error)) from error
    configuration.connection_pool_maxsize = _MOST_CONNECTIONS
    # As kopf: straight to the API server, whatever proxy is meant for others.
    configuration.client_session_kwargs = {"trust_env": False}
    client = ApiClient(configuration)
    try:
        yield Kube(client)
    finally:
        await client.close()
        # TLS connections of aiohttp are closed a little later than asked.
        await asyncio.sleep(0)


def namespaced(group_version: str, namespace: str, plural: str, name: str | None = None, part: str = "") -> str:
    """The path of a resource; the core group is `v1`."""
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    path = f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"
    if name is not None:
        path += f"/{quote(name, safe='')}"
    return f"{path}/{part}" if part else path


def _object(what: str, raw: bytes, *, status: int) -> Object:
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise ApiTrouble(what, status=status, message="the answer is no JSON") from error
    if not isinstance(found, dict):
        raise ApiTrouble(what, status=status, message="the answer is no object")
    return found


def _error(what: str, *, status: int, raw: bytes, retry_after: str | None) -> KubeError:
    message = _message(raw)
    if status == 404:
        return NotFound(what, message=message)
    if status in (401, 403):
        return Forbidden(what, message=message)
    if status == 409:
        return Conflict(what, message=message)
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return ApiOverloaded(what, retry_after_seconds=seconds)
    if status >= 500:
        return ApiTrouble(what, status=status, message=message)
    return Refused(what, status=status, message=message)


def _message(raw: bytes) -> str:
    try:
        said = json.loads(raw)
    except ValueError:
        return "no reason given"
    message = said.get("message") if isinstance(said, dict) else None
    return str(message)[:500] if message else "no reason given"

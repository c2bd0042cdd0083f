"""Calls to the API server: raw dicts in and out, every call with a time-out, errors as our types.

The library brings configuration, TLS and the connection pool; its models would drop fields that they do not know.
Nothing is tried again here. One `Kube` is for one caller that makes one call at a time: it then has one connection,
and a broken one is found by the first call and not by several.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient

from mixhaul_ingestor.kubernetes.errors import (
    ApiOverloaded,
    ApiTrouble,
    ApiUnreachable,
    Conflict,
    Forbidden,
    Gone,
    KubeError,
    NotFound,
    Refused,
)

CONNECT_SECONDS: Final = 5.0
_PAGE: Final = 200

Object = dict[str, Any]


class Kube:
    """The few calls that the ingestor makes. Close it with `close`."""

    def __init__(self, make: Callable[[], ApiClient]) -> None:
        self._make = make
        self._client: ApiClient | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, seconds: float) -> Object:
        """One object, or one page of a list."""
        return await self._call("GET", path, query=query, seconds=seconds)

    async def create(self, path: str, body: Mapping[str, Any], *, seconds: float) -> Object:
        """POST."""
        return await self._call("POST", path, body=body, seconds=seconds)

    async def replace(self, path: str, body: Mapping[str, Any], *, seconds: float) -> Object:
        """PUT; `metadata.resourceVersion` in the body makes it conditional."""
        return await self._call("PUT", path, body=body, seconds=seconds)

    async def list(self, path: str, query: Mapping[str, str], *, seconds: float) -> tuple[list[Object], str]:
        """All items, page by page, and the resource version at which they were all so. `seconds` is for each page."""
        items: list[Object] = []
        asked = {**query, "limit": str(_PAGE)}
        while True:
            page = await self.get(path, asked, seconds=seconds)
            items.extend(page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            asked["continue"] = str(metadata["continue"])

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Type and object of each event, until the API server ends the watch. `Gone` when it forgot where to begin.

        `silence`: after so many seconds without a byte the connection counts as dead. An error within the stream is
        an error here.
        """
        what = f"WATCH {path}"
        # Anything longer is not ours to shorten: the server ends the watch by its own clock.
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=silence)
        answer = await self._send("GET", path, what=what, query={**query, "watch": "true"}, body=None, timeout=timeout)
        try:
            if answer.status != 200:
                raise _error(what, status=answer.status, raw=await answer.read(), retry_after=_retry_after(answer))
            async for line in answer.content:
                event = _object(what, line, status=200)
                kind, value = str(event.get("type")), event.get("object") or {}
                if kind == "ERROR":
                    raise _error(what, status=int(value.get("code") or 500), raw=json.dumps(value).encode())
                yield kind, value
        except TimeoutError as error:
            raise ApiUnreachable(what, detail=f"nothing came for {silence:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiUnreachable(what, detail=str(error) or type(error).__name__) from error
        except ValueError as error:
            raise ApiTrouble(what, status=200, message="an event is too long") from error
        finally:
            answer.close()

    async def close(self) -> None:
        """End the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            # TLS connections of aiohttp are closed a little later than asked.
            await asyncio.sleep(0)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float,
    ) -> Object:
        what = f"{method} {path}"
        # aiohttp rounds its own time-outs up.
        timeout = aiohttp.ClientTimeout(total=None, connect=min(seconds, CONNECT_SECONDS))
        try:
            async with asyncio.timeout(seconds):
                answer = await self._send(method, path, what=what, query=query, body=body, timeout=timeout)
                raw = await answer.read()
        except TimeoutError as error:
            raise ApiUnreachable(what, detail=f"no answer within {seconds:.1f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiUnreachable(what, detail=str(error) or type(error).__name__) from error
        if 200 <= answer.status < 300:
            return _object(what, raw, status=answer.status)
        raise _error(what, status=answer.status, raw=raw, retry_after=_retry_after(answer))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "mixhaul-ingestor"}
        try:
            if self._client is None:
                self._client = self._make()
            url = f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = await self._client.call_api(method, url, headers, body=body, _request_timeout=timeout)
        except TimeoutError as error:
            raise ApiUnreachable(what, detail="no answer in time") from error
        except (aiohttp.ClientError, OSError, config.ConfigException) as error:
            if isinstance(error, aiohttp.ClientConnectorError | ssl.SSLError):
                # The next client reads the CA anew: it may be another by now.
                await self.close()
            raise ApiUnreachable(what, detail=str(error) or type(error).__name__) from error
        response: aiohttp.ClientResponse = answer.response
        return response


def namespaced(group_version: str, namespace: str, plural: str, name: str | None = None) -> str:
    """The path of a resource; the core group is `v1`."""
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    path = f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def _object(what: str, raw: bytes, *, status: int) -> Object:
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise ApiTrouble(what, status=status, message="the answer is no JSON") from error
    if not isinstance(found, dict):
        raise ApiTrouble(what, status=status, message="the answer is no object")
    return found


def _retry_after(answer: aiohttp.ClientResponse) -> str | None:
    return answer.headers.get("Retry-After")


def _error(what: str, *, status: int, raw: bytes, retry_after: str | None = None) -> KubeError:
    message = _message(raw)
    if status in (401, 403):
        return Forbidden(what, status=status, message=message)
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return ApiOverloaded(what, retry_after_seconds=seconds)
    if status >= 500:
        return ApiTrouble(what, status=status, message=message)
    kinds: dict[int, type[NotFound | Conflict | Gone]] = {404: NotFound, 409: Conflict, 410: Gone}
    if status in kinds:
        return kinds[status](what, message=message)
    return Refused(what, status=status, message=message)


def _message(raw: bytes) -> str:
    try:
        said = json.loads(raw)
    except ValueError:
        return "no reason given"
    message = said.get("message") if isinstance(said, dict) else None
    return str(message)[:500] if message else "no reason given"

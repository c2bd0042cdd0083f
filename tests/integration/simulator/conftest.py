"""A simulator in the test's own loop, over real sockets, and a small client for it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mixhaul_simulator.app import Simulator
from mixhaul_simulator.clock import MovableClock, wall_ms
from mixhaul_simulator.settings import Account, Settings

SMALL = Settings(
    drivers=6,
    vehicles=4,
    event_types=20,
    history_days=1.0,
    events_per_minute=0.0,
    requests_per_minute=100_000,
    pause_seconds=0.0,
)
ACCOUNT = Account()
_TLS = ssl.create_default_context()  # one for all clients: making it takes longer than most tests
LOGIN = {
    "grant_type": "password",
    "username": ACCOUNT.username,
    "password": ACCOUNT.password,
    "scope": "offline_access MiX.Integrate",
    "client_id": ACCOUNT.client_id,
    "client_secret": ACCOUNT.client_secret,
}


@dataclass(slots=True)
class Caller:
    """Speaks to one simulator as a client and at its control port."""

    http: httpx.AsyncClient
    url: str
    control_url: str
    access: str = ""
    organisation: str = ""

    async def token(self, **fields: str) -> httpx.Response:
        return await self.http.post(f"{self.url}/core/connect/token", data={**LOGIN, **fields})

    async def login(self) -> None:
        answer = await self.token()
        self.access = answer.json()["access_token"]
        rows = (await self.truth("organisations"))["organisations"]
        self.organisation = rows[0]["GroupId"]

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"{self.url}/{path}", headers={"Authorization": f"Bearer {self.access}"})

    async def post(self, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.access}"}
        return await self.http.post(f"{self.url}/{path}", json=body, headers=headers)

    def since(self, token: str, quantity: int = 1000, *, feed: str = "events", organisation: str = "") -> str:
        group = organisation or self.organisation
        return f"api/{feed}/groups/createdsince/organisation/{group}/sincetoken/{token}/quantity/{quantity}"

    async def page(self, token: str, quantity: int = 1000, *, feed: str = "events") -> httpx.Response:
        return await self.get(self.since(token, quantity, feed=feed))

    async def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.http.request(method, f"{self.control_url}/control/{path}", json=body)

    async def do(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self.control("POST", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def truth(self, what: str, **query: str) -> Any:
        return (await self.http.get(f"{self.control_url}/control/truth/{what}", params=query)).json()

    async def records(self) -> Any:
        return (await self.control("GET", "records")).json()

    async def violations(self) -> list[str]:
        return [violation["kind"] for violation in (await self.records())["violations"]]


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Starts simulators with changed settings; all end with the test."""
    running: list[tuple[Simulator, httpx.AsyncClient]] = []

    async def begin(**changes: Any) -> Caller:
        settings = replace(SMALL, **changes)
        simulator = Simulator(settings, clock=MovableClock(settings.start_ms or wall_ms()))
        await simulator.start(host="127.0.0.1", port=0, control_port=0)
        client = httpx.AsyncClient(timeout=10, verify=_TLS)
        running.append((simulator, client))
        caller = Caller(client, simulator.urls["url"], simulator.urls["controlUrl"])
        await caller.login()
        return caller

    yield begin
    for simulator, client in running:
        await client.aclose()
        await simulator.stop()


@pytest.fixture
async def caller(start: Callable[..., Any]) -> Caller:
    """A small simulator without limits, logged in."""
    made: Caller = await start()
    return made


@dataclass(slots=True)
class Program:
    """The command, running as a process."""

    process: subprocess.Popen[str]
    urls: dict[str, str]


@contextmanager
def running(*options: str) -> Iterator[Program]:
    """The command `mixhaul-simulator`, ended with SIGKILL if it is still there."""
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "mixhaul-simulator"), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Program(process, json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def raw_request(url: str, text: str, *, timeout: float = 5.0) -> bytes:
    """All bytes that come back, up to the end of the connection; a reset is told by `ConnectionResetError`."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(text.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received

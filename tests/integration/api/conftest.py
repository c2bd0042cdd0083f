"""One planted database and one API process for all tests that leave both as they were; a fresh pair for the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import httpx
import pytest

from mixhaul_api import openapi
from support import api_data
from support.api_data import Fleet
from support.api_server import ApiProcess, Contract, running, secret_key, token
from support.postgres import Server

Client = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def fleet(postgres_server: Server) -> Iterator[Fleet]:
    """The database that the shared process answers from. Tests that write to it put back what they changed."""
    with api_data.planted(postgres_server) as found:
        yield found


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secret_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def api(fleet: Fleet, key_file: Path) -> Iterator[ApiProcess]:
    """The shared process. It keeps no answers: a test writes with plain SQL and looks at once."""
    with running(database_url=fleet.url, jwt_key_file=str(key_file), api_cache_megabytes="0") as process:
        yield process


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract(openapi.document())


@pytest.fixture
def client(api: ApiProcess, key_file: Path, contract: Contract) -> Iterator[Client]:
    """Makes clients of the shared process whose every answer is held to the OpenAPI document."""
    opened: list[httpx.Client] = []

    def make(
        *organisations: object,
        role: str = "reader",
        subject: str = "test",
        checked: bool = True,
        sites: Collection[int] | None = None,
    ) -> httpx.Client:
        bearer = token(key_file, *map(str, organisations), role=role, subject=subject, sites=sites)

        def check(response: httpx.Response) -> None:
            response.read()
            contract.check(response)

        opened.append(
            httpx.Client(
                base_url=api.url,
                headers={"Authorization": f"Bearer {bearer}"},
                event_hooks={"response": [check]} if checked else {},
            )
        )
        return opened[-1]

    yield make
    for one in opened:
        one.close()

"""A client against a scripted server: the data host and the identity host are one, told apart by their paths."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from mixhaul_mix.client import MixClient, Retries
from mixhaul_mix.transport import Timeouts
from support.http_script import Received, ScriptedServer, Step, answer
from support.mix_doubles import MemoryBudget, MemoryTokens, logged_in

SECRETS = {
    "client_secret": "cl1ent/Secret+&=ç",
    "password": 'p@ss"Word\\ 1',
}
FAST = Timeouts(connect=1.0, write=1.0, pool=1.0, feed=0.5, history=0.5, support=0.5, identity=0.5)
NO_WAIT = Retries(attempts=3, wait_initial=0.01, wait_max=0.02, wait_jitter=0.0)
JSON = (("Content-Type", "application/json"),)


def token(access: str = "acc3ss-token", refresh: str | None = "refr3sh-token", **more: Any) -> Step:
    """A good answer of the identity server."""
    body = {"access_token": access, "refresh_token": refresh, "expires_in": 3600, "token_type": "Bearer"} | more
    return answer(200, json.dumps({key: value for key, value in body.items() if value is not None}).encode(), JSON)


def refusal(error: str, status: int = 400) -> Step:
    """An OAuth error."""
    return answer(status, json.dumps({"error": error, "error_description": SECRETS["password"]}).encode(), JSON)


def form(request: Received) -> dict[str, str]:
    """The fields of a token request."""
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


@dataclass(slots=True)
class Bench:
    """Everything that a test looks at."""

    client: MixClient
    server: ScriptedServer
    tokens: MemoryTokens
    budget: MemoryBudget
    identity_budget: MemoryBudget

    @property
    def logins(self) -> list[dict[str, str]]:
        """The token requests."""
        return [form(one) for one in self.server.requests if one.target == "/core/connect/token"]

    @property
    def calls(self) -> list[Received]:
        """The data requests."""
        return [one for one in self.server.requests if one.target != "/core/connect/token"]


def make_client(server: ScriptedServer, tokens: MemoryTokens, budget: MemoryBudget, **more: Any) -> MixClient:
    """A client whose hosts are both the scripted server."""
    return MixClient(
        api_url=server.url + "/",
        identity_url=f"{server.url}/core/",
        client_id="the-client",
        client_secret=SECRETS["client_secret"],
        username="ana@example.com",
        password=SECRETS["password"],
        tokens=tokens,
        identity_budget=budget,
        **({"timeouts": FAST, "retries": NO_WAIT} | more),
    )


@asynccontextmanager
async def bench(*steps: Step, tokens: MemoryTokens | None = None, **more: Any) -> AsyncIterator[Bench]:
    """A client that is logged in, unless `tokens` says otherwise."""
    tokens = logged_in() if tokens is None else tokens
    budget, identity_budget = MemoryBudget(), MemoryBudget()
    async with ScriptedServer(*steps) as server, make_client(server, tokens, identity_budget, **more) as client:
        yield Bench(client, server, tokens, budget, identity_budget)
        assert not server.script, "steps that nobody asked for"
        assert budget.held == identity_budget.held == 0

"""The issuer's keys: fetched seldom, by one at a time, and kept while the issuer is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mixhaul_api.auth.keys import IssuerKeys
from mixhaul_api.errors import KeysUnavailable, TokenRefused


@dataclass(slots=True)
class HandClock:
    """A clock that a test moves."""

    at: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


class Source:
    """What the issuer publishes, and how often it was asked."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.asked = 0
        self.error: Exception | None = None
        self._key = ec.generate_private_key(ec.SECP256R1()).public_key()

    def __call__(self, url: str) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {
            "keys": [jwt.algorithms.ECAlgorithm.to_jwk(self._key, as_dict=True) | {"kid": kid} for kid in self.kids]
        }


async def test_many_at_once_make_one_fetch() -> None:
    source = Source("a")
    keys = IssuerKeys("url", clock=HandClock(), fetch=source)
    found = await asyncio.gather(*(keys.find({"kid": "a"}) for _ in range(20)))
    assert {key.algorithm for key in found} == {"ES256"}
    assert source.asked == 1


async def test_an_unknown_name_is_looked_up_again_but_not_at_any_pace() -> None:
    source, clock = Source("a"), HandClock()
    keys = IssuerKeys("url", clock=clock, fetch=source)
    await keys.find({"kid": "a"})
    for _ in range(10):
        with pytest.raises(TokenRefused):
            await keys.find({"kid": "b"})
    assert source.asked == 1
    source.kids = ("b",)
    clock.at += 10
    await keys.find({"kid": "b"})
    assert source.asked == 2
    with pytest.raises(TokenRefused):
        await keys.find({"kid": "a"})


async def test_known_keys_go_on_while_the_issuer_is_away() -> None:
    source, clock = Source("a"), HandClock()
    keys = IssuerKeys("url", clock=clock, fetch=source)
    await keys.find({"kid": "a"})
    for error in (TimeoutError(), ValueError("no JSON"), jwt.exceptions.PyJWKClientConnectionError("away")):
        source.error = error
        clock.at += 10_000
        await keys.find({"kid": "a"})
        await keys.close()
        await keys.find({"kid": "a"})
    assert source.asked == 4


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"keys": {}}, {"keys": []}, {"keys": [None, {}, {"kty": "oct", "k": "YQ"}]}]
)
async def test_an_answer_without_a_usable_key_is_unavailable_and_keeps_what_is_known(answer: object) -> None:
    source, clock = Source("a"), HandClock()
    keys = IssuerKeys("url", clock=clock, fetch=lambda url: answer)  # type: ignore[arg-type, return-value]
    with pytest.raises(KeysUnavailable):
        await keys.find({"kid": "a"})
    replies: list[Any] = [source("url"), answer]
    keys = IssuerKeys("url", clock=clock, fetch=lambda url: replies.pop(0))
    await keys.find({"kid": "a"})
    clock.at += 400
    await keys.find({"kid": "a"})
    await keys.close()
    await keys.find({"kid": "a"})
    assert replies == []


async def test_keys_that_are_old_are_fetched_behind_the_request() -> None:
    source, clock = Source("a"), HandClock()
    keys = IssuerKeys("url", clock=clock, fetch=source)
    await keys.find({"kid": "a"})
    source.kids = ("b",)
    clock.at += 301
    await keys.find({"kid": "a"})
    await keys.close()
    with pytest.raises(TokenRefused):
        await keys.find({"kid": "a"})
    assert source.asked == 2


@pytest.mark.parametrize("kid", [7, ["a"], {"a": 1}], ids=str)
async def test_a_name_that_is_no_text_is_refused(kid: object) -> None:
    with pytest.raises(TokenRefused):
        await IssuerKeys("url", clock=HandClock(), fetch=Source("a")).find({"kid": kid})


async def test_a_token_without_a_name_is_for_an_issuer_with_one_key() -> None:
    await IssuerKeys("url", clock=HandClock(), fetch=Source("a")).find({})
    with pytest.raises(TokenRefused):
        await IssuerKeys("url", clock=HandClock(), fetch=Source("a", "b")).find({})

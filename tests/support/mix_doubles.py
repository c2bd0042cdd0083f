"""The client's two protocols in memory: every rule of `mixhaul_mix.protocols` for one process, and a record of what
was said. Time is the event loop's. The real ones are on PostgreSQL and are tested with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mixhaul_mix.protocols import Grant

MARGIN_SECONDS = 60.0
REFUSED_SECONDS = 3600.0


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class MemoryPermit:
    """`outcomes` holds what was said; a second word is a defect of the client."""

    observed_at: datetime
    outcomes: list[str] = field(default_factory=list)

    async def not_sent(self) -> None:
        self._say("not sent")

    async def answered(self, *, has_more: bool | None = None) -> None:
        self._say(f"answered {has_more}")

    async def throttled(self, *, retry_after_seconds: float | None) -> None:
        self._say(f"throttled {retry_after_seconds}")

    def _say(self, word: str) -> None:
        self.outcomes.append(word)
        assert len(self.outcomes) == 1, f"exactly one outcome a permit, not {self.outcomes}"


class MemoryBudget:
    """Grants at once and remembers every permit. `seconds_until_granted` are taken off one by one."""

    def __init__(self, *seconds_until_granted: float) -> None:
        self.permits: list[MemoryPermit] = []
        self._waits = list(seconds_until_granted)
        self.held = 0

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[MemoryPermit]:
        if self._waits:
            await asyncio.sleep(self._waits.pop(0))
        permit = MemoryPermit(datetime.now(UTC))
        self.permits.append(permit)
        self.held += 1
        try:
            yield permit
        finally:
            self.held -= 1

    @property
    def outcomes(self) -> list[str]:
        """What was said of each permit, in order; `unknown` where nothing was."""
        return [permit.outcomes[0] if permit.outcomes else "unknown" for permit in self.permits]


@dataclass(frozen=True, slots=True)
class MemoryLogin:
    """A state of the login."""

    generation: int
    access_token: str | None
    refresh_token: str | None
    intent_pending_seconds: float | None
    refused_error: str | None


@dataclass(slots=True)
class MemoryTokens:
    """One login. Several identities that share it stand for several processes."""

    generation: int = 0
    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: float = 0.0
    intent: Grant | None = None
    intent_until: float = 0.0
    refused_error: str | None = None
    refused_until: float = 0.0
    log: list[str] = field(default_factory=list)

    async def load(self) -> MemoryLogin:
        now = _now()
        if self.intent is not None and self.intent_until <= now:
            # Nobody said how it ended: the refresh token may be spent.
            if self.intent == "refresh_token":
                self.refresh_token = None
            self.intent = None
        return MemoryLogin(
            generation=self.generation,
            access_token=self.access_token if now < self.expires_at - MARGIN_SECONDS else None,
            refresh_token=self.refresh_token,
            intent_pending_seconds=None if self.intent is None else self.intent_until - now,
            refused_error=self.refused_error if now < self.refused_until else None,
        )

    async def begin(self, *, generation: int, grant: Grant, deadline_seconds: float) -> bool:
        login = await self.load()
        if login.generation != generation or login.intent_pending_seconds is not None:
            return False
        self.intent, self.intent_until = grant, _now() + deadline_seconds
        self.log.append(f"begin {grant}")
        return True

    async def complete(
        self, *, generation: int, access_token: str, refresh_token: str | None, expires_in_seconds: float
    ) -> bool:
        if generation != self.generation or self.intent is None:
            self.log.append("complete: too late")
            return False
        self.generation, self.intent = generation + 1, None
        self.access_token, self.refresh_token = access_token, refresh_token
        self.expires_at = _now() + expires_in_seconds
        self.log.append(f"complete {expires_in_seconds:.0f}")
        return True

    async def fail(self, *, generation: int, grant: Grant, error: str, refused: bool) -> None:
        if generation != self.generation or grant != self.intent:
            return
        self.intent = None
        if refused and grant == "password":
            self.refused_error, self.refused_until = error, _now() + REFUSED_SECONDS
        elif refused:
            self.refresh_token = None
        self.log.append(f"fail {grant} {error} {'refused' if refused else 'lifted'}")

    async def invalidate(self, *, generation: int) -> None:
        if generation == self.generation:
            self.access_token = None
            self.log.append(f"invalidate {generation}")


def logged_in(token: str = "good-access-token") -> MemoryTokens:
    """A login with an access token for an hour."""
    return MemoryTokens(access_token=token, refresh_token="good-refresh-token", expires_at=float("inf"))

"""What the client needs from outside: a shared request budget and a shared token store.

`mixhaul_store` implements both on PostgreSQL without importing this module (structural typing); the ingestor wires
them.
Nothing here guarantees anything: the guarantees are the implementation's.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol

Grant = Literal["password", "refresh_token"]


class Permit(Protocol):
    """The right to send one request now.

    Exactly one of the three methods is called once the outcome is known. When none is (the process dies, the
    connection breaks, the body is cut short, a time-out), the outcome counts as unknown: the slot stays taken for
    72 s from the grant, and the feed's pause applies as if MiX had said that there is no more.
    """

    @property
    def observed_at(self) -> datetime:
        """The database's clock when the permit was granted, just before the request was sent."""

    async def not_sent(self) -> None:
        """The request never left this process: give the slot back."""

    async def answered(self, *, has_more: bool | None = None) -> None:
        """A whole answer was read. `has_more` is what a feed page said; None where the answer is no page."""

    async def throttled(self, *, retry_after_seconds: float | None) -> None:
        """MiX said 429, or sent a `Retry-After`: closes the budget for every process."""


class Budget(Protocol):
    """Where permits come from. Bound to one budget key, one priority and, for a feed, to its `not_before`."""

    def permit(self) -> AbstractAsyncContextManager[Permit]:
        """Wait until a call is allowed, then grant it. Raises what the database raises: no database, no call."""


class Login(Protocol):
    """One state of the shared login, as `TokenStore.load` read it."""

    @property
    def generation(self) -> int: ...
    @property
    def access_token(self) -> str | None:
        """None where there is none, it is expired by the database's clock (less a margin), or was invalidated."""

    @property
    def refresh_token(self) -> str | None:
        """None where there is none or it may be spent (an intent that expired without an outcome)."""

    @property
    def intent_pending_seconds(self) -> float | None:
        """Another process asks for a token: how long its intent is still valid. None: nobody does."""

    @property
    def refused_error(self) -> str | None:
        """The identity server's error code, where these very credentials were refused less than an hour ago."""


class TokenStore(Protocol):
    """One login (identity URL, client id, user name), shared by all processes, safe against their deaths."""

    async def load(self) -> Login: ...

    async def begin(self, *, generation: int, grant: Grant, deadline_seconds: float) -> bool:
        """Commit the intent to ask for a token. False: the generation moved or another intent is valid; load again."""

    async def complete(
        self, *, generation: int, access_token: str, refresh_token: str | None, expires_in_seconds: float
    ) -> bool:
        """Commit the answer where generation and intent still match (generation becomes generation + 1)."""

    async def fail(self, *, generation: int, grant: Grant, error: str, refused: bool) -> None:
        """A plain error answer ended the intent.

        `refused` with grant `password`: the credentials were refused; no process tries them again for an hour or until
        the Secret changes. With grant `refresh_token`: the refresh token is dropped, so that the password follows.
        Not refused (5xx, 429): the intent is lifted, everything else stays.
        """

    async def invalidate(self, *, generation: int) -> None:
        """MiX refused the access token of this generation (401): forget it, keep the refresh token."""

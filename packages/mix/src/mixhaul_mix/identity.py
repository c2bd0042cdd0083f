"""The access token: asked for by one process at a time, password once and refresh tokens afterwards.

The protocol (an intent is committed, the call is made with no transaction open, the answer is committed where the
generation still matches) is the token store's; this module follows it so that a refresh token is never sent twice and a
refused password is never repeated. It does not guarantee that MiX accepts the token: see `refused`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from mixhaul_mix import metrics
from mixhaul_mix.errors import (
    ClientRejected,
    CredentialsRejected,
    IdentityUnavailable,
    LoginPending,
    MixError,
    TransientMixError,
)
from mixhaul_mix.pages import retry_after_seconds
from mixhaul_mix.permits import account
from mixhaul_mix.protocols import Budget, Grant, Login, Permit, TokenStore
from mixhaul_mix.token_answers import CLIENT_ERRORS, Granted, Refused, Unclear, read_token_answer
from mixhaul_mix.transport import Answer, Request, Transport
from mixhaul_runtime.checkpoints import reached

SCOPE: Final = "offline_access MiX.Integrate"
SEND_WITHIN_SECONDS: Final = 10.0
# The intent outlives the call by this, so that no other process begins while an answer may still come.
INTENT_MARGIN_SECONDS: Final = 5.0
POLL_SECONDS: Final = 1.0
CACHE_SECONDS: Final = 5.0
PENDING_LIMIT_SECONDS: Final = 120.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The four values of the Secret."""

    client_id: str
    client_secret: str = field(repr=False)
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """A token and its generation in the store."""

    token: str = field(repr=False)
    generation: int


class Identity:
    """One login. Shared by all calls of a client."""

    def __init__(
        self,
        *,
        transport: Transport,
        identity_url: str,
        credentials: Credentials,
        tokens: TokenStore,
        budget: Budget,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._url = f"{identity_url}/connect/token"
        self._credentials = credentials
        self._tokens = tokens
        self._budget = budget
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self._cached: Access | None = None
        self._cached_until = 0.0

    async def access(self) -> Access:
        """A token that is not known to be expired or refused."""
        cached = self._from_cache()
        if cached is not None:
            return cached
        async with self._lock:
            cached = self._from_cache()
            return cached if cached is not None else await self._obtain()

    async def refused(self, access: Access) -> None:
        """MiX answered 401 to this token: nobody uses it again."""
        if self._cached is not None and self._cached.generation <= access.generation:
            self._cached = None
        await self._tokens.invalidate(generation=access.generation)

    def _from_cache(self) -> Access | None:
        return self._cached if asyncio.get_running_loop().time() < self._cached_until else None

    def _keep(self, access: Access, *, seconds: float) -> Access:
        self._cached, self._cached_until = access, asyncio.get_running_loop().time() + seconds
        return access

    async def _obtain(self) -> Access:
        waited = 0.0
        while True:
            login = await self._tokens.load()
            access = _usable(login)
            if access is not None:
                return self._keep(access, seconds=CACHE_SECONDS)
            pause = login.intent_pending_seconds
            if pause is None:
                granted = await self._ask()
                if granted is not None:
                    return granted
                pause = 0.1  # somebody else was quicker, or the password follows
            if waited >= PENDING_LIMIT_SECONDS:
                raise LoginPending(pending_seconds=pause)
            pause = min(max(pause, 0.05), POLL_SECONDS)
            await self._sleep(pause)
            waited += pause

    async def _ask(self) -> Access | None:
        """One request for a token. None: load again."""
        async with self._budget.permit() as permit:
            # The wait for the permit may have been long: decide by what is known now.
            login = await self._tokens.load()
            try:
                access = _usable(login)
            except CredentialsRejected:
                await permit.not_sent()
                raise
            if access is not None or login.intent_pending_seconds is not None:
                await permit.not_sent()
                return None if access is None else self._keep(access, seconds=CACHE_SECONDS)
            grant: Grant = "password" if login.refresh_token is None else "refresh_token"
            deadline = SEND_WITHIN_SECONDS + self._transport.timeouts.identity
            if not await self._tokens.begin(
                generation=login.generation, grant=grant, deadline_seconds=deadline + INTENT_MARGIN_SECONDS
            ):
                await permit.not_sent()
                return None
            reached("token_intent")
            answer = await self._send(login, grant=grant, permit=permit)
            return await self._conclude(answer, login=login, grant=grant)

    async def _send(self, login: Login, *, grant: Grant, permit: Permit) -> Answer:
        try:
            answer = await self._transport.call(
                Request(
                    endpoint="token",
                    method="POST",
                    url=self._url,
                    headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
                    content=self._form(login).encode("ascii"),
                ),
                deadline_seconds=self._transport.timeouts.identity,
                send_within_seconds=SEND_WITHIN_SECONDS,
            )
        except MixError as error:
            _count(grant, "failed" if not error.sent else "unknown")
            if error.sent:
                await self._give_up(login, grant=grant, error="unknown", may_be_spent=True)
            else:
                await permit.not_sent()
                await self._give_up(login, grant=grant, error="not_sent", may_be_spent=False)
            if isinstance(error, TransientMixError):
                raise IdentityUnavailable(str(error), answered=False, sent=error.sent) from error
            raise
        await account(permit, answer)
        return answer

    def _form(self, login: Login) -> str:
        form = {"client_id": self._credentials.client_id, "client_secret": self._credentials.client_secret}
        if login.refresh_token is None:
            form |= {
                "grant_type": "password",
                "username": self._credentials.username,
                "password": self._credentials.password,
                "scope": SCOPE,
            }
        else:
            form |= {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
        return urlencode(form)

    async def _conclude(self, answer: Answer, *, login: Login, grant: Grant) -> Access | None:
        outcome = read_token_answer(answer)
        match outcome:
            case Granted():
                reached("token_received")
                kept = await self._tokens.complete(
                    generation=login.generation,
                    access_token=outcome.access_token,
                    refresh_token=outcome.refresh_token,
                    expires_in_seconds=outcome.expires_in_seconds,
                )
                _count(grant, "succeeded")
                if not kept:
                    return None
                access = Access(outcome.access_token, login.generation + 1)
                return self._keep(access, seconds=min(CACHE_SECONDS, outcome.expires_in_seconds / 2))
            case Refused():
                _count(grant, "refused")
                if grant == "refresh_token" and outcome.error != "invalid_client":
                    await self._tokens.fail(generation=login.generation, grant=grant, error=outcome.error, refused=True)
                    return None
                await self._remember_refusal(outcome.error, login=login, grant=grant)
                raise _rejection(outcome.error)
            case Unclear():
                _count(grant, "unknown" if outcome.may_be_spent else "failed")
                await self._give_up(
                    login, grant=grant, error=f"status_{answer.status}", may_be_spent=outcome.may_be_spent
                )
                raise IdentityUnavailable(outcome.reason, retry_after_seconds=retry_after_seconds(answer))

    async def _give_up(self, login: Login, *, grant: Grant, error: str, may_be_spent: bool) -> None:
        """No token came: nobody need wait for the intent's deadline. A refresh token that may be spent is never sent
        again: it is dropped, and the password follows."""
        await self._tokens.fail(
            generation=login.generation,
            grant=grant,
            error=error,
            refused=may_be_spent and grant == "refresh_token",
        )

    async def _remember_refusal(self, error: str, *, login: Login, grant: Grant) -> None:
        """No process tries these credentials again. A client that was refused with a refresh token is the same client
        with the password, which therefore isn't sent: only its refusal is written down."""
        if grant == "refresh_token":
            await self._tokens.fail(generation=login.generation, grant=grant, error=error, refused=False)
            if not await self._tokens.begin(
                generation=login.generation, grant="password", deadline_seconds=INTENT_MARGIN_SECONDS
            ):
                return
        await self._tokens.fail(generation=login.generation, grant="password", error=error, refused=True)


def _usable(login: Login) -> Access | None:
    """The login's token, if it has one. Raises where the credentials are known to be refused."""
    if login.access_token is not None:
        return Access(login.access_token, login.generation)
    if login.refused_error is not None:
        raise _rejection(login.refused_error)
    return None


def _rejection(error: str) -> CredentialsRejected:
    return ClientRejected(error) if error in CLIENT_ERRORS else CredentialsRejected(error)


def _count(grant: Grant, result: str) -> None:
    metrics.TOKEN_REFRESHES.labels(grant, result).inc()

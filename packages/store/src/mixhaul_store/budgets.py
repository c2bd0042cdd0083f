"""The request budget that all processes share: waits for a permit, grants it, and records what became of the call.

It keeps the limit and the feed's pause for any interleaving, death and loss of answers included, as long as a call
arrives at MiX within `send_within + transit` of its grant, the database's clock does not jump, and the database can be
reached while a call of more than that is under way. No database, no call.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from prometheus_client import Histogram

from mixhaul_runtime.clock import Clock, SystemClock
from mixhaul_store import permits
from mixhaul_store.budget_rules import PRIORITIES, Rules
from mixhaul_store.database import Database
from mixhaul_store.errors import LockTimeout, StoreError
from mixhaul_store.permits import Account, FeedPause, Granted, used

__all__ = ["FeedPause", "Permit", "PermitBudget", "used"]

log = structlog.get_logger("mixhaul_store.budgets")

BUDGET_WAIT = Histogram(
    "mixhaul_upstream_budget_wait_seconds",
    "Time that calls to MiX waited for a permit, pauses that MiX asks for included.",
    ["priority"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300),
)
for _priority in PRIORITIES:
    BUDGET_WAIT.labels(_priority)

# Slots may free earlier than they say: somebody else's call was answered, or given back.
LONGEST_SLEEP_SECONDS = 5.0
JITTER_SECONDS = 0.02
LONGEST_KEEP_SECONDS = 4.0
GIVE_UP_KEEPING_SECONDS = 2.0


class Permit:
    """The right to send one request now; see `mixhaul_mix.protocols.Permit`."""

    def __init__(self, budget: PermitBudget, granted: Granted) -> None:
        self._budget = budget
        self._granted = granted
        self._settled = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def observed_at(self) -> datetime:
        """The database's clock at the grant."""
        return self._granted.at

    async def not_sent(self) -> None:
        """The request never left this process: give the slot back."""
        await self._stop()
        self._budget.owe(None)
        await permits.give_back(self._budget.db, self._budget.account, self._granted)

    async def answered(self, *, has_more: bool | None = None) -> None:
        """A whole answer was read; `has_more` is what a feed page said."""
        await self._stop()
        no_more = has_more is False
        self._budget.owe(self._budget.account.rules.pause if no_more else None)
        await permits.answered(self._budget.db, self._budget.account, self._granted, no_more=no_more)

    async def throttled(self, *, retry_after_seconds: float | None) -> None:
        """Close the budget for everybody."""
        await self._stop()
        self._budget.owe(None)
        await permits.throttled(
            self._budget.db, self._budget.account, self._granted, retry_after_seconds=retry_after_seconds
        )

    async def leave(self) -> None:
        """The call is over. Without an outcome, what the grant left behind stays."""
        if not self._settled.is_set():
            await self._stop()
            rules = self._budget.account.rules
            self._budget.owe(rules.pause + rules.transit)

    async def _keep(self) -> None:
        """While the call is under way, cover the answer that may come after our death."""
        rules = self._budget.account.rules
        every = min(LONGEST_KEEP_SECONDS, (rules.transit + rules.send_within).total_seconds() / 3)
        while not await _set_within(self._settled, every):
            try:
                await permits.keep(self._budget.db, self._budget.account, self._granted)
            except StoreError as error:
                log.warning("a permit in use could not be prolonged", error=str(error))

    async def _stop(self) -> None:
        """Before an outcome is written: nothing may overwrite it."""
        self._settled.set()
        await asyncio.wait({self._keeping}, timeout=GIVE_UP_KEEPING_SECONDS)
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)


class PermitBudget:
    """One budget, seen by one caller: `key` says whose calls are counted together."""

    def __init__(
        self,
        db: Database,
        *,
        key: str,
        requests_per_minute: int,
        priority: str,
        holder: str,
        feed: FeedPause | None = None,
        transit_seconds: float = 10.0,
        send_within_seconds: float = 2.0,
        window_seconds: float = 60.0,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if priority not in PRIORITIES or requests_per_minute < 1:
            raise ValueError(f"no budget for {priority!r} at {requests_per_minute} a minute")
        self.db = db
        self.account = Account(
            key=key,
            priority=priority,
            holder=holder,
            rules=Rules(
                limit=requests_per_minute,
                window=timedelta(seconds=window_seconds),
                transit=timedelta(seconds=transit_seconds),
                send_within=timedelta(seconds=send_within_seconds),
                pause=timedelta(seconds=feed.pause_seconds if feed else 0.0),
            ),
            feed=feed,
        )
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._budget_id: int | None = None
        self._owed_until = 0.0

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[Permit]:
        """Wait until a call is allowed, then grant it."""
        began = self._clock.monotonic()
        permit = await self._wait()
        BUDGET_WAIT.labels(self.account.priority).observe(self._clock.monotonic() - began)
        try:
            yield permit
        finally:
            await permit.leave()

    def _fresh(self, asked_at: float) -> bool:
        """Whether a permit that was asked for then may still be used."""
        return self._clock.monotonic() - asked_at <= self.account.rules.send_within.total_seconds()

    def owe(self, pause: timedelta | None) -> None:
        """Remember here, too, what the feed rests for: the database may be away when it is to be written."""
        self._owed_until = self._clock.monotonic() + pause.total_seconds() if pause and self.account.feed else 0.0

    async def _wait(self) -> Permit:
        while True:
            owed = self._owed_until - self._clock.monotonic()
            if owed > 0:
                await self._clock.sleep(min(owed, LONGEST_SLEEP_SECONDS))
                continue
            asked_at = self._clock.monotonic()
            answer = await self._ask()
            if isinstance(answer, timedelta):
                seconds = min(answer.total_seconds(), LONGEST_SLEEP_SECONDS)
                await self._clock.sleep(seconds + self._jitter() * JITTER_SECONDS)
            elif self._fresh(asked_at):
                return Permit(self, answer)
            else:
                await permits.give_back(self.db, self.account, answer)

    async def _ask(self) -> Granted | timedelta:
        """One look, carried through also when the caller is cancelled: a permit that nobody uses is given back."""
        asking = asyncio.ensure_future(self._look())
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.shield(_unused(asking, lambda granted: permits.give_back(self.db, self.account, granted)))
            raise

    async def _look(self) -> Granted | timedelta:
        if self._budget_id is None:
            self._budget_id = await permits.budget_id(self.db, self.account.key)
        try:
            return await permits.ask(self.db, self.account, budget=self._budget_id)
        except LockTimeout:
            return timedelta()


async def _unused(asking: asyncio.Future[Granted | timedelta], give_back: Callable[[Granted], Awaitable[None]]) -> None:
    try:
        answer = await asking
        if isinstance(answer, Granted):
            await give_back(answer)
    except StoreError as error:
        log.debug("a permit that nobody waits for could not be given back", error=str(error))


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True

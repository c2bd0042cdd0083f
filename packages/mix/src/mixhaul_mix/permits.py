"""A permit for one call: taken before the connection is made, given back where nothing was sent, and told what came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Final

from mixhaul_mix.pages import promised_more, retry_after_seconds
from mixhaul_mix.protocols import Budget, Permit
from mixhaul_mix.transport import Answer

SEND_WITHIN_SECONDS: Final = 2.0


class Slot:
    """The permit that is held now."""

    def __init__(self, budget: Budget, stack: AsyncExitStack) -> None:
        self._budget = budget
        self._stack = stack
        self._granted = 0.0
        self.permit: Permit

    async def take(self) -> None:
        """Wait for a permit."""
        self.permit = await self._stack.enter_async_context(self._budget.permit())
        self._granted = asyncio.get_running_loop().time()

    async def renew_if_late(self) -> None:
        """Just before sending. A permit counts the request from its grant, so it may not be used much later (a slow
        connection, a process that was stopped): it is given back, and the next one finds the connection made."""
        while asyncio.get_running_loop().time() - self._granted > SEND_WITHIN_SECONDS:
            await self.permit.not_sent()
            await self._stack.aclose()
            await self.take()

    @property
    def observed_at(self) -> datetime:
        """The database's clock just before the request was sent."""
        return self.permit.observed_at


@asynccontextmanager
async def slot(budget: Budget) -> AsyncIterator[Slot]:
    """Hold a permit. What becomes of it is to be said before the end; otherwise it counts as unknown."""
    async with AsyncExitStack() as stack:
        held = Slot(budget, stack)
        await held.take()
        yield held


async def account(permit: Permit, answer: Answer, *, feed: bool = False) -> None:
    """Say that a whole answer was read, and what it means for the calls that follow."""
    retry_after = retry_after_seconds(answer)
    if answer.status == 429 or (answer.status >= 500 and retry_after is not None):
        await permit.throttled(retry_after_seconds=retry_after)
    else:
        await permit.answered(has_more=promised_more(answer) if feed else None)

"""Coming to an end: waits that a shutdown cuts short, and permits that are no longer waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mixhaul_mix.protocols import Budget, Permit
from mixhaul_runtime.checkpoints import reached

T = TypeVar("T")


class Ending(Exception):
    """The process was asked to end before the request was sent, or before the work was done."""


async def pause(ending: asyncio.Event, seconds: float) -> bool:
    """Wait, but not longer than until the end. Whether the end has come."""
    if seconds > 0 and not ending.is_set():
        try:
            async with asyncio.timeout(seconds):
                await ending.wait()
        except TimeoutError:
            return False
    return ending.is_set()


async def unless(ending: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of work that may be left half done; raises `Ending` when the end comes first."""
    working = asyncio.ensure_future(work)
    ended = asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Ending
    finally:
        for task in (working, ended):
            task.cancel()
        await asyncio.gather(working, ended, return_exceptions=True)


class UntilEnding:
    """A budget whose wait for a permit is given up when the process is to end; a permit that was granted is used."""

    def __init__(self, budget: Budget, ending: asyncio.Event) -> None:
        self._budget = budget
        self._ending = ending
        self.granted_at: float | None = None

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[Permit]:
        """As `Budget.permit`; raises `Ending` when the end comes first."""
        if self._ending.is_set():
            raise Ending
        permit = self._budget.permit()
        entering = asyncio.ensure_future(permit.__aenter__())
        ended = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({entering, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            if not entering.done():
                entering.cancel()
        try:
            granted = await entering
        except asyncio.CancelledError:
            if self._ending.is_set():
                raise Ending from None
            raise
        self.granted_at = asyncio.get_running_loop().time()
        reached("permit_taken")
        try:
            yield granted
        except BaseException as error:
            if not await permit.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await permit.__aexit__(None, None, None)

"""A queue of keys that never holds one twice, with retries that wait longer each time.

A key that is added while it is being worked on is done once more afterwards, so the last state is always seen. Order
is that of arrival. It knows nothing about what the work is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger("mixhaul_operator.workqueue")

_SHORTEST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 60.0


class Again(Exception):
    """Do it again after so many seconds, without counting it as a failure."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"again in {seconds:g} s")


Work = Callable[[str], Awaitable[None]]


class WorkQueue:
    """Add from anywhere in the loop; `run` works until it is cancelled.

    `is_known` tells trouble of the outside, which is logged as a sentence, from a defect.
    """

    def __init__(self, work: Work, *, workers: int, is_known: Callable[[Exception], bool]) -> None:
        self._work = work
        self._workers = workers
        self._is_known = is_known
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Semaphore(0)

    def add(self, key: str) -> None:
        """Do this key's work soon."""
        self._cancel_timer(key)
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._wake.release()

    def add_later(self, key: str, seconds: float) -> None:
        """Do it after a while, unless it is done before then anyway."""
        if key in self._waiting or key in self._again:
            return
        due = asyncio.get_running_loop().time() + seconds
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= due:
            return
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_at(due, self._timer_rang, key)

    @property
    def depth(self) -> int:
        """Keys that wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is under way; retries may be due later."""
        return not self._waiting and not self._busy

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._workers):
                    tasks.create_task(self._worker())
        finally:
            for key in list(self._timers):
                self._cancel_timer(key)

    async def _worker(self) -> None:
        while True:
            await self._wake.acquire()
            key, _ = self._waiting.popitem(last=False)
            self._busy.add(key)
            try:
                await self._once(key)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _once(self, key: str) -> None:
        try:
            await self._work(key)
        except Again as wish:
            self._failures.pop(key, None)
            self._later(key, wish.seconds)
        except Exception as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            wait = delay(count)
            asked = getattr(error, "retry_after_seconds", None)
            if isinstance(asked, int | float):
                wait = max(wait, float(asked))
            if self._is_known(error):
                log.warning("tried again later", source=key, error=str(error), tries=count, seconds=wait)
            else:
                log.exception("this is a defect; tried again later", source=key, tries=count, seconds=wait)
            self._later(key, wait)
        else:
            self._failures.pop(key, None)

    def _later(self, key: str, seconds: float) -> None:
        if key not in self._again:
            self.add_later(key, seconds)

    def _timer_rang(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


def delay(failures: int) -> float:
    """Seconds before the next try: doubling, at most a minute."""
    return min(_SHORTEST_SECONDS * 2.0 ** min(failures - 1, 20), _LONGEST_SECONDS)

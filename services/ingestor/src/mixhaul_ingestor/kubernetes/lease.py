"""Who may try to lead, by a Lease: the loser watches it, the holder writes it anew before its deadline.

The holder's term is over at the deadline at the latest, whatever the API server does or does not answer: each request
and each sleep ends before it. What the term permits has to be ended and awaited by whoever uses it; only then is the
Lease given back. It does not guarantee that nothing is written afterwards: the epoch does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import structlog

from mixhaul_ingestor.kubernetes import election
from mixhaul_ingestor.kubernetes.client import Kube, namespaced
from mixhaul_ingestor.kubernetes.election import Create, Record, Seen, Take, Wait
from mixhaul_ingestor.kubernetes.errors import Conflict, KubeError, NotFound
from mixhaul_ingestor.leadership import Term, Timing
from mixhaul_runtime.clock import Clock

log = structlog.get_logger("mixhaul_ingestor.kubernetes.lease")

RELEASE_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 240
_JITTER: Final = 0.2


@dataclass(slots=True)
class LeaseTerm:
    """Held until `over` is set. `good`: monotonic time before the last good request; `record`: what it answered."""

    record: Record
    good: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    force: bool = True


class _Renewal(Enum):
    """What comes next: after a good try or a failed one, after one that was outrun, after one that showed the end."""

    LATER = auto()
    AGAIN = auto()
    LOST = auto()


class LeaseElector:
    """One candidate for one Lease. `holder` is unique to this process.

    `calls` and `watches` are two clients: a watch is open for long, and a request must not wait for its connection.
    """

    def __init__(
        self,
        *,
        calls: Kube,
        watches: Kube,
        name: str,
        namespace: str,
        holder: str,
        timing: Timing,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._calls = calls
        self._watches = watches
        self._name = name
        self._namespace = namespace
        self._holder = holder
        self._timing = timing
        self._clock = clock
        self._chance = chance
        self._all = namespaced(election.API_VERSION, namespace, "leases")
        self._one = namespaced(election.API_VERSION, namespace, "leases", name)
        self._seen: Seen | None = None
        self._news = asyncio.Event()
        self._log = log.bind(lease=f"{namespace}/{name}")

    @asynccontextmanager
    async def term(self, stop: asyncio.Event) -> AsyncIterator[Term | None]:
        """Wait until the Lease is ours, and hold it to the end of the block; None when `stop` came first."""
        term = await self._campaign(stop)
        if term is None:
            yield None
            return
        self._log.info("the Lease is ours", holder=self._holder)
        renewing = asyncio.create_task(self._renew(term))
        try:
            yield term
        finally:
            ours = not term.over.is_set()
            renewing.cancel()
            await asyncio.wait({renewing})
            # What was seen before this term is too old to count from.
            self._seen = None
            if ours:
                await self._release(term)
            if not renewing.cancelled():
                renewing.result()

    # -- the candidate

    async def _campaign(self, stop: asyncio.Event) -> LeaseTerm | None:
        looking = asyncio.create_task(self._look())
        try:
            while not stop.is_set():
                self._news.clear()
                seconds = self._timing.retry_period
                if self._seen is not None:
                    decision = election.decide(
                        self._seen, me=self._holder, now=self._clock.monotonic(), timing=self._timing
                    )
                    if isinstance(decision, Wait):
                        seconds = decision.seconds
                    elif (term := await self._try(decision)) is not None:
                        return term
                    else:
                        seconds = self._jittered(seconds)
                await _first(stop, self._news, looking, seconds=seconds)
                if looking.done():
                    # It never ends by itself: a defect.
                    looking.result()
            return None
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _try(self, decision: Create | Take) -> LeaseTerm | None:
        """Write ourselves into the Lease. None where somebody else was first, or nothing is known."""
        began = self._clock.monotonic()
        try:
            record = await self._write(decision, seconds=self._timing.renew_deadline / 3)
        except (Conflict, NotFound) as error:
            self._log.debug("somebody else was first", error=str(error))
            await self._look_once()
            return None
        except KubeError as error:
            self._log.warning("the Lease can't be taken", error=str(error))
            return None
        return LeaseTerm(record=record, good=began)

    async def _write(self, decision: Create | Take, *, seconds: float) -> Record:
        now = self._clock.now()
        if isinstance(decision, Take):
            body = election.taken(decision.record, me=self._holder, now=now, timing=self._timing)
            return election.record_of(await self._calls.replace(self._one, body, seconds=seconds))
        body = election.created(
            name=self._name, namespace=self._namespace, me=self._holder, now=now, timing=self._timing
        )
        return election.record_of(await self._calls.create(self._all, body, seconds=seconds))

    async def _look_once(self) -> None:
        try:
            record = await self._read(self._calls, seconds=self._timing.renew_deadline / 3)
        except KubeError as error:
            self._log.warning("the Lease can't be read", error=str(error))
        else:
            self._note(record)

    async def _look(self) -> None:
        """Keep what is known of the Lease up to date: read it, then watch it from there on, again and again."""
        while True:
            try:
                record = await self._read(self._watches, seconds=self._timing.renew_deadline / 3)
                self._note(record)
                if record is not None:
                    await self._watch(record)
                    continue
            except KubeError as error:
                self._log.debug("the Lease can't be watched; looked at again", error=str(error))
            await self._clock.sleep(self._jittered(self._timing.retry_period))

    async def _watch(self, record: Record) -> None:
        query = {
            "fieldSelector": f"metadata.name={self._name}",
            "resourceVersion": record.version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        events = self._watches.watch(self._all, query, silence=election.silence(self._timing))
        async with aclosing(events):
            async for kind, value in events:
                if kind == "DELETED":
                    self._note(None)
                elif kind in ("ADDED", "MODIFIED"):
                    self._note(election.record_of(value))

    async def _read(self, kube: Kube, *, seconds: float) -> Record | None:
        try:
            return election.record_of(await kube.get(self._one, seconds=seconds))
        except NotFound:
            return None

    def _note(self, record: Record | None) -> None:
        before = self._seen
        self._seen = election.seen(before, record, now=self._clock.monotonic())
        holder = record.holder if record else ""
        if holder and (before is None or before.record is None or before.record.holder != holder):
            self._log.info("another process has the Lease", holder=holder)
        if self._seen != before:
            self._news.set()

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + self._chance() * _JITTER)

    # -- the holder

    async def _renew(self, term: LeaseTerm) -> None:
        """Write the Lease anew until that fails up to the deadline, or somebody else has it."""
        try:
            while (found := await self._renewed(term)) is not _Renewal.LOST:
                if found is _Renewal.AGAIN:
                    continue
                left = election.time_left(term.good, now=self._clock.monotonic(), timing=self._timing)
                await self._clock.sleep(election.nap(left, self._timing))
        finally:
            term.over.set()

    async def _renewed(self, term: LeaseTerm) -> _Renewal:
        """One try."""
        began = self._clock.monotonic()
        left = election.time_left(term.good, now=began, timing=self._timing)
        if left <= 0:
            self._log.warning("the Lease could not be renewed in time")
            return _Renewal.LOST
        seconds = election.call_seconds(left, self._timing)
        try:
            term.record = await self._write(Take(term.record), seconds=seconds)
        except Conflict:
            return await self._still_ours(term)
        except NotFound:
            return await self._made_again(term)
        except KubeError as error:
            self._log.warning("the Lease was not renewed; tried again", error=str(error))
        else:
            term.good = began
        return _Renewal.LATER

    async def _still_ours(self, term: LeaseTerm) -> _Renewal:
        """After a conflict: an answer that was lost, somebody who added a label, or another holder."""
        left = election.time_left(term.good, now=self._clock.monotonic(), timing=self._timing)
        try:
            record = await self._read(self._calls, seconds=election.call_seconds(left, self._timing))
        except KubeError as error:
            self._log.warning("the Lease can't be read", error=str(error))
            return _Renewal.LATER
        if record is None:
            return await self._made_again(term)
        if record.holder != self._holder:
            self._log.warning("another process has the Lease", holder=record.holder)
            return _Renewal.LOST
        # At once: somebody who writes into it often must not keep us from renewing it.
        term.record = record
        return _Renewal.AGAIN

    async def _made_again(self, term: LeaseTerm) -> _Renewal:
        """Somebody has deleted the Lease: whoever makes it first has it."""
        began = self._clock.monotonic()
        left = election.time_left(term.good, now=began, timing=self._timing)
        try:
            term.record = await self._write(Create(), seconds=election.call_seconds(left, self._timing))
        except Conflict:
            return _Renewal.AGAIN
        except KubeError as error:
            self._log.warning("the Lease was deleted and could not be made again", error=str(error))
        else:
            term.good = began
        return _Renewal.LATER

    async def _release(self, term: LeaseTerm) -> None:
        """Let the next one take over at once. Two tries: the answer to the last renewal may have been lost."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                try:
                    await self._let_go(term.record)
                except Conflict:
                    record = await self._read(self._calls, seconds=RELEASE_SECONDS)
                    if record is not None and record.holder == self._holder:
                        await self._let_go(record)
        except (KubeError, TimeoutError) as error:
            self._log.warning("the Lease was not released; it runs out by itself", error=str(error) or "timed out")
        else:
            self._log.info("the Lease is released")

    async def _let_go(self, record: Record) -> None:
        await self._calls.replace(self._one, election.released(record, now=self._clock.now()), seconds=RELEASE_SECONDS)


async def _first(stop: asyncio.Event, news: asyncio.Event, looking: asyncio.Task[None], *, seconds: float) -> None:
    """Wait for the first of them, or so many seconds."""
    waiting = [asyncio.ensure_future(event.wait()) for event in (stop, news)]
    try:
        await asyncio.wait({*waiting, looking}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

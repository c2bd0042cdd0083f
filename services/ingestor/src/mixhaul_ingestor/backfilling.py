"""A backfill that somebody asked for: everything of an interval of event time, read from history once more.

A job of the leader: one that is cut off goes on with what is left. What it finds is stored by the rules of the feed, so
asking twice does no harm. It books and closes no gap: those are intervals of another time, see `backfill`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from mixhaul_ingestor.ending import Ending
from mixhaul_ingestor.filler import Filler, ask_for_sync
from mixhaul_ingestor.jobs import Job, Kind, Outcome, Postponed
from mixhaul_ingestor.status import duration
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import TerminalMixError
from mixhaul_store import organisations, windows, work
from mixhaul_store.errors import CursorMoved, StaleEpoch
from mixhaul_store.intervals import Interval, ceil, floor
from mixhaul_store.organisations import Organisation
from mixhaul_store.windows import Owner

log = structlog.get_logger("mixhaul_ingestor.backfilling")

KIND: Final = "backfill"
LONGEST: Final = timedelta(days=3660)
# With the waits between them, an hour and a half.
TRIES: Final = 16
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What the parameters say. `organisation` is MiX's id, where only one is meant."""

    begin: datetime
    end: datetime
    organisation: int | None = None

    @classmethod
    def of(cls, parameters: dict[str, str]) -> Asked:
        """Raises `ValueError` in words for whoever asked."""
        try:
            begin, end = (datetime.fromisoformat(parameters[name]) for name in ("from", "to"))
            only = parameters.get("organisation")
            asked = cls(begin, end, None if only is None else int(only))
        except (KeyError, ValueError, TypeError):
            raise ValueError("it needs from and to, times with an offset") from None
        if begin.tzinfo is None or end.tzinfo is None:
            raise ValueError("times need an offset")
        if not begin < end or end - begin > LONGEST:
            raise ValueError("the interval is empty, or longer than ten years")
        return asked

    def span(self, *, now: datetime) -> Interval | None:
        """In whole seconds, and not beyond now; None where it lies in the future."""
        end = min(self.end, now)
        return None if end <= self.begin else Interval(floor(self.begin), ceil(end))


def meant(mine: Sequence[Organisation], *, wanted: Sequence[int], only: int | None) -> list[Organisation]:
    """The organisations of a source that are meant. `wanted` is what its spec names; nothing: all."""
    return [
        one for one in mine if (only is None or one.external_id == only) and (not wanted or one.external_id in wanted)
    ]


async def on_request(job: Job) -> Outcome:
    """Parameters: `from`, `to`, and `organisation` where only one is meant."""
    source, leading = job.of, job.leading
    try:
        asked = Asked.of(job.request.parameters)
    except ValueError as error:
        return Outcome(False, f"The request can't be understood: {error}.")
    span = asked.span(now=leading.clock.now())
    if span is None:
        return Outcome(False, "The interval lies in the future.")
    mine = await organisations.by_source(leading.wiring.database, source.key)
    found = meant(mine, wanted=source.spec.organisation_ids, only=asked.organisation)
    if not found:
        which = "no organisation yet" if asked.organisation is None else f"no organisation {asked.organisation}"
        return Outcome(False, f"{source.key} has {which}: its stream has to have begun.")
    await windows.add_for_request(
        leading.wiring.database, job.request.id, span, organisation_ids=[one.id for one in found], epoch=leading.epoch
    )
    doing = _Work(job)
    try:
        async with leading.wiring.client(source) as client, asyncio.TaskGroup() as tasks:
            for organisation in found:
                tasks.create_task(doing.fill(organisation, client))
    except BaseExceptionGroup as group:
        raise _cause(group) from group
    return await doing.outcome(organisations=len(found))


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What made the organisations end, as one error that the runner of jobs knows."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        else:
            leaves.append(error)
    for error in leaves:
        if isinstance(error, StaleEpoch):
            return error
    for error in leaves:
        if isinstance(error, Ending):
            return asyncio.CancelledError()
        if isinstance(error, CursorMoved):
            return Postponed(f"An organisation is gone: {error}", after_seconds=5.0)
    return leaves[0]


class _Work:
    """One request being worked off."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._refused: list[str] = []

    async def fill(self, organisation: Organisation, client: MixClient) -> None:
        """One organisation, until nothing is left or MiX refuses it."""
        leading = self._job.leading
        owner = Owner(organisation.id, self._job.request.id)
        async with self._turns:
            filler = Filler(
                wiring=leading.wiring,
                source=self._job.of,
                client=client,
                organisation=organisation,
                epoch=leading.epoch,
                ending=leading.ending,
                tries=TRIES,
            )
            try:
                while await filler.step(owner):
                    pass
            except TerminalMixError as error:
                self._refused.append(f"organisation {organisation.external_id}: {error}")
            if filler.unknown_references:
                await ask_for_sync(leading.wiring.database, self._job.of.key, now=leading.clock.now())

    async def outcome(self, *, organisations: int) -> Outcome:
        """What to say at the end."""
        request, database = self._job.request, self._job.leading.wiring.database
        left = await windows.unread(database, request.id)
        state = await work.read(database, source=request.source, request_id=request.request_id)
        await windows.forget_request(database, request.id)
        progress = state.progress if state else {}
        answers, inserted, updated = (int(progress.get(name, 0)) for name in ("answers", "inserted", "updated"))
        many = f"{organisations} organisation{'' if organisations == 1 else 's'}"
        said = (
            f"Read history of {many} in {answers} answer{'' if answers == 1 else 's'}: "
            f"{inserted:,} events were new, {updated:,} changed."
        )
        if not left.seconds:
            return Outcome(True, said)
        why = "; ".join(self._refused) or left.reason or "it was cut off"
        return Outcome(False, f"{said} {duration(left.seconds)} could not be read: {why}")


BACKFILL: Final = Kind(KIND, on_request)

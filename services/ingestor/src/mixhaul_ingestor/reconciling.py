"""Compares days with what MiX's range endpoint says of them, fills what is missing, and keeps the books of it.

By itself, as a task of the leader; `verifying` does the same on request. An answer that holds too much is asked for in
halves. What is decided is in `completeness`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from psycopg import AsyncConnection

from mixhaul_ingestor import completeness, history, metrics
from mixhaul_ingestor.ending import Ending, UntilEnding, pause
from mixhaul_ingestor.everywhere import each_organisation
from mixhaul_ingestor.jobs import Leading
from mixhaul_ingestor.rows import decode_records, prepare
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import MixError
from mixhaul_source.manifest import Source
from mixhaul_store import comparison, raw_pages, reconciliations
from mixhaul_store.elections import assert_epoch
from mixhaul_store.intervals import LONGEST_WINDOW, Interval, ceil, newest_part
from mixhaul_store.organisations import Organisation
from mixhaul_store.page_rows import Written
from mixhaul_store.reconciliations import Figures, Reason

log = structlog.get_logger("mixhaul_ingestor.reconciling")

FEED: Final = "events"
TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a day is compared, and for whom."""

    reason: Reason = "daily"
    work_request_id: int | None = None


class Comparer:
    """Compares days of one organisation. How much may be asked for at once is learned here."""

    def __init__(
        self, leading: Leading, *, source: Source, organisation: Organisation, client: MixClient, asked: Asked
    ) -> None:
        self._leading = leading
        self._database = leading.wiring.database
        self._organisation = organisation
        self._client = client
        self._asked = asked
        self._budget = UntilEnding(
            leading.wiring.history_budget(source, organisation, priority="reconciliation"), leading.ending
        )
        self._first_wait = timedelta(seconds=leading.wiring.settings.backoff_seconds)
        self._longest = LONGEST_WINDOW
        self._labels = (source.key, str(organisation.external_id))
        self._log = log.bind(source=source.key, organisation=str(organisation.external_id))
        metrics.declare_comparisons(*self._labels)

    async def day(self, day: date) -> Figures:
        """Compare one day, up to now where it is not over. Raises errors of MiX and of the store, and `Ending`."""
        begin = completeness.start_of(day)
        up_to = min(begin + timedelta(days=1), ceil(self._leading.clock.now()))
        if up_to <= begin:
            return Figures()
        number = await reconciliations.begin(
            self._database,
            epoch=self._leading.epoch,
            organisation_id=self._organisation.id,
            day=day,
            up_to=up_to,
            reason=self._asked.reason,
            work_request_id=self._asked.work_request_id,
        )
        left = [Interval(begin, up_to)]
        while left:
            part, rest = newest_part(left.pop(), self._longest)
            if rest is not None:
                left.append(rest)
            left += await self._part(part, number)
        found = await reconciliations.finish(self._database, number, epoch=self._leading.epoch) or Figures()
        self._show(day, found)
        return found

    async def _part(self, span: Interval, number: int) -> list[Interval]:
        """Compare a part of a day; what is still to be asked for, where it was too much at once."""
        attempts = 0
        while True:
            try:
                answer = await history.fetch(self._client, self._organisation, span, budget=self._budget)
                break
            except MixError as error:
                what = history.after_failure(error, window=span.length, attempts=attempts, first_wait=self._first_wait)
                if isinstance(what, history.Narrow):
                    self._longest = what.longest
                    return [span]
                attempts += 1
                if what.floor or attempts >= TRIES:
                    raise
                if await pause(self._leading.ending, what.after.total_seconds()):
                    raise Ending from error
        records, rejected = prepare(answer.records)
        differences = await comparison.compare(
            self._database,
            organisation_id=self._organisation.id,
            feed=FEED,
            span=span,
            records=records,
            rejected=rejected,
        )
        if not differences.to_store:
            async with self._database.transaction() as connection:
                await assert_epoch(connection, self._leading.epoch)
                await reconciliations.add(connection, number, completeness.looked_at(differences))
            return []
        around = await reconciliations.surroundings(self._database, self._organisation.id, FEED)
        if differences.missing:
            await comparison.forget_rowless(
                self._database,
                epoch=self._leading.epoch,
                organisation_id=self._organisation.id,
                missing=differences.missing,
            )
        rows, _ = await asyncio.to_thread(decode_records, differences.missing)
        times = {row.external_id: row.occurred_at or answer.observed_at for row in rows}

        async def book(connection: AsyncConnection[Any], written: Written) -> None:
            after = await comparison.after_storing(
                connection,
                organisation_id=self._organisation.id,
                feed=FEED,
                differences=differences,
                observed_at=answer.observed_at,
            )
            figures = completeness.figures(differences, after, times=times, around=around, at=answer.observed_at)
            await reconciliations.add(connection, number, figures)
            if not written.changed and not written.quarantined:
                # The same day is asked for again and again: what says nothing new is not kept again.
                await raw_pages.forget(
                    connection,
                    organisation_id=self._organisation.id,
                    feed=history.FEED,
                    observed_at=answer.observed_at,
                )

        await history.store(self._database, self._organisation, span, answer, epoch=self._leading.epoch, then=book)
        return []

    def _show(self, day: date, found: Figures) -> None:
        for outcome in metrics.COMPARED_OUTCOMES:
            metrics.COMPARED_EVENTS.labels(*self._labels, outcome).inc(getattr(found, outcome))
        metrics.COMPARED_DAYS.labels(*self._labels, "incomplete" if found.unfilled else "complete").inc()
        self._log.log(
            40 if found.unfilled else 30 if found.missing else 20,
            "a day was compared with MiX",
            day=day.isoformat(),
            compared=found.compared,
            missing=found.missing,
            differing=found.differing,
            unfilled=found.unfilled,
            explanations=dict(found.explanations),
        )


async def compare_due_days(leading: Leading) -> None:
    """The task: whatever days are due, of every organisation."""

    async def due(source: Source, organisation: Organisation) -> list[date] | None:
        return await due_days(leading, source, organisation, now=leading.clock.now()) or None

    async def work(source: Source, organisation: Organisation, client: MixClient, days: list[date]) -> None:
        comparer = Comparer(leading, source=source, organisation=organisation, client=client, asked=Asked())
        for day in days:
            await comparer.day(day)

    await each_organisation(leading, task="reconciliation", due=due, work=work)


async def due_days(leading: Leading, source: Source, organisation: Organisation, *, now: datetime) -> list[date]:
    """Of one organisation. None before its feed has come to an end for the first time: until then it has enough to do
    with what it will find anyway."""
    database = leading.wiring.database
    around = await reconciliations.surroundings(database, organisation.id, FEED)
    if around.caught_up_at is None:
        return []
    began = await reconciliations.feed_began(database, organisation.id)
    if began is None:
        return []
    stream = source.spec.stream
    start_from: completeness.StartFrom = stream.start_time or ("Now" if stream.start_from == "Now" else "Oldest")
    first = await reconciliations.first_day(
        database, organisation.id, proposal=completeness.first_day(began, start_from)
    )
    since = (now - completeness.LOOK_BACK).date()
    last = await reconciliations.last_of_days(database, organisation.id, since=since)
    days = source.spec.retention.event_days
    return completeness.due(first=first, last=last, now=now, keeps=timedelta(days=days) if days else None)

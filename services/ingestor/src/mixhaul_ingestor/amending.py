"""Reads amendments once a day, the last week each time, and whatever an outage or older history left out.

Which days is decided in `completeness.amendment_windows`; what becomes of them in `mixhaul_store.amendments`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
import structlog
from msgspec import Raw

from mixhaul_ingestor import completeness, metrics
from mixhaul_ingestor.ending import UntilEnding
from mixhaul_ingestor.everywhere import each_organisation
from mixhaul_ingestor.jobs import Leading
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import RecordRejected
from mixhaul_mix.events import decode_amendment
from mixhaul_source.manifest import Source
from mixhaul_store import amendments
from mixhaul_store.amendments import Amendment, Answer
from mixhaul_store.organisations import Organisation
from mixhaul_store.records import Rejected, digest

log = structlog.get_logger("mixhaul_ingestor.amending")

EVERY: Final = timedelta(days=1)
# How far back amendments of older history are looked for.
FARTHEST: Final = timedelta(days=400)
_TYPES: Final = {"QuarantinedEvent": "quarantined", "ReassignedEvent": "reassigned"}


Windows = list[tuple[date, date]]


async def read_amendments(leading: Leading) -> None:
    """The task: every organisation whose amendments were not read for a day."""

    async def due(_: Source, organisation: Organisation) -> Windows | None:
        return await due_windows(leading, organisation)

    async def work(source: Source, organisation: Organisation, client: MixClient, windows: Windows) -> None:
        await _read(leading, source, organisation, client, windows)

    await each_organisation(leading, task="amendments", due=due, work=work)


async def due_windows(leading: Leading, organisation: Organisation) -> Windows | None:
    """The days that are to be read now."""
    database, now = leading.wiring.database, leading.clock.now()
    read = await amendments.read_days(database, organisation.id)
    oldest = await amendments.oldest_asked_for(database, organisation.id)
    wanted = max(oldest or now, now - FARTHEST).date()
    if read is not None and read.at is not None and now - read.at < EVERY and wanted >= read.first:
        return None
    return completeness.amendment_windows(
        read=(read.first, read.last) if read is not None else None, wanted_from=wanted, today=now.date()
    )


async def _read(
    leading: Leading, source: Source, organisation: Organisation, client: MixClient, windows: Windows
) -> None:
    database = leading.wiring.database
    labels = (source.key, str(organisation.external_id))
    metrics.declare_amendments(*labels)
    budget = UntilEnding(leading.wiring.history_budget(source, organisation, priority="amendments"), leading.ending)
    for first, last in windows:
        answer = await client.amendments(
            organisation.external_id,
            start=completeness.start_of(first),
            end=completeness.start_of(last),
            budget=budget,
        )
        given, rejected = decode(answer.records)
        stored = await amendments.commit(
            database,
            Answer(
                organisation_id=organisation.id,
                first=first,
                last=last,
                observed_at=answer.observed_at,
                body=answer.body,
                amendments=given,
                rejected=rejected,
            ),
            epoch=leading.epoch,
        )
        for kind, count in Counter(_TYPES.get(one, "unknown") for one in stored.kinds).items():
            metrics.AMENDMENTS.labels(*labels, kind).inc(count)
        if stored.new or stored.quarantined:
            log.info(
                "amendments read",
                source=source.key,
                organisation=str(organisation.external_id),
                first=first.isoformat(),
                last=last.isoformat(),
                new=stored.new,
                events=stored.events_changed,
                quarantined=stored.quarantined,
            )


def decode(raws: Sequence[Raw]) -> tuple[list[Amendment], list[Rejected]]:
    """What can be read, and what names no event."""
    given: list[Amendment] = []
    rejected: list[Rejected] = []
    for raw in raws:
        data = bytes(raw)
        try:
            one = decode_amendment(data)
        except RecordRejected as error:
            rejected.append(Rejected(external_id=None, digest=digest(data), raw=data, reason=error.reason))
            continue
        extra = msgspec.json.encode(one.extra).decode() if one.extra else None
        given.append(Amendment(one.event_id, one.amendment_type, one.amendment_date, one.new_driver_id, extra))
    return given, rejected

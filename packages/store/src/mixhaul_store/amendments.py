"""Amendments as MiX lists them: each is kept once, and the latest of an event decides whom it counts against.

They may come before their event, more than once, in any order, or for an event that nobody has. The event's own row
says what the feed said in `reported_driver_external_id`, always.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from mixhaul_store import amendment_rows, quarantine, raw_pages
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.event_rows import Place
from mixhaul_store.records import Rejected

FEED: Final = "amendments"
"""What `raw_pages` and `quarantined_records` call them."""

_LOCK = "SELECT FROM organisations WHERE id = %s FOR NO KEY UPDATE"
_ADD = """
INSERT INTO amendments (organisation_id, external_id, amendment_type, amended_at, new_driver_external_id, extra,
                        raw_page_id, observed_at)
SELECT %(organisation)s, r.event, r.kind, r.at, r.driver, r.extra, %(raw_page)s, %(observed_at)s
  FROM json_to_recordset(%(rows)s::json) AS r(event bigint, kind text, at timestamptz, driver bigint, extra jsonb)
ON CONFLICT DO NOTHING RETURNING amendment_type
"""
_READ_UP_TO = """
INSERT INTO late_truth AS t (organisation_id, amendments_from, amendments_up_to, amendments_read_at)
VALUES (%(organisation)s, %(first)s, %(last)s, %(at)s)
ON CONFLICT (organisation_id) DO UPDATE
   SET amendments_from = least(t.amendments_from, excluded.amendments_from),
       amendments_up_to = greatest(t.amendments_up_to, excluded.amendments_up_to),
       amendments_read_at = greatest(t.amendments_read_at, excluded.amendments_read_at)
"""
# Of what was before the feed: gaps, filled or not, and backfills that somebody asked for.
_OLDEST = """
SELECT least((SELECT min(from_time) FROM gaps WHERE organisation_id = %(organisation)s),
             (SELECT min(CASE WHEN parameters ->> 'from' ~ '^\\d{4}-' THEN (parameters ->> 'from')::timestamptz END)
                FROM work_requests w JOIN organisations o ON o.source = w.source
               WHERE o.id = %(organisation)s AND w.kind = 'backfill'))
"""


class Amendment(NamedTuple):
    """One that names an event. `extra` is the JSON text of fields that the table does not have."""

    event: int
    kind: str
    amended_at: datetime | None = None
    new_driver: int | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What MiX said about the days from `first` to `last`, both counted."""

    organisation_id: int
    first: date
    last: date
    observed_at: datetime
    body: bytes
    amendments: Sequence[Amendment]
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What an answer changed: amendments that were not known yet, events that count against somebody else now."""

    new: int
    events_changed: int
    quarantined: int
    # The types of the new ones.
    kinds: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Read:
    """The days whose amendments have been read, both counted, and when that day was today."""

    first: date
    last: date
    at: datetime | None


async def commit(db: Database, answer: Answer, *, epoch: Epoch) -> Stored:
    """Store an answer and that these days have been read, in one transaction. Raises `StaleEpoch`.

    Nothing happens where the organisation is gone.
    """
    organisation = answer.organisation_id
    body = await asyncio.to_thread(raw_pages.packed, answer.body)
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        if (await conn.execute(_LOCK, (organisation,))).rowcount != 1:
            return Stored(0, 0, 0)
        kinds: list[str] = []
        changed = quarantined = 0
        if answer.amendments or answer.rejected:
            raw_page = await raw_pages.add(
                conn,
                body,
                length=len(answer.body),
                organisation_id=organisation,
                feed=FEED,
                observed_at=answer.observed_at,
                records=len(answer.amendments) + len(answer.rejected),
                requested=f"{answer.first}/{answer.last}",
            )
            place = Place(organisation, answer.observed_at, raw_page)
            kinds = await _add(conn, answer.amendments, place)
            # All of them, not only the new ones: what should be so already costs a look.
            changed = await amendment_rows.apply(conn, organisation, list({one.event for one in answer.amendments}))
            quarantined = await quarantine.add(conn, answer.rejected, feed=FEED, place=place)
        await conn.execute(
            _READ_UP_TO,
            {
                "organisation": organisation,
                "first": answer.first,
                "last": answer.last,
                "at": answer.observed_at if answer.last >= answer.observed_at.date() else None,
            },
        )
        if changed:
            await conn.execute("UPDATE organisations SET watermark = watermark + 1 WHERE id = %s", (organisation,))
    return Stored(new=len(kinds), events_changed=changed, quarantined=quarantined, kinds=tuple(kinds))


async def oldest_asked_for(db: Database, organisation_id: int) -> datetime | None:
    """From when on older history was or is to be read; None: no such history is known."""
    async with db.connection() as conn:
        row = await (await conn.execute(_OLDEST, {"organisation": organisation_id})).fetchone()
    oldest: datetime | None = row[0] if row else None
    return oldest


async def read_days(db: Database, organisation_id: int) -> Read | None:
    """None: none yet."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            "SELECT amendments_from, amendments_up_to, amendments_read_at FROM late_truth"
            " WHERE organisation_id = %s AND amendments_from IS NOT NULL",
            (organisation_id,),
        )
        row = await cursor.fetchone()
    return None if row is None else Read(*row)


async def _add(conn: AsyncConnection[Any], amendments: Sequence[Amendment], place: Place) -> list[str]:
    rows = [
        {
            "event": one.event,
            "kind": one.kind,
            "at": one.amended_at,
            "driver": one.new_driver,
            "extra": None if one.extra is None else msgspec.Raw(one.extra.encode()),
        }
        for one in amendments
    ]
    cursor = await conn.execute(
        _ADD,
        {
            "organisation": place.organisation_id,
            "raw_page": place.raw_page_id,
            "observed_at": place.observed_at,
            "rows": msgspec.json.encode(rows).decode(),
        },
    )
    return [row[0] for row in await cursor.fetchall()]

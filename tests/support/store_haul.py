"""Plays the leader of one feed against a real store: makes events by column name and delivers pages of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from mixhaul_store import cursors, organisations
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.pages import commit_page
from mixhaul_store.records import EVENT_VALUE_COLUMNS, EventRow, Page, PageResult, Record, Rejected, digest

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEED = "events"


def event(external_id: int, occurred_at: datetime | None = NOON, **columns: Any) -> EventRow:
    """An event whose columns are None but for those named."""
    unknown = columns.keys() - set(EVENT_VALUE_COLUMNS)
    assert not unknown, unknown
    return EventRow(external_id, occurred_at, tuple(columns.get(name) for name in EVENT_VALUE_COLUMNS))


def raw(row: EventRow) -> bytes:
    """The bytes of an event 'in the answer': equal for equal events."""
    return repr(row).encode()


def record(row: EventRow) -> Record:
    """The event as a record of a page."""
    return Record(external_id=row.external_id, digest=digest(raw(row)), raw=raw(row))


def rejected(external_id: int | None, data: bytes, reason: str = "no id") -> Rejected:
    """A record that the caller could not read."""
    return Rejected(external_id=external_id, digest=digest(data), raw=data, reason=reason)


@dataclass
class Haul:
    """One organisation's feed and its leader."""

    database: Database
    organisation_id: int
    epoch: Epoch
    token: str | None = None
    decoded: list[int] = field(default_factory=list)
    unreadable: set[bytes] = field(default_factory=set)
    _tokens: Any = field(default_factory=lambda: itertools.count(1))

    def page(
        self,
        rows: Sequence[EventRow],
        *,
        at: datetime = NOON,
        more: bool = True,
        bad: Sequence[Rejected] = (),
        body: bytes = b"[...]",
    ) -> Page:
        return Page(
            organisation_id=self.organisation_id,
            feed=FEED,
            observed_at=at,
            requested_token=self.token or "NEW",
            next_token=f"token-{next(self._tokens)}",
            has_more=more,
            body=body,
            records=[record(row) for row in rows],
            rejected=bad,
        )

    async def deliver(self, *rows: EventRow, **options: Any) -> PageResult:
        """Commit a page of these events, as the leader does."""
        page = self.page(rows, **options)
        result = await self.commit(page, rows)
        self.token = page.next_token
        return result

    async def commit(self, page: Page, rows: Sequence[EventRow], *, epoch: Epoch | None = None) -> PageResult:
        by_raw = {raw(row): row for row in rows}

        def decode(records: Sequence[Record]) -> tuple[list[EventRow], list[Rejected]]:
            self.decoded += [one.external_id for one in records]
            good = [by_raw[one.raw] for one in records if one.raw not in self.unreadable]
            bad = [
                Rejected(one.external_id, one.digest, one.raw, "unreadable")
                for one in records
                if one.raw in self.unreadable
            ]
            return good, bad

        async with self.database.connection() as connection:
            return await commit_page(
                connection, page, epoch=epoch or self.epoch, decode=decode, expected_token=self.token
            )

    async def rows(self, query: str = "SELECT * FROM telemetry_events ORDER BY external_id") -> list[dict[str, Any]]:
        async with self.database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(query)).fetchall()

    async def row(self, query: str = "SELECT * FROM telemetry_events") -> dict[str, Any]:
        (only,) = await self.rows(query)
        return only

    async def cursor(self) -> cursors.Cursor:
        async with self.database.connection() as connection:
            return await cursors.read_cursor(connection, self.organisation_id, FEED)

    async def watermark(self) -> int:
        found = await self.row("SELECT watermark FROM organisations")
        return int(found["watermark"])


async def begin(database: Database, *, holder: str = "leader-1") -> Haul:
    """An organisation that is claimed, an epoch that is taken, and a cursor without a token."""
    organisation = await organisations.claim(
        database, api_url="https://integrate.example", external_id=-4242, source="fleet/mix"
    )
    epoch = await LeaderRow(database, holder=holder, duration_seconds=15).acquire()
    assert epoch is not None
    haul = Haul(database=database, organisation_id=organisation.id, epoch=epoch)
    await haul.cursor()
    return haul


def later(seconds: float, since: datetime = NOON) -> datetime:
    """So long after noon."""
    return since + timedelta(seconds=seconds)

"""Makes the typed rows anew from what is kept of MiX's answers, while everything else goes on.

Each page is one transaction under its organisation's lock, with the page's own `observed_at`: a newer version is never
overwritten, and amendments stay applied. Pages come in the order in which they were stored, so that the same code gives
the same rows, to the last column. It needs no epoch, for it moves no cursor and decides nothing by who is first. How
far it has come is written down with each page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from zstandard import ZstdDecompressor

from mixhaul_store import quarantine
from mixhaul_store.database import Database
from mixhaul_store.event_rows import Place
from mixhaul_store.metrics import measured
from mixhaul_store.page_rows import LOCK_ORGANISATION, PageRows, Unstorable, Written
from mixhaul_store.records import Decoder, EventRow, Record, Rejected

Prepared = tuple[list[Record], list[Rejected]]
Prepare = Callable[[bytes], Prepared]
"""From the body of an answer to its records: `PageUnreadable` is the caller's business, it has been read before."""

_PAGES_AT_ONCE: Final = 20

_WANTED: LiteralString = """
 p.id > %(after)s AND p.id <= %(last)s AND (p.feed = 'events' OR p.feed LIKE 'events:%%')
 AND (%(organisation)s::bigint IS NULL OR p.organisation_id IN
      (SELECT id FROM organisations WHERE external_id = %(organisation)s))
 AND (%(begin)s::timestamptz IS NULL OR p.observed_at >= %(begin)s)
 AND (%(end)s::timestamptz IS NULL OR p.observed_at < %(end)s)
 AND (NOT %(quarantined)s OR EXISTS (SELECT FROM quarantined_records q WHERE q.organisation_id = p.organisation_id
      AND q.feed = p.feed AND p.id IN (q.raw_page_id, q.last_raw_page_id) AND q.resolved_at IS NULL))
"""
_COUNT: LiteralString = f"SELECT count(*) FROM raw_pages p WHERE {_WANTED}"
_NEXT: LiteralString = f"SELECT p.id, p.observed_at FROM raw_pages p WHERE {_WANTED} ORDER BY p.id LIMIT %(limit)s"
_BODY: LiteralString = """
SELECT id, organisation_id, feed, observed_at, body FROM raw_pages WHERE id = %s AND observed_at = %s
"""
# Records whose page is gone are tried by themselves.
_ALONE: LiteralString = """
SELECT q.page, q.organisation_id, q.feed, q.at, array_agg(q.record ORDER BY q.id)
  FROM (SELECT *, coalesce(last_raw_page_id, raw_page_id) AS page, coalesce(last_observed_at, observed_at) AS at
          FROM quarantined_records WHERE resolved_at IS NULL) q
 WHERE (q.feed = 'events' OR q.feed LIKE 'events:%%')
   AND (%(organisation)s::bigint IS NULL OR q.organisation_id IN
        (SELECT id FROM organisations WHERE external_id = %(organisation)s))
   AND (%(begin)s::timestamptz IS NULL OR q.at >= %(begin)s) AND (%(end)s::timestamptz IS NULL OR q.at < %(end)s)
   AND NOT EXISTS (SELECT FROM raw_pages p WHERE p.id = q.page AND p.observed_at = q.at)
 GROUP BY 1, 2, 3, 4 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pages: of one organisation (MiX's id), of those that came in [begin, end), only what is in quarantine."""

    organisation: int | None = None
    begin: datetime | None = None
    end: datetime | None = None
    quarantined: bool = False

    def name(self, version: str) -> str:
        """Tells runs apart: another version of the program begins anew."""
        times = "/".join("" if moment is None else moment.isoformat() for moment in (self.begin, self.end))
        whose = "all" if self.organisation is None else self.organisation
        return f"{version} {whose} {times} {'quarantined' if self.quarantined else 'everything'}"

    def values(self) -> dict[str, Any]:
        return {
            "organisation": self.organisation,
            "begin": self.begin,
            "end": self.end,
            "quarantined": self.quarantined,
        }


@dataclass(frozen=True, slots=True)
class Run:
    """A rebuilding under way. `pages` are those that are left; `resumed`: an earlier one was cut off."""

    name: str
    selection: Selection
    after: int
    last: int
    pages: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class RawPage:
    """An answer as it came. `alone`: not an answer, but the quarantined records of one that is gone."""

    id: int
    organisation_id: int
    feed: str
    observed_at: datetime
    body: bytes
    alone: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Tally:
    """What pages changed, added up."""

    pages: int = 0
    records: int = 0
    inserted: int = 0
    updated: int = 0
    quarantined: int = 0
    resolved: int = 0
    expired: int = 0

    def add(self, other: Tally) -> None:
        """Add another one's figures."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


async def begin(db: Database, selection: Selection, *, version: str, dry: bool = False, anew: bool = False) -> Run:
    """Begin a run, or go on where one of the same selection and version was cut off. Pages that come from now on are
    not its business: they are stored by the same program. `dry` writes nothing."""
    name = selection.name(version)
    async with db.transaction() as connection:
        row = None
        if anew and not dry:
            await connection.execute("DELETE FROM reprocess_runs WHERE selection = %s", (name,))
        if not (anew or dry):
            cursor = await connection.execute(
                "SELECT after_page, last_page FROM reprocess_runs WHERE selection = %s", (name,)
            )
            row = await cursor.fetchone()
        resumed = row is not None
        if row is None:
            row = await (await connection.execute("SELECT 0, coalesce(max(id), 0) FROM raw_pages")).fetchone()
        assert row is not None  # noqa: S101  (an aggregate)
        after, last = row
        if not (resumed or dry):
            await connection.execute(
                "INSERT INTO reprocess_runs (selection, after_page, last_page) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (name, after, last),
            )
        cursor = await connection.execute(_COUNT, selection.values() | {"after": after, "last": last})
        count = await cursor.fetchone()
    return Run(name, selection, after, last, count[0] if count else 0, resumed)


def onward(run: Run, *, after: int) -> Run:
    """The same run, after a page that is done."""
    return replace(run, after=after)


async def pages(db: Database, run: Run) -> AsyncIterator[RawPage]:
    """The pages of a run, in the order in which they were stored; then the records whose page is gone."""
    after = run.after
    while True:
        values = run.selection.values() | {"after": after, "last": run.last, "limit": _PAGES_AT_ONCE}
        async with db.connection() as connection:
            found = await (await connection.execute(_NEXT, values)).fetchall()
        for key in found:
            async with db.connection() as connection:
                row = await (await connection.execute(_BODY, key)).fetchone()
            if row is not None:  # else retention was faster
                number, organisation_id, feed, observed_at, body = row
                yield RawPage(number, organisation_id, feed, observed_at, ZstdDecompressor().decompress(body))
            after = key[0]
        if len(found) < _PAGES_AT_ONCE:
            break
    if run.selection.quarantined:
        async with db.connection() as connection:
            alone = await (await connection.execute(_ALONE, run.selection.values())).fetchall()
        for number, organisation_id, feed, observed_at, records in alone:
            yield RawPage(number, organisation_id, feed, observed_at, b"", tuple(bytes(one) for one in records))


async def apply(
    db: Database, run: Run, page: RawPage, prepared: Prepared, *, decode: Decoder, dry: bool = False
) -> Tally:
    """Bring the rows up to what the page says, as it is read now. `dry`: find out what that would change; undo it."""
    with measured("reprocess_page"):
        try:
            return await _Applying(db, run, page, prepared, decode=decode, dry=dry).go(bisect=False)
        except Unstorable:
            return await _Applying(db, run, page, prepared, decode=decode, dry=dry).go(bisect=True)


async def finish(db: Database, run: Run) -> None:
    """All of it is done."""
    async with db.connection() as connection:
        await connection.execute("DELETE FROM reprocess_runs WHERE selection = %s", (run.name,))


@dataclass(slots=True)
class _Applying:
    """One page."""

    db: Database
    run: Run
    page: RawPage
    prepared: Prepared
    decode: Decoder = field(kw_only=True)
    dry: bool = field(kw_only=True)
    readable: set[int] = field(default_factory=set)

    async def go(self, *, bisect: bool) -> Tally:
        page = self.page
        async with self._transaction() as connection:
            organisation = await (await connection.execute(LOCK_ORGANISATION, (page.organisation_id,))).fetchone()
            if organisation is None:
                return Tally(pages=1)
            records, rejected = await self._chosen(connection)
            rows = PageRows(
                connection,
                organisation_id=page.organisation_id,
                decode=self._decoded,
                rejected=rejected,
                kept_since=organisation[0],
                bisect=bisect,
            )
            await rows.split(records, again=True)
            place = Place(page.organisation_id, page.observed_at, page.id)
            written = await rows.write(place, feed=page.feed, again=True)
            resolved = await quarantine.resolve(
                connection,
                [*self.readable - {one.digest for one in rows.rejected}],
                feed=page.feed,
                place=place,
            )
            await self._note(connection, written)
        return Tally(
            pages=0 if page.alone else 1,
            records=len(records) + len(rejected),
            inserted=written.inserted,
            updated=written.updated,
            quarantined=written.quarantined,
            resolved=resolved,
            expired=written.expired,
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self.db.connection() as connection, connection.transaction(force_rollback=self.dry):
            yield connection

    async def _chosen(self, connection: AsyncConnection[Any]) -> Prepared:
        """All records; or those in quarantine, with the others of their ids: which of a page's counts is the last."""
        records, rejected = self.prepared
        if not self.run.selection.quarantined:
            return records, rejected
        cursor = await connection.execute(
            "SELECT digest FROM quarantined_records WHERE organisation_id = %s AND feed = %s AND resolved_at IS NULL"
            " AND digest = ANY(%s::bigint[])",
            (self.page.organisation_id, self.page.feed, [one.digest for one in records]),
        )
        digests = {row[0] for row in await cursor.fetchall()}
        ids = {record.external_id for record in records if record.digest in digests}
        return [record for record in records if record.external_id in ids], []

    def _decoded(self, records: Sequence[Record]) -> tuple[list[EventRow], list[Rejected]]:
        rows, rejected = self.decode(records)
        self.readable |= {record.digest for record in records} - {one.digest for one in rejected}
        return rows, rejected

    async def _note(self, connection: AsyncConnection[Any], written: Written) -> None:
        if written.inserted or written.updated:
            await connection.execute(
                "UPDATE organisations SET watermark = watermark + 1 WHERE id = %s", (self.page.organisation_id,)
            )
        if not self.page.alone:
            await connection.execute(
                "UPDATE reprocess_runs SET after_page = %s, updated_at = clock_timestamp() WHERE selection = %s",
                (self.page.id, self.run.name),
            )

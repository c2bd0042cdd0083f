"""The two that are compared: the product's write path as the feed drives it, and raw COPY of rows made beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import JsonbBinaryDumper

from mixhaul_ingestor.rows import decode_records, prepare
from mixhaul_mix.events import split
from mixhaul_store import cursors, organisations
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.pages import commit_page
from mixhaul_store.records import EVENT_COLUMN_TYPES, Page, PageResult

FEED = "events"

Tuples = list[tuple[Any, ...]]

KEYS = {
    "organisation_id": "int8",
    "external_id": "int8",
    "occurred_at": "timestamptz",
    "observed_at": "timestamptz",
    "digest": "int8",
}
ROWS = {
    "organisation_id": "int8",
    "external_id": "int8",
    "occurred_at": "timestamptz",
    "observed_at": "timestamptz",
    "raw_page_id": "int8",
    "driver_external_id": "int8",
} | EVENT_COLUMN_TYPES


class Product:
    """The leader of one feed of one organisation."""

    def __init__(self, database: Database, epoch: Epoch, organisation_id: int, token: str | None) -> None:
        self._database = database
        self._epoch = epoch
        self._organisation = organisation_id
        self._token = token
        self._pages = 0

    @classmethod
    async def begin(cls, database: Database, epoch: Epoch, *, external_id: int) -> Product:
        """Claim the organisation and read its cursor."""
        organisation = await organisations.claim(
            database, api_url="https://bench.example", external_id=external_id, source="bench/bench"
        )
        async with database.transaction() as connection:
            cursor = await cursors.read_cursor(connection, organisation.id, FEED)
        return cls(database, epoch, organisation.id, cursor.token)

    async def write(self, body: bytes, *, observed_at: datetime) -> PageResult:
        """An answer's body into the database: everything that is done between its last byte and the next request."""
        self._pages += 1
        token = f"{observed_at:%Y%m%d%H%M%S%f}-{self._pages}"
        records, rejected = prepare(split(body))
        async with self._database.connection() as connection:
            result = await commit_page(
                connection,
                Page(
                    organisation_id=self._organisation,
                    feed=FEED,
                    observed_at=observed_at,
                    requested_token=self._token or "NEW",
                    next_token=token,
                    has_more=True,
                    body=body,
                    records=records,
                    rejected=rejected,
                ),
                epoch=self._epoch,
                decode=decode_records,
                expected_token=self._token,
            )
        self._token = token
        return result


class _JsonText(JsonbBinaryDumper):
    """The values are JSON text already."""

    def dump(self, obj: Any) -> bytes:
        text: bytes = obj.encode()
        return b"\x01" + text


@dataclass(frozen=True, slots=True)
class Copyable:
    """A page as the rows of the two tables."""

    keys: Tuples
    rows: Tuples


class RawCopy:
    """Nothing but two COPYs and a COMMIT a page, into the same two tables under an organisation of its own."""

    def __init__(self, url: str, *, organisation_id: int) -> None:
        self._connection = psycopg.connect(url, application_name="bench: raw copy")
        self._organisation = organisation_id

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def prepare(self, bodies: Iterable[bytes], *, observed_at: datetime) -> list[Copyable]:
        """The rows that the product makes of these pages. Not timed."""
        return [self._rows(body, observed_at) for body in bodies]

    def _rows(self, body: bytes, observed_at: datetime) -> Copyable:
        records, _ = prepare(split(body))
        events, _ = decode_records(records)
        keys, rows = [], []
        for record, event in zip(records, events, strict=True):
            at = event.occurred_at or observed_at
            keys.append((self._organisation, event.external_id, at, observed_at, record.digest))
            rows.append((self._organisation, event.external_id, at, observed_at, 1, event.values[0], *event.values))
        return Copyable(keys, rows)

    def write(self, page: Copyable) -> None:
        """Both tables and COMMIT."""
        self._copy("event_keys", KEYS, page.keys)
        self._copy("telemetry_events", ROWS, page.rows)
        self._connection.commit()

    def _copy(self, table: str, columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.adapters.register_dumper(None, _JsonText)
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(list(columns.values()))
                for row in rows:
                    copy.write_row(row)

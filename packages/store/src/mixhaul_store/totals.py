"""Counters of batch work, which lives too short to be scraped: rows that only ever grow.

A sync adds to them, a process that lives exports them (the operator). Which counters there are is up to those two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.database import Database


@dataclass(frozen=True, slots=True)
class Total:
    """One counter of one source. `metric` is its name without `mixhaul_`, such as `sync_runs_total`."""

    source: str
    metric: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Count:
    """By how much a counter of a source has grown."""

    metric: str
    labels: Mapping[str, str]
    value: float = 1.0


async def add_all(connection: AsyncConnection[Any], *, source: str, counts: Iterable[Count]) -> None:
    """Add to several counters of one source, in one order whoever does it: two processes may do so at once."""
    for one in sorted(counts, key=lambda count: (count.metric, _text(count.labels))):
        await add(connection, source=source, metric=one.metric, labels=one.labels, value=one.value)


async def add(
    connection: AsyncConnection[Any], *, source: str, metric: str, labels: Mapping[str, str], value: float = 1.0
) -> None:
    """Add to a counter, within the caller's transaction where there is one. Label values hold no `,` and no `=`."""
    await connection.execute(
        "INSERT INTO upstream_totals AS t (source, metric, labels, value) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source, metric, labels) DO UPDATE SET value = t.value + excluded.value",
        (source, metric, _text(labels), value),
    )


async def read(db: Database) -> list[Total]:
    """All of them."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT source, metric, labels, value FROM upstream_totals ORDER BY metric, source, labels"
        )
        return [
            Total(source, metric, _labels(labels), value) for source, metric, labels, value in await cursor.fetchall()
        ]


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels))


def _labels(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)

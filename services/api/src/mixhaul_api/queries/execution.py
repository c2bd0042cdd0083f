"""One statement: sent, timed under a name, and read whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.metrics import measured

Parameters = Sequence[object] | Mapping[str, object]


async def fetched(
    connection: AsyncConnection[Any],
    query: str,
    statement: str,
    parameters: Parameters = (),
    *,
    prepare: bool | None = None,
) -> list[tuple[Any, ...]]:
    """All rows; `query` is the label of `mixhaul_db_query_duration_seconds`. Text is always a constant of ours.

    `prepare`: None prepares what comes often; False never, so that each is planned for its own values.
    """
    with measured(f"api.{query}"):
        cursor = await connection.execute(statement.encode(), parameters, prepare=prepare)
        return await cursor.fetchall() if cursor.description is not None else []

"""Waits for the schema when the API starts, and says meanwhile what it waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from mixhaul_api.state import State
from mixhaul_store import schema
from mixhaul_store.database import Database
from mixhaul_store.errors import SchemaTooNew, StoreError, UnsupportedEncoding, UnsupportedServer

log = structlog.get_logger("mixhaul_api.watch")

_LOOK_SECONDS: Final = 1.0


async def wait_for_schema(database: Database, state: State, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Return once the API can answer. What no waiting changes is an error at once."""
    while True:
        try:
            await database.check(writable=False)
            await schema.require(database)
        except (SchemaTooNew, UnsupportedServer, UnsupportedEncoding):
            raise
        except StoreError as error:
            if str(error) != state.waiting_for:
                log.warning("waiting for the database", reason=str(error))
            state.waiting_for = str(error)
            await sleep(_LOOK_SECONDS)
        else:
            state.waiting_for = None
            log.info("ready")
            return

"""Migrating, with patience: a Job of a new release may be there before its database is.

It waits for what may pass by itself only; anything else is raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from mixhaul_store.errors import TransientStoreError
from mixhaul_store.schema import migrate

log = structlog.get_logger("mixhaul_ingestor.migrating")

LOOK_SECONDS: Final = 2.0


def migrated(
    url: str,
    *,
    patience_seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """The revision that the schema is at now."""
    until = monotonic() + patience_seconds
    told: str | None = None
    while True:
        try:
            return migrate(url)
        except TransientStoreError as error:
            if monotonic() >= until:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the database", reason=told)
        sleep(LOOK_SECONDS)

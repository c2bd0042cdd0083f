"""Where the data is when nobody says: the embedded PostgreSQL of the data folder, shared with the ingestor's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from mixhaul_api.settings import ApiSettings
from mixhaul_store.embedded import EmbeddedPostgres

log = structlog.get_logger("mixhaul_api.standalone")


@contextmanager
def database_url(settings: ApiSettings) -> Iterator[str]:
    """The database to read: the replica or the primary of the settings, or the embedded one, started if it isn't."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with EmbeddedPostgres(settings.embedded_folder()) as url:
        log.info("embedded PostgreSQL is up", folder=str(settings.data_dir))
        yield url

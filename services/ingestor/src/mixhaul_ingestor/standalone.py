"""Where the data is when nobody says: an embedded PostgreSQL and a key file in the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from mixhaul_ingestor.errors import MissingEncryptionKeys
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.encryption import Cipher, load_or_create_key_file
from mixhaul_store.schema import migrate

log = structlog.get_logger("mixhaul_ingestor.standalone")


@contextmanager
def database_url(settings: IngestorSettings) -> Iterator[str]:
    """The database to use: the one of the settings as it is, or an embedded one, started and migrated."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with EmbeddedPostgres(settings.embedded_folder()) as url:
        log.info("embedded PostgreSQL is up", folder=str(settings.data_dir))
        migrate(url)
        yield url


def cipher(settings: IngestorSettings) -> Cipher:
    """The cipher for tokens: the keys of the settings, or standalone a key of the data folder's own."""
    if settings.encryption_keys_file is not None:
        return Cipher.from_file(settings.encryption_keys_file)
    if settings.database_url is not None:
        raise MissingEncryptionKeys
    return load_or_create_key_file(settings.data_dir / "encryption.keys")

"""Whether a server can be Mixhaul's: asked for in one query, decided by a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from mixhaul_store.errors import DatabaseReadOnly, MissingExtension, StoreError, UnsupportedEncoding, UnsupportedServer

OLDEST = 150000
EXTENSIONS = ("pg_trgm", "unaccent")

QUERY: LiteralString = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('server_encoding'),
       pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
       ARRAY(SELECT wanted FROM unnest(%s::text[]) WITH ORDINALITY AS w (wanted, place)
             WHERE NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = wanted) ORDER BY place)"""
PARAMETERS = (list(EXTENSIONS),)


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of QUERY."""

    version_number: int
    version: str
    encoding: str
    read_only: bool
    missing_extensions: list[str]


def objection(facts: Facts, *, where: str, writable: bool) -> StoreError | None:
    """Why the server won't do, or None."""
    if facts.version_number < OLDEST:
        return UnsupportedServer(facts.version, where=where)
    if facts.encoding != "UTF8":
        return UnsupportedEncoding(facts.encoding, where=where)
    if facts.missing_extensions:
        return MissingExtension(tuple(facts.missing_extensions), where=where)
    if writable and facts.read_only:
        return DatabaseReadOnly(where=where)
    return None

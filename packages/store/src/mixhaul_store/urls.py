"""Database URLs: checked before they are used, shown without their secrets.

A URL whose password holds an unescaped `/` or `@` is not an error to libpq: it takes a piece of the password for a host
and names it in its messages. So what can be read in two ways is refused here.
"""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mixhaul_store.errors import InvalidDatabaseUrl

_SCHEMES = ("postgresql://", "postgres://")


def checked(url: str) -> str:
    """The same URL (or libpq keyword string), or InvalidDatabaseUrl. Nothing of it gets into the error."""
    text = url.strip()
    if not text:
        raise InvalidDatabaseUrl("is empty")
    if "://" in text:
        if not text.startswith(_SCHEMES):
            raise InvalidDatabaseUrl("does not begin with postgresql://")
        if text.split("://", 1)[1].partition("?")[0].count("@") > 1:
            raise InvalidDatabaseUrl("has more than one @ before its parameters")
        authority, _, path = text.split("://", 1)[1].partition("?")[0].partition("/")
        if "@" in path:
            raise InvalidDatabaseUrl("has an unescaped / before its host")
        _check_ports(authority.rpartition("@")[2])
    try:
        parts = conninfo_to_dict(text)
    except (ProgrammingError, UnicodeError):
        # Not chained: libpq's text quotes the part that it could not read.
        raise InvalidDatabaseUrl("can't be parsed") from None
    if not parts:
        raise InvalidDatabaseUrl("names neither host nor database")
    return text


def shown(url: str) -> str:
    """Host, port and database, for messages and logs."""
    parts = conninfo_to_dict(url)
    host = parts.get("host") or parts.get("hostaddr") or "local socket"
    port = parts.get("port") or "5432"
    database = parts.get("dbname") or parts.get("user") or "?"
    return f"{host}:{port}/{database}"


def with_database(url: str, name: str) -> str:
    """The same server, another database, as a libpq keyword string."""
    return make_conninfo(url, dbname=name)


def _check_ports(hosts: str) -> None:
    for host in hosts.split(","):
        _, colon, port = host.rpartition("]")[2].rpartition(":")
        if colon and port and not (port.isdecimal() and 0 < int(port) < 65536):
            raise InvalidDatabaseUrl("has a port that is no number from 1 to 65535")

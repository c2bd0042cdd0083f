"""Which organisations are hauled, and by which source. The first source that claims one owns it.

A source that wants one which another has is written down, for the operator to say so. Nothing here gives an
organisation up again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mixhaul_store.database import Database
from mixhaul_store.errors import DeletionUnderWay, OrganisationClaimed

_COLUMNS = "id, external_id, name, time_zone, source, api_url"

# This life of the source has ended, and its data is to go.
_GOING = """EXISTS (SELECT FROM work_requests w WHERE w.source = %(source)s AND w.kind = 'delete'
                       AND w.request_id = 'delete:' || %(uid)s::text)"""
_CONFLICT = """
INSERT INTO organisation_conflicts (api_url, external_id, source) VALUES (%s, %s, %s)
ON CONFLICT (api_url, external_id, source) DO UPDATE SET last_seen_at = clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Organisation:
    """`id` is ours and keys every table; `external_id` is MiX's and unique only together with `api_url`."""

    id: int
    external_id: int
    name: str | None
    time_zone: str | None
    source: str
    api_url: str


async def claim(
    db: Database,
    *,
    api_url: str,
    external_id: int,
    source: str,
    source_uid: str | None = None,
    name: str | None = None,
    time_zone: str | None = None,
) -> Organisation:
    """Claim an organisation for a source, or find it claimed by this very source; `OrganisationClaimed` otherwise.

    A name or a time zone that is given replaces the one that is known; None leaves it. A conflict is written down, and
    forgotten with the claim that succeeds. A source that was made again (another uid) takes up what there is; one whose
    data is to be deleted gets nothing any more: `DeletionUnderWay`.
    """
    url = api_url.rstrip("/")
    async with db.connection() as conn:
        # The row is touched where it is ours only; the SELECT sees the owner of one that is not.
        cursor = await conn.execute(
            f"""
            INSERT INTO organisations AS o (api_url, external_id, source, source_uid, name, time_zone, last_seen_at)
            SELECT %(url)s, %(external_id)s, %(source)s, %(uid)s::text, %(name)s, %(time_zone)s, clock_timestamp()
             WHERE NOT {_GOING}
            ON CONFLICT (api_url, external_id) DO UPDATE
               SET source = excluded.source, source_uid = coalesce(excluded.source_uid, o.source_uid),
                   deletion_began_at = NULL, deleted_at = NULL,
                   name = coalesce(excluded.name, o.name), time_zone = coalesce(excluded.time_zone, o.time_zone),
                   watermark = o.watermark
                       + ((coalesce(excluded.name, o.name), coalesce(excluded.time_zone, o.time_zone))
                          IS DISTINCT FROM (o.name, o.time_zone))::int,
                   last_seen_at = excluded.last_seen_at
             WHERE (o.source = excluded.source AND o.deletion_began_at IS NULL) OR o.deleted_at IS NOT NULL
            RETURNING {_COLUMNS}
            """,
            {
                "url": url,
                "external_id": external_id,
                "source": source,
                "uid": source_uid,
                "name": _text(name),
                "time_zone": _text(time_zone),
            },
        )
        row = await cursor.fetchone()
        if row is not None:
            await conn.execute(
                "DELETE FROM organisation_conflicts WHERE api_url = %s AND external_id = %s AND source = %s",
                (url, external_id, source),
            )
            return Organisation(*row)
        cursor = await conn.execute(
            "SELECT source, deletion_began_at IS NOT NULL FROM organisations WHERE api_url = %s AND external_id = %s",
            (url, external_id),
        )
        owner = await cursor.fetchone()
        if owner is None or owner[1] or owner[0] == source:
            raise DeletionUnderWay(external_id)
        await conn.execute(_CONFLICT, (url, external_id, source))
    raise OrganisationClaimed(owner[0], external_id, url)


async def forget_conflicts(db: Database, source: str, *, api_url: str, wanted: Collection[int]) -> None:
    """Forget the conflicts of a source about organisations that it does not want any more."""
    async with db.connection() as conn:
        await conn.execute(
            "DELETE FROM organisation_conflicts"
            " WHERE source = %s AND NOT (api_url = %s AND external_id = ANY(%s::bigint[]))",
            (source, api_url.rstrip("/"), list(wanted)),
        )


async def sources(db: Database) -> list[str]:
    """All sources that have claimed any."""
    async with db.connection() as conn:
        cursor = await conn.execute("SELECT DISTINCT source FROM organisations ORDER BY source")
        return [row[0] for row in await cursor.fetchall()]


async def by_source(db: Database, source: str) -> list[Organisation]:
    """Those that a source has claimed, in the order of their ids."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            f"SELECT {_COLUMNS} FROM organisations WHERE source = %s ORDER BY external_id", (source,)
        )
        return [Organisation(*row) for row in await cursor.fetchall()]


def _text(value: str | None) -> str | None:
    return None if value is None else value.replace("\0", "\ufffd")

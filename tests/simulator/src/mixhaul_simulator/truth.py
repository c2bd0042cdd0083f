"""What a client must have once it has caught up. Ids are strings here, so that no reader can round them."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

import orjson

from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.support import Site, listed
from mixhaul_simulator.times import iso

_IDS: Final = frozenset(
    {
        "EventId",
        "AssetId",
        "DriverId",
        "EventTypeId",
        "LocationId",
        "PositionId",
        "NewDriverId",
        "SiteId",
        "DefaultDriverId",
        "FmDriverId",
        "GroupId",
    }
)

_OWN_ID: Final = re.compile(rb'\{"EventId":(-?\d+)')


def with_text_ids(value: Any) -> Any:
    """The same with every id as a string."""
    if isinstance(value, dict):
        return {
            name: str(item)
            if name in _IDS and isinstance(item, int) and not isinstance(item, bool)
            else with_text_ids(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [with_text_ids(item) for item in value]
    return value


def events(organisation: Organisation, offset: int, limit: int) -> list[dict[str, Any]]:
    """Each event once, as it is now, in the order in which the ids first appeared (so paging stays steady)."""
    found = []
    for event_id in organisation.log.order[offset : offset + limit]:
        stored = organisation.log.latest(event_id)
        if stored is not None:
            found.append(with_text_ids(orjson.loads(stored.record)) | {"createdAt": stored.created_at})
    return found


def quarantinable(organisation: Organisation) -> list[dict[str, Any]]:
    """The records that are no events: exact bytes (base64) and what is wrong with them."""
    log = organisation.log
    return [
        {
            "variant": variant,
            "eventId": found[1].decode() if (found := _OWN_ID.match(log.records[place] or b"")) else None,
            "createdAt": iso(log.created[place], fraction=True, suffix="Z"),
            "record": base64.b64encode(log.records[place] or b"").decode(),
        }
        for place, variant in log.bad.items()
    ]


def drivers(organisation: Organisation, now_ms: int) -> list[dict[str, Any]]:
    """The list of now, with what a client computes: whether it is a system driver."""
    systems = {row.id for row in organisation.support.drivers if row.system}
    return [
        with_text_ids(body) | {"IsSystemDriver": body["DriverId"] in systems}
        for body in listed(organisation.support.drivers, now_ms)
    ]


def vehicles(organisation: Organisation, now_ms: int) -> list[dict[str, Any]]:
    return [with_text_ids(body) for body in listed(organisation.support.vehicles, now_ms)]


def event_types(organisation: Organisation, now_ms: int) -> list[dict[str, Any]]:
    return [with_text_ids(body) for body in listed([kind.row for kind in organisation.support.types], now_ms)]


def sites(organisation: Organisation) -> list[dict[str, Any]]:
    """The tree as a flat list; the organisation itself is its root."""
    found: list[dict[str, Any]] = []

    def walk(site: Site, parent: str | None) -> None:
        found.append({"GroupId": str(site.id), "ParentGroupId": parent, "Name": site.name, "Type": site.kind})
        for child in site.children:
            walk(child, str(site.id))

    walk(organisation.support.root, None)
    return found


def amendments(organisation: Organisation) -> list[dict[str, Any]]:
    return [with_text_ids(amendment.body()) for amendment in organisation.amendments]


def organisation_row(organisation: Organisation) -> dict[str, Any]:
    return {
        "GroupId": str(organisation.group_id),
        "Name": organisation.name,
        "Type": "OrganisationGroup",
        "DisplayTimeZone": organisation.time_zone,
        "forbidden": organisation.forbidden,
        "events": len(organisation.log.order),
        "amendments": len(organisation.amendments),
        "quarantinable": len(organisation.log.bad),
    }

"""With every fault at once, a careful client ends with the truth: no fault corrupts what it is compared with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from integration.simulator.conftest import Caller
from integration.simulator.test_feed import OLDEST, token_at
from mixhaul_simulator import faults

SLOW = {"hang": 0.03, "slow-headers": 0.02, "slow-body": 0.02}
LEFT_OUT = {"hang-mid-body", *faults.TOKEN, *faults.LIST}  # no time-out here; not about feeds
SOURCES = ["gps", "satellite", "beacon", "calculated", "hos"]
ENUMERATIONS = {"Source", "EventCategory", "ValueType"}


def normal(name: str, value: Any) -> Any:
    """A value in one form, whichever way it was written; unknown fields are left out."""
    if isinstance(value, dict):
        if name == "MediaUrls":
            return value
        return {key: normal(key, item) for key, item in value.items() if key.lower()[:6] != "future"}
    if value is None or isinstance(value, bool):
        return value
    if name in ENUMERATIONS:
        return SOURCES[int(value)] if str(value).isdigit() else str(value).lower()
    if name.endswith(("DateTime", "Timestamp")):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if name in {"ValueUnits", "FormattedAddress"}:
        return value
    return Decimal(str(value)).normalize()


def events_of(answer: httpx.Response) -> list[Any] | None:
    """The list of a page that happened, or None."""
    if answer.status_code == 204:
        return []
    if answer.status_code not in (200, 206) or "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        found = json.loads(answer.content.decode("utf-8-sig"), parse_float=Decimal)
    except ValueError:
        return None
    assert isinstance(found, list)
    return found


def readable(event: Any) -> bool:
    """Whether it is an event at all."""
    if not isinstance(event, dict) or "EventId" not in event or isinstance(event.get("AssetId"), dict):
        return False
    units = event["ValueUnits"] or ""
    return abs(int(event["EventId"])) < 2**63 and "\0" not in units and "\ud800" not in units


async def one_page(caller: Caller, token: str, kept: dict[int, Any], bad: set[str]) -> tuple[str, bool]:
    """The next token, and whether there is more; where the page did not happen, the same token again."""
    try:
        answer = await caller.page(token, 40)
    except httpx.TransportError:
        return token, True
    except httpx.DecodingError:
        return token, True
    events = events_of(answer)
    more, following = answer.headers.get("hasmoreitems"), answer.headers.get("getsincetoken")
    if events is None or more not in ("True", "False") or following is None:
        return token, True
    for event in events:
        if readable(event):
            kept[int(event["EventId"])] = normal("", event)
        else:
            bad.add(json.dumps(event, default=str))
    return following, more == "True"


async def test_a_careful_client_ends_with_the_truth(caller: Caller) -> None:
    for kind in sorted(faults.KINDS - LEFT_OUT):
        rate = 0.3 if kind in faults.MAKING else 0.04
        more = {"seconds": SLOW[kind]} if kind in SLOW else {}
        await caller.do("faults", {"kind": kind, "rate": rate, **more})
    kept: dict[int, Any] = {}
    bad: set[str] = set()
    token, more = token_at(OLDEST), True
    for number in range(60):
        made = await caller.do("events", {"organisation": caller.organisation, "count": 12, "burst": number % 2 == 0})
        changed = {"organisation": caller.organisation, "EventId": made["eventIds"][0], "Value": number}
        await caller.do("events", changed)
        token, more = await one_page(caller, token, kept, bad)
    await caller.control("DELETE", "faults")
    while more:
        token, more = await one_page(caller, token, kept, bad)
    truth = await caller.truth("events", organisation=caller.organisation, limit="100000")
    rows = json.loads(json.dumps(truth["events"]), parse_float=Decimal)
    expected = {
        int(row["EventId"]): normal("", {name: value for name, value in row.items() if name != "createdAt"})
        for row in rows
    }
    assert kept == expected
    assert len(expected) > 900
    records = (await caller.truth("quarantinable", organisation=caller.organisation))["records"]
    assert len(bad) == len(records) > 100
    assert await caller.violations() == []

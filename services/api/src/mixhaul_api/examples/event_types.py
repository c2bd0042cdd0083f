"""Event types."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api.examples.common import FRESHNESS, ORGANISATION
from mixhaul_api.shapes.event_types import EventType, EventTypePage

EVENT_TYPE: Final[EventType] = {
    "id": "-2310984471203981145",
    "organisationId": ORGANISATION,
    "description": "(Tr) Excesso de Velocidade 70 Km",
    "eventType": "Detail",
    "displayUnits": "km/h",
    "valueName": "Maximum speed",
    "family": "driving infraction",
    "isInfraction": True,
    "severity": "high",
    "classified": {"origin": "person", "by": "maria@transportes.example", "at": "2026-11-20T13:02:11.000Z"},
    "active": True,
}

EVENT_TYPES: Final[EventTypePage] = {"items": [EVENT_TYPE], "nextCursor": None, "freshness": [FRESHNESS]}

CLASSIFICATION: Final[dict[str, Any]] = {"isInfraction": True, "family": "driving infraction"}

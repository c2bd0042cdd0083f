"""What the examples share."""

from __future__ import annotations

from typing import Final

from mixhaul_api.shapes.common import Freshness

ORGANISATION: Final = "6243816725049817314"

FRESHNESS: Final[Freshness] = {
    "organisationId": ORGANISATION,
    "asOf": "2026-11-24T11:15:02.113Z",
    "lagSeconds": 12.4,
    "gaps": [],
    "syncedAt": "2026-11-24T05:00:41.902Z",
}

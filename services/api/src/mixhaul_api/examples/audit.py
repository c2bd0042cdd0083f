"""The audit log."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import ORGANISATION
from mixhaul_api.shapes.audit import AuditPage

AUDIT: Final[AuditPage] = {
    "items": [
        {
            "id": "48211",
            "at": "2026-11-24T13:01:57.310Z",
            "organisationId": ORGANISATION,
            "actor": "maria@transportes.example",
            "action": "driver.viewed",
            "route": "GET /api/drivers",
            "driverIds": ["-5126071423112345678"],
            "subject": None,
            "requestId": "0f9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d",
            "details": {"items": 1},
        }
    ],
    "nextCursor": None,
}

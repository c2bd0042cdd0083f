"""The erasure of a driver."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import ORGANISATION
from mixhaul_api.shapes.erasures import Erasure

ERASURE: Final[Erasure] = {
    "driverId": "-5126071423112345678",
    "organisationId": ORGANISATION,
    "dryRun": False,
    "erasedAt": "2026-11-24T13:02:11.000Z",
    "erased": {"members": ["name", "employee_number", "email"], "vehicles": 1},
    "remaining": {"events": 4031, "auditEntries": 12},
}

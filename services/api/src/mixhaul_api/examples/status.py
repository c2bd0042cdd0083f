"""How far the data has come."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import ORGANISATION
from mixhaul_api.shapes.status import Status

STATUS: Final[Status] = {
    "items": [
        {
            "organisationId": ORGANISATION,
            "name": "Transportes Exemplo",
            "timeZone": "America/Sao_Paulo",
            "asOf": "2026-11-24T11:15:02.113Z",
            "lagSeconds": 12.4,
            "caughtUp": True,
            "lastPollAt": "2026-11-24T11:15:02.113Z",
            "lastDataAt": "2026-11-24T11:13:31.870Z",
            "consecutiveErrors": 0,
            "gapCount": 0,
            "gaps": [],
            "lastSync": {"finishedAt": "2026-11-24T05:00:41.902Z", "result": "succeeded"},
        }
    ]
}

"""Examples for the OpenAPI document; mypy and a test hold them to the shapes. No real person or vehicle."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api.shapes import (
    Driver,
    DriverPage,
    EventType,
    EventTypePage,
    Freshness,
    Infraction,
    InfractionPage,
    Status,
)

_ORGANISATION: Final = "6243816725049817314"

_FRESHNESS: Final[Freshness] = {
    "organisationId": _ORGANISATION,
    "asOf": "2026-11-24T11:15:02.113Z",
    "lagSeconds": 12.4,
    "gaps": [],
    "syncedAt": "2026-11-24T05:00:41.902Z",
}

DRIVER: Final[Driver] = {
    "id": "-5126071423112345678",
    "organisationId": _ORGANISATION,
    "name": "João da Silva",
    "siteId": "4510918273645546372",
    "siteName": "Filial Campinas",
    "country": "BR",
    "isSystemDriver": False,
    "active": True,
    "lastSeenAt": "2026-11-24T05:00:41.902Z",
    "employeeNumber": "20417",
    "mobileNumber": "+55 19 90000-0000",
    "email": "joao@transportes.example",
    "extendedDriverId": None,
    "imageUri": None,
}

DRIVERS: Final[DriverPage] = {"items": [DRIVER], "nextCursor": None, "freshness": [_FRESHNESS]}

_INFRACTION: Final[Infraction] = {
    "id": "7741903311245509812",
    "organisationId": _ORGANISATION,
    "driverId": "-5126071423112345678",
    "occurredAt": "2026-11-23T08:15:30.000-03:00",
    "endedAt": "2026-11-23T08:16:12.000-03:00",
    "durationSeconds": 42.0,
    "occurrences": 1,
    "type": {
        "id": "-2310984471203981145",
        "description": "(Tr) Excesso de Velocidade 70 Km",
        "family": "driving infraction",
    },
    "speed": {"kmh": 83.0, "limitKmh": 70.0, "overByKmh": 13.0},
    "measure": {"amount": 83.0, "kind": "Maximum", "units": "km/h"},
    "place": {"address": "Rod. Anhanguera, Campinas, SP", "latitude": -22.9056, "longitude": -47.0608},
    "vehicle": {
        "id": "1120394857610293847",
        "description": "Caminhão 12",
        "registrationNumber": "ABC1D23",
        "fleetNumber": "12",
    },
    "reassigned": False,
}

INFRACTIONS: Final[InfractionPage] = {
    "items": [_INFRACTION],
    "nextCursor": "kT8Qn1x2m0hbMSwiNGY4Il0",
    "freshness": [_FRESHNESS],
    "timeZone": "America/Sao_Paulo",
}

EVENT_TYPE: Final[EventType] = {
    "id": "-2310984471203981145",
    "organisationId": _ORGANISATION,
    "description": "(Tr) Excesso de Velocidade 70 Km",
    "eventType": "Detail",
    "displayUnits": "km/h",
    "valueName": "Maximum speed",
    "family": "driving infraction",
    "isInfraction": True,
    "classified": {"origin": "person", "by": "maria@transportes.example", "at": "2026-11-20T13:02:11.000Z"},
    "active": True,
}

EVENT_TYPES: Final[EventTypePage] = {"items": [EVENT_TYPE], "nextCursor": None, "freshness": [_FRESHNESS]}

CLASSIFICATION: Final[dict[str, Any]] = {"isInfraction": True, "family": "driving infraction"}

STATUS: Final[Status] = {
    "items": [
        {
            "organisationId": _ORGANISATION,
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

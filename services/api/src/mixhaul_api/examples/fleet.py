"""Organisations, sites, vehicles, single events, and how drivers compare."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import FRESHNESS, ORGANISATION
from mixhaul_api.examples.infractions import INFRACTION
from mixhaul_api.shapes.fleet import Event, Organisations, Ranking, RawRecord, SitePage, Vehicle, VehiclePage

ORGANISATIONS: Final[Organisations] = {
    "items": [
        {"organisationId": ORGANISATION, "name": "Transportes Exemplo", "timeZone": "America/Sao_Paulo"},
    ]
}

SITES: Final[SitePage] = {
    "items": [
        {
            "id": "4510918273645546372",
            "organisationId": ORGANISATION,
            "name": "Filial Campinas",
            "type": "SiteGroup",
            "parentId": None,
            "drivers": 41,
            "vehicles": 17,
            "active": True,
        }
    ],
    "nextCursor": None,
    "freshness": [FRESHNESS],
}

VEHICLE: Final[Vehicle] = {
    "id": "1120394857610293847",
    "organisationId": ORGANISATION,
    "description": "Caminhão 12",
    "registrationNumber": "ABC1D23",
    "fleetNumber": "12",
    "make": "Scania",
    "model": "R450",
    "year": "2021",
    "siteId": "4510918273645546372",
    "siteName": "Filial Campinas",
    "active": True,
    "lastSeenAt": "2026-11-24T05:00:41.902Z",
    "latestEvent": {
        "id": "7741903311245509812",
        "occurredAt": "2026-11-24T11:13:30.000Z",
        "type": {"id": "4310984471203981147", "description": "Ignition On", "family": "normal operation"},
        "driverId": "-5126071423112345678",
        "driverName": "João da Silva",
        "place": INFRACTION["place"],
    },
}

VEHICLES: Final[VehiclePage] = {"items": [VEHICLE], "nextCursor": None, "freshness": [FRESHNESS]}

EVENT: Final[Event] = {
    **INFRACTION,
    "isInfraction": True,
    "category": "Detail",
    "endPlace": None,
    "odometerKm": 184_223.4,
    "fuelUsedLitres": 0.2,
    "observedAt": "2026-11-23T11:17:02.113Z",
}

_RECORD: Final = '{"EventId":7741903311245509812,"DriverId":-5126071423112345678,"EventCategory":"Detail"}'

RAW: Final[RawRecord] = {
    "id": "7741903311245509812",
    "organisationId": ORGANISATION,
    "observedAt": "2026-11-23T11:17:02.113Z",
    "record": _RECORD,
}
RAW_BYTES: Final = _RECORD

RANKING: Final[Ranking] = {
    "items": [
        {
            "rank": 2,
            "driverId": "-5126071423112345678",
            "organisationId": ORGANISATION,
            "driverName": "João da Silva",
            "siteId": "4510918273645546372",
            "siteName": "Filial Campinas",
            "infractions": 12,
            "severities": {"none": 0, "low": 2, "medium": 3, "high": 7},
            "events": 418,
        }
    ],
    "totals": {
        "drivers": 2,
        "infractions": 12,
        "severities": {"none": 0, "low": 2, "medium": 3, "high": 7},
        "events": 702,
    },
    "nextCursor": None,
    "freshness": [FRESHNESS],
    "timeZone": "America/Sao_Paulo",
}

"""Infractions."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import FRESHNESS, ORGANISATION
from mixhaul_api.shapes.infractions import Infraction, InfractionCounts, InfractionPage

INFRACTION: Final[Infraction] = {
    "id": "7741903311245509812",
    "organisationId": ORGANISATION,
    "driverId": "-5126071423112345678",
    "driverName": "João da Silva",
    "occurredAt": "2026-11-23T08:15:30.000-03:00",
    "endedAt": "2026-11-23T08:16:12.000-03:00",
    "durationSeconds": 42.0,
    "occurrences": 1,
    "type": {
        "id": "-2310984471203981145",
        "description": "(Tr) Excesso de Velocidade 70 Km",
        "family": "driving infraction",
        "severity": "high",
    },
    "speed": {"kmh": 83.0, "limitKmh": 70.0, "overByKmh": 13.0},
    "measure": {"amount": 83.0, "kind": "Maximum", "units": "km/h"},
    "place": {
        "address": "Rod. Anhanguera, Campinas, SP",
        "latitude": -22.9056,
        "longitude": -47.0608,
        "mapUrl": "https://www.openstreetmap.org/?mlat=-22.905600&mlon=-47.060800#map=17/-22.905600/-47.060800",
    },
    "vehicle": {
        "id": "1120394857610293847",
        "description": "Caminhão 12",
        "registrationNumber": "ABC1D23",
        "fleetNumber": "12",
    },
    "amended": False,
    "formerDriverId": None,
}

INFRACTIONS: Final[InfractionPage] = {
    "items": [INFRACTION],
    "nextCursor": "kT8Qn1x2m0hbMSwiNGY4Il0",
    "total": {"count": 217, "isExact": True},
    "freshness": [FRESHNESS],
    "timeZone": "America/Sao_Paulo",
}

COUNTS: Final[InfractionCounts] = {
    "organisationId": ORGANISATION,
    "driverId": "-5126071423112345678",
    "count": 2,
    "types": [{"type": INFRACTION["type"], "count": 2}],
    "days": [
        {"date": "2026-11-22", "count": 0, "types": []},
        {"date": "2026-11-23", "count": 2, "types": [{"typeId": "-2310984471203981145", "count": 2}]},
    ],
    "freshness": [FRESHNESS],
    "timeZone": "America/Sao_Paulo",
}

CSV: Final = (
    "occurredAt,endedAt,driverId,driverName,type,family,severity,speedKmh,limitKmh,overByKmh,durationSeconds,"
    "occurrences,address,latitude,longitude,mapUrl,vehicle,registrationNumber,fleetNumber,amended,vehicleId,typeId,id,"
    "organisationId\r\n"
)

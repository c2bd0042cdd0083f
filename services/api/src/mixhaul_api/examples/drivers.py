"""Drivers."""

from __future__ import annotations

from typing import Final

from mixhaul_api.examples.common import FRESHNESS, ORGANISATION
from mixhaul_api.shapes.drivers import Driver, DriverPage

DRIVER: Final[Driver] = {
    "id": "-5126071423112345678",
    "organisationId": ORGANISATION,
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

_FOUND: Final[Driver] = {**DRIVER, "match": {"by": "words", "highlights": [{"start": 8, "length": 3}]}}

DRIVERS: Final[DriverPage] = {"items": [_FOUND], "nextCursor": None, "freshness": [FRESHNESS]}

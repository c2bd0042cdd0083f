"""One full event as MiX sends it, for tests of the client."""

from __future__ import annotations

import json
from typing import Any


def position(number: int = 0) -> dict[str, Any]:
    """A position with every field of the contract."""
    return {
        "PositionId": -123456789012345678 + number,
        "AssetId": 1234567890123456789,
        "DriverId": -987654321098765432,
        "Timestamp": "2026-05-01T12:34:56",
        "Latitude": -23.550520123,
        "Longitude": -46.633308123,
        "SpeedKilometresPerHour": 72.5,
        "SpeedLimit": 60,
        "AltitudeMetres": -3,
        "Heading": 180,
        "NumberOfSatellites": 9,
        "Hdop": 1,
        "Vdop": 2,
        "Pdop": 3,
        "AgeOfReadingSeconds": 0,
        "DistanceSinceReadingKilometres": 4,
        "OdometerKilometres": 123456.789,
        "FormattedAddress": "Avenida Paulista 1578, Bela Vista, São Paulo - SP, Brasil",
        "Source": "Gps",
        "IsAvl": True,
    }


def event(number: int = 0) -> dict[str, Any]:
    """An event with every field of the contract, about 1.5 KB of JSON."""
    return {
        "EventId": 5123456789012345678 + number,
        "AssetId": 1234567890123456789,
        "DriverId": -987654321098765432,
        "EventTypeId": -8765432109876543210,
        "EventCategory": "Detail",
        "StartDateTime": "2026-05-01T12:34:56",
        "EndDateTime": "2026-05-01T12:35:56",
        "StartOdometerKilometres": 123456.789,
        "EndOdometerKilometres": 123457.123,
        "StartPosition": position(number),
        "EndPosition": position(number + 1),
        "Value": 88.5,
        "ValueType": "Maximum",
        "ValueUnits": "km/h",
        "FuelUsedLitres": 0.25,
        "TotalTimeSeconds": 60,
        "TotalOccurances": 1,
        "MediaUrls": {"Front": "https://media.example.com/a/b/c.mp4"},
        "LocationId": None,
        "SpeedLimit": 60,
    }


def encoded(value: Any) -> bytes:
    """As compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

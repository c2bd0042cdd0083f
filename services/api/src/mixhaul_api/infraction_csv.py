"""Infractions as CSV: one line each, made of what JSON would show the same caller."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mixhaul_api.csv_forms import Cell, CsvForm, IdCell, beginning, line
from mixhaul_api.shapes.infractions import Infraction

# Member of the line, and its head in Excel's form.
_HEADS: Final = (
    ("occurredAt", "Início"),
    ("endedAt", "Fim"),
    ("driverId", "Código do motorista"),
    ("driverName", "Motorista"),
    ("type", "Tipo de infração"),
    ("family", "Família"),
    ("severity", "Gravidade"),
    ("speedKmh", "Velocidade (km/h)"),
    ("limitKmh", "Limite (km/h)"),
    ("overByKmh", "Excesso (km/h)"),
    ("durationSeconds", "Duração (s)"),
    ("occurrences", "Ocorrências"),
    ("address", "Local"),
    ("latitude", "Latitude"),
    ("longitude", "Longitude"),
    ("mapUrl", "Mapa"),
    ("vehicle", "Veículo"),
    ("registrationNumber", "Placa"),
    ("fleetNumber", "Prefixo"),
    ("amended", "Alterado"),
    ("vehicleId", "Código do veículo"),
    ("typeId", "Código do tipo"),
    ("id", "Código do evento"),
    ("organisationId", "Organização"),
)
_FORMER: Final = ("formerDriverId", "Código do motorista anterior")
_SEVERITIES: Final = {"none": "nenhuma", "low": "baixa", "medium": "média", "high": "alta"}


def head(form: CsvForm, *, former: bool) -> bytes:
    """The beginning of the file. `former`: with the former driver, for those who may know."""
    columns = (*_HEADS, *((_FORMER,) if former else ()))
    return beginning(form) + line(form, [column[0 if form is CsvForm.PLAIN else 1] for column in columns])


def row(form: CsvForm, one: Infraction, *, former: bool) -> bytes:
    """One infraction."""
    place, vehicle, speed = one["place"], one["vehicle"], one["speed"]
    severity = one["type"]["severity"]
    cells: list[Cell] = [
        datetime.fromisoformat(one["occurredAt"]),
        None if one["endedAt"] is None else datetime.fromisoformat(one["endedAt"]),
        _id(one["driverId"]),
        one["driverName"],
        one["type"]["description"],
        one["type"]["family"],
        severity if form is CsvForm.PLAIN else _SEVERITIES[severity],
        speed["kmh"],
        speed["limitKmh"],
        speed["overByKmh"],
        one["durationSeconds"],
        one["occurrences"],
        *((None,) * 4 if place is None else (place["address"], place["latitude"], place["longitude"], place["mapUrl"])),
        *(
            (None,) * 3
            if vehicle is None
            else (vehicle["description"], vehicle["registrationNumber"], vehicle["fleetNumber"])
        ),
        one["amended"],
        None if vehicle is None else IdCell(vehicle["id"]),
        IdCell(one["type"]["id"]),
        IdCell(one["id"]),
        IdCell(one["organisationId"]),
    ]
    if former:
        cells.append(_id(one.get("formerDriverId")))
    return line(form, cells)


def _id(text: str | None) -> Cell:
    return None if text is None else IdCell(text)

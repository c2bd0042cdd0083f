"""The slow-moving side of an organisation: drivers, vehicles, event types, sites, as the lists of MiX show them.

Each row is one JSON object as MiX would send it. A row with `listed_at` in the future is already named by events, but
not yet in its list; a row that was removed is no longer in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from mixhaul_simulator import vocabulary
from mixhaul_simulator.ids import Ids
from mixhaul_simulator.times import DAY, MINUTE, iso
from mixhaul_simulator.vocabulary import TypeSketch

_LATE: Final = 10 * MINUTE


@dataclass(slots=True)
class Row:
    """One object of a list."""

    id: int
    body: dict[str, Any]
    listed_at: int = 0
    removed: bool = False
    system: bool = False


@dataclass(slots=True)
class EventType:
    """A type of the library, and what its events are like."""

    row: Row
    sketch: TypeSketch


@dataclass(slots=True)
class Site:
    """A node of the tree; `kind` is MiX's name of it."""

    id: int
    name: str
    kind: str
    children: list[Site] = field(default_factory=list)

    def tree(self) -> dict[str, Any]:
        return {
            "GroupId": self.id,
            "Name": self.name,
            "Type": self.kind,
            "SubGroups": [child.tree() for child in self.children],
        }

    def walk(self) -> list[Site]:
        found = [self]
        for child in self.children:
            found.extend(child.walk())
        return found


@dataclass(slots=True)
class Support:
    """All lists of one organisation."""

    drivers: list[Row]
    vehicles: list[Row]
    types: list[EventType]
    root: Site

    def sites(self) -> list[Site]:
        return self.root.walk()


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows the lists hold."""

    drivers: int
    vehicles: int
    types: int


def listed(rows: list[Row], now_ms: int) -> list[dict[str, Any]]:
    """What a list shows now."""
    return [row.body for row in rows if row.listed_at <= now_ms and not row.removed]


def build(*, random: Random, ids: Ids, root_id: int, name: str, size: Size, start_ms: int) -> Support:
    """Make an organisation's lists. A twentieth of the drivers and two types and one vehicle appear late."""
    root = _sites(random, ids, root_id=root_id, name=name)
    leaves = [site for site in root.walk() if not site.children]
    drivers = [_driver(random, ids, number, leaves) for number in range(size.drivers)]
    for number in (0, 1):
        if number < len(drivers):
            drivers[number] = _system_driver(ids, number, leaves[0])
    vehicles = [_vehicle(random, ids, number, leaves, drivers, start_ms) for number in range(size.vehicles)]
    types = [_type(ids, number) for number in range(size.types)]
    late = [
        *drivers[len(drivers) - len(drivers) // 20 :],
        *vehicles[max(1, len(vehicles) - 1) :],
        *(kind.row for kind in types[max(1, len(types) - 2) :]),
    ]
    for number, row in enumerate(late):
        row.listed_at = start_ms + _LATE + number * MINUTE
    return Support(drivers, vehicles, types, root)


def _sites(random: Random, ids: Ids, *, root_id: int, name: str) -> Site:
    root = Site(root_id, name, "OrganisationGroup")
    root.children.append(Site(ids.take(), "Site padrão", "DefaultSite"))
    root.children.append(Site(ids.take(), "Unidade de negócio", "BusinessUnit"))
    for region in ("Região Sul", "Região Sudeste", "Operação Norte"):
        group = Site(ids.take(), region, "OrganisationSubGroup")
        for place in random.sample(vocabulary.PLACES, 2):
            group.children.append(Site(ids.take(), f"Garagem {place[0]}", "SiteGroup"))
        root.children.append(group)
    return root


def _driver(random: Random, ids: Ids, number: int, leaves: list[Site]) -> Row:
    identity = ids.take()
    first, last = random.choice(vocabulary.FIRST_NAMES), random.choice(vocabulary.SURNAMES)
    extended = random.choice(("None", "Hex", "Ascii"))
    body: dict[str, Any] = {
        "DriverId": identity,
        "FmDriverId": number + 2,
        "Name": f"{first} {last} {number:03d}",
        "EmployeeNumber": f"{number + 1000:06d}",
        "SiteId": random.choice(leaves).id,
        "MobileNumber": None if number % 7 == 3 else f"+55 11 9{random.randrange(10**7, 10**8)}",
        "Email": None if number % 5 == 4 else f"motorista{number}@frota.example",
        "ExtendedDriverId": None if extended == "None" else f"{random.getrandbits(48):012X}",
        "ExtendedDriverIdType": extended,
        "Country": "Brasil",
        "ImageUri": None if number % 3 else f"https://imagens.example/motoristas/{number}.jpg",
        "AdditionalDetailFields": [
            {
                "Id": 1,
                "Label": "CNH",
                "HelpText": "Carteira de habilitação",
                "IsRequired": True,
                "Value": f"{random.randrange(10**10, 10**11)}",
            },
            {"Id": 2, "Label": "Categoria", "HelpText": None, "IsRequired": False, "Value": random.choice("CDE")},
        ],
    }
    if number % 11 == 5:
        del body["AdditionalDetailFields"], body["ImageUri"]
    return Row(identity, body)


def _system_driver(ids: Ids, number: int, site: Site) -> Row:
    identity = ids.take()
    name = ("Motorista desconhecido", "Motorista do sistema")[number]
    body = {"DriverId": identity, "FmDriverId": number, "Name": name, "SiteId": site.id, "ExtendedDriverIdType": "None"}
    return Row(identity, body, system=True)


def _vehicle(random: Random, ids: Ids, number: int, leaves: list[Site], drivers: list[Row], start_ms: int) -> Row:
    identity = ids.take()
    make, model, fuel = random.choice(vocabulary.MODELS)
    plate = "".join(random.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(3))
    created = start_ms - random.randrange(30 * DAY, 2000 * DAY)
    hours = f"P{random.randrange(900)}DT{random.randrange(24)}H{random.randrange(60)}M{random.randrange(60)}S"
    body: dict[str, Any] = {
        "AssetId": identity,
        "Description": f"Caminhão {number + 1:03d} – {make}",
        "RegistrationNumber": f"{plate}{random.randrange(10)}{random.choice('ABCDEFGHIJ')}{random.randrange(10, 100)}",
        "FleetNumber": f"F-{number + 1:04d}",
        "Make": make,
        "Model": model,
        "Year": str(random.randrange(2008, 2027)),
        "VinNumber": None if number % 9 == 8 else f"9BW{random.getrandbits(52):014d}"[:17],
        "SiteId": random.choice(leaves).id,
        "FuelType": fuel,
        "Odometer": round(random.uniform(1000, 900000), 2),
        "EngineHours": None if number % 13 == 7 else ("PT0S", "PT11H30M", "P12DT3H4M5S", hours)[min(number, 3)],
        "DefaultDriverId": random.choice(drivers).id if drivers and number % 4 else None,
        "UserState": random.choice(("Available", "Unavailable", "Decommissioned")) if number % 6 == 5 else "Available",
        "CreatedDate": iso(created, fraction=number % 2 == 1, suffix="+00:00"),
    }
    return Row(identity, body)


def _type(ids: Ids, number: int) -> EventType:
    identity = ids.take()
    if number < len(vocabulary.TYPES):
        sketch = vocabulary.TYPES[number]
    else:
        family = vocabulary.FAMILIES[number % len(vocabulary.FAMILIES)]
        name = f"(Tr) {family} – parâmetro {number:03d}"
        sketch = TypeSketch(name, "Detail", "Custom", "%", "0.0", "Valor", "Average", 0.0, 100.0, 1)
    body = {
        "EventTypeId": identity,
        "Description": sketch.description,
        "EventType": sketch.event_type,
        "DisplayUnits": sketch.units,
        "FormatType": sketch.format_type,
        "ValueName": sketch.value_name,
    }
    return EventType(Row(identity, body), sketch)

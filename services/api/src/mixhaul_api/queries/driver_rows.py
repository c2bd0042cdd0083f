"""A driver as the API's queries read it, and where in a list it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

# The columns of `DriverRow`, in its order.
COLUMNS: Final = """
    d.organisation_id, d.external_id, d.name, d.site_external_id, s.name AS site_name, d.country, d.is_system_driver,
    d.removed_at IS NULL AS active, d.last_seen_at, d.employee_number, d.mobile_number, d.email,
    d.extended_driver_id, d.image_uri"""
SITE: Final = "LEFT JOIN sites s ON s.organisation_id = d.organisation_id AND s.external_id = d.site_external_id"


class DriverRow(NamedTuple):
    """A driver as it is stored."""

    organisation_id: int
    external_id: int
    name: str | None
    site_external_id: int | None
    site_name: str | None
    country: str | None
    is_system_driver: bool | None
    active: bool
    last_seen_at: datetime
    employee_number: str | None
    mobile_number: str | None
    email: str | None
    extended_driver_id: str | None
    image_uri: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list a driver stands. `rank` and `gone` are 0 without a search; `named`: there is a name."""

    rank: int
    gone: int
    named: int
    key: str
    organisation_id: int
    external_id: int

    TYPES: ClassVar = (int, int, int, str, int, int)

    @property
    def values(self) -> tuple[int | str, ...]:
        return self.rank, self.gone, self.named, self.key, self.organisation_id, self.external_id


Listed = list[tuple[Place, DriverRow]]

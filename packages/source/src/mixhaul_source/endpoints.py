"""MiX's data centres and where they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

DataCentre = Literal["us", "eu", "uk", "za", "au", "om", "ent", "alg", "uat"]

DATA_CENTRES: Final[tuple[str, ...]] = get_args(DataCentre)


@dataclass(frozen=True, slots=True)
class Urls:
    """Base URLs without a slash at their end."""

    api: str
    identity: str


def urls_of(data_centre: DataCentre) -> Urls:
    """The hosts of a data centre, as MiX names them."""
    return Urls(
        api=f"https://integrate.{data_centre}.mixtelematics.com",
        identity=f"https://identity.{data_centre}.mixtelematics.com/core",
    )

"""Whose data a JSON answer shows: the ids of the drivers in it, for the audit log.

Found by the members' names, as `privacy` does it: `driverId` and `formerDriverId` anywhere, and `id` of what is a
driver, told by its `isSystemDriver` or by standing under `driver` or `formerDriver`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_IDS: Final = ("driverId", "formerDriverId", "defaultDriverId")
_DRIVERS: Final = ("driver", "formerDriver", "defaultDriver")


def drivers_in(answer: object, *, within: str | None = None) -> Iterator[tuple[str | None, int]]:
    """Each driver in an answer, with the organisation's public id that stands beside or around it."""
    if isinstance(answer, list):
        for one in answer:
            yield from drivers_in(one, within=within)
    elif isinstance(answer, Mapping):
        within = answer.get("organisationId", within)
        if "isSystemDriver" in answer:
            yield within, int(answer["id"])
        for name, value in answer.items():
            if name in _IDS and value is not None:
                yield within, int(value)
            elif isinstance(value, (list, Mapping)):
                if name in _DRIVERS and isinstance(value, Mapping) and _is_bare(value):
                    yield within, int(value["id"])
                yield from drivers_in(value, within=within)


def _is_bare(value: Mapping[str, Any]) -> bool:
    """A driver that its own members don't tell."""
    return value.get("id") is not None and "isSystemDriver" not in value

"""What the control port can turn. Each command checks its own input and says in a sentence what is wrong with it."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_simulator import faults as fault_kinds
from mixhaul_simulator import truth
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.identity import Identity
from mixhaul_simulator.limits import Limits
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.times import SECOND, iso, read_iso
from mixhaul_simulator.world import World

_MOST_EVENTS: Final = 1_000_000
_FIELDS: Final = frozenset(
    {
        *("EventId", "AssetId", "DriverId", "EventTypeId", "EventCategory", "StartDateTime", "EndDateTime"),
        *("StartOdometerKilometres", "EndOdometerKilometres", "StartPosition", "EndPosition", "Value", "ValueType"),
        *("ValueUnits", "FuelUsedLitres", "TotalTimeSeconds", "TotalOccurances", "MediaUrls", "LocationId"),
        "SpeedLimit",
    }
)
_EVENT_IDS: Final = frozenset({"EventId", "AssetId", "DriverId", "EventTypeId", "LocationId"})
_ID_LIMIT: Final = 1 << 63


class Commands:
    """The switches of a running simulator."""

    def __init__(self, *, world: World, identity: Identity, limits: Limits, faults: Faults) -> None:
        self._world = world
        self._identity = identity
        self._limits = limits
        self._faults = faults

    def clock_view(self) -> dict[str, Any]:
        clock = self._world.clock
        return {"now": iso(clock.now_ms(), fraction=True, suffix="Z"), "frozen": clock.frozen}

    def clock(self, body: dict[str, Any]) -> dict[str, Any]:
        """`advanceSeconds`, `set`, `freeze`."""
        _only(body, "advanceSeconds", "set", "freeze")
        if "advanceSeconds" in body and "set" in body:
            raise BadRequest("give advanceSeconds or set, not both")
        clock = self._world.clock
        if "freeze" in body:
            clock.freeze(_flag(body, "freeze"))
        if "advanceSeconds" in body:
            self._world.move_clock(clock.now_ms() + int(_number(body, "advanceSeconds", signed=True) * SECOND))
        if "set" in body:
            self._world.move_clock(read_iso(body["set"], what="set"))
        return self.clock_view()

    def add_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        fault = fault_kinds.parse(body)
        if fault.organisation is not None:
            self._world.organisation(fault.organisation)
        self._faults.add(fault)
        return {"faults": self._faults.views()}

    def events(self, body: dict[str, Any]) -> dict[str, Any]:
        """Events now. Fields of an event may stand in the body itself or under `overrides`."""
        _only(body, "organisation", "count", "burst", "daysLate", "overrides", *_FIELDS)
        overrides = body.get("overrides", {})
        if not isinstance(overrides, dict):
            raise BadRequest("overrides must be an object with fields of an event")
        overrides = overrides | {name: value for name, value in body.items() if name in _FIELDS}
        if unknown := overrides.keys() - _FIELDS:
            raise BadRequest(f"an event has no field '{sorted(unknown)[0]}'")
        for name in _EVENT_IDS & overrides.keys():
            if overrides[name] is not None or name == "EventId":
                overrides[name] = id_of(overrides[name], what=name)
        for name in ("StartDateTime", "EndDateTime"):
            if overrides.get(name) is not None:
                read_iso(overrides[name], what=name)
        count = _count(body, "count", default=1, most=_MOST_EVENTS)
        if "EventId" in overrides and count > 1:
            raise BadRequest("with an EventId, count can only be 1")
        organisation = self._organisation(body)
        ids = organisation.make(
            count=count,
            overrides=overrides,
            now_ms=self._world.now_ms(),
            burst=_flag(body, "burst"),
            days_late=_number(body, "daysLate"),
        )
        return {"eventIds": [str(event_id) for event_id in ids]}

    def amendment(self, body: dict[str, Any]) -> dict[str, Any]:
        """`type` is QuarantinedEvent or ReassignedEvent; a new driver is drawn where none is named."""
        _only(body, "organisation", "eventId", "type", "newDriverId")
        organisation = self._organisation(body)
        driver = body.get("newDriverId")
        made = organisation.amend(
            event_id=id_of(body.get("eventId"), what="eventId"),
            kind=str(body.get("type", "QuarantinedEvent")),
            new_driver_id=None if driver is None else id_of(driver, what="newDriverId"),
            now_ms=self._world.now_ms(),
        )
        amendment: dict[str, Any] = truth.with_text_ids(made.body())
        return amendment

    def support(self, body: dict[str, Any]) -> dict[str, Any]:
        """`reveal` lists the rows that were to appear later; `remove` takes the last so many rows off a list."""
        _only(body, "organisation", "list", "reveal", "remove", "restore")
        lists = self._organisation(body).support
        by_name = {
            "drivers": lists.drivers,
            "vehicles": lists.vehicles,
            "eventtypes": [kind.row for kind in lists.types],
        }
        name = body.get("list")
        if name is not None and name not in by_name:
            raise BadRequest(f"list must be one of: {', '.join(by_name)}; not {name!r}")
        rows = [row for key, each in by_name.items() if name in (None, key) for row in each]
        if _flag(body, "reveal"):
            for row in rows:
                row.listed_at = 0
        if _flag(body, "restore"):
            for row in rows:
                row.removed = False
        if "remove" in body:
            if name is None:
                raise BadRequest("say which list to remove rows from")
            present = [row for row in rows if not row.removed]
            for row in present[len(present) - _count(body, "remove", default=0, most=len(present)) :]:
                row.removed = True
        now = self._world.now_ms()
        return {key: sum(row.listed_at <= now and not row.removed for row in each) for key, each in by_name.items()}

    def generate(self, body: dict[str, Any]) -> dict[str, Any]:
        """`eventsPerMinute` (from now on), `until` (no event after that time), `stop`."""
        _only(body, "eventsPerMinute", "until", "stop")
        if not body:
            raise BadRequest("give eventsPerMinute, until or stop")
        if "eventsPerMinute" in body:
            self._world.set_events_per_minute(_number(body, "eventsPerMinute"))
        if "until" in body:
            self._world.stop_at(read_iso(body["until"], what="until"))
        if _flag(body, "stop"):
            self._world.set_events_per_minute(0)
        return {"eventsPerMinute": self._world.events_per_minute, **self.clock_view()}

    def credentials(self, body: dict[str, Any]) -> dict[str, Any]:
        """`password`, `clientSecret`, `revokeClient`, `revokeRefreshTokens`, `revokeAccessTokens`."""
        _only(body, "password", "clientSecret", "revokeClient", "revokeRefreshTokens", "revokeAccessTokens")
        for name in ("password", "clientSecret"):
            if name in body and not isinstance(body[name], str):
                raise BadRequest(f"{name} must be text")
        self._identity.change(
            password=body.get("password"),
            client_secret=body.get("clientSecret"),
            client_revoked=_flag(body, "revokeClient") if "revokeClient" in body else None,
        )
        if _flag(body, "revokeRefreshTokens"):
            self._identity.revoke_refresh_tokens()
        if _flag(body, "revokeAccessTokens"):
            self._identity.revoke_access_tokens()
        return {"changed": sorted(body)}

    def tokens(self) -> dict[str, Any]:
        """Every token that was given."""
        return {"tokens": self._identity.issued()}

    def organisations(self, body: dict[str, Any]) -> dict[str, Any]:
        """`organisation` with `forbidden`, or `add` with an optional `name`."""
        _only(body, "organisation", "forbidden", "add", "name")
        if _flag(body, "add"):
            name = body.get("name")
            if name is not None and not isinstance(name, str):
                raise BadRequest("name must be text")
            return truth.organisation_row(self._world.add(name=name))
        organisation = self._organisation(body)
        organisation.forbidden = _flag(body, "forbidden")
        return truth.organisation_row(organisation)

    def limits(self, body: dict[str, Any]) -> dict[str, Any]:
        """`requestsPerMinute`, `pauseSeconds`, `enforce`; `reset` forgets what was counted."""
        _only(body, "requestsPerMinute", "pauseSeconds", "enforce", "reset")
        limits = self._limits
        if "requestsPerMinute" in body:
            limits.requests_per_minute = max(1, int(_number(body, "requestsPerMinute")))
        if "pauseSeconds" in body:
            limits.pause_seconds = _number(body, "pauseSeconds")
        if "enforce" in body:
            limits.enforce = _flag(body, "enforce")
        if _flag(body, "reset"):
            limits.reset()
        return {
            "requestsPerMinute": limits.requests_per_minute,
            "pauseSeconds": limits.pause_seconds,
            "enforce": limits.enforce,
        }

    def _organisation(self, body: dict[str, Any]) -> Organisation:
        if "organisation" not in body:
            raise BadRequest("say which organisation")
        return self._world.organisation(id_of(body["organisation"], what="organisation"))


def id_of(value: object, *, what: str) -> int:
    """A signed 64-bit id, as a string or a number."""
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int) or not -_ID_LIMIT <= number < _ID_LIMIT:
        raise BadRequest(f"{what} must be a signed 64-bit id, not {value!r}")
    return number


def _only(body: dict[str, Any], *names: str) -> None:
    if unknown := body.keys() - set(names):
        raise BadRequest(f"unknown field '{sorted(unknown)[0]}'; known: {', '.join(sorted(names))}")


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false, not {value!r}")
    return value


def _number(body: dict[str, Any], name: str, *, signed: bool = False) -> float:
    value = body.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (value < 0 and not signed):
        raise BadRequest(f"{name} must be a number{'' if signed else ' from 0 on'}, not {value!r}")
    return float(value)


def _count(body: dict[str, Any], name: str, *, default: int, most: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadRequest(f"{name} must be a whole number from 0 to {most}, not {value!r}")
    return value

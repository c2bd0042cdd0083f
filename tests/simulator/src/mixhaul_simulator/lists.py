"""Answers that are plain lists: support data, organisations, sites, history, amendments."""

from __future__ import annotations

import gzip
from typing import Any, Final

import orjson

from mixhaul_simulator import rewrite
from mixhaul_simulator.damage import whole_body
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import LIST, RECORD, Faults
from mixhaul_simulator.http import Request, Response
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.records import Call
from mixhaul_simulator.support import listed
from mixhaul_simulator.times import DAY, SECOND, WEEK, read_digits
from mixhaul_simulator.world import World

_SHAPES: Final = frozenset({"status-204", "status-206", "bom"})
_SHORT: Final = 3


class Lists:
    """Everything without paging headers."""

    def __init__(self, *, world: World, faults: Faults, gzip: bool) -> None:
        self._world = world
        self._faults = faults
        self._gzip = gzip

    def entities(self, body: bytes) -> list[int]:
        """The `EntityIds` of a history call; they must be JSON numbers."""
        return _ids(_history_body(body), "EntityIds", required=True)

    def answer(self, request: Request, kind: str, parts: dict[str, str], call: Call) -> Response:
        """The list that a call asks for."""
        now = self._world.now_ms()
        hits = {fault.kind for fault in self._faults.strike(LIST | RECORD | _SHAPES, kind, call.organisations)}
        if kind == "history":
            records = self._history(request, parts)
            call.records = len(records)
            if hits & RECORD:
                records = [orjson.dumps(rewrite.rewritten(orjson.loads(record), hits & RECORD)) for record in records]
            body = b"[" + b",".join(records) + b"]"
        else:
            value = self._value(kind, parts, now)
            if isinstance(value, list):
                if "empty-support-list" in hits or "status-204" in hits:
                    value = []
                if "short-support-list" in hits:
                    value = value[: len(value) // _SHORT]
                call.records = len(value)
            body = orjson.dumps(rewrite.rewritten(value, hits & RECORD))
        call.faults_text(sorted(hits))
        return self._respond(request, body, hits)

    def _respond(self, request: Request, body: bytes, hits: set[str]) -> Response:
        if "status-204" in hits:
            return Response(204)
        response = Response(206 if "status-206" in hits else 200, body)
        whole_body(response, bom="bom" in hits)
        if self._gzip and request.accepts_gzip:
            response.body = gzip.compress(response.body, 1)
            response.headers.append(("Content-Encoding", "gzip"))
        return response

    def _value(self, kind: str, parts: dict[str, str], now: int) -> Any:
        if kind == "organisationgroups":
            return [
                {
                    "GroupId": organisation.group_id,
                    "Name": organisation.name,
                    "Type": "OrganisationGroup",
                    "DisplayTimeZone": organisation.time_zone,
                }
                for organisation in self._world.organisations.values()
                if not organisation.forbidden
            ]
        group = int(parts["group"])
        organisation = self._world.owner_of_group(group)
        assert organisation is not None  # the caller has checked it
        lists = organisation.support
        match kind:
            case "drivers":
                return listed(lists.drivers, now)
            case "assets":
                members = _members(organisation, [group])
                rows = listed(lists.vehicles, now)
                return rows if members is None else [row for row in rows if row["SiteId"] in members]
            case "libraryevents":
                return listed([type_.row for type_ in lists.types], now)
            case "subgroups":
                return next(site for site in lists.sites() if site.id == group).tree()
            case _:
                return _amendments(organisation, parts)

    def _history(self, request: Request, parts: dict[str, str]) -> list[bytes]:
        body = _history_body(request.body)
        entities = _ids(body, "EntityIds", required=True)
        types = frozenset(_ids(body, "EventTypeIds", required=False))
        start = read_digits(parts["start"], what="from", digits=14)
        end = read_digits(parts["end"], what="to", digits=14)
        if end < start:
            raise BadRequest("'to' is before 'from'")
        if end - start > WEEK:
            raise BadRequest("the window between 'from' and 'to' is at most 7 days")
        end += SECOND - 1
        by_creation = self._world.settings.history_filter == "creation"
        found: list[bytes] = []
        wanted = frozenset(entities)
        for organisation in {
            id(owner): owner for owner in map(self._world.owner_of_entity, entities) if owner
        }.values():
            groups = [entity for entity in entities if self._world.owner_of_group(entity) is organisation]
            members = _members(organisation, groups) if groups else frozenset()
            sites = {row.id: row.body.get("SiteId") for row in organisation.support.vehicles}
            for created, facts, record in organisation.log.current():
                if not start <= (created if by_creation else facts.started_ms) <= end:
                    continue
                if types and facts.type_id not in types:
                    continue
                if (
                    members is None
                    or facts.asset_id in wanted
                    or facts.driver_id in wanted
                    or sites.get(facts.asset_id) in members
                ):
                    found.append(record)
        return found


def _history_body(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body must be JSON with EntityIds") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object with EntityIds")
    return value


def _ids(body: dict[str, Any], name: str, *, required: bool) -> list[int]:
    ids = body.get(name)
    if ids is None and not required:
        return []
    if not isinstance(ids, list) or any(isinstance(item, bool) or not isinstance(item, int) for item in ids):
        raise BadRequest(f"{name} must be a list of JSON numbers")
    if required and not ids:
        raise BadRequest(f"{name} is empty: name a group, vehicles or drivers")
    return ids


def _members(organisation: Organisation, groups: list[int]) -> frozenset[int] | None:
    """The sites below these groups; None for all of the organisation, vehicles without a known site too."""
    if organisation.group_id in groups:
        return None
    return frozenset(below.id for site in organisation.support.sites() if site.id in groups for below in site.walk())


def _amendments(organisation: Organisation, parts: dict[str, str]) -> list[dict[str, Any]]:
    start = read_digits(parts["start"], what="from", digits=8)
    end = read_digits(parts["end"], what="to", digits=8)
    if end < start:
        raise BadRequest("'to' is before 'from'")
    if end - start > 6 * DAY:
        raise BadRequest("amendments are given for at most 7 days, both ends counted: 'to' is at most 'from' + 6")
    return [amendment.body() for amendment in organisation.amendments if start <= amendment.at_ms < end + DAY]

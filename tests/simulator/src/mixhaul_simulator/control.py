"""The control port: truth, records, clock, faults, events on demand, credentials, organisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from mixhaul_simulator import commands, truth
from mixhaul_simulator.commands import Commands
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.http import Request, Response
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.records import Records
from mixhaul_simulator.times import iso
from mixhaul_simulator.world import World

_PAGE: Final = 5000
_PARAMETERS: Final = frozenset({"organisation", "offset", "limit", "since", "kind"})


class Control:
    """Handles every request of the control port."""

    def __init__(
        self, *, world: World, records: Records, faults: Faults, turned: Commands, endless: Endless | None
    ) -> None:
        self._world = world
        self._records = records
        self._faults = faults
        self._endless = endless
        self._gets: dict[str, Callable[[dict[str, str]], Any]] = {
            "/control": self._state,
            "/control/records": lambda query: records.view(_number(query, "since", 0)),
            "/control/clock": lambda _: turned.clock_view(),
            "/control/tokens": lambda _: turned.tokens(),
            "/control/faults": lambda _: {"faults": faults.views()},
            "/control/truth/organisations": lambda _: {
                "organisations": [truth.organisation_row(item) for item in self._all()]
            },
            "/control/truth/events": self._events,
            "/control/truth/quarantinable": self._each("records", lambda item, _: truth.quarantinable(item)),
            "/control/truth/drivers": self._each("drivers", truth.drivers),
            "/control/truth/vehicles": self._each("vehicles", truth.vehicles),
            "/control/truth/eventtypes": self._each("eventtypes", truth.event_types),
            "/control/truth/sites": self._each("sites", lambda item, _: truth.sites(item)),
            "/control/truth/amendments": self._each("amendments", lambda item, _: truth.amendments(item)),
            "/control/truth/endless": lambda _: {"organisations": {} if endless is None else endless.view()},
        }
        self._posts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/control/clock": turned.clock,
            "/control/faults": turned.add_fault,
            "/control/events": turned.events,
            "/control/amendments": turned.amendment,
            "/control/support": turned.support,
            "/control/generate": turned.generate,
            "/control/credentials": turned.credentials,
            "/control/organisations": turned.organisations,
            "/control/limits": turned.limits,
        }
        self._deletes: dict[str, Callable[[dict[str, str]], Any]] = {
            "/control/faults": self._clear_faults,
            "/control/records": self._clear_records,
        }

    async def handle(self, request: Request) -> Response:
        try:
            return Response(200, orjson.dumps(self._answer(request)))
        except BadRequest as error:
            return Response(400, orjson.dumps({"error": str(error)}))
        except _NotThere as error:
            return Response(error.status, orjson.dumps({"error": str(error)}))

    def _answer(self, request: Request) -> Any:
        path = request.path.rstrip("/")
        match request.method:
            case "GET" if path in self._gets:
                return self._gets[path](_query(request.query))
            case "POST" if path in self._posts:
                return self._posts[path](_body(request.body))
            case "DELETE" if path in self._deletes:
                return self._deletes[path](_query(request.query))
        known = sorted({*self._gets, *self._posts, *self._deletes})
        if path in known:
            raise _NotThere(405, f"{path} does not take {request.method}")
        raise _NotThere(404, f"there is no {path}; there are: {', '.join(known)}")

    def _all(self) -> list[Organisation]:
        self._world.now_ms()
        return list(self._world.organisations.values())

    def _wanted(self, query: dict[str, str]) -> list[Organisation]:
        organisations = self._all()
        if "organisation" not in query:
            return organisations
        return [self._world.organisation(commands.id_of(query["organisation"], what="organisation"))]

    def _each(
        self, name: str, rows: Callable[[Organisation, int], list[dict[str, Any]]]
    ) -> Callable[[dict[str, str]], Any]:
        """Rows of one or of all organisations; each row says whose it is."""

        def answer(query: dict[str, str]) -> Any:
            now = self._world.now_ms()
            found = [
                row | {"organisation": str(organisation.group_id)}
                for organisation in self._wanted(query)
                for row in rows(organisation, now)
            ]
            return {"total": len(found), name: found}

        return answer

    def _events(self, query: dict[str, str]) -> Any:
        if self._endless is not None:
            raise BadRequest("an endless feed keeps no events; /control/truth/endless has the counts")
        if "organisation" not in query:
            raise BadRequest("say which organisation: /control/truth/events?organisation=ID")
        organisation = self._wanted(query)[0]
        offset, limit = _number(query, "offset", 0), _number(query, "limit", _PAGE)
        return {
            "total": len(organisation.log.order),
            "offset": offset,
            "events": truth.events(organisation, offset, limit),
        }

    def _state(self, _: dict[str, str]) -> Any:
        now = self._world.now_ms()
        return {
            "seed": self._world.settings.seed,
            "startedAt": iso(self._world.start_ms, suffix="Z"),
            "now": iso(now, fraction=True, suffix="Z"),
            "eventsPerMinute": self._world.events_per_minute,
            "organisations": [truth.organisation_row(item) for item in self._all()],
            "faults": self._faults.views(),
            "totals": dict(self._records.totals),
        }

    def _clear_faults(self, query: dict[str, str]) -> Any:
        self._faults.clear(query.get("kind"))
        return {"faults": self._faults.views()}

    def _clear_records(self, _: dict[str, str]) -> Any:
        self._records.clear()
        return {}


class _NotThere(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def _query(text: str) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    if unknown := query.keys() - _PARAMETERS:
        raise BadRequest(f"unknown parameter '{sorted(unknown)[0]}'; known: {', '.join(sorted(_PARAMETERS))}")
    return query


def _body(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise BadRequest(f"{name} must be a whole number from 0 on, not '{text}'")
    return int(text)

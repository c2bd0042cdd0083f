"""From a request's parts to its answer: who asks, whether they may, whether it is known already, and what was seen.

It knows nothing of the HTTP server. A `Problem`, or an exception that `failures` knows, ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import orjson
import structlog

from mixhaul_api import answers, etags, metrics, parsing
from mixhaul_api import problems as known
from mixhaul_api.answers import Kept
from mixhaul_api.audit import View
from mixhaul_api.auth.callers import Caller
from mixhaul_api.call import Call, Services
from mixhaul_api.directory import Scope
from mixhaul_api.parameters.common import NOTHING
from mixhaul_api.problems import RETRY, Problem
from mixhaul_api.representation import JSON, Representation, accepted
from mixhaul_api.routes import Route
from mixhaul_api.subjects import drivers_in
from mixhaul_api.watermarks import Known
from mixhaul_store.errors import StoreError

log = structlog.get_logger("mixhaul_api.request")

LONGEST_ADDRESS: Final = 4096
KEPT_PRIVATELY: Final = "private, no-cache"

Answer = Mapping[str, Any] | Representation


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `headers` are for the answer, whatever that will be."""

    address: str
    path: str
    path_values: Mapping[str, str]
    query: str
    authorization: str | None
    accept: str | None
    if_none_match: str | None
    content_type: str | None
    body: bytes
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is no problem."""

    body: bytes | AsyncIterator[bytes]
    content_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class _Question:
    """A question to a watermarked route, and whose it is."""

    route: Route[Any, Any]
    key: bytes
    caller: Caller
    asked: Asked
    moment: datetime | None

    def tag(self, known: Known) -> str:
        return etags.etag(self.key, known, moment=self.moment)


async def answer(route: Route[Any, Any], services: Services, asked: Asked) -> Answered:
    """The answer to a request for this route."""
    if len(asked.address) > LONGEST_ADDRESS:
        raise Problem(known.URI_TOO_LONG, f"The address is longer than {LONGEST_ADDRESS} characters.")
    caller = await services.verifier.caller(asked.authorization)
    _limit(services, caller, asked)
    _permit(route, caller)
    accept = accepted(asked.accept, (JSON, *route.media)) if route.media else JSON
    question = None
    if route.watermarked:
        key = etags.question(route.operation, asked.path, asked.query, accept, caller)
        question = _Question(route, key, caller, asked, services.clock.now() if route.progressing else None)
    kept = None if question is None else services.answers.find(question.key)
    # What was answered before needs no second look at its parameters.
    parsed = _parsed(route, asked) if kept is None else None
    if services.state.waiting_for is not None:
        raise Problem(known.UNAVAILABLE, f"The API is starting: {services.state.waiting_for}.", headers=RETRY)
    services.audit.admit()
    scope = await services.directory.permitted(caller)
    if question is not None and kept is not None:
        found = _from_memory(services, question, kept, scope)
        if found is not None:
            return found
    parameters, body = parsed or _parsed(route, asked)
    call = Call(
        services=_reading(services, scope),
        caller=caller,
        scope=scope,
        parameters=parameters,
        body=body,
        request_id=asked.request_id,
        accept=accept,
    )
    if route.method != "GET":
        return await _changed(route, call)
    return await _read(route, call, asked, question)


def _limit(services: Services, caller: Caller, asked: Asked) -> None:
    verdict = services.rate_limit.take(caller.subject)
    asked.headers.update(verdict.headers)
    if not verdict.allowed:
        raise Problem(known.TOO_MANY_REQUESTS, "This caller asks too often: wait as Retry-After says.")


def _permit(route: Route[Any, Any], caller: Caller) -> None:
    if caller.roles.isdisjoint(route.roles):
        needed = ", ".join(sorted(route.roles))
        raise Problem(known.FORBIDDEN, f"This needs a token with one of these in its claim `roles`: {needed}.")
    if route.whole_organisation and caller.sites is not None:
        raise Problem(known.FORBIDDEN, "This needs a token that is not limited to some sites.")


def _parsed(route: Route[Any, Any], asked: Asked) -> tuple[Any, Any]:
    parameters = parsing.parameters(route.parameters, path=asked.path_values, query=asked.query)
    if not route.has_body:
        return parameters, NOTHING
    return parameters, parsing.body(route.body, content_type=asked.content_type, raw=asked.body)


def _reading(services: Services, scope: Scope) -> Services:
    """From the primary, as long as the replica lacks something that this process wrote."""
    return replace(services, database=services.primary) if services.watermarks.behind(scope.ids) else services


async def _changed(route: Route[Any, Any], call: Call[Any, Any]) -> Answered:
    answer = await route.handler(call)
    try:
        await call.services.watermarks.wrote(call.services.primary, call.scope.ids)
    except StoreError:
        # The change is committed, so it is answered; until the watermarks are read again nothing is kept.
        call.services.watermarks.forget()
    return _made(answer, tag=None)


async def _read(route: Route[Any, Any], call: Call[Any, Any], asked: Asked, question: _Question | None) -> Answered:
    services = call.services
    scope = call.scope.narrowed(getattr(call.parameters, "organisation_id", None))
    tag = None
    if question is not None:
        marks = services.watermarks.known(scope.ids)
        tag = None if marks is None else question.tag(marks)
        if tag is not None and etags.matches(asked.if_none_match, tag):
            _record(services, route, call.caller, _views(route, call, scope, {}), asked.request_id, unchanged=True)
            return _unchanged(tag)
    answer = await route.handler(call)
    views = _views(route, call, scope, answer)
    items = answer.get("items") if isinstance(answer, Mapping) else None
    searched = getattr(call.parameters, "search", None) is not None
    if question is not None and tag is not None:
        kept = answers.kept(answer, tag=tag, whole=call.scope, scope=scope, views=views, searched=searched)
        if kept is not None:
            services.answers.keep(question.key, kept)
        metrics.ANSWERS.labels("made").inc()
    _record(
        services,
        route,
        call.caller,
        views,
        asked.request_id,
        items=len(items) if isinstance(items, list) else None,
        searched=searched,
    )
    return _made(answer, tag=tag)


def _from_memory(services: Services, question: _Question, kept: Kept, scope: Scope) -> Answered | None:
    """A kept answer, or the news that the caller's own copy is still right; None where the database must be asked."""
    if kept.whole != scope:
        return None
    marks = services.watermarks.known(kept.scope.ids)
    if marks is None:
        return None
    if question.tag(marks) != kept.tag:
        services.answers.forget(question.key)
        return None
    unchanged = etags.matches(question.asked.if_none_match, kept.tag)
    _record(
        services,
        question.route,
        question.caller,
        kept.views,
        question.asked.request_id,
        items=kept.items,
        searched=kept.searched,
        unchanged=unchanged,
    )
    if unchanged:
        return _unchanged(kept.tag)
    metrics.ANSWERS.labels("kept").inc()
    headers = {"Cache-Control": KEPT_PRIVATELY, "ETag": kept.tag} | dict(kept.headers)
    return Answered(kept.text(marks), kept.content_type, headers)


def _unchanged(tag: str) -> Answered:
    metrics.ANSWERS.labels("unchanged").inc()
    return Answered(b"", None, {"Cache-Control": KEPT_PRIVATELY, "ETag": tag}, status=304)


def _made(answer: Answer, *, tag: str | None) -> Answered:
    headers = {"Cache-Control": KEPT_PRIVATELY} | ({} if tag is None else {"ETag": tag})
    if isinstance(answer, Representation):
        return Answered(answer.body, answer.content_type, headers | dict(answer.headers))
    return Answered(orjson.dumps(answer), JSON, headers)


def _views(route: Route[Any, Any], call: Call[Any, Any], scope: Scope, answer: Answer) -> dict[int, frozenset[int]]:
    """The drivers whose data the answer shows, by organisation; with none of them where that is recorded too."""
    found = {organisation_id: set(drivers) for organisation_id, drivers in call.views.drivers.items()}
    ids = {one.public_id: one.id for one in scope.organisations}
    usual = next(iter(ids.values()), None)
    if isinstance(answer, Mapping):
        freshness = answer.get("freshness")
        if isinstance(freshness, list) and len(freshness) == 1:
            usual = ids.get(freshness[0]["organisationId"], usual)
        for public_id, driver_id in drivers_in(answer):
            organisation_id = ids.get(public_id or "", usual)
            if organisation_id is not None:
                found.setdefault(organisation_id, set()).add(driver_id)
    asked_for = getattr(call.parameters, "driver_id", None)
    if asked_for is not None and usual is not None and not any(asked_for in drivers for drivers in found.values()):
        found.setdefault(usual, set()).add(asked_for)
    if not found and route.recorded and usual is not None:
        found[usual] = set()
    return {organisation_id: frozenset(drivers) for organisation_id, drivers in found.items()}


def _record(
    services: Services,
    route: Route[Any, Any],
    caller: Caller,
    views: Mapping[int, frozenset[int]],
    request_id: str,
    *,
    items: int | None = None,
    searched: bool = False,
    unchanged: bool = False,
) -> None:
    for organisation_id, drivers in views.items():
        view = View(
            organisation_id=organisation_id,
            actor=caller.subject,
            action=route.action,
            route=f"{route.method} {route.path}",
            drivers=drivers,
            items=items,
            searched=searched,
            unchanged=unchanged,
        )
        services.audit.viewed(view, request_id=request_id)

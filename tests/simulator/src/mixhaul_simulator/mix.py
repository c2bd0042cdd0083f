"""The data API and the identity server on one port: what happens to a call, in order.

Arrival is counted, then a fault may take the place of the answer, then the token is checked, then the answer is made,
then a fault may damage it on its way.
"""

from __future__ import annotations

import time
from email.utils import formatdate

from mixhaul_simulator import damage, faults, routes
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.feeds import Ask, Feeds, quantity_of, types_of
from mixhaul_simulator.http import Request, Response
from mixhaul_simulator.identity import Identity
from mixhaul_simulator.limits import Limits
from mixhaul_simulator.lists import Lists
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.records import Call, Records
from mixhaul_simulator.routes import Route
from mixhaul_simulator.times import SECOND
from mixhaul_simulator.tokens import Tokens
from mixhaul_simulator.world import World

_UNUSABLE_WITHOUT_BODY = damage.UNUSABLE - {"half-headers"}


class Mix:
    """Handles every request of MiX's port."""

    def __init__(
        self,
        *,
        world: World,
        identity: Identity,
        tokens: Tokens,
        limits: Limits,
        fault_list: Faults,
        records: Records,
        endless: Endless | None,
    ) -> None:
        self._world = world
        self._identity = identity
        self._tokens = tokens
        self._limits = limits
        self._faults = fault_list
        self._records = records
        packed = world.settings.gzip
        self._feeds = Feeds(world=world, tokens=tokens, limits=limits, faults=fault_list, endless=endless, gzip=packed)
        self._lists = Lists(world=world, faults=fault_list, gzip=packed)

    async def handle(self, request: Request) -> Response:
        path = request.path.lower()
        if path.rstrip("/") == "/core/connect/token":
            return self._dated(self._token(request))
        if path == "/core/login":
            return self._dated(damage.html(200, "Entrar"))
        found = routes.find(request.path)
        if found is None:
            self._records.call(received=request.received, route="unknown").status = 404
            return self._dated(damage.refusal(404, f"No HTTP resource was found that matches '{request.path}'."))
        route, parts = found
        if request.method not in route.methods:
            return self._dated(damage.refusal(405, f"The requested resource does not support '{request.method}'."))
        call = self._records.call(received=request.received, route=route.kind)
        try:
            response = self._data(request, route, parts, call)
        except BadRequest as error:
            response = damage.refusal(400, str(error))
        return self._dated(_recorded(response, call))

    def _token(self, request: Request) -> Response:
        call = self._records.call(received=request.received, route="token")
        if request.method != "POST":
            return _recorded(damage.refusal(405, "The token endpoint takes POST."), call)
        before = self._faults.one(faults.BEFORE, "token")
        if before is not None:
            call.faults_text((before.kind,))
            return _recorded(damage.instead(before), call)
        response = self._identity.token(request)
        if self._identity.lose_answer(response):
            call.faults_text(("token-answer-lost",))
        elif (fault := self._faults.one(faults.ON_THE_WAY, "token")) is not None:
            call.faults_text((fault.kind,))
            damage.on_the_way(response, fault)
        return _recorded(response, call)

    def _data(self, request: Request, route: Route, parts: dict[str, str], call: Call) -> Response:
        owners, unseen = self._owners(request, route, parts, call)
        feed = route.kind if route.kind in faults.FEEDS else None
        waits = [
            wait
            for owner in owners
            if (wait := self._limits.arrived(owner.group_id, at=request.received, feed=feed)) is not None
        ]
        if feed is not None:
            self._look_at_token(feed, owners, parts["token"])
        if waits:
            return damage.throttled(max(waits) if self._world.settings.retry_after else None)
        groups = [owner.group_id for owner in owners]
        before = self._faults.one(faults.BEFORE, route.kind, groups)
        if before is not None:
            call.faults_text((before.kind,))
            return damage.instead(before)
        if not self._identity.accepts(request.headers.get("authorization")) or unseen:
            return damage.refusal(401, "Authorization has been denied for this request.")
        response = self._made(request, route, parts, call, owners)
        fault = self._faults.one(faults.ON_THE_WAY, route.kind, groups)
        if fault is not None and not (response.status == 204 and fault.kind in _UNUSABLE_WITHOUT_BODY):
            call.faults_text([kind for kind in (call.fault, fault.kind) if kind])
            damage.on_the_way(response, fault)
            if fault.kind in damage.UNUSABLE:
                response.usable = False
        return response

    def _made(
        self, request: Request, route: Route, parts: dict[str, str], call: Call, owners: list[Organisation]
    ) -> Response:
        if route.kind in faults.FEEDS:
            ask = Ask(
                feed=route.kind,
                organisation=owners[0],
                token=parts["token"],
                quantity=quantity_of(parts["quantity"]),
                types=types_of(request.body) if request.method == "POST" else None,
                sub_trips="includesubtrips=true" in request.query.lower(),
                gzip=request.accepts_gzip,
            )
            return self._feeds.answer(ask, call)
        return self._lists.answer(request, route.kind, parts, call)

    def _owners(
        self, request: Request, route: Route, parts: dict[str, str], call: Call
    ) -> tuple[list[Organisation], bool]:
        """The organisations that a call is about, and whether it names something that this login can't see."""
        if route.kind == "organisationgroups":
            return [], False
        if route.kind == "history":
            found = [self._world.owner_of_entity(entity) for entity in self._lists.entities(request.body)]
        else:
            call.token_asked = parts.get("token")
            found = [self._world.owner_of_group(_id(parts["group"]))]
        owners = list({owner.group_id: owner for owner in found if owner is not None}.values())
        call.organisations = [owner.group_id for owner in owners]
        return owners, None in found or any(owner.forbidden for owner in owners)

    def _look_at_token(self, feed: str, owners: list[Organisation], token: str) -> None:
        """Record a token that was never given. Dead and unreadable ones get their sentence later."""
        now = self._world.clock.now_ms()
        try:
            ms = self._tokens.read(token, now_ms=now)
        except BadRequest:
            return
        for owner in owners:
            reason = self._tokens.fault_of(owner.group_id, feed, token, ms=ms, now_ms=now)
            if reason is not None:
                self._records.violation(
                    "token-not-given", organisation=owner.group_id, feed=feed, token=token, reason=reason
                )

    def _dated(self, response: Response) -> Response:
        response.headers.append(("Date", formatdate(self._world.clock.now_ms() / SECOND, usegmt=True)))
        return response


def _recorded(response: Response, call: Call) -> Response:
    """Write down when the answer begins and that it left whole."""
    call.status = None if response.wire is not None and response.wire.silent else response.status
    started, sent = response.started, response.sent

    def begin() -> None:
        call.answered = time.monotonic()
        call.outcome = "begun"
        if started is not None:
            started()

    def end() -> None:
        call.outcome = "sent"
        if sent is not None:
            sent()

    response.started, response.sent = begin, end
    return response


def _id(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f"'{text}' is not an organisation or group id") from error

"""Answers of the feeds: pages with their two headers, and what faults make of them."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from typing import Final

import orjson

from mixhaul_simulator import otherfeeds, rewrite
from mixhaul_simulator.damage import whole_body
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import PAGE, RECORD, Fault, Faults
from mixhaul_simulator.feedlog import EventLog, FeedLog, Page
from mixhaul_simulator.http import Response
from mixhaul_simulator.limits import Limits
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.records import Call
from mixhaul_simulator.times import MINUTE
from mixhaul_simulator.tokens import NEW, Tokens
from mixhaul_simulator.world import World

MOST: Final = 1000
_REDELIVERED: Final = 40
_REACH: Final = 5000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a feed call asks for."""

    feed: str
    organisation: Organisation
    token: str
    quantity: int
    types: frozenset[int] | None
    sub_trips: bool
    gzip: bool


@dataclass(slots=True)
class _Shape:
    """A page on its way through the faults."""

    records: list[bytes]
    has_more: bool
    token_ms: int
    untouchable: frozenset[bytes]


class Feeds:
    """Pages of all feeds."""

    def __init__(
        self, *, world: World, tokens: Tokens, limits: Limits, faults: Faults, endless: Endless | None, gzip: bool
    ) -> None:
        self._world = world
        self._tokens = tokens
        self._limits = limits
        self._faults = faults
        self._endless = endless
        self._gzip = gzip

    def answer(self, ask: Ask, call: Call) -> Response:
        """One page."""
        now = self._world.now_ms()
        group = ask.organisation.group_id
        after = self._tokens.read(ask.token, now_ms=now)
        if after > now + MINUTE and not self._tokens.known(group, ask.feed, ask.token):
            raise BadRequest(f"sincetoken '{ask.token}' lies in the future")
        if ask.feed == "feed" and self._endless is not None:
            body, count, token_ms = self._endless.page(group, after, ask.quantity)
            return self._respond(ask, call, body=body, count=count, has_more=True, token_ms=token_ms, hits=[])
        log = self._log(ask)
        hits = self._faults.strike(PAGE | RECORD, ask.feed, (group,))
        kinds = {fault.kind for fault in hits}
        page = self._page(log, after, ask, kinds, now)
        shape = _Shape(list(page.records), page.has_more, page.token_ms, _untouchable(log, page))
        self._shape(shape, log, page, after, kinds)
        if ask.feed == "trips" and not ask.sub_trips:
            shape.records = [otherfeeds.without_subtrips(record) for record in shape.records]
        if wanted := kinds & RECORD:
            shape.records = [_rewritten(record, wanted, shape.untouchable) for record in shape.records]
        log.given(shape.token_ms)
        return self._respond(
            ask,
            call,
            body=b"[" + b",".join(shape.records) + b"]",
            count=len(shape.records),
            has_more=shape.has_more,
            token_ms=shape.token_ms,
            hits=hits,
        )

    def _log(self, ask: Ask) -> FeedLog:
        if ask.feed == "feed":
            return ask.organisation.log
        return self._world.other_log(ask.organisation, ask.feed)

    def _page(self, log: FeedLog, after: int, ask: Ask, kinds: set[str], now: int) -> Page:
        if ask.token == NEW:
            return Page([], len(log), len(log), max(now, log.created[-1] if len(log) else 0), has_more=False)
        quantity = ask.quantity
        if "short-page" in kinds:
            quantity = max(1, quantity // 3)
        if "oversize-page" in kinds:
            quantity = quantity * 3 // 2
        if ask.types is not None and isinstance(log, EventLog):
            return log.page_of_types(after, quantity, types=ask.types, now_ms=now)
        return log.page(after, quantity, now_ms=now)

    def _shape(self, shape: _Shape, log: FeedLog, page: Page, after: int, kinds: set[str]) -> None:
        if "empty-page-more" in kinds or "status-204" in kinds:
            if shape.records or "empty-page-more" in kinds:
                shape.has_more, shape.token_ms = True, after
            shape.records = []
            return
        if "redeliver" in kinds and page.start:
            first = max(0, page.start - _REACH)
            spoilt = _bad(log, first, page.start)
            earlier = [record for record in log.live(first, page.start) if record not in spoilt]
            picked = [earlier[self._faults.below(len(earlier))] for _ in range(min(_REDELIVERED, len(earlier)))]
            shape.records = picked + shape.records
        if "duplicate-page-events" in kinds and shape.records:
            for _ in range(len(shape.records) // 10 + 1):
                record = shape.records[self._faults.below(len(shape.records))]
                shape.records.insert(self._faults.below(len(shape.records) + 1), record)

    def _respond(
        self, ask: Ask, call: Call, *, body: bytes, count: int, has_more: bool, token_ms: int, hits: list[Fault]
    ) -> Response:
        kinds = {fault.kind for fault in hits}
        group, feed = ask.organisation.group_id, ask.feed
        text = self._tokens.text(token_ms)
        call.token_given, call.has_more, call.records = text, has_more, count
        call.faults_text(sorted(kinds))
        response = Response(206 if "status-206" in kinds else 200, body)
        if "status-204" in kinds:
            response.status, response.body = 204, b""
        whole_body(response, bom="bom" in kinds and response.status != 204)
        if self._gzip and ask.gzip and response.body:
            response.body = gzip.compress(response.body, 1)
            response.headers.append(("Content-Encoding", "gzip"))
        if "garbage-has-more" in kinds:
            response.headers.append(("HasMoreItems", "Maybe"))
            response.usable = False
        elif "missing-has-more" in kinds:
            response.usable = False
        else:
            response.headers.append(("HasMoreItems", str(has_more)))
        if "missing-token" in kinds:
            response.usable = False
        else:
            response.headers.append(("GetSinceToken", text))

        def started() -> None:
            self._tokens.given(group, feed, text, ms=token_ms, whole=False)
            if not has_more:
                at = time.monotonic() if response.usable else call.received
                self._limits.said_no_more(group, at=at, asked_at=call.received, feed=feed)

        def sent() -> None:
            if response.usable:
                self._tokens.given(group, feed, text, ms=token_ms, whole=True)

        response.started, response.sent = started, sent
        return response


def quantity_of(text: str) -> int:
    """A page size, from 1 to 1000."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise BadRequest(f"quantity must be a whole number from 1 to {MOST}, not '{text}'")
    return int(text)


def types_of(body: bytes) -> frozenset[int]:
    """The event types of a filtered call: a JSON list of numbers."""
    try:
        ids = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body must be a JSON list of event type ids") from error
    if not isinstance(ids, list) or any(isinstance(item, bool) or not isinstance(item, int) for item in ids):
        raise BadRequest("the body must be a JSON list of event type ids, which are numbers")
    return frozenset(ids)


def _bad(log: FeedLog, start: int, stop: int) -> frozenset[bytes]:
    if not isinstance(log, EventLog) or not log.bad:
        return frozenset()
    return frozenset(record for place in log.bad if start <= place < stop and (record := log.records[place]))


def _untouchable(log: FeedLog, page: Page) -> frozenset[bytes]:
    return _bad(log, page.start, page.stop)


def _rewritten(record: bytes, kinds: set[str], untouchable: frozenset[bytes]) -> bytes:
    if record in untouchable:
        return record
    return orjson.dumps(rewrite.rewritten(orjson.loads(record), kinds))

"""The MiX Integrate client: every call the product makes, each with a permit of a shared budget and a shared login.

`feed_page` and `events_between` are one attempt (and one more after a 401): when and with what to ask again is the
caller's decision. The lists retry transient errors themselves. The client stores nothing and decides nothing about
cursors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import msgspec
import stamina
from msgspec import Raw

from mixhaul_mix import metrics, pages, types
from mixhaul_mix.errors import (
    AnswerTooLarge,
    MixError,
    OrganisationForbidden,
    PageInvalid,
    RequestRejected,
    ServerError,
    Throttled,
    TokenExpired,
    TransientMixError,
)
from mixhaul_mix.identity import Access, Credentials, Identity, Sleep
from mixhaul_mix.permits import account, slot
from mixhaul_mix.protocols import Budget, TokenStore
from mixhaul_mix.since import day_stamp, stamp, token_segment
from mixhaul_mix.transport import Answer, Request, Timeouts, Transport, base_url

T = TypeVar("T")
Feed = Literal["events", "positions", "trips", "activeevents"]
EntityType = Literal["Asset", "Driver"]

_GOOD: Final = frozenset({200, 204, 206})
_PASSING: Final = frozenset({408, 425})
# A list is not waited for longer than this: its caller has better to do.
MAX_PATIENCE_SECONDS: Final = 120.0
# History has no pages: a longer list than this is asked for in smaller intervals, lest it fill the memory.
MAX_HISTORY_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Retries:
    """How the lists are tried again: tries in all, and seconds."""

    attempts: int = 4
    wait_initial: float = 1.0
    wait_max: float = 30.0
    wait_jitter: float = 1.0


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page: its body with no content encoding left, its records not read yet, and how to go on."""

    body: bytes = field(repr=False)
    records: list[Raw] = field(repr=False)
    has_more: bool
    next_token: str
    requested_token: str
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class _Call:
    """One request of the data API, without its token."""

    endpoint: str
    path: str
    deadline_seconds: float
    organisation: int | None = None
    body: Any = None
    feed: bool = False
    max_body_bytes: int | None = None


class MixClient:
    """Use as `async with MixClient(...) as client`."""

    def __init__(
        self,
        *,
        api_url: str,
        identity_url: str,
        client_id: str,
        client_secret: str,
        username: str,
        password: str,
        tokens: TokenStore,
        identity_budget: Budget,
        ca_file: Path | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._api_url = base_url(api_url, which="API URL")
        self._transport = Transport(ca_file=ca_file, timeouts=timeouts)
        self._timeouts = self._transport.timeouts
        self._retries = retries or Retries()
        self._identity = Identity(
            transport=self._transport,
            identity_url=base_url(identity_url, which="identity URL"),
            credentials=Credentials(client_id, client_secret, username, password),
            tokens=tokens,
            budget=identity_budget,
            sleep=sleep,
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def clock_offset(self) -> timedelta:
        """How far MiX's clock is ahead of ours, as its last answer said; zero below two seconds."""
        return self._transport.clock_offset

    # --- feeds -------------------------------------------------------------------------------------------------------

    async def feed_page(
        self,
        *,
        organisation_id: int,
        token: str,
        quantity: int,
        budget: Budget,
        feed: Feed = "events",
        include_sub_trips: bool | None = None,
        token_may_be_expired: bool = False,
    ) -> FeedPage:
        """The page after `token`. `token_may_be_expired` says how a 400 is to be taken: TokenExpired or
        RequestRejected. `include_sub_trips` is for trips."""
        query = "" if include_sub_trips is None else f"?includeSubTrips={include_sub_trips}"
        return await self._page(
            self._feed_call(feed, organisation_id, token, quantity, query=query),
            token=token,
            budget=budget,
            token_may_be_expired=token_may_be_expired,
        )

    async def filtered_feed_page(
        self,
        *,
        organisation_id: int,
        token: str,
        quantity: int,
        event_type_ids: Sequence[int],
        budget: Budget,
        token_may_be_expired: bool = False,
    ) -> FeedPage:
        """As `feed_page` of events, of these types only."""
        return await self._page(
            self._feed_call("events", organisation_id, token, quantity, body=list(event_type_ids)),
            token=token,
            budget=budget,
            token_may_be_expired=token_may_be_expired,
        )

    def _feed_call(
        self, feed: str, organisation_id: int, token: str, quantity: int, *, query: str = "", body: Any = None
    ) -> _Call:
        return _Call(
            endpoint=f"feed_{feed}",
            path=f"api/{feed}/groups/createdsince/organisation/{int(organisation_id)}"
            f"/sincetoken/{token_segment(token)}/quantity/{int(quantity)}{query}",
            deadline_seconds=self._timeouts.feed,
            organisation=organisation_id,
            body=body,
            feed=True,
        )

    async def _page(self, call: _Call, *, token: str, budget: Budget, token_may_be_expired: bool) -> FeedPage:
        answer, observed_at = await self._attempt(call, budget)
        if answer.status == 400 and token_may_be_expired:
            raise TokenExpired(answer.status)
        _check_status(answer, call)
        return FeedPage(
            has_more=pages.has_more(answer),
            next_token=pages.next_token(answer),
            body=answer.body,
            records=pages.records(answer),
            requested_token=token,
            observed_at=observed_at,
        )

    # --- history and amendments --------------------------------------------------------------------------------------

    async def events_between(
        self,
        entity_ids: Sequence[int],
        *,
        start: datetime,
        end: datetime,
        budget: Budget,
        entity_type: EntityType = "Asset",
        organisation_id: int | None = None,
    ) -> types.RecordList:
        """The events of groups, by `entity_type`, with a time between `start` and `end` (at most 7 days apart). Whole
        seconds count.

        Raises AnswerTooLarge or Timeout where a smaller interval may be the answer.
        """
        call = _Call(
            endpoint="history",
            path=f"api/events/groups/entitytype/{entity_type}/from/{stamp(start)}/to/{stamp(end)}",
            deadline_seconds=self._timeouts.history,
            organisation=organisation_id,
            body={"EntityIds": list(entity_ids)},
            max_body_bytes=MAX_HISTORY_BYTES,
        )
        answer, observed_at = await self._attempt(call, budget)
        _check_status(answer, call)
        return types.RecordList(answer.body, pages.records(answer), observed_at)

    async def amendments(
        self, organisation_id: int, *, start: datetime, end: datetime, budget: Budget
    ) -> types.RecordList:
        """What was amended on the days from `start` to `end`, both counted, at most 7."""
        call = _Call(
            endpoint="amendments",
            path=f"api/events/groups/amended/{int(organisation_id)}/from/{day_stamp(start)}/to/{day_stamp(end)}",
            deadline_seconds=self._timeouts.history,
            organisation=organisation_id,
        )
        return await self._listed(
            call, budget, lambda answer, at: types.RecordList(answer.body, pages.records(answer), at)
        )

    # --- support data ------------------------------------------------------------------------------------------------

    async def drivers(self, organisation_id: int, *, budget: Budget) -> types.Listing[types.Driver]:
        """Every driver of an organisation."""
        return await self._listed(
            self._support("drivers", f"api/drivers/organisation/{int(organisation_id)}", organisation_id),
            budget,
            lambda answer, at: types.drivers(pages.records(answer), observed_at=at),
        )

    async def vehicles(self, group_id: int, *, budget: Budget) -> types.Listing[types.Vehicle]:
        """Every vehicle of a group; an organisation's id is a group id."""
        return await self._listed(
            self._support("vehicles", f"api/assets/group/{int(group_id)}", group_id),
            budget,
            lambda answer, at: types.listing(types.VEHICLE, pages.records(answer), observed_at=at),
        )

    async def event_types(self, organisation_id: int, *, budget: Budget) -> types.Listing[types.EventType]:
        """The event-type library of an organisation."""
        return await self._listed(
            self._support("event_types", f"api/libraryevents/organisation/{int(organisation_id)}", organisation_id),
            budget,
            lambda answer, at: types.listing(types.EVENT_TYPE, pages.records(answer), observed_at=at),
        )

    async def organisations(self, *, budget: Budget) -> types.Listing[types.Organisation]:
        """Every organisation that the login sees."""
        return await self._listed(
            self._support("organisations", "api/organisationgroups", None),
            budget,
            lambda answer, at: types.listing(types.ORGANISATION, pages.records(answer), observed_at=at),
        )

    async def sites(self, group_id: int, *, budget: Budget) -> types.Listing[types.Site]:
        """The tree of groups below a group, flat, parents first."""
        return await self._listed(
            self._support("sites", f"api/organisationgroups/subgroups/{int(group_id)}", group_id),
            budget,
            lambda answer, at: types.sites(pages.tree(answer), observed_at=at),
        )

    def _support(self, endpoint: str, path: str, organisation: int | None) -> _Call:
        return _Call(endpoint=endpoint, path=path, deadline_seconds=self._timeouts.support, organisation=organisation)

    # --- one call ----------------------------------------------------------------------------------------------------

    async def _listed(self, call: _Call, budget: Budget, read: Callable[[Answer, datetime], T]) -> T:
        """A whole list, tried again where that may help."""
        reason = ""

        def delay(error: Exception) -> bool | float:
            nonlocal reason
            if not isinstance(error, TransientMixError):
                return False
            reason = type(error).__name__
            after = error.retry_after_seconds
            return True if after is None else after <= MAX_PATIENCE_SECONDS and max(after, self._retries.wait_initial)

        async for attempt in stamina.retry_context(
            on=delay,
            attempts=self._retries.attempts,
            timeout=None,
            wait_initial=self._retries.wait_initial,
            wait_max=self._retries.wait_max,
            wait_jitter=self._retries.wait_jitter,
        ):
            with attempt:
                if attempt.num > 1:
                    metrics.RETRIES.labels(call.endpoint, reason).inc()
                answer, observed_at = await self._attempt(call, budget)
                _check_status(answer, call)
                return read(answer, observed_at)
        raise AssertionError("stamina ends by an answer or an error")

    async def _attempt(self, call: _Call, budget: Budget) -> tuple[Answer, datetime]:
        """One whole answer, and when it was asked for. A first 401 costs the token and is tried again."""
        for last in (False, True):
            access = await self._identity.access()
            async with slot(budget) as held:
                try:
                    answer = await self._transport.call(
                        self._request(call, access),
                        deadline_seconds=call.deadline_seconds,
                        before_send=held.renew_if_late,
                        max_body_bytes=call.max_body_bytes,
                    )
                except MixError as error:
                    if not error.sent:
                        await held.permit.not_sent()
                    raise
                await account(held.permit, answer, feed=call.feed)
                observed_at = held.observed_at
            if answer.status != 401:
                return answer, observed_at
            if not last:
                await self._identity.refused(access)
        raise OrganisationForbidden(call.organisation)

    def _request(self, call: _Call, access: Access) -> Request:
        headers = {"Authorization": f"Bearer {access.token}", "Accept": "application/json"}
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(call.body)
        return Request(
            endpoint=call.endpoint,
            method="GET" if content is None else "POST",
            url=f"{self._api_url}/{call.path}",
            headers=headers,
            content=content,
        )


def _check_status(answer: Answer, call: _Call) -> None:
    """Raises unless the answer is one that carries what was asked for."""
    status = answer.status
    if status in _GOOD:
        return
    if status == 403:
        raise OrganisationForbidden(call.organisation)
    if status == 429:
        raise Throttled(retry_after_seconds=pages.retry_after_seconds(answer))
    if status == 413:
        raise AnswerTooLarge("MiX has more for it than it gives at once (status 413)")
    if status >= 500 or status in _PASSING:
        raise ServerError(status, retry_after_seconds=pages.retry_after_seconds(answer))
    if 400 <= status < 500:
        raise RequestRejected(status, endpoint=call.endpoint)
    what = "a redirect" if 300 <= status < 400 else "an answer"
    raise PageInvalid(f"it is {what} with status {status}")

"""The client over real sockets: pages, lists, permits, retries."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from mixhaul_mix import permits, types
from mixhaul_mix.client import MixClient, Retries
from mixhaul_mix.errors import (
    AnswerCutShort,
    AnswerTooLarge,
    ConnectionFailed,
    MixError,
    OrganisationForbidden,
    PageInvalid,
    RequestRejected,
    ServerError,
    Throttled,
    Timeout,
    TokenExpired,
    UnusableEndpoint,
)
from support.http_script import ScriptedServer, Step, answer, hang, message, page, raw, reset
from support.mix_client import NO_WAIT, Bench, bench, make_client, token
from support.mix_doubles import MemoryBudget, logged_in
from support.mix_events import encoded, event

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HTML = (("Content-Type", "text/html"),)


async def feed(b: Bench, **more: Any) -> Any:
    asked = {"organisation_id": -9007199254740993, "token": "20260101000000000", "quantity": 1000, "budget": b.budget}
    return await b.client.feed_page(**(asked | more))


async def test_a_page() -> None:
    body = b"\xef\xbb\xbf[" + encoded(event()) + b", 5]"
    async with bench(page(body, more="True", token="next-1.2_3~", gzipped=True)) as b:
        got = await feed(b)
        (request,) = b.server.requests
        assert (request.method, request.target) == (
            "GET",
            "/api/events/groups/createdsince/organisation/-9007199254740993/sincetoken/20260101000000000/quantity/1000",
        )
        assert request.header("Authorization") == "Bearer good-access-token"
        assert request.header("Accept") == "application/json"
        assert got.body == body
        assert [bytes(one) for one in got.records] == [encoded(event()), b"5"]
        assert (got.has_more, got.next_token, got.requested_token) == (True, "next-1.2_3~", "20260101000000000")
        assert got.observed_at == b.budget.permits[0].observed_at
        assert b.budget.outcomes == ["answered True"]


@pytest.mark.parametrize(
    ("step", "records"),
    [
        pytest.param(page(b"[]"), 0, id="empty"),
        pytest.param(page(b"", status=204), 0, id="204"),
        pytest.param(page(b'[{"EventId":1}]', status=206), 1, id="206"),
        pytest.param(page(b'[{"EventId":1}]', headers=()), 1, id="without a content type"),
        pytest.param(page(b'[{"EventId":"\\ud800"},{"EventId":2}]'), 2, id="a record that is broken"),
        pytest.param(page(b"[" + b",".join([b"{}"] * 5000) + b"]"), 5000, id="more than asked for"),
    ],
)
async def test_other_forms_of_a_page(step: Step, records: int) -> None:
    async with bench(step) as b:
        got = await feed(b)
        assert (len(got.records), got.has_more) == (records, False)
        assert b.budget.outcomes == ["answered False"]


async def test_an_empty_page_may_say_that_there_is_more() -> None:
    async with bench(page(b"[]", more="True")) as b:
        assert (await feed(b)).has_more is True


async def test_a_token_goes_back_byte_for_byte() -> None:
    async with bench(page(token="aB3-._~x"), page(token="a+b=c:d;(e)*!$&',@"), page(token="f/g%2F?#"), page()) as b:
        got = await feed(b)
        got = await feed(b, token=got.next_token)
        got = await feed(b, token=got.next_token)
        await feed(b, token=got.next_token)
        segments = [request.target.split("/")[8] for request in b.server.requests]
        assert segments == ["20260101000000000", "aB3-._~x", "a+b=c:d;(e)*!$&',@", "f%2Fg%252F%3F%23"]


async def test_the_other_feeds_and_the_filtered_one() -> None:
    async with bench(page(), page(), page(), page()) as b:
        await feed(b, feed="trips", include_sub_trips=True)
        await feed(b, feed="positions")
        await feed(b, feed="activeevents", token="NEW")
        ids = [-(2**63), 2**53 + 1]
        await b.client.filtered_feed_page(
            organisation_id=7, token="NEW", quantity=10, event_type_ids=ids, budget=b.budget
        )
        tail = "createdsince/organisation"
        assert [(one.method, one.target) for one in b.server.requests] == [
            (
                "GET",
                f"/api/trips/groups/{tail}/-9007199254740993/sincetoken/20260101000000000/quantity/1000?includeSubTrips=True",
            ),
            ("GET", f"/api/positions/groups/{tail}/-9007199254740993/sincetoken/20260101000000000/quantity/1000"),
            ("GET", f"/api/activeevents/groups/{tail}/-9007199254740993/sincetoken/NEW/quantity/1000"),
            ("POST", f"/api/events/groups/{tail}/7/sincetoken/NEW/quantity/10"),
        ]
        assert b.server.requests[3].body == b"[-9223372036854775808,9007199254740993]"
        assert b.server.requests[3].header("Content-Type") == "application/json"


@pytest.mark.parametrize(
    ("step", "kind", "outcome"),
    [
        pytest.param(page(more=None), PageInvalid, "answered False", id="no HasMoreItems"),
        pytest.param(page(more="maybe"), PageInvalid, "answered False", id="odd HasMoreItems"),
        pytest.param(page(token=None, more="True"), PageInvalid, "answered True", id="no GetSinceToken"),
        pytest.param(page(token="a b"), PageInvalid, "answered False", id="odd GetSinceToken"),
        pytest.param(page(b'[{"a":1}'), PageInvalid, "answered False", id="JSON ends early"),
        pytest.param(page(b""), PageInvalid, "answered False", id="nothing in it"),
        pytest.param(page(b"null"), PageInvalid, "answered False", id="null"),
        pytest.param(answer(200, b"<html>Sign in", HTML), PageInvalid, "answered False", id="HTML page"),
        pytest.param(page(b"[]", headers=HTML), PageInvalid, "answered False", id="HTML by its type"),
        pytest.param(page(b"  <!DOCTYPE html>"), PageInvalid, "answered False", id="HTML by its body"),
        pytest.param(page(status=203), PageInvalid, "answered False", id="another 2xx"),
        pytest.param(answer(302, b"", (("Location", "/login"),)), PageInvalid, "answered None", id="redirect"),
        pytest.param(
            page(headers=(("HasMoreItems", "True"),)), PageInvalid, "answered False", id="two that contradict"
        ),
        pytest.param(answer(500, b""), ServerError, "answered None", id="500"),
        pytest.param(answer(502, b"<html>", HTML), ServerError, "answered None", id="502"),
        pytest.param(answer(408, b""), ServerError, "answered None", id="408"),
        pytest.param(answer(429, b""), Throttled, "throttled None", id="429"),
        pytest.param(answer(429, b"", (("Retry-After", "17"),)), Throttled, "throttled 17.0", id="429 Retry-After"),
        pytest.param(answer(503, b"", (("Retry-After", "9"),)), ServerError, "throttled 9.0", id="503 Retry-After"),
        pytest.param(answer(403, b""), OrganisationForbidden, "answered None", id="403"),
        pytest.param(answer(400, b""), RequestRejected, "answered None", id="400"),
        pytest.param(answer(404, b""), RequestRejected, "answered None", id="404"),
        pytest.param(reset(), ConnectionFailed, "unknown", id="reset"),
        pytest.param(raw(message(200, b"[", length=99)), AnswerCutShort, "unknown", id="cut short"),
        pytest.param(answer(200, b"xx", (("Content-Encoding", "gzip"),)), AnswerCutShort, "unknown", id="no gzip"),
        pytest.param(hang(), Timeout, "unknown", id="no answer"),
    ],
)
async def test_a_page_that_does_not_happen(step: Step, kind: type[MixError], outcome: str) -> None:
    async with bench(step) as b:
        with pytest.raises(kind) as caught:
            await feed(b)
        assert type(caught.value) is kind
        assert caught.value.answered is (outcome != "unknown")
        assert b.budget.outcomes == [outcome]


async def test_a_call_that_was_never_sent_gives_its_permit_back() -> None:
    budget = MemoryBudget()
    async with ScriptedServer() as server:
        client = make_client(server, logged_in(), MemoryBudget())
    async with client:
        with pytest.raises(ConnectionFailed):
            await client.feed_page(organisation_id=1, token="NEW", quantity=1, budget=budget)
    assert budget.outcomes == ["not sent"]


@pytest.mark.parametrize(("hint", "kind"), [(True, TokenExpired), (False, RequestRejected)])
async def test_a_400_is_an_expired_token_only_where_it_may_be(hint: bool, kind: type[MixError]) -> None:
    async with bench(answer(400, b"")) as b:
        with pytest.raises(kind):
            await feed(b, token_may_be_expired=hint)


async def test_a_first_401_costs_the_token_and_is_tried_again() -> None:
    async with bench(answer(401, b""), token("fresh"), page()) as b:
        await feed(b)
        assert [one.header("Authorization") for one in b.calls] == ["Bearer good-access-token", "Bearer fresh"]
        assert b.tokens.log == ["invalidate 0", "begin refresh_token", "complete 3600"]
        assert b.budget.outcomes == ["answered None", "answered False"], "each call has its own permit"


async def test_a_second_401_is_a_matter_of_permission() -> None:
    async with bench(answer(401, b""), token("fresh"), answer(401, b"")) as b:
        with pytest.raises(OrganisationForbidden, match="organisation -9007199254740993") as caught:
            await feed(b)
        assert caught.value.organisation == -9007199254740993
        assert b.tokens.access_token == "fresh", "the others go on with it"


async def test_a_401_without_an_organisation() -> None:
    async with bench(answer(401, b""), token(), answer(401, b"")) as b:
        with pytest.raises(OrganisationForbidden, match="this list"):
            await b.client.organisations(budget=b.budget)


async def test_a_permit_that_grew_old_before_sending_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permits, "SEND_WITHIN_SECONDS", 0.05)
    async with bench(page()) as b:
        at_once = b.client._transport.call

        async def slowly_connected(*args: Any, **more: Any) -> Any:
            await asyncio.sleep(0.1)
            return await at_once(*args, **more)

        monkeypatch.setattr(b.client._transport, "call", slowly_connected)
        got = await feed(b)
        assert b.budget.outcomes == ["not sent", "answered False"]
        assert got.observed_at == b.budget.permits[1].observed_at
        assert len(b.server.requests) == 1


# --- lists -----------------------------------------------------------------------------------------------------------


def rows(*items: Any) -> Step:
    return answer(200, json.dumps(items).encode(), (("Content-Type", "application/json"),))


async def test_the_lists() -> None:
    tree = answer(200, json.dumps({"GroupId": 1, "SubGroups": [{"GroupId": 2}]}).encode())
    steps = (
        rows({"DriverId": 1}, {"Name": "x"}),
        rows({"AssetId": 2}),
        rows({"EventTypeId": 3}),
        rows({"GroupId": 4}),
        tree,
        answer(204, b""),
    )
    async with bench(*steps) as b:
        drivers = await b.client.drivers(7, budget=b.budget)
        assert (drivers.rows, drivers.rejected) == ([types.Driver(driver_id=1)], ["row 2: DriverId is missing"])
        assert drivers.observed_at == b.budget.permits[0].observed_at
        assert (await b.client.vehicles(7, budget=b.budget)).rows == [types.Vehicle(asset_id=2)]
        assert (await b.client.event_types(7, budget=b.budget)).rows == [types.EventType(event_type_id=3)]
        assert (await b.client.organisations(budget=b.budget)).rows == [types.Organisation(group_id=4)]
        assert [site.group_id for site in (await b.client.sites(7, budget=b.budget)).rows] == [1, 2]
        assert (await b.client.drivers(7, budget=b.budget)).rows == []
        assert [request.target for request in b.server.requests] == [
            "/api/drivers/organisation/7",
            "/api/assets/group/7",
            "/api/libraryevents/organisation/7",
            "/api/organisationgroups",
            "/api/organisationgroups/subgroups/7",
            "/api/drivers/organisation/7",
        ]
        assert b.budget.outcomes == ["answered None"] * 6


async def test_history_and_amendments() -> None:
    async with bench(rows(event(), 5), rows(), rows({"EventId": 1, "AmendmentType": 0})) as b:
        got = await b.client.events_between([-5, 2**60], start=NOON, end=NOON, budget=b.budget)
        assert (len(got.records), json.loads(got.body)) == (2, [event(), 5])
        assert got.observed_at == b.budget.permits[0].observed_at
        await b.client.events_between([1], start=NOON, end=NOON, budget=b.budget, entity_type="Driver")
        amended = await b.client.amendments(7, start=NOON, end=NOON, budget=b.budget)
        assert [bytes(one) for one in amended.records] == [b'{"EventId": 1, "AmendmentType": 0}']
        assert [(one.method, one.target) for one in b.server.requests] == [
            ("POST", "/api/events/groups/entitytype/Asset/from/20260501120000/to/20260501120000"),
            ("POST", "/api/events/groups/entitytype/Driver/from/20260501120000/to/20260501120000"),
            ("GET", "/api/events/groups/amended/7/from/20260501/to/20260501"),
        ]
        assert b.server.requests[0].body == b'{"EntityIds":[-5,1152921504606846976]}'


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param(answer(413, b""), AnswerTooLarge, id="MiX says so"),
        pytest.param(answer(200, b"[" + b" " * 2000 + b"]"), AnswerTooLarge, id="beyond our bound"),
        pytest.param(hang(), Timeout, id="no answer in time"),
        pytest.param(answer(500, b""), ServerError, id="trouble"),
        pytest.param(answer(400, b""), RequestRejected, id="refused"),
    ],
)
async def test_history_is_one_try_that_says_what_went_wrong(
    step: Step, error: type[MixError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixhaul_mix.client.MAX_HISTORY_BYTES", 1000)
    async with bench(step) as b:
        with pytest.raises(error):
            await b.client.events_between([1], start=NOON, end=NOON, budget=b.budget)
        assert len(b.server.requests) == 1


async def test_a_list_is_tried_again_each_time_with_a_permit() -> None:
    def retried(reason: str) -> float:
        labels = {"endpoint": "drivers", "reason": reason}
        return REGISTRY.get_sample_value("mixhaul_upstream_retries_total", labels) or 0

    before = retried("ServerError"), retried("PageInvalid")
    async with bench(answer(500, b""), answer(200, b"<html>"), rows({"DriverId": 1})) as b:
        assert len((await b.client.drivers(7, budget=b.budget)).rows) == 1
        assert b.budget.outcomes == ["answered None"] * 3
    assert (retried("ServerError"), retried("PageInvalid")) == (before[0] + 1, before[1] + 1)


async def test_tries_are_bounded() -> None:
    async with bench(*[reset()] * NO_WAIT.attempts) as b:
        with pytest.raises(ConnectionFailed):
            await b.client.vehicles(7, budget=b.budget)


async def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("stamina._core._smart_sleep", sleep)
    steps = (answer(429, b"", (("Retry-After", "17"),)), answer(503, b"", (("Retry-After", "0"),)), rows())
    async with bench(*steps, retries=Retries(wait_initial=0.5)) as b:
        await b.client.drivers(7, budget=b.budget)
        assert b.budget.outcomes == ["throttled 17.0", "throttled 0.0", "answered None"]
    assert slept == [17.0, 0.5]


async def test_a_long_retry_after_is_the_callers_matter() -> None:
    async with bench(answer(429, b"", (("Retry-After", "3000"),))) as b:
        with pytest.raises(Throttled) as caught:
            await b.client.drivers(7, budget=b.budget)
        assert caught.value.retry_after_seconds == 3000


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_list_that_is_refused_is_not_tried_again(status: int) -> None:
    async with bench(answer(status, b"")) as b:
        with pytest.raises((RequestRejected, OrganisationForbidden)):
            await b.client.event_types(7, budget=b.budget)


@pytest.mark.parametrize(
    ("api_url", "identity_url", "which"), [("mix", "http://i", "API"), ("http://a", "x:", "identity")]
)
def test_urls_that_are_none(api_url: str, identity_url: str, which: str) -> None:
    with pytest.raises(UnusableEndpoint, match=which):
        MixClient(
            api_url=api_url,
            identity_url=identity_url,
            client_id="c",
            client_secret="s",
            username="u",
            password="p",
            tokens=logged_in(),
            identity_budget=MemoryBudget(),
        )

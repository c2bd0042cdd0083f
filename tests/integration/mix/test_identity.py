"""The shared login: one process asks at a time, nothing is sent twice that must not be."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from mixhaul_mix import identity as identity_module
from mixhaul_mix.errors import ClientRejected, CredentialsRejected, IdentityUnavailable, LoginPending
from mixhaul_mix.identity import Access
from mixhaul_mix.transport import Timeouts
from mixhaul_runtime import checkpoints
from support.http_script import ScriptedServer, Step, answer, hang, message, page, raw, reset
from support.mix_client import FAST, SECRETS, Bench, bench, make_client, refusal, token
from support.mix_doubles import MemoryBudget, MemoryTokens, logged_in


def logged_out(refresh_token: str | None = None) -> MemoryTokens:
    return MemoryTokens(refresh_token=refresh_token)


async def access(b: Bench) -> Access:
    return await b.client._identity.access()


async def test_the_password_first() -> None:
    async with bench(token(expires_in="1800"), tokens=logged_out()) as b:
        assert await access(b) == Access("acc3ss-token", 1)
        assert b.logins == [
            {
                "grant_type": "password",
                "client_id": "the-client",
                "client_secret": SECRETS["client_secret"],
                "username": "ana@example.com",
                "password": SECRETS["password"],
                "scope": "offline_access MiX.Integrate",
            }
        ]
        assert (b.server.requests[0].method, b.server.requests[0].header("Authorization")) == ("POST", None)
        assert b.tokens.log == ["begin password", "complete 1800"]
        assert (b.tokens.access_token, b.tokens.refresh_token) == ("acc3ss-token", "refr3sh-token")
        assert b.identity_budget.outcomes == ["answered None"]


async def test_the_refresh_token_afterwards_and_the_new_one_is_kept() -> None:
    async with bench(token("new", "rotated"), tokens=logged_out("old")) as b:
        assert (await access(b)).token == "new"
        assert b.logins == [
            {
                "grant_type": "refresh_token",
                "client_id": "the-client",
                "client_secret": SECRETS["client_secret"],
                "refresh_token": "old",
            }
        ]
        assert b.tokens.refresh_token == "rotated"


async def test_an_answer_without_a_refresh_token_leads_to_the_password() -> None:
    async with bench(token("one", None), token("two"), tokens=logged_out("old")) as b:
        await b.client._identity.refused(await access(b))
        assert (await access(b)).token == "two"
        assert [login["grant_type"] for login in b.logins] == ["refresh_token", "password"]


async def test_a_good_token_needs_no_call() -> None:
    async with bench() as b:
        assert await access(b) == await access(b) == Access("good-access-token", 0)
        assert b.identity_budget.permits == []


async def test_a_hundred_tasks_make_one_login() -> None:
    async with bench(token(), tokens=logged_out()) as b:
        got = await asyncio.gather(*(access(b) for _ in range(100)))
        assert set(got) == {Access("acc3ss-token", 1)}
        assert len(b.logins) == 1


async def test_several_processes_make_one_login_and_use_no_refresh_token_twice() -> None:
    tokens = logged_out()
    slow = raw(b"", pause_before=0.2, then="keep")

    async def slow_token(request, writer) -> None:  # type: ignore[no-untyped-def]
        await slow(request, writer)
        await token()(request, writer)

    async with ScriptedServer(slow_token) as server:
        sleeps: list[float] = []

        async def sleep(seconds: float) -> None:
            sleeps.append(seconds)
            await asyncio.sleep(0.02)

        clients = [make_client(server, tokens, MemoryBudget(), sleep=sleep) for _ in range(5)]
        got = await asyncio.gather(*(client._identity.access() for client in clients))
        for client in clients:
            await client.__aexit__(None, None, None)
        assert set(got) == {Access("acc3ss-token", 1)}
        assert len(server.requests) == 1
        assert sleeps
        assert max(sleeps) <= 1.0


async def test_a_refused_password_is_not_tried_again_by_anybody() -> None:
    tokens = logged_out()
    async with bench(refusal("invalid_grant"), tokens=tokens) as b:
        with pytest.raises(CredentialsRejected, match=r"user name or password \(invalid_grant\)"):
            await access(b)
        with pytest.raises(CredentialsRejected, match="invalid_grant"):
            await access(b)
        other = make_client(b.server, tokens, MemoryBudget())
        with pytest.raises(CredentialsRejected, match="invalid_grant"):
            await other._identity.access()
        await other.__aexit__(None, None, None)
        assert len(b.logins) == 1
        assert tokens.log == ["begin password", "fail password invalid_grant refused"]


@pytest.mark.parametrize("error", ["unsupported_grant_type", "unauthorized_client", "invalid_request"])
async def test_what_is_refused_about_the_refresh_token_says_nothing_of_the_password(error: str) -> None:
    async with bench(refusal(error), token(), tokens=logged_out("old")) as b:
        assert (await access(b)).token == "acc3ss-token"


@pytest.mark.parametrize("refresh_token", [None, "old"])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_client_is_remembered_too(refresh_token: str | None, status: int) -> None:
    async with bench(refusal("invalid_client", status), tokens=logged_out(refresh_token)) as b:
        for _ in range(2):
            with pytest.raises(ClientRejected, match="client id or client secret"):
                await access(b)
        assert len(b.logins) == 1, "the password would be sent with the same client"


async def test_a_refused_refresh_token_is_followed_by_the_password_in_the_same_call() -> None:
    async with bench(refusal("invalid_grant"), token(), tokens=logged_out("old")) as b:
        assert (await access(b)).token == "acc3ss-token"
        assert [login["grant_type"] for login in b.logins] == ["refresh_token", "password"]
        assert b.tokens.log == [
            "begin refresh_token",
            "fail refresh_token invalid_grant refused",
            "begin password",
            "complete 3600",
        ]
        assert b.identity_budget.outcomes == ["answered None", "answered None"]


@pytest.mark.parametrize(
    ("step", "outcome", "retry_after"),
    [
        pytest.param(answer(500, b""), "answered None", None, id="500"),
        pytest.param(answer(503, b"", (("Retry-After", "7"),)), "throttled 7.0", 7.0, id="503 with Retry-After"),
        pytest.param(answer(429, b""), "throttled None", None, id="429"),
        pytest.param(answer(200, b"<html>", (("Content-Type", "text/html"),)), "answered None", None, id="HTML"),
        pytest.param(answer(302, b"", (("Location", "/login"),)), "answered None", None, id="redirect"),
        pytest.param(answer(404, b"{}"), "answered None", None, id="404"),
    ],
)
async def test_a_plain_error_lifts_the_intent_and_spends_nothing(
    step: Step, outcome: str, retry_after: float | None
) -> None:
    async with bench(step, token("after"), tokens=logged_out("kept")) as b:
        with pytest.raises(IdentityUnavailable) as caught:
            await access(b)
        assert (caught.value.answered, caught.value.retry_after_seconds) == (True, retry_after)
        assert b.identity_budget.outcomes == [outcome]
        assert (await access(b)).token == "after"
        assert [login.get("refresh_token") for login in b.logins] == ["kept", "kept"]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(reset(), id="reset"),
        pytest.param(raw(message(200, b'{"access', length=100)), id="cut short"),
        pytest.param(hang(), id="no answer"),
        pytest.param(answer(200, b'{"access_token":'), id="broken JSON"),
        pytest.param(answer(200, b"{}"), id="no token in it"),
    ],
)
async def test_after_a_lost_answer_the_refresh_token_is_never_sent_again(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "SEND_WITHIN_SECONDS", 0.1)
    monkeypatch.setattr(identity_module, "INTENT_MARGIN_SECONDS", 0.05)
    timeouts = Timeouts(identity=0.15, connect=0.1, pool=0.1)
    async with bench(step, token("after"), tokens=logged_out("spent?"), timeouts=timeouts) as b:
        with pytest.raises(IdentityUnavailable):
            await access(b)
        assert (b.tokens.intent, b.tokens.refresh_token) == (None, None), "nobody waits, and nobody sends it again"
        assert (await access(b)).token == "after"
        assert [login["grant_type"] for login in b.logins] == ["refresh_token", "password"]


async def test_the_intent_outlives_the_call() -> None:
    # Whatever the call does, no other process may begin while its answer may still come.
    assert identity_module.INTENT_MARGIN_SECONDS > 0
    begun: list[float] = []

    class Watching(MemoryTokens):
        async def begin(self, *, generation, grant, deadline_seconds) -> bool:  # type: ignore[no-untyped-def]
            begun.append(deadline_seconds)
            return await super().begin(generation=generation, grant=grant, deadline_seconds=deadline_seconds)

    async with bench(token(), tokens=Watching()) as b:
        await access(b)
    assert begun == [identity_module.SEND_WITHIN_SECONDS + FAST.identity + identity_module.INTENT_MARGIN_SECONDS]


async def test_a_connection_that_was_never_made_costs_neither_token_nor_permit() -> None:
    tokens, budget = logged_out("kept"), MemoryBudget()
    async with ScriptedServer() as server:
        client = make_client(server, tokens, budget)
    async with client:
        with pytest.raises(IdentityUnavailable) as caught:
            await client._identity.access()
    assert (caught.value.answered, caught.value.sent) == (False, False)
    assert tokens.log == ["begin refresh_token", "fail refresh_token not_sent lifted"]
    assert (tokens.refresh_token, budget.outcomes) == ("kept", ["not sent"])


async def test_a_process_that_waits_too_long_says_so() -> None:
    tokens = logged_out()
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        tokens.intent_until += seconds  # one dead process after another

    async with bench(tokens=tokens, sleep=sleep) as b:
        await tokens.begin(generation=0, grant="password", deadline_seconds=30)
        with pytest.raises(LoginPending):
            await access(b)
        assert b.identity_budget.permits == []
    assert slept >= identity_module.PENDING_LIMIT_SECONDS


async def test_what_changed_while_the_permit_was_waited_for_counts() -> None:
    tokens = logged_out()
    async with bench(tokens=tokens) as b:
        waiting = MemoryBudget(0.1)
        b.client._identity._budget = waiting
        task = asyncio.create_task(access(b))
        await asyncio.sleep(0.05)
        tokens.access_token, tokens.expires_at, tokens.generation = "theirs", float("inf"), 5
        assert await task == Access("theirs", 5)
        assert waiting.outcomes == ["not sent"]
        assert b.logins == []


async def test_a_refusal_that_came_while_the_permit_was_waited_for_counts() -> None:
    tokens = logged_out()
    async with bench(tokens=tokens) as b:
        waiting = MemoryBudget(0.1)
        b.client._identity._budget = waiting
        task = asyncio.create_task(access(b))
        await asyncio.sleep(0.05)
        tokens.refused_error, tokens.refused_until = "invalid_grant", float("inf")
        with pytest.raises(CredentialsRejected):
            await task
        assert waiting.outcomes == ["not sent"]


async def test_an_answer_that_comes_too_late_is_not_used() -> None:
    tokens = logged_out()

    async def overtaken(request, writer) -> None:  # type: ignore[no-untyped-def]
        tokens.generation, tokens.access_token, tokens.expires_at = 9, "theirs", float("inf")
        tokens.intent = None
        await token("ours")(request, writer)

    async with bench(overtaken, tokens=tokens) as b:
        assert await access(b) == Access("theirs", 9)
    assert tokens.log == ["begin password", "complete: too late"]


async def test_a_token_that_expires_within_the_margin_is_used_once_asked_for() -> None:
    async with bench(token("short", expires_in=5), page(), tokens=logged_out()) as b:
        got = await b.client.feed_page(organisation_id=1, token="NEW", quantity=1, budget=b.budget)
        assert got.next_token
        assert len(b.logins) == 1


async def test_checkpoints_and_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(grant: str, result: str) -> float:
        labels = {"grant": grant, "result": result}
        return REGISTRY.get_sample_value("mixhaul_token_refreshes_total", labels) or 0

    passed: list[str] = []
    monkeypatch.setattr(checkpoints, "hook", passed.append)
    before = (count("refresh_token", "refused"), count("password", "succeeded"))
    async with bench(refusal("invalid_grant"), token(), tokens=logged_out("old")) as b:
        await access(b)
    assert (count("refresh_token", "refused"), count("password", "succeeded")) == (before[0] + 1, before[1] + 1)
    one = ["token_intent", "request_sent", "answer_read"]
    assert passed == [*one, *one, "token_received"]


async def test_tokens_are_looked_up_again_after_a_while() -> None:
    tokens = logged_in("first")
    async with bench(tokens=tokens) as b:
        await access(b)
        tokens.access_token, tokens.generation = "second", 1
        assert (await access(b)).token == "first"
        b.client._identity._cached_until = 0
        assert (await access(b)).token == "second"

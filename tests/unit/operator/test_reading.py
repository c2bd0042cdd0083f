"""From rows to facts, cron arithmetic, and the metrics of what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import mixhaul_mix.errors as mix
from mixhaul_operator.facts import Claim, LoginFacts, Organisation, Trouble
from mixhaul_operator.metrics import SourceCollector
from mixhaul_operator.reading import Snapshot, facts_of, position, snapshot, trouble_of
from mixhaul_operator.schedule import Calendar, Times, times
from mixhaul_operator.secret_state import login_digest
from mixhaul_store.observation import Conflict, LoginState, RequestState, WholeRun
from mixhaul_store.progress import FeedProgress
from mixhaul_store.totals import Total
from support.operator_inputs import NOW, source, spec_of

API = "https://integrate.eu.mixtelematics.com"
IDENTITY = "https://identity.eu.mixtelematics.com/core"
MINUTE = timedelta(minutes=1)


def row(organisation: int = 101, **changes: Any) -> FeedProgress:
    values: dict[str, Any] = {
        "source": "fleet/a",
        "organisation": organisation,
        "name": "Frota",
        "api_url": API,
        "feed": "events",
        "token": "20261124115000000",
        "token_received_at": NOW - MINUTE,
        "not_before": None,
        "has_more": True,
        "last_poll_at": NOW - MINUTE,
        "last_data_at": NOW - MINUTE,
        "caught_up_at": None,
        "consecutive_errors": 0,
        "last_error": None,
        "last_error_at": None,
        "open_gaps": 0,
        "gap_seconds": 0.0,
        "permits_used": 0,
        "last_sync_at": NOW - MINUTE,
        "last_sync_result": "succeeded",
        "last_sync_error": None,
    }
    return FeedProgress(**{**values, **changes})


def reading(*rows: FeedProgress, **more: Any) -> Snapshot:
    values: dict[str, Any] = {"logins": [], "whole_runs": [], "requests": [], "totals": []}
    return snapshot(at=NOW, progress=list(rows), **{**values, **more})


def test_organisations_that_are_named_no_longer_do_not_count() -> None:
    found = facts_of(reading(row(101), row(103)), key="fleet/a", spec=spec_of(), login=None)
    assert [each.organisation.external_id for each in found.feeds] == [101]
    every = facts_of(reading(row(101), row(103)), key="fleet/a", spec=spec_of(organisationIDs=[]), login=None)
    assert [each.organisation.external_id for each in every.feeds] == [101, 103]


def test_a_claim_is_of_the_same_data_centre() -> None:
    elsewhere = row(102, source="fleet/c", api_url="https://integrate.uat.mixtelematics.com")
    found = reading(row(101, source="fleet/b", name="Frota Sul"), elsewhere)
    assert facts_of(found, key="fleet/a", spec=spec_of(), login=None).claims == (
        Claim(Organisation(101, "Frota Sul"), "fleet/b"),
    )


def test_claims_that_the_workers_met_count_where_the_spec_names_none() -> None:
    met = [
        Conflict("fleet/a", API, 7, "Frota Sul", "fleet/b"),
        Conflict("fleet/a", "https://integrate.uat.mixtelematics.com", 8, None, "fleet/b"),
        Conflict("fleet/c", API, 7, "Frota Sul", "fleet/b"),
    ]
    found = reading(row(101), conflicts=met)
    every = facts_of(found, key="fleet/a", spec=spec_of(organisationIDs=[]), login=None)
    assert every.claims == (Claim(Organisation(7, "Frota Sul"), "fleet/b"),)
    assert facts_of(found, key="fleet/a", spec=spec_of(organisationIDs=["101"]), login=None).claims == ()


def test_what_else_a_row_says() -> None:
    found = facts_of(
        reading(row(short_lists=["sites: 0 of 9"], missing_events=3)), key="fleet/a", spec=spec_of(), login=None
    )
    assert [each.short_lists for each in found.syncs] == [("sites: 0 of 9",)]
    assert [each.missing_events for each in found.feeds] == [3]


def test_a_login_is_found_by_url_client_and_user() -> None:
    state = LoginState(IDENTITY, "c", "me", accepted=False, refused_at=NOW, refused_error="invalid_grant")
    found = reading(logins=[state])
    mine = facts_of(found, key="fleet/a", spec=spec_of(), login=login_digest("c", "me"))
    assert mine.login == LoginFacts(refused_at=NOW, refused_error="invalid_grant")
    assert facts_of(found, key="fleet/a", spec=spec_of(), login=login_digest("c", "you")).login == LoginFacts()
    assert facts_of(found, key="fleet/a", spec=spec_of(), login=None).login == LoginFacts()


@pytest.mark.parametrize(
    ("ago", "succeeded", "results"),
    [
        pytest.param(timedelta(0), False, [(None, False)], id="the whole run failed later"),
        pytest.param(timedelta(hours=1), False, [(101, True)], id="it failed before"),
        pytest.param(timedelta(0), True, [(101, True)], id="it went well"),
    ],
)
def test_a_run_that_failed_as_a_whole(ago: timedelta, succeeded: bool, results: list[tuple[int | None, bool]]) -> None:
    whole = WholeRun("fleet/a", NOW - ago, succeeded, None if succeeded else "no connection")
    found = facts_of(reading(row(101), whole_runs=[whole]), key="fleet/a", spec=spec_of(), login=None)
    assert [
        (each.organisation.external_id if each.organisation else None, each.succeeded) for each in found.syncs
    ] == results


def test_requests_are_those_of_the_source() -> None:
    asked = [RequestState("fleet/b", "7", "pending", None, NOW, None)]
    assert facts_of(reading(requests=asked), key="fleet/a", spec=spec_of(), login=None).requests == {}
    assert list(facts_of(reading(requests=asked), key="fleet/b", spec=spec_of(), login=None).requests) == ["7"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, NOW - 10 * MINUTE, id="a time in the token"),
        pytest.param({"has_more": False}, NOW - MINUTE, id="nothing more: the poll"),
        pytest.param({"token": "opaque"}, NOW - MINUTE, id="no time in the token: when it came"),
        pytest.param({"token": "20991124115000000"}, NOW - MINUTE, id="a token of the future"),
        pytest.param({"token": None, "has_more": None}, None, id="not begun"),
    ],
)
def test_position(changes: dict[str, Any], expected: datetime | None) -> None:
    assert position(row(**changes), now=NOW) == expected


HOST = {"host": "mix.example"}


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (mix.ConnectionFailed(**HOST, detail="reset", sent=True), Trouble.UPSTREAM),
        (mix.Timeout(**HOST, phase="read", sent=True), Trouble.UPSTREAM),
        (mix.AnswerCutShort(**HOST, detail="reset"), Trouble.UPSTREAM),
        (mix.ServerError(503), Trouble.UPSTREAM),
        (mix.Throttled(retry_after_seconds=None), Trouble.THROTTLED),
        (mix.Throttled(retry_after_seconds=30), Trouble.THROTTLED),
        (mix.PageInvalid("it is HTML"), Trouble.PAGE),
        (mix.IdentityUnavailable("status 500"), Trouble.UPSTREAM),
        (mix.LoginPending(pending_seconds=3), Trouble.UPSTREAM),
        (mix.CredentialsRejected("invalid_grant"), Trouble.REFUSED_LOGIN),
        (mix.ClientRejected("invalid_client"), Trouble.REFUSED_LOGIN),
        (mix.OrganisationForbidden(101), Trouble.FORBIDDEN),
        (mix.OrganisationForbidden(None), Trouble.FORBIDDEN),
        (mix.TokenExpired(400), Trouble.TOKEN_EXPIRED),
        (mix.RequestRejected(400, endpoint="feed"), Trouble.PAGE),
        (mix.UntrustedCertificate(**HOST, detail="self-signed"), Trouble.UPSTREAM),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_an_error_comes_down_to(error: mix.MixError, trouble: Trouble) -> None:
    assert trouble_of(type(error).__name__) is trouble


def test_no_error_is_no_trouble() -> None:
    assert trouble_of(None) is None
    found = facts_of(reading(row(101, last_error="old")), key="fleet/a", spec=spec_of(), login=None)
    assert (found.feeds[0].trouble, found.feeds[0].last_error) == (None, None)


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "zone", "expected"),
    [
        ("30 4 * * *", "Etc/UTC", Times(utc(23, 4, 30), utc(24, 4, 30), utc(25, 4, 30))),
        ("30 4 * * *", "America/Sao_Paulo", Times(utc(23, 7, 30), utc(24, 7, 30), utc(25, 7, 30))),
        ("0 12 * * *", "Etc/UTC", Times(utc(23, 12), utc(24, 12), utc(25, 12))),
        ("0 0 * * 0", "Etc/UTC", Times(utc(15, 0), utc(22, 0), utc(29, 0))),
    ],
)
def test_times(line: str, zone: str, expected: Times) -> None:
    assert times(line, zone, now=NOW) == expected


def test_times_are_computed_anew_when_the_next_has_come() -> None:
    calendar = Calendar()
    first = calendar.times("30 4 * * *", "Etc/UTC", now=NOW)
    assert calendar.times("30 4 * * *", "Etc/UTC", now=NOW + 10 * MINUTE) is first
    assert calendar.times("30 4 * * *", "Etc/UTC", now=first.next).last == first.next
    # A clock that was put back.
    assert calendar.times("30 4 * * *", "Etc/UTC", now=NOW) == first


def test_metrics_of_what_is_known() -> None:
    one = source("a", spec={"suspend": True})
    one["status"] = {
        "conditions": [{"type": "Ready", "status": "False"}],
        "sync": {"lastSuccessTime": "2026-11-24T12:00:00Z"},
    }
    late = source("b", spec={"sync": {"schedule": "30 4 * * *", "timeZone": "Etc/UTC"}})
    late["metadata"]["creationTimestamp"] = "2026-11-23T04:00:00Z"
    totals = [
        Total("fleet/a", "sync_runs_total", {"result": "failed"}, 3.0),
        Total("fleet/gone", "sync_runs_total", {"result": "failed"}, 9.0),
        Total("fleet/a", "token_refreshes_total", {"grant": "password", "result": "ok"}, 1.0),
        Total("fleet/b", "token_refreshes_total", {"grant": "password", "result": "ok"}, 2.0),
    ]
    registry = CollectorRegistry()
    registry.register(SourceCollector(sources=lambda: [one, late], totals=lambda: totals, now=lambda: NOW))
    lines = generate_latest(registry).decode().splitlines()
    for line in (
        'mixhaul_source_condition{source="fleet/a",status="False",type="Ready"} 1.0',
        'mixhaul_source_condition{source="fleet/a",status="True",type="Ready"} 0.0',
        'mixhaul_source_condition{source="fleet/b",status="Unknown",type="CaughtUp"} 0.0',
        'mixhaul_source_suspended{source="fleet/a"} 1.0',
        'mixhaul_sync_last_success_timestamp_seconds{source="fleet/a"} 1.7955216e+09',
        'mixhaul_sync_last_success_timestamp_seconds{source="fleet/b"} 0.0',
        'mixhaul_sync_overdue{source="fleet/a"} 0.0',
        'mixhaul_sync_overdue{source="fleet/b"} 1.0',
        'mixhaul_sync_runs_total{result="failed",source="fleet/a"} 3.0',
        'mixhaul_sync_runs_total{result="succeeded",source="fleet/b"} 0.0',
        'mixhaul_token_refreshes_total{grant="password",result="ok"} 3.0',
    ):
        assert line in lines
    assert not [line for line in lines if "fleet/gone" in line]

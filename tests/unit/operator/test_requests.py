"""Annotations that ask for work, and the answers in `status.lastRequest`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mixhaul_operator.facts import RequestFacts
from mixhaul_operator.requests import Wanted, answer, is_followed, is_to_be_asked, wanted
from support.operator_inputs import NOW

REQUEST, ID = "mixhaul.io/request", "mixhaul.io/request-id"
SYNC = Wanted("7", "sync", kind="sync")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({ID: "7"}, None, id="an id alone"),
        pytest.param({REQUEST: "sync", ID: "7"}, SYNC, id="sync"),
        pytest.param({REQUEST: " sync ", ID: " 7 "}, SYNC, id="blanks"),
        pytest.param(
            {REQUEST: "backfill=2026-11-01/2026-11-03", ID: "8"},
            Wanted(
                "8",
                "backfill=2026-11-01/2026-11-03",
                kind="backfill",
                parameters={"from": "2026-11-01T00:00:00+00:00", "to": "2026-11-03T00:00:00+00:00"},
            ),
            id="days",
        ),
        pytest.param(
            {REQUEST: "verify=2026-11-01T06:00:00-03:00/2026-11-01T12:00:00Z", ID: "9"},
            Wanted(
                "9",
                "verify=2026-11-01T06:00:00-03:00/2026-11-01T12:00:00Z",
                kind="verify",
                parameters={"from": "2026-11-01T09:00:00+00:00", "to": "2026-11-01T12:00:00+00:00"},
            ),
            id="times with offset",
        ),
    ],
)
def test_wanted(annotations: dict[str, str], expected: Wanted | None) -> None:
    assert wanted(annotations) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("resync", "sync=now", "backfill", "backfill=", "backfill=2026-11-01", "verify=2026-11-03/2026-11-01"),
        *("verify=2026-11-01/2026-11-01", "backfill=2026-11-01T00:00:00/2026-11-02", "backfill=yesterday/today"),
        *("delete", "backfill=2026-02-30/2026-03-01", "backfill=0001-01-01T00:00:00+10:00/2026-01-01"),
    ],
)
def test_what_is_no_request_says_so(text: str) -> None:
    found = wanted({REQUEST: text, ID: "1"})
    assert found is not None
    assert found.problem is not None
    assert found.kind == ""
    answered = answer(found, None, None, now=NOW)
    assert answered is not None
    assert (answered["state"], answered["message"]) == ("Failed", found.problem)
    assert not is_to_be_asked(found, None, None)


def test_the_operators_own_ids_are_refused() -> None:
    found = wanted({REQUEST: "sync", ID: "delete:1111"})
    assert found is not None
    assert found.problem is not None


def test_an_id_is_needed() -> None:
    found = wanted({REQUEST: "sync"})
    assert found is not None
    assert found.problem is not None
    assert ID in found.problem


LAST = {"id": "7", "request": "sync", "state": "Pending", "requestTime": "2026-11-24T11:00:00Z"}
ROW = RequestFacts("7", "running", requested_at=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("last", "known", "asked"),
    [
        pytest.param(None, None, True, id="new"),
        pytest.param({**LAST, "id": "6"}, None, True, id="another one before"),
        pytest.param({**LAST, "request": "backfill=a/b"}, None, True, id="same id, other work"),
        pytest.param(LAST, None, True, id="not in the database yet"),
        pytest.param(LAST, ROW, False, id="in the database"),
        pytest.param({**LAST, "state": "Running"}, None, False, id="was seen running"),
        pytest.param({**LAST, "state": "Succeeded"}, None, False, id="done"),
    ],
)
def test_asking(last: dict[str, Any] | None, known: RequestFacts | None, asked: bool) -> None:
    assert is_to_be_asked(SYNC, last, known) is asked


@pytest.mark.parametrize(
    ("last", "known", "expected"),
    [
        pytest.param(
            None,
            None,
            {"id": "7", "request": "sync", "state": "Pending", "requestTime": "2026-11-24T12:00:00Z"},
            id="new",
        ),
        pytest.param(LAST, None, LAST, id="still waiting"),
        pytest.param(LAST, ROW, {**LAST, "state": "Running"}, id="running"),
        pytest.param(
            {**LAST, "state": "Running"},
            RequestFacts("7", "failed", "MiX said no.", NOW - timedelta(hours=1), NOW),
            {**LAST, "state": "Failed", "message": "MiX said no.", "completionTime": "2026-11-24T12:00:00Z"},
            id="failed",
        ),
        pytest.param({**LAST, "state": "Succeeded"}, None, {**LAST, "state": "Succeeded"}, id="done stays"),
        pytest.param(
            {**LAST, "state": "Succeeded", "id": "6"},
            None,
            {"id": "7", "request": "sync", "state": "Pending", "requestTime": "2026-11-24T12:00:00Z"},
            id="the next one",
        ),
    ],
)
def test_answer(last: dict[str, Any] | None, known: RequestFacts | None, expected: dict[str, Any]) -> None:
    assert answer(SYNC, last, known, now=NOW) == expected


def test_an_annotation_taken_away_leaves_the_last_answer() -> None:
    assert answer(None, LAST, None, now=NOW) == LAST
    assert answer(None, None, None, now=NOW) is None


def test_a_database_that_is_away_is_said() -> None:
    found = answer(SYNC, None, None, now=NOW, waiting="It waits for the database.")
    assert found is not None
    assert (found["state"], found["message"]) == ("Pending", "It waits for the database.")


@pytest.mark.parametrize(("state", "followed"), [("Pending", True), ("Running", True), ("Failed", False)])
def test_following(state: str, followed: bool) -> None:
    assert is_followed({**LAST, "state": state}) is followed
    assert not is_followed(None)

"""What an answer of the identity server means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mixhaul_mix.token_answers import Granted, Refused, Unclear, read_token_answer
from mixhaul_mix.transport import Answer

JSON = (("content-type", "application/json"),)
HTML = (("content-type", "text/html; charset=utf-8"),)


def meaning(status: int, body: Any, headers: tuple[tuple[str, str], ...] = JSON) -> object:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_token_answer(Answer(status, headers, raw))


def test_a_token() -> None:
    body = {"access_token": "abc", "refresh_token": "def", "expires_in": 3600, "token_type": "Bearer", "new": 1}
    assert meaning(200, body) == Granted("abc", "def", 3600.0)
    assert meaning(200, b"\xef\xbb\xbf" + json.dumps(body).encode()) == Granted("abc", "def", 3600.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3600, 3600.0),
        ("1800", 1800.0),
        (5, 5.0),
        (0.5, 0.5),
        (10**9, 86400.0),
        (0, 3600.0),
        (-1, 3600.0),
        (None, 3600.0),
        ("soon", 3600.0),
        ("NaN", 3600.0),
        ("Infinity", 3600.0),
        (True, 3600.0),
        ([], 3600.0),
        (10**400, 3600.0),
    ],
)
def test_how_long_it_lasts(value: Any, expected: float) -> None:
    assert meaning(200, {"access_token": "abc", "expires_in": value}) == Granted("abc", None, expected)
    assert meaning(200, {"access_token": "abc"}) == Granted("abc", None, 3600.0)


@pytest.mark.parametrize("refresh", [None, "", 5, "with blank", "é"])
def test_a_refresh_token_that_is_none(refresh: Any) -> None:
    assert meaning(200, {"access_token": "abc", "refresh_token": refresh}) == Granted("abc", None, 3600.0)


@pytest.mark.parametrize(
    "body", [{}, {"access_token": ""}, {"access_token": 5}, {"access_token": "a\nb"}, [], b"{", b""]
)
def test_a_good_status_without_a_token_may_have_cost_the_refresh_token(body: Any) -> None:
    assert meaning(200, body) == Unclear("its answer has no usable access token", may_be_spent=True)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_grant", "error_description": "invalid_username_or_password"}, "invalid_grant"),
        (400, {"error": "invalid_client"}, "invalid_client"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (403, {"error": "access_denied"}, "access_denied"),
        (400, {"error": "S3cret-pass"}, "other_error"),
    ],
)
def test_a_refusal(status: int, body: Any, error: str) -> None:
    assert meaning(status, body) == Refused(error)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        pytest.param(200, b"<html>maintenance</html>", (), id="HTML with a good status"),
        pytest.param(200, b"{}", HTML, id="HTML by its type"),
        pytest.param(400, b"<html>Bad Request</html>", HTML, id="HTML with 400"),
        pytest.param(400, b"no", (), id="400 without a reason"),
        pytest.param(400, {"error": 7}, JSON, id="400 with an odd reason"),
        pytest.param(400, {"error": "temporarily_unavailable"}, JSON, id="400 that passes"),
        pytest.param(404, {"error": "invalid_grant"}, JSON, id="404"),
        pytest.param(302, b"", (), id="redirect"),
        pytest.param(429, b"", (), id="429"),
        pytest.param(500, {"error": "invalid_grant"}, JSON, id="500"),
        pytest.param(503, b"", (), id="503"),
        pytest.param(204, b"", (), id="204"),
    ],
)
def test_neither(status: int, body: Any, headers: tuple[tuple[str, str], ...]) -> None:
    outcome = meaning(status, body, headers)
    assert isinstance(outcome, Unclear)
    assert not outcome.may_be_spent


def test_tokens_do_not_show_themselves() -> None:
    assert "abc" not in repr(Granted("abc", "def", 1.0))
    assert "def" not in repr(Granted("abc", "def", 1.0))

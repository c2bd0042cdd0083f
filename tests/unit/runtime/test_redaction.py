"""The two nets under every written line."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_runtime.redaction import MASK, SecretValues, is_secret_key, redact_mapping


def redact(text: str, *secrets: str) -> str:
    values = SecretValues()
    for secret in secrets:
        values.register(secret)
    return values.redact(text)


@given(
    secret=st.text(alphabet=st.characters(codec="utf-8"), min_size=8, max_size=40),
    before=st.text(max_size=8),
    after=st.text(max_size=8),
)
def test_no_form_of_a_registered_value_comes_through(secret: str, before: str, after: str) -> None:
    values = SecretValues()
    values.register(secret)
    for form in (
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    ):
        assert form not in values.redact(f"{before}\x01{form}\x02{after}") or form in MASK


@given(
    secret=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=8, max_size=40),
    user=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=9),
    urlsafe=st.booleans(),
)
def test_a_basic_header_shows_nothing_of_the_value(secret: str, user: str, urlsafe: bool) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    header = encode(f"{user}:{secret}:x".encode()).decode()
    shown = redact(f"header={header}", secret)
    rest = shown.removeprefix("header=").split(MASK)
    # What is left around the mask may hold the two edge characters that neighbours share, never the middle.
    assert len(rest) >= 2
    assert sum(len(part) for part in rest) <= len(encode(f"{user}:".encode())) + 8


@pytest.mark.parametrize(
    "key",
    [
        *("password", "clientSecret", "client_secret", "Authorization", "access_token", "refreshToken", "Set-Cookie"),
        *("jwt", "api_key", "apiKey", "encryption_keys", "DATABASE_URL", "database_url", "passwd", "tokens"),
        "X-Api-Key",
    ],
)
def test_telling_keys(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    ["source", "organisation", "secret_name", "token_received_at", "tokens_left", "username", "key", "event", "url"],
)
def test_keys_that_tell_of_no_secret(key: str) -> None:
    assert not is_secret_key(key)


def test_a_feed_token_stays_readable_under_a_token_key() -> None:
    values = {"token": "20261124190405123", "next_token": "NEW", "access_token": "eyJhbGciOi", "requested_token": None}
    assert redact_mapping(values) == {**values, "access_token": MASK}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@db/mix?sslmode=require", f"postgresql://me:{MASK}@db/mix?sslmode=require"),
        ("http://me:pass:word@proxy:3128", f"http://me:{MASK}@proxy:3128"),
        ("host=db password=abc user=me", f"host=db password={MASK} user=me"),
        ("password='a b' user=me", f"password={MASK} user=me"),
        ("grant_type=password&client_secret=abc&x=1", f"grant_type=password&client_secret={MASK}&x=1"),
        ("Authorization: Bearer abcdefgh.ijk", f"Authorization: Bearer {MASK}"),
        ("authorization: basic YWJjZGVmZ2g=", f"authorization: basic {MASK}"),
        ("https://integrate.us.mixtelematics.com/api/x", "https://integrate.us.mixtelematics.com/api/x"),
        ("mail me@fleet.example: done", "mail me@fleet.example: done"),
        ("bearer of bad news", "bearer of bad news"),
    ],
)
def test_secrets_by_their_place_in_a_text(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_value_that_begins_like_another_leaves_no_end_behind() -> None:
    assert redact("x hunter2-and-more y", "hunter2", "hunter2-and-more") == f"x {MASK} y"


def test_words_of_three_letters_are_not_blanked() -> None:
    assert redact("abc", "abc") == "abc"


def test_of_rotating_values_the_newest_are_kept_and_fixed_ones_always() -> None:
    values = SecretValues()
    values.register("fixed-value")
    for number in range(2000):
        values.register(f"token-{number:06}", rotating=True)
    assert values.redact("fixed-value token-001999 token-000000") == f"{MASK} {MASK} token-000000"

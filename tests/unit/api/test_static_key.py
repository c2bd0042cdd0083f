"""The static key, tokens made with it, and settings that don't say how tokens are checked."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mixhaul_api.auth import setup
from mixhaul_api.auth.permissions import Role
from mixhaul_api.auth.static_key import create_key, make_token, read_key
from mixhaul_api.auth.verifier import Verifier
from mixhaul_api.errors import AuthenticationNotSetUp, BadTokenRequest, KeyFileUnusable
from mixhaul_api.settings import TokenSettings
from mixhaul_runtime.clock import SystemClock
from mixhaul_runtime.errors import SettingsError

GOOD: dict[str, Any] = {
    "subject": "maria",
    "organisations": ["-7", "123@integrate.uat.example:8443"],
    "roles": [Role.ANALYST],
    "issuer": "mixhaul",
    "audience": "mixhaul-api",
    "ttl": timedelta(minutes=1),
}


async def test_a_token_is_read_as_it_was_made(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert create_key(file)
    token = make_token(read_key(file), now=datetime.now(UTC), **GOOD)
    checks = setup.verifier(TokenSettings(jwt_key_file=file), SystemClock())
    assert isinstance(checks, Verifier)
    caller = await checks.caller(f"Bearer {token}")
    assert (caller.subject, caller.organisations, caller.roles) == (
        "maria",
        frozenset(GOOD["organisations"]),
        frozenset({Role.ANALYST}),
    )
    assert await checks.caller(f"bearer  {token}") is caller


@pytest.mark.parametrize(
    "changes",
    [
        *({"ttl": ttl} for ttl in (timedelta(0), timedelta(seconds=-1), timedelta.max)),
        *({"subject": subject} for subject in ("", "a\nb", "x" * 256)),
        *({"organisations": [one]} for one in ("", "*", "1.5", "1@", "0x1", "1\n", "1@a b", "1" * 20)),
    ],
    ids=str,
)
def test_a_token_that_could_not_be_used_is_not_made(changes: dict[str, Any]) -> None:
    with pytest.raises(BadTokenRequest):
        make_token(b"k" * 32, now=datetime.now(UTC), **GOOD | changes)


def test_of_many_who_make_the_key_at_once_one_does(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create_key, [file] * 32))
    assert sum(made) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert len(read_key(file)) >= 32


@pytest.mark.parametrize("content", [b"", b"\n", b"k" * 31 + b"\n", b"k" * 70000], ids=len)
def test_a_key_that_is_no_key_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(KeyFileUnusable) as raised:
        read_key(file)
    assert "kkk" not in str(raised.value)


@pytest.mark.parametrize("path", ["missing", ".", "file/below", "\0"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileUnusable):
        read_key(tmp_path / path)
    if path == "file/below":
        with pytest.raises(KeyFileUnusable):
            create_key(tmp_path / path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"jwt_issuer": "https://login.example"},
        {"jwt_issuer": "login.example", "jwt_audience": "fleet"},
        {"jwt_jwks_url": "https://login.example/keys"},
        {"jwt_jwks_url": "https://login.example/keys", "jwt_issuer": "https://login.example"},
        {"jwt_jwks_url": "https://login.example/keys", "jwt_key_file": "/x"},
    ],
    ids=str,
)
def test_half_a_setup_is_refused_with_what_to_set(settings: dict[str, str]) -> None:
    with pytest.raises(AuthenticationNotSetUp, match="MIXHAUL_JWT_KEY_FILE"):
        setup.verifier(TokenSettings(**settings), SystemClock())


@pytest.mark.parametrize("url", ["ftp://login.example/keys", "file:///etc/passwd", "login.example"])
def test_keys_come_over_http_only(url: str) -> None:
    with pytest.raises(SettingsError, match="MIXHAUL_JWT_JWKS_URL"):
        TokenSettings(jwt_jwks_url=url)

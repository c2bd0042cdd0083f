"""What an answer of the identity server means."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from mixhaul_mix.pages import json_object
from mixhaul_mix.transport import Answer

DEFAULT_EXPIRY_SECONDS: Final = 3600.0
MAX_EXPIRY_SECONDS: Final = 86_400.0
MAX_TOKEN_LENGTH: Final = 16_384

CLIENT_ERRORS: Final = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
# Only these are repeated in messages: anything else may be a part of what was sent.
KNOWN_ERRORS: Final = CLIENT_ERRORS | {"invalid_grant", "invalid_request", "access_denied"}
PASSING_ERRORS: Final = frozenset({"server_error", "temporarily_unavailable", "slow_down"})
OTHER_ERROR: Final = "other_error"


@dataclass(frozen=True, slots=True)
class Granted:
    """A token."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in_seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A plain OAuth error."""

    error: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Neither. `may_be_spent`: the server may have given tokens that can't be read."""

    reason: str
    may_be_spent: bool


def read_token_answer(answer: Answer) -> Granted | Refused | Unclear:
    """What it means."""
    html = answer.body.lstrip()[:1] == b"<" or any("html" in value.lower() for value in answer.header("content-type"))
    if answer.status == 200 and not html:
        return _granted(json_object(answer.body))
    if answer.status in {400, 401, 403} and not html:
        error = (json_object(answer.body) or {}).get("error")
        if isinstance(error, str) and error and error not in PASSING_ERRORS:
            return Refused(error if error in KNOWN_ERRORS else OTHER_ERROR)
    what = "an HTML page" if html else "no OAuth answer"
    return Unclear(f"it sent {what} with status {answer.status}", may_be_spent=False)


def _granted(value: dict[str, Any] | None) -> Granted | Unclear:
    if value is None or not _is_token(value.get("access_token")):
        return Unclear("its answer has no usable access token", may_be_spent=True)
    refresh = value.get("refresh_token")
    return Granted(
        access_token=value["access_token"],
        refresh_token=refresh if _is_token(refresh) else None,
        expires_in_seconds=_expiry(value.get("expires_in")),
    )


def _is_token(value: Any) -> bool:
    """Visible ASCII, so that it fits into a header as it is."""
    return isinstance(value, str) and 0 < len(value) <= MAX_TOKEN_LENGTH and all("!" <= one <= "~" for one in value)


def _expiry(value: Any) -> float:
    if isinstance(value, bool):
        return DEFAULT_EXPIRY_SECONDS
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_EXPIRY_SECONDS
    if not math.isfinite(seconds) or seconds <= 0:
        return DEFAULT_EXPIRY_SECONDS
    return min(seconds, MAX_EXPIRY_SECONDS)

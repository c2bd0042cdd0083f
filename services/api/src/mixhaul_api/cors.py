"""Which pages of other origins may call the API from a browser (the Fetch standard's CORS), by configuration.

No cookies are used, so credentials are never allowed: a page needs a token in any case. Without configuration a
browser refuses all, which this does not say; other programs than browsers don't ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_EXPOSED: Final = (
    "Content-Disposition, Deprecation, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate,"
    " X-Request-ID"
)
_SENT: Final = "Accept, Authorization, Content-Type, If-None-Match, X-Request-ID"
_KEPT_SECONDS: Final = 600


def origins(text: str) -> frozenset[str]:
    """The origins of a setting; ValueError with a sentence where one is none."""
    found = frozenset(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        parts = urlsplit(one)
        if one != "*" and (parts.scheme not in ("http", "https") or one != f"{parts.scheme}://{parts.netloc}".lower()):
            raise ValueError(f"{one!r} is no origin: give scheme, host and port only, such as https://fleet.example")
    return found


@dataclass(frozen=True, slots=True)
class Cors:
    """The origins whose pages may call."""

    origins: frozenset[str]

    def headers(self, origin: str | None) -> dict[str, str]:
        """For any answer."""
        if not self.origins:
            return {}
        allowed = self._allowed(origin)
        return {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": _EXPOSED} if allowed else {}

    def preflight(self, origin: str | None, methods: Iterable[str]) -> dict[str, str] | None:
        """For the question before a request; None where the origin may not call."""
        allowed = self._allowed(origin)
        if allowed is None:
            return None
        return {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": _SENT,
            "Access-Control-Max-Age": str(_KEPT_SECONDS),
        }

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if "*" in self.origins:
            return "*"
        return origin if origin in self.origins else None

"""What the simulator saw: every call, and every breach of MiX's rules. Kept even where nothing is enforced."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

from mixhaul_simulator.clock import wall_ms
from mixhaul_simulator.times import iso

_KEPT: Final = 500_000


class Call:
    """One request, filled in as it goes along."""

    __slots__ = (
        "answered",
        "fault",
        "has_more",
        "organisations",
        "outcome",
        "received",
        "received_at",
        "records",
        "route",
        "seq",
        "status",
        "token_asked",
        "token_given",
    )

    def __init__(self, *, seq: int, received: float, route: str) -> None:
        self.seq = seq
        self.received = received
        self.received_at = wall_ms()
        self.route = route
        self.organisations: list[int] = []
        self.answered: float | None = None
        self.status: int | None = None
        self.token_asked: str | None = None
        self.token_given: str | None = None
        self.has_more: bool | None = None
        self.records: int | None = None
        self.faults_text(())
        self.outcome = "open"

    def faults_text(self, kinds: Iterable[str]) -> None:
        self.fault: str | None = "+".join(kinds) or None

    def view(self) -> dict[str, Any]:
        organisations = [str(organisation) for organisation in self.organisations]
        return {
            "seq": self.seq,
            "received": self.received,
            "receivedAt": iso(self.received_at, fraction=True, suffix="Z"),
            "answered": self.answered,
            "route": self.route,
            "organisation": organisations[0] if organisations else None,
            "organisations": organisations,
            "tokenAsked": self.token_asked,
            "tokenGiven": self.token_given,
            "hasMore": self.has_more,
            "records": self.records,
            "status": self.status,
            "fault": self.fault,
            "outcome": self.outcome,
        }


class Records:
    """The log of calls, violations and token requests, in one numbering. The oldest go when there are very many."""

    def __init__(self) -> None:
        self._seq = 0
        self._calls: deque[Call] = deque(maxlen=_KEPT)
        self._violations: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._grants: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.totals: Counter[str] = Counter()

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def call(self, *, received: float, route: str) -> Call:
        call = Call(seq=self._next(), received=received, route=route)
        self._calls.append(call)
        self.totals["calls"] += 1
        return call

    def violation(self, kind: str, *, organisation: int | None = None, **detail: Any) -> None:
        """A breach of the rules. The detail never holds a credential."""
        self.totals[f"violation:{kind}"] += 1
        self._violations.append(
            {
                "seq": self._next(),
                "kind": kind,
                "at": time.monotonic(),
                "organisation": None if organisation is None else str(organisation),
                "detail": detail,
            }
        )

    def grant(self, *, grant: str, client_auth: str, error: str | None) -> None:
        """A token request: by password or by refresh token."""
        self.totals[f"{grant}:{'refused' if error else 'granted'}"] += 1
        self._grants.append(
            {
                "seq": self._next(),
                "at": time.monotonic(),
                "atWall": iso(wall_ms(), fraction=True, suffix="Z"),
                "grant": grant,
                "clientAuth": client_auth,
                "ok": error is None,
                "error": error,
            }
        )

    def clear(self) -> None:
        self._calls.clear()
        self._violations.clear()
        self._grants.clear()
        self.totals.clear()

    def view(self, since: int) -> dict[str, Any]:
        """Everything numbered above `since`; `next` is what to ask with the next time."""
        grants = [entry for entry in self._grants if entry["seq"] > since]
        return {
            "next": self._seq,
            "calls": [call.view() for call in self._calls if call.seq > since],
            "violations": [entry for entry in self._violations if entry["seq"] > since],
            "logins": [entry for entry in grants if entry["grant"] == "password"],
            "refreshes": [entry for entry in grants if entry["grant"] == "refresh_token"],
            "totals": dict(self.totals),
        }

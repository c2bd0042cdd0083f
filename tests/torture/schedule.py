"""What happens in a run, as a function of its seed: the surroundings, the fate of the n-th process, the n-th
disturbance. When each strikes depends on the machine, so a replay repeats the schedule and not each microsecond."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

from mixhaul_runtime.checkpoints import Checkpoint

POINTS: Final[tuple[str, ...]] = get_args(Checkpoint)
FEED_POINTS: Final = tuple(point for point in POINTS if not point.startswith("token_"))
TOKEN_POINTS: Final = tuple(point for point in POINTS if point.startswith("token_"))


@dataclass(frozen=True, slots=True)
class Profile:
    """The surroundings of a run. Durations in seconds."""

    name: str
    lease: float
    pause: int
    requests_per_minute: int
    transit: float
    organisations: int
    events_per_minute: int
    streams: int
    history_days: float = 0.3
    patience: float = 8.0
    kills_between_quiet_points: int = 50
    # The feeds begin with NEW eight days ago and stand still since: every cursor is dead, the gaps are to be filled.
    cliff: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make the waits short."""
        return {
            "MIXHAUL_LEASE_DURATION_SECONDS": f"{self.lease}",
            "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": f"{self.lease * 2 / 3:.3f}",
            "MIXHAUL_LEASE_RETRY_SECONDS": f"{self.lease * 2 / 15:.3f}",
            "MIXHAUL_TRANSIT_SECONDS": f"{self.transit}",
            "MIXHAUL_BACKOFF_SECONDS": "0.05" if self.lease < 5 else "1",
        }


SHORT: Final = Profile("short", 0.7, 1, 1200, 0.2, 6, 1200, 3)
CROWD: Final = Profile("crowd", 0.9, 1, 1200, 0.2, 4, 1200, 6)
TIGHT: Final = Profile("tight budget", 0.6, 1, 45, 0.2, 5, 900, 3, patience=8.0)
OWN: Final = Profile("MiX's own", 15.0, 30, 20, 10.0, 4, 600, 3, patience=45.0, kills_between_quiet_points=12)
CLIFF: Final = Profile("outage of eight days", 0.7, 1, 1200, 0.2, 4, 1200, 3, history_days=0, cliff=True)


def profile(seed: int) -> Profile:
    """One in twenty has MiX's own figures, three a budget that is hardly enough, three six candidates, four an outage
    of eight days."""
    place = seed % 20
    if place == 19:
        return OWN
    odd = {5: TIGHT, 10: TIGHT, 15: TIGHT, 3: CROWD, 8: CROWD, 13: CROWD, 2: CLIFF, 7: CLIFF, 12: CLIFF, 17: CLIFF}
    return odd.get(place, SHORT)


Action = Literal["kill at point", "stop at point", "kill", "stop", "term"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a process: signalled at the `hit`-th visit of a named point, or after some seconds."""

    action: Action
    after: float
    point: str | None = None
    hit: int = 1
    still: float = 0.0
    goes_on: bool = True
    executed: bool = False
    network: bool = False

    @property
    def needs_login(self) -> bool:
        return self.point in TOKEN_POINTS


def fate(seed: int, number: int, *, of: Profile, works: bool) -> Fate:
    """The fate of the `number`-th process. `works`: it is no stream, and ends by itself unless it dies before."""
    dice = Random(f"{seed} fate {number}")
    action: Action = dice.choices(
        ("kill at point", "kill", "stop at point", "stop", "term"),
        weights=(62, 8, 20, 5, 5) if not works else (60, 30, 4, 3, 3),
    )[0]
    point = None
    if action in ("kill at point", "stop at point"):
        point = dice.choice(TOKEN_POINTS) if dice.random() < 0.15 else dice.choice(FEED_POINTS)
        if works and point not in TOKEN_POINTS:
            point = dice.choice(("request_sent", "answer_read"))
    longest = 2.0 if works else min(of.patience, 3.0) if of.lease < 5 else of.patience
    return Fate(
        action=action,
        after=dice.uniform(0.05, longest),
        point=point,
        hit=1 if point in TOKEN_POINTS else dice.choice((1, 1, 1, 2, 3)),
        # Mostly long enough for another one to take over: who wakes up then must not commit.
        still=dice.uniform(0.5, 4.0) * of.lease,
        goes_on=dice.random() < 0.8,
        executed=dice.random() < 0.04,
        network=dice.random() < 0.4,
    )


Disturbance = Literal[
    "PostgreSQL killed", "PostgreSQL backend killed", "PostgreSQL stopped at once", "session terminated",
    "database: reset", "database: half-open", "database: hang", "database: delay",
    "commit: answer lost", "commit: not sent", "commit: no answer",
    "MiX: reset", "MiX: half-open", "MiX: hang", "MiX: delay", "MiX: refuse",
    "clock forward", "clock back", "password changed", "tokens revoked", "refresh tokens revoked",
    "faults changed", "burst", "event changed", "event amended", "organisation forbidden",
]  # fmt: skip
_WEIGHTS: Final[dict[Disturbance, float]] = {
    "PostgreSQL killed": 3, "PostgreSQL backend killed": 2, "PostgreSQL stopped at once": 1, "session terminated": 4,
    "database: reset": 4, "database: half-open": 3, "database: hang": 3, "database: delay": 3,
    "commit: answer lost": 6, "commit: not sent": 4, "commit: no answer": 4,
    "MiX: reset": 4, "MiX: half-open": 3, "MiX: hang": 3, "MiX: delay": 3, "MiX: refuse": 3,
    "clock forward": 2, "clock back": 1, "password changed": 1, "tokens revoked": 3, "refresh tokens revoked": 2,
    "faults changed": 4, "burst": 3, "event changed": 4, "event amended": 4, "organisation forbidden": 2,
}  # fmt: skip

# Works beside the streams: what is in braces is filled in.
WORKS: Final = (
    ("sync", "--manifest", "{manifest}"),
    ("sync", "--manifest", "{manifest}"),
    ("sync", "--manifest", "{manifest}"),
    ("status",),
    ("reprocess",),
    ("verify", "--from", "{yesterday}", "--manifest", "{manifest}"),
    ("backfill", "--from", "{yesterday}", "--manifest", "{manifest}"),
)


@dataclass(frozen=True, slots=True)
class Blow:
    """The n-th disturbance: what, how long after the one before, and for how long where it lasts."""

    kind: Disturbance
    after: float
    lasts: float
    dice: Random


def blow(seed: int, number: int, *, of: Profile) -> Blow:
    """The `number`-th disturbance of a run."""
    dice = Random(f"{seed} blow {number}")
    kind = dice.choices(tuple(_WEIGHTS), weights=tuple(_WEIGHTS.values()))[0]
    return Blow(
        kind=kind,
        after=dice.uniform(0.4, 2.4) * (1 if of.lease < 5 else 6),
        lasts=dice.uniform(0.2, 2.5) * of.lease,
        dice=dice,
    )


# The share of the calls that each fault of the contract strikes; a run has a part of them at a time.
FAULTS: Final[tuple[tuple[str, float], ...]] = (
    ("status-500", 0.03), ("status-502", 0.02), ("status-503", 0.02), ("html-200", 0.03), ("redirect-login", 0.02),
    ("reset-before", 0.02), ("reset-mid-body", 0.03), ("truncated-body", 0.03), ("truncated-json", 0.02),
    ("half-headers", 0.02), ("gzip-corrupt", 0.02), ("missing-has-more", 0.02), ("garbage-has-more", 0.02),
    ("missing-token", 0.02), ("empty-page-more", 0.03), ("oversize-page", 0.05), ("short-page", 0.05),
    ("duplicate-page-events", 0.1), ("redeliver", 0.1), ("unknown-fields", 0.1), ("numbers-as-text", 0.1),
    ("dates-odd", 0.1), ("bom", 0.05), ("status-204", 0.02), ("status-206", 0.03), ("unauthorised-once", 0.03),
    ("slow-headers", 0.01), ("slow-body", 0.01), ("bad-record", 0.01), ("dates-wild", 0.01),
    ("token-answer-lost", 0.05), ("expires-short", 0.3), ("enum-unknown", 0.05), ("enum-number", 0.05),
    ("enum-case", 0.05), ("null-fields", 0.05), ("negative-ids", 0.05), ("empty-support-list", 0.05),
    ("short-support-list", 0.05), ("retry-after-429", 0.005), ("hang", 0.005), ("hang-mid-body", 0.005),
)  # fmt: skip


def faults(dice: Random) -> list[tuple[str, float]]:
    """Six in ten of them."""
    return [(kind, rate) for kind, rate in FAULTS if dice.random() < 0.6]

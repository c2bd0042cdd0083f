"""What a feed does next, as pure functions: tokens to begin with, the size of the next request, waits after errors.

Nothing here reads a clock or sleeps. A wait that MiX asks for is not decided here but kept in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

TOKEN_LIFE = timedelta(days=7)
OLDEST_MARGIN = timedelta(minutes=10)
FROM_NOW_ON = "NEW"

# A page that does not come is asked for in smaller pieces, then patiently: the cursor never jumps over it.
SMALLER = (500, 100, 10, 1)
PATIENT_SECONDS = 600.0
LONGEST_BACKOFF_SECONDS = 60.0
TRIES_PER_SIZE = 3


@dataclass(frozen=True, slots=True)
class Start:
    """Where a feed without progress begins. `gap_from` is set where older events were asked for than the feed has."""

    token: str
    begins_at: datetime | None
    gap_from: datetime | None = None


def token_of(moment: datetime) -> str:
    """`yyyyMMddHHmmssfff` of a UTC time: only ever used to begin, never stored as progress."""
    return moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03d}"


def oldest(now: datetime) -> datetime:
    """The oldest creation time that the feed still answers for, with a margin for the way and for clocks."""
    return now - TOKEN_LIFE + OLDEST_MARGIN


def start(start_from: datetime | Literal["Oldest", "Now"], *, now: datetime) -> Start:
    """The first request of a feed that has no token of MiX's yet."""
    if start_from == "Now":
        return Start(token=FROM_NOW_ON, begins_at=None)
    begin = oldest(now)
    if isinstance(start_from, datetime):
        if start_from >= begin:
            return Start(token=token_of(min(start_from, now)), begins_at=min(start_from, now))
        return Start(token=token_of(begin), begins_at=begin, gap_from=start_from)
    return Start(token=token_of(begin), begins_at=begin)


def position(token: str, *, token_time: datetime | None, received_at: datetime, now: datetime) -> datetime:
    """The creation time up to which a token has read: for age and display. One that reads as no time counts from when
    it was received."""
    if token_time is None or token_time > now + timedelta(days=1):
        return received_at
    return token_time


def is_dead(at: datetime, *, now: datetime) -> bool:
    """Whether a token of this time is past the 7 days for which MiX answers."""
    return now - at > TOKEN_LIFE


def is_dying(at: datetime, *, now: datetime) -> bool:
    """Whether a refusal of this token may be because of its age: within the margin that we keep ourselves."""
    return now - at > TOKEN_LIFE - OLDEST_MARGIN


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row: of any kind, and those that may be the page's own fault (a smaller one may get through)."""

    any_kind: int = 0
    of_page: int = 0

    def another(self, *, of_page: bool) -> Failures:
        """These and one more."""
        return Failures(any_kind=self.any_kind + 1, of_page=self.of_page + (1 if of_page else 0))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next request: how many events to ask for, and how long to wait before (seconds)."""

    quantity: int
    wait_seconds: float


def next_attempt(
    failures: Failures, *, page_size: int, first_wait_seconds: float = 1.0, retry_after_seconds: float | None = None
) -> Attempt:
    """Three tries of each size with a growing wait, then one every ten minutes at the smallest size."""
    sizes = [page_size, *(size for size in SMALLER if size < page_size)]
    step = failures.of_page // TRIES_PER_SIZE
    quantity = sizes[min(step, len(sizes) - 1)]
    if failures.any_kind == 0:
        wait = 0.0
    elif step >= len(sizes):
        wait = PATIENT_SECONDS
    else:
        wait = min(first_wait_seconds * 2.0 ** min(failures.any_kind - 1, 16), LONGEST_BACKOFF_SECONDS)
    return Attempt(quantity=quantity, wait_seconds=max(wait, retry_after_seconds or 0.0))

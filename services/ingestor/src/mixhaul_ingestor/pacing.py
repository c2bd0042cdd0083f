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
# A `Date` header that is further off than this is nonsense: it must not lead beyond what a datetime can hold.
LONGEST_OFFSET = timedelta(days=3650)

# A page that does not come is asked for in smaller pieces, then patiently: the cursor never jumps over it.
SMALLER = (500, 100, 10, 1)
PATIENT_SECONDS = 600.0
LONGEST_BACKOFF_SECONDS = 60.0
TRIES_PER_SIZE = 3
# What was created a moment ago may not be in MiX's history yet.
SETTLED = timedelta(minutes=1)
# How often the interval of a page that does not come is backfilled a little further.
MISSING_AGAIN = timedelta(hours=1)


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


@dataclass(frozen=True, slots=True)
class Clocks:
    """What time it is, by our clock and by the one that MiX's answers show. Either may be wrong, and a wrong one must
    neither end a living token nor skip anything: what can't be undone asks for both."""

    earlier: datetime
    later: datetime


def clocks(*, ours: datetime, offset: timedelta) -> Clocks:
    """Both clocks, in order."""
    theirs = ours + min(max(offset, -LONGEST_OFFSET), LONGEST_OFFSET)
    return Clocks(earlier=min(ours, theirs), later=max(ours, theirs))


def beginning(now: Clocks, *, refused: datetime | None) -> datetime:
    """By which clock a feed without a token begins: the earlier one skips nothing, the other one's turn comes when MiX
    refused that."""
    if refused is None:
        return now.earlier
    return max(now.earlier, now.later, key=lambda clock: abs(clock - refused))


@dataclass(frozen=True, slots=True)
class Reach:
    """Between which creation times the position of a token is. The two are the same for one that reads as a time."""

    earliest: datetime
    latest: datetime

    @property
    def exact(self) -> bool:
        """Whether the position is known."""
        return self.earliest == self.latest


def reach(
    *,
    token_time: datetime | None,
    received_at: datetime,
    has_more: bool | None,
    caught_up_at: datetime | None,
    now: Clocks,
) -> Reach:
    """How far a token has read. One that reads as no time is as new as its page where that said that there is no more;
    within a backlog it may be as old as the last page that said so, or as a token can be."""
    if token_time is not None and token_time <= now.later + timedelta(days=1):
        return Reach(token_time, token_time)
    if has_more is False:
        return Reach(received_at, received_at)
    oldest_possible = received_at - TOKEN_LIFE
    return Reach(min(received_at, max(caught_up_at or oldest_possible, oldest_possible)), received_at)


def is_dead(at: Reach, *, now: Clocks) -> bool:
    """Whether a token is surely past the 7 days for which MiX answers: there is no use in asking."""
    return now.earlier - at.latest > TOKEN_LIFE


def may_be_dead(at: Reach, *, now: Clocks) -> bool:
    """Whether a refusal of this token may be because of its age, with the margin that we keep ourselves."""
    return now.later - at.earliest > TOKEN_LIFE - OLDEST_MARGIN


def missing(at: Reach, *, now: Clocks) -> tuple[datetime, datetime]:
    """The interval that a dead token leaves: up to the oldest time that is still answered for, by the clock by which
    the token died."""
    died_early = now.earlier - at.earliest > TOKEN_LIFE - OLDEST_MARGIN
    until = oldest(now.earlier if died_early else now.later)
    return min(at.earliest, until - timedelta(milliseconds=1)), until


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row: of any kind, and those that may be the page's own fault (a smaller one may get through)."""

    any_kind: int = 0
    of_page: int = 0

    def another(self, *, of_page: bool) -> Failures:
        """These and one more."""
        return Failures(any_kind=self.any_kind + 1, of_page=self.of_page + (1 if of_page else 0))


def has_tried_all(failures: Failures, *, page_size: int) -> bool:
    """Whether every size of page was refused, each several times."""
    return failures.of_page >= TRIES_PER_SIZE * len(_sizes(page_size))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next request: how many events to ask for, and how long to wait before (seconds)."""

    quantity: int
    wait_seconds: float


def next_attempt(
    failures: Failures, *, page_size: int, first_wait_seconds: float = 1.0, retry_after_seconds: float | None = None
) -> Attempt:
    """Three tries of each size with a growing wait, then one every ten minutes at the smallest size."""
    sizes = _sizes(page_size)
    step = failures.of_page // TRIES_PER_SIZE
    quantity = sizes[min(step, len(sizes) - 1)]
    if failures.any_kind == 0:
        wait = 0.0
    elif step >= len(sizes):
        wait = PATIENT_SECONDS
    else:
        wait = min(first_wait_seconds * 2.0 ** min(failures.any_kind - 1, 16), LONGEST_BACKOFF_SECONDS)
    return Attempt(quantity=quantity, wait_seconds=max(wait, retry_after_seconds or 0.0))


def _sizes(page_size: int) -> list[int]:
    return [page_size, *(size for size in SMALLER if size < page_size)]

"""What is decided about the proof of completeness: which days are due, and what explains a difference. Pure.

A day is compared on the second, the ninth and the 35th day after it: when the feed should have brought it, when the
feed can no longer bring it, and when what vehicles upload weeks late should be there. A comparison stands for every
date that has passed when it ends, so an outage costs one comparison a day and not three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from mixhaul_store.comparison import After, Differences
from mixhaul_store.intervals import LATENESS
from mixhaul_store.reconciliations import Day, Figures, Surroundings

STAGES: Final = (timedelta(days=2), timedelta(days=9), timedelta(days=35))
# Older days are compared on request only: a source that starts far back is not read twice at once.
LOOK_BACK: Final = timedelta(days=42)
# A day of which something could not be filled.
RETRY: Final = timedelta(hours=6)
FEED_REACH: Final = timedelta(days=7)
FEED_MARGIN: Final = timedelta(minutes=10)
# A feed that said so much ago that there is no more counts as behind.
FEED_LAG: Final = timedelta(minutes=10)
AMENDMENTS_OVERLAP: Final = timedelta(days=5)

OPEN_GAP: Final = "open gap"
FEED_BEHIND: Final = "feed behind"
ARRIVED: Final = "arrived meanwhile"
UNREADABLE: Final = "unreadable"
EXPIRED: Final = "expired"
UNEXPLAINED: Final = "unexplained"
NEWER_VERSION: Final = "newer version"
AMENDED: Final = "amended"


StartFrom = datetime | Literal["Oldest", "Now"]
"""What `spec.stream.startFrom` says."""


def start_of(day: date) -> datetime:
    """Its midnight, UTC."""
    return datetime.combine(day, time(0), UTC)


def days_of(begin: datetime, end: datetime) -> list[date]:
    """The UTC days that an interval touches, oldest first."""
    days, day = [], begin.astimezone(UTC).date()
    while start_of(day) < end:
        days.append(day)
        day += timedelta(days=1)
    return days


def first_day(began_at: datetime, start_from: StartFrom) -> date:
    """The first whole day that a feed covers which was begun then."""
    if isinstance(start_from, datetime):
        begin = start_from
    else:
        begin = began_at - FEED_REACH + FEED_MARGIN if start_from == "Oldest" else began_at
    day = begin.astimezone(UTC).date()
    return day if start_of(day) == begin else day + timedelta(days=1)


def due(*, first: date, last: Mapping[date, Day], now: datetime, keeps: timedelta | None) -> list[date]:
    """The days that are to be compared now, the newest first. `keeps` is how long events are kept."""
    oldest = now - min(LOOK_BACK, keeps or LOOK_BACK)
    days = []
    day = now.astimezone(UTC).date() - min(STAGES)
    while day >= first and start_of(day) >= oldest:
        if _is_due(start_of(day), last.get(day), now):
            days.append(day)
        day -= timedelta(days=1)
    return days


def _is_due(begin: datetime, last: Day | None, now: datetime) -> bool:
    passed = [begin + stage for stage in STAGES if begin + stage <= now]
    if not passed:
        return False
    if last is None or last.finished_at < passed[-1]:
        return True
    return last.figures.unfilled > 0 and last.finished_at + RETRY <= now


def looked_at(differences: Differences) -> Figures:
    """The figures of an answer that changes nothing."""
    return Figures(
        compared=len(differences.records), quarantined=differences.quarantined, only_here=differences.only_here
    )


def figures(
    differences: Differences,
    after: After,
    *,
    times: Mapping[int, datetime],
    around: Surroundings,
    at: datetime,
) -> Figures:
    """The figures of an answer that was asked for `at` and stored. `times` are those of the missing events that could
    be read."""
    gone = [number for number in after.still_missing if _expired(times.get(number), after.kept_since)]
    causes = Counter(_cause(times.get(one.external_id), around, at) for one in differences.missing)
    # What the feed brought while history was asked needs no other cause, nor does what is kept in another way.
    explained = {ARRIVED: after.arrived, UNREADABLE: after.kept_in_quarantine, EXPIRED: len(gone)}
    over = sum(explained.values())
    for cause in (UNEXPLAINED, FEED_BEHIND, OPEN_GAP):
        less = min(over, causes[cause])
        causes[cause] -= less
        over -= less
    amended = after.changed_and_amended
    explained |= causes | {NEWER_VERSION: after.changed - amended, AMENDED: amended}
    unfilled = len(after.still_missing) - len(gone)
    return Figures(
        compared=len(differences.records),
        missing=len(differences.missing),
        differing=after.changed,
        filled=len(differences.missing) - unfilled,
        unfilled=unfilled,
        rewritten=len(differences.differing) - after.changed,
        quarantined=differences.quarantined,
        only_here=differences.only_here,
        explanations={name: number for name, number in explained.items() if number},
    )


def _expired(at: datetime | None, kept_since: datetime | None) -> bool:
    return at is not None and kept_since is not None and at < kept_since


def _cause(moment: datetime | None, around: Surroundings, at: datetime) -> str:
    """Why the feed may not have brought an event of that moment by then."""
    if any(moment is None or gap.start - LATENESS <= moment <= gap.end for gap in around.open_gaps):
        return OPEN_GAP
    # What was uploaded since the feed said last that there is no more may have happened at any time before.
    read = around.caught_up_at
    if read is None or at - read > FEED_LAG or (moment is not None and moment >= read):
        return FEED_BEHIND
    return UNEXPLAINED


def total(parts: Iterable[Figures]) -> Figures:
    """All of them together."""
    whole = Figures()
    for part in parts:
        whole = whole + part
    return whole


def sentence(whole: Figures, *, days: int, organisations: int) -> str:
    """What a verification came to, for a person."""
    of = f"{_number(days, 'day')} of {_number(organisations, 'organisation')}"
    said = f"Compared {_number(whole.compared, 'event')} of {of}: "
    if not whole.missing and not whole.differing:
        return said + "nothing is missing and nothing differs."
    parts = []
    if whole.missing:
        filled = "all of them filled" if not whole.unfilled else f"{whole.filled:,} of them filled"
        parts.append(f"{whole.missing:,} missing, {filled}")
    if whole.differing:
        parts.append(f"{whole.differing:,} brought up to date")
    why = ", ".join(f"{name} {number:,}" for name, number in sorted(whole.explanations.items()))
    return f"{said}{'; '.join(parts)} ({why})." if why else f"{said}{'; '.join(parts)}."


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def amendment_windows(*, read: tuple[date, date] | None, wanted_from: date, today: date) -> list[tuple[date, date]]:
    """The days whose amendments are to be read, as windows of at most 7 days with both ends counted.

    The last week is read each time. Once are read: what lies between it and the last reading, after an outage, with
    some days before that, and what lies before the first reading and is wanted by now. Each window touches what was
    read before it, so that a reading that is cut off leaves no hole behind.
    """
    day = timedelta(days=1)
    week = today - 6 * day
    first, last = read or (week, today)
    windows: list[tuple[date, date]] = []
    # Not before the first day that was read: what was never read is no overlap, and would leave a hole.
    begin = max(first, last - AMENDMENTS_OVERLAP)
    while begin < week:
        windows.append((begin, min(begin + 6 * day, week - day)))
        begin += 7 * day
    windows.append((week, today))
    end = min(first, week) - day
    while end >= wanted_from:
        windows.append((max(wanted_from, end - 6 * day), end))
        end -= 7 * day
    return windows

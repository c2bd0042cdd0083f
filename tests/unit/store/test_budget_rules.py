"""The budget's decision: alone as a table, and over any schedule of calls as a property."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mixhaul_store.budget_rules import PRIORITIES, Books, Rules, closed_until, usable, wait_until

ZERO = datetime(2026, 11, 1, tzinfo=UTC)
RULES = Rules(
    limit=3,
    window=timedelta(seconds=60),
    transit=timedelta(seconds=10),
    send_within=timedelta(seconds=2),
    pause=timedelta(seconds=30),
)


def at(seconds: float) -> datetime:
    return ZERO + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(20, [20, 19, 18, 17, 16]), (3, [3, 2, 1, 1, 1]), (1, [1, 1, 1, 1, 1])],
    ids=["twenty", "three", "one"],
)
def test_lower_priorities_leave_slots_to_higher_ones(limit: int, expected: list[int]) -> None:
    assert [usable(priority, limit) for priority in PRIORITIES] == expected


@pytest.mark.parametrize(
    ("books", "priority", "expected"),
    [
        (Books(at(0), []), "feed", None),
        (Books(at(0), [at(9), at(5)]), "feed", None),
        (Books(at(0), [at(9), at(5)]), "amendments", at(5)),
        (Books(at(0), [at(9), at(5)]), "sync", at(9)),
        (Books(at(0), [at(9), at(5), at(7)]), "feed", at(5)),
        (Books(at(0), [at(9), at(5), at(7), at(8)]), "feed", at(7)),
        (Books(at(5), [at(9), at(5), at(7)]), "feed", None),
        (Books(at(0), [], closed_until=at(3)), "feed", at(3)),
        (Books(at(3), [], closed_until=at(3)), "feed", None),
        (Books(at(0), [], not_before=at(4), closed_until=at(3)), "feed", at(4)),
        (Books(at(0), [at(9)] * 3, not_before=at(4)), "feed", at(9)),
    ],
)
def test_when_a_call_is_allowed(books: Books, priority: str, expected: datetime | None) -> None:
    assert wait_until(books, RULES, priority) == expected


@pytest.mark.parametrize(("header", "seconds"), [(None, 60), (5.0, 5), (0.0, 0), (-3.0, 0), (1e12, 3600)])
def test_how_long_a_429_closes(header: float | None, seconds: float) -> None:
    assert closed_until(at(0), header) == at(seconds)


@dataclass(frozen=True)
class Call:
    """A caller who asks at `asked`. Fractions say when, of what is allowed, the call arrives and MiX answers."""

    asked: float
    priority: str
    arrives: float
    made: float
    answered: float
    outcome: str
    retry_after: float | None


@dataclass
class World:
    """MiX and the database; the callers do what `budgets` does."""

    rules: Rules
    frees: dict[int, datetime] = field(default_factory=dict)
    closed: datetime | None = None
    not_before: datetime | None = None
    arrivals: list[datetime] = field(default_factory=list)
    feed_arrivals: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)

    def run(self, calls: list[Call]) -> None:
        order: Iterator[int] = itertools.count()
        queue: list[tuple[datetime, int, int, str]] = []
        for number, call in enumerate(calls):
            heapq.heappush(queue, (at(call.asked), next(order), number, "ask"))
        looks = 0
        while queue:
            now, _, number, step = heapq.heappop(queue)
            call = calls[number]
            if step == "ask":
                looks += 1
                assert looks < 200 * len(calls), "nobody gets on"
                feed = call.priority == "feed"
                books = Books(now, list(self.frees.values()), self.closed, self.not_before if feed else None)
                until = wait_until(books, self.rules, call.priority)
                if until is None:
                    heapq.heappush(queue, (self._grant(now, number, call), next(order), number, "outcome"))
                else:
                    assert until > now
                    heapq.heappush(queue, (until, next(order), number, "ask"))
            else:
                self._outcome(now, number, call)

    def _grant(self, now: datetime, number: int, call: Call) -> datetime:
        self.frees[number] = self.rules.taken_until(now)
        if call.priority == "feed":
            self.not_before = self.rules.silent_until(now)
        if call.outcome == "not_sent":
            return now + self.rules.send_within * call.arrives
        arrival = now + (self.rules.send_within + self.rules.transit) * call.arrives
        made = arrival + (now + self.rules.send_within + self.rules.transit - arrival) * call.made
        self.arrivals.append(arrival)
        if call.priority == "feed":
            self.feed_arrivals.append(arrival)
            if call.outcome in ("no_more", "unknown"):
                self.ends.append(made)
        return made + timedelta(seconds=call.answered)

    def _outcome(self, now: datetime, number: int, call: Call) -> None:
        feed = call.priority == "feed"
        if call.outcome == "unknown":
            return
        if call.outcome == "not_sent":
            del self.frees[number]
        else:
            self.frees[number] = self.rules.answered_until(now)
        if call.outcome == "throttled":
            self.closed = max(filter(None, (self.closed, closed_until(now, call.retry_after))))
        if feed:
            self.not_before = self.rules.paused_until(now) if call.outcome == "no_more" else None


FRACTION = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
CALLS = st.builds(
    Call,
    asked=st.floats(0, 150),
    priority=st.sampled_from(PRIORITIES),
    arrives=FRACTION,
    made=FRACTION,
    answered=st.one_of(st.just(0.0), st.floats(0, 1)),
    outcome=st.sampled_from(["more", "no_more", "unknown", "not_sent", "throttled"]),
    retry_after=st.one_of(st.none(), st.floats(0, 90)),
)
LATE_THEN_EARLY = [Call(asked, "feed", arrives, 0.0, 0.0, "more", None) for asked, arrives in [(0, 1.0), (61, 0.0)] * 3]

LATE_AND_UNKNOWN = [
    Call(0, "sync", 1.0, 0.0, 0.0, "unknown", None),
    Call(1, "sync", 0.0, 0.0, 0.0, "more", None),
]


@settings(max_examples=300, deadline=None)
@example(limit=1, calls=LATE_THEN_EARLY)
@example(limit=1, calls=LATE_AND_UNKNOWN)
@given(limit=st.integers(1, 5), calls=st.lists(CALLS, min_size=1, max_size=25))
def test_no_window_ever_sees_more_arrivals_than_the_limit(limit: int, calls: list[Call]) -> None:
    rules = replace(RULES, limit=limit)
    world = World(rules)
    world.run(calls)
    arrivals = sorted(world.arrivals)
    for first, last in zip(arrivals, arrivals[limit:], strict=False):
        assert last - first >= rules.window
    for end in world.ends:
        assert not [one for one in world.feed_arrivals if end < one < end + rules.pause]

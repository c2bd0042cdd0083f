"""The Lease's decisions: as tables, and as a property over a world of lost, slow and doubled-up requests."""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixhaul_ingestor.kubernetes import election
from mixhaul_ingestor.kubernetes.election import Create, Record, Seen, Take, Wait, record_of
from mixhaul_ingestor.leadership import Timing

TIMING = Timing(lease_duration=15, renew_deadline=10, retry_period=2)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def lease(holder: str | None = "other", *, renewed: str = "t0", duration: int | None = 15, **spec: Any) -> Record:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": renewed, **spec}
    return record_of({"metadata": {"name": "lead", "resourceVersion": "7"}, "spec": spec})


@pytest.mark.parametrize(
    ("known", "now", "expected"),
    [
        pytest.param(Seen(None, 100), 100, Create(), id="none there"),
        pytest.param(Seen(None, 100, held_for=15), 114.9, Wait(pytest.approx(0.1)), id="deleted under its holder"),
        pytest.param(Seen(None, 100, held_for=15), 115, Create(), id="deleted, and the holder must have noticed"),
        pytest.param(Seen(lease(""), 100), 100, Take(lease("")), id="released"),
        pytest.param(Seen(lease(None), 100), 100, Take(lease(None)), id="without holder"),
        pytest.param(Seen(record_of({"metadata": {}}), 0), 0, Take(record_of({"metadata": {}})), id="without spec"),
        pytest.param(Seen(lease("me"), 100), 100, Take(lease("me")), id="ours, the answer was lost"),
        pytest.param(Seen(lease(), 100), 100, Wait(15), id="just renewed"),
        pytest.param(Seen(lease(), 100), 112, Wait(3), id="not yet run out"),
        pytest.param(Seen(lease(), 100), 115, Take(lease()), id="run out"),
        pytest.param(Seen(lease(duration=30), 100), 115, Wait(15), id="the holder's duration is longer"),
        pytest.param(Seen(lease(duration=2), 100), 103, Wait(12), id="ours is longer"),
        pytest.param(Seen(lease(duration=None), 100), 103, Wait(12), id="no duration"),
    ],
)
def test_a_candidate_decides(known: Seen, now: float, expected: election.Decision) -> None:
    assert election.decide(known, me="me", now=now, timing=TIMING) == expected


def test_what_is_seen_again_unchanged_is_as_old_as_it_was() -> None:
    first = election.seen(None, lease(), now=100)
    labelled = record_of({**lease().value, "metadata": {"name": "lead", "resourceVersion": "8", "labels": {"a": "b"}}})
    again = election.seen(first, labelled, now=110)
    assert (again.since, again.record) == (100, labelled)
    renewed = election.seen(again, lease(renewed="t1"), now=111)
    assert renewed.since == 111
    assert election.seen(renewed, None, now=112) == Seen(None, 112, held_for=15)
    assert election.seen(election.seen(renewed, None, now=112), None, now=120) == Seen(None, 112, held_for=15)
    assert election.seen(election.seen(None, lease(""), now=1), None, now=2) == Seen(None, 2)


@pytest.mark.parametrize(
    "skew", [timedelta(days=-400), timedelta(0), timedelta(days=400)], ids=["past", "now", "future"]
)
def test_the_times_in_the_lease_decide_nothing(skew: timedelta) -> None:
    renewed = election.taken(lease(), me="other", now=NOW + skew, timing=TIMING)
    known = election.seen(None, record_of(renewed), now=50)
    assert election.decide(known, me="me", now=51, timing=TIMING) == Wait(14)
    assert isinstance(election.decide(known, me="me", now=65, timing=TIMING), Take)


def test_taking_keeps_what_others_have_written() -> None:
    value = {
        "metadata": {"name": "lead", "resourceVersion": "7", "annotations": {"who": "cares"}},
        "spec": {"holderIdentity": "other", "leaseTransitions": 3, "strategy": "OldestEmulationVersion"},
    }
    before = copy.deepcopy(value)
    taken = election.taken(record_of(value), me="me", now=NOW, timing=Timing(lease_duration=1.5))
    assert value == before
    assert taken["metadata"] == before["metadata"]
    assert taken["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 2,
        "leaseTransitions": 4,
        "acquireTime": "2026-11-24T12:00:00.000000Z",
        "renewTime": "2026-11-24T12:00:00.000000Z",
        "strategy": "OldestEmulationVersion",
    }
    renewed = election.taken(record_of(taken), me="me", now=NOW + timedelta(seconds=2), timing=TIMING)
    assert (renewed["spec"]["leaseTransitions"], renewed["spec"]["acquireTime"]) == (4, taken["spec"]["acquireTime"])
    assert renewed["spec"]["renewTime"] == "2026-11-24T12:00:02.000000Z"
    released = election.released(record_of(renewed), now=NOW)
    assert released["spec"] == {**renewed["spec"], "holderIdentity": "", "renewTime": "2026-11-24T12:00:00.000000Z"}
    assert released["metadata"]["resourceVersion"] == "7"


times = st.floats(min_value=0.1, max_value=100)


@given(good=st.floats(0, 1000), later=st.floats(0, 200), deadline=times, retry=times)
def test_no_call_and_no_sleep_of_a_holder_outlasts_its_deadline(
    good: float, later: float, deadline: float, retry: float
) -> None:
    timing = Timing(lease_duration=deadline * 1.5, renew_deadline=deadline, retry_period=retry)
    left = election.time_left(good, now=good + later, timing=timing)
    for seconds in (election.call_seconds(left, timing), election.nap(left, timing)):
        assert 0 <= seconds <= max(left, 0)
    assert election.call_seconds(left, timing) < deadline


# -- a world in which requests get lost, take their time, and arrive after their sender has given up


Agent = Generator[tuple[str, Any, float], Any, None]


@dataclass
class World:
    """One Lease, one true time; each process counts from a moment of its own."""

    chance: Random
    trouble: float
    now: float = 0.0
    value: dict[str, Any] | None = None
    version: int = 0
    leading: list[tuple[float, float, str]] = field(default_factory=list)
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), what))

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, what = heapq.heappop(self.events)
            what()

    def get(self) -> dict[str, Any] | None:
        return copy.deepcopy(self.value)

    def put(self, body: dict[str, Any]) -> dict[str, Any] | str:
        """With the version that it was read with, or a conflict."""
        there = str(self.version) if self.value is not None else None
        if body["metadata"].get("resourceVersion") != there:
            return "conflict"
        self.version += 1
        self.value = {**copy.deepcopy(body), "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return copy.deepcopy(self.value)

    def delay(self) -> float:
        """Mostly a blink; in trouble up to longer than any duration of the election."""
        return self.chance.uniform(0, 40) if self.chance.random() < self.trouble else self.chance.uniform(0, 0.1)

    def start(self, agent: Agent, answer: Any = None) -> None:
        """Let an agent go on to its next request or sleep."""
        try:
            kind, what, seconds = agent.send(answer)
        except StopIteration:
            return
        if kind == "sleep":
            if self.chance.random() < self.trouble / 4:
                seconds += self.chance.uniform(0, 40)  # SIGSTOP
            self.later(seconds, lambda: self.start(agent))
            return
        answered = [False]

        def hear(found: Any) -> None:
            if not answered[0]:
                answered[0] = True
                self.start(agent, found)

        def arrive() -> None:
            found = what()
            self.later(self.delay(), lambda: hear(found))

        self.later(seconds, lambda: hear("no answer"))
        self.later(self.delay(), arrive)


def process(world: World, me: str, *, begin: float, skew: timedelta, timing: Timing) -> Agent:
    """What `LeaseElector` does, by the same decisions."""

    def clock() -> float:
        return world.now - begin

    def wall() -> datetime:
        return NOW + timedelta(seconds=world.now) + skew

    known: Seen | None = None
    while True:
        found = yield "call", world.get, timing.renew_deadline / 3
        if found == "no answer":
            yield "sleep", None, timing.retry_period
            continue
        known = election.seen(known, record_of(found) if found else None, now=clock())
        decision = election.decide(known, me=me, now=clock(), timing=timing)
        if isinstance(decision, Wait):
            yield "sleep", None, min(decision.seconds, timing.retry_period)
            continue
        good = clock()
        if isinstance(decision, Create):
            body = election.created(name="lead", namespace="x", me=me, now=wall(), timing=timing)
        else:
            body = election.taken(decision.record, me=me, now=wall(), timing=timing)
        answer = yield "call", lambda body=body: world.put(body), timing.renew_deadline / 3
        if isinstance(answer, str):
            yield "sleep", None, timing.retry_period
            continue
        yield from holder(world, me, record=record_of(answer), good=good, clock=clock, wall=wall, timing=timing)
        known = None


def holder(
    world: World,
    me: str,
    *,
    record: Record,
    good: float,
    clock: Callable[[], float],
    wall: Callable[[], datetime],
    timing: Timing,
) -> Agent:
    since, stopped_at = world.now, world.now + election.time_left(good, now=clock(), timing=timing)
    ends = world.chance.uniform(1, 60)
    while True:
        left = election.time_left(good, now=clock(), timing=timing)
        # A stopped process does nothing: what it would have done after its deadline it did not do.
        world.leading.append((since, min(world.now, stopped_at), me))
        if left <= 0:
            return
        stopped_at = world.now + left
        if world.now - since > ends:
            body = election.released(record, now=wall())
            yield "call", lambda body=body: world.put(body), 2.0
            return
        began, body = clock(), election.taken(record, me=me, now=wall(), timing=timing)
        answer = yield "call", lambda body=body: world.put(body), election.call_seconds(left, timing)
        if answer == "conflict":
            left = election.time_left(good, now=clock(), timing=timing)
            found = yield "call", world.get, election.call_seconds(left, timing)
            if isinstance(found, dict) and record_of(found).holder != me:
                world.leading.append((since, min(world.now, stopped_at), me))
                return
            if isinstance(found, dict):
                record = record_of(found)
        elif isinstance(answer, dict):
            record, good = record_of(answer), began
            stopped_at = world.now + election.time_left(good, now=clock(), timing=timing)
        left = election.time_left(good, now=clock(), timing=timing)
        yield "sleep", None, election.nap(left, timing)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), trouble=st.sampled_from([0.0, 0.05, 0.3, 0.6]), wild=st.booleans())
def test_no_two_lead_at_the_same_time_whatever_happens_to_their_requests(
    chance: Random, trouble: float, wild: bool
) -> None:
    world = World(chance=Random(chance.random()), trouble=trouble)
    for number in range(3):
        timing = Timing(lease_duration=30, renew_deadline=25, retry_period=1) if wild and number == 1 else TIMING
        skew = timedelta(seconds=world.chance.uniform(-1e6, 1e6))
        begin = world.chance.uniform(-1e5, 1e5)
        agent = process(world, f"p{number}", begin=begin, skew=skew, timing=timing)
        world.later(world.chance.uniform(0, 5), lambda agent=agent: world.start(agent))
    world.run(600)
    terms: dict[tuple[float, str], float] = {}
    for since, until, who in world.leading:
        terms[since, who] = max(until, terms.get((since, who), since))
    ordered = sorted((since, until, who) for (since, who), until in terms.items())
    if trouble < 0.3:
        # Where nearly every second request fails, it may well be that nobody ever leads.
        assert len(ordered) > 5
    for (_, until, who), (since, _, other) in itertools.pairwise(ordered):
        assert who == other or until <= since, (who, until, other, since)

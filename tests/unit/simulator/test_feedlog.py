"""A feed log pages through everything once, whatever the bursts, the page sizes and the changes between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mixhaul_simulator.feedlog import EventLog, Facts, FeedLog


def facts(event_id: int, type_id: int = 7) -> Facts:
    return Facts(event_id, 1, 2, type_id, 0)


def record(event_id: int, version: int = 0) -> bytes:
    return b"%d:%d" % (event_id, version)


def walk(log: FeedLog, quantity: int, *, now_ms: int, after: int = 0) -> list[list[bytes]]:
    pages = []
    while True:
        page = log.page(after, quantity, now_ms=now_ms)
        pages.append(page.records)
        after = page.token_ms
        if not page.has_more:
            return pages


@given(steps=st.lists(st.integers(0, 3), max_size=60), quantity=st.integers(1, 9))
def test_walking_the_pages_gives_each_record_once_and_in_order(steps: list[int], quantity: int) -> None:
    log = FeedLog()
    at = 1000
    for number, step in enumerate(steps):
        at += step
        log.append(log.time_for(at), record(number))
    pages = walk(log, quantity, now_ms=at + 1)
    assert [item for page in pages for item in page] == [record(number) for number in range(len(steps))]
    assert all(len(page) >= quantity for page in pages[:-1])


def test_a_millisecond_is_never_split() -> None:
    log = FeedLog()
    for number in range(7):
        log.append(50, record(number))
    log.append(51, record(7))
    page = log.page(0, 2, now_ms=60)
    assert (len(page.records), page.token_ms, page.has_more) == (7, 50, True)


def test_what_comes_after_a_given_token_is_created_after_it() -> None:
    log = FeedLog()
    log.append(log.time_for(100), record(1))
    page = log.page(0, 10, now_ms=500)
    log.given(page.token_ms)
    log.append(log.time_for(500), record(2))
    assert log.page(page.token_ms, 10, now_ms=500).records == [record(2)]


def test_the_last_page_moves_the_token_to_now_and_never_back() -> None:
    log = FeedLog()
    log.append(100, record(1))
    assert log.page(0, 10, now_ms=900).token_ms == 900
    assert log.page(1000, 10, now_ms=900).token_ms == 1000


@given(data=st.data())
def test_a_changed_event_is_offered_once_as_it_is_now(data: st.DataObject) -> None:
    log = EventLog()
    latest: dict[int, bytes] = {}
    for version in range(data.draw(st.integers(0, 40))):
        event_id = data.draw(st.integers(1, 6))
        latest[event_id] = record(event_id, version)
        log.put(log.time_for(version), latest[event_id], facts(event_id))
    offered = [item for page in walk(log, data.draw(st.integers(1, 5)), now_ms=100, after=-1) for item in page]
    assert sorted(offered) == sorted(latest.values())
    assert {event_id: log.latest(event_id).record for event_id in log.order} == latest  # type: ignore[union-attr]
    assert {facts.event_id for _, facts, _ in log.current()} == set(latest)


def test_the_same_version_again_is_offered_again() -> None:
    log = EventLog()
    for at in (1, 2):
        log.put(at, record(1), facts(1))
    assert log.page(0, 10, now_ms=5).records == [record(1), record(1)]
    log.put(3, record(1, 1), facts(1))
    assert log.page(0, 10, now_ms=5).records == [record(1, 1)]


def test_a_filtered_page_holds_the_wanted_types_and_goes_past_the_others() -> None:
    log = EventLog()
    for number in range(30):
        log.put(number + 1, record(number), facts(number, type_id=number % 3))
    log.put_bad(31, b"bad", "nul")
    first = log.page_of_types(0, 4, types=frozenset({1}), now_ms=99)
    assert first.records == [record(number) for number in (1, 4, 7, 10)]
    rest = log.page_of_types(first.token_ms, 1000, types=frozenset({1}), now_ms=99)
    assert rest.records == [*(record(number) for number in range(13, 30, 3)), b"bad"]
    assert not rest.has_more

"""The queue: no key twice, none forgotten, retries that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from mixhaul_operator.workqueue import Again, WorkQueue, delay


class KnownTrouble(Exception):
    retry_after_seconds: float | None = None


@asynccontextmanager
async def running(work: Callable[[str], Awaitable[None]], *, workers: int = 2) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(work, workers=workers, is_known=lambda error: isinstance(error, KnownTrouble))
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def idle(queue: WorkQueue) -> None:
    while not queue.idle:
        await asyncio.sleep(0)


async def test_a_key_that_waits_is_done_once() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    async with running(work) as queue:
        for key in ("a", "b", "a", "a"):
            queue.add(key)
        assert queue.depth == 2
        await idle(queue)
    assert done == ["a", "b"]


async def test_a_key_added_while_it_is_worked_on_is_done_once_more() -> None:
    done: list[str] = []
    go, begun = asyncio.Event(), asyncio.Event()

    async def work(key: str) -> None:
        begun.set()
        await go.wait()
        done.append(key)

    async with running(work) as queue:
        queue.add("a")
        await begun.wait()
        for _ in range(3):
            queue.add("a")
        go.set()
        await idle(queue)
    assert done == ["a", "a"]


async def test_a_key_is_never_worked_on_twice_at_a_time() -> None:
    at_once = most = total = 0

    async def work(_key: str) -> None:
        nonlocal at_once, most, total
        at_once += 1
        most = max(most, at_once)
        total += 1
        await asyncio.sleep(0)
        at_once -= 1

    async with running(work, workers=4) as queue:
        for _ in range(20):
            queue.add("a")
            await asyncio.sleep(0)
        await idle(queue)
    assert most == 1
    assert total > 1


async def test_a_stuck_key_does_not_hold_the_others() -> None:
    done: list[str] = []
    never = asyncio.Event()

    async def work(key: str) -> None:
        if key == "stuck":
            await never.wait()
        done.append(key)

    async with running(work) as queue:
        for key in ("stuck", "a", "b"):
            queue.add(key)
        while done != ["a", "b"]:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "level"), [(KnownTrouble("the API server is away"), "warning"), (ValueError("oh"), "error")]
)
async def test_a_failure_is_tried_again(error: Exception, level: str) -> None:
    tries = 0
    enough = asyncio.Event()

    async def work(_key: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            enough.set()
            return
        raise error

    with capture_logs() as lines:
        async with running(work) as queue:
            queue.add("a")
            await enough.wait()
    assert [line["log_level"] for line in lines] == [level]


async def test_a_wish_to_look_again_is_no_failure() -> None:
    tries = 0
    enough = asyncio.Event()

    async def work(_key: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            enough.set()
            return
        raise Again(0.001)

    with capture_logs() as lines:
        async with running(work) as queue:
            queue.add("a")
            await enough.wait()
    assert lines == []


async def test_news_come_before_the_retry() -> None:
    tries = 0

    async def work(_key: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Again(3600)

    async with running(work) as queue:
        queue.add("a")
        await idle(queue)
        queue.add("a")
        await idle(queue)
    assert tries == 2


async def test_the_sooner_of_two_times_counts() -> None:
    done = asyncio.Event()

    async def work(_key: str) -> None:
        done.set()

    async with running(work) as queue:
        queue.add_later("a", 3600)
        queue.add_later("a", 0.001)
        queue.add_later("a", 3600)
        await done.wait()


def test_waits_double_and_end_at_a_minute() -> None:
    waits = [delay(failures) for failures in range(1, 1000)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits == sorted(waits)
    assert waits[-1] == 60.0

"""Jobs and tasks of the leader on a real database: taken once, cut off cleanly, and no trouble for one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mixhaul_ingestor import work_runner
from mixhaul_ingestor.jobs import Job, Kind, Leading, Outcome, Postponed, Task
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.task_runner import TaskRunner
from mixhaul_ingestor.wiring import Wiring
from mixhaul_ingestor.work_runner import WorkRunner
from mixhaul_mix.errors import RequestRejected, ServerError
from mixhaul_runtime.clock import SystemClock
from mixhaul_source import manifest
from mixhaul_source.manifest import Source
from mixhaul_store import leader_tasks, work
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.encryption import Cipher, create_key_file
from mixhaul_store.errors import StaleEpoch

MANIFEST = """
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata: {name: NAME}
spec: {endpoint: {dataCentre: eu}, secretRef: {name: login}, suspend: SUSPEND}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {clientID: a, clientSecret: b, username: c, password: d}
"""


@pytest.fixture
async def leading(database: Database, tmp_path: Path) -> Leading:
    """An epoch, and the sources `default/a` and `default/b`; a test may change them."""
    create_key_file(tmp_path / "keys")
    settings = IngestorSettings()
    wiring = Wiring(database=database, cipher=Cipher.from_file(tmp_path / "keys"), holder="test", settings=settings)
    epoch = await LeaderRow(database, holder="test", duration_seconds=60).acquire()
    assert epoch is not None
    known = {key: one for name in "ab" for key, one in source(tmp_path, name).items()}
    return Leading(wiring=wiring, epoch=epoch, clock=SystemClock(), ending=asyncio.Event(), sources=lambda: known)


def source(folder: Path, name: str, *, suspend: bool = False) -> dict[str, Source]:
    """A source of a manifest, by its key."""
    file = folder / f"{name}.yaml"
    text = MANIFEST.replace("NAME", name).replace("SUSPEND", str(suspend).lower())
    file.write_text(text, encoding="utf-8")
    return {one.key: one for one in manifest.load(file)}


@asynccontextmanager
async def running(leading: Leading, *kinds: Kind) -> AsyncIterator[asyncio.Task[None]]:
    """A runner, ended with the block."""
    task = asyncio.create_task(WorkRunner(leading, kinds, look_seconds=0.01).run())
    try:
        yield task
    finally:
        leading.ending.set()
        await asyncio.gather(task, return_exceptions=True)


async def ask(leading: Leading, *names: str, kind: str = "x", source: str = "default/a") -> None:
    for name in names:
        await work.ask(leading.wiring.database, source=source, request_id=name, kind=kind, parameters={})


async def state(leading: Leading, name: str, source: str = "default/a") -> work.WorkState:
    found = await work.read(leading.wiring.database, source=source, request_id=name)
    assert found is not None
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def ended(leading: Leading, names: Sequence[str]) -> None:
    async def all_of_them() -> bool:
        return all([(await state(leading, name)).state in ("succeeded", "failed") for name in names])

    await until(all_of_them)


async def test_each_job_ends_by_itself_whatever_the_others_do(leading: Leading) -> None:
    async def handler(job: Job) -> Outcome:
        match job.request.request_id:
            case "good":
                await job.note(read=2**60)
                return Outcome(ok=True, message=f"done for {job.of.name}")
            case "bad":
                return Outcome(ok=False, message="not done")
            case "refused":
                raise RequestRejected(400, endpoint="history")
            case "away":
                raise ServerError(503, retry_after_seconds=4000)
            case "later":
                raise Postponed("there is no organisation yet", after_seconds=3000)
        raise KeyError("a secret that must not be shown")

    names = ("away", "later", "defect", "bad", "refused", "good")
    await ask(leading, *names)
    async with running(leading, Kind("x", handler)) as runner:
        await ended(leading, names[2:])
        assert not runner.done()
    found = {name: await state(leading, name) for name in names}
    assert {name: (one.state, one.message) for name, one in found.items() if name != "away"} == {
        "good": ("succeeded", "done for a"),
        "bad": ("failed", "not done"),
        "refused": ("failed", str(RequestRejected(400, endpoint="history"))),
        "defect": ("failed", "A defect of Mixhaul: KeyError, see the log."),
        "later": ("pending", "there is no organisation yet"),
    }
    assert (found["away"].state, found["good"].progress) == ("pending", {"read": 2**60})
    async with leading.wiring.database.connection() as connection:
        query = "SELECT not_before > now() + interval '3900 s' FROM work_requests WHERE request_id = 'away'"
        assert await (await connection.execute(query)).fetchone() == (True,)


async def test_a_job_that_takes_long_is_alone_of_its_kind_and_source_and_keeps_beating(
    leading: Leading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_runner, "BEAT_SECONDS", 0.02)
    going, free = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def handler(job: Job) -> Outcome:
        seen.append(job.request.request_id)
        going.set()
        await free.wait()
        return Outcome(ok=True, message="")

    async def quick(job: Job) -> Outcome:
        return Outcome(ok=True, message="")

    await ask(leading, "long", "next")
    async with running(leading, Kind("x", handler), Kind("y", quick)):
        await going.wait()
        await ask(leading, "quick", kind="y")
        await ended(leading, ["quick"])
        first = (await state(leading, "long")).heartbeat_at

        async def has_beaten() -> bool:
            return (await state(leading, "long")).heartbeat_at != first

        await until(has_beaten)
        assert (seen, (await state(leading, "next")).state) == (["long"], "pending")
        free.set()
        await ended(leading, ["long", "next"])


async def test_a_job_that_is_cut_off_goes_back_at_once(leading: Leading) -> None:
    going = asyncio.Event()

    async def handler(job: Job) -> Outcome:
        going.set()
        await asyncio.Event().wait()
        raise AssertionError

    await ask(leading, "a")
    async with running(leading, Kind("x", handler)):
        await going.wait()
    assert (await state(leading, "a")).state == "pending"
    assert await work.take(leading.wiring.database, kinds=("x",), sources=None) is not None


async def test_a_job_waits_for_its_source_and_ends_with_it(leading: Leading, tmp_path: Path) -> None:
    sources = source(tmp_path, "a", suspend=True)
    wanted = Leading(leading.wiring, leading.epoch, leading.clock, leading.ending, lambda: sources)
    going, cut = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> Outcome:
        going.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()
        raise AssertionError

    async def free(job: Job) -> Outcome:
        return Outcome(ok=job.source is None, message="")

    await ask(leading, "a")
    await work.ask(leading.wiring.database, source="default/gone", request_id="g", kind="y", parameters={})
    async with running(wanted, Kind("x", handler), Kind("y", free, needs_source=False)):

        async def gone_is_done() -> bool:
            return (await state(leading, "g", "default/gone")).state == "succeeded"

        await until(gone_is_done)
        assert not going.is_set()
        sources.update(source(tmp_path, "a"))
        await asyncio.wait_for(going.wait(), 20)
        sources.clear()
        await asyncio.wait_for(cut.wait(), 20)


async def test_whoever_leads_no_more_stops(leading: Leading) -> None:
    async def handler(job: Job) -> Outcome:
        raise StaleEpoch("ingestor", 1)

    await ask(leading, "a")
    with pytest.raises(ExceptionGroup) as caught:
        await WorkRunner(leading, [Kind("x", handler)], look_seconds=0.01).run()
    assert caught.group_contains(StaleEpoch)


async def test_tasks_are_done_once_a_period_also_by_the_next_leader(leading: Leading) -> None:
    done: list[str] = []

    def task(name: str, error: Exception | None = None) -> Task:
        async def run(leading: Leading) -> None:
            done.append(name)
            if error is not None:
                raise error

        return Task(name, every=timedelta(hours=24), run=run, retry=timedelta(hours=1))

    tasks = [task("good"), task("bad", ServerError(500)), task("defect", KeyError("x"))]
    for _ in range(2):
        runner = asyncio.create_task(TaskRunner(leading, tasks).run())

        async def all_are_known() -> bool:
            return len(await rows(leading)) == 3 and all(one[3] or one[2] for one in await rows(leading))

        await until(all_are_known)
        leading.ending.set()
        await runner
        leading.ending.clear()
    assert sorted(done) == ["bad", "defect", "good"]
    assert [(one[0], one[1], one[2]) for one in await rows(leading)] == [
        ("bad", 1, str(ServerError(500))),
        ("defect", 1, "a defect: KeyError"),
        ("good", 0, None),
    ]
    async with leading.wiring.database.connection() as connection:
        await connection.execute("UPDATE leader_tasks SET started_at = started_at - interval '61 min'")
    runner = asyncio.create_task(TaskRunner(leading, tasks).run())

    async def the_bad_ones_again() -> bool:
        return [one[1] for one in await rows(leading)] == [2, 2, 0]

    await until(the_bad_ones_again)
    leading.ending.set()
    await runner


async def test_a_task_that_is_cut_off_is_due_again(leading: Leading) -> None:
    going = asyncio.Event()

    async def run(leading: Leading) -> None:
        going.set()
        await asyncio.Event().wait()

    runner = asyncio.create_task(TaskRunner(leading, [Task("x", timedelta(days=1), run, timedelta())]).run())
    await going.wait()
    leading.ending.set()
    await runner
    known = await leader_tasks.read(leading.wiring.database, "x")
    assert leader_tasks.due_in(known, every=timedelta(days=1), retry=timedelta()) <= timedelta()


async def rows(leading: Leading) -> list[tuple[str, int, str | None, bool]]:
    async with leading.wiring.database.connection() as connection:
        cursor = await connection.execute(
            "SELECT name, failures, last_error, succeeded_at IS NOT NULL FROM leader_tasks ORDER BY name"
        )
        return await cursor.fetchall()

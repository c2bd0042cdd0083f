"""A feed's cursor as a machine of states: whatever leaders, pages, refusals and new beginnings come in whatever order,
it stands at the last token that was committed, and nothing is stored that did not come with it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mixhaul_store import cursors, organisations
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, LeaderRow
from mixhaul_store.errors import CursorMoved, StaleEpoch
from support.store_haul import FEED, Haul, begin, event, later

_numbers = itertools.count(1)


class Cursors(RuleBasedStateMachine):
    """Two leaders under changing epochs, of whom only the last may write, and a model of three values."""

    run: ClassVar[Callable[[Coroutine[Any, Any, Any]], Any]]
    first: ClassVar[Haul]

    @initialize()
    def start(self) -> None:
        self.haul = self.run(another(self.first))
        self.epochs: list[Epoch] = [self.haul.epoch]
        self.token: str | None = None
        self.stored: set[int] = set()
        self.gaps = 0
        self.second = 0

    @rule(events=st.lists(st.integers(1, 30), max_size=4), more=st.booleans(), whose=st.integers(0, 3))
    def page(self, events: list[int], more: bool, whose: int) -> None:
        """Of the leader or of one that led before; also an empty one."""
        self.second += 1
        rows = [event(number) for number in events]
        self.haul.token = self.token
        page = self.haul.page(rows, at=later(self.second), more=more)
        epoch = self.epochs[max(0, len(self.epochs) - 1 - whose)]
        refused = self.run(refusal(self.haul.commit(page, rows, epoch=epoch)))
        if epoch != self.epochs[-1]:
            assert refused is StaleEpoch
            return
        assert refused is None
        self.token = page.next_token
        self.stored |= set(events)

    @rule(events=st.lists(st.integers(31, 40), max_size=2), expected=st.sampled_from([None, "elsewhere", "token-1"]))
    def page_of_another_place(self, events: list[int], expected: str | None) -> None:
        """Asked for with a token that is not the cursor's any more."""
        if expected == self.token:
            return
        rows = [event(number) for number in events]
        self.haul.token = expected
        page = self.haul.page(rows, at=later(self.second))
        assert self.run(refusal(self.haul.commit(page, rows, epoch=self.epochs[-1]))) is CursorMoved

    @rule()
    def takeover(self) -> None:
        """The same sessions go on under the next epoch; what was begun under the former one does not."""
        row = LeaderRow(self.haul.database, holder=f"leader-{len(self.epochs) % 2}", duration_seconds=15)
        epoch = self.run(row.acquire(force=True))
        assert epoch is not None
        self.epochs.append(epoch)

    @rule(whose=st.integers(0, 1))
    def new_beginning(self, whose: int) -> None:
        """The token died: forgotten, and what is missing booked, by the leader only."""
        epoch = self.epochs[max(0, len(self.epochs) - 1 - whose)]
        work = cursors.reseed(
            self.haul.database,
            epoch=epoch,
            organisation_id=self.haul.organisation_id,
            feed=FEED,
            gap_from=later(self.gaps * 100),
            gap_to=later(self.gaps * 100 + 50),
            cause="TokenExpired",
        )
        refused = self.run(refusal(work))
        if epoch != self.epochs[-1]:
            assert refused is StaleEpoch
            return
        assert refused is None
        self.token = None
        self.gaps += 1

    @invariant()
    def stands_where_the_last_page_left_it(self) -> None:
        if hasattr(self, "haul"):
            assert self.run(self.haul.cursor()).token == self.token

    def teardown(self) -> None:
        if not hasattr(self, "haul"):
            return
        where = f"WHERE organisation_id = {self.haul.organisation_id}"
        for table in ("telemetry_events", "event_keys"):
            rows = self.run(self.haul.rows(f"SELECT external_id FROM {table} {where}"))
            assert sorted(row["external_id"] for row in rows) == sorted(self.stored)
        assert len(self.run(self.haul.rows(f"SELECT id FROM gaps {where}"))) == self.gaps


async def refusal(work: Coroutine[Any, Any, object]) -> type[Exception] | None:
    """Which of the two refusals it met."""
    try:
        await work
    except (StaleEpoch, CursorMoved) as error:
        return type(error)
    return None


async def another(haul: Haul) -> Haul:
    """A new organisation, read by whoever leads now."""
    made = await organisations.claim(
        haul.database, api_url="https://cursors", external_id=next(_numbers), source="fleet/mix"
    )
    epoch = await LeaderRow(haul.database, holder="leader-0", duration_seconds=15).acquire(force=True)
    assert epoch is not None
    other = Haul(haul.database, made.id, epoch)
    await other.cursor()
    return other


def test_the_cursor_stands_where_the_last_committed_page_left_it(database_url: str) -> None:
    with asyncio.Runner() as runner:

        async def opened() -> tuple[Database, Haul]:
            database = await Database(database_url, application_name="mixhaul:test").__aenter__()
            return database, await begin(database)

        database, first = runner.run(opened())

        class Machine(Cursors):
            run = staticmethod(runner.run)

        Machine.first = first
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=20, stateful_step_count=12, deadline=None,
                    suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None,
                ),
            )  # fmt: skip
        finally:
            runner.run(database.__aexit__(None, None, None))

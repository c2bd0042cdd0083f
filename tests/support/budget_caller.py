"""A process that makes calls under a shared budget, for tests that start several and kill some.

It writes the time of each arrival at the (imagined) MiX to standard output, and ends with its input.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from mixhaul_store.budgets import PermitBudget
from mixhaul_store.database import Database

WINDOW, TRANSIT, SEND_WITHIN, LIMIT = 1.0, 0.2, 0.3, 6


async def call(budget: PermitBudget, chance: random.Random) -> None:
    """One call: on its way for a while, then an outcome, or none."""
    async with budget.permit() as permit:
        if chance.random() < 0.1:
            await permit.not_sent()
            return
        await asyncio.sleep(chance.random() * TRANSIT)
        arrival = time.time()
        # A process that stood still: its request had arrived before, or never will.
        if arrival - permit.observed_at.timestamp() <= SEND_WITHIN + TRANSIT:
            sys.stdout.write(f"{arrival!r}\n")
            sys.stdout.flush()
        if chance.random() < 0.7:
            await asyncio.sleep(chance.random() * 0.05)
            await permit.answered()


async def main(url: str, holder: str) -> None:
    """Call as fast as permits come, at two priorities."""
    chance = random.Random(holder)
    async with Database(url, application_name=f"mixhaul:{holder}") as database, asyncio.TaskGroup() as tasks:

        async def caller(priority: str) -> None:
            budget = PermitBudget(
                database,
                key="organisation:1",
                requests_per_minute=LIMIT,
                priority=priority,
                holder=holder,
                transit_seconds=TRANSIT,
                send_within_seconds=SEND_WITHIN,
                window_seconds=WINDOW,
            )
            while True:
                await call(budget, chance)

        for priority in ("feed", "sync"):
            tasks.create_task(caller(priority))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A verification that somebody asked for: every UTC day that an interval touches, compared with MiX, and filled.

A job of the leader: one that is cut off goes on with the day at which it was. What each day came to is in
`reconciliations` under the request's number.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from mixhaul_ingestor import completeness
from mixhaul_ingestor.ending import Ending
from mixhaul_ingestor.jobs import Job, Kind, Outcome, Postponed
from mixhaul_ingestor.reconciling import Asked, Comparer
from mixhaul_store import organisations, reconciliations
from mixhaul_store.errors import CursorMoved

KIND: Final = "verify"
LONGEST: Final = timedelta(days=3660)


async def on_request(job: Job) -> Outcome:
    """Parameters: `from`, `to`, and `organisation` where only one is meant."""
    try:
        begin, end, only = _asked(job)
    except (KeyError, ValueError, TypeError) as error:
        return Outcome(False, f"The request can't be understood: {error}.")
    source, leading = job.of, job.leading
    database = leading.wiring.database
    mine = [
        one for one in await organisations.by_source(database, source.key) if only is None or one.external_id == only
    ]
    if not mine:
        return Outcome(False, f"{source.key} has no organisation {only}." if only else f"{source.key} has none yet.")
    days = completeness.days_of(begin, min(end, leading.clock.now()))
    asked = Asked("request", job.request.id)
    done = int(job.request.progress.get("done", 0))
    await job.note(done=done, days=len(days) * len(mine))
    try:
        async with leading.wiring.client(source) as client:
            for number, organisation in enumerate(mine):
                comparer = Comparer(leading, source=source, organisation=organisation, client=client, asked=asked)
                for place, day in enumerate(days, start=number * len(days) + 1):
                    if place > done:
                        await comparer.day(day)
                        await job.note(done=place)
    except Ending:
        raise asyncio.CancelledError from None
    except CursorMoved as error:
        raise Postponed(f"An organisation is gone: {error}", after_seconds=5.0) from error
    found = await reconciliations.of_request(database, job.request.id)
    whole = completeness.total(found.values())
    return Outcome(not whole.unfilled, completeness.sentence(whole, days=len(days), organisations=len(mine)))


VERIFY: Final = Kind(KIND, on_request)


def _asked(job: Job) -> tuple[datetime, datetime, int | None]:
    given = job.request.parameters
    begin, end = (datetime.fromisoformat(given[name]) for name in ("from", "to"))
    if begin.tzinfo is None or end.tzinfo is None:
        raise ValueError("times need an offset")
    if not begin < end or end - begin > LONGEST:
        raise ValueError("the interval is empty, or longer than ten years")
    only = given.get("organisation")
    return begin, end, None if only is None else int(only)

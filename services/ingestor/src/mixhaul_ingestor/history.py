"""Reading an interval of history: what to ask for, what to do with an answer that does not come, how to store one.

The decisions are pure functions. MiX's history has no pages, so an interval that holds too much is asked for in halves.
Storing goes by the same rules as a page of the feed; no cursor moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mixhaul_ingestor.rows import decode_records, prepare
from mixhaul_mix.client import MAX_HISTORY_BYTES, MixClient
from mixhaul_mix.errors import (
    AnswerCutShort,
    AnswerTooLarge,
    MixError,
    PageInvalid,
    ServerError,
    TerminalMixError,
    Timeout,
)
from mixhaul_mix.protocols import Budget
from mixhaul_mix.since import stamp
from mixhaul_mix.types import RecordList
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.intervals import LONGEST_WINDOW, SECOND, Interval
from mixhaul_store.organisations import Organisation
from mixhaul_store.pages import Then, commit_answer
from mixhaul_store.records import Answer, PageResult

FEED: Final = "events:history"

# Below this a slow answer isn't slow because it is long.
SHORTEST_FOR_TIME: Final = timedelta(hours=1)
TRIES_BEFORE_NARROWING: Final = 2
LONGEST_WAIT: Final = timedelta(minutes=10)
LONGEST_REFUSED_WAIT: Final = timedelta(hours=1)
# An answer that is twice as long would still fit, with something to spare.
ROOM: Final = MAX_HISTORY_BYTES * 3 // 8
QUICK_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Narrow:
    """Ask for no more than this at once."""

    longest: timedelta


@dataclass(frozen=True, slots=True)
class Again:
    """Ask for the same again after so long. `floor`: it can't be made smaller, so that somebody has to know."""

    after: timedelta
    floor: bool = False


def after_answer(longest: timedelta, *, window: timedelta, body_bytes: int, seconds: float) -> timedelta:
    """How much to ask for at most from now on: more again where there was room."""
    if body_bytes > ROOM or seconds > QUICK_SECONDS:
        return longest
    return min(LONGEST_WINDOW, max(longest, window * 2))


def after_failure(error: MixError, *, window: timedelta, attempts: int, first_wait: timedelta) -> Narrow | Again:
    """What to do about an interval whose answer did not come. `attempts` are those that failed before."""
    wait = min(first_wait * 2 ** min(attempts, 16), LONGEST_WAIT)
    half = timedelta(seconds=max(1, int(window.total_seconds()) // 2))
    if isinstance(error, AnswerTooLarge):
        return Narrow(half) if window > SECOND else Again(max(wait, LONGEST_WAIT), floor=True)
    if isinstance(error, TerminalMixError):
        return Again(min(LONGEST_WAIT * 2 ** min(attempts, 4), LONGEST_REFUSED_WAIT), floor=True)
    of_size = isinstance(error, Timeout) and error.sent
    if isinstance(error, ServerError | PageInvalid | AnswerCutShort):
        # A gateway's time-out has this look as well.
        of_size = attempts >= TRIES_BEFORE_NARROWING
    if of_size and window > SHORTEST_FOR_TIME:
        return Narrow(half)
    asked = timedelta(seconds=getattr(error, "retry_after_seconds", None) or 0.0)
    return Again(max(wait, asked))


async def fetch(client: MixClient, organisation: Organisation, span: Interval, *, budget: Budget) -> RecordList:
    """One attempt to read all events of an organisation with a time in this interval. Raises what `MixClient` does."""
    return await client.events_between(
        [organisation.external_id],
        start=span.start,
        end=span.end,
        budget=budget,
        organisation_id=organisation.external_id,
    )


async def store(
    database: Database,
    organisation: Organisation,
    span: Interval,
    answer: RecordList,
    *,
    epoch: Epoch,
    then: Then | None = None,
) -> PageResult:
    """Commit what came, in one transaction with `then`. Raises `StaleEpoch` where another process leads."""
    async with database.writer() as connection:
        # Not before its turn: an answer that waits is nothing but its bytes.
        records, rejected = prepare(answer.records)
        return await commit_answer(
            connection,
            Answer(
                organisation_id=organisation.id,
                feed=FEED,
                observed_at=answer.observed_at,
                requested_token=f"{stamp(span.start)}/{stamp(span.end)}",
                body=answer.body,
                records=records,
                rejected=rejected,
            ),
            epoch=epoch,
            decode=decode_records,
            then=then,
        )

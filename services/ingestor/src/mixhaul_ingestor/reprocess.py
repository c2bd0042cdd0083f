"""`mixhaul-ingestor reprocess`: the typed rows made anew from the stored answers, without a call to MiX.

Runs beside the stream, in a process of its own. Cut off, it goes on where it was; it waits for a database that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from functools import partial
from typing import TypeVar

import msgspec
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mixhaul_ingestor.ending import pause
from mixhaul_ingestor.errors import Interrupted
from mixhaul_ingestor.rows import decode_records, prepare
from mixhaul_mix.errors import PageInvalid
from mixhaul_mix.events import split
from mixhaul_store import reprocessing
from mixhaul_store.database import Database
from mixhaul_store.errors import TransientStoreError
from mixhaul_store.reprocessing import RawPage, Run, Tally

log = structlog.get_logger("mixhaul_ingestor.reprocess")

T = TypeVar("T")

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0


def moment(text: str) -> datetime:
    """A date, which is its midnight UTC, or a time with offset; ValueError for anything else."""
    if len(text) == len("2026-11-01"):
        return datetime.combine(date.fromisoformat(text), time(0), UTC)
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without offset")
    return found.astimezone(UTC)


def prepared(page: RawPage) -> reprocessing.Prepared:
    """The records of a stored answer. One that can't be split any more is left as it is, and said."""
    try:
        return prepare([msgspec.Raw(one) for one in page.alone] if page.alone else split(page.body))
    except PageInvalid as error:
        log.warning("a stored answer can't be read: its rows stay as they are", raw_page=page.id, error=str(error))
        return [], []


async def reprocess(
    database: Database, run: Run, *, stop: asyncio.Event, console: Console, dry: bool, first_wait_seconds: float = 1.0
) -> Tally:
    """To the end of the run. Raises `Interrupted` once `stop` is set: what is done stays done."""
    total = Tally()
    pages = reprocessing.pages(database, run)
    with _bar(console) as bar:
        task = bar.add_task("pages", total=run.pages)

        async def one(page: RawPage) -> Tally:
            return await reprocessing.apply(database, run, page, prepared(page), decode=decode_records, dry=dry)

        after = run.after
        while True:
            try:
                async for page in pages:
                    if stop.is_set():
                        raise Interrupted
                    total.add(await _patiently(partial(one, page), stop=stop, first=first_wait_seconds))
                    after = page.id
                    bar.update(task, completed=min(total.pages, run.pages))
                break
            except TransientStoreError as error:
                # The look for further pages failed, not a page.
                log.warning("reprocessing waits for the database", error=str(error))
                if await pause(stop, first_wait_seconds):
                    raise Interrupted from error
                pages = reprocessing.pages(database, reprocessing.onward(run, after=after))
        if not dry:
            await _patiently(partial(reprocessing.finish, database, run), stop=stop, first=first_wait_seconds)
    return total


def summary(total: Tally, *, dry: bool) -> str:
    """For a person."""
    would = "would be " if dry else ""
    figures = (
        (total.inserted, "stored that were not there"),
        (total.updated, "changed"),
        (total.resolved, "taken out of quarantine"),
        (total.quarantined, "put into quarantine"),
    )
    changes = ", ".join(f"{count} {would}{what}" for count, what in figures if count)
    older = f"; {total.expired} are older than events are kept" if total.expired else ""
    return f"{total.pages} pages, {total.records} records: {changes or 'nothing differs'}{older}."


async def _patiently(work: Callable[[], Awaitable[T]], *, stop: asyncio.Event, first: float) -> T:
    """Again and again while the database is in trouble: doing a page twice changes nothing."""
    wait = first
    while True:
        try:
            return await work()
        except TransientStoreError as error:
            log.warning("reprocessing waits for the database", error=str(error), seconds=wait)
            if await pause(stop, wait):
                raise Interrupted from error
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)

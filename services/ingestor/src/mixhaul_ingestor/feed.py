"""One organisation's feed: ask for a page, commit it together with its token, go on.

The loop decides nothing about waits that MiX asks for (they are in the database) and never moves the cursor except
through `commit_page`. It raises only `StaleEpoch` (another process leads) and what is a defect.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from mixhaul_ingestor import metrics, pacing
from mixhaul_ingestor.ending import Ending, UntilEnding, pause
from mixhaul_ingestor.rows import decode_records, prepare
from mixhaul_ingestor.state import FeedView
from mixhaul_mix.client import Feed as MixFeed
from mixhaul_mix.client import FeedPage, MixClient
from mixhaul_mix.errors import (
    ConnectionFailed,
    CredentialsRejected,
    IdentityUnavailable,
    LoginPending,
    MixError,
    OrganisationForbidden,
    RequestRejected,
    Throttled,
    TokenExpired,
    TransientMixError,
)
from mixhaul_mix.events import token_time
from mixhaul_mix.protocols import Budget
from mixhaul_runtime.clock import Clock
from mixhaul_store import cursors, gaps
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import CursorMoved, StaleEpoch, StoreError, TransientStoreError
from mixhaul_store.intervals import Interval
from mixhaul_store.organisations import Organisation
from mixhaul_store.pages import commit_page
from mixhaul_store.records import Page, PageResult

log = structlog.get_logger("mixhaul_ingestor.feed")

# Two random 401s in a row look like a missing permission: the first wait is short, the later ones spare MiX.
BLOCKED_SECONDS = 30.0
FORBIDDEN_SECONDS = 600.0
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What the source says about a feed. Durations in seconds."""

    source: str
    start_from: datetime | Literal["Oldest", "Now"]
    page_size: int
    period_seconds: float
    first_wait_seconds: float = 1.0
    feed: MixFeed = "events"


class Feed:
    """Reads one feed of one organisation for as long as this process leads."""

    def __init__(
        self,
        *,
        database: Database,
        client: MixClient,
        budget: Budget,
        organisation: Organisation,
        options: FeedOptions,
        epoch: Epoch,
        view: FeedView,
        clock: Clock,
        wake_sync: asyncio.Event,
    ) -> None:
        self._database = database
        self._client = client
        self._budget = budget
        self._organisation = organisation
        self._options = options
        self._epoch = epoch
        self._view = view
        self._clock = clock
        self._wake_sync = wake_sync
        self._blocked = 0
        # What time it was taken to be when a feed without a token began, and MiX refused.
        self._refused_now: datetime | None = None
        self._labels = (options.source, str(organisation.external_id), options.feed)
        self._log = log.bind(source=options.source, organisation=str(organisation.external_id), feed=options.feed)

    async def run(self, ending: asyncio.Event) -> None:
        """Read until `ending` is set. A page in flight then is still committed."""
        metrics.declare_feed(*self._labels)
        failures = pacing.Failures()
        retry_after: float | None = None
        cursor: cursors.Cursor | None = None
        budget = UntilEnding(self._budget, ending)
        try:
            while not ending.is_set():
                attempt = pacing.next_attempt(
                    failures,
                    page_size=self._options.page_size,
                    first_wait_seconds=self._options.first_wait_seconds,
                    retry_after_seconds=retry_after,
                )
                if await pause(ending, _jittered(attempt.wait_seconds)):
                    break
                try:
                    if cursor is None:
                        cursor = await self._read_cursor()
                    cursor, more = await self._next_page(
                        cursor, quantity=attempt.quantity, budget=budget, failures=failures
                    )
                except Ending:
                    break
                except StaleEpoch:
                    metrics.FENCED_WRITES.inc()
                    raise
                except (MixError, StoreError) as error:
                    stuck, cursor = cursor, None
                    retry_after = getattr(error, "retry_after_seconds", None)
                    failures = await self._failed(error, failures=failures, ending=ending)
                    if stuck is not None and pacing.has_tried_all(failures, page_size=self._options.page_size):
                        await self._page_missing(stuck)
                    continue
                failures, retry_after = pacing.Failures(), None
                if not more:
                    await pause(ending, _jittered(self._options.period_seconds))
        finally:
            self._view.state = "stopped"
            metrics.forget_feed(*self._labels)

    async def _read_cursor(self) -> cursors.Cursor:
        async with self._database.transaction() as connection:
            return await cursors.read_cursor(connection, self._organisation.id, self._options.feed)

    async def _next_page(
        self, cursor: cursors.Cursor, *, quantity: int, budget: UntilEnding, failures: pacing.Failures
    ) -> tuple[cursors.Cursor | None, bool]:
        """One request and its transaction. The cursor to go on with (None: read it again) and whether there is more."""
        now = self._clocks()
        at = self._reach(cursor, now=now)
        if cursor.token is not None and pacing.is_dead(at, now=now):
            await self._reseed(at, now=now)
            return None, True
        token = cursor.token if cursor.token is not None else await self._first_token(cursor, now=now)
        try:
            page = await self._client.feed_page(
                organisation_id=self._organisation.external_id,
                token=token,
                quantity=quantity,
                budget=budget,
                feed=self._options.feed,
                token_may_be_expired=cursor.token is not None and pacing.may_be_dead(at, now=now),
            )
        except (TokenExpired, RequestRejected):
            # The refusal may have told for the first time what time it is at MiX.
            before, now = now, self._clocks()
            at = self._reach(cursor, now=now)
            if cursor.token is None:
                self._refused_now = pacing.beginning(before, refused=self._refused_now)
            elif pacing.may_be_dead(at, now=now) and (
                at.exact or pacing.has_tried_all(failures.another(of_page=True), page_size=self._options.page_size)
            ):
                await self._reseed(at, now=now)
                return None, True
            raise
        fetched = asyncio.get_running_loop().time()
        if budget.granted_at is not None:
            metrics.PAGE_SECONDS.labels(self._options.feed, "fetch").observe(fetched - budget.granted_at)
        result = await self._commit(page, expected=cursor.token)
        self._committed(page, result)
        return cursors.after_page(
            cursor, token=page.next_token, has_more=page.has_more, at=page.observed_at
        ), page.has_more

    async def _first_token(self, cursor: cursors.Cursor, *, now: pacing.Clocks) -> str:
        """What to ask with where MiX has given no token yet, or the one that it gave has died."""
        reseeded = cursor.token_received_at is not None
        start_from = self._options.start_from
        if start_from == "Now":
            # The answer to the first NEW may be lost, and we with it: another try still begins where the first one did.
            start_from = cursor.begun_at or "Now"
            if cursor.begun_at is None:
                await cursors.begin(
                    self._database,
                    epoch=self._epoch,
                    organisation_id=self._organisation.id,
                    feed=self._options.feed,
                    at=now.earlier.replace(microsecond=0),
                )
        begin = pacing.beginning(now, refused=self._refused_now)
        start = pacing.start("Oldest" if reseeded else start_from, now=begin)
        gap_from = start.gap_from
        if reseeded and start.begins_at is not None:
            # Each try begins a little later than the one before: the gap has to reach up to this one.
            async with self._database.connection() as connection:
                gap_from = await gaps.latest_end(connection, self._organisation.id, self._options.feed)
        if gap_from is not None and start.begins_at is not None and gap_from < start.begins_at:
            await cursors.reseed(
                self._database,
                epoch=self._epoch,
                organisation_id=self._organisation.id,
                feed=self._options.feed,
                gap_from=gap_from,
                gap_to=start.begins_at,
                cause="TokenExpired" if reseeded else "StartFromDate",
            )
        return start.token

    async def _reseed(self, at: pacing.Reach, *, now: pacing.Clocks) -> None:
        """The token is dead: write down what is missing and begin with the oldest, in one transaction."""
        since, until = pacing.missing(at, now=now)
        self._log.error("the token has died (7 days): the missing interval is a gap", gap_from=since, gap_to=until)
        await cursors.reseed(
            self._database,
            epoch=self._epoch,
            organisation_id=self._organisation.id,
            feed=self._options.feed,
            gap_from=since,
            gap_to=until,
            cause="TokenExpired",
        )

    async def _page_missing(self, cursor: cursors.Cursor) -> None:
        """The page does not come in any size: what it may hold is backfilled, while it is asked for again."""
        now = self._clocks()
        since, until = self._reach(cursor, now=now).earliest, now.earlier - pacing.SETTLED
        if cursor.token is None or since >= until:
            return
        try:
            booked = await cursors.book_missing_page(
                self._database,
                epoch=self._epoch,
                organisation_id=self._organisation.id,
                feed=self._options.feed,
                span=Interval(since, until),
                at_least=pacing.MISSING_AGAIN,
            )
        except StaleEpoch:
            metrics.FENCED_WRITES.inc()
            raise
        except StoreError as error:
            self._log.warning("the gap of a page that does not come could not be booked", error=str(error))
        else:
            if booked:
                self._log.error("a page does not come: its interval is backfilled", gap_from=since, gap_to=until)

    async def _commit(self, page: FeedPage, *, expected: str | None) -> PageResult:
        loop = asyncio.get_running_loop()
        async with self._database.writer() as connection:
            # Not before its turn: a page that waits is nothing but its bytes.
            began = loop.time()
            records, rejected = prepare(page.records)
            decoded = loop.time()
            result = await commit_page(
                connection,
                Page(
                    organisation_id=self._organisation.id,
                    feed=self._options.feed,
                    observed_at=page.observed_at,
                    requested_token=page.requested_token,
                    next_token=page.next_token,
                    has_more=page.has_more,
                    body=page.body,
                    records=records,
                    rejected=rejected,
                ),
                epoch=self._epoch,
                decode=decode_records,
                expected_token=expected,
            )
        metrics.PAGE_SECONDS.labels(self._options.feed, "decode").observe(decoded - began)
        metrics.PAGE_SECONDS.labels(self._options.feed, "write").observe(loop.time() - decoded)
        return result

    def _committed(self, page: FeedPage, result: PageResult) -> None:
        view, now = self._view, self._clocks().later
        seen = page.records
        counts = (result.inserted, result.updated, result.unchanged, result.quarantined, result.expired)
        for outcome, count in zip(metrics.EVENT_OUTCOMES, counts, strict=True):
            metrics.EVENTS.labels(*self._labels[:2], outcome).inc(count)
        metrics.PAGES.labels(*self._labels, "data" if seen else "empty").inc()
        at = pacing.position(
            page.next_token, token_time=token_time(page.next_token), received_at=page.observed_at, now=now
        )
        polled = self._clock.now()
        self._blocked = 0
        metrics.LAST_POLL.labels(*self._labels).set(polled.timestamp())
        metrics.CURSOR.labels(*self._labels).set((polled if not page.has_more else at).timestamp())
        metrics.CURSOR_EXPIRY.labels(*self._labels).set((at + pacing.TOKEN_LIFE).timestamp())
        if seen:
            metrics.LAST_DATA.labels(*self._labels).set(polled.timestamp())
        view.inserted += result.inserted
        view.updated += result.updated
        view.unchanged += result.unchanged
        view.quarantined += result.quarantined
        view.count(result.inserted + result.updated, at=self._clock.monotonic())
        view.position, view.last_poll, view.error, view.terminal = at, polled, None, None
        view.state = "reading" if page.has_more else "caught up"
        if not page.has_more:
            view.caught_up = True
        self._log.debug(
            "page",
            records=len(seen),
            inserted=result.inserted,
            updated=result.updated,
            unchanged=result.unchanged,
            quarantined=result.quarantined,
            more=page.has_more,
        )
        if result.quarantined:
            self._log.warning("records quarantined: see quarantined_records", count=result.quarantined)
        if result.unknown_references:
            self._wake_sync.set()

    async def _failed(
        self, error: MixError | StoreError, *, failures: pacing.Failures, ending: asyncio.Event
    ) -> pacing.Failures:
        """Show the error, wait where no request may help, and count it."""
        metrics.PAGES.labels(*self._labels, "error").inc()
        passing = TransientMixError | TransientStoreError | CursorMoved | RequestRejected | TokenExpired
        transient = isinstance(error, passing)
        self._view.error = str(error)
        self._view.state = "failing"
        self._view.terminal = None if transient else error
        self._log.log(30 if transient else 40, "page failed", error=str(error), kind=type(error).__name__)
        if isinstance(error, MixError):
            await self._record(error)
        if not transient:
            self._blocked = self._blocked + 1 if isinstance(error, OrganisationForbidden) else 0
            await pause(ending, min(BLOCKED_SECONDS * 2.0**self._blocked, FORBIDDEN_SECONDS))
            return pacing.Failures()
        not_the_page = (ConnectionFailed, Throttled, IdentityUnavailable, LoginPending, CredentialsRejected, StoreError)
        return failures.another(of_page=not isinstance(error, not_the_page))

    async def _record(self, error: MixError) -> None:
        try:
            await cursors.record_poll_error(
                self._database,
                epoch=self._epoch,
                organisation_id=self._organisation.id,
                feed=self._options.feed,
                error=str(error),
                kind=type(error).__name__,
            )
        except StaleEpoch:
            metrics.FENCED_WRITES.inc()
            raise
        except StoreError as trouble:
            self._log.warning("the error could not be recorded", error=str(trouble))

    def _reach(self, cursor: cursors.Cursor, *, now: pacing.Clocks) -> pacing.Reach:
        return pacing.reach(
            token_time=token_time(cursor.token or ""),
            received_at=cursor.token_received_at or now.later,
            has_more=cursor.has_more_items,
            caught_up_at=cursor.caught_up_at,
            now=now,
        )

    def _clocks(self) -> pacing.Clocks:
        return pacing.clocks(ours=self._clock.now(), offset=self._client.clock_offset)


def _jittered(seconds: float) -> float:
    """Up to a tenth longer, so that many feeds don't ask in step."""
    return seconds * (1 + random.random() * JITTER)  # noqa: S311  (no secret)

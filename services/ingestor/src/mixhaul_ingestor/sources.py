"""One MixSource while this process leads: finds its organisations, claims them, and runs a feed for each.

A broken organisation never slows another; a source whose login is refused waits without making calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

import structlog

from mixhaul_ingestor import metrics
from mixhaul_ingestor.ending import Ending, UntilEnding, pause
from mixhaul_ingestor.feed import Feed, FeedOptions
from mixhaul_ingestor.state import FeedView, SourceView
from mixhaul_ingestor.wiring import Wiring
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import MixError, TransientMixError
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import organisations, work
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import OrganisationClaimed, StoreError, TransientStoreError
from mixhaul_store.organisations import Organisation

log = structlog.get_logger("mixhaul_ingestor.sources")

# MiX's id, name, time zone.
Wanted = tuple[int, str | None, str | None]
FEED: Final = "events"
LOOK_AGAIN_SECONDS = 600.0
RETRY_SECONDS = 15.0
LOGIN_SECONDS = 5.0
SYNC_FIRST_SECONDS = 300.0
SYNC_LONGEST_SECONDS = 3600.0


class SourceRunner:
    """Runs the feeds of one source under one epoch."""

    def __init__(self, *, source: Source, wiring: Wiring, epoch: Epoch, view: SourceView, clock: Clock) -> None:
        self._source = source
        self._wiring = wiring
        self._epoch = epoch
        self._view = view
        self._clock = clock
        self._log = log.bind(source=source.key)
        self._wake_sync = asyncio.Event()

    async def run(self, ending: asyncio.Event) -> None:
        """Until `ending` is set. Raises `StaleEpoch` when another process leads."""
        if self._source.spec.suspend:
            self._log.info("suspended: nothing is read")
            self._view.organisations_known = True
            await ending.wait()
            return
        async with self._wiring.client(self._source) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask_for_syncs(ending))
            tasks.create_task(self._watch_login(ending))
            if not self._source.spec.organisation_ids:
                # A change of leaders does not wait for MiX to list what is known already.
                await self._begin_feeds(client, tasks, self._known(), ending=ending)
            while not ending.is_set():
                complete = await self._begin_feeds(client, tasks, self._listed(client, ending), ending=ending)
                if complete and self._source.spec.organisation_ids and not self._view.conflicts:
                    await ending.wait()
                await pause(ending, LOOK_AGAIN_SECONDS if complete else RETRY_SECONDS)

    async def _begin_feeds(
        self,
        client: MixClient,
        tasks: asyncio.TaskGroup,
        looking: Awaitable[tuple[list[Wanted], bool]],
        *,
        ending: asyncio.Event,
    ) -> bool:
        """Claim what is not claimed yet and begin its feed. Whether every organisation is known and tried."""
        try:
            wanted, complete = await looking
            for external_id, name, time_zone in wanted:
                if external_id in self._view.feeds:
                    continue
                try:
                    organisation = await organisations.claim(
                        self._wiring.database,
                        api_url=self._source.api_url,
                        external_id=external_id,
                        source=self._source.key,
                        source_uid=self._source.life,
                        name=name,
                        time_zone=time_zone,
                    )
                except OrganisationClaimed as error:
                    if external_id not in self._view.conflicts:
                        self._log.error("organisation belongs to another source", error=str(error))
                    self._view.conflicts[external_id] = error
                    continue
                self._view.conflicts.pop(external_id, None)
                tasks.create_task(self._feed(client, organisation).run(ending))
        except Ending:
            return False
        except (MixError, StoreError) as error:
            transient = isinstance(error, TransientMixError | TransientStoreError)
            self._view.error = str(error)
            self._view.terminal = None if transient else error
            self._log.log(30 if transient else 40, "organisations can't be found", error=str(error))
            return False
        if complete:
            await self._forget_conflicts({external_id for external_id, _, _ in wanted})
            self._view.error, self._view.terminal, self._view.organisations_known = None, None, True
        return complete

    async def _forget_conflicts(self, wanted: set[int]) -> None:
        """Those about organisations that the source does not want any more."""
        for external_id in self._view.conflicts.keys() - wanted:
            del self._view.conflicts[external_id]
        try:
            await organisations.forget_conflicts(
                self._wiring.database, self._source.key, api_url=self._source.api_url, wanted=wanted
            )
        except StoreError as error:
            self._log.warning("conflicts that are gone could not be forgotten", error=str(error))

    async def _known(self) -> tuple[list[Wanted], bool]:
        """Those that the source has claimed before; there may be more."""
        known = await organisations.by_source(self._wiring.database, self._source.key)
        return [(one.external_id, None, None) for one in known], False

    async def _listed(self, client: MixClient, ending: asyncio.Event) -> tuple[list[Wanted], bool]:
        """Those of the spec, or else all that the login sees."""
        if self._source.spec.organisation_ids:
            return [(one, None, None) for one in self._source.spec.organisation_ids], True
        listed = await client.organisations(budget=UntilEnding(self._wiring.login_budget(self._source), ending))
        return [(one.group_id, one.name, one.display_time_zone) for one in listed.rows], True

    def _feed(self, client: MixClient, organisation: Organisation) -> Feed:
        spec = self._source.spec
        view = FeedView(
            source=self._source.key,
            organisation=str(organisation.external_id),
            name=organisation.name,
            feed=FEED,
            budget_limit=spec.rate_limit.requests_per_minute,
        )
        self._view.feeds[organisation.external_id] = view
        return Feed(
            database=self._wiring.database,
            client=client,
            budget=self._wiring.feed_budget(self._source, organisation, feed=FEED, epoch=self._epoch),
            organisation=organisation,
            options=FeedOptions(
                source=self._source.key,
                start_from=spec.stream.start_time or ("Now" if spec.stream.start_from == "Now" else "Oldest"),
                page_size=spec.stream.page_size,
                period_seconds=float(spec.stream.period_seconds),
                first_wait_seconds=self._wiring.settings.backoff_seconds,
                feed=FEED,
            ),
            epoch=self._epoch,
            view=view,
            clock=self._clock,
            wake_sync=self._wake_sync,
        )

    async def _watch_login(self, ending: asyncio.Event) -> None:
        """Export when the access token expires, for as long as the source is read here."""
        tokens = self._wiring.tokens(self._source)
        try:
            while not await pause(ending, LOGIN_SECONDS):
                try:
                    expires = await tokens.expires_at()
                except StoreError as error:
                    self._log.debug("the login can't be read", error=str(error))
                    continue
                if expires is not None:
                    metrics.CREDENTIAL_EXPIRY.labels(self._source.key).set(expires.timestamp())
        finally:
            metrics.forget_source(self._source.key)

    async def _ask_for_syncs(self, ending: asyncio.Event) -> None:
        """Events that name unknown drivers, vehicles or types are stored at once; the lists are fetched, not often, and
        less and less often where that does not help."""
        wait = SYNC_FIRST_SECONDS
        while not ending.is_set():
            helped = self._clock.monotonic() + wait * 2
            if await _either(self._wake_sync, ending):
                return
            wait = SYNC_FIRST_SECONDS if self._clock.monotonic() > helped else min(wait * 2, SYNC_LONGEST_SECONDS)
            self._wake_sync.clear()
            slot = int(self._clock.now().timestamp() // SYNC_FIRST_SECONDS)
            try:
                await work.ask(
                    self._wiring.database,
                    source=self._source.key,
                    request_id=f"unknown-references-{slot}",
                    kind="sync",
                    parameters={"reason": "unknown references"},
                )
            except StoreError as error:
                self._log.warning("a sync could not be asked for", error=str(error))
            await pause(ending, wait)


async def _either(event: asyncio.Event, ending: asyncio.Event) -> bool:
    """Wait for one of the two; whether it is the end."""
    waiting = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(ending.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return ending.is_set()

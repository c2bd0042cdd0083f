"""The support-data sync: drivers, vehicles, event types and sites of each organisation, whole lists, upserted.

A part that fails doesn't stop the others; the run then counts as failed, with the reason. A short list wipes nothing
until it has come a second time. What a process counts that ends before it can be scraped goes into the totals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from mixhaul_ingestor import support_rows
from mixhaul_ingestor.jobs import Job, Outcome
from mixhaul_ingestor.ledger import CallLedger
from mixhaul_ingestor.wiring import Wiring
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import MixError
from mixhaul_mix.protocols import Budget
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import organisations, support, syncs
from mixhaul_store.errors import OrganisationClaimed, StoreError
from mixhaul_store.organisations import Organisation

log = structlog.get_logger("mixhaul_ingestor.sync")


@dataclass(slots=True)
class SyncOutcome:
    """What a run did. `errors` are sentences; empty means that everything was synced."""

    source: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    causes: list[Exception] = field(default_factory=list)

    def failed(self, what: str, error: Exception) -> None:
        """Note that a part failed."""
        self.errors.append(f"{what}: {error}")
        self.causes.append(error)


async def on_request(job: Job) -> Outcome:
    """The job `sync`: the source's lists, once."""
    outcome = await sync_source(
        job.of,
        wiring=job.leading.wiring,
        reason=str(job.request.parameters.get("reason", "request")),
        clock=job.leading.clock,
    )
    return Outcome(ok=not outcome.errors, message="; ".join(outcome.errors) or "synced")


async def sync_source(
    source: Source, *, wiring: Wiring, reason: str, clock: Clock, ledger: CallLedger | None = None
) -> SyncOutcome:
    """Sync every organisation of the source. Never raises what MiX or the database said: it is in the outcome.

    `ledger` is of a process that nobody scrapes: its calls are added to the totals.
    """
    outcome = SyncOutcome(source=source.key)
    async with wiring.client(source) as client:
        try:
            found = await _organisations(source, client, wiring, outcome)
        except (MixError, StoreError) as error:
            outcome.failed("organisations", error)
            found = []
        for organisation in found:
            await _sync_organisation(
                organisation,
                source=source,
                client=client,
                wiring=wiring,
                reason=reason,
                clock=clock,
                outcome=outcome,
                ledger=ledger,
            )
    if not found:
        await _record_whole_run(source, wiring=wiring, reason=reason, outcome=outcome, ledger=ledger)
    log.info("sync finished", source=source.key, organisations=len(found), errors=outcome.errors)
    return outcome


async def _organisations(source: Source, client: MixClient, wiring: Wiring, outcome: SyncOutcome) -> list[Organisation]:
    """Claim the source's organisations, with the names and time zones that MiX lists."""
    listed = await client.organisations(budget=wiring.login_budget(source))
    names = {one.group_id: one for one in listed.rows}
    wanted = list(source.spec.organisation_ids) or list(names)
    found: list[Organisation] = []
    for external_id in wanted:
        group = names.get(external_id)
        try:
            found.append(
                await organisations.claim(
                    wiring.database,
                    api_url=source.api_url,
                    external_id=external_id,
                    source=source.key,
                    source_uid=source.life,
                    name=group.name if group else None,
                    time_zone=group.display_time_zone if group else None,
                )
            )
        except OrganisationClaimed as error:
            outcome.failed(f"organisation {external_id}", error)
    await organisations.forget_conflicts(wiring.database, source.key, api_url=source.api_url, wanted=wanted)
    return found


async def _sync_organisation(
    organisation: Organisation,
    *,
    source: Source,
    client: MixClient,
    wiring: Wiring,
    reason: str,
    clock: Clock,
    outcome: SyncOutcome,
    ledger: CallLedger | None,
) -> None:
    label = f"organisation {organisation.external_id}"
    bound = log.bind(source=source.key, organisation=str(organisation.external_id))
    errors: list[str] = []
    counts: dict[str, int] = {}
    short: list[str] = []
    try:
        async with syncs.lock(wiring.database, organisation.id):
            run = await syncs.start(wiring.database, source=source.key, organisation_id=organisation.id, reason=reason)
            budget = wiring.sync_budget(source, organisation)
            for what, step in _steps(client, organisation.external_id, budget):
                try:
                    seen_at = clock.now()
                    rows, rejected, upsert = await step()
                    async with wiring.database.connection() as connection:
                        result = await upsert(connection, organisation.id, rows, seen_at=seen_at)
                except (MixError, StoreError) as error:
                    errors.append(f"{what}: {error}")
                    outcome.failed(f"{label}, {what}", error)
                    continue
                counts[what] = len(rows)
                if rejected:
                    bound.warning("rows of a list can't be used", list=what, reasons=rejected[:5], count=len(rejected))
                if result.doubted is not None:
                    short.append(f"{what}: {len(rows)} of {result.doubted}")
                    bound.warning(
                        "the list is far shorter than before: nothing is marked as removed unless it comes again",
                        list=what,
                        rows=len(rows),
                        before=result.doubted,
                    )
                bound.info(
                    "synced",
                    list=what,
                    rows=len(rows),
                    inserted=result.inserted,
                    updated=result.updated,
                    removed=result.removed,
                )
            calls = ledger.growth() if ledger else []
            await syncs.finish(
                wiring.database, run, error="; ".join(errors) or None, counts=counts, short_lists=short, calls=calls
            )
            if ledger:
                ledger.take(calls)
    except StoreError as error:
        outcome.failed(label, error)
    outcome.counts[str(organisation.external_id)] = counts


Upsert = Callable[..., Awaitable[support.UpsertResult]]
Step = Callable[[], Awaitable[tuple[Sequence[Any], list[str], Upsert]]]


def _steps(client: MixClient, organisation: int, budget: Budget) -> list[tuple[str, Step]]:
    """The lists in order: event types first, since infractions need them."""

    async def event_types() -> tuple[Sequence[Any], list[str], Upsert]:
        listed = await client.event_types(organisation, budget=budget)
        return [support_rows.event_type(one) for one in listed.rows], listed.rejected, support.upsert_event_types

    async def drivers() -> tuple[Sequence[Any], list[str], Upsert]:
        listed = await client.drivers(organisation, budget=budget)
        return [support_rows.driver(one) for one in listed.rows], listed.rejected, support.upsert_drivers

    async def vehicles() -> tuple[Sequence[Any], list[str], Upsert]:
        listed = await client.vehicles(organisation, budget=budget)
        return [support_rows.vehicle(one) for one in listed.rows], listed.rejected, support.upsert_vehicles

    async def sites() -> tuple[Sequence[Any], list[str], Upsert]:
        listed = await client.sites(organisation, budget=budget)
        return [support_rows.site(one) for one in listed.rows], listed.rejected, support.upsert_sites

    return [("event types", event_types), ("drivers", drivers), ("vehicles", vehicles), ("sites", sites)]


async def _record_whole_run(
    source: Source, *, wiring: Wiring, reason: str, outcome: SyncOutcome, ledger: CallLedger | None
) -> None:
    try:
        run = await syncs.start(wiring.database, source=source.key, organisation_id=None, reason=reason)
        calls = ledger.growth() if ledger else []
        await syncs.finish(wiring.database, run, error="; ".join(outcome.errors) or None, counts={}, calls=calls)
        if ledger:
            ledger.take(calls)
    except StoreError as error:
        outcome.failed("sync_runs", error)

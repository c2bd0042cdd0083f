"""`mixhaul-ingestor retention`: what has outlived its retention, shown, or let go by the leader at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from mixhaul_ingestor import asking, keeping
from mixhaul_ingestor.errors import RetentionFailed
from mixhaul_ingestor.jobs import Kind
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import books
from mixhaul_store import retention as store_retention
from mixhaul_store.retention import Outlook

_NAMES: Final = {"telemetry_events": "events", "raw_pages": "raw pages"}


async def show(wiring: Wiring, *, sources: Sequence[Source] | None) -> None:
    """What would go: by these sources, or else by what the leader wrote down last."""
    database = wiring.database
    if sources is None:
        policies = await store_retention.mirrored(database)
    else:
        policies = keeping.policies({source.key: source for source in sources})
    outlook = await store_retention.outlook(database, policies)
    old = await books.outlook(database)
    lines = {table.replace("_", " "): count for table, count in old.items() if count}
    if outlook == Outlook((), ()) and not lines:
        typer.echo("Nothing has outlived its retention.")
        return
    Console().print(as_table(outlook))
    for what, count in lines.items():
        typer.echo(f"{count} old lines of {what}")


def as_table(outlook: Outlook) -> Table:
    """One line for each month that goes whole, and for each organisation of which rows go."""
    table = Table(title="What would go", title_justify="left", expand=False)
    for heading in ("What", "How", "Of", "Older than", "Rows"):
        table.add_column(heading, overflow="fold")
    for month in outlook.dropped:
        table.add_row(
            _NAMES[month.table], "the month is dropped", "everybody", f"{month.month:%Y-%m}", f"about {month.rows}"
        )
    for part in outlook.trimmed:
        whose = f"{part.source} ({part.external_id})"
        table.add_row(_NAMES[part.table], "in batches", whose, f"{part.older_than:%Y-%m-%d %H:%M} UTC", str(part.rows))
    return table


async def let_go(wiring: Wiring, *, clock: Clock, stop: asyncio.Event) -> None:
    """Ask the leader, and wait for it."""
    wanted = asking.Wanted(
        key=keeping.EVERY_SOURCE, kind=Kind("prune", keeping.on_request, needs_source=False), parameters={}
    )
    state = await asking.done_by_leader(wanted, wiring=wiring, clock=clock, stop=stop)
    if state.state != "succeeded":
        raise RetentionFailed(state.message or "no reason was written down")
    typer.echo(state.message or "Done.")

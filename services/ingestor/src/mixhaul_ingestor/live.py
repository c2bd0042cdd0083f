"""The live view of `stream` on a terminal: organisation, lag, events a minute, budget, last error."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mixhaul_ingestor.state import FeedView, View
from mixhaul_ingestor.status import duration
from mixhaul_runtime.clock import Clock

REFRESH_SECONDS = 0.5
_COLOURS = {"caught up": "green", "reading": "cyan", "failing": "red", "starting": "dim", "stopped": "dim"}


def render(view: View, *, clock: Clock) -> Table:
    """The view as a table, at the clock's time."""
    leading = f"leading, epoch {view.epoch}" if view.leading else "waiting to lead"
    table = Table(title=f"Mixhaul stream: {leading}", title_justify="left", expand=True)
    for heading in ("Organisation", "State", "Read up to", "Lag", "Stored", "Events/min", "Calls/min", "Last error"):
        table.add_column(heading, overflow="fold")
    for source in view.sources.values():
        for feed in source.feeds.values():
            table.add_row(*_row(feed, clock=clock))
        trouble = [source.error] if source.error else [str(error) for error in source.conflicts.values()]
        for sentence in trouble:
            table.add_row(source.key, "[red]source[/red]", "", "", "", "", "", sentence)
    return table


def _row(feed: FeedView, *, clock: Clock) -> tuple[str, ...]:
    now = clock.now()
    at = feed.last_poll if feed.caught_up and feed.state == "caught up" else feed.position
    colour = _COLOURS.get(feed.state, "")
    return (
        f"{feed.name or ''} ({feed.organisation})".strip(),
        f"[{colour}]{feed.state}[/{colour}]" if colour else feed.state,
        at.strftime("%Y-%m-%d %H:%M:%S") if at else "-",
        duration((now - at).total_seconds()) if at else "-",
        str(feed.inserted),
        str(feed.rate(at=clock.monotonic())),
        f"{feed.budget_used}/{feed.budget_limit}",
        feed.error or "",
    )


async def show(view: View, *, clock: Clock, console: Console, ending: asyncio.Event) -> None:
    """Draw until `ending`."""
    with Live(render(view, clock=clock), console=console, refresh_per_second=4, transient=False) as live:
        while not ending.is_set():
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await ending.wait()
            except TimeoutError:
                live.update(render(view, clock=clock))

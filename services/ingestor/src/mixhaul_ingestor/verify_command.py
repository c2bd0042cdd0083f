"""`mixhaul-ingestor verify`: asks for the comparison, follows it, and prints what each day came to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from mixhaul_ingestor import completeness, verifying
from mixhaul_ingestor.asking import Wanted, done_by_leader
from mixhaul_ingestor.errors import EventsMissing, NothingToVerify, VerificationFailed
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import Clock
from mixhaul_source.manifest import Source
from mixhaul_store import organisations, reconciliations
from mixhaul_store.database import Database
from mixhaul_store.reconciliations import Figures
from mixhaul_store.work import WorkState

Found = dict[tuple[int, date], Figures]


async def verify(
    wiring: Wiring,
    *,
    clock: Clock,
    stop: asyncio.Event,
    sources: Sequence[Source] | None,
    only_source: str | None,
    organisation: int | None,
    begin: datetime,
    end: datetime,
    as_json: bool,
) -> None:
    """Raises `EventsMissing` where something could not be filled, `VerificationFailed` where it could not be found
    out."""
    parameters: dict[str, Any] = {"from": begin.isoformat(), "to": end.isoformat()}
    if organisation is not None:
        parameters["organisation"] = str(organisation)
    wanted = [
        Wanted(key, verifying.VERIFY, parameters, source)
        for key, source in await _keys(wiring.database, sources, only_source=only_source, organisation=organisation)
    ]
    if not wanted:
        raise NothingToVerify
    found: Found = {}
    failures: list[str] = []
    with _bar() as bar:
        for one in wanted:
            row = bar.add_task(one.key, total=None)

            def show(state: WorkState, row: Any = row) -> None:
                bar.update(row, completed=state.progress.get("done", 0), total=state.progress.get("days"))

            state = await done_by_leader(one, wiring=wiring, clock=clock, stop=stop, show=show)
            mine = await reconciliations.of_request(wiring.database, state.id)
            found |= mine
            if state.state == "failed" and not completeness.total(mine.values()).unfilled:
                failures.append(f"{one.key}: {state.message}")
    if as_json:
        typer.echo(orjson.dumps(as_objects(found), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(as_table(found))
        typer.echo(_sentence(found))
    if failures:
        raise VerificationFailed("; ".join(failures))
    if unfilled := completeness.total(found.values()).unfilled:
        raise EventsMissing(unfilled)


async def _keys(
    database: Database, sources: Sequence[Source] | None, *, only_source: str | None, organisation: int | None
) -> list[tuple[str, Source | None]]:
    """Whose data: the manifest's sources, or those that have an organisation. Suspended ones make no calls."""
    if sources is not None:
        keys: dict[str, Source | None] = {source.key: source for source in sources if not source.spec.suspend}
    else:
        keys = dict.fromkeys(await organisations.sources(database))
        if only_source is not None:
            keys = {key: None for key in keys if only_source in (key, key.partition("/")[2])}
    if organisation is None:
        return list(keys.items())
    found = []
    for key, source in keys.items():
        if any(one.external_id == organisation for one in await organisations.by_source(database, key)):
            found.append((key, source))
    return found


def as_objects(found: Mapping[tuple[int, date], Figures]) -> list[dict[str, Any]]:
    """One object a day and organisation; ids as strings."""
    return [
        {"organisationId": str(organisation), "day": day.isoformat()}
        | {_camel(name): value for name, value in asdict(figures).items()}
        for (organisation, day), figures in sorted(found.items())
    ]


def as_table(found: Mapping[tuple[int, date], Figures]) -> Table:
    """The same for a person."""
    table = Table(title="Mixhaul: compared with MiX", title_justify="left", expand=False)
    for heading in ("Organisation", "Day (UTC)", "Compared", "Missing", "Filled", "Updated", "Only here", "Why"):
        table.add_column(heading, justify="left" if heading in ("Organisation", "Day (UTC)", "Why") else "right")
    for (organisation, day), figures in sorted(found.items()):
        table.add_row(
            str(organisation),
            day.isoformat(),
            f"{figures.compared:,}",
            f"{figures.missing:,}",
            f"{figures.filled:,}",
            f"{figures.differing:,}",
            f"{figures.only_here:,}",
            ", ".join(f"{name} {number:,}" for name, number in sorted(figures.explanations.items())),
            style="red" if figures.unfilled else None,
        )
    return table


def _sentence(found: Mapping[tuple[int, date], Figures]) -> str:
    return completeness.sentence(
        completeness.total(found.values()),
        days=len({day for _, day in found}),
        organisations=len({organisation for organisation, _ in found}),
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _bar() -> Progress:
    """On standard error, and only where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )

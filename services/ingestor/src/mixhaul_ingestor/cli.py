"""The command line of `mixhaul-ingestor`. Each command opens what it needs, runs, and ends with a code of `errors`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvloop
from rich.console import Console

from mixhaul_ingestor import commands, mounted
from mixhaul_ingestor.errors import NoManifest, SourceNotFound, exit_code
from mixhaul_ingestor.migrating import migrated
from mixhaul_ingestor.reprocess import moment
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.standalone import database_url
from mixhaul_runtime import logs
from mixhaul_source import manifest
from mixhaul_source.manifest import Source
from mixhaul_store.encryption import create_key_file
from mixhaul_store.reprocessing import Selection

app = typer.Typer(
    name="mixhaul-ingestor",
    help="Hauls MiX Telematics data into PostgreSQL, losing nothing and doubling nothing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
log = structlog.get_logger("mixhaul_ingestor.cli")

Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        "-m",
        help="YAML with MixSource and Secret documents, as `kubectl apply` takes it.",
        show_default=False,
    ),
]
OneSource = Annotated[str | None, typer.Option("--source", help="Only this MixSource (name, or namespace/name).")]


@app.command()
def stream(
    manifest_file: Manifest = None,
    kubernetes: Annotated[
        bool,
        typer.Option("--kubernetes", help="Read the MixSources of the cluster in KUBECONFIG; in a pod the default."),
    ] = False,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End with 0 once every feed has said that there is no more.")
    ] = False,
    live: Annotated[
        bool | None, typer.Option("--live/--no-live", help="The live view; by default where there is a terminal.")
    ] = None,
) -> None:
    """Read every source's event feed, for ever."""
    if manifest_file is not None and kubernetes:
        raise typer.BadParameter("--manifest and --kubernetes exclude each other")
    watching = sys.stdout.isatty() if live is None else live
    with _program("ingestor", quiet=watching) as settings:
        sources = _of_manifest(manifest_file, kubernetes=kubernetes)
        _run(commands.stream(settings, sources, until_caught_up=until_caught_up, live=watching))


@app.command()
def sync(
    manifest_file: Manifest = None,
    manifest_env: Annotated[
        bool,
        typer.Option(
            "--manifest-env", help="Read the MixSource from MIXHAUL_MANIFEST and its Secret from files, as in a pod."
        ),
    ] = False,
    source: OneSource = None,
) -> None:
    """Upsert drivers, vehicles, event types and sites once; ends with an error if a part failed."""
    if manifest_file is not None and manifest_env:
        raise typer.BadParameter("--manifest and --manifest-env exclude each other")
    with _program("sync") as settings:
        if manifest_env:
            sources = mounted.load()
        elif manifest_file is not None:
            sources = manifest.load(manifest_file)
        else:
            raise NoManifest
        sources = _chosen(sources, source)
        _run(commands.sync(settings, sources))


@app.command()
def backfill(
    begin: Annotated[
        datetime,
        typer.Option(
            "--from",
            parser=moment,
            metavar="TIME",
            help="What happened from then on: 2026-11-01 (UTC), or with offset.",
        ),
    ],
    end: Annotated[
        datetime | None, typer.Option("--to", parser=moment, metavar="TIME", help="Up to there; default: now.")
    ] = None,
    organisation: Annotated[
        int | None, typer.Option("--organisation", help="Only this one (MiX's id).", show_default=False)
    ] = None,
    manifest_file: Manifest = None,
    source: OneSource = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be asked for, and ask nothing.")] = False,
) -> None:
    """Read an interval from MiX's history once more; ends with 85 if a part could not be read.

    The leader does it. With --manifest, this process does where nobody leads. Safe to stop and to run again.
    """
    with _program("backfill", quiet=True) as settings:
        sources = None if manifest_file is None else _chosen(manifest.load(manifest_file), source)
        _run(
            commands.backfill(
                settings,
                sources,
                only_source=source,
                organisation=organisation,
                begin=begin,
                end=end,
                dry_run=dry_run,
            )
        )


@app.command()
def verify(
    begin: Annotated[
        datetime,
        typer.Option("--from", parser=moment, metavar="TIME", help="The first day, such as 2026-11-01 (UTC)."),
    ],
    end: Annotated[
        datetime | None,
        typer.Option("--to", parser=moment, metavar="TIME", help="Up to there, that day left out; default: now."),
    ] = None,
    organisation: Annotated[
        int | None, typer.Option("--organisation", help="Only this one (MiX's id).", show_default=False)
    ] = None,
    manifest_file: Manifest = None,
    source: OneSource = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare each day with what MiX has, fill what is missing, and print it; ends with 82 if something stays missing.

    The leader does it. With --manifest, this process does where nobody leads.
    """
    with _program("verify", quiet=True) as settings:
        sources = None if manifest_file is None else _chosen(manifest.load(manifest_file), source)
        _run(
            commands.verify(
                settings,
                sources,
                only_source=source,
                organisation=organisation,
                begin=begin,
                end=end,
                as_json=as_json,
            )
        )


@app.command()
def reprocess(
    organisation: Annotated[
        int | None, typer.Option("--organisation", help="Only this one (MiX's id).", show_default=False)
    ] = None,
    begin: Annotated[
        datetime | None,
        typer.Option("--from", parser=moment, metavar="TIME", help="Only answers that came from then on: 2026-11-01."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", parser=moment, metavar="TIME", help="Only answers that came before.")
    ] = None,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Only records that could not be stored, after a new version.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Begin anew where an earlier run was cut off.")] = False,
) -> None:
    """Make the rows of events anew from MiX's stored answers, without a call to MiX, while the stream goes on."""
    with _program("reprocess") as settings:
        selection = Selection(organisation=organisation, begin=begin, end=end, quarantined=quarantined)
        _run(commands.reprocess(settings, selection, dry_run=dry_run, anew=anew))


@app.command()
def retention(
    manifest_file: Manifest = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go, and delete nothing; by --manifest if given.")
    ] = False,
) -> None:
    """Let go at once what has outlived spec.retention; the leader does that each day."""
    if manifest_file is not None and not dry_run:
        raise typer.BadParameter("--manifest is for --dry-run: the leader goes by the sources that it reads")
    with _program("retention", quiet=True) as settings:
        sources = None if manifest_file is None else manifest.load(manifest_file)
        _run(commands.retention(settings, sources, dry_run=dry_run))


@app.command()
def migrate(
    wait: Annotated[
        float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for a database that is away.")
    ] = 0.0,
) -> None:
    """Bring the database's schema to this version. Two at once are safe."""
    with _program("migrate") as settings, database_url(settings) as url:
        revision = migrated(url, patience_seconds=wait)
        typer.echo(f"The schema is at {revision}.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Per organisation: cursor, lag, gaps, budget, last sync, last error."""
    with _program("status", quiet=True) as settings:
        _run(commands.status(settings, as_json=as_json))


@app.command(name="make-key")
def make_key(
    file: Annotated[Path, typer.Argument(help="File to write; an existing one gets the new key on top.")],
) -> None:
    """Make a key that encrypts MiX's tokens in the database."""
    with _program("make-key", quiet=True):
        create_key_file(file)
        typer.echo(f"The key is in {file}: name it in MIXHAUL_ENCRYPTION_KEYS_FILE.")


@contextmanager
def _program(component: str, *, quiet: bool = False) -> Iterator[IngestorSettings]:
    """Settings, logs, and the one place where known trouble becomes a sentence and an exit code."""
    try:
        settings = IngestorSettings()
        logs.configure(format=settings.log_format, level="ERROR" if quiet else settings.log_level, component=component)
        yield settings
    except BaseExceptionGroup as group:
        _end(_first(group))
    except Exception as error:  # noqa: BLE001  (the edge of the program)
        _end(error)


def _end(error: BaseException) -> None:
    code = exit_code(error)
    if code is None:
        log.critical("this is a defect", exc_info=error)
        Console(stderr=True).print(f"mixhaul-ingestor: a defect: {type(error).__name__}", style="red", markup=False)
        raise typer.Exit(1) from error
    Console(stderr=True, soft_wrap=True).print(f"mixhaul-ingestor: {error}", style="red", markup=False, highlight=False)
    raise typer.Exit(code) from error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first known trouble of a group, or its first member."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [group]
    while stack:
        error = stack.pop(0)
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            flat.append(error)
    return next((error for error in flat if exit_code(error) is not None), flat[0])


def _run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _of_manifest(manifest_file: Path | None, *, kubernetes: bool) -> list[Source] | None:
    """The sources of the file; None where the cluster says which there are."""
    if manifest_file is not None:
        return manifest.load(manifest_file)
    if kubernetes or os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    raise NoManifest


def _chosen(sources: list[Source], wanted: str | None) -> list[Source]:
    if wanted is None:
        return sources
    found = [one for one in sources if wanted in (one.name, one.key)]
    if not found:
        raise SourceNotFound(wanted, [one.key for one in sources])
    return found


def main() -> None:
    """Entry point."""
    app()

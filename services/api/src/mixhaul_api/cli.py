"""The command line of `mixhaul-api`.

Exit codes: 0 done; 1 a defect (with a traceback in the log); 2 usage, settings or key file; 5 the database can't be
used; 6 its schema is newer than this program; 7 a port is taken.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import orjson
import structlog
import typer
import uvloop

from mixhaul_api import openapi as description
from mixhaul_api import server
from mixhaul_api.auth import setup, static_key
from mixhaul_api.auth.permissions import Role
from mixhaul_api.errors import ApiError, BadTokenRequest
from mixhaul_api.settings import ApiSettings, TokenSettings
from mixhaul_api.standalone import database_url
from mixhaul_runtime import logs
from mixhaul_runtime.clock import SystemClock
from mixhaul_runtime.errors import PortTaken, SettingsError
from mixhaul_runtime.settings import load
from mixhaul_runtime.shutdown import stop_event
from mixhaul_store.errors import MissingExtension, SchemaTooNew, SchemaTooOld, StoreError, UnsupportedServer

log = structlog.get_logger("mixhaul_api.cli")

app = typer.Typer(
    name="mixhaul-api",
    help="Answers the fleet's frontend from the fleet's own database.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve() -> None:
    """Answer requests until SIGTERM or Ctrl-C."""
    with _told():
        settings = load(ApiSettings)
        logs.configure(format=settings.log_format, level=settings.log_level, component="api")
        with (
            database_url(settings) as url,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(settings, url))


async def _serve(settings: ApiSettings, url: str) -> None:
    await server.serve(settings, url, clock=SystemClock(), stop=stop_event())


@app.command()
def token(
    organisation: Annotated[
        list[str], typer.Option("--organisation", help="Id (of MiX) of an organisation to see; several are possible.")
    ],
    subject: Annotated[str, typer.Option("--subject", help="Who it is: recorded with each change.")] = "try-out",
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="What to do there; several are possible. Default: reader.")
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="Id (of MiX) of a site, with those below it; several are possible. Default: all."),
    ] = None,
    ttl: Annotated[int, typer.Option("--ttl", help="Seconds until it expires.")] = 3600,
    create_key: Annotated[bool, typer.Option("--create-key", help="Make the key file where there is none.")] = False,
) -> None:
    """Print a bearer token for trying out, signed with the static key of MIXHAUL_JWT_KEY_FILE."""
    with _told():
        settings = load(TokenSettings)
        if settings.jwt_key_file is None:
            raise BadTokenRequest("MIXHAUL_JWT_KEY_FILE is not set: name the file of the static key there")
        if create_key and static_key.create_key(settings.jwt_key_file):
            typer.echo(f"mixhaul-api: made the key file {settings.jwt_key_file}", err=True)
        typer.echo(
            static_key.make_token(
                static_key.read_key(settings.jwt_key_file),
                subject=subject,
                organisations=organisation,
                roles=role or [Role.READER],
                issuer=setup.static_issuer(settings),
                audience=setup.static_audience(settings),
                now=datetime.now(UTC),
                ttl=_ttl(ttl),
                sites=site or None,
            )
        )


@app.command()
def openapi(
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there instead of printing it.")] = None,
) -> None:
    """Print the OpenAPI document."""
    with _told():
        text = orjson.dumps(description.document(), option=orjson.OPT_INDENT_2) + b"\n"
        if file is None:
            sys.stdout.buffer.write(text)
        else:
            file.write_bytes(text)


def _ttl(seconds: int) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return timedelta.max


@contextmanager
def _told() -> Iterator[None]:
    """The one place where known trouble becomes a sentence and an exit code."""
    logs.configure(format="console", level="error", component="api")
    try:
        yield
    except (ApiError, SettingsError, PortTaken, StoreError, OSError) as error:
        typer.echo(f"mixhaul-api: {logs.redact(str(error))}", err=True)
        raise typer.Exit(_exit_code(error)) from error
    except Exception as error:
        log.critical("this is a defect", exc_info=error)
        typer.echo(f"mixhaul-api: a defect: {type(error).__name__}; the log has it", err=True)
        raise typer.Exit(1) from error


def _exit_code(error: Exception) -> int:
    """The same codes as `mixhaul-ingestor`."""
    match error:
        case ApiError() | SettingsError() | PortTaken():
            return error.exit_code
        case SchemaTooNew() | SchemaTooOld() | UnsupportedServer() | MissingExtension():
            return 76
        case StoreError():
            return 74
        case _:
            return 78


def main() -> None:
    """Entry point."""
    app()

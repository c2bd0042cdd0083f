"""The command `mixhaul-simulator`."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from mixhaul_simulator import app as application
from mixhaul_simulator import faults, manifest
from mixhaul_simulator.errors import BadRequest, StartRefused
from mixhaul_simulator.settings import Account, Settings
from mixhaul_simulator.state import StateFile
from mixhaul_simulator.times import ms_of

program = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class HistoryTime(StrEnum):
    """Which time of an event the history routes filter by."""

    START = "start"
    CREATION = "creation"


class TokenText(StrEnum):
    """How feed tokens look."""

    TIME = "time"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class _Output:
    port_file: Path | None
    manifest: Path | None


@program.command()
def serve(
    seed: Annotated[int, typer.Option(help="The same seed, start and clock give the same fleet, byte for byte.")] = 1,
    organisations: Annotated[int, typer.Option(min=1, max=2000, help="Companies that the login sees.")] = 2,
    drivers: Annotated[int, typer.Option(min=3, help="Drivers of each organisation.")] = 50,
    vehicles: Annotated[int, typer.Option(min=1, help="Vehicles of each organisation.")] = 40,
    event_types: Annotated[int, typer.Option(min=3, help="Event types in each organisation's library.")] = 60,
    events_per_minute: Annotated[float, typer.Option(min=0, help="New events of the whole fleet; 0: none.")] = 600,
    history_days: Annotated[float, typer.Option(min=0, help="How far back the events go at the start.")] = 3,
    events_per_vehicle_day: Annotated[
        float, typer.Option(min=0, help="How dense the history is, and what a jump of the clock skips.")
    ] = 100,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
            help="Where the simulator's clock begins (UTC). Default: now.",
        ),
    ] = None,
    state_file: Annotated[
        Path | None,
        typer.Option(help="Remembers when the fleet began and stood still; another run continues the same fleet."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the simulated MiX; 0: any free one.")] = 0,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the control API; 0: any.")] = 0,
    port_file: Annotated[Path | None, typer.Option(help="Write the JSON line with the URLs here too.")] = None,
    write_manifest: Annotated[
        Path | None, typer.Option(help="Write the MixSource and Secret for this simulator here.")
    ] = None,
    requests_per_minute: Annotated[int, typer.Option(min=1, help="Calls in any rolling minute, an organisation.")] = 20,
    pause_seconds: Annotated[float, typer.Option(min=0, help="Pause after a page without more.")] = 30,
    enforce: Annotated[bool, typer.Option("--enforce/--record-only", help="Refuse what breaks the two rules.")] = True,
    retry_after: Annotated[bool, typer.Option(help="Whether such a 429 has a Retry-After.")] = True,
    rotate: Annotated[bool, typer.Option(help="A refresh gives a new refresh token and kills the old one.")] = True,
    expires_in: Annotated[int, typer.Option(min=1, help="Seconds that an access token lives.")] = 3600,
    gzip: Annotated[bool, typer.Option(help="Compress for clients that accept it.")] = False,
    history_filter: Annotated[
        HistoryTime, typer.Option(help="Which time the history routes look at.")
    ] = HistoryTime.START,
    token_style: Annotated[
        TokenText, typer.Option(help="opaque: tokens that arithmetic or trimming breaks.")
    ] = TokenText.TIME,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault from the start, as KIND=RATE or as the JSON of POST /control/faults. Repeatable."),
    ] = None,
    endless: Annotated[bool, typer.Option(help="Full pages for ever, for benchmarks; keeps nothing.")] = False,
    cycle: Annotated[int, typer.Option(min=0, help="With --endless: ids repeat after so many pages; 0: never.")] = 0,
    client_id: Annotated[str, typer.Option(help="The client that may log in.")] = Account().client_id,
    client_secret: Annotated[str, typer.Option(help="Its secret.")] = Account().client_secret,
    username: Annotated[str, typer.Option(help="The user.")] = Account().username,
    password: Annotated[str, typer.Option(help="The user's password.")] = Account().password,
) -> None:
    """A MiX Integrate stand-in: real HTTP, a living fleet, faults on demand, and the truth for comparison.

    Prints one line of JSON with its URLs when it is ready, and runs until SIGTERM or Ctrl-C.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    start_ms = None if start is None else ms_of(start)
    state = None
    if state_file is not None:
        if start is not None:
            raise StartRefused("--start and --state-file exclude each other: the file says when the fleet began")
        shape: dict[str, float] = {
            "seed": seed,
            "organisations": organisations,
            "drivers": drivers,
            "vehicles": vehicles,
            "event-types": event_types,
            "events-per-minute": events_per_minute,
            "history-days": history_days,
            "events-per-vehicle-day": events_per_vehicle_day,
        }
        state = StateFile(state_file, shape=shape)
        start_ms = state.start_ms
    settings = Settings(
        seed=seed,
        organisations=organisations,
        drivers=drivers,
        vehicles=vehicles,
        event_types=event_types,
        events_per_minute=events_per_minute,
        history_days=history_days,
        events_per_vehicle_day=events_per_vehicle_day,
        start_ms=start_ms,
        resumed=state is not None and state.resumed,
        stops=state.stops if state is not None else (),
        requests_per_minute=requests_per_minute,
        pause_seconds=pause_seconds,
        enforce=enforce,
        retry_after=retry_after,
        rotate=rotate,
        expires_in=expires_in,
        gzip=gzip,
        history_filter=history_filter.value,
        token_style=token_style.value,
        endless=endless,
        cycle=cycle,
        account=Account(client_id=client_id, client_secret=client_secret, username=username, password=password),
    )
    output = _Output(port_file, write_manifest)
    uvloop.run(
        application.run(
            settings,
            host=host,
            port=port,
            control_port=control_port,
            first_faults=tuple(_fault(text) for text in fault or ()),
            state=state,
            ready=lambda simulator: _announce(simulator, output),
        )
    )


def _announce(simulator: application.Simulator, output: _Output) -> None:
    urls = simulator.urls
    if output.manifest is not None:
        _write_whole(output.manifest, manifest.text(simulator.settings, url=urls["url"]), mode=0o600)
    line = json.dumps(urls)
    if output.port_file is not None:
        _write_whole(output.port_file, line + "\n", mode=0o644)
    print(line, flush=True)


def _write_whole(path: Path, text: str, *, mode: int) -> None:
    """By rename, so that whoever waits for the file never reads half of it."""
    draft = path.with_name(path.name + ".part")
    draft.touch(mode=mode)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _fault(text: str) -> faults.Fault:
    if text.startswith("{"):
        try:
            return faults.parse(json.loads(text))
        except json.JSONDecodeError as error:
            raise StartRefused(f"--fault {text}: this is no JSON") from error
    kind, _, rate = text.partition("=")
    try:
        return faults.parse({"kind": kind, "rate": float(rate or "1")})
    except ValueError as error:
        raise StartRefused(f"--fault {text}: write KIND=RATE, with a rate from 0 to 1") from error


def main() -> None:
    """Run; what can't be done is one sentence and exit code 2."""
    try:
        program()
    except (StartRefused, BadRequest) as error:
        print(f"mixhaul-simulator: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"mixhaul-simulator: {error.filename}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""The command line of `mixhaul-operator`."""

from __future__ import annotations

import asyncio
import sys

import structlog
import typer
import uvloop

from mixhaul_operator.errors import OperatorError
from mixhaul_operator.running import run as run_operator
from mixhaul_operator.settings import OperatorSettings
from mixhaul_runtime import logs
from mixhaul_runtime.errors import RuntimeFailure
from mixhaul_store.errors import StoreError

app = typer.Typer(
    name="mixhaul-operator",
    help="Owns the CronJob and the status of each MixSource of a namespace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
log = structlog.get_logger("mixhaul_operator.cli")

_DATABASE_CODE = 74


@app.callback()
def mixhaul_operator() -> None:
    """Owns the CronJob and the status of each MixSource of a namespace."""


@app.command()
def run() -> None:
    """Watch MixSources until SIGTERM. Settings come from the environment: see docs/configuration.md."""
    try:
        settings = OperatorSettings()
        logs.configure(format=settings.log_format, level=settings.log_level, component="operator")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_operator(settings))
    except BaseExceptionGroup as group:
        _end(_first(group))
    except Exception as error:  # noqa: BLE001 - the edge of the program
        _end(error)


def _end(error: BaseException) -> None:
    """Known trouble is a sentence and a code, anything else a traceback."""
    code = _code(error)
    if code is None:
        log.critical("this is a defect", exc_info=error)
    sentence = str(error) if code is not None else f"a defect: {type(error).__name__}"
    sys.stderr.write(f"mixhaul-operator: {sentence}\n")
    raise typer.Exit(code or 1) from error


def _code(error: BaseException) -> int | None:
    match error:
        case OperatorError() | RuntimeFailure():
            return error.exit_code
        case StoreError():
            return _DATABASE_CODE
        case _:
            return None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first known trouble of a group, or its first member."""
    flat: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        else:
            flat.append(error)
    return next((error for error in flat if _code(error) is not None), flat[0])


def main() -> None:
    """Entry point."""
    app()

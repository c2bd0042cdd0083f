"""One way of logging for all programs: structlog through the standard library, one line an event, on stdout.

Lines of libraries (httpx, Sanic, psycopg, alembic, asyncio, warnings) come out in the same form as ours. Keys:
`timestamp`, `level`, `event`, `component`, `logger`, and what was bound (`source`, `organisation`, `run_id`). Each
line passes the redaction. It does not guarantee that a line was written: a closed or full stdout never stops the work.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from mixhaul_runtime.redaction import SecretValues, redact_mapping

Format = Literal["json", "console"]

# Each logs every request or statement at INFO or DEBUG, headers among them: our metrics count these, and a header
# may hold a token.
_QUIET: Final = ("httpx", "httpcore", "hpack", "sqlalchemy", "kubernetes", "aiohttp.access")

_secrets = SecretValues()


def register_secret(value: str, *, rotating: bool = False) -> None:
    """Mask this value in every line from now on. `rotating` for tokens that are replaced again and again."""
    _secrets.register(value, rotating=rotating)


def redact(text: str) -> str:
    """The text without registered secrets, for what is written elsewhere than to the log."""
    return _secrets.redact(text)


def configure(format: Format, level: str, component: str) -> None:  # noqa: A002 - the name that callers agreed on
    """Set up logging for this process. Calling it again replaces what it set up before."""
    shared = _shared_processors(component)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Not cached: module-level loggers keep following a later `configure` and `structlog.testing.capture_logs`.
        cache_logger_on_first_use=False,
    )
    handler = _StdoutHandler()
    handler.setFormatter(
        _RedactingFormatter(
            foreign_pre_chain=[*shared[:2], structlog.stdlib.ExtraAdder(), _drop_rendered, *shared[2:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format)],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        # What `basicConfig` or we put there; handlers of test tools stay.
        if isinstance(old, _StdoutHandler) or type(old) is logging.StreamHandler:
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    _adopt_other_loggers()
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _shared_processors(component: str) -> list[Processor]:
    def add_component(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_component,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _redact_keys,
    ]


def _drop_rendered(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What another handler's formatter left on the record is no extra of the caller's."""
    event.pop("message", None)
    event.pop("asctime", None)
    return event


def _redact_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return redact_mapping(event)


def _renderers(format: Format) -> list[Processor]:  # noqa: A002 - as above
    if format == "console":
        return [
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    return [structlog.processors.format_exc_info, _order_keys, structlog.processors.JSONRenderer()]


def _order_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The keys of every line first, for people who read JSON with their eyes."""
    first = ("timestamp", "level", "event", "component", "logger")
    return {key: event[key] for key in first if key in event} | {k: v for k, v in event.items() if k not in first}


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks secrets in the finished line, so in messages of libraries and in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return _secrets.redact(super().format(record))


class _StdoutHandler(logging.StreamHandler[Any]):
    """Writes to whatever `sys.stdout` is at that moment; an error there is nobody's problem but the reader's."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """A reader that went away (`| head`) must not bring tracebacks, let alone stop the work."""
        if not isinstance(sys.exc_info()[1], OSError | ValueError):
            super().handleError(record)


def _adopt_other_loggers() -> None:
    """Libraries that brought their own handlers (Sanic does) write through ours instead."""
    for name, other in logging.root.manager.loggerDict.items():
        if isinstance(other, logging.Logger):
            for handler in list(other.handlers):
                other.removeHandler(handler)
            other.propagate = True
            other.disabled = False
            if name.startswith("sanic"):
                other.setLevel(logging.NOTSET)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("mixhaul_runtime").critical("uncaught exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not issubclass(arguments.exc_type, SystemExit):
        _log_uncaught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

"""Logging is the process's: what a test sets up is undone after it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from mixhaul_runtime import logs, redaction


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, excepthook, thread_hook = list(root.handlers), root.level, sys.excepthook, threading.excepthook
    monkeypatch.setattr(logs, "_secrets", redaction.SecretValues())
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = excepthook, thread_hook
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()

"""One line an event, the same keys for ours and for libraries' lines, and no secret in any."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from typing import Any

import pytest
import structlog

from mixhaul_runtime import logs

SECRET = 'p"ä ss+w/ör\\d'


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_has_the_agreed_keys_first_and_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "ingestor")
    structlog.contextvars.bind_contextvars(run_id="r1")
    structlog.get_logger("mixhaul.test").bind(source="default/fleet").info("page stored", events=3)

    (line,) = lines(capsys)
    assert list(line)[:5] == ["timestamp", "level", "event", "component", "logger"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "page stored",
        "component": "ingestor",
        "logger": "mixhaul.test",
        "source": "default/fleet",
        "run_id": "r1",
        "events": 3,
    }


def test_a_librarys_line_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "api")
    logging.getLogger("psycopg.pool").warning("connection %d lost", 7, extra={"pool": "writer"})

    (line,) = lines(capsys)
    line.pop("timestamp")
    assert line == {
        "level": "warning",
        "event": "connection 7 lost",
        "component": "api",
        "logger": "psycopg.pool",
        "pool": "writer",
    }


def test_a_library_that_brought_its_own_handler_writes_through_ours_once(capsys: pytest.CaptureFixture[str]) -> None:
    sanic = logging.getLogger("sanic.test")
    sanic.addHandler(logging.StreamHandler(sys.stdout))
    sanic.propagate = False
    logs.configure("json", "info", "api")
    sanic.warning("worker restarted")

    assert [line["event"] for line in lines(capsys)] == ["worker restarted"]


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "sqlalchemy.engine"])
def test_request_and_statement_logs_of_libraries_are_left_out(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "debug", "ingestor")
    logging.getLogger(name).info("Authorization: Bearer abc")

    assert lines(capsys) == []


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning", "ingestor")
    log = structlog.get_logger("mixhaul.test")
    log.info("no")
    log.warning("yes")

    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_configuring_again_replaces_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("console", "error", "first")
    logs.configure("json", "info", "second")
    structlog.get_logger("mixhaul.test").info("once")

    assert [line["component"] for line in lines(capsys)] == ["second"]


def test_a_traceback_is_in_the_line_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "ingestor")
    logs.register_secret(SECRET)
    try:
        raise ValueError(f"refused: {SECRET}")
    except ValueError:
        structlog.get_logger("mixhaul.test").exception("failed")

    (line,) = lines(capsys)
    assert "ValueError: refused: [redacted]" in line["exception"]
    assert "Traceback" in line["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_registered_secret_is_masked_wherever_it_stands(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form, "info", "ingestor")
    logs.register_secret(SECRET)
    structlog.get_logger("mixhaul.test").info(f"login {SECRET}", body=[{"deep": f"a{SECRET}b"}], raw=SECRET)
    logging.getLogger("other").warning("sent %s", SECRET)
    logging.getLogger("other").warning("sent %r", SECRET)

    out = capsys.readouterr().out
    assert out.count("[redacted]") == 5
    assert "ör" not in out
    assert "\\u00f6r" not in out


def test_values_under_telling_keys_are_masked_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "ingestor")
    structlog.get_logger("mixhaul.test").info("sent", form={"clientSecret": "abc", "username": "u"}, password="x" * 9)

    (line,) = lines(capsys)
    assert (line["form"], line["password"]) == ({"clientSecret": "[redacted]", "username": "u"}, "[redacted]")


def test_warnings_and_uncaught_exceptions_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "ingestor")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    try:
        raise RuntimeError("nobody caught me")
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    warned, uncaught = lines(capsys)
    assert (warned["logger"], "old thing" in warned["event"]) == ("py.warnings", True)
    assert (uncaught["level"], uncaught["event"]) == ("critical", "uncaught exception")
    assert "RuntimeError: nobody caught me" in uncaught["exception"]


def test_a_reader_that_went_away_does_not_stop_the_work() -> None:
    program = (
        "import os, sys, structlog\n"
        "from mixhaul_runtime import logs\n"
        "logs.configure('json', 'info', 'test')\n"
        "sys.stdin.readline()\n"
        "for _ in range(3): structlog.get_logger('t').info('hello')\n"
        "os._exit(7)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(b"\n", timeout=30)
    assert (process.returncode, errors) == (7, b"")

"""SIGTERM and SIGINT as an event.

It does not end anything by itself: the program looks at the event between its steps. A second SIGINT means a person
who does not want to wait, and ends the process at once, which is safe because a kill at any moment is. A program that
promises to end within a time is ended in the same way once that has passed: a database that stands still can hold up
each of its steps.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import structlog

log = structlog.get_logger("mixhaul_runtime.shutdown")


def stop_event(*, within_seconds: float | None = None) -> asyncio.Event:
    """An event of the running loop that is set by the first SIGTERM or SIGINT. Call it once a process.

    `within_seconds` later the process is ended wherever it stands, with 128 + the signal's number.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked(received: signal.Signals) -> None:
        if received is signal.SIGINT and stop.is_set():
            os._exit(128 + signal.SIGINT)
        if not stop.is_set():
            log.info("stopping", signal=received.name)
            stop.set()
            if within_seconds is not None:
                # A thread: the loop itself may stand still.
                timer = threading.Timer(within_seconds, _end_hard, args=(received, within_seconds))
                timer.daemon = True
                timer.start()

    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, asked, wanted)
    return stop


def _end_hard(received: signal.Signals, seconds: float) -> None:
    try:
        log.error("not ended in time: the process is ended as it stands", signal=received.name, seconds=seconds)
    finally:
        os._exit(128 + received)

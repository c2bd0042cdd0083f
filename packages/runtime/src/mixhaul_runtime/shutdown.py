"""SIGTERM and SIGINT as an event.

It does not end anything by itself: the program looks at the event between its steps. A second SIGINT means a person
who does not want to wait, and ends the process at once, which is safe because a kill at any moment is.
"""

from __future__ import annotations

import asyncio
import os
import signal

import structlog

log = structlog.get_logger("mixhaul_runtime.shutdown")


def stop_event() -> asyncio.Event:
    """An event of the running loop that is set by the first SIGTERM or SIGINT. Call it once a process."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def asked(received: signal.Signals) -> None:
        if received is signal.SIGINT and stop.is_set():
            os._exit(128 + signal.SIGINT)
        if not stop.is_set():
            log.info("stopping", signal=received.name)
            stop.set()

    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, asked, wanted)
    return stop

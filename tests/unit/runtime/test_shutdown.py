"""SIGTERM and SIGINT, sent to a real process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, time
from mixhaul_runtime import logs
from mixhaul_runtime.shutdown import stop_event

async def main():
    logs.configure("json", "error", "test")
    stop = stop_event(within_seconds=0.5 if "bounded" in sys.argv else None)
    print("ready", flush=True)
    await stop.wait()
    print("asked", flush=True)
    if "stubborn" in sys.argv:
        await asyncio.sleep(60)
    if "stuck" in sys.argv:
        time.sleep(60)

asyncio.run(main())
print("ended well", flush=True)
"""


def started(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_the_program_end_by_itself(sent: signal.Signals) -> None:
    process = started()
    process.send_signal(sent)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("asked\nended well\n", 0)


def test_a_second_sigint_ends_a_program_that_does_not() -> None:
    process = started("stubborn")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 130)


@pytest.mark.parametrize("how", ["stubborn", "stuck"])
def test_a_program_that_promised_to_end_in_time_does(how: str) -> None:
    process = started(how, "bounded")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert out.startswith("asked\n")
    assert "not ended in time" in out
    assert process.returncode == 143


def test_a_program_that_ends_by_itself_is_not_held_up_by_the_promise() -> None:
    process = started("bounded")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("asked\nended well\n", 0)

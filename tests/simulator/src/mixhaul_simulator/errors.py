"""What can go wrong inside the simulator.

SimulatorError
├── BadRequest       a caller of MiX's routes or of the control port sent something that can't be done: answered 400
└── StartRefused     the simulator can't start as told: one sentence and exit code 2
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Base of all."""


class BadRequest(SimulatorError):
    """The sentence is sent back with status 400."""


class StartRefused(SimulatorError):
    """The sentence is printed and the program ends with 2."""

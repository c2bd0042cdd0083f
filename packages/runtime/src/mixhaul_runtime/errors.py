"""What may go wrong in the runtime, as types.

    RuntimeFailure
     +- SettingsError          an environment variable can't be used
     +- PortTaken              the port for metrics and health can't be opened

All are terminal: trying again changes nothing until a person does. No sentence holds the value of a secret setting.
"""

from __future__ import annotations

from typing import ClassVar


class RuntimeFailure(Exception):
    """Base of all of them. `exit_code` is what a program that ends because of it returns (see sysexits.h)."""

    exit_code: ClassVar[int] = 70


class SettingsError(RuntimeFailure):
    """The environment holds something that can't be used; `variables` are the names concerned."""

    exit_code = 78

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{variable} {problem}" for variable, problem in problems.items()))

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(self.problems)

    def __reduce__(self) -> tuple[type[SettingsError], tuple[dict[str, str]]]:
        return type(self), (self.problems,)


class PortTaken(RuntimeFailure):
    """The port for `/metrics`, `/livez` and `/readyz` can't be opened."""

    exit_code = 69

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(
            f"the admin port {port} on {host} can't be opened ({reason}): "
            "set MIXHAUL_ADMIN_PORT to a free port, or to 0 for any"
        )

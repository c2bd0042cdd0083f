"""Signed 64-bit ids, spread over the whole range by a mixing that never gives the same id twice for one seed."""

from __future__ import annotations

from typing import Final

_MASK: Final = (1 << 64) - 1


def mixed(seed: int, number: int) -> int:
    """A bijection of `number` for a fixed seed: neighbours land far apart, half of them are negative."""
    value = (number + (seed + 1) * 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    value ^= value >> 31
    return value - (1 << 64) if value >> 63 else value


class Ids:
    """Fresh ids of one organisation; `organisation` keeps them apart from those of all others."""

    def __init__(self, *, seed: int, organisation: int) -> None:
        self._seed = seed
        self._next = organisation << 40

    def take(self) -> int:
        """The next id; never 0, which MiX uses for 'none'."""
        self._next += 1
        return mixed(self._seed, self._next) or self.take()

"""What a report counts: infractions and their time, by type, month and week, and how a month compares.

The weeks are cut off at the ends of the month, so a month is the sum of its weeks. Lengths are whole seconds of each
event: what is added up on paper comes out right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final, Literal, NamedTuple

Direction = Literal["up", "down", "same"]
BEFORE: Final = 2


class Counted(NamedTuple):
    """One type in one part: 0 and 1 are the months before, 2 and more the weeks of the month."""

    type_id: int
    description: str | None
    family: str | None
    part: int
    infractions: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How many infractions, and how long they took together; those of unknown length count as 0 s."""

    infractions: int = 0
    seconds: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(self.infractions + other.infractions, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class Trend:
    """A month's infractions against the average of the months before; `percent` is None where there were none."""

    average: float
    change: float
    percent: float | None
    direction: Direction


@dataclass(frozen=True, slots=True)
class Line:
    """A type's figures, or those of all together: the months, the oldest first, and the weeks of the last one."""

    months: tuple[Figures, ...]
    weeks: tuple[Figures, ...]

    @property
    def trend(self) -> Trend:
        return trend([one.infractions for one in self.months[:-1]], self.months[-1].infractions)


@dataclass(frozen=True, slots=True)
class TypeLine:
    """A type with its figures."""

    type_id: int
    description: str | None
    family: str | None
    line: Line


def trend(before: Sequence[int], now: int) -> Trend:
    """How a month compares with the average of those before it."""
    average = sum(before) / len(before)
    change = now - average
    percent = round(100 * change / average, 1) if average else None
    return Trend(average, change, percent, "same" if change == 0 else "up" if change > 0 else "down")


def by_type(rows: Iterable[Counted], *, weeks: int) -> tuple[TypeLine, ...]:
    """A line for each type, those with the most infractions in the month first."""
    parts: dict[tuple[int, str | None, str | None], list[Figures]] = {}
    for row in rows:
        here = parts.setdefault((row.type_id, row.description, row.family), [Figures()] * (BEFORE + weeks))
        here[row.part] = Figures(row.infractions, row.seconds)
    found = [TypeLine(*named, _line(figures)) for named, figures in parts.items()]
    return tuple(sorted(found, key=_place))


def together(lines: Iterable[TypeLine], *, weeks: int) -> Line:
    """The sum of all types."""
    nothing = Line((Figures(),) * (BEFORE + 1), (Figures(),) * weeks)
    total = nothing
    for one in lines:
        total = Line(_added(total.months, one.line.months), _added(total.weeks, one.line.weeks))
    return total


def _line(parts: Sequence[Figures]) -> Line:
    weeks = tuple(parts[BEFORE:])
    return Line((*parts[:BEFORE], sum(weeks, Figures())), weeks)


def _added(these: Sequence[Figures], those: Sequence[Figures]) -> tuple[Figures, ...]:
    return tuple(starmap(Figures.__add__, zip(these, those, strict=True)))


def _place(one: TypeLine) -> tuple[object, ...]:
    counts = [-figures.infractions for figures in reversed(one.line.months)]
    return (*counts, one.description is None, one.description or "", one.type_id)

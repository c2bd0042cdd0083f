"""Numbers, dates and lengths of time as people of a language write them.

Times come as the answer has them, with the offset of the report's time zone, and are shown as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal

from mixhaul_api.report.texts import Texts


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of one language."""

    locale: Locale

    @classmethod
    def of(cls, texts: Texts) -> Formats:
        return cls(Locale.parse(texts.locale))

    def count(self, number: int) -> str:
        return format_decimal(number, locale=self.locale)

    def number(self, number: float) -> str:
        """With one place at most."""
        return format_decimal(number, "#,##0.#", locale=self.locale)

    def change(self, number: float) -> str:
        """With its sign."""
        return format_decimal(number, "+#,##0.#;-#,##0.#", locale=self.locale) if number else "0"

    def degrees(self, number: float) -> str:
        """A coordinate, to some ten centimetres."""
        return format_decimal(number, "0.######", locale=self.locale)

    def duration(self, seconds: int) -> str:
        """Minutes and seconds, as on a stopwatch: what is added up on paper comes out right."""
        minutes, rest = divmod(seconds, 60)
        return f"{format_decimal(minutes, locale=self.locale)}:{rest:02}"

    def month(self, first: date) -> str:
        """November 2026; novembro de 2026."""
        return format_skeleton("yMMMM", first, locale=self.locale)

    def short_month(self, first: date) -> str:
        """Nov 2026; nov. de 2026: for the head of a column."""
        return format_skeleton("yMMM", first, locale=self.locale)

    def day(self, day: date) -> str:
        """24 Nov 2026; 24/11/2026."""
        return format_date(day, self._day_pattern, locale=self.locale)

    def days(self, first: date, last: date) -> str:
        """Days of a month, for the head of a narrow column."""
        return f"{first.day}" if first == last else f"{first.day}\u2013{last.day}"

    def moment(self, text: str) -> str:
        """A time to the minute."""
        return format_datetime(datetime.fromisoformat(text), f"{self._day_pattern} HH:mm", locale=self.locale)

    def second(self, text: str) -> str:
        """A time to the second, of a year that is known: 24 Nov 20:11:05; 24/11 20:11:05."""
        pattern = self._day_pattern.rpartition("y")[0].rstrip("/ ")
        return format_datetime(datetime.fromisoformat(text), f"{pattern} HH:mm:ss", locale=self.locale)

    @property
    def _day_pattern(self) -> str:
        return "dd/MM/y" if self.locale.language == "pt" else "d MMM y"

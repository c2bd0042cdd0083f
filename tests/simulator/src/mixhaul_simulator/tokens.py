"""Feed tokens: their text, their age, and whether they were ever given.

A token is a millisecond of creation. In the opaque style its text holds more than that, so that a client that does
arithmetic on it, or cuts it short, is found out.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.settings import TokenStyle
from mixhaul_simulator.times import HOUR, MINUTE, SECOND, WEEK, read_digits, token_of

NEW: Final = "NEW"


@dataclass(slots=True)
class _Given:
    whole: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    newest_ms: int = 0
    came_back: bool = False


class Tokens:
    """For each organisation and feed: what went out, and what comes back."""

    def __init__(self, *, style: TokenStyle, earlier_run_ms: int | None) -> None:
        self._style = style
        self._earlier_run_ms = earlier_run_ms
        self._feeds: dict[tuple[int, str], _Given] = {}

    def text(self, ms: int) -> str:
        digits = token_of(ms)
        return digits if self._style == "time" else f"{digits}.{zlib.crc32(digits.encode()):08x}~"

    def read(self, text: str, *, now_ms: int) -> int:
        """The millisecond of a token; a sentence where it is no token, or a dead one."""
        if text == NEW:
            return now_ms
        if "." in text and text != self.text(read_digits(text[:17], what="sincetoken", digits=17)):
            raise BadRequest(f"sincetoken '{text}' was not given by this server")
        ms = read_digits(text[:17] if "." in text else text, what="sincetoken", digits=17)
        if now_ms - ms > WEEK:
            raise BadRequest("sincetoken is more than 7 days old; begin again with a newer one or with NEW")
        return ms

    def given(self, organisation: int, feed: str, text: str, *, ms: int, whole: bool) -> None:
        """A token is on its way, with a whole page or with one that can't be used."""
        state = self._feeds.setdefault((organisation, feed), _Given())
        (state.whole if whole else state.broken).add(text)
        state.newest_ms = max(state.newest_ms, ms)

    def known(self, organisation: int, feed: str, text: str) -> bool:
        """Whether this token went out with a whole page."""
        state = self._feeds.get((organisation, feed))
        return state is not None and text in state.whole

    def fault_of(self, organisation: int, feed: str, text: str, *, ms: int, now_ms: int) -> str | None:
        """What is wrong about being asked with this token; None where it was given, or may be a constructed first one.

        Constructed ones: nearly 7 days old at any time, or a whole second as long as no given token has come back.
        """
        if text == NEW:
            return None
        state = self._feeds.setdefault((organisation, feed), _Given())
        if text in state.whole:
            state.came_back = True
            return None
        if self._earlier_run_ms is not None and ms <= self._earlier_run_ms:
            return None
        if text in state.broken:
            return "it came with a page that did not arrive whole"
        if len(text) == 17 and ms <= now_ms + MINUTE:
            if now_ms - ms >= WEEK - HOUR:
                return None
            if ms % SECOND == 0 and (not state.came_back or now_ms - state.newest_ms > WEEK):
                return None
        return "it was never given"

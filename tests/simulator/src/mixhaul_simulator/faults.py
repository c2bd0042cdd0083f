"""Which faults are switched on, and whose turn it is. What a fault does is done where its kind belongs.

A fault strikes by `rate` (a share of the chances it gets) or by `count` (the next so many chances).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from mixhaul_simulator.errors import BadRequest

FEEDS: Final = frozenset({"feed", "positions", "trips", "activeevents"})
LISTS: Final = frozenset({"drivers", "assets", "libraryevents", "organisationgroups", "subgroups"})
DATA: Final = FEEDS | LISTS | {"history", "amendments"}
ROUTES: Final = DATA | {"token"}
SUPPORT: Final = frozenset({"drivers", "assets", "libraryevents", "subgroups"})

BEFORE: Final = frozenset(
    {
        "status-500",
        "status-502",
        "status-503",
        "status-429",
        "retry-after-429",
        "html-200",
        "redirect-login",
        "reset-before",
        "hang",
        "unauthorised-once",
        "forbidden-organisation",
    }
)
"""Instead of the answer: nothing is looked up, no token is given."""

ON_THE_WAY: Final = frozenset(
    {
        "reset-mid-body",
        "truncated-body",
        "truncated-json",
        "half-headers",
        "slow-headers",
        "slow-body",
        "hang-mid-body",
        "gzip-corrupt",
    }
)
"""The answer is made, and does not arrive whole or in time."""

PAGE: Final = frozenset(
    {
        "missing-has-more",
        "garbage-has-more",
        "missing-token",
        "empty-page-more",
        "oversize-page",
        "short-page",
        "duplicate-page-events",
        "redeliver",
        "status-204",
        "status-206",
        "bom",
    }
)
"""About a page and its headers; the last three also about lists."""

RECORD: Final = frozenset({"unknown-fields", "numbers-as-text", "dates-odd", "enum-number", "enum-case"})
"""Every record of an answer is written in another way, of the same value."""

MAKING: Final = frozenset({"null-fields", "negative-ids", "enum-unknown", "dates-wild", "bad-record"})
"""When an event is made: it is so from then on, and the truth says so too."""

LIST: Final = frozenset({"empty-support-list", "short-support-list"})
TOKEN: Final = frozenset({"token-answer-lost", "expires-short"})
KINDS: Final = BEFORE | ON_THE_WAY | PAGE | RECORD | MAKING | LIST | TOKEN

BAD_VARIANTS: Final = ("wrong-type", "missing-id", "nul", "id-beyond-int64", "lone-surrogate", "not-an-object")

_DEFAULT_ROUTES: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(BEFORE | ON_THE_WAY | RECORD, DATA),
    **dict.fromkeys(PAGE, FEEDS),
    **dict.fromkeys(MAKING, frozenset({"making"})),
    **dict.fromkeys(LIST, SUPPORT),
    **dict.fromkeys(TOKEN, frozenset({"token"})),
    "status-204": FEEDS | LISTS | {"amendments", "history"},
    "status-206": DATA,
    "bom": DATA,
}
_FIELDS: Final = {"kind", "rate", "count", "route", "organisation", "seconds", "variant", "http_date", "share"}


@dataclass(slots=True)
class Fault:
    """One switched-on fault."""

    kind: str
    rate: float | None
    left: int | None
    routes: frozenset[str]
    organisation: int | None
    parameters: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def seconds(self, default: float) -> float:
        return float(self.parameters.get("seconds", default))

    def view(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "rate": self.rate,
            "count": self.left,
            "routes": sorted(self.routes),
            "organisation": None if self.organisation is None else str(self.organisation),
            "struck": self.struck,
            **self.parameters,
        }


def parse(body: dict[str, Any]) -> Fault:
    """A fault as the control port takes it; says in a sentence what is wrong with it."""
    if unknown := body.keys() - _FIELDS:
        raise BadRequest(f"a fault has no field '{sorted(unknown)[0]}'; it has: {', '.join(sorted(_FIELDS))}")
    kind = body.get("kind")
    if kind not in KINDS:
        raise BadRequest(f"kind must be one of: {', '.join(sorted(KINDS))}; not {kind!r}")
    rate, count = body.get("rate"), body.get("count")
    if (rate is None) == (count is None):
        raise BadRequest("give either rate (a share of the calls, 0 to 1) or count (the next so many calls)")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1):
        raise BadRequest(f"rate must be a number from 0 to 1, not {rate!r}")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise BadRequest(f"count must be a whole number from 1 on, not {count!r}")
    parameters: dict[str, Any] = {
        name: body[name] for name in ("seconds", "variant", "http_date", "share") if name in body
    }
    if parameters.get("variant", "wrong-type") not in BAD_VARIANTS:
        raise BadRequest(f"variant must be one of: {', '.join(BAD_VARIANTS)}; not {parameters['variant']!r}")
    for name in ("seconds", "share"):
        value = parameters.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise BadRequest(f"{name} must be a number from 0 on, not {value!r}")
    return Fault(kind, rate, count, _routes(kind, body.get("route")), _organisation(body), parameters)


def _routes(kind: str, route: object) -> frozenset[str]:
    if route is None:
        return _DEFAULT_ROUTES[kind]
    if kind in MAKING:
        raise BadRequest(f"'{kind}' is about the making of events and takes no route")
    if route == "*":
        return ROUTES
    if not isinstance(route, str) or route not in ROUTES:
        raise BadRequest(f"route must be * or one of: {', '.join(sorted(ROUTES))}; not {route!r}")
    return frozenset({route})


def _organisation(body: dict[str, Any]) -> int | None:
    value = body.get("organisation")
    if value is None:
        return None
    try:
        return int(str(value))
    except ValueError as error:
        raise BadRequest(f"organisation must be an id, not {value!r}") from error


class Faults:
    """All that are switched on, and the dice."""

    def __init__(self, *, seed: int) -> None:
        self._random = Random(f"faults {seed}")
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self, kind: str | None = None) -> None:
        self._faults = [fault for fault in self._faults if kind is not None and fault.kind != kind]

    def views(self) -> list[dict[str, Any]]:
        return [fault.view() for fault in self._faults]

    def strike(self, kinds: frozenset[str], route: str, organisations: Iterable[int] = ()) -> list[Fault]:
        """The faults of these kinds that hit this chance; counts are used up."""
        if not self._faults:
            return []
        here = frozenset(organisations)
        found = []
        for fault in self._faults:
            if fault.kind not in kinds or route not in fault.routes:
                continue
            if fault.organisation is not None and fault.organisation not in here:
                continue
            if fault.left is not None:
                if fault.left == 0:
                    continue
                fault.left -= 1
            elif fault.rate is not None and self._random.random() >= fault.rate:
                continue
            fault.struck += 1
            found.append(fault)
        self._faults = [fault for fault in self._faults if fault.left != 0]
        return found

    def one(self, kinds: frozenset[str], route: str, organisations: Iterable[int] = ()) -> Fault | None:
        """At most one: two ways for one answer to die are no more than one. A count that loses is not used up."""
        if not self._faults:
            return None
        here = frozenset(organisations)
        for fault in self._faults:
            if fault.kind not in kinds or route not in fault.routes:
                continue
            if fault.organisation is not None and fault.organisation not in here:
                continue
            if fault.rate is not None and self._random.random() >= fault.rate:
                continue
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    self._faults.remove(fault)
            fault.struck += 1
            return fault
        return None

    def pick(self, choices: tuple[str, ...]) -> str:
        return self._random.choice(choices)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)

"""Work asked for by annotation: what the annotations say, and what `status.lastRequest` answers.

`mixhaul.io/request: sync | backfill=FROM/TO | verify=FROM/TO` with `mixhaul.io/request-id`. A request is one row of
the database, unique by source and id, so it runs once however often it is asked for. Who runs it is the leader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Final

from mixhaul_operator.facts import RequestFacts
from mixhaul_operator.naming import REQUEST_ANNOTATION, REQUEST_ID_ANNOTATION
from mixhaul_operator.times import stamp

_KINDS_WITH_INTERVAL: Final = ("backfill", "verify")
_STATES: Final = {"pending": "Pending", "running": "Running", "succeeded": "Succeeded", "failed": "Failed"}
_FORM: Final = "write sync, backfill=FROM/TO or verify=FROM/TO, with dates such as 2026-11-01 or times with offset"
_LONGEST: Final = 253
_NO_ID: Final = "none"
_RESERVED: Final = "delete:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as the annotations have it. `problem` says why it can't be one."""

    request_id: str
    text: str
    kind: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def wanted(annotations: Mapping[str, str]) -> Wanted | None:
    """None where nothing is asked for."""
    text = (annotations.get(REQUEST_ANNOTATION) or "").strip()
    if not text:
        return None
    request_id = (annotations.get(REQUEST_ID_ANNOTATION) or "").strip()
    shown = text[:_LONGEST]
    if not request_id:
        return Wanted(
            _NO_ID, shown, problem=f"Add the annotation {REQUEST_ID_ANNOTATION}: a new value for each request."
        )
    if len(request_id) > _LONGEST:
        return Wanted(request_id[:_LONGEST], shown, problem=f"The id is longer than {_LONGEST} characters: shorten it.")
    if request_id.startswith(_RESERVED):
        return Wanted(request_id, shown, problem=f"Ids that begin with {_RESERVED} are the operator's own.")
    kind, equals, interval = text.partition("=")
    if text == "sync":
        return Wanted(request_id, shown, kind="sync")
    if kind not in _KINDS_WITH_INTERVAL or not equals:
        return Wanted(request_id, shown, problem=f"{shown!r} is no request: {_FORM}.")
    begin, _, end = interval.partition("/")
    try:
        first, last = _moment(begin), _moment(end)
    except (ValueError, OverflowError):
        return Wanted(request_id, shown, problem=f"{interval[:_LONGEST]!r} is no interval: {_FORM}.")
    if first >= last:
        return Wanted(request_id, shown, problem="FROM must lie before TO.")
    return Wanted(request_id, shown, kind=kind, parameters={"from": first.isoformat(), "to": last.isoformat()})


def is_to_be_asked(want: Wanted, last: Mapping[str, Any] | None, known: RequestFacts | None) -> bool:
    """Whether the row has to be put into the database. Doing it twice does no harm; doing it each time is waste."""
    if want.problem is not None or known is not None:
        return False
    return last is None or not _is_same(want, last) or last.get("state") == "Pending"


def is_followed(last: Mapping[str, Any] | None) -> bool:
    """Whether the answer may still change."""
    return last is not None and last.get("state") in ("Pending", "Running")


def answer(
    want: Wanted | None,
    last: Mapping[str, Any] | None,
    known: RequestFacts | None,
    *,
    now: datetime,
    waiting: str | None = None,
) -> dict[str, Any] | None:
    """`status.lastRequest`. `waiting` says why the row could not be put into the database yet."""
    if want is None:
        return dict(last) if last is not None else None
    same = last is not None and _is_same(want, last)
    if known is None and same and last is not None and not is_followed(last):
        return dict(last)
    found: dict[str, Any] = {"id": want.request_id, "request": want.text}
    asked = last.get("requestTime") if same and last is not None else None
    if want.problem is not None:
        return found | {"state": "Failed", "message": want.problem, "requestTime": asked or stamp(now)}
    if known is None:
        answered = found | {"state": "Pending", "requestTime": asked or stamp(now)}
        return answered | ({"message": waiting} if waiting else {})
    found["state"] = _STATES.get(known.state, "Pending")
    if known.message:
        found["message"] = known.message
    found["requestTime"] = stamp(known.requested_at) if known.requested_at is not None else asked or stamp(now)
    if known.finished_at is not None:
        found["completionTime"] = stamp(known.finished_at)
    return found


def _is_same(want: Wanted, last: Mapping[str, Any]) -> bool:
    return bool(last.get("id") == want.request_id and last.get("request") == want.text)


def _moment(text: str) -> datetime:
    """A date is its midnight, UTC."""
    text = text.strip()
    if len(text) == len("2026-11-01"):
        return datetime.combine(date.fromisoformat(text), time(0), UTC)
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without offset")
    return found.astimezone(UTC)

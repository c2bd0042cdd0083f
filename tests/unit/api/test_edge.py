"""The small decisions of the edge: forms, codings, origins, rates, tags, and what is kept."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from zstandard import ZstdDecompressor

from mixhaul_api import cors, encoding, etags
from mixhaul_api.answers import Answers, Kept
from mixhaul_api.auth.callers import Caller
from mixhaul_api.auth.permissions import Role
from mixhaul_api.directory import Scope
from mixhaul_api.problems import Problem
from mixhaul_api.rate_limit import RateLimit
from mixhaul_api.representation import accepted
from mixhaul_api.settings import role_map
from mixhaul_api.watermarks import Known

JSON, CSV, HTML = "application/json", "text/csv", "text/html"


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("text/*", CSV),
        ("text/*;q=0.5, application/json;q=0.4", CSV),
        ("application/json;q=0, */*", CSV),
        ("text/csv;q=nonsense, */*;q=0.1", JSON),
        ("*", JSON),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("rubbish", None),
    ],
)
def test_accept_chooses_the_form(header: str | None, chosen: str | None) -> None:
    if chosen is None:
        with pytest.raises(Problem) as raised:
            accepted(header, (JSON, CSV, HTML))
        assert raised.value.kind.status == 406
    else:
        assert accepted(header, (JSON, CSV, HTML)) == chosen


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, None),
        ("", None),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=rubbish", None),
        ("br", None),
    ],
)
def test_accept_encoding_chooses_the_coding(header: str | None, chosen: str | None) -> None:
    assert encoding.coding(header) == chosen


def decompressed(body: bytes, coding: str) -> bytes:
    return gzip.decompress(body) if coding == "gzip" else ZstdDecompressor().decompressobj().decompress(body)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_what_is_compressed_is_the_same_again_whole_or_in_pieces(coding: str) -> None:
    pieces = [f"linha {number};ção\n".encode() * 50 for number in range(500)] + [b""]

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    whole = b"".join(pieces)
    assert decompressed(encoding.compressed(whole, coding), coding) == whole
    sent = [piece async for piece in encoding.stream(body(), coding)]
    assert decompressed(b"".join(sent), coding) == whole
    assert len(b"".join(sent)) < len(whole) / 5


@pytest.mark.parametrize("text", ["fleet.example", "https://fleet.example/", "https://x.example/a", "ftp://x", "null"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no origin"):
        cors.origins(f"https://ok.example, {text}")


def test_only_listed_origins_may_call() -> None:
    some = cors.Cors(cors.origins("https://a.example,http://localhost:5173"))
    assert some.headers("https://a.example")["Access-Control-Allow-Origin"] == "https://a.example"
    assert some.headers("https://evil.example") == some.headers(None) == some.headers("null") == {}
    assert some.preflight("https://evil.example", ["GET"]) is None
    question = some.preflight("http://localhost:5173", {"PATCH", "GET"})
    assert question is not None
    assert question["Access-Control-Allow-Methods"] == "GET, PATCH"
    assert "Authorization" in question["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in question
    assert cors.Cors(cors.origins("*")).headers("https://x.example")["Access-Control-Allow-Origin"] == "*"
    assert cors.Cors(cors.origins("")).headers("https://x.example") == {}


@dataclass(slots=True)
class HandClock:
    """A clock that a test moves."""

    at: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_caller_has_so_many_requests_a_minute_and_others_have_their_own() -> None:
    clock = HandClock()
    limit = RateLimit(3, clock)
    verdicts = [limit.take("maria") for _ in range(4)]
    assert [one.allowed for one in verdicts] == [True, True, True, False]
    assert verdicts[0].headers == {"RateLimit-Policy": '"caller";q=3;w=60', "RateLimit": '"caller";r=2;t=20'}
    assert verdicts[3].headers == {
        "RateLimit-Policy": '"caller";q=3;w=60',
        "RateLimit": '"caller";r=0;t=60',
        "Retry-After": "20",
    }
    assert limit.take("joão").allowed
    clock.at += 19.9
    assert not limit.take("maria").allowed
    clock.at += 0.2
    assert limit.take("maria").allowed
    assert not limit.take("maria").allowed
    clock.at += 3600
    assert [limit.take("maria").allowed for _ in range(4)] == [True, True, True, False]


def test_no_limit_says_nothing() -> None:
    limit = RateLimit(0, HandClock())
    assert all(limit.take("maria").allowed for _ in range(10_000))
    assert limit.take("maria").headers == {}


CALLER = Caller("maria", frozenset({"1", "2"}), frozenset({Role.READER}), 0.0)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def question(**changes: Any) -> bytes:
    given = {"operation": "find", "path": "/a", "query": "b=1", "accept": JSON, "caller": CALLER} | changes
    return etags.question(**given)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "other"},
        {"path": "/a/b"},
        {"query": "b=2"},
        {"accept": CSV},
        {"caller": Caller("maria", frozenset({"1"}), frozenset({Role.READER}), 0.0)},
        {"caller": Caller("maria", frozenset({"1", "2"}), frozenset({Role.ANALYST}), 0.0)},
        {"caller": Caller("maria", frozenset({"1", "2"}), frozenset({Role.READER}), 0.0, frozenset({1}))},
        {"caller": Caller("maria", frozenset({"1", "2"}), frozenset({Role.READER}), 0.0, frozenset())},
    ],
    # The text of a set has an order of its own in each process.
    ids=["operation", "path", "query", "accept", "organisations", "roles", "site", "no-site"],
)
def test_another_question_or_other_rights_have_another_key(changes: dict[str, Any]) -> None:
    assert question(**changes) != question()


def test_the_same_rights_of_another_person_have_the_same_key() -> None:
    assert question(caller=Caller("joão", CALLER.organisations, CALLER.roles, 99.0)) == question()


def test_a_tag_follows_the_watermarks_the_server_and_where_asked_the_day() -> None:
    def tag(mark: int = 5, since: datetime = NOON, moment: datetime | None = None) -> str:
        return etags.etag(b"question", Known(((1, mark), (2, 7)), since, {}), moment=moment)

    assert tag() == tag()
    assert len({tag(), tag(mark=6), tag(since=NOON + timedelta(seconds=1)), tag(moment=NOON)}) == 4
    assert tag(moment=NOON) == tag(moment=NOON + timedelta(minutes=14))
    assert tag(moment=NOON) != tag(moment=NOON + timedelta(minutes=15))


@pytest.mark.parametrize(
    ("header", "same"),
    [
        ('W/"a"', True),
        ('"a"', True),
        ('W/"b", W/"a"', True),
        ('W/"b"', False),
        ("*", False),
        ("a", False),
        ("", False),
        (None, False),
    ],
)
def test_tags_compare_weakly(header: str | None, same: bool) -> None:
    assert etags.matches(header, 'W/"a"') is same


def kept(size: int) -> Kept:
    return Kept("tag", Scope(()), Scope(()), JSON, b"x" * size, {}, {}, False)


def test_answers_are_bounded_by_their_bytes_and_the_least_used_goes_first() -> None:
    answers = Answers(100_000)
    for number in range(50):
        answers.keep(bytes([number]), kept(9_000))
        assert answers.find(b"\0") is not None
    assert answers.size <= 100_000
    assert [number for number in range(50) if answers.find(bytes([number]))] == [0, *range(41, 50)]
    answers.keep(b"large", kept(20_000))
    assert answers.find(b"large") is None, "it would have pushed out a fifth of the others"
    for number in range(50):
        answers.forget(bytes([number]))
    assert answers.size == 0
    none = Answers(0)
    none.keep(b"a", kept(1))
    assert none.find(b"a") is None


@pytest.mark.parametrize("text", ["admin", "a=root", "=admin", "a=admin,a=reader", "a=admin,,"])
def test_a_map_of_roles_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be pairs|two roles"):
        role_map(text)


def test_a_map_of_roles() -> None:
    assert role_map("") == {role.value: role for role in Role}
    assert role_map(" a b = admin ,c=d=reader, e=admin") == {"a b": Role.ADMIN, "c=d": Role.READER, "e": Role.ADMIN}

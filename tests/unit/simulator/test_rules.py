"""Tokens, limits, faults, rewriting: the small rules, each as a table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_simulator import badrecords, faults, rewrite
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.http import body_length, parse_head
from mixhaul_simulator.ids import Ids, mixed
from mixhaul_simulator.limits import Limits
from mixhaul_simulator.records import Records
from mixhaul_simulator.times import DAY, MINUTE, SECOND, WEEK, iso, ms_of, read_digits, read_iso, token_of
from mixhaul_simulator.tokens import NEW, Tokens

NOW = 1_790_000_000_123


@given(st.integers(0, 4_000_000_000_000))
def test_times_and_their_texts_agree(ms: int) -> None:
    assert read_digits(token_of(ms), what="t", digits=17) == ms
    assert read_iso(iso(ms, fraction=True, suffix="Z"), what="t") == ms
    assert iso(ms) == datetime.fromtimestamp(ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("text", ["", "2026", "20261301000000000", "2026112412000000x", "²0261124120000000"])
def test_digits_that_are_no_time(text: str) -> None:
    with pytest.raises(BadRequest):
        read_digits(text, what="token", digits=17)


@given(st.integers(0, 50), st.sets(st.integers(0, 2**60), min_size=2, max_size=50))
def test_ids_are_distinct_signed_64_bit(seed: int, numbers: set[int]) -> None:
    made = {mixed(seed, number) for number in numbers}
    assert len(made) == len(numbers)
    assert all(-(2**63) <= number < 2**63 for number in made)


def test_two_organisations_share_no_id() -> None:
    first, second = Ids(seed=1, organisation=1), Ids(seed=1, organisation=2)
    assert {first.take() for _ in range(500)}.isdisjoint({second.take() for _ in range(500)})


class TestTokens:
    def make(self, **changes: Any) -> Tokens:
        return Tokens(**{"style": "time", "earlier_run_ms": None, **changes})

    def test_a_token_older_than_seven_days_is_dead(self) -> None:
        tokens = self.make()
        assert tokens.read(tokens.text(NOW - WEEK), now_ms=NOW) == NOW - WEEK
        with pytest.raises(BadRequest, match="7 days"):
            tokens.read(tokens.text(NOW - WEEK - 1), now_ms=NOW)

    @pytest.mark.parametrize("style", ["time", "opaque"])
    def test_what_was_given_may_come_back(self, style: str) -> None:
        tokens = self.make(style=style)
        text = tokens.text(NOW - 5)
        tokens.given(1, "feed", text, ms=NOW - 5, whole=True)
        assert tokens.read(text, now_ms=NOW) == NOW - 5
        assert tokens.fault_of(1, "feed", text, ms=NOW - 5, now_ms=NOW) is None

    def test_a_token_of_a_broken_page_may_not(self) -> None:
        tokens = self.make()
        text = tokens.text(NOW - 5)
        tokens.given(1, "feed", text, ms=NOW - 5, whole=False)
        assert "arrive whole" in str(tokens.fault_of(1, "feed", text, ms=NOW - 5, now_ms=NOW))

    @pytest.mark.parametrize(
        ("ms", "progress", "plausible"),
        [
            pytest.param(NOW - WEEK + 10 * MINUTE, False, True, id="oldest"),
            pytest.param(NOW - WEEK + 10 * MINUTE, True, True, id="oldest again after a dead cursor"),
            pytest.param(NOW - DAY - NOW % SECOND, False, True, id="a date to start from"),
            pytest.param(NOW - DAY - NOW % SECOND, True, False, id="arithmetic after progress"),
            pytest.param(NOW - DAY - NOW % SECOND + 7, False, False, id="no whole second"),
        ],
    )
    def test_constructed_tokens(self, ms: int, progress: bool, plausible: bool) -> None:
        tokens = self.make()
        if progress:
            given = tokens.text(NOW - 1)
            tokens.given(1, "feed", given, ms=NOW - 1, whole=True)
            tokens.fault_of(1, "feed", given, ms=NOW - 1, now_ms=NOW)
        assert (tokens.fault_of(1, "feed", tokens.text(ms), ms=ms, now_ms=NOW) is None) is plausible

    def test_new_is_always_right(self) -> None:
        assert self.make().read(NEW, now_ms=NOW) == NOW
        assert self.make().fault_of(1, "feed", NEW, ms=NOW, now_ms=NOW) is None

    def test_an_earlier_run_gave_what_is_older_than_this_one(self) -> None:
        tokens = self.make(earlier_run_ms=NOW - 100)
        assert tokens.fault_of(1, "feed", tokens.text(NOW - 101), ms=NOW - 101, now_ms=NOW) is None

    @pytest.mark.parametrize("spoil", [lambda text: text[:17], lambda text: text[:-1], lambda text: text.upper()])
    def test_an_opaque_token_must_come_back_byte_for_byte(self, spoil: Any) -> None:
        tokens = self.make(style="opaque")
        text = tokens.text(NOW - 55)
        tokens.given(1, "feed", text, ms=NOW - 55, whole=True)
        spoilt = spoil(text)
        if len(spoilt) == 17:
            assert tokens.fault_of(1, "feed", spoilt, ms=NOW - 55, now_ms=NOW) is not None
        elif spoilt != text:
            with pytest.raises(BadRequest):
                tokens.read(spoilt, now_ms=NOW)


class TestLimits:
    def make(self, *, enforce: bool = True) -> tuple[Limits, Records]:
        records = Records()
        return Limits(requests_per_minute=20, pause_seconds=30, enforce=enforce, records=records), records

    def test_twenty_in_a_minute_and_not_one_more(self) -> None:
        limits, records = self.make()
        assert [limits.arrived(1, at=float(second), feed=None) for second in range(20)] == [None] * 20
        assert limits.arrived(1, at=59.0, feed=None) == pytest.approx(1.0)
        assert limits.arrived(2, at=59.0, feed=None) is None
        assert limits.arrived(1, at=60.0, feed=None) is None
        assert [violation["kind"] for violation in records.view(0)["violations"]] == ["rate"]

    def test_no_call_within_the_pause_of_its_feed(self) -> None:
        limits, records = self.make()
        limits.said_no_more(1, at=100.0, asked_at=99.0, feed="feed")
        assert limits.arrived(1, at=129.0, feed="feed") == pytest.approx(1.0)
        assert limits.arrived(1, at=129.0, feed="trips") is None
        assert limits.arrived(1, at=129.0, feed=None) is None
        assert limits.arrived(1, at=130.0, feed="feed") is None
        (violation,) = records.view(0)["violations"]
        assert violation["detail"] == {"feed": "feed", "shortBySeconds": 1.0, "sinceThatCallArrivedSeconds": 30.0}

    def test_only_recorded_where_nothing_is_enforced(self) -> None:
        limits, records = self.make(enforce=False)
        assert [limits.arrived(1, at=1.0, feed=None) for _ in range(25)] == [None] * 25
        assert len(records.view(0)["violations"]) == 5


class TestFaults:
    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ({}, "kind must be one of"),
            ({"kind": "nonsense", "rate": 1}, "kind must be one of"),
            ({"kind": "hang"}, "either rate"),
            ({"kind": "hang", "rate": 0.5, "count": 1}, "either rate"),
            ({"kind": "hang", "rate": 1.5}, "rate must be"),
            ({"kind": "hang", "rate": "a"}, "rate must be"),
            ({"kind": "hang", "rate": True}, "rate must be"),
            ({"kind": "hang", "count": 0}, "count must be"),
            ({"kind": "hang", "count": 1.5}, "count must be"),
            ({"kind": "hang", "count": 1, "route": "x"}, "route must be"),
            ({"kind": "bad-record", "count": 1, "route": "feed"}, "takes no route"),
            ({"kind": "bad-record", "count": 1, "variant": "x"}, "variant must be"),
            ({"kind": "hang", "count": 1, "organisation": "x"}, "organisation must be"),
            ({"kind": "hang", "count": 1, "seconds": -1}, "seconds must be"),
            ({"kind": "hang", "count": 1, "colour": 1}, "no field 'colour'"),
        ],
    )
    def test_bad_ones_get_a_sentence(self, body: dict[str, Any], sentence: str) -> None:
        with pytest.raises(BadRequest, match=sentence):
            faults.parse(body)

    @pytest.mark.parametrize("kind", sorted(faults.KINDS))
    def test_every_kind_strikes_somewhere(self, kind: str) -> None:
        fault = faults.parse({"kind": kind, "count": 1})
        switched = Faults(seed=1)
        switched.add(fault)
        (route, *_) = sorted(fault.routes)
        assert [hit.kind for hit in switched.strike(frozenset({kind}), route)] == [kind]
        assert switched.strike(frozenset({kind}), route) == []
        assert switched.views() == []

    def test_a_rate_is_a_share(self) -> None:
        switched = Faults(seed=1)
        switched.add(faults.parse({"kind": "status-500", "rate": 0.3}))
        hits = sum(switched.one(faults.BEFORE, "feed") is not None for _ in range(2000))
        assert 500 < hits < 700

    def test_route_and_organisation_narrow_it(self) -> None:
        switched = Faults(seed=1)
        switched.add(faults.parse({"kind": "status-500", "rate": 1, "route": "drivers", "organisation": "-5"}))
        assert switched.one(faults.BEFORE, "feed", [-5]) is None
        assert switched.one(faults.BEFORE, "drivers", [6]) is None
        assert switched.one(faults.BEFORE, "drivers", [-5]) is not None


EVENT = {
    "EventId": -9007199254740993,
    "StartDateTime": "2026-11-24T19:19:53",
    "EndDateTime": "2026-11-24T19:19:53.127Z",
    "Value": 83.10000000000001,
    "StartPosition": {"Timestamp": "2026-11-24T19:19:54Z", "Source": "GPS", "IsAvl": True, "Hdop": None},
    "MediaUrls": {"Câmera 1": "https://x.example/2026-11-24T00:00:00"},
    "EventCategory": "Detail",
}


class TestRewriting:
    def test_odd_dates_are_the_same_moments(self) -> None:
        odd = rewrite.rewritten(EVENT, {"dates-odd"})
        assert odd["StartDateTime"] != EVENT["StartDateTime"]
        for name in ("StartDateTime", "EndDateTime"):
            assert read_iso(odd[name], what=name) == read_iso(EVENT[name], what=name)
        assert odd["MediaUrls"] == EVENT["MediaUrls"]

    @given(st.integers(0, 2_000_000_000_000))
    def test_any_moment_survives(self, ms: int) -> None:
        assert ms_of(datetime.fromisoformat(rewrite.odd_date(iso(ms, fraction=True)) + "")) == ms

    def test_numbers_as_text_are_exact(self) -> None:
        text = rewrite.rewritten(EVENT, {"numbers-as-text"})
        assert text["EventId"] == "-9007199254740993"
        assert Decimal(text["Value"]) == Decimal("83.10000000000001")
        assert text["StartPosition"]["IsAvl"] is True and text["StartPosition"]["Hdop"] is None

    def test_names_become_the_published_numbers(self) -> None:
        assert rewrite.rewritten(EVENT, {"enum-number"})["StartPosition"]["Source"] == 0
        assert rewrite.rewritten({"AmendmentType": "ReassignedEvent"}, {"enum-number"}) == {"AmendmentType": 1}
        assert rewrite.rewritten({"Type": "BusinessUnit"}, {"enum-number"}) == {"Type": "BusinessUnit"}

    def test_names_in_capitals_are_the_same_names(self) -> None:
        assert rewrite.rewritten(EVENT, {"enum-case"})["EventCategory"] == "DETAIL"
        assert rewrite.rewritten(EVENT, {"enum-case", "enum-number"})["StartPosition"]["Source"] == 0

    def test_unknown_fields_leave_the_known_ones(self) -> None:
        grown = rewrite.rewritten(EVENT, {"unknown-fields"})
        assert {name: grown[name] for name in EVENT if name != "StartPosition"} == {
            name: value for name, value in EVENT.items() if name != "StartPosition"
        }
        assert grown["StartPosition"].items() >= EVENT["StartPosition"].items()  # type: ignore[attr-defined]
        assert "FutureField" in grown and "FutureField" in grown["StartPosition"]

    def test_all_at_once(self) -> None:
        value = rewrite.rewritten(EVENT, rewrite.BY_KIND.keys())
        assert value["StartPosition"]["Source"] == "0"


GOOD = (
    b'{"EventId":1,"AssetId":2,"DriverId":3,"StartDateTime":"2026-11-24T00:00:00","StartPosition":{"AssetId":2},'
    b'"ValueUnits":null,"FuelUsedLitres":1.5,"TotalTimeSeconds":1}'
)


class TestBadRecords:
    @pytest.mark.parametrize("variant", badrecords.VARIANTS)
    def test_each_is_one_json_value_in_a_list(self, variant: str) -> None:
        record = badrecords.spoil(GOOD, variant, 77)
        assert len(json.loads(b"[" + record + b"," + GOOD + b"]")) == 2

    def test_each_is_spoilt_as_it_says(self) -> None:
        read = {variant: json.loads(badrecords.spoil(GOOD, variant, 77)) for variant in badrecords.VARIANTS}
        assert isinstance(read["wrong-type"]["AssetId"], dict) and read["wrong-type"]["DriverId"] == 3
        assert "EventId" not in read["missing-id"]
        assert "\0" in read["nul"]["ValueUnits"] and read["nul"]["EventId"] == 77
        assert read["id-beyond-int64"]["EventId"] >= 2**63
        assert "\ud800" in read["lone-surrogate"]["ValueUnits"]
        assert isinstance(read["not-an-object"], str)


def test_heads_of_requests() -> None:
    assert parse_head(b"GET /a%20b?x=%31 HTTP/1.1\r\nHost: h\r\nX-Y:  z ") == (
        "GET",
        "/a b",
        "x=%31",
        {"host": "h", "x-y": "z"},
    )
    for head in (b"", b"GET /", b"GET / SPDY/3", b"GET / HTTP/1.1\r\nno colon"):
        with pytest.raises(BadRequest):
            parse_head(head)
    for headers in ({"content-length": "-1"}, {"content-length": "1e9"}, {"transfer-encoding": "chunked"}):
        with pytest.raises(BadRequest):
            body_length(headers)

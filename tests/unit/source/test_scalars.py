"""Single values: exact for all of int64, and what is accepted is accepted by the schema's pattern too."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_source import scalars
from mixhaul_source.endpoints import DataCentre, urls_of


@given(st.integers(scalars.INT64_MIN, scalars.INT64_MAX))
def test_every_id_of_64_bits_is_exact(value: int) -> None:
    assert scalars.parse_id(str(value)) == value


@pytest.mark.parametrize("value", [scalars.INT64_MIN, scalars.INT64_MAX, 2**53 + 1, -(2**53) - 1, 0])
def test_ids_at_the_edges_are_exact(value: int) -> None:
    assert scalars.parse_id(str(value)) == value


@given(st.integers(min_value=scalars.INT64_MAX + 1) | st.integers(max_value=scalars.INT64_MIN - 1))
def test_an_id_beyond_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="is no id"):
        scalars.parse_id(str(value))


@pytest.mark.parametrize("value", ["+1", "-0", "00", "1_000", " 1", "1\n", "1.0", "0x10", "١", "", "-", "NaN"])
def test_an_id_has_one_way_to_be_written(value: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        scalars.parse_id(value)


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_an_id_that_is_no_text_is_refused_with_a_word_about_quotes(value: object) -> None:
    with pytest.raises(ValueError, match="in quotes"):
        scalars.parse_id(value)


@given(st.text(alphabet="0123456789*,/-JANSUMO ", max_size=24))
def test_every_schedule_that_is_taken_has_five_fields(value: str) -> None:
    try:
        scalars.parse_schedule(value)
    except ValueError:
        return
    assert len(value.split(" ")) == 5
    assert re.fullmatch(scalars.CRON_PATTERN, value)


@pytest.mark.parametrize("value", ["30 4 * * *", "*/15 0-6 1,15 JAN-JUN MON-FRI", "0 0 1 1 0", "5/10 * * * 1-5/2"])
def test_schedules(value: str) -> None:
    assert scalars.parse_schedule(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *("@daily", "0 0 L * *", "0 0 * * 1#2", "0 0 * * 7", "0 0 31 4 *", "60 * * * *", "5-1 * * * *", "0 0 ? * *"),
        *("TZ=UTC 0 0 * * *", "0  0 * * *", "0 0 * *", "0 0 0 * * *", "*/0 * * * *", "0 0 * * *\n"),
    ],
)
def test_what_is_no_schedule(value: str) -> None:
    with pytest.raises(ValueError, match="is no schedule"):
        scalars.parse_schedule(value)


def test_every_time_zone_that_is_taken_fits_the_pattern() -> None:
    assert "America/Sao_Paulo" in scalars._time_zones()
    assert [zone for zone in scalars._time_zones() if not re.fullmatch(scalars.TIME_ZONE_PATTERN, zone)] == []


@pytest.mark.parametrize(
    "value", ["2026-02-30", "2026-13-01", "2026-11-01T24:00:00Z", "2026-11-01T00:00:00", "now", ""]
)
def test_what_is_no_start(value: str) -> None:
    with pytest.raises(ValueError, match="Oldest, Now, a date"):
        scalars.parse_start(value)


@pytest.mark.parametrize(
    "value",
    [
        *("mix.example", "ftp://mix.example", "https://", "https:///x", "https://mix.example:99999", "https://a b/"),
        *("https://me@mix.example", "https://mix.example?x=1", "https://mix.example#x", "https://[::1"),
    ],
)
def test_what_is_no_base_url(value: str) -> None:
    with pytest.raises(ValueError, match=r"no URL|user name|end with its path"):
        scalars.parse_url(value)


@pytest.mark.parametrize("data_centre", get_args(DataCentre))
def test_the_urls_of_a_data_centre_are_base_urls(data_centre: DataCentre) -> None:
    urls = urls_of(data_centre)
    assert scalars.parse_url(urls.api) == urls.api
    assert scalars.parse_url(urls.identity) == urls.identity
    assert re.fullmatch(scalars.URL_PATTERN, urls.identity)

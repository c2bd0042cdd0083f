"""The page of a performance report: what any text becomes in it, and what it shows where nothing is known."""

from __future__ import annotations

import copy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixhaul_api.errors import LogoUnusable
from mixhaul_api.examples.report import REPORT
from mixhaul_api.report.completeness import Missing
from mixhaul_api.report.form import LARGEST_LOGO, form_of, logo
from mixhaul_api.report.page import page
from mixhaul_api.report.settings import ReportSettings
from mixhaul_api.report.texts import TEXTS
from mixhaul_runtime.errors import SettingsError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    [
        "</style><script>alert(1)</script>",
        '"; } body { display: none',
        "\\",
        "<img src=x onerror=y>",
        "{{ 7 * 7 }}",
        "&amp;",
    ]
)


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def made(**changes: Any) -> str:
    report: Any = copy.deepcopy(REPORT)
    for path, value in changes.items():
        *inner, last = path.split("__")
        place = report
        for name in inner:
            place = place[int(name) if name.isdigit() else name]
        place[last] = value
    return page(report, logo=None)[0].decode()


USUAL = Elements(made()).tags


@settings(deadline=None)  # a busy machine is no finding
@given(ANY_TEXT)
def test_no_text_becomes_an_element_or_a_style(text: str) -> None:
    for path in ("driver__name", "driver__siteName", "form__company", "form__acknowledgement"):
        found = Elements(made(**{path: text}))
        assert found.tags == USUAL
        style = next(one for one in found.words if "@page" in one)
        assert style.count("{") == style.count("}")
    typed = Elements(made(types__0__type={"id": "1", "description": text, "family": None}))
    assert typed.tags == USUAL
    # HTML itself makes one of CR and LF, and nothing of NUL.
    if text.isprintable():
        assert text in "".join(Elements(made(driver__name=text)).words)


@pytest.mark.parametrize("language", TEXTS)
def test_what_is_not_known_is_not_shown(language: str) -> None:
    text = made(
        language=language,
        driver__name=None,
        driver__siteName=None,
        driver__siteId=None,
        rank=None,
        infractions__0__vehicle=None,
        infractions__0__place=None,
        infractions__0__durationSeconds=None,
        infractions__0__speed={"kmh": None, "limitKmh": 70.0, "overByKmh": None},
        infractions__0__type={"id": "17", "description": None, "family": None},
        freshness__asOf=None,
        infractionsOmitted=3,
    )
    texts = TEXTS[language]
    for wanted in (texts.name_unknown, texts.as_of_nothing, texts.type_unknown.format(number=17)):
        assert wanted in text
    assert texts.omitted.format(number=3) in text
    assert "None" not in text


@pytest.mark.parametrize("reason", Missing)
def test_every_reason_is_said_in_both_languages(reason: Missing) -> None:
    months = copy.deepcopy(REPORT["months"])
    months[-1]["missing"] = [reason.value]
    for language, texts in TEXTS.items():
        text = made(language=language, months=months, complete=False)
        assert texts.reasons[reason] in text
        assert texts.incomplete_columns in text


def test_both_languages_say_the_same() -> None:
    assert TEXTS.keys() == {"pt", "en"}
    portuguese, english = TEXTS.values()
    assert portuguese.reasons.keys() == english.reasons.keys() == set(Missing)
    assert len(portuguese.signatures) == len(english.signatures)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0...", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    ],
    ids=["png", "jpeg", "webp", "svg"],
)
def test_a_picture_becomes_a_part_of_the_page(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "logo"
    path.write_bytes(content)
    assert logo(path).startswith(f"data:{kind};base64,")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GIF89a", "neither"),
        (b"", "neither"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * LARGEST_LOGO, "larger"),
        (None, "No such"),
    ],
    ids=["another kind", "empty", "too large", "absent"],
)
def test_what_is_no_logo_is_refused_by_name(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "logo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LogoUnusable, match=f"MIXHAUL_API_REPORT_LOGO_FILE.*{reason}"):
        form_of(ReportSettings(api_report_logo_file=path))


def test_the_form_is_as_the_settings_want_it() -> None:
    form = form_of(ReportSettings(api_report_acknowledgement_pt="Li.", api_report_remarks_lines=0))
    assert form.acknowledgements == {"pt": "Li.", "en": TEXTS["en"].acknowledgement}
    assert form.remarks_lines == 0
    assert TEXTS["pt"].remarks in made()
    assert TEXTS["pt"].remarks not in made(form__remarksLines=0)
    with pytest.raises(SettingsError, match="MIXHAUL_API_REPORT_REMARKS_LINES"):
        ReportSettings(api_report_remarks_lines=21)

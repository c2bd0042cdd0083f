"""Settings: one sentence for each thing that can't be used, and never a secret's value in it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from mixhaul_runtime.settings import CommonSettings, DatabaseSettings, MixhaulSettings, SettingsError, load

URL = "postgresql://mixhaul:hunter2@db/mixhaul"


class Program(DatabaseSettings, CommonSettings):
    """As a program puts its settings together."""


class Strict(MixhaulSettings):
    """One required secret with a rule."""

    signing_key: SecretStr = Field(min_length=8, description="A key.")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("MIXHAUL_"):
            monkeypatch.delenv(name)


def test_defaults_need_no_environment() -> None:
    assert load(Program) == Program.model_construct(
        log_format="json",
        log_level="info",
        admin_port=0,
        admin_host="127.0.0.1",
        database_url=None,
        read_database_url=None,
        data_dir=Path("mixhaul-data"),
    )


def test_values_come_from_the_environment_in_any_case_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXHAUL_LOG_LEVEL", " WARNING ")
    monkeypatch.setenv("MIXHAUL_ADMIN_PORT", "9090")
    monkeypatch.setenv("MIXHAUL_DATABASE_URL", URL)
    settings = load(Program)
    assert (settings.log_level, settings.admin_port) == ("warning", 9090)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert "hunter2" not in repr(settings)


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXHAUL_ADMIN_PORT", "")
    monkeypatch.setenv("MIXHAUL_DATABASE_URL", "")
    assert load(Program) == load(Program).model_copy(update={"admin_port": 0, "database_url": None})


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_come_from_a_file_without_its_last_line_break(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    file.write_bytes(f" {URL} {ending}".encode())
    monkeypatch.setenv("MIXHAUL_DATABASE_URL_FILE", str(file))
    settings = load(Program)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == f" {URL} "


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        (
            "MIXHAUL_ADMIN_PORT",
            "abc",
            "MIXHAUL_ADMIN_PORT is 'abc', which can't be used: input should be a valid integer",
        ),
        (
            "MIXHAUL_ADMIN_PORT",
            "70000",
            "MIXHAUL_ADMIN_PORT is '70000', which can't be used: input should be less than",
        ),
        (
            "MIXHAUL_LOG_LEVEL",
            "loud",
            "MIXHAUL_LOG_LEVEL is 'loud', which can't be used: input should be 'debug', 'info'",
        ),
        (
            "MIXHAUL_DATABASE_URL_FILE",
            "/nope/url",
            "MIXHAUL_DATABASE_URL_FILE names /nope/url, which can't be read: No such",
        ),
        ("MIXHAUL_DATABASE_URL_FILE", "/", "MIXHAUL_DATABASE_URL_FILE names /, which can't be read: Is a directory"),
        ("MIXHAUL_DATABASE_URL_FILE", "/dev/null", "MIXHAUL_DATABASE_URL_FILE names /dev/null, which is empty"),
        ("MIXHAUL_DATABASE_URL_FILE", "/dev/zero", "MIXHAUL_DATABASE_URL_FILE names /dev/zero, which is larger than"),
    ],
)
def test_what_cant_be_used_is_one_sentence_that_names_the_variable(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load(Program)
    assert str(caught.value).startswith(sentence)
    assert caught.value.variables == (variable,)
    assert "\n" not in str(caught.value)


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text(URL)
    monkeypatch.setenv("MIXHAUL_DATABASE_URL", URL)
    monkeypatch.setenv("MIXHAUL_DATABASE_URL_FILE", str(file))
    with pytest.raises(SettingsError, match="MIXHAUL_DATABASE_URL_FILE is set as well as MIXHAUL_DATABASE_URL"):
        load(Program)


def test_a_missing_value_is_named_with_its_meaning() -> None:
    with pytest.raises(SettingsError, match=r"^MIXHAUL_SIGNING_KEY is missing: A key\.$"):
        load(Strict)


@pytest.mark.parametrize("by_file", [False, True])
def test_no_secret_is_in_the_error_nor_in_its_traceback(
    by_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_file:
        file = tmp_path / "key"
        file.write_bytes(b"hunt\xff\xfe2")
        monkeypatch.setenv("MIXHAUL_SIGNING_KEY_FILE", str(file))
    else:
        monkeypatch.setenv("MIXHAUL_SIGNING_KEY", "hunt2")
    with pytest.raises(SettingsError, match="MIXHAUL_SIGNING_KEY") as caught:
        load(Strict)
    assert "hunt" not in "".join(traceback.format_exception(caught.value))

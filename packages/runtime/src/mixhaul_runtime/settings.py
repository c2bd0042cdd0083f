"""Settings from environment variables, `MIXHAUL_` first, for all programs.

Each secret one may come from a file instead: `MIXHAUL_DATABASE_URL_FILE` names it. An empty variable counts as absent.
What can't be used is a `SettingsError` of one sentence that names the variable, never the value of a secret one.
It does not guarantee that a file or database behind a setting is there when it is used.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mixhaul_runtime.errors import SettingsError

__all__ = [
    "PREFIX",
    "CommonSettings",
    "DatabaseSettings",
    "MixhaulSettings",
    "SettingsError",
    "is_secret",
    "load",
    "variable_of",
]

Settings = TypeVar("Settings", bound="MixhaulSettings")

PREFIX: Final = "MIXHAUL_"
_LARGEST_FILE: Final = 1024 * 1024


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def is_secret(info: FieldInfo) -> bool:
    """Whether a field's value must not be shown, and whether it has a `_FILE` variant."""
    return SecretStr in (info.annotation, *typing.get_args(info.annotation))


class MixhaulSettings(BaseSettings):
    """Base of every settings model. Each field has a description: the documentation is made from them.

    `for_programs` names the programs that read the model.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )
    for_programs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = _problems(type(self).model_fields, error)
            # Not chained: what pydantic knows of a secret value must not reach a traceback.
            raise SettingsError(problems) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, _SecretFiles(settings_cls))


def load(model: type[Settings]) -> Settings:
    """The settings of this process; a `SettingsError` where one can't be used."""
    return model()


class CommonSettings(MixhaulSettings):
    """What every long-running program reads."""

    log_format: Literal["json", "console"] = Field(
        default="json", description="`json`: one JSON object a line; `console`: for a person who watches."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important lines that are written."
    )
    admin_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`; 0: any free one, which the log names.",
    )
    admin_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address of the admin port; `0.0.0.0` in a container."
    )

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value


class DatabaseSettings(MixhaulSettings):
    """Where the data is."""

    database_url: SecretStr | None = Field(
        default=None,
        description="The PostgreSQL (15 or later) to use, as a libpq URL such as "
        "`postgresql://mixhaul@db.example/mixhaul?sslmode=verify-full`. Absent: an embedded PostgreSQL in "
        "`MIXHAUL_DATA_DIR`.",
    )
    read_database_url: SecretStr | None = Field(
        default=None, description="A read replica for the API's queries. Absent: `MIXHAUL_DATABASE_URL`."
    )
    data_dir: Path = Field(
        default=Path("mixhaul-data"),
        description="Folder of the embedded PostgreSQL and of what standalone programs keep; made when it is missing.",
    )
    embedded_database: bool = Field(
        default=True,
        description="Start an embedded PostgreSQL where `MIXHAUL_DATABASE_URL` is not set. In a pod the chart says "
        "`false`: a database that goes with its pod would look as if all were well.",
    )

    def embedded_folder(self) -> Path:
        """Where the embedded PostgreSQL's data is; `SettingsError` where there may be none."""
        if not self.embedded_database:
            raise SettingsError(
                {
                    variable_of("database_url"): f"is not set, and {variable_of('embedded_database')}=false: "
                    f"name the PostgreSQL there or in {variable_of('database_url')}_FILE"
                }
            )
        return self.data_dir / "postgresql"


class _SecretFiles(PydanticBaseSettingsSource):
    """The `_FILE` variants. One trailing line break is no part of a secret; everything else is."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _secret_from_file(field_name, os.environ), field_name, False

    def __call__(self) -> dict[str, Any]:
        secret_fields = (name for name, info in self.settings_cls.model_fields.items() if is_secret(info))
        found = ((name, _secret_from_file(name, os.environ)) for name in secret_fields)
        return {name: value for name, value in found if value is not None}


def _secret_from_file(field: str, environment: Mapping[str, str]) -> str | None:
    variable = variable_of(field)
    path = environment.get(f"{variable}_FILE", "")
    if not path:
        return None
    if environment.get(variable):
        raise SettingsError({f"{variable}_FILE": f"is set as well as {variable}: leave one of them out"})
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError({f"{variable}_FILE": f"names {path}, which can't be read: {reason}"}) from error
    except ValueError as error:
        raise SettingsError({f"{variable}_FILE": "is no path of a file"}) from error
    if len(raw) > _LARGEST_FILE:
        raise SettingsError({f"{variable}_FILE": f"names {path}, which is larger than {_LARGEST_FILE} bytes"})
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the error holds the bytes.
        raise SettingsError({f"{variable}_FILE": f"names {path}, which is no UTF-8 text"}) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError({f"{variable}_FILE": f"names {path}, which is empty"})
    return text


def _problems(fields: Mapping[str, FieldInfo], error: ValidationError) -> dict[str, str]:
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=True):
        field = str(detail["loc"][0]) if detail["loc"] else "settings"
        info = fields.get(field)
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":
            problem = "is missing: " + (info.description if info and info.description else "it has no default")
        elif info is None or is_secret(info):
            problem = "can't be used: " + (message if info is None else "its value is not as documented")
        else:
            problem = f"is {detail['input']!r}, which can't be used: {message[:1].lower()}{message[1:]}"
        problems.setdefault(variable_of(field), problem)
    return problems

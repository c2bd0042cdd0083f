"""A Kubernetes Secret's values, and the MiX credentials among them.

What is read here is registered with the logs, so that no line shows it. Whether MiX takes the credentials is for the
workers to find out. No error holds a value.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from mixhaul_runtime import logs
from mixhaul_source.errors import Place, SecretInvalid

KEYS: Final = ("clientID", "clientSecret", "username", "password")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login at MiX takes."""

    client_id: str
    client_secret: SecretStr = field(repr=False)
    # Of a person, often an e-mail address.
    username: str = field(repr=False)
    password: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """The values of a Secret as bytes, and where it stands."""

    name: str
    namespace: str
    place: Place
    values: Mapping[str, bytes]

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def text(self, key: str) -> str:
        """One value as text, without the line break that `echo` and editors leave at its end."""
        raw = self.values.get(key)
        if raw is None:
            raise self._invalid(key, f"is missing: {self._hint(key)}")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            # Not chained: the error holds the bytes.
            raise self._invalid(key, "is no UTF-8 text: encode the text itself, once") from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text.strip():
            raise self._invalid(key, "is empty: give it a value")
        return text

    def _hint(self, key: str) -> str:
        close = difflib.get_close_matches(key.lower(), [name.lower() for name in self.values], n=1, cutoff=0.7)
        given = next((name for name in self.values if close and name.lower() == close[0]), None)
        if given is not None and given not in KEYS:
            return f"it has {given!r}, rename that"
        return "add it under data (base64) or stringData (plain)"

    def _invalid(self, key: str | None, problem: str) -> SecretInvalid:
        return SecretInvalid(self.place, secret=self.key, key=key, problem=problem)


def secret_from_object(value: Mapping[str, Any], *, name: str, namespace: str, place: Place) -> Secret:
    """A Secret from its manifest: `data` in base64, `stringData` plain and stronger, as the API server has it."""
    secret = Secret(name=name, namespace=namespace, place=place, values={})
    found: dict[str, bytes] = {}
    for section in ("data", "stringData"):
        entries = value.get(section)
        if entries is None:
            continue
        if not isinstance(entries, Mapping):
            raise SecretInvalid(
                place, secret=secret.key, key=None, problem=f"{section} must be a mapping of keys to texts"
            )
        for key, entry in entries.items():
            if entry is None:
                entry = ""
            if not isinstance(entry, str):
                problem = f"is no text in {section}: put its value in quotes"
                raise SecretInvalid(place, secret=secret.key, key=key, problem=problem)
            found[key] = entry.encode("utf-8") if section == "stringData" else _decoded(secret, key, entry)
    return Secret(name=name, namespace=namespace, place=place, values=found)


def _decoded(secret: Secret, key: str, entry: str) -> bytes:
    try:
        return base64.b64decode("".join(entry.split()), validate=True)
    except (binascii.Error, ValueError):
        problem = "is no base64: encode it, or write it plain under stringData"
        # Not chained: the error may quote the value.
        raise SecretInvalid(secret.place, secret=secret.key, key=key, problem=problem) from None


def credentials_from(secret: Secret) -> Credentials:
    """The four values of a login; the first one that can't be used is the error."""
    client_id, client_secret, username, password = (_value(secret, key) for key in KEYS)
    logs.register_secret(client_secret)
    logs.register_secret(password)
    return Credentials(
        client_id=client_id,
        client_secret=SecretStr(client_secret),
        username=username,
        password=SecretStr(password),
    )


def _value(secret: Secret, key: str) -> str:
    text = secret.text(key)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        problem = "holds a line break or another control character: store the value alone"
        raise SecretInvalid(secret.place, secret=secret.key, key=key, problem=problem)
    return text

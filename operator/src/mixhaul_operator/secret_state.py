"""What the operator keeps of a Secret: whether it can be used, and hashes that tell that it changed.

No value is kept, and the hashes are keyed with a random key of this process, so that nothing can be tried against
them. Secrets that no MixSource names are looked at in the same way and cost the same few bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mixhaul_operator.times import moment
from mixhaul_source.credentials import KEYS, secret_from_object
from mixhaul_source.errors import Place, SecretInvalid

_KEY: Final = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class SecretState:
    """One Secret. `problem` says why a login can't be made of it; `digest` changes with its values.

    `login` is equal for equal client id and user name, wherever they stand (see `login_digest`).
    """

    name: str
    resource_version: str
    problem: str | None
    digest: str
    login: str | None
    keys: frozenset[str]
    changed_at: datetime | None


def state_of(secret: Mapping[str, Any]) -> SecretState:
    """Of a Secret as the API server hands it out."""
    metadata = secret.get("metadata") or {}
    name = str(metadata.get("name", ""))
    data = secret.get("data") or {}
    problem, login = _usable(secret, name=name, namespace=str(metadata.get("namespace", "")))
    return SecretState(
        name=name,
        resource_version=str(metadata.get("resourceVersion", "")),
        problem=problem,
        digest=_digest(*(f"{key}={data[key]}" for key in sorted(data))),
        login=login,
        keys=frozenset(data),
        changed_at=_changed_at(metadata),
    )


def login_digest(client_id: str, username: str) -> str:
    """For comparing a Secret's login with a row of the database without keeping either."""
    return _digest(client_id, username)


def _usable(secret: Mapping[str, Any], *, name: str, namespace: str) -> tuple[str | None, str | None]:
    """The sentence that says what is wrong with it, and the login's digest."""
    place = Place(f"Secret {name}")
    try:
        read = secret_from_object(secret, name=name, namespace=namespace, place=place)
    except SecretInvalid as error:
        return _sentence(error), None
    problems = []
    for key in KEYS:
        try:
            text = read.text(key)
        except SecretInvalid as error:
            problems.append(_sentence(error))
            continue
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            problems.append(f"key {key!r} holds a line break or another control character: store the value alone")
    if problems:
        return "; ".join(problems), None
    return None, login_digest(read.text("clientID"), read.text("username"))


def _sentence(error: SecretInvalid) -> str:
    """The error without where the Secret stands: the condition names it."""
    sentence = error.sentence.removeprefix(f"Secret {error.secret}")
    return sentence.removeprefix(", ").removeprefix(": ")


def _digest(*parts: str) -> str:
    mac = hmac.new(_KEY, digestmod=hashlib.sha256)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        mac.update(len(raw).to_bytes(8, "big") + raw)
    return mac.hexdigest()[:32]


def _changed_at(metadata: Mapping[str, Any]) -> datetime | None:
    """When somebody last wrote it, as the API server noted it."""
    stamps = [str(entry["time"]) for entry in metadata.get("managedFields") or () if entry.get("time")]
    stamps.append(str(metadata.get("creationTimestamp") or ""))
    return max((found for found in map(moment, stamps) if found is not None), default=None)

"""Takes secrets out of what is about to be written.

Two nets: the name of a key (`password`, `clientSecret`, `Authorization`...) and the very values that were registered,
also URL-encoded, base64 (alone or inside of a longer text such as a Basic header), JSON-escaped and as Python's repr.
It does not guarantee anything for values shorter than four characters, which would blank ordinary words, nor for
encodings other than these. Code must not log secrets in the first place; this is for the line that does.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "[redacted]"

_SHORTEST: Final = 4
_DEEPEST: Final = 6
_KEPT_ROTATING: Final = 256

# "secret_name" or "token_received_at" are no secrets: the telling word must end the key.
_SECRET_KEY: Final = re.compile(
    r"(?:password|passwd|passphrase|secret|authorization|cookie|token|jwt|bearer|(?:api|private|encryption|signing)_?key"
    r"|credential|database_url|dsn)s?$"
)
# A feed's token is a position in time, not a secret, and the first thing that one looks for in a log.
_FEED_TOKEN: Final = re.compile(r"NEW|\d{14,20}")
_IN_TEXT: Final = (
    (re.compile(r"(?<=://)([^\s:/@\"']*):[^\s/@\"']+@"), rf"\1:{MASK}@"),
    (re.compile(r"\b((?i:Bearer|Basic)) [A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"\b((?:client_secret|password|access_token|refresh_token)=)(?:'[^']*'|[^\s&'\"]+)"), rf"\1{MASK}"),
)


def is_secret_key(key: str) -> bool:
    """Whether a value under this key is taken for a secret."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).replace("-", "_").lower()
    return _SECRET_KEY.search(snake) is not None


def redact_mapping(values: Mapping[str, Any], *, depth: int = 0) -> dict[str, Any]:
    """A copy with the values of secret keys masked, at any depth that a log line has."""
    return {key: _redact_item(str(key), value, depth) for key, value in values.items()}


def _redact_item(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, str | bytes):
        feed_token = isinstance(value, str) and _FEED_TOKEN.fullmatch(value) is not None
        return MASK if is_secret_key(key) and not feed_token else value
    if depth >= _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return redact_mapping(value, depth=depth + 1)
    if isinstance(value, list | tuple):
        return [_redact_item(key, item, depth + 1) for item in value]
    return value


class SecretValues:
    """The registered values and how each may look in a text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fixed: dict[str, tuple[str, ...]] = {}
        self._rotating: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._forms: tuple[str, ...] = ()

    def register(self, value: str, *, rotating: bool = False) -> None:
        """From now on this value is masked. Of `rotating` ones (access tokens) the newest few hundred are kept."""
        if len(value) < _SHORTEST:
            return
        with self._lock:
            if value in self._fixed or value in self._rotating:
                return
            kept = self._rotating if rotating else self._fixed
            kept[value] = forms_of(value)
            while len(self._rotating) > _KEPT_ROTATING:
                self._rotating.popitem(last=False)
            every = [form for forms in (*self._fixed.values(), *self._rotating.values()) for form in forms]
            # Longest first: a value that begins like a shorter one must not leave its end behind.
            self._forms = tuple(sorted(set(every), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text without any registered value, URL password or authorization header."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        for pattern, replacement in _IN_TEXT:
            text = pattern.sub(replacement, text)
        return text


def forms_of(value: str) -> tuple[str, ...]:
    """The ways in which a value may stand in a text."""
    forms = {value}
    forms.add(urllib.parse.quote(value, safe=""))
    forms.add(urllib.parse.quote(value))
    forms.add(urllib.parse.quote_plus(value))
    inner = repr(value)[1:-1]
    for text in (value, inner, repr(inner)[1:-1]):
        forms.add(text)
        forms.add(json.dumps(text)[1:-1])
        forms.add(json.dumps(text, ensure_ascii=False)[1:-1])
    forms.update(_base64_forms(value.encode("utf-8", "surrogatepass")))
    return tuple(form for form in forms if len(form) >= _SHORTEST)


def _base64_forms(raw: bytes) -> set[str]:
    """The characters of a base64 text that depend on the value alone, for each place in which it may begin."""
    forms = set()
    for before in range(3):
        # The first characters also depend on what stands before, the last ones on what follows.
        begin = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode("ascii")
            forms.add(text[begin:end])
    return {form for form in forms if len(form) >= 2 * _SHORTEST}

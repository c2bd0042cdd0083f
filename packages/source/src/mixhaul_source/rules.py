"""What a schema alone can't say about a MixSource: each rule once in CEL, for the API server, with its message.

The model applies the same rules in Python and uses the same messages (`tests/unit/source` holds both against the
samples). CEL sees defaults filled in, so the fields that have one need no `has()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mixhaul_source import scalars


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression over `self`, and the sentence shown where it is false.

    The sentence names the field itself: `fieldPath` came with Kubernetes 1.28, and 1.27 refuses it.
    """

    expression: str
    message: str

    def as_validation(self) -> dict[str, str]:
        """As an item of `x-kubernetes-validations`."""
        return {"rule": self.expression, "message": self.message}


def matching(pattern: str, message: str) -> Rule:
    """A pattern once more, for its message: of a pattern alone the API server shows the expression."""
    return Rule(f"self.matches(r'{pattern}')", message)


ID_FORM: Final = matching(scalars.ID_PATTERN, scalars.ID_MESSAGE)
URL_FORM: Final = matching(scalars.URL_PATTERN, scalars.URL_MESSAGE)
CRON_FORM: Final = matching(scalars.CRON_PATTERN, scalars.CRON_MESSAGE)
TIME_ZONE_FORM: Final = matching(scalars.TIME_ZONE_PATTERN, scalars.TIME_ZONE_MESSAGE)
START_FORM: Final = matching(scalars.START_PATTERN, scalars.START_MESSAGE)
ID_WITHIN_INT64: Final = Rule(
    # Decimal strings of equal length compare as their numbers do.
    "self.startsWith('-') ? size(self) < 20 || self <= '-9223372036854775808'"
    " : size(self) < 19 || self <= '9223372036854775807'",
    "must be within 64 bits: from -9223372036854775808 to 9223372036854775807",
)
ONE_ENDPOINT: Final = Rule(
    "has(self.dataCentre) != (has(self.apiURL) || has(self.identityURL))",
    "give either dataCentre, or apiURL and identityURL: exactly one of the two",
)
BOTH_URLS: Final = Rule(
    "has(self.apiURL) == has(self.identityURL)",
    "apiURL and identityURL belong together: give both, or dataCentre instead",
)
HTTPS: Final = Rule(
    "self.insecure || ((!has(self.apiURL) || self.apiURL.startsWith('https://'))"
    " && (!has(self.identityURL) || self.identityURL.startsWith('https://')))",
    "URLs must begin with https://; plain http:// sends the password in the clear, and needs insecure: true",
)
SAME_ENDPOINT: Final = Rule(
    "has(self.dataCentre) == has(oldSelf.dataCentre)"
    " && (!has(self.dataCentre) || self.dataCentre == oldSelf.dataCentre)"
    " && has(self.apiURL) == has(oldSelf.apiURL) && (!has(self.apiURL) || self.apiURL == oldSelf.apiURL)",
    "dataCentre and apiURL can't be changed, since the stored data belongs to them: make another MixSource",
)
PERIOD: Final = Rule(
    "self.endpoint.insecure || self.stream.periodSeconds >= 30",
    "stream.periodSeconds must be at least 30, as MiX asks; less is for simulators, with endpoint.insecure: true",
)
PAUSE: Final = Rule(
    "self.endpoint.insecure || self.rateLimit.pauseSeconds >= 30",
    "rateLimit.pauseSeconds must be at least 30, as MiX asks; less is for simulators, with endpoint.insecure: true",
)

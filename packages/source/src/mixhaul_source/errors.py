"""What may be wrong with a manifest, as types.

    ManifestError                 exit code
     +- ManifestUnreadable        66   the file isn't there, or may not be read
     +- ManifestNotYaml           65   it is no YAML, or YAML of a kind that no cluster takes (a key twice)
     +- ManifestIncomplete        67   it holds no MixSource, or one twice, or a kind or version that we don't know
     +- MixSourceInvalid          78   a field of a MixSource is wrong
     +- SecretMissing             80   the Secret that a MixSource names isn't in it
     +- SecretInvalid             81   a Secret lacks a key, or holds a value that can't be used

All are terminal: a person must change the file. Each sentence names the file and the place, says what is wrong and
what to do. No sentence holds a value of a Secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the manifest something is: `file`, and line and column where they are known."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        column = "" if self.line is None or self.column is None else f", column {self.column}"
        return f"{self.file}{line}{column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `field` as a path such as `spec.stream.pageSize`."""

    field: str
    sentence: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.sentence}" if self.field else self.sentence


class ManifestError(Exception):
    """Base of all of them."""

    exit_code: ClassVar[int] = 65

    def __init__(self, place: Place, sentence: str) -> None:
        self.place = place
        self.sentence = sentence
        super().__init__(f"{place}: {sentence}")


class ManifestUnreadable(ManifestError):
    """The file can't be read."""

    exit_code = 66

    def __init__(self, file: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            Place(file), f"the manifest can't be read ({reason}): name a file with a MixSource and its Secret"
        )


class ManifestNotYaml(ManifestError):
    """The file is no YAML that can be taken."""

    exit_code = 65

    def __init__(self, file: str, *, line: int | None, column: int | None, problem: str) -> None:
        self.line = line
        self.column = column
        self.problem = problem
        super().__init__(Place(file, line, column), f"this is no YAML that can be read: {problem}")


class ManifestIncomplete(ManifestError):
    """The documents are well-formed, but not what was asked for."""

    exit_code = 67


class MixSourceInvalid(ManifestError):
    """One or more fields are wrong; `problems` has them all."""

    exit_code = 78

    def __init__(self, place: Place, *, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(place, f"MixSource {source}: " + "; also ".join(str(problem) for problem in problems))


class SecretMissing(ManifestError):
    """A MixSource names a Secret that isn't there."""

    exit_code = 80

    def __init__(
        self, place: Place, *, source: str, secret: str, namespace: str, field: str, elsewhere: str | None
    ) -> None:
        self.source = source
        self.secret = secret
        self.namespace = namespace
        hint = (
            f"one of that name is in the namespace {elsewhere}: both must be in the same"
            if elsewhere is not None
            else "add it as a further document of this file"
        )
        super().__init__(
            place,
            f"MixSource {source}: {field} names the Secret {secret!r}, which is not here "
            f"in the namespace {namespace}: {hint}",
        )


class SecretInvalid(ManifestError):
    """A Secret lacks a key, or has a value that can't be used."""

    exit_code = 81

    def __init__(self, place: Place, *, secret: str, key: str | None, problem: str) -> None:
        self.secret = secret
        self.key = key
        of_key = f", key {key!r}" if key is not None else ""
        super().__init__(place, f"Secret {secret}{of_key}: {problem}")

"""What may go wrong in the API, as types.

    ApiError                     ends the program with one sentence; has an exit code
     +- AuthenticationNotSetUp  78  no static key and no issuer, both, or half of a setup
     +- KeyFileUnusable         78  the static key can't be read, made, or is too short
     +- BadTokenRequest         64  `mixhaul-api token` was asked for something that no token can say
     +- LogoUnusable            78  the logo of the printed report can't be read or is no picture
     +- PortUnavailable         69  the API's own port can't be opened
    KeysUnavailable              the issuer's keys were never read: transient, a 503
    TokenRefused                 a bearer token that proves nothing: a 401

What is wrong with a request is a `problems.Problem`. No sentence holds a token or a key.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class ApiError(Exception):
    """Something that a person must change before the program can go on."""

    exit_code: ClassVar[int] = 78


class AuthenticationNotSetUp(ApiError):
    """The settings don't say, or say twice, how bearer tokens are checked."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"it is not clear how bearer tokens are to be checked: {reason}. Set MIXHAUL_JWT_KEY_FILE to a file with a "
            "static key (`mixhaul-api token --create-key` makes one), or MIXHAUL_JWT_ISSUER and MIXHAUL_JWT_AUDIENCE "
            "to those of an OpenID Connect issuer"
        )


class KeyFileUnusable(ApiError):
    """The file of the static key can't be used."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the key file {path} (MIXHAUL_JWT_KEY_FILE) can't be used: {reason}")


class LogoUnusable(ApiError):
    """The logo of the printed report can't be used."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the logo {path} (MIXHAUL_API_REPORT_LOGO_FILE) can't be used: {reason}")


class BadTokenRequest(ApiError):
    """`mixhaul-api token` was asked for something that a token can't say."""

    exit_code = 64


class PortUnavailable(ApiError):
    """The port that the API listens on can't be opened."""

    exit_code = 69

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(
            f"the port {port} on {host} can't be opened ({reason}): "
            "set MIXHAUL_API_PORT to a free port, or to 0 for any"
        )


class KeysUnavailable(Exception):
    """The issuer's key server did not answer, and no key is known from before."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the token issuer's keys can't be read: {reason}")


class TokenRefused(Exception):
    """A token that is expired, unsigned, foreign, or not made for this API. `reason` may be shown to its bearer."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

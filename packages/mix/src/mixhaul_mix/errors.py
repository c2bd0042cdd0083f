"""What can go wrong with MiX, by type: transient errors are worth another try, terminal ones wait for a person.

    MixError
     +- TransientMixError
     |   +- ConnectionFailed      no connection, or it broke before an answer began
     |   +- Timeout               a phase or the whole call took too long
     |   +- AnswerCutShort        the answer began and did not end: reset, short body, broken chunk or gzip
     |   +- ServerError           5xx, 408, 425
     |   +- Throttled             429
     |   +- PageInvalid           an answer that is no page: HTML, a redirect, unreadable headers or JSON
     |   |   +- AnswerTooLarge    413, or a body beyond our bound: ask for less
     |   +- IdentityUnavailable   the identity server gave neither a token nor a reason
     |   +- LoginPending          another process has been asking for a token for too long
     +- TerminalMixError
         +- CredentialsRejected   user name or password
         |   +- ClientRejected    client id or client secret
         +- OrganisationForbidden 403, or a second 401 right after a fresh token
         +- TokenExpired          the feed token is refused and may be older than 7 days
         +- RequestRejected       another 4xx
         +- UntrustedCertificate
         +- UnusableEndpoint, UnusableCAFile
    RecordRejected                one record that can't be read; the rest of its page can

`answered`: a whole HTTP answer was read. Where it is false, nobody knows what MiX did, unless `sent` is false too: then
the request never left this process. No message holds a secret, a token or a part of a body, and none has an error of
the HTTP library as its cause: those carry the request with its headers and form.
"""

from __future__ import annotations

from pathlib import Path


class MixError(Exception):
    """Anything that MiX, or the way to it, does to a call."""

    answered: bool = True
    sent: bool = True


class TransientMixError(MixError):
    """Another try may work."""

    retry_after_seconds: float | None = None


class TerminalMixError(MixError):
    """Another try does the same until somebody changes something."""


class ConnectionFailed(TransientMixError):
    """No connection, or one that broke before an answer began. `detail` is the system's own word for it."""

    answered = False

    def __init__(self, *, host: str, detail: str, sent: bool) -> None:
        self.host, self.detail, self.sent = host, detail, sent
        did = "broke before an answer came" if sent else "could not be made"
        super().__init__(f"The connection to {host} {did} ({detail}). It is tried again.")


class Timeout(TransientMixError):
    """`phase` is connect, pool, write, read or total."""

    answered = False

    def __init__(self, *, host: str, phase: str, sent: bool) -> None:
        self.host, self.phase, self.sent = host, phase, sent
        super().__init__(f"{host} took too long ({phase}). It is tried again.")


class AnswerCutShort(TransientMixError):
    """The answer began and did not end as it said it would."""

    answered = False

    def __init__(self, *, host: str, detail: str) -> None:
        self.host, self.detail = host, detail
        super().__init__(f"The answer of {host} was cut short ({detail}). It is asked for again.")


class ServerError(TransientMixError):
    """MiX answered with a status that says that it is in trouble."""

    def __init__(self, status: int, *, retry_after_seconds: float | None = None) -> None:
        self.status, self.retry_after_seconds = status, retry_after_seconds
        super().__init__(f"MiX answered with status {status}. It is tried again.")


class Throttled(TransientMixError):
    """MiX says that there were too many calls."""

    def __init__(self, *, retry_after_seconds: float | None) -> None:
        self.retry_after_seconds = retry_after_seconds
        when = "" if retry_after_seconds is None else f" and asks for {retry_after_seconds:.0f} s"
        super().__init__(f"MiX answered 429, too many calls{when}. Check rateLimit and who else uses this account.")


class PageInvalid(TransientMixError):
    """A page that did not happen. `reason` never holds a part of the answer."""

    def __init__(self, reason: str, *, answered: bool = True) -> None:
        self.reason, self.answered = reason, answered
        super().__init__(f"MiX's answer can't be used: {reason}. It is asked for again.")


class AnswerTooLarge(PageInvalid):
    """There is more in it than MiX gives (413) or than we take; a smaller interval or page may come."""


class IdentityUnavailable(TransientMixError):
    """No token, and no word that the credentials are wrong."""

    def __init__(
        self,
        reason: str,
        *,
        answered: bool = True,
        sent: bool = True,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.reason, self.answered, self.sent = reason, answered, sent
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"The identity server gave no token: {reason}. It is tried again.")


class LoginPending(TransientMixError):
    """Another process holds a valid intent to ask for a token."""

    answered = False
    sent = False

    def __init__(self, *, pending_seconds: float) -> None:
        self.pending_seconds = pending_seconds
        super().__init__("Another process is asking the identity server for a token; its answer is waited for.")


class CredentialsRejected(TerminalMixError):
    """The identity server refused the login. `error` is its OAuth error code."""

    what = "user name or password"

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(
            f"The identity server refused the {self.what} ({error}). Correct the Secret: "
            "nobody tries these values again for an hour, so that the account isn't locked."
        )


class ClientRejected(CredentialsRejected):
    """The identity server refused the client, not the user."""

    what = "client id or client secret"


class OrganisationForbidden(TerminalMixError):
    """The login is good, but not for this organisation (None: for what was asked, which names no organisation)."""

    def __init__(self, organisation: int | None) -> None:
        self.organisation = organisation
        what = "this list" if organisation is None else f"organisation {organisation}"
        super().__init__(f"This login may not see {what}: check organisationIDs, or ask MiX for permission.")


class TokenExpired(TerminalMixError):
    """A feed token that is plausibly older than 7 days was refused."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"MiX refuses the feed token (status {status}), which may be older than 7 days.")


class RequestRejected(TerminalMixError):
    """MiX refuses the request itself."""

    def __init__(self, status: int, *, endpoint: str) -> None:
        self.status, self.endpoint = status, endpoint
        super().__init__(f"MiX refuses the request to {endpoint} with status {status}: check endpoint and ids.")


class UntrustedCertificate(TerminalMixError):
    """TLS failed on the server's certificate."""

    answered = False
    sent = False

    def __init__(self, *, host: str, detail: str) -> None:
        self.host, self.detail = host, detail
        super().__init__(f"The certificate of {host} isn't trusted ({detail}): set caSecretRef if it has a private CA.")


class UnusableEndpoint(TerminalMixError):
    """A base URL that is no http or https URL with a host."""

    answered = False
    sent = False

    def __init__(self, which: str) -> None:
        self.which = which
        super().__init__(f"The {which} is no http:// or https:// URL with a host and without user, query and fragment.")


class UnusableCAFile(TerminalMixError):
    """The private CA's file can't be read as PEM certificates."""

    answered = False
    sent = False

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"The CA file {path} can't be read, or holds no PEM certificate.")


class RecordRejected(Exception):
    """One record can't be read. `reason` names the field, never its value."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

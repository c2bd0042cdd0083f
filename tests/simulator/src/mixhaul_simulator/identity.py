"""The identity server: password once, then refresh tokens that rotate.

Tokens live by real time. Nothing here is written to a log or a record.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import replace
from typing import Literal
from urllib.parse import parse_qsl

import orjson

from mixhaul_simulator.faults import Faults
from mixhaul_simulator.http import Request, Response, Wire
from mixhaul_simulator.records import Records
from mixhaul_simulator.settings import Account

_SCOPES = frozenset({"offline_access", "MiX.Integrate"})
_ROUTE = "token"


class Refused(Exception):
    """An OAuth error."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class Identity:
    """Knows one account, and the tokens that it gave."""

    def __init__(self, account: Account, *, expires_in: int, rotate: bool, records: Records, faults: Faults) -> None:
        self.account = account
        self.client_revoked = False
        self._expires_in = expires_in
        self._rotate = rotate
        self._records = records
        self._faults = faults
        self._access: dict[str, float] = {}
        self._ever_access: list[str] = []
        self._refresh: dict[str, Literal["live", "spent", "revoked"]] = {}

    # What the control port turns

    def change(self, *, password: str | None, client_secret: str | None, client_revoked: bool | None) -> None:
        if password is not None:
            self.account = replace(self.account, password=password)
        if client_secret is not None:
            self.account = replace(self.account, client_secret=client_secret)
        if client_revoked is not None:
            self.client_revoked = client_revoked

    def revoke_refresh_tokens(self) -> None:
        live = [token for token, state in self._refresh.items() if state == "live"]
        self._refresh.update(dict.fromkeys(live, "revoked"))

    def revoke_access_tokens(self) -> None:
        self._access.clear()

    def issued(self) -> list[str]:
        """Every token that was ever given, whatever became of it: to look for in what a client writes."""
        return [*self._ever_access, *self._refresh]

    # What the data API asks

    def accepts(self, authorization: str | None) -> bool:
        """Whether this is a living access token."""
        if authorization is None or not authorization.startswith("Bearer "):
            self._records.violation("bad-auth", reason="no bearer token")
            return False
        expires = self._access.get(authorization[7:])
        return expires is not None and time.monotonic() < expires

    # The token endpoint

    def token(self, request: Request) -> Response:
        """Answer a token request."""
        fields = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        grant = fields.get("grant_type", "")
        kind = grant if grant in ("password", "refresh_token") else "other"
        client_auth = "basic" if "authorization" in request.headers else "body"
        try:
            if any(word in request.query for word in ("secret", "password", "token", "client_id")):
                self._records.violation("bad-auth", reason="credentials in the URL")
                raise Refused("invalid_request", "credentials do not belong into the URL")
            self._check_client(request, fields)
            answer = self._granted(fields)
        except Refused as refused:
            self._records.grant(grant=kind, client_auth=client_auth, error=refused.error)
            body = {"error": refused.error, "error_description": str(refused)}
            return Response(400, orjson.dumps(body))
        self._records.grant(grant=kind, client_auth=client_auth, error=None)
        response = Response(200, orjson.dumps(answer))
        response.headers.append(("Cache-Control", "no-store"))
        return response

    def lose_answer(self, response: Response) -> bool:
        """Whether the answer is lost after the server did its work: a rotated token that nobody knows."""
        if response.status == 200 and self._faults.one(frozenset({"token-answer-lost"}), _ROUTE) is not None:
            response.wire = Wire(silent=True, ending="reset")
            return True
        return False

    def _check_client(self, request: Request, fields: dict[str, str]) -> None:
        given = _basic(request.headers["authorization"]) if "authorization" in request.headers else None
        client_id, client_secret = given or (fields.get("client_id", ""), fields.get("client_secret", ""))
        if self.client_revoked or (client_id, client_secret) != (self.account.client_id, self.account.client_secret):
            raise Refused("invalid_client", "the client is unknown, revoked, or its secret is wrong")

    def _granted(self, fields: dict[str, str]) -> dict[str, object]:
        match fields.get("grant_type"):
            case "password":
                if not set(fields.get("scope", "").split()) >= _SCOPES:
                    raise Refused("invalid_scope", "scope must hold offline_access and MiX.Integrate")
                if (fields.get("username"), fields.get("password")) != (self.account.username, self.account.password):
                    raise Refused("invalid_grant", "invalid_username_or_password")
                return self._issue(None)
            case "refresh_token":
                token = fields.get("refresh_token", "")
                state = self._refresh.get(token)
                if state == "spent":
                    self._records.violation("refresh-token-reused")
                if state != "live":
                    raise Refused("invalid_grant", "the refresh token is unknown, used or revoked")
                return self._issue(token)
            case _:
                raise Refused("unsupported_grant_type", "grant_type must be password or refresh_token")

    def _issue(self, spent: str | None) -> dict[str, object]:
        short = self._faults.one(frozenset({"expires-short"}), _ROUTE)
        expires_in = self._expires_in if short is None else int(short.seconds(5))
        access = secrets.token_urlsafe(40)
        self._ever_access.append(access)
        self._access[access] = time.monotonic() + expires_in
        refresh = spent
        if spent is None or self._rotate:
            refresh = secrets.token_urlsafe(32)
            self._refresh[refresh] = "live"
            if spent is not None:
                self._refresh[spent] = "spent"
        return {
            "access_token": access,
            "expires_in": expires_in,
            "token_type": "Bearer",
            "refresh_token": refresh,
        }


def _basic(header: str) -> tuple[str, str]:
    """Client id and secret of a Basic header, raw as in RFC 2617: nothing is percent-decoded."""
    kind, _, value = header.partition(" ")
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused("invalid_client", "the Authorization header can't be read") from error
    client_id, colon, secret = text.partition(":")
    if kind.lower() != "basic" or not colon:
        raise Refused("invalid_client", "the Authorization header is no Basic one")
    return client_id, secret

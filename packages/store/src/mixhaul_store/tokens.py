"""One login at MiX's identity server, shared by all processes: who may ask for a token, and what came of it.

Refresh tokens rotate, so two processes must never use the same one: an intent is committed before the request, the
answer after it, and both only where nobody else has moved the login on. A process that dies between the two leaves an
intent that runs out; what it may have spent is not used again. All times are the database's clock. Nothing here talks
to MiX, and a token that can't be decrypted counts as absent.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from mixhaul_store.database import Database
from mixhaul_store.encryption import Cipher
from mixhaul_store.errors import DecryptionFailed

log = structlog.get_logger("mixhaul_store.tokens")

REFUSED_FOR_SECONDS = 3600.0
LONGEST_EXPIRY_SECONDS = 30 * 86400.0
_LONGEST_ERROR = 200

_LOGIN = "identity_url = %(identity_url)s AND client_id = %(client_id)s AND username = %(username)s"
_NO_INTENT = "intent_grant = NULL, intent_holder = NULL, intent_deadline = NULL"
_OURS = f"{_LOGIN} AND revision = %(revision)s AND generation = %(generation)s AND intent_holder = %(holder)s"

# An intent lives until its deadline, or until its process is dead: then no session of that name is left, and a killed
# leader does not keep its successor waiting. Only a process that sees its own name there may conclude that (a pooler in
# between hides the names). To be wrong costs one more login: what was sent is never sent again either way.
_UNDER_WAY = """intent_deadline > clock_timestamp() AND (
    EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'mixhaul:' || intent_holder)
    OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'mixhaul:' || %(holder)s))"""

# Makes the row, and drops what belongs to another version of the Secret, an intent included: its answer does not find
# its generation any more. A refusal stays: it names the version that was refused, and while a changed Secret reaches
# one process after the other, the last one with the old password must not try it each time that they alternate.
_ADOPT = f"""
INSERT INTO api_credentials AS c (identity_url, client_id, username, revision)
VALUES (%(identity_url)s, %(client_id)s, %(username)s, %(revision)s)
ON CONFLICT (identity_url, client_id, username) DO UPDATE
   SET revision = excluded.revision, generation = c.generation + 1, access_token = NULL, refresh_token = NULL,
       access_expires_at = NULL, {_NO_INTENT}, updated_at = clock_timestamp()
 WHERE c.revision <> excluded.revision
"""
_LOAD = f"""
SELECT generation, revision = %(revision)s,
       CASE WHEN access_expires_at - %(margin)s * interval '1 second' > clock_timestamp() THEN access_token END,
       CASE WHEN intent_grant = 'refresh_token' AND NOT ({_UNDER_WAY}) THEN NULL ELSE refresh_token END,
       CASE WHEN {_UNDER_WAY}
            THEN extract(epoch FROM intent_deadline - clock_timestamp())::float8 END,
       CASE WHEN refused_revision = %(revision)s AND refused_until > clock_timestamp() THEN refused_error END
  FROM api_credentials WHERE {_LOGIN}
"""
# An expired intent to refresh has perhaps spent the refresh token: that is written down before another grant begins.
_BEGIN = f"""
UPDATE api_credentials
   SET refresh_token = CASE WHEN intent_grant = 'refresh_token' THEN NULL ELSE refresh_token END,
       intent_grant = %(grant)s, intent_holder = %(holder)s,
       intent_deadline = clock_timestamp() + %(deadline)s * interval '1 second', updated_at = clock_timestamp()
 WHERE {_LOGIN} AND revision = %(revision)s AND generation = %(generation)s
   AND (intent_deadline IS NULL OR NOT ({_UNDER_WAY}))
   AND (%(grant)s = 'password' OR (refresh_token IS NOT NULL AND intent_grant IS DISTINCT FROM 'refresh_token'))
   AND (%(grant)s <> 'password' OR refused_revision IS DISTINCT FROM revision OR refused_until <= clock_timestamp())
"""
_COMPLETE = f"""
UPDATE api_credentials
   SET generation = generation + 1, access_token = %(access)s, refresh_token = %(refresh)s,
       access_expires_at = clock_timestamp() + %(expires_in)s * interval '1 second', {_NO_INTENT},
       refused_until = CASE WHEN refused_revision IS DISTINCT FROM revision THEN refused_until END,
       updated_at = clock_timestamp()
 WHERE {_OURS}
"""
_FAIL = f"""
UPDATE api_credentials
   SET {_NO_INTENT},
       refresh_token = CASE WHEN %(drop_refresh)s THEN NULL ELSE refresh_token END,
       refused_revision = CASE WHEN %(refused)s THEN revision ELSE refused_revision END,
       refused_until = CASE WHEN %(refused)s THEN clock_timestamp() + %(refused_for)s * interval '1 second'
                            ELSE refused_until END,
       refused_error = CASE WHEN %(refused)s THEN %(error)s ELSE refused_error END,
       updated_at = clock_timestamp()
 WHERE {_OURS} AND intent_grant = %(grant)s
"""
_USE = f"""
INSERT INTO credential_uses (credential_id, source) SELECT id, %(source)s FROM api_credentials WHERE {_LOGIN}
ON CONFLICT DO NOTHING
"""
_INVALIDATE = f"""
UPDATE api_credentials SET access_token = NULL, access_expires_at = NULL, updated_at = clock_timestamp()
 WHERE {_LOGIN} AND revision = %(revision)s AND generation = %(generation)s
"""


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """What `mixhaul_mix.protocols.Login` asks for. Its tokens are not shown by `repr`."""

    generation: int
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    intent_pending_seconds: float | None
    refused_error: str | None


class PostgresTokenStore:
    """One login. `revision` tells versions of the Secret apart; `holder` is unique to this process."""

    def __init__(
        self,
        db: Database,
        *,
        identity_url: str,
        client_id: str,
        username: str,
        revision: str,
        cipher: Cipher,
        holder: str,
        source: str | None = None,
        margin_seconds: float = 60.0,
    ) -> None:
        """`source` is written down as a user of the login, which is deleted with the data of the last one."""
        self._db = db
        self._cipher = cipher
        self._unnoted_source = source
        self._values: dict[str, Any] = {
            "identity_url": identity_url.rstrip("/"),
            "client_id": client_id,
            "username": username,
            "revision": revision,
            "holder": holder,
            "margin": margin_seconds,
        }

    async def load(self) -> StoredLogin:
        """The login as it is now."""
        async with self._db.connection() as connection:
            row = await (await connection.execute(_LOAD, self._values)).fetchone()
            if row is None or not (row[1] or row[5]):
                await connection.execute(_ADOPT, self._values)
                row = await (await connection.execute(_LOAD, self._values)).fetchone()
            if self._unnoted_source is not None:
                await connection.execute(_USE, self._values | {"source": self._unnoted_source})
                self._unnoted_source = None
        assert row is not None  # noqa: S101  (just made, and deleted only with its last source)
        generation, ours, access, refresh, pending, refused = row
        if not ours:
            # Refused, and the row is another version's: nothing of it is for us, and nothing of it is in the way.
            access = refresh = pending = None
        return StoredLogin(
            generation=generation,
            access_token=self._open(access),
            refresh_token=self._open(refresh),
            intent_pending_seconds=pending,
            refused_error=refused,
        )

    async def begin(self, *, generation: int, grant: str, deadline_seconds: float) -> bool:
        """Commit the intent to ask for a token; False where somebody else was faster."""
        return await self._execute(_BEGIN, generation=generation, grant=grant, deadline=deadline_seconds)

    async def expires_at(self) -> datetime | None:
        """When the access token at hand expires; None where there is none of this version of the Secret."""
        async with self._db.connection() as connection:
            cursor = await connection.execute(
                f"SELECT access_expires_at FROM api_credentials WHERE {_LOGIN} AND revision = %(revision)s",
                self._values,
            )
            row = await cursor.fetchone()
        expires: datetime | None = row[0] if row else None
        return expires

    async def complete(
        self, *, generation: int, access_token: str, refresh_token: str | None, expires_in_seconds: float
    ) -> bool:
        """Commit the answer; False where the login has moved on meanwhile."""
        return await self._execute(
            _COMPLETE,
            generation=generation,
            access=self._cipher.encrypt(access_token),
            refresh=None if refresh_token is None else self._cipher.encrypt(refresh_token),
            expires_in=min(expires_in_seconds, LONGEST_EXPIRY_SECONDS),
        )

    async def fail(self, *, generation: int, grant: str, error: str, refused: bool) -> None:
        """A plain error ended the intent. Refused credentials are left alone for an hour, by every process."""
        await self._execute(
            _FAIL,
            generation=generation,
            grant=grant,
            error=error.replace("\0", "\ufffd")[:_LONGEST_ERROR],
            refused=refused and grant == "password",
            drop_refresh=refused and grant == "refresh_token",
            refused_for=REFUSED_FOR_SECONDS,
        )

    async def invalidate(self, *, generation: int) -> None:
        """Forget the access token of this generation."""
        await self._execute(_INVALIDATE, generation=generation)

    async def _execute(self, statement: str, **values: Any) -> bool:
        async with self._db.connection() as connection:
            cursor = await connection.execute(statement.encode(), self._values | values)
            return cursor.rowcount == 1

    def _open(self, token: bytes | None) -> str | None:
        if token is None:
            return None
        try:
            return self._cipher.decrypt(token)
        except DecryptionFailed as error:
            log.warning("a stored token is not used", error=str(error))
            return None


def credential_revision(key: bytes, client_id: str, client_secret: str, username: str, password: str) -> str:
    """Tells that a Secret changed without saying what it holds."""
    parts = [part.encode() for part in (client_id, client_secret, username, password)]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.new(key, message, hashlib.sha256).hexdigest()

"""The private CA of an endpoint: PEM from a Secret, and the file that TLS libraries want it in."""

from __future__ import annotations

import atexit
import os
import ssl
import tempfile
from pathlib import Path

from mixhaul_source.credentials import Secret
from mixhaul_source.errors import SecretInvalid


def certificates_from(secret: Secret, key: str) -> str:
    """The PEM certificates under a key."""
    text = secret.text(key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        problem = "holds no PEM certificates: they begin with -----BEGIN CERTIFICATE-----"
        raise SecretInvalid(secret.place, secret=secret.key, key=key, problem=problem) from error
    return text


def written_certificates(pem: str) -> Path:
    """A temporary file with public certificates, removed when the process ends in an orderly way."""
    handle, name = tempfile.mkstemp(prefix="mixhaul-ca-", suffix=".pem")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(pem)
    path = Path(name)
    atexit.register(path.unlink, missing_ok=True)
    return path

"""Encryption of the tokens at rest, with keys that can be rotated.

It protects what the database holds from whoever reads only the database. It does not protect from whoever has the keys.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mixhaul_store.errors import DecryptionFailed, InvalidKeyFile


class Cipher:
    """The first key encrypts, all of them decrypt."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        self._secret = bytes(keys[-1])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_file(cls, path: Path) -> Cipher:
        """One key a line, the newest first; empty lines and lines with `#` are skipped."""
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise InvalidKeyFile(path, f"can't be read ({error.strerror})") from error
        keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
        if not keys:
            raise InvalidKeyFile(path, "holds no key")
        try:
            return cls(keys)
        except ValueError as error:
            raise InvalidKeyFile(path, "holds a line that is no Fernet key") from error

    @property
    def secret(self) -> bytes:
        """What `tokens.credential_revision` is keyed with: the oldest key, so that a new one on top changes nothing."""
        return self._secret

    def encrypt(self, text: str) -> bytes:
        """With the first key."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """With whichever key fits; `DecryptionFailed` where none does."""
        try:
            return self._fernet.decrypt(data).decode()
        except (InvalidToken, UnicodeDecodeError):
            raise DecryptionFailed from None


def create_key_file(path: Path) -> None:
    """Put a new key on top of the file's, or begin the file; only its owner may read it."""
    try:
        old = path.read_bytes() if path.exists() else b""
        _private(path, Fernet.generate_key() + b"\n" + old).replace(path)
    except OSError as error:
        raise InvalidKeyFile(path, f"can't be written ({error.strerror})") from error


def load_or_create_key_file(path: Path) -> Cipher:
    """The file's keys; a new key where there is no file. Two processes that begin at once get the same key."""
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = _private(path, Fernet.generate_key() + b"\n")
            try:
                with suppress(FileExistsError):
                    path.hardlink_to(made)
            finally:
                made.unlink()
        except OSError as error:
            raise InvalidKeyFile(path, f"can't be written ({error.strerror})") from error
    return Cipher.from_file(path)


def _private(path: Path, data: bytes) -> Path:
    """A whole file beside `path`, on disk, for the owner only."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)

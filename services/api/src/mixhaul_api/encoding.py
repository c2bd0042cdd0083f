"""Compressed answers, by `Accept-Encoding`: zstd or gzip, where the body is worth it.

Answers hold no secret that an attacker could have repeated beside their own text (tokens come in a header and are never
answered), so compression gives nothing away.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

from zstandard import ZstdCompressor

SMALLEST: Final = 1024
_GZIP_LEVEL: Final = 4
_ZSTD_LEVEL: Final = 3
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_CODINGS: Final = ("zstd", "gzip")


class _Compressor(Protocol):
    """What both have in common."""

    def compress(self, data: bytes, /) -> bytes:
        """What may be sent so far."""

    def flush(self) -> bytes:
        """The end."""


def coding(header: str | None) -> str | None:
    """The coding to use; None is none. zstd where the client likes both the same."""
    if not header:
        return None
    liked: dict[str, float] = {}
    for one in header.lower().split(","):
        name, _, parameter = one.partition(";")
        quality = parameter.strip().removeprefix("q=").strip() if parameter else "1"
        try:
            liked[name.strip()] = float(quality)
        except ValueError:
            continue
    other = liked.get("*", 0.0)
    best = max(_CODINGS, key=lambda name: liked.get(name, other))
    return best if liked.get(best, other) > 0 else None


def compressed(body: bytes, coding: str) -> bytes:
    """The whole body."""
    if coding == "zstd":
        return ZstdCompressor(level=_ZSTD_LEVEL).compress(body)
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


async def stream(pieces: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """A body that comes in pieces, as many of them as there is something to send."""
    compressor: _Compressor
    if coding == "zstd":
        compressor = ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    else:
        compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    async for piece in pieces:
        if sent := compressor.compress(piece):
            yield sent
    yield compressor.flush()

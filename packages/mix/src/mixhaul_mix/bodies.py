"""Content decoding with a bound: what httpx's own decoders don't give (a bomb is inflated chunk by chunk without
limit, and a gzip stream that ends early passes for a whole one).
"""

from __future__ import annotations

import zlib

_GZIP = zlib.MAX_WBITS | 16


class BodyTooLarge(Exception):
    """The body is larger than the bound, decoded or not."""


class BodyBroken(Exception):
    """The content encoding is unknown, or its data don't end as they should."""


class BodyReader:
    """Takes the raw chunks of one body, gives the decoded whole. Holds at most `limit` bytes of it."""

    def __init__(self, encoding: str, *, limit: int) -> None:
        self._inflate = encoding in {"gzip", "x-gzip"}
        if not self._inflate and encoding not in {"", "identity"}:
            raise BodyBroken("its content encoding was not asked for")
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._member: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Take the next raw chunk."""
        if not self._inflate:
            self._keep(data)
            return
        while data:
            if self._member is None:
                self._member = zlib.decompressobj(_GZIP)
            try:
                self._keep(self._member.decompress(data, self._limit - self._size + 1))
            except zlib.error:
                raise BodyBroken("its gzip data are broken") from None
            data = self._member.unused_data or self._member.unconsumed_tail
            if self._member.eof:
                self._member = None

    def whole(self) -> bytes:
        """The decoded body. Raises where the compressed data ended early."""
        if self._member is not None:
            raise BodyBroken("its gzip data end early")
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise BodyTooLarge
        self._parts.append(data)

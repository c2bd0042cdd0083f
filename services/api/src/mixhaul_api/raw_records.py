"""An event's own bytes out of the answer that holds it."""

from __future__ import annotations

import msgspec
from zstandard import ZstdDecompressor


class _Id(msgspec.Struct):
    EventId: int | str


def of_event(body: bytes, event_id: int) -> bytes | None:
    """The record as MiX wrote it, the last one where the answer has it twice; None where it has it not.

    An answer that is no strict JSON is not looked through.
    """
    answer = ZstdDecompressor().decompress(body).removeprefix(b"\xef\xbb\xbf")
    try:
        records = msgspec.json.decode(answer, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        return None
    found = None
    for raw in records:
        try:
            record = msgspec.json.decode(raw, type=_Id)
        except msgspec.MsgspecError:
            # One that is in quarantine.
            continue
        if str(record.EventId) == str(event_id):
            found = bytes(raw)
    return found

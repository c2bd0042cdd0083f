"""Records that no reader can take for an event: a client must set them aside, byte for byte, and lose nothing else."""

from __future__ import annotations

from mixhaul_simulator.faults import BAD_VARIANTS

VARIANTS = BAD_VARIANTS


def spoil(record: bytes, variant: str, event_id: int) -> bytes:
    """A spoilt relative of a good record, with an id of its own where it has one."""
    head, _, rest = record.partition(b',"AssetId":')
    del head
    tail = b',"AssetId":' + rest
    fresh = b'{"EventId":%d' % event_id
    match variant:
        case "wrong-type":
            return fresh + b',"AssetId":{"unexpected":[1,2]},' + tail.split(b",", 2)[2]
        case "missing-id":
            return b"{" + tail[1:]
        case "nul":
            return fresh + _units(tail, rb'"\u0000km/h"')
        case "id-beyond-int64":
            return b'{"EventId":9223372036854775%d' % (808 + event_id % 190) + tail
        case "lone-surrogate":
            return fresh + _units(tail, rb'"\ud800km"')
        case _:
            return b'"not an event: %d"' % event_id


def _units(tail: bytes, text: bytes) -> bytes:
    """The same with another `ValueUnits`."""
    before, name, after = tail.partition(b'"ValueUnits":')
    end = after.index(b',"FuelUsedLitres"')
    return before + name + text + after[end:]

"""TensorBoard's files of events, as far as they have numbers: no package is needed to write them.

A file is a sequence of records: the length of the data (8 bytes), a checksum of that, the data, a checksum
of the data (4 bytes each, everything little-endian). The data is a message ``Event`` of protocol buffers
(``tensorflow/core/util/event.proto``).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import Final

_VERSION: Final = b"brain.Event:2"
_POLYNOMIAL: Final = 0x82F63B78
"""Castagnoli's, with its bits reversed."""
_WORD: Final = 0xFFFFFFFF
_LARGEST: Final = 3.4028234663852886e38
"""The largest float32."""

_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = 0x09, 0x10, 0x1A, 0x2A
_VALUE, _TAG, _SIMPLE_VALUE = 0x0A, 0x0A, 0x15
"""Numbers and types of fields, as they precede each value."""


def first_record(seconds: float) -> bytes:
    """Return the record with which a file begins, of a time in seconds since 1970."""
    return _record(_event(seconds) + _bytes(_FILE_VERSION, _VERSION))


def record(seconds: float, step: int, values: Mapping[str, float]) -> bytes:
    """Return the record of numbers by their names: all belong to one step."""
    summary = b"".join(_bytes(_VALUE, _value(name, value)) for name, value in values.items())
    return _record(_event(seconds) + bytes([_STEP]) + _varint(step) + _bytes(_SUMMARY, summary))


def _event(seconds: float) -> bytes:
    return bytes([_WALL_TIME]) + struct.pack("<d", seconds)


def _value(name: str, value: float) -> bytes:
    single = value if abs(value) <= _LARGEST else math.copysign(math.inf, value)
    return _bytes(_TAG, name.encode()) + bytes([_SIMPLE_VALUE]) + struct.pack("<f", single)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Return a number in groups of 7 bits, the lowest first; all but the last have their highest bit set."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    """Return the checksum of some bytes, changed as the format requires."""
    crc = checksum(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & _WORD)


def checksum(data: bytes) -> int:
    """Return the CRC-32C.

    >>> hex(checksum(b"123456789"))
    '0xe3069283'
    """
    crc = _WORD
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ _WORD


def _entries() -> Iterator[int]:
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        yield crc


_TABLE: Final = tuple(_entries())

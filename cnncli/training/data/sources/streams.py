"""Reading the content of a file, or of a compressed one, into memory that is there already."""

from __future__ import annotations

from typing import Final, Protocol

_CHUNK: Final = 1 << 20


class Stream(Protocol):
    """A file, or the content of a compressed one."""

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes, or fewer at the end."""


def filled(stream: Stream, buffer: memoryview) -> int:
    """Read until ``buffer`` is full or the stream ends; return the number of bytes."""
    done = 0
    while done < len(buffer):
        read = stream.read(min(_CHUNK, len(buffer) - done))
        if not read:
            break
        buffer[done : done + len(read)] = read
        done += len(read)
    return done

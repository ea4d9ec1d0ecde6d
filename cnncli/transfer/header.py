"""The names, shapes and types of the tensors in a safetensors file, from its first bytes alone.

The file begins with the length of a JSON text, 8 bytes, little-endian; the text maps each name to its type,
its shape and where its bytes are (https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cnncli.diagnostics import UsageError, usage_error
from cnncli.limits import MAX_HEADER_BYTES

FLOATS: Final[Mapping[str, int]] = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The types of weights, and the bytes of a number of each."""

_TYPES: Final = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""The names of these types in a header; any other type keeps its own name."""

_METADATA: Final = "__metadata__"
_LENGTH_BYTES: Final = 8


class Stored(NamedTuple):
    """A tensor in a file: its shape, and its type, such as ``float32``."""

    shape: tuple[int, ...]
    dtype: str


def read_header(path: Path) -> dict[str, Stored]:
    """Return the tensors of a safetensors file by their names; none of their numbers is read.

    Raises:
        UsageError: the file cannot be read, or is not one.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 0 < length <= min(size - _LENGTH_BYTES, MAX_HEADER_BYTES):
                raise _not_one(path, f"{size:,} bytes, the first of which are not the length of a header")
            text = file.read(length)
    except OSError as error:
        raise usage_error(f"cannot read {path}: {error.strerror}", expected="a file of weights") from error
    try:
        entries = json.loads(text)
        return {
            name: _stored(entry, size - _LENGTH_BYTES - length)
            for name, entry in entries.items()
            if name != _METADATA
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _not_one(path, f"a header that cannot be read ({error})") from error


def _stored(entry: Mapping[str, Any], room: int) -> Stored:
    """Return an entry of a header; ``room`` are the bytes after it.

    Raises:
        ValueError: it is not one, or its bytes are not in the file.
    """
    shape, dtype = tuple(entry["shape"]), entry["dtype"]
    first, end = entry["data_offsets"]
    numbers = (*shape, first, end)
    if not all(type(each) is int and each >= 0 for each in numbers) or not isinstance(dtype, str):
        raise ValueError("a shape, a type or a place is not one")
    word = _TYPES.get(dtype, dtype)
    if word in FLOATS and end - first != math.prod(shape) * FLOATS[word]:
        raise ValueError("a tensor has another number of bytes than its shape")
    if end > room:
        raise ValueError("the file ends before its last tensor")
    return Stored(shape, word)


def _not_one(path: Path, received: str) -> UsageError:
    return usage_error(f"{path} is not a safetensors file", expected="a whole one", received=received)

"""The formats that a network is exported to; each is written by the module of its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Format(NamedTuple):
    """A format: how its files end, the packages it needs, and the settings that it has.

    ``needs`` are packages by their names for import, from the extra ``extra``.
    """

    suffix: str
    extra: str
    needs: tuple[str, ...]
    settings: frozenset[str] = frozenset()


RAW: Final = "raw"
INT8: Final = "int8"

FORMATS: Final[Mapping[str, Format]] = {
    "onnx": Format(
        ".onnx", "export", ("numpy", "onnx", "onnxruntime", "safetensors"), frozenset({RAW, INT8})
    ),
    "pt2": Format(".pt2", "train", ("numpy", "safetensors", "torch")),
    "python": Format(".py", "train", ("numpy", "safetensors", "torch")),
    "safetensors": Format(".safetensors", "train", ("numpy", "safetensors")),
}
"""By the name after ``--to``, which is that of a module in :mod:`cnncli.training.exporting`."""

"""Convolutional networks from YAML: exact analysis without torch, and training of the same graph.

>>> import cnncli
>>> cnncli.load("lenet5").costs().totals.params
61706
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnncli.api import Architecture, Layer, compare, evaluate, kinds, load, loads, resume, select, specs
    from cnncli.diagnostics import CnncliError, ShapeError, SpecError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "CnncliError",
    "Layer",
    "ShapeError",
    "SpecError",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "kinds",
    "load",
    "loads",
    "resume",
    "select",
    "specs",
]

_ERRORS = ("CnncliError", "ShapeError", "SpecError", "UsageError")


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that ``import cnncli`` alone costs nothing."""
    from importlib import import_module  # noqa: PLC0415

    if name not in __all__:
        raise AttributeError(f"module 'cnncli' has no attribute '{name}'")
    return getattr(import_module("cnncli.diagnostics" if name in _ERRORS else "cnncli.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

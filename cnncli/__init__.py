"""Convolutional networks from YAML: exact analysis without torch, and training of the same graph.

>>> import cnncli
>>> cnncli.load("lenet5").costs().totals.params
61706
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnncli.algebra import Expr, symbol
    from cnncli.api import (
        Architecture,
        Layer,
        compare,
        compare_runs,
        draw_runs,
        evaluate,
        export,
        features,
        import_network,
        kinds,
        load,
        loads,
        look,
        resume,
        runs,
        select,
        shrink,
        similar,
        specs,
        survey,
    )
    from cnncli.diagnostics import CnncliError, ShapeError, SpecError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "CnncliError",
    "Expr",
    "Layer",
    "ShapeError",
    "SpecError",
    "UsageError",
    "__version__",
    "compare",
    "compare_runs",
    "draw_runs",
    "evaluate",
    "export",
    "features",
    "identify",
    "import_network",
    "kinds",
    "load",
    "loads",
    "look",
    "pack",
    "predict",
    "resume",
    "runs",
    "select",
    "shrink",
    "similar",
    "specs",
    "survey",
    "symbol",
]

_MODULES = {
    **dict.fromkeys(("CnncliError", "ShapeError", "SpecError", "UsageError"), "cnncli.diagnostics"),
    "Expr": "cnncli.algebra",
}
"""The modules of public names that are not in :mod:`cnncli.api`."""


def __getattr__(name: str) -> Any:
    """Import the module of a name when it is used, so that ``import cnncli`` alone imports nothing."""
    from importlib import import_module  # noqa: PLC0415

    if name not in __all__:
        raise AttributeError(f"module 'cnncli' has no attribute '{name}'")
    return getattr(import_module(_MODULES.get(name, "cnncli.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Optimizers, and what they keep in memory; ``training/optimization/`` builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.recipe.optimizers.adaptive import LAMB, Adagrad, Adam, AdamW, RMSprop
from cnncli.recipe.optimizers.base import ALWAYS, AUTO, NEVER, Optimizer, is_decayed
from cnncli.recipe.optimizers.descent import SGD
from cnncli.recipe.optimizers.muon import Muon

OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = {
    each.keyword: each for each in (SGD, Adam, AdamW, RMSprop, Adagrad, LAMB, Muon)
}

__all__ = [
    "ALWAYS",
    "AUTO",
    "LAMB",
    "NEVER",
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Muon",
    "Optimizer",
    "RMSprop",
    "is_decayed",
]

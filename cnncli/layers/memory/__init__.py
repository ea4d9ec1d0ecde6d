"""How much memory layers need: a rule for each kind, imported only by commands that ask for memory."""

from __future__ import annotations

from cnncli.layers.memory import (
    activation,
    capsules,
    conv,
    dense,
    joins,
    norm,
    pooling,
    regularization,
    shaping,
)
from cnncli.layers.memory.rules import (
    RULES,
    AnyRule,
    KeepsInput,
    KeepsNothing,
    KeepsOutput,
    MemoryRule,
    Needs,
    NoRuleError,
    SharesInput,
    rule,
    rule_of,
)
from cnncli.layers.memory.spaces import INPUT, NOTHING, OUTPUT, Saved, Space, less, room, together

__all__ = [
    "INPUT",
    "NOTHING",
    "OUTPUT",
    "RULES",
    "AnyRule",
    "KeepsInput",
    "KeepsNothing",
    "KeepsOutput",
    "MemoryRule",
    "Needs",
    "NoRuleError",
    "Saved",
    "SharesInput",
    "Space",
    "activation",
    "capsules",
    "conv",
    "dense",
    "joins",
    "less",
    "norm",
    "pooling",
    "regularization",
    "room",
    "rule",
    "rule_of",
    "shaping",
    "together",
]

"""torch's optimizers without the compiler, whose import takes as long as that of torch itself."""

from __future__ import annotations

from inspect import unwrap
from typing import Final, TypeVar, cast

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)

_METHODS: Final = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def uncompiled(kind: type[Kind]) -> type[Kind]:
    """Return a class that steps as ``kind`` does, to the bit, and imports no compiler.

    torch wraps the methods of its optimizers for those who compile a step together with its optimizer; the
    wrappers import ``torch._dynamo`` when they are called. Nothing here compiles an optimizer.
    """
    methods = {name: unwrap(getattr(kind, name)) for name in _METHODS}
    step = torch.no_grad()(unwrap(kind.step))
    return cast("type[Kind]", type(kind.__name__, (kind,), {**methods, "step": step}))

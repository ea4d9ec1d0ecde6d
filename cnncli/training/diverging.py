"""Which layer of a diverged training has the first output that is not finite.

Whether a loss is finite is found out late, since looking would wait for the device; by then all weights may
be NaN. So the steps from the last checkpoint on are repeated, and the batch with the first bad loss is
watched layer by layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from cnncli.recipe.computing import UNCOMPILED
from cnncli.training.data.feed import Batch
from cnncli.training.optimization.optimizers import prepare_training
from cnncli.training.plan import Plan
from cnncli.training.runs.checkpoint import Checkpoint
from cnncli.training.state import State, make_state
from cnncli.training.step import step
from cnncli.training.world import ALONE, World

_SECONDS: Final = 60.0
"""How long steps are repeated, at most."""


class Origin(NamedTuple):
    """The layer with the first output that is not finite, empty if only the loss is not.

    ``weights`` says whether its own weights were not finite either.
    """

    layer: str
    weights: bool = False

    def __str__(self) -> str:
        """Return the end of a sentence about a loss."""
        if not self.layer:
            return "the outputs of all layers are finite, but not the loss"
        own = ", whose weights are not finite" if self.weights else ""
        return f"the first output that is not finite is that of '{self.layer}'{own}"


@dataclass(frozen=True, eq=False, slots=True)
class Repetition:
    """The steps of an epoch from a checkpoint on.

    ``layers`` are the modules to watch; none for all without modules inside. ``stop`` is asked before each
    step whether to give up.
    """

    plan: Plan
    network: nn.Module
    layers: Collection[str]
    stop: Callable[[], bool]

    def origin(self, checkpoint: Checkpoint, batch: int) -> Origin | None:
        """Return the origin of a loss that is not finite; None if it is finite now, or it takes too long.

        The network is overwritten.

        Args:
            checkpoint: of the same epoch, before the batch.
            batch: the number of the batch in its epoch, from 0.
        """
        # Layers can be watched in code that is not compiled.
        plan = replace(self.plan, computing=self.plan.computing._replace(compiled=UNCOMPILED))
        state = make_state(self.network, plan, checkpoint)
        epoch, first = checkpoint.position.epochs, checkpoint.position.batches
        prepare_training(self.network, plan.learning.at(epoch))
        begun = time.monotonic()
        for number, samples in enumerate(plan.samples(epoch, first), first):
            (too_long,) = plan.world.largest(time.monotonic() - begun > _SECONDS)
            if self.stop() or too_long:
                return None
            plan.pace(state.optimizer, plan.moment(epoch, number, state.history))
            if number == batch:
                return self._origin(plan, state, samples, batch)
            step(plan, state, samples, number)
        return None

    def _origin(self, plan: Plan, state: State, samples: Batch, batch: int) -> Origin | None:
        unsound = {name.rpartition(".")[0] for name in not_finite(self.network)}
        with watched(self.network, self.layers, plan.world) as found:
            step(plan, state, samples, batch)
        if found:
            own = any(owner == found[0] or owner.startswith(f"{found[0]}.") for owner in unsound)
            return Origin(found[0], own)
        rows = state.figures.first(batch + 1).values()
        plan.world.add(rows)
        return None if all(bool(torch.isfinite(each[batch, 0])) for each in rows) else Origin("")


def not_finite(network: nn.Module) -> list[str]:
    """Return the names of the parameters and buffers with numbers that are not finite."""
    return [name for name, each in network.state_dict().items() if not bool(torch.isfinite(each).all())]


@contextmanager
def watched(network: nn.Module, layers: Collection[str] = (), world: World = ALONE) -> Iterator[list[str]]:
    """Yield a list, to which the names of layers are added whose outputs turn out not to be finite, in order.

    ``layers`` are the modules to watch; none for all without modules inside. Of several processes, each of
    which sees its own samples, the list has the first layer of all in the end.
    """
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                found.append(name)

        return look

    chosen = {
        name: module
        for name, module in network.named_modules()
        if (name in layers if layers else not any(module.children()))
    }
    handles = [module.register_forward_hook(watch(name)) for name, module in chosen.items()]
    try:
        yield found
    finally:
        for each in handles:
            each.remove()
    if world.size > 1:
        places = [*chosen]
        own = places.index(found[0]) if found else len(places)
        (last,) = world.largest(-own)
        found[:] = places[-last : 1 - last]

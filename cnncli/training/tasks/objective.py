"""From a network's output to the number that training minimizes: the weighted criteria of all heads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError, counted, usage_error
from cnncli.graph.heads import Heads, head_name, main_head, wrong_tasks
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.tasks.criteria import FORMULAS


class BatchFigures(NamedTuple):
    """The ``objective`` of a batch, which is minimized, and the main head's ``loss`` and ``scores``.

    Objective and loss are means over the batch; the loss is without label smoothing, as in an evaluation, so
    that the two can be compared. The scores are [n, classes].
    """

    objective: Tensor
    loss: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True)
class Objective:
    """The sum over the heads of weight * criterion, and the head whose accuracy is reported."""

    main: str
    tasks: Mapping[str, Task]
    criteria: Mapping[str, str]
    classes: int

    @property
    def chance(self) -> float:
        """The loss of the main head where all classes are equally likely; 1 for distances and lengths."""
        return math.log(self.classes) if CRITERIA[self.main_criterion].of_classes else 1.0

    @property
    def main_criterion(self) -> str:
        """The criterion of the main head."""
        return self.criteria[self.main]

    def __call__(self, output: Tensor | dict[str, Tensor], labels: Tensor) -> BatchFigures:
        """Return what a batch is trained on, and the figures of its main head."""
        outputs = by_head(output)
        terms = [
            self.tasks[head].weight
            * FORMULAS[self.criteria[head]].losses(values, labels, self.tasks[head].smoothing).mean()
            for head, values in outputs.items()
        ]
        objective = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        values, formulas = outputs[self.main].detach(), FORMULAS[self.main_criterion]
        own = self.tasks[self.main]
        alone = len(terms) == 1 and own.weight == 1 and not own.smoothing
        loss = objective.detach() if alone else formulas.losses(values, labels, 0.0).mean()
        return BatchFigures(objective, loss, formulas.scores(values))


def by_head(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's output as head -> values; a network without heads has one head, ``output``."""
    return {OUTPUT: output} if isinstance(output, Tensor) else output


def build_objective(heads: Heads, settings: Recipe, classes: int) -> Objective:
    """Return the objective of a network with these heads, after checking them.

    Raises:
        UsageError: an output is not [classes], a task is that of an unknown head, or a head has a loss where
            its layers determine another.
    """
    check_classes(heads, classes)
    for name, head in heads.items():
        _check_outputs(name, head.shape, classes)
    criteria = {name: head.criterion for name, head in heads.items()}
    wrong = [fault for _, fault in wrong_tasks(settings.tasks, criteria)]
    if wrong:
        raise UsageError(wrong)
    tasks = {name: settings.task(name) for name in heads}
    return Objective(main_head(heads), tasks, criteria, classes)


def check_classes(heads: Heads, classes: int) -> None:
    """Check that the main head has an output for each of ``classes`` classes.

    Raises:
        UsageError: it has another shape.
    """
    main = main_head(heads)
    _check_outputs(main, heads[main].shape, classes)


def check_single_images(network: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Check that a network can be trained on one image at a time; some normalizations cannot.

    Nothing is computed and nothing changes: the network runs with tensors on the meta device in place of its
    own.

    Raises:
        UsageError: it cannot.
    """
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    image = torch.empty((1, *input_shape), device="meta")
    modes = {module: module.training for module in network.modules()}
    network.train()
    try:
        with torch.no_grad():
            torch.func.functional_call(network, state, (image,))
    except ValueError as error:
        raise usage_error(
            f"the network cannot be trained on one image at a time: {error}",
            expected="batches of 2 or more images",
            received="a batch of 1",
            hint="set a larger train.batch",
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode


def check_vectors(heads: Heads) -> None:
    """Check that every output is a vector, before any data is read.

    Raises:
        UsageError: one is a map.
    """
    for name, head in heads.items():
        _check_vector(name, head.shape)


def _check_vector(head: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 1:
        raise usage_error(
            f"{head_name(head)} outputs {shape_text(shape)}",
            expected="a vector with one value for each class",
            hint="end the network with flatten or globalavgpool, and a linear layer",
        )


def _check_outputs(head: str, shape: tuple[int, ...], classes: int) -> None:
    _check_vector(head, shape)
    if shape != (classes,):
        outputs = counted(shape[0], "output")
        raise usage_error(
            f"{head_name(head)} has {outputs}, but the data has {counted(classes, 'class')}",
            expected=counted(classes, "output"),
            received=outputs,
            hint="a variable 'classes' in the spec, used for this output, follows the data",
        )

"""From a network's output to the number that training minimizes: the weighted criteria of all heads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError, counted, usage_error
from cnncli.graph.heads import Heads, head_name, main_head, wrong_tasks
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.metrics import ACCURACY, LOSS, OBJECTIVE, TOP5
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.tasks.criteria import FORMULAS
from cnncli.training.tasks.figures import Sum

_TOP: Final = 5


class Minimized(NamedTuple):
    """The ``objective`` of a batch, which is minimized, and the ``figures`` of the batch."""

    objective: Tensor
    figures: dict[str, Sum]


@dataclass(frozen=True, slots=True)
class Objective:
    """The sum over the heads of weight * criterion, and the figures that are measured of each head.

    Figures of a batch are named ``HEAD.loss`` and ``HEAD.accuracy``, which every head has, ``HEAD.top5``, in
    inference and for five or more classes, and ``objective``, in training.
    """

    main: str
    tasks: Mapping[str, Task]
    criteria: Mapping[str, str]
    classes: int
    training_only: frozenset[str] = frozenset()

    @property
    def chance(self) -> float:
        """The objective where all classes are equally likely; distances and lengths count as 1."""
        return sum(
            task.weight * (math.log(self.classes) if CRITERIA[self.criteria[head]].of_classes else 1.0)
            for head, task in self.tasks.items()
        )

    @property
    def inference(self) -> tuple[str, ...]:
        """The heads that exist in inference."""
        return tuple(head for head in self.tasks if head not in self.training_only)

    def names(self, *, training: bool) -> tuple[str, ...]:
        """Return the names of the figures of a batch."""
        if training:
            return (OBJECTIVE, *(f"{head}.{each}" for head in self.tasks for each in (LOSS, ACCURACY)))
        measured = (LOSS, ACCURACY, TOP5) if self.classes >= _TOP else (LOSS, ACCURACY)
        return tuple(f"{head}.{each}" for head in self.inference for each in measured)

    def __call__(self, output: Tensor | dict[str, Tensor], labels: Tensor) -> Minimized:
        """Return what a batch is trained on, the mean over its samples, and its figures."""
        terms, figures = [], {}
        for head, values in by_head(output).items():
            task, formulas = self.tasks[head], FORMULAS[self.criteria[head]]
            losses = formulas.losses(values, labels, task.smoothing)
            terms.append(task.weight * losses.mean())
            found = values.detach()
            plain = formulas.losses(found, labels, 0.0) if task.smoothing else losses.detach()
            figures[f"{head}.{LOSS}"] = Sum(plain.sum(), len(labels))
            figures[f"{head}.{ACCURACY}"] = Sum(_correct(formulas.scores(found), labels), len(labels))
        objective = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        figures[OBJECTIVE] = Sum(objective.detach() * len(labels), len(labels))
        return Minimized(objective, figures)

    def measure(self, output: Tensor | dict[str, Tensor], labels: Tensor) -> dict[str, Sum]:
        """Return the figures of a batch in inference."""
        figures = {}
        for head, values in by_head(output).items():
            formulas = FORMULAS[self.criteria[head]]
            scores = formulas.scores(values)
            figures[f"{head}.{LOSS}"] = Sum(formulas.losses(values, labels, 0.0).sum(), len(labels))
            figures[f"{head}.{ACCURACY}"] = Sum(_correct(scores, labels), len(labels))
            if self.classes >= _TOP:
                figures[f"{head}.{TOP5}"] = Sum((_ahead(scores, labels) < _TOP).sum(), len(labels))
        return figures

    def scores(self, output: Tensor | dict[str, Tensor]) -> Tensor:
        """Return the main head's scores, which are larger for likelier classes: [n, classes]."""
        return FORMULAS[self.criteria[self.main]].scores(by_head(output)[self.main])

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the figures that are reported, from the means of those of the batches.

        ``loss`` is the sum of weight times loss over the heads that exist in inference, so it is the same sum
        in training and on held-out data; the other figures without a head are the main head's. Those of each
        head follow, if there are several.
        """
        total = sum(self.tasks[head].weight * means[f"{head}.{LOSS}"] for head in self.inference)
        found = {OBJECTIVE: means[OBJECTIVE]} if OBJECTIVE in means else {}
        found[LOSS] = total
        of_heads = {name: value for name, value in means.items() if name != OBJECTIVE}
        for name, value in of_heads.items():
            head, _, metric = name.rpartition(".")
            if head == self.main and metric != LOSS:
                found[metric] = value
        return found | of_heads if len(self.tasks) > 1 else found


def _correct(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how many labels have the largest score, a scalar; NaN is never the largest."""
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    return ((scores.argmax(1) == labels) & ~own.isnan()).sum()


def _ahead(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes are ahead of each image's own class, int64 [n]; the lower number wins a tie.

    Computed from the classes that are *not* ahead, so that a score of NaN never counts as correct.
    """
    own = scores.gather(1, labels.unsqueeze(1))
    number = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (number >= labels.unsqueeze(1)))
    return scores.shape[1] - behind.sum(1)


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
    return _objective(heads, settings, classes)


def measuring_objective(heads: Heads, settings: Recipe, classes: int) -> Objective:
    """Return the objective of a network that is only measured, after checking its heads in inference.

    Raises:
        UsageError: as :func:`build_objective` does.
    """
    check_classes(heads, classes)
    return _objective(heads, settings, classes)


def _objective(heads: Heads, settings: Recipe, classes: int) -> Objective:
    criteria = {name: head.criterion for name, head in heads.items()}
    wrong = [fault for _, fault in wrong_tasks(settings.tasks, criteria)]
    if wrong:
        raise UsageError(wrong)
    tasks = {name: settings.task(name) for name in heads}
    only = frozenset(name for name, head in heads.items() if head.training_only)
    return Objective(main_head(heads), tasks, criteria, classes, only)


def check_classes(heads: Heads, classes: int) -> None:
    """Check that the heads that exist in inference have an output for each of ``classes`` classes.

    Raises:
        UsageError: one has another shape.
    """
    for name, head in heads.items():
        if not head.training_only:
            _check_outputs(name, head.shape, classes)


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

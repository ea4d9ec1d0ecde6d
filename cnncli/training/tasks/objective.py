"""From a network's output to the number that training minimizes: the weighted losses of all heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError, counted, usage_error
from cnncli.graph.heads import Head, Heads, head_name, main_head, wrong_tasks
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.layers.activation import Sigmoid
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.losses import BinaryCrossEntropy
from cnncli.recipe.metrics import LOSS, OBJECTIVE
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.data.normalization import Normalization
from cnncli.training.tasks.criteria import SCORES
from cnncli.training.tasks.figures import Sum
from cnncli.training.tasks.losses import Given, PerSample, class_weights, formula
from cnncli.training.tasks.meters import Meter, meters


class Minimized(NamedTuple):
    """The ``objective`` of a batch, which is minimized, and the ``figures`` of the batch."""

    objective: Tensor
    figures: dict[str, Sum]


class Learned(NamedTuple):
    """What the data says that heads learn from.

    ``counts`` are the training samples of each class, int64 [classes]; None where nothing is trained.
    """

    classes: int
    input_shape: tuple[int, ...]
    normalization: Normalization
    counts: Tensor | None = None
    device: torch.device = torch.device("cpu")


class HeadTask(NamedTuple):
    """What a head is trained with and measured by.

    ``measured`` is without label smoothing and class weights; if it is ``trained`` itself, it is not computed
    twice. ``read`` returns what an output says: scores of classes, or of a head that reproduces its input
    values from 0 to 1. ``chance`` is the loss of guessing.
    """

    weight: float
    trained: PerSample
    measured: PerSample
    read: Callable[[Tensor], Tensor]
    of_classes: bool
    chance: float


class Targets(NamedTuple):
    """What a batch is compared with: labels, int64 [n], or the inputs that the network reads."""

    labels: Tensor
    inputs: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Objective:
    """The sum over the heads of weight * loss, and the figures that are measured of each head.

    Figures of a batch are named ``HEAD.loss``, ``HEAD.accuracy`` and so on (:mod:`cnncli.recipe.metrics`),
    and, in training, ``objective``.
    ``scale`` and ``shift`` lead from bytes to what the network reads.
    """

    main: str
    heads: Mapping[str, HeadTask]
    classes: int
    training_only: frozenset[str]
    scale: Tensor
    shift: Tensor

    @property
    def chance(self) -> float:
        """The objective of guessing."""
        return sum(head.weight * head.chance for head in self.heads.values())

    @property
    def inference(self) -> tuple[str, ...]:
        """The heads that exist in inference."""
        return tuple(head for head in self.heads if head not in self.training_only)

    @property
    def of_classes(self) -> tuple[str, ...]:
        """The heads that exist in inference and have scores of classes."""
        return tuple(head for head in self.inference if self.heads[head].of_classes)

    def names(self, *, training: bool) -> tuple[str, ...]:
        """Return the names of the figures of a batch."""
        measured = tuple(
            f"{name}.{metric}"
            for name in (self.heads if training else self.inference)
            for metric in (LOSS, *self._meters(name, training=training))
        )
        return (OBJECTIVE, *measured) if training else measured

    def _meters(self, head: str, *, training: bool) -> dict[str, Meter]:
        return meters(self.classes, of_classes=self.heads[head].of_classes, training=training)

    def __call__(self, output: Tensor | dict[str, Tensor], targets: Targets) -> Minimized:
        """Return what a batch is trained on, the mean over its samples, and its figures."""
        outputs, count = by_head(output), len(targets.labels)
        terms, figures = [], {}
        for name, values in outputs.items():
            head, target = self.heads[name], self._target(name, values, targets)
            losses = head.trained(values, target)
            terms.append(head.weight * losses.mean())
            found = values.detach()
            plain = losses.detach() if head.measured is head.trained else head.measured(found, target)
            figures[f"{name}.{LOSS}"] = Sum(plain.sum(), count)
            figures |= self._measured(name, found, target, training=True)
        objective = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        figures[OBJECTIVE] = Sum(objective.detach() * count, count)
        return Minimized(objective, figures)

    def measure(self, output: Tensor | dict[str, Tensor], targets: Targets) -> dict[str, Sum]:
        """Return the figures of a batch in inference."""
        figures, count = {}, len(targets.labels)
        for name, values in by_head(output).items():
            head, target = self.heads[name], self._target(name, values, targets)
            figures[f"{name}.{LOSS}"] = Sum(head.measured(values, target).sum(), count)
            figures |= self._measured(name, values, target, training=False)
        return figures

    def _measured(self, head: str, values: Tensor, target: Tensor, *, training: bool) -> dict[str, Sum]:
        said = self.heads[head].read(values)
        return {
            f"{head}.{name}": Sum(meter.total(said, target), len(said))
            for name, meter in self._meters(head, training=training).items()
        }

    def _target(self, head: str, values: Tensor, targets: Targets) -> Tensor:
        """Return labels, or the inputs with values from 0 to 1, as they were before they were normalized."""
        if self.heads[head].of_classes:
            return targets.labels
        pixels = (targets.inputs - self.shift) / (255 * self.scale)
        return pixels.clamp(0, 1).reshape(values.shape)

    def scores(self, output: Tensor | dict[str, Tensor], head: str) -> Tensor:
        """Return the scores of a head, which are larger for likelier classes: [n, classes]."""
        return self.heads[head].read(by_head(output)[head])

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the figures that are reported, from the means of those of the batches.

        ``loss`` is the sum of weight times loss over the heads that exist in inference, so it is the same sum
        in training and on held-out data; the other figures without a head are the main head's. Those of each
        head follow, if there are several.
        """
        total = sum(self.heads[head].weight * means[f"{head}.{LOSS}"] for head in self.inference)
        found = {OBJECTIVE: means[OBJECTIVE]} if OBJECTIVE in means else {}
        found[LOSS] = total
        of_heads = {name: value for name, value in means.items() if name != OBJECTIVE}
        for name, value in of_heads.items():
            head, _, metric = name.rpartition(".")
            if head == self.main and metric != LOSS:
                found[metric] = value
        return found | of_heads if len(self.heads) > 1 else found


def by_head(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's output as head -> values; a network without heads has one head, ``output``."""
    return {OUTPUT: output} if isinstance(output, Tensor) else output


def build_objective(heads: Heads, settings: Recipe, learned: Learned) -> Objective:
    """Return the objective of a network with these heads, after checking them.

    Raises:
        UsageError: the output of a head of classes is not [classes], a task is that of an unknown head, or a
            head cannot learn its task.
    """
    _check_tasks(heads, settings, learned.input_shape)
    for name, head in heads.items():
        if is_of_classes(settings.task(name)):
            _check_outputs(name, head.shape, learned.classes)
    main = main_head(heads)
    only = frozenset(name for name, head in heads.items() if head.training_only)
    tasks = {name: _head_task(name, head, settings.task(name), learned) for name, head in heads.items()}
    scale, shift = learned.normalization.affine(len(learned.input_shape), learned.device)
    return Objective(main, tasks, learned.classes, only, scale, shift)


def measuring_objective(heads: Heads, settings: Recipe, learned: Learned) -> Objective:
    """Return the objective of a network that is only measured; only its heads in inference are checked.

    Raises:
        UsageError: as :func:`build_objective` does.
    """
    _check_tasks(heads, settings, learned.input_shape)
    kept = {name: head for name, head in heads.items() if not head.training_only}
    known = {name: task for name, task in settings.tasks.items() if name in kept}
    return build_objective(kept, settings.replaced({"tasks": known}), learned)


def is_of_classes(task: Task) -> bool:
    """Return whether a head with this task outputs a value for each class."""
    return task.loss is None or task.loss.of_classes


def _check_tasks(heads: Heads, settings: Recipe, input_shape: tuple[int, ...]) -> None:
    endings = {name: head.ending for name, head in heads.items()}
    wrong = [fault for _, fault in wrong_tasks(settings.tasks, endings, input_shape)]
    if wrong:
        raise UsageError(wrong)


def _head_task(name: str, head: Head, task: Task, learned: Learned) -> HeadTask:
    criterion = CRITERIA[head.criterion]
    loss = task.loss if task.loss is not None else criterion.loss()
    given = Given(criterion.name, is_sigmoid=head.ends_in == Sigmoid.keyword)
    measured = trained = formula(loss.measured, given)
    if loss != loss.measured and learned.counts is not None:
        weights = class_weights(loss, learned.counts)
        if weights is not None and weights.shape != learned.counts.shape:
            raise usage_error(
                f"{head_name(name)} has {counted(len(weights), 'class weight')}, "
                f"but the data has {counted(learned.classes, 'class')}",
                expected=counted(learned.classes, "number"),
                received=str(len(weights)),
            )
        weights = None if weights is None else weights.to(learned.device)
        trained = formula(loss, given._replace(weights=weights))
    chance = math.log(learned.classes) if loss.of_classes and criterion.can_choose else 1.0
    read = SCORES[criterion.name]
    if isinstance(loss, BinaryCrossEntropy) and not given.is_sigmoid:
        read = torch.sigmoid
    return HeadTask(task.weight, trained, measured, read, loss.of_classes, chance)


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


def check_vectors(heads: Heads, settings: Recipe) -> None:
    """Check that every output of classes is a vector, before any data is read.

    Raises:
        UsageError: one is a map.
    """
    for name, head in heads.items():
        if is_of_classes(settings.task(name)):
            _check_vector(name, head.shape)


def _check_vector(head: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 1:
        raise usage_error(
            f"{head_name(head)} outputs {shape_text(shape)}",
            expected="a vector with one value for each class",
            hint="end the network with flatten or globalavgpool, and a linear layer, or choose another loss",
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

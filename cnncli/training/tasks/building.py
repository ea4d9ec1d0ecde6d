"""From heads, a recipe and what the data has to the objective of a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.diagnostics import UsageError, counted, usage_error
from cnncli.graph.heads import (
    Head,
    Heads,
    clean_shape,
    head_name,
    loss_of,
    main_head,
    stored_shape,
    wrong_tasks,
)
from cnncli.layers.activation import Sigmoid
from cnncli.recipe.columns import CLASS, INPUT, MASK, PICTURE, Column
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.losses import BALANCED, CrossEntropy, Loss
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.tasks.losses import Given, class_weights, formula
from cnncli.training.tasks.objective import HeadTask, Objective
from cnncli.training.tasks.readings import reading
from cnncli.training.tasks.targets import Target, target_of


class Learned(NamedTuple):
    """What the data says that heads learn from.

    ``clean_shape`` is that of an image before it is corrupted. ``counts`` returns the training samples, or
    pixels, of each class of a column, int64 [classes]; None where nothing is trained. ``unread`` are the
    columns of files that no head learns.
    """

    columns: Mapping[str, Column]
    clean_shape: tuple[int, ...]
    counts: Callable[[str], Tensor] | None = None
    device: torch.device = torch.device("cpu")
    unread: tuple[str, ...] = ()


def build_objective(heads: Heads, settings: Recipe, learned: Learned) -> Objective:
    """Return the objective of a network with these heads, after checking them.

    Raises:
        UsageError: a task is that of an unknown head, or a head cannot learn its task from the data.
    """
    _check_tasks(heads, settings, learned.clean_shape)
    only = frozenset(name for name, head in heads.items() if head.training_only)
    tasks = {name: _head_task(name, head, settings.task(name), learned) for name, head in heads.items()}
    used = {task.target.column for task in tasks.values()}
    columns = {INPUT: Column(PICTURE, (), learned.clean_shape), **learned.columns}
    return Objective(main_head(heads), tasks, only, {name: columns[name] for name in columns if name in used})


def measuring_objective(heads: Heads, settings: Recipe, learned: Learned) -> Objective:
    """Return the objective of a network that is only measured; only its heads in inference are checked.

    Raises:
        UsageError: as :func:`build_objective` does.
    """
    _check_tasks(heads, settings, learned.clean_shape)
    kept = {name: head for name, head in heads.items() if not head.training_only}
    known = {name: task for name, task in settings.tasks.items() if name in kept}
    return build_objective(kept, settings.replaced({"tasks": known}), learned)


def check_tasks(heads: Heads, settings: Recipe, input_shape: tuple[int, ...]) -> None:
    """Check what can be checked of tasks before any data is read.

    Every head is checked, whether or not the recipe names it.

    Raises:
        UsageError: a task is that of an unknown head, or a head cannot learn its task.
    """
    whole = {**{name: Task() for name in heads}, **settings.tasks}
    _check_tasks(heads, settings.replaced({"tasks": whole}), whole_clean(settings, input_shape))


def whole_clean(settings: Recipe, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of images before they are corrupted to that of the input."""
    return whole_shape(clean_shape(settings, input_shape))


def whole_stored(settings: Recipe, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of images as they are read, for an input of this shape."""
    return whole_shape(stored_shape(settings, input_shape))


def clean_of(settings: Recipe, stored: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of images without their margin."""
    return (*stored[:1], *(size - 2 * settings.data.margin for size in stored[1:]))


def _check_tasks(heads: Heads, settings: Recipe, clean: tuple[int, ...]) -> None:
    endings = {name: head.ending for name, head in heads.items()}
    wrong = [fault for _, fault in wrong_tasks(settings.tasks, endings, clean)]
    if wrong:
        raise UsageError(wrong)


def _head_task(name: str, head: Head, task: Task, learned: Learned) -> HeadTask:
    criterion, loss = CRITERIA[head.criterion], loss_of(task, head)
    target = target_of(name, head, task, learned.columns, learned.clean_shape, learned.unread)
    if target.classes is not None:
        target = target._replace(classes=target.classes.to(learned.device))
    given = Given(criterion.name, is_sigmoid=head.ends_in == Sigmoid.keyword)
    measured = trained = _formula(loss.measured, target, given)
    if loss != loss.measured and learned.counts is not None:
        weights = _weights(name, loss, target, learned)
        trained = _formula(loss, target, given._replace(weights=weights))
    of_classes = target.form in (CLASS, MASK) and criterion.can_choose
    chance = math.log(len(target.names)) if of_classes else 1.0
    read = reading(loss, target, given)
    return HeadTask(task.weight, target, trained, measured, read, chance)


def _formula(loss: Loss, target: Target, given: Given) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of each sample; that of one output for two classes takes 0 and 1 as numbers."""
    per_sample = formula(loss, given)
    if not target.binary or target.form != CLASS:
        return per_sample
    return lambda values, labels: per_sample(values, labels.unsqueeze(1).to(values))


def _weights(name: str, loss: Loss, target: Target, learned: Learned) -> Tensor | None:
    """Return the factors of the classes, float32 [classes]; None if all are 1.

    Raises:
        UsageError: a list has another number of them.
    """
    counts = torch.zeros(len(target.names), dtype=torch.int64)
    if isinstance(loss, CrossEntropy) and loss.weights == BALANCED and learned.counts is not None:
        counts = _renumbered(learned.counts(target.column), target)
    weights = class_weights(loss, counts)
    if weights is None:
        return None
    if len(weights) != len(target.names):
        raise usage_error(
            f"{head_name(name)} has {counted(len(weights), 'class weight')}, "
            f"but the data has {counted(len(target.names), 'class')}",
            expected=counted(len(target.names), "number"),
            received=str(len(weights)),
        )
    return weights.to(learned.device)


def _renumbered(counts: Tensor, target: Target) -> Tensor:
    """Return the counts of the classes of a head, from those of the classes of its column."""
    if target.classes is None:
        return counts
    classes = target.classes.cpu()
    kept = classes >= 0
    found = torch.zeros(len(target.names), dtype=torch.int64)
    return found.index_add_(0, classes[kept], counts[kept])

"""What a head is compared with: a column of the data that suits its output."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import UsageError, counted, did_you_mean, listing, usage_error
from cnncli.graph.heads import Head, Heads, column_of, head_name, loss_of, main_head
from cnncli.layers import shape_text
from cnncli.recipe.columns import CLASS, FORMS, INPUT, MASK, NUMBER, PICTURE, TAGS, Column
from cnncli.recipe.data import parse_source
from cnncli.recipe.losses import BinaryCrossEntropy, Dice, Loss
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task
from cnncli.training.data.feed import Batch
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.tasks.figures import Sum

_BINARY: Final = (BinaryCrossEntropy, Dice)
"""The losses that take one output for two classes."""


class Compared(NamedTuple):
    """What outputs of a batch are compared with: one target for each sample, or two if samples are mixed.

    ``weights`` are those of each target, float or bool [n]; None if all are 1. ``samples`` is their sum.
    """

    targets: tuple[Tensor, ...]
    weights: tuple[Tensor, ...] | None
    samples: Tensor | int

    @property
    def alone(self) -> tuple[Tensor, Tensor | None]:
        """The target of each sample, and which have one, bool [n], None for all; of samples not mixed."""
        (target,) = self.targets
        return target, None if self.weights is None else self.weights[0]

    def sum(self, per_sample: Callable[[Tensor, Tensor], Tensor], values: Tensor) -> Sum:
        """Return the weighted sum of what is measured of each sample.

        It is added up as the number of samples is, so that no rounding makes a share of them larger than 1.
        """
        found = [per_sample(values, target) for target in self.targets]
        if self.weights is not None:
            found = [each * weight for each, weight in zip(found, self.weights, strict=True)]
        return Sum((found[0] + found[1] if len(found) > 1 else found[0]).sum(), self.samples)


class Target(NamedTuple):
    """What a head is compared with: the targets of a ``column``, and the names of its classes or numbers.

    ``shape`` is that of the head's output. ``binary`` is whether it has one channel for two classes.
    ``classes`` is the new class of each class of the column, int64, -1 for none; None if classes stay as they
    are. ``leaves_out`` is whether it has a -1.
    """

    column: str
    form: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    binary: bool = False
    classes: Tensor | None = None
    leaves_out: bool = False

    def of(self, batch: Batch) -> Tensor:
        """Return the targets of a batch, as losses and meters take them."""
        found = batch.targets[self.column]
        if self.form == PICTURE:
            return found.reshape(len(found), *self.shape)
        if self.form == MASK:
            return self._mapped(_aligned(found, self.shape[1:]))
        return self._mapped(found).clamp(min=0) if self.classes is not None else found

    def present(self, batch: Batch) -> Tensor | None:
        """Return which samples of a batch have a target, bool [n]; None if all of them have."""
        known, found = batch.present.get(self.column), batch.targets[self.column]
        cut = self.form == MASK and found.shape[1:] != self.shape[1:]
        if not (self.leaves_out or cut):
            return known
        compared = self.of(batch) if cut else self._mapped(found)
        left = (compared >= 0).reshape(len(compared), compared.shape[1:].numel()).any(1)
        return left if known is None else known & left

    def compared(self, batch: Batch) -> Compared:
        """Return what outputs of a batch are compared with.

        Of mixed samples these are the targets of both, with their shares as weights; but pictures are mixed
        themselves.
        """
        own, present, count = self.of(batch), self.present(batch), len(batch.inputs)
        mixed = None if self.form == PICTURE else batch.mixed
        if mixed is None:
            known = (None, count) if present is None else ((present,), present.sum())
            return Compared((own,), *known)
        share, partner = mixed
        targets, theirs = (own, self.of(partner)), self.present(partner)
        if present is None or theirs is None:
            return Compared(targets, (share, 1 - share), count)
        weights = (share * present, (1 - share) * theirs)
        return Compared(targets, weights, (weights[0] + weights[1]).sum())

    def mirrored(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return values of the head, [n, ...], mirrored left to right if they have the axes of the image.

        ``shape`` is that of the column, if it is one of pictures.
        """
        if self.form == MASK:
            return values.flip(-1)
        if self.form == PICTURE:
            return values.reshape(len(values), *shape).flip(-1).reshape(values.shape)
        return values

    def _mapped(self, labels: Tensor) -> Tensor:
        if self.classes is None:
            return labels
        if self.form == CLASS:
            return self.classes[labels]
        return torch.where(labels >= 0, self.classes[labels.clamp(min=0)], NO_CLASS)


def _aligned(mask: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return masks [n, *spatial] at the size of an output.

    An output that is a whole number of times smaller has a stride: of that many pixels the one in the middle
    is kept. Otherwise borders were lost in convolutions without padding: the middle of the mask is kept, as
    U-Net does (Ronneberger, Fischer and Brox, 2015).
    """
    for axis, (received, wanted) in enumerate(zip(mask.shape[1:], size, strict=True), 1):
        if received == wanted:
            continue
        step = received // wanted
        if received == step * wanted:
            places = torch.arange(wanted, device=mask.device) * step + step // 2
            mask = mask.index_select(axis, places)
        else:
            mask = mask.narrow(axis, (received - wanted) // 2, wanted)
    return mask


def wanted_shapes(heads: Heads, recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the outputs that are maps, by the columns of the data that they learn."""
    shapes = {}
    for name, head in heads.items():
        column = column_of(recipe.task(name), head)
        if len(head.shape) > 1 and column != INPUT:
            shapes[column] = head.shape
    return shapes


def check_columns(heads: Heads, recipe: Recipe) -> None:
    """Check before anything is read that the source of the data gives what heads learn, if that is known.

    Raises:
        UsageError: it does not.
    """
    source, _ = parse_source(recipe.data.source)
    if not source.columns:
        return
    for name, head in heads.items():
        task = recipe.task(name)
        column = column_of(task, head)
        if column not in (*source.columns, INPUT):
            raise _no_column(name, column, loss_of(task, head), source.columns)


def main_classes(heads: Heads, recipe: Recipe, columns: Mapping[str, Column]) -> int:
    """Return how many classes, or tags, the main head has in the data; 0 if it learns neither."""
    name = main_head(heads)
    task = recipe.task(name)
    found = columns.get(column_of(task, heads[name]))
    if found is None or found.form not in (CLASS, MASK, TAGS):
        return 0
    return len(task.target.classes or found.names)


def target_of(
    name: str,
    head: Head,
    task: Task,
    columns: Mapping[str, Column],
    clean_shape: tuple[int, ...],
    unread: Sequence[str] = (),
) -> Target:
    """Return what a head is compared with.

    Args:
        name: the head's name.
        head: its output.
        task: what it learns.
        columns: what the data has.
        clean_shape: that of an image before it is corrupted.
        unread: the columns of files that no head learns.

    Raises:
        UsageError: the data does not have it, or it does not suit the loss or the output.
    """
    column, loss = column_of(task, head), loss_of(task, head)
    found = {INPUT: Column(PICTURE, (), clean_shape), **columns}.get(column)
    if found is None:
        raise _no_column(name, column, loss, [*columns, *unread])
    if found.form not in loss.accepts:
        suited = listing([FORMS[each].what for each in loss.accepts], last=" or ")
        raise usage_error(
            f"{head_name(name)} cannot learn '{column}' by {loss.keyword}: it is {FORMS[found.form].what}",
            expected=suited,
            received=FORMS[found.form].what,
        )
    names, classes = _new_classes(name, task, column, found)
    _check_several(name, column, found, names)
    binary = isinstance(loss, _BINARY) and head.shape[0] == 1 and found.form in (CLASS, MASK)
    leaves_out = not all(task.target.map)
    target = Target(column, found.form, names, head.shape, binary, classes, leaves_out)
    _check_shape(name, target, found, clean_shape)
    return target


def _no_column(name: str, column: str, loss: Loss, columns: Collection[str]) -> UsageError:
    hint = did_you_mean(column, columns)
    if not hint and PICTURE in loss.accepts:
        hint = f"{{{loss.keyword}: {{}}, target: {INPUT}}} reproduces the input"
    return usage_error(
        f"{head_name(name)} learns '{column}' by {loss.keyword}, which the data does not have",
        expected=listing([*columns, INPUT], last=" or "),
        received=column,
        hint=hint or "train.tasks says what each head learns, and train.data.source where it comes from",
    )


def _new_classes(name: str, task: Task, column: str, found: Column) -> tuple[tuple[str, ...], Tensor | None]:
    """Return the names of the classes after the task's map, and the new class of each class."""
    if not task.target.map:
        return found.names, None
    if found.form not in (CLASS, MASK) or len(task.target.map) != len(found.names):
        classes = (
            counted(len(found.names), "class") if found.form in (CLASS, MASK) else FORMS[found.form].what
        )
        count = counted(len(task.target.map), "class")
        raise usage_error(
            f"{head_name(name)} has a map of {count}, but '{column}' has {classes}",
            expected=f"a new class for each of {listing(found.names)}",
            received=listing([each or "null" for each in task.target.map]),
        )
    names = task.target.classes
    numbers = [names.index(each) if each else NO_CLASS for each in task.target.map]
    return names, torch.tensor(numbers, dtype=torch.int64)


def _check_several(name: str, column: str, found: Column, names: Sequence[str]) -> None:
    """Check that there is something to tell apart.

    Raises:
        UsageError: a column of classes has fewer than two, or one of tags has none.
    """
    least = {CLASS: 2, MASK: 2, TAGS: 1}.get(found.form, 0)
    if len(names) < least:
        has = f"{counted(len(names), _UNITS[found.form])}{f': {names[0]}' if names else ''}"
        raise usage_error(
            f"{head_name(name)} learns '{column}', but all that there is to learn is {has}",
            expected=f"{counted(least, _UNITS[found.form])} or more",
            received=has,
        )


_UNITS: Final = {CLASS: "class", MASK: "class", TAGS: "tag", NUMBER: "number"}


def _check_shape(name: str, target: Target, found: Column, clean_shape: tuple[int, ...]) -> None:
    """Check that an output has the shape of its targets.

    Raises:
        UsageError: it does not.
    """
    shape, who = target.shape, head_name(name)
    if target.form == PICTURE:
        same = shape == found.shape if target.column != INPUT else _values(shape) == _values(found.shape)
        if not same:
            expected = shape_text(found.shape)
            message = f"{who} outputs {shape_text(shape)}, but '{target.column}' is {expected}"
            raise usage_error(message, expected=expected, received=shape_text(shape))
        return
    axes = len(clean_shape) if target.form == MASK else 1
    if len(shape) != axes:
        raise usage_error(
            f"{who} outputs {shape_text(shape)}, which cannot be compared with {FORMS[target.form].what}",
            expected="a map of the input's axes" if target.form == MASK else "a vector",
            received=shape_text(shape),
            hint=""
            if target.form == MASK
            else "end the network with flatten or globalavgpool, and a linear layer",
        )
    if any(ours > theirs for ours, theirs in zip(shape[1:], clean_shape[1:], strict=False)):
        raise usage_error(
            f"{who} outputs {shape_text(shape)}, larger than its masks",
            expected=f"at most {shape_text(clean_shape[1:])}",
            received=shape_text(shape[1:]),
        )
    count = 1 if target.binary and len(target.names) == 2 else len(target.names)
    if shape[0] != count:
        unit = _UNITS[target.form]
        outputs = counted(shape[0], "output" if target.form != MASK else "channel")
        raise usage_error(
            f"{who} has {outputs}, but the data has {counted(len(target.names), unit)}",
            expected=counted(count, "output" if target.form != MASK else "channel"),
            received=outputs,
            hint="a variable 'classes' in the spec, used for this output, follows the data"
            if unit in ("class", "tag")
            else "",
        )


def _values(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()

"""From a network's output to the number that training minimizes: the weighted criteria of all heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.recipe.criteria import CRITERIA
from cnncli.recipe.train import Train
from cnncli.training.tasks.criteria import FORMULAS, criterion_of


@dataclass(frozen=True, slots=True)
class Objective:
    """The sum over the heads of weight * criterion, and the head whose accuracy is reported."""

    main: str
    weights: Mapping[str, float]
    label_smoothing: float
    criteria: Mapping[str, str]

    def __call__(self, output: Tensor | dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss (a scalar, mean over the batch) and the main head's scores [n, classes]."""
        outputs = by_head(output)
        terms = [
            self.weights.get(head, 1.0)
            * FORMULAS[self.criteria[head]].losses(values, labels, self.label_smoothing).mean()
            for head, values in outputs.items()
        ]
        loss = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        return loss, FORMULAS[self.criteria[self.main]].scores(outputs[self.main])


def by_head(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's output as head -> values; a network without heads has one head, ``output``."""
    return {OUTPUT: output} if isinstance(output, Tensor) else output


def build_objective(
    network: nn.Module,
    settings: Train,
    input_shape: tuple[int, ...],
    classes: int,
    smallest_batch: int,
) -> Objective:
    """Return the objective of a network, after checking its outputs.

    The main head, whose accuracy is reported, is the first one that the network has in inference.

    Args:
        network: the network to train; it is not changed.
        settings: label smoothing and the weights of the heads.
        input_shape: the shape of one image.
        classes: the number of classes of the data.
        smallest_batch: the size of the smallest batch of the training.

    Raises:
        UsageError: an output is not [classes], a weight is for an unknown head, the smallest batch is too
            small for batch normalization, or label smoothing is set for a head whose criterion has none.
    """
    main = check_classes(network, input_shape, classes)
    try:
        heads = _shapes(network, input_shape, smallest_batch, training=True)
    except ValueError as error:
        if smallest_batch > 1:
            raise
        raise usage_error(
            f"the network cannot be trained on one image at a time: {error}",
            expected="batches of 2 or more images",
            received=f"a batch of {smallest_batch}",
            hint="set a larger train.batch",
        ) from error
    for head, shape in heads.items():
        _check_outputs(head, shape, classes)
    for head in settings.losses:
        if head not in heads:
            raise usage_error(
                f"'losses' has a weight for '{head}', but the network has no such head",
                expected=listing([*heads], last=" or "),
                received=head,
                hint=did_you_mean(head, heads),
            )
    criteria = {head: criterion_of(network, head) for head in heads}
    _check_smoothing(settings.label_smoothing, criteria)
    return Objective(main, dict(settings.losses), settings.label_smoothing, criteria)


def _check_smoothing(smoothing: float, criteria: Mapping[str, str]) -> None:
    others = [(head, name) for head, name in criteria.items() if not CRITERIA[name].smooths]
    if smoothing and others:
        head, name = others[0]
        smoothing_ones = [each.name for each in CRITERIA.values() if each.smooths]
        raise usage_error(
            f"label_smoothing has no effect on {_name(head)}, whose criterion is '{name}'",
            expected=f"label_smoothing: 0, or a head trained with {listing(smoothing_ones, last=' or ')}",
            received=f"label_smoothing: {smoothing:g}",
        )


def check_classes(network: nn.Module, input_shape: tuple[int, ...], classes: int) -> str:
    """Check that a network has an output for each of ``classes`` classes; return the name of its main head.

    Nothing is computed: the network runs with tensors on the meta device in place of its own.

    Raises:
        UsageError: the shape of the main output is not [classes].
    """
    main, shape = next(iter(_shapes(network, input_shape, 2, training=False).items()))
    _check_outputs(main, shape, classes)
    return main


def _shapes(
    network: nn.Module, input_shape: tuple[int, ...], batch: int, *, training: bool
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every output; neither the network's tensors nor its mode change."""
    tensors = (*network.named_parameters(), *network.named_buffers())
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
    images = torch.empty((batch, *input_shape), device="meta")
    modes = {module: module.training for module in network.modules()}
    network.train(training)
    try:
        with torch.no_grad():
            output = torch.func.functional_call(network, state, (images,))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return {head: tuple(values.shape[1:]) for head, values in by_head(output).items()}


def check_vectors(outputs: Mapping[str, tuple[int, ...]]) -> None:
    """Check that every output is a vector, before any data is read.

    Raises:
        UsageError: one is a map.
    """
    for head, shape in outputs.items():
        if len(shape) != 1:
            raise usage_error(
                f"{_name(head)} outputs {shape_text(shape) or 'a single value'}",
                expected="a vector with one value for each class",
                hint="end the network with flatten or globalavgpool, and a linear layer",
            )


def _check_outputs(head: str, shape: tuple[int, ...], classes: int) -> None:
    check_vectors({head: shape})
    if shape != (classes,):
        raise usage_error(
            f"{_name(head)} has {_count(shape[0], 'output')}, but the data has {_count(classes, 'class')}",
            expected=_count(classes, "output"),
            received=_count(shape[0], "output"),
            hint=f"--set classes={classes}, if the spec has this variable",
        )


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _name(head: str) -> str:
    return "the network" if head == OUTPUT else f"head '{head}'"

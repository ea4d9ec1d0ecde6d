"""From a network's output to one number to minimize: the criterion of each head, weighted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.language.description import OUTPUT
from cnncli.language.sections import Train
from cnncli.training.data.resize import text
from cnncli.training.tasks.criteria import Criterion, criterion_of


@dataclass(frozen=True, slots=True)
class Objective:
    """The sum over the heads of weight * criterion, and which head is measured."""

    main: str
    weights: Mapping[str, float]
    label_smoothing: float
    criteria: Mapping[str, Criterion]

    def __call__(self, output: Tensor | dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss (a scalar, mean over the batch) and the main head's scores [n, classes]."""
        outputs = by_head(output)
        terms = [
            self.weights.get(head, 1.0)
            * self.criteria[head].losses(values, labels, self.label_smoothing).mean()
            for head, values in outputs.items()
        ]
        loss = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        return loss, self.criteria[self.main].scores(outputs[self.main])


def by_head(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """A network's output as head -> logits; a network without heads has one, ``output``."""
    return {OUTPUT: output} if isinstance(output, Tensor) else output


def build_objective(
    network: nn.Module,
    settings: Train,
    input_shape: tuple[int, ...],
    classes: int,
    smallest_batch: int,
) -> Objective:
    """The objective of a network, after a look at what it puts out.

    The main head, whose accuracy is reported, is the first that the network has outside of training.

    Args:
        network: the network to train; it is not changed.
        settings: label smoothing and the weights of the heads.
        input_shape: the shape of one image.
        classes: how many classes the data has.
        smallest_batch: of all the batches that training will use.

    Raises:
        UsageError: where an output is not [classes], a weight names no head, the smallest batch is too
            small for the network's batch normalization, or label smoothing is set for a head that is
            trained by something else than cross-entropy.
    """
    main = check_classes(network, input_shape, classes)
    try:
        heads = _shapes(network, input_shape, smallest_batch, training=True)
    except ValueError as error:
        if smallest_batch > 1:
            raise
        raise usage_error(
            f"the network cannot be trained on one image at a time: {error}",
            expected="a batch of 2 or more",
            received=f"a batch of {smallest_batch}",
            hint="give a larger --batch",
        ) from error
    for head, shape in heads.items():
        _check_logits(head, shape, classes)
    for head in settings.losses:
        if head not in heads:
            raise usage_error(
                f"losses has a weight for '{head}', which is no head of the network",
                expected=" or ".join(heads),
                received=head,
                hint=did_you_mean(head, heads),
            )
    criteria = {head: criterion_of(network, head) for head in heads}
    _check_smoothing(settings.label_smoothing, criteria)
    return Objective(main, dict(settings.losses), settings.label_smoothing, criteria)


def _check_smoothing(smoothing: float, criteria: Mapping[str, Criterion]) -> None:
    others = [head for head, criterion in criteria.items() if not criterion.smooths]
    if smoothing and others:
        raise usage_error(
            "label_smoothing is for cross-entropy, which is not what this network is trained by",
            expected="label_smoothing: 0",
            received=f"{smoothing:g} with the output '{others[0]}'",
        )


def check_classes(network: nn.Module, input_shape: tuple[int, ...], classes: int) -> str:
    """Check that a network tells ``classes`` classes apart; returns the name of its main head.

    Nothing is computed: the network runs with tensors of the meta device in place of its own.

    Raises:
        UsageError: where the shape of the main output is not [classes].
    """
    main, shape = next(iter(_shapes(network, input_shape, 2, training=False).items()))
    _check_logits(main, shape, classes)
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
    """Check that every output is a list of values, one for each class, before any data is read.

    Raises:
        UsageError: one is a map.
    """
    for head, shape in outputs.items():
        if len(shape) != 1:
            raise usage_error(
                f"{_name(head)} puts out {text(shape)}, which is no list of classes",
                expected="a value for each class",
                received=text(shape) or "a single value",
                hint="end the network with flatten or globalavgpool, and a linear layer",
            )


def _check_logits(head: str, shape: tuple[int, ...], classes: int) -> None:
    check_vectors({head: shape})
    if shape != (classes,):
        raise usage_error(
            f"{_name(head)} tells {shape[0]} classes apart, but the data has {classes}",
            expected=f"{classes} outputs",
            received=f"{shape[0]} outputs",
            hint=f"--set classes={classes}, where the spec has such a var",
        )


def _name(head: str) -> str:
    return "the network" if head == OUTPUT else f"head '{head}'"

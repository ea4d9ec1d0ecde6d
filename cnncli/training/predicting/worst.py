"""The samples of an evaluation with the largest losses: what is said of them, and what is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import shortened
from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE, TAGS
from cnncli.results.predictions import Said
from cnncli.training.data.feed import Batch
from cnncli.training.pictures.answers import Cell, answers, pixels
from cnncli.training.predicting.answers import read
from cnncli.training.predicting.figure import shown_map
from cnncli.training.tasks.objective import HeadTask, Objective

WORST: Final = 12
"""How many samples are kept."""
_NAMES: Final = 16
_TRULY: Final = ", true"


class _Kept(NamedTuple):
    """Samples with the largest losses so far, the worst first, each [k, ...]."""

    losses: Tensor
    inputs: Tensor
    outputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    present: Mapping[str, Tensor]

    def chosen(self, index: Tensor) -> _Kept:
        """Return some of them."""
        return _Kept(self.losses[index], self.inputs[index], *(_each(of, index) for of in self[2:]))

    def with_others(self, others: _Kept) -> _Kept:
        """Return both."""
        joined = (
            {name: torch.cat([own[name], more[name]]) for name in own}
            for own, more in zip(self[2:], others[2:], strict=True)
        )
        return _Kept(
            torch.cat([self.losses, others.losses]), torch.cat([self.inputs, others.inputs]), *joined
        )


def _each(tensors: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    return {name: each[index] for name, each in tensors.items()}


class Worst:
    """Keeps the samples of an evaluation with the largest objective, of which a head has a target."""

    def __init__(self, objective: Objective) -> None:
        """Begin without a sample."""
        self._objective = objective
        self._kept: _Kept | None = None

    def heard(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Keep the worst samples of a batch and of those before it."""
        losses = torch.zeros(len(batch.inputs), device=batch.inputs.device)
        targets, present = {}, {}
        for name, values in outputs.items():
            head = self._objective.heads[name]
            targets[name], known = head.target.compared(batch).alone
            present[name] = torch.ones_like(losses, dtype=torch.bool) if known is None else known
            losses += head.weight * head.measured(values, targets[name]) * present[name]
        found = _Kept(losses, batch.inputs, outputs, targets, present)
        found = found.chosen(_largest(losses))
        if self._kept is not None:
            found = self._kept.with_others(found)
            found = found.chosen(_largest(found.losses))
        self._kept = found

    def picture(self, title: str, images: Callable[[Tensor], Tensor]) -> bytes:
        """Return the content of a PNG file with these samples, the worst first; at least one was heard.

        Args:
            title: what is written above them.
            images: returns images with values from 0 to 1, float32 [k, channels, height, width], from inputs.

        Raises:
            UsageError: matplotlib is not installed.
        """
        assert self._kept is not None
        seen = images(self._kept.inputs)
        return answers([self._cell(number, image) for number, image in enumerate(seen)], title)

    def _cell(self, number: int, image: Tensor) -> Cell:
        kept = self._kept
        assert kept is not None
        said, maps, right = dict[str, Said](), dict[str, Any](), dict[str, frozenset[str]]()
        truths = []
        for name, values in kept.outputs.items():
            head, one = self._objective.heads[name], values[number : number + 1]
            target, known = kept.targets[name][number], bool(kept.present[name][number])
            said[name] = next(read(head, one))
            if head.target.form in (CLASS, TAGS):
                right[name] = frozenset(_true(head, target)) if known else frozenset()
                truths += sorted(right[name])
            elif head.target.form == NUMBER:
                said[name] = _beside(said[name], target, known=known)
            else:
                maps[name] = shown_map(self._objective, name, head.reading.said(one)[0])
                said[f"{name}{_TRULY}"] = Said(PICTURE)
                maps[f"{name}{_TRULY}"] = shown_map(self._objective, name, target, is_target=True)
        true = f"true: {shortened(', '.join(truths), _NAMES)}, " if truths else ""
        caption = f"{true}loss {float(kept.losses[number]):.3g}"
        return Cell(pixels(image), caption, said, maps, _colors(self._objective), right)


def _largest(losses: Tensor) -> Tensor:
    """Return the numbers of the largest losses; of equal ones those that come first."""
    return losses.sort(stable=True, descending=True).indices[:WORST]


def _true(head: HeadTask, target: Tensor) -> Iterator[str]:
    """Yield the class of a sample, or its tags."""
    if head.target.form == CLASS:
        yield head.target.names[int(target)]
    else:
        yield from (head.target.names[place] for place in target.nonzero().flatten().tolist())


def _beside(said: Said, target: Tensor, *, known: bool) -> Said:
    """Return numbers with the true ones beside them."""
    numbers = {}
    for (name, value), true in zip(said.numbers.items(), target.tolist(), strict=True):
        numbers[name] = value
        if known:
            numbers[f"{name}{_TRULY}"] = true
    return said._replace(numbers=numbers)


def _colors(objective: Objective) -> dict[str, dict[str, int]]:
    return {
        name: {each: place for place, each in enumerate(head.target.names)}
        for name, head in objective.heads.items()
        if head.target.form == MASK
    }

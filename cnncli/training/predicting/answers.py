"""What the heads of a network say of images, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE, TAGS, Column
from cnncli.results.predictions import Answer, Guess, Said
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.tasks.objective import HeadTask, Objective

_GUESSES: Final = 5


def answers(
    objective: Objective, paths: Sequence[Path], outputs: Mapping[str, Tensor], labels: Mapping[str, Tensor]
) -> list[Answer]:
    """Return what the heads say of the images at ``paths``.

    Args:
        objective: how the heads are read.
        paths: of n images.
        outputs: of the heads, each [n, ...].
        labels: the classes of the images by head, int64 [n], -1 where they are not known.
    """
    said = {name: read(objective.heads[name], values) for name, values in outputs.items()}
    found = []
    for number, path in enumerate(paths):
        heads = {}
        for name, each in said.items():
            one, label = next(each), int(labels[name][number]) if name in labels else NO_CLASS
            true = objective.heads[name].target.names[label] if label >= 0 else ""
            heads[name] = one._replace(true=true) if true else one
        found.append(Answer(str(path), heads))
    return found


def labels_of(
    objective: Objective, columns: Mapping[str, Column], paths: Sequence[Path]
) -> dict[str, Tensor]:
    """Return the classes of images by head, int64 [n]: -1 unless the name of their folder is that of one."""
    found = {}
    for name in objective.inference:
        target = objective.heads[name].target
        if target.form != CLASS:
            continue
        numbers = {each: number for number, each in enumerate(columns[target.column].names)}
        stored = torch.tensor([numbers.get(path.absolute().parent.name, NO_CLASS) for path in paths])
        known = stored if target.classes is None else target.classes.cpu()[stored]
        found[name] = torch.where(stored >= 0, known, NO_CLASS)
    return found


def read(head: HeadTask, values: Tensor) -> Iterator[Said]:
    """Return what a head says of each image."""
    return _IN_WORDS[head.target.form](head, head.reading.said(values))


def _classes(head: HeadTask, scores: Tensor) -> Iterator[Said]:
    return _guesses(head, head.reading.probabilities(scores), CLASS)


def _tags(head: HeadTask, probabilities: Tensor) -> Iterator[Said]:
    return _guesses(head, probabilities, TAGS)


def _masks(head: HeadTask, scores: Tensor) -> Iterator[Said]:
    """Yield the classes that most pixels have, [n, classes, *spatial]; those of no pixel are left out."""
    classes = scores.argmax(1).flatten(1).cpu()
    counts = torch.stack([torch.bincount(each, minlength=scores.shape[1]) for each in classes])
    for said in _guesses(head, counts / classes.shape[1], MASK):
        yield Said(MASK, tuple(guess for guess in said.guesses if guess.probability))


def _guesses(head: HeadTask, shares: Tensor, form: str) -> Iterator[Said]:
    """Yield the five largest shares, [n, classes]; of equal ones those of the lower numbers come first."""
    ordered = shares.sort(stable=True, dim=1, descending=True)
    found, numbers = (each[:, :_GUESSES].tolist() for each in ordered)
    names = head.target.names
    for own, places in zip(found, numbers, strict=True):
        yield Said(form, tuple(Guess(names[place], share) for share, place in zip(own, places, strict=True)))


def _numbers(head: HeadTask, values: Tensor) -> Iterator[Said]:
    for own in values.tolist():
        yield Said(NUMBER, numbers=dict(zip(head.target.names, own, strict=True)))


def _pictures(_: HeadTask, values: Tensor) -> Iterator[Said]:
    return (Said(PICTURE) for _ in values)


_IN_WORDS: Final[Mapping[str, Callable[[HeadTask, Tensor], Iterator[Said]]]] = {
    CLASS: _classes,
    TAGS: _tags,
    NUMBER: _numbers,
    MASK: _masks,
    PICTURE: _pictures,
}

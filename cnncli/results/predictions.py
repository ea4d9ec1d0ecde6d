"""What a network says of images that somebody gave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic

_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


class Guess(NamedTuple):
    """A class or a tag and its probability; of a mask the share of the pixels that have this class."""

    name: str
    probability: float


class Said(NamedTuple):
    """What a head says of an image, by the ``form`` of its target (:mod:`cnncli.recipe.columns`).

    ``guesses`` are the five most probable classes or tags, or the five most frequent classes of a mask, the
    first ones first. ``true`` is the class of the image, if the name of its folder is that of a class.
    ``numbers`` are by their names. Of a picture there is nothing to say in words.
    """

    form: str
    guesses: tuple[Guess, ...] = ()
    true: str = ""
    numbers: Mapping[str, float] = _NOTHING


class Answer(NamedTuple):
    """What the heads of a network say of an image, whose name is as it was given."""

    image: str
    heads: Mapping[str, Said]


class Predicted(NamedTuple):
    """What the network ``name`` says of images.

    ``weights`` are those of the run. ``unreadable`` has an error for each image that cannot be read or
    converted. ``written`` is what was written, with ``pictured`` images, if something was asked for.
    """

    name: str
    weights: Path
    answers: tuple[Answer, ...]
    unreadable: tuple[Diagnostic, ...]
    notes: tuple[str, ...]
    written: Path | None = None
    pictured: int = 0

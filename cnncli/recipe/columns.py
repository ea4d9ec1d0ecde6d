"""What data gives for each sample beside its image: columns, and the forms that they have.

``training/data/`` reads them, ``training/tasks/`` compares outputs with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

CLASS: Final = "class"
TAGS: Final = "tags"
NUMBER: Final = "number"
MASK: Final = "mask"
PICTURE: Final = "picture"


class Form(NamedTuple):
    """A form of targets: what a sample has, as messages say it, and the usual name of such a column."""

    name: str
    what: str
    usual: str
    help: str


FORMS: Final[Mapping[str, Form]] = {
    each.name: each
    for each in (
        Form(CLASS, "a class", "label", "one of several classes"),
        Form(TAGS, "tags", "labels", "any number of several tags"),
        Form(NUMBER, "numbers", "value", "one or more numbers"),
        Form(MASK, "a mask", "mask", "a class for each pixel; pixels of 255 are ignored"),
        Form(PICTURE, "a picture", "target", "another image, with values from 0 to 1"),
    )
}
LABEL: Final = FORMS[CLASS].usual
INPUT: Final = "input"
"""The name of the column that every data set has: the image itself, before it is corrupted."""

USUAL: Final[Mapping[str, str]] = {each.usual: each.name for each in FORMS.values()} | {INPUT: PICTURE}
"""The forms of the columns that have these names."""


class Column(NamedTuple):
    """A column of a data set: its form, and the names of its classes, tags or numbers.

    ``shape`` is that of a picture, (channels, *spatial).
    """

    form: str
    names: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()


def class_names(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Return the names of the classes of the column ``label``; none without one."""
    return columns[LABEL].names if LABEL in columns else ()

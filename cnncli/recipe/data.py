"""Sources of data, and the rules that give images the size of the input.

``training/data/load.py`` reads the sources, ``training/data/resize.py`` applies the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self

from cnncli.diagnostics import SpecError, UsageError, did_you_mean, listing, usage_error
from cnncli.language.fields import Record, arg
from cnncli.language.nested import ByName
from cnncli.language.readers import Choice, Number, Text, Whole
from cnncli.language.scope import Argument
from cnncli.limits import MAX_MARGIN
from cnncli.recipe.columns import FORMS, LABEL, TAGS

_PATHS: Final = ("DIR", "FILE")


class Source(NamedTuple):
    """A kind of place that labeled images are read from.

    ``place`` is what follows the name and a colon: ``DIR``, ``FILE``, a text of another form, or nothing.
    ``settings`` are those of :class:`Data` that only some sources use. ``columns`` are those that it gives
    beside images; none if that depends on its files.
    """

    name: str
    place: str
    help: str
    settings: tuple[str, ...] = ()
    columns: tuple[str, ...] = (LABEL,)

    @property
    def is_path(self) -> bool:
        """Whether it is read from a file or a folder that exists."""
        return self.place in _PATHS

    @property
    def form(self) -> str:
        """How it is written: ``idx:DIR``."""
        return f"{self.name}:{self.place}" if self.place else self.name


SOURCES: Final[Mapping[str, Source]] = {
    each.name: each
    for each in (
        Source(
            "digits",
            "",
            "1,797 handwritten digits of 8x8 pixels, bundled with cnncli; a fixed fifth is held out",
        ),
        Source(
            "scenes",
            "",
            "2,400 images with one to three of these digits each, made at the size of the input; with masks",
            columns=("mask", "labels", "value", "background"),
        ),
        Source("idx", "DIR", "the files of the MNIST family, gzipped or not", ("first_label",)),
        Source(
            "folder",
            "DIR",
            "images in DIR/train/CLASS/ and DIR/test/CLASS/, or in DIR/CLASS/ with a fixed fifth held out",
            ("skip",),
        ),
        Source(
            "npz",
            "FILE",
            "NumPy arrays x_train, y_train, x_test, y_test; perhaps x_val, y_val",
            ("first_label",),
        ),
        Source(
            "csv",
            "FILE",
            "a table with a column of image files, and columns of classes, tags, numbers, masks or pictures",
            ("skip", "columns"),
            columns=(),
        ),
        Source(
            "pairs",
            "DIR",
            "images in DIR/images/, with files of the same names in DIR/masks/ or DIR/targets/",
            ("skip",),
            columns=(),
        ),
        Source(
            "coco",
            "FILE",
            "a JSON file of COCO annotations; the categories in an image are its tags",
            ("skip", "images"),
            columns=(FORMS[TAGS].usual,),
        ),
        Source(
            "shards",
            "PATTERN",
            "tar archives of WebDataset, such as 'shards:data/train-{000..010}.tar', also at http addresses",
            ("skip", "first_label"),
        ),
        Source(
            "hf",
            "NAME",
            "a data set of Hugging Face's library, by name or in a folder that save_to_disk has written",
            ("skip", "first_label"),
        ),
        Source("packed", "DIR", "what 'cnncli pack' made of another source, mapped into memory", columns=()),
    )
}
SOURCE_FORMS: Final = listing([each.form for each in SOURCES.values()], last=" or ")
"""All forms, as text: ``digits, scenes, idx:DIR, ...``."""


class Place(NamedTuple):
    """A source and the path that was given with it; the path is empty for a source without a place."""

    source: Source
    path: str


def parse_source(text: str) -> Place:
    """Return the source that a text such as ``idx:DIR`` names.

    Raises:
        UsageError: there is no such source, or its path is missing or not allowed.
    """
    name, colon, path = text.partition(":")
    source = SOURCES.get(name)
    if source is None:
        message = f"unknown data source '{name}'"
        raise usage_error(message, expected=SOURCE_FORMS, received=text, hint=_hint(text, name))
    if bool(path) != bool(source.place) or (colon and not source.place):
        message = f"{name} needs a path" if source.place else f"{name} takes no path"
        raise usage_error(message, expected=source.form, received=text)
    return Place(source, path)


def are_alike(one: str, other: str) -> bool:
    """Return whether two sources are of one kind: only then the same images are split off for validation."""
    return parse_source(one).source == parse_source(other).source


class SourceText(Text):
    """The form of a data source."""

    expected = SOURCE_FORMS

    def read(self, argument: Argument) -> str:
        text = super().read(argument)
        try:
            parse_source(text)
        except UsageError as error:
            raise SpecError(
                each._replace(code="value", location=argument.location) for each in error.diagnostics
            ) from None
        return text


def _hint(text: str, name: str) -> str:
    try:
        path = Path(text).expanduser()
        of_folders, of_files = bool(text) and path.is_dir(), path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user, with a null character
        of_folders = of_files = False
    wanted = "DIR" if of_folders else "FILE" if of_files else None
    forms = [f"'{each.name}:{text}'" for each in SOURCES.values() if each.place == wanted]
    return f"did you mean {listing(forms, last=' or ')}?" if forms else did_you_mean(name, SOURCES)


class ResizeRule(NamedTuple):
    """A way to give images another height and width."""

    name: str
    help: str


RESIZE_RULES: Final[Mapping[str, ResizeRule]] = {
    each.name: each
    for each in (
        ResizeRule("crop", "the largest part from the middle that has the input's aspect ratio, resized"),
        ResizeRule("pad", "centered in zeros, as they are; larger images are shrunk until they fit"),
        ResizeRule("stretch", "resized without keeping the aspect ratio"),
    )
}


DEFAULT_HOLDOUT: Final = 0.1
"""The share that is split off for validation if a training needs it, and the recipe does not say."""

PATH: Final = "path"
SPLIT: Final = "split"
CELLS: Final = (PATH, SPLIT, *FORMS)
"""What a column of a table can have: image files, the names of parts, or targets of a form."""


class Data(Record):
    """Where the images come from, and how they are read."""

    keyword = "data"
    member = "setting"

    source: str = arg(SourceText(), "where the images come from", default="digits", main=True)
    resize: str = arg(
        Choice(*RESIZE_RULES), "how images of another size get the size of the input", default="crop"
    )
    skip: float = arg(
        Number(0, 1), "share of the image files of a part that may be left out as unreadable", default=0.01
    )
    first_label: int | None = arg(
        Whole(0),
        "label of the first class of idx and npz files; unset, it is 0, and labels from 1 are an error",
        default=None,
    )
    columns: Mapping[str, str] | None = arg(
        ByName(Choice(*CELLS), "columns of the table", "age"),
        "what the columns of a csv file have; unset, their names say it",
        default=None,
    )
    images: str | None = arg(
        Text(), "folder of the images of a coco file; unset, it is looked for beside the file", default=None
    )
    holdout: float | None = arg(
        Number(0, 0.9),
        "share of the training images of each class that become the validation part; unset, it is 0, "
        f"or {DEFAULT_HOLDOUT} if train.stop or train.schedule.plateau needs one",
        default=None,
    )
    margin: int = arg(
        Whole(0, MAX_MARGIN),
        "pixels that images have on every side beyond what the network reads, for crops",
        default=0,
    )
    limit: float = arg(
        Number(0, 1, above=True), "share of the training images of each class that are used", default=1.0
    )

    def check(self) -> None:
        """Check that every setting has an effect for the source.

        That is not known of a recipe alone, since the source may be given apart from it.

        Raises:
            UsageError: one has none, and is not the default; or there is no such source.
        """
        source, _ = parse_source(self.source)
        for name in self._without_effect():
            if getattr(self, name) != self.arguments[name].default:
                forms = [each.form for each in SOURCES.values() if name in each.settings]
                message = f"train.data.{name} has no effect on {source.name}"
                raise usage_error(message, expected=listing(forms, last=" or "), received=self.source)

    def _without_effect(self) -> list[str]:
        """Return the settings that only other sources use."""
        source, _ = parse_source(self.source)
        only = {name for each in SOURCES.values() for name in each.settings}
        return sorted(only.difference(source.settings))

    def of(self, source: str) -> Self:
        """Return how another source is read."""
        return self.replaced({"source": source})

    def measuring(self, source: str) -> Self:
        """Return how another source is read to measure on it: with the settings that have an effect on it."""
        found = self.of(source)
        return found.replaced({name: self.arguments[name].default for name in found._without_effect()})

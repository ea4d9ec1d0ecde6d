"""Data sources that are looked at, and packed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli import algebra, arguments
from cnncli.architecture import need_training
from cnncli.diagnostics import usage_error
from cnncli.recipe.recipe import Recipe, with_overrides

if TYPE_CHECKING:
    from cnncli.api.networks import Overrides
    from cnncli.results.survey import Survey
    from cnncli.results.training import Packed, Reading


def survey(source: str, *, sheet: str | Path | None = None, reading: Reading = None) -> Survey:
    """Read all images of a data source in their own sizes, and return what there is.

    Args:
        source: a source such as "folder:DIR" (:mod:`cnncli.recipe.data`).
        sheet: a PNG file that does not exist yet, for a contact sheet with some images of each class.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the source does not exist, or has no image that can be read.
    """
    need_training()
    from cnncli.training.data.survey import survey as found  # noqa: PLC0415

    path = None if sheet is None else arguments.path("sheet", sheet)
    return found(arguments.text("source", source), path, reading)


def pack(
    source: str,
    folder: str | Path,
    size: str | Sequence[int],
    *,
    overrides: Overrides = (),
    reading: Reading = None,
) -> Packed:
    """Decode data once, into files that trainings map into memory: their source is ``packed:FOLDER``.

    :meth:`Architecture.pack` does so for the input and the targets of a spec.

    Args:
        source: such as "folder:DIR" (:mod:`cnncli.recipe.data`).
        folder: a new folder, which is created whole or not at all.
        size: the shape that images get, such as "3x224x224".
        overrides: settings as texts: ``train.data.resize=pad``.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: the data cannot be read or converted, or the folder is not empty or cannot be written.
    """
    need_training()
    from cnncli.training.launch.packing import pack_shaped  # noqa: PLC0415

    how = with_overrides(Recipe(), arguments.overrides("overrides", overrides)).data
    shape = arguments.size(size)
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        expected = "a size in numbers, such as 3x224x224"
        raise usage_error("packed images have one size", expected=expected, received=str(size))
    data = how.of(arguments.text("source", source))
    return pack_shaped(algebra.whole_shape(shape), data, arguments.path("folder", folder), reading)

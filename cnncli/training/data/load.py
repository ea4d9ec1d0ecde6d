"""Loading data by name, from any of :data:`~cnncli.recipe.data.SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.recipe.data import Source, parse_source
from cnncli.results.training import Reading
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.sources import digits, folder, idx, npz


class Request(NamedTuple):
    """What a source gets: its path (``.`` for a source without one), the input's shape, the resize rule."""

    path: Path
    shape: tuple[int, ...]
    resize: str
    reading: Reading


LOADERS: Final[Mapping[str, Callable[[Request], Dataset]]] = {
    "digits": lambda request: digits.load(request.shape, request.resize),
    "idx": lambda request: idx.load(request.path, request.shape, request.resize),
    "folder": lambda request: folder.load(request.path, request.shape, request.resize, request.reading),
    "npz": lambda request: npz.load(request.path, request.shape, request.resize),
}


def load(source: str, input_shape: tuple[int, ...], resize: str, reading: Reading = None) -> Dataset:
    """Read data and convert it to a spec's input shape.

    Args:
        source: a text such as ``idx:DIR``.
        input_shape: the spec's input, (channels, *spatial) or (features,).
        resize: a name in :data:`~cnncli.recipe.data.RESIZE_RULES`.
        reading: called while images are read.

    Raises:
        UsageError: the source does not exist, is damaged or does not match the spec.
    """
    kind, place = parse_source(source)
    path = _existing(place, kind) if kind.place else Path()
    try:
        return LOADERS[kind.name](Request(path, input_shape, resize, reading))
    except OSError as error:
        # What the sources do not report themselves: a folder without permission, a loop of links.
        where = error.filename if error.filename is not None else path
        raise usage_error(f"cannot read {where}: {error.strerror or error}", received=source) from error


def _existing(place: str, kind: Source) -> Path:
    received = f"{kind.name}:{place}"
    try:
        path = Path(place).expanduser().resolve()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, an unknown user, a null character
        message = f"no such file or folder: {place}: {error}"
        raise usage_error(message, expected=kind.form, received=received) from error
    if not exists:
        raise usage_error(f"no such file or folder: {path}", expected=kind.form, received=received)
    return path

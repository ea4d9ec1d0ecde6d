"""Loading data by name: ``digits``, ``idx:DIR``, ``folder:DIR``, ``npz:FILE``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.resize import check_fit
from cnncli.training.data.sources import digits, folder, idx, npz

_KINDS = ("digits", "idx", "folder", "npz")
_FORMS = "digits, idx:DIR, folder:DIR or npz:FILE"


def load(
    source: str,
    input_shape: tuple[int, ...],
    fit: str,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read the data that ``source`` names and fit it to a spec's input.

    Args:
        source: ``digits``, ``idx:DIR``, ``folder:DIR`` or ``npz:FILE``.
        input_shape: the spec's input, (channels, *spatial) or (features,).
        fit: how images of another size get the input's: "resize" or "pad".
        progress: told (done, of how many) while the files of a folder are read.

    Raises:
        UsageError: for a source that is not there, is damaged or does not suit the spec.
    """
    check_fit(fit)
    kind, colon, place = source.partition(":")
    if kind not in _KINDS:
        raise usage_error(
            f"there is no data source '{kind}'", expected=_FORMS, received=source, hint=_hint(source, kind)
        )
    if kind == "digits":
        if colon:
            raise usage_error("digits takes no path", expected="digits", received=source)
        return digits.load(input_shape, fit)
    if not place:
        raise usage_error(f"{kind} needs a path", expected=_FORMS, received=source)
    path = _existing(place, source)
    try:
        if kind == "folder":
            return folder.load(path, input_shape, fit, progress)
        if kind == "idx":
            return idx.load(path, input_shape, fit)
        return npz.load(path, input_shape, fit)
    except (
        OSError
    ) as error:  # what a source does not name itself: a folder that may not be read, a loop of links
        where = error.filename if error.filename is not None else path
        raise usage_error(f"cannot read {where}: {error.strerror or error}", received=source) from error


def _existing(place: str, source: str) -> Path:
    try:
        path = Path(place).expanduser().resolve()
        there = path.exists()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # too long, of an unknown user, with a null character
        raise usage_error(f"there is no {place}: {error}", expected=_FORMS, received=source) from error
    if not there:
        raise usage_error(f"there is no {path}", expected=_FORMS, received=source)
    return path


def _hint(source: str, kind: str) -> str:
    if source and os.path.isdir(source):  # noqa: PTH112 - never raises, whatever the text
        return f"did you mean 'folder:{source}' or 'idx:{source}'?"
    if os.path.isfile(source):  # noqa: PTH113 - the same
        return f"did you mean 'npz:{source}'?"
    return did_you_mean(kind, _KINDS)

"""The input shape of a network: the spec's own, or another size that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final, TypeAlias

from cnncli.algebra import Dim, whole
from cnncli.diagnostics import BATCH_IN_INPUT, Diagnostic, Faults, UsageError, counted, usage_error
from cnncli.language.description import Description
from cnncli.layers import Shape, shape_text
from cnncli.limits import MAX_AXES, MAX_SIZE

Size: TypeAlias = "Sequence[Dim] | Callable[[Shape], Shape] | None"
"""The input size to use: this one, one computed from the spec's, or (None) the spec's."""

_FORMS: Final = ("features", "channels and length", "channels, height and width")
_FORM_OF_VOLUMES: Final = "channels, depth, height and width"
_COLORS: Final = (1, 3, 4)
"""Channels of gray, color, and color with transparency."""
_LEAST_PICTURE: Final = 8


def check_size(size: Size) -> None:
    """Check that a size, unless it is computed, is one that some network could have.

    Raises:
        UsageError: it is not.
    """
    if size is None or callable(size):
        return
    known = [n for n in size if isinstance(n, int)]
    if not (1 <= len(size) <= 1 + MAX_AXES and all(1 <= n <= MAX_SIZE for n in known)):
        expected = "[features], or [channels, ...] with one to three sizes, each at least 1"
        raise usage_error("not an input size", expected=expected, received=f"{list(size)}")


def input_shape(description: Description, size: Size, faults: Faults) -> Shape:
    """Return the input shape, from ``size`` if given, otherwise the spec's; () if the spec's is faulty.

    Raises:
        UsageError: ``size`` has another number of axes than the spec's.
    """
    own = description.input
    if callable(size):
        return size(own) if own else ()
    shape = own if size is None else tuple(size)
    if own and len(shape) != len(own):
        raise _other_axes(description.source.name, own, shape)
    if _is_channels_last(shape):
        faults.note(_channels_last(shape, description, given=size is not None))
    return shape


def _other_axes(name: str, own: Shape, given: Shape) -> UsageError:
    form = _FORM_OF_VOLUMES if len(own) > len(_FORMS) else _FORMS[len(own) - 1]
    code, hint = "input", ""
    if len(given) == len(own) + 1 and len(own) > 1:
        code, hint = BATCH_IN_INPUT, f"{shape_text(given[1:])}; a batch size is not part of the input size"
    elif len(given) == len(own) - 1:
        hint = f"did you mean {shape_text(_completed(own, given))}?"
    elif len(own) == 1 and all(isinstance(n, int) for n in given) and prod(given) == own[0]:
        hint = f"{own[0]}; this network reads images as vectors"
    message = f"{name}: the input of this network has {_numbers(own)}, not {len(given)}"
    expected = f"{form}, such as {shape_text(own)}"
    return UsageError(Diagnostic(code, message, None, expected, shape_text(given), hint))


def _completed(own: Shape, given: Shape) -> Shape:
    """Return what a size that lacks one number may mean: ``3x64`` is ``3x64x64`` if the channels are 3."""
    if given[:1] == own[:1] and len({*given[1:]}) == 1:
        return (*given, given[-1])
    return (own[0], *given)


def _numbers(shape: Shape) -> str:
    return counted(len(shape), "number")


def _is_channels_last(shape: Shape) -> bool:
    """Return whether a shape looks like that of a picture with its channels at the end."""
    return (
        len(shape) > 2
        and all(isinstance(n, int) for n in shape)
        and shape[-1] in _COLORS
        and all(n >= _LEAST_PICTURE for n in shape[:-1])
    )


def _channels_last(shape: Shape, description: Description, *, given: bool) -> Diagnostic:
    sizes = "x".join(map(str, shape[1:]))
    swapped = (shape[-1], *shape[:-1])
    written = shape_text(swapped) if given else str([*swapped])
    return Diagnostic(
        "channels-last",
        f"the input has {shape[0]} channels of {sizes}: channels come first",
        None if given else description.input_at,
        hint=f"for {counted(whole(shape[-1]), 'channel')} write {written}",
        level="warning",
    )

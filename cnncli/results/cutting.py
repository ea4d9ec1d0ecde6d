"""A part of a spec that was written as a spec of its own."""

from __future__ import annotations

from typing import NamedTuple


class Cut(NamedTuple):
    """The layers of a spec up to a node, or those that depend on it.

    ``spec`` is the spec as it was named, ``node`` where it is cut, ``side`` "until" or "after", ``text`` the
    new spec. ``input_shape`` is that of the new spec, and ``outputs`` has the shape of each of its outputs;
    ``dropped`` are outputs of the spec that do not depend on the node, of a cut "after" it. ``layers`` and
    ``params`` count its layers and parameters. ``reset`` are patterns for the tensors that only the whole
    network has. ``path`` is the file that was written, if any.
    """

    name: str
    spec: str
    node: str
    side: str
    text: str
    input_shape: tuple[int, ...]
    outputs: dict[str, tuple[int, ...]]
    dropped: tuple[str, ...]
    layers: int
    params: int
    reset: tuple[str, ...]
    path: str | None

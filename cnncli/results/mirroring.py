"""An autoencoder that was made of a spec."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.analysis.sizes import ValidSizes


class MirrorLayer(NamedTuple):
    """A layer of a decoder; ``output_shape`` is that of one sample in the spec's own size."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    params: int


class Mirror(NamedTuple):
    """The layers of a spec up to the node ``until``, and a decoder that leads back to the shape of the input.

    ``spec`` is the spec as it was named, ``text`` that of the autoencoder. ``sizes`` are those that it
    accepts, and for which its output is as large as its input; None if the input has no size. ``reset`` names
    what ``cnncli train SPEC --from RUN`` does not take from a run of it: the decoder in the file, and the
    layers of the spec after ``until``. ``path`` is the file that was written, if any.
    """

    name: str
    spec: str
    until: str
    input_shape: tuple[int, ...]
    code_shape: tuple[int, ...]
    text: str
    decoder: tuple[MirrorLayer, ...]
    sizes: ValidSizes | None
    reset: tuple[str, ...]
    path: str | None

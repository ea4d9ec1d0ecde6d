"""The images that a network takes for the most similar ones, by what its last hidden layer computes of them.

As in figure 4 (right) of A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep
convolutional neural networks", 2012: the nearest training images by Euclidean distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnncli.diagnostics import UsageError, counted, shortened, usage_error
from cnncli.recipe.metrics import TRAIN
from cnncli.results.looking import Neighbor, Query, Similar
from cnncli.results.training import Reading
from cnncli.training.extras import need
from cnncli.training.looking import feature_files, parquet
from cnncli.training.looking.feature_files import About, Array, Stored
from cnncli.training.looking.features import SUFFIXES, Layer, chunks_of, layer_of, vectors_of
from cnncli.training.looking.images import (
    Batch,
    OfFiles,
    OfSource,
    check_pictures,
    class_of,
    images_of,
    pictures_of,
    shown,
)
from cnncli.training.looking.nearest import Nearest, Search, nearest
from cnncli.training.looking.opened import Opened, open_trained
from cnncli.training.looking.pixels import of_image
from cnncli.training.new_files import check_new, write_new
from cnncli.training.pictures.canvas import Row, Tile, gallery
from cnncli.training.pictures.drawing import FORMS

NEIGHBORS: Final = 6
_NAME: Final = 15
_SAME: Final = 1e-3
"""The largest relative difference of a vector that is computed again, on another device perhaps."""


class Asked(NamedTuple):
    """What is asked for: images, where to search, the part of a source, a layer, and a new picture.

    ``among`` is a data source, names of files, or a file of vectors.
    """

    images: tuple[str, ...]
    among: tuple[str, ...]
    part: str | None = None
    layer: str | None = None
    pool: str | None = None
    weights: str | None = None
    neighbors: int = NEIGHBORS
    output: Path | None = None


class _Among(NamedTuple):
    """Images that were searched: which, their classes, labels and files, and what was done to them.

    ``inputs`` returns what the network sees of some, by their numbers.
    """

    what: str
    classes: tuple[str, ...]
    labels: Array
    files: Sequence[str] | Array
    inputs: Callable[[Sequence[int]], Tensor]
    notes: tuple[str, ...] = ()

    def neighbor(self, number: int, distance: float) -> Neighbor:
        """Return an image by its number."""
        label = int(self.labels[number])
        name = self.classes[label] if label >= 0 else ""
        return Neighbor(number, distance, name, str(self.files[number]) if len(self.files) else "")


def find_similar(folder: Path, asked: Asked, device: str, reading: Reading = None) -> Similar:
    """Find the images that are nearest to some in what a layer of the network of a run computes.

    Raises:
        CnncliError: there is no such run, layer or image, vectors are of another network or layer, or the
            picture cannot be written.
    """
    if asked.neighbors < 1:
        raise usage_error("no neighbors", expected="1 or more", received=str(asked.neighbors))
    if asked.output is not None:
        need("matplotlib", purpose="drawing")
        check_new(asked.output, [f".{form}" for form in FORMS])
    opened = open_trained(folder, asked.weights, device)
    if asked.output is not None:
        check_pictures(opened)
    file = _file(asked.among)
    stored = None if file is None else _stored(file)
    if file is not None and stored is not None:
        layer = _same(opened, file, stored.about, asked)
    else:
        layer = layer_of(opened, asked.layer, asked.pool)
    queries = pictures_of(opened, asked.images, reading)
    vectors = vectors_of(opened, layer, queries).numpy()
    if stored is None:
        among, found = _search(opened, layer, asked, vectors, reading)
    else:
        among = _recorded(opened, layer, stored, reading)
        found = nearest(vectors, stored.vectors, asked.neighbors)
    answers = tuple(_query(each, near, among) for each, near in zip(queries, found, strict=True))
    if asked.output is not None:
        _draw(opened, layer, queries, answers, among, asked.output)
    return Similar(
        name=opened.name,
        weights=opened.weights,
        layer=layer.node.name,
        pool=layer.pool,
        images=len(among.labels),
        what=among.what,
        queries=answers,
        written=asked.output,
        notes=among.notes,
    )


def _file(among: Sequence[str]) -> Path | None:
    """Return the file of vectors that is meant; None if images are."""
    path = Path(among[0])
    return path if len(among) == 1 and path.suffix.lower() in SUFFIXES else None


def _stored(path: Path) -> Stored:
    if not path.is_file():
        expected = "a data source, image files, or a file that cnncli features wrote"
        raise usage_error(f"no such file: {path}", expected=expected)
    return parquet.read(path) if path.suffix.lower() == parquet.SUFFIX else feature_files.read(path)


def _same(opened: Opened, path: Path, about: About, asked: Asked) -> Layer:
    """Return the layer of stored vectors, after checking that this network computed them.

    Raises:
        UsageError: another one did, or another layer is asked for.
    """
    sha256 = opened.sha256()
    if (about.run, about.weights) != (opened.run.record.id, sha256):
        of_run = about.run != opened.run.record.id
        raise usage_error(
            f"{path} has features of {'another run' if of_run else 'other weights of this run'}",
            expected=f"the run {opened.run.record.id}, with weights of the SHA-256 {sha256[:16]}...",
            received=f"the run {about.run} ({about.network}), with weights of {about.weights[:16]}...",
            hint="write them again with cnncli features",
        )
    wanted = asked.layer or about.layer, asked.pool or about.pool
    if wanted != (about.layer, about.pool):
        pairs = ((about.layer, about.pool), wanted)
        received, expected = (f"{name}, pooled by {pool}" if pool else name for name, pool in pairs)
        raise usage_error(f"{path} has features of another layer", expected=expected, received=received)
    return layer_of(opened, about.layer, about.pool or None)


def _recorded(opened: Opened, layer: Layer, stored: Stored, reading: Reading) -> _Among:
    """Return the images of stored vectors, which are read only to be drawn."""
    about = stored.about

    def inputs(numbers: Sequence[int]) -> Tensor:
        if about.source:
            images: OfSource | OfFiles = images_of(opened, [about.source], about.part, reading)
            if images.most != len(stored.labels):
                raise _changed(about)
            found = images.chosen(numbers)
        else:
            found = torch.cat(
                [one.inputs for one in pictures_of(opened, [str(stored.files[each]) for each in numbers])]
            )
        with torch.inference_mode():
            again = layer.vectors(opened.values([layer.node.name])(found)[layer.node.name]).cpu().numpy()
        then = stored.vectors[list(numbers)]
        if not np.allclose(again, then, rtol=_SAME, atol=_SAME * float(np.abs(then).max(initial=0))):
            raise _changed(about)
        return found

    images = counted(len(stored.labels), "image")
    what = f"{images} of {about.source}, part {about.part}" if about.source else f"{images} in files"
    return _Among(what, about.classes, stored.labels, stored.files, inputs)


def _changed(about: About) -> UsageError:
    return usage_error(
        f"{about.source or 'the files'} are not the images that the features were computed of",
        expected="images as they were",
        hint="write the features again, or leave out the picture",
    )


def _search(
    opened: Opened, layer: Layer, asked: Asked, vectors: Array, reading: Reading
) -> tuple[_Among, list[Nearest]]:
    """Search images whose vectors are computed now, and forgotten at once."""
    images = images_of(opened, asked.among, asked.part, reading, TRAIN)
    search, labels, files, start = Search(vectors, asked.neighbors), [], list[str](), 0
    for chunk in chunks_of(opened, layer, images, reading):
        search.add(start, chunk.vectors)
        labels.append(chunk.labels)
        files += chunk.files
        start += len(chunk.labels)
    notes = (*images.notes, *(f"left out: {fault.message}" for fault in images.faults))
    among = _Among(images.what, images.classes, np.concatenate(labels), files, images.chosen, notes)
    return among, search.found()


def _query(one: Batch, near: Nearest, among: _Among) -> Query:
    pairs = zip(near.numbers, near.distances, strict=True)
    neighbors = tuple(among.neighbor(number, distance) for number, distance in pairs)
    return Query(one.files[0], class_of(one), neighbors)


def _draw(
    opened: Opened,
    layer: Layer,
    queries: Sequence[Batch],
    answers: Sequence[Query],
    among: _Among,
    path: Path,
) -> None:
    """Draw a row for each image: itself, and its neighbors."""
    numbers = sorted({each.number for answer in answers for each in answer.neighbors})
    pictures = dict(zip(numbers, map(of_image, shown(opened, among.inputs(numbers))), strict=True))
    rows = []
    for one, answer in zip(queries, answers, strict=True):
        (image,) = shown(opened, one.inputs)
        name = answer.label or Path(answer.image).name
        tiles = [Tile(of_image(image), (shortened(name, _NAME),), bold=True)]
        for near in answer.neighbors:
            named = near.label or Path(near.file).name or f"{near.number:,}"
            caption = (shortened(named, _NAME), f"{near.distance:.3g}")
            tiles.append(Tile(pictures[near.number], caption))
        rows.append(Row((), tuple(tiles)))
    title = f"{opened.name}: nearest images in {layer.node.name}"
    notes = (f"among {among.what}; below each its class and its Euclidean distance",)
    form = FORMS[path.suffix.lower().removeprefix(".")]
    write_new(path, gallery(rows, title, notes, form, apart=0.25))

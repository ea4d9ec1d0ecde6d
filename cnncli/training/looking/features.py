"""What a layer computes of many images, as vectors in a file that is written a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.analysis.looking import hidden_layer, node_named
from cnncli.diagnostics import listing, usage_error
from cnncli.graph import Node
from cnncli.layers import shape_text
from cnncli.results.looking import Features
from cnncli.results.training import Reading
from cnncli.training.kept_memory import memory_kept
from cnncli.training.looking import feature_files, parquet
from cnncli.training.looking.feature_files import About, Chunk
from cnncli.training.looking.images import Batch, Images, images_of
from cnncli.training.looking.opened import Opened, open_trained
from cnncli.training.new_files import check_new

POOLS: Final = ("mean", "max")
SUFFIXES: Final = (feature_files.SUFFIX, parquet.SUFFIX)


class Layer(NamedTuple):
    """A layer whose values are vectors: all of a map, or pooled over its positions."""

    node: Node
    pool: str

    def vectors(self, values: Tensor) -> Tensor:
        """Return vectors, float32 [n, d], of values [n, *shape].

        Raises:
            UsageError: some are not finite.
        """
        if self.pool:
            values = values.flatten(2).mean(2) if self.pool == "mean" else values.flatten(2).amax(2)
        values = values.flatten(1).float()
        if not bool(values.isfinite().all()):
            message = f"values of layer '{self.node.name}' are not numbers"
            raise usage_error(message, expected="finite values", hint="did the training diverge?")
        return values


class Wanted(NamedTuple):
    """What is asked for: images, a part of a source, a layer, how maps are pooled, weights, a new file."""

    words: tuple[str, ...]
    output: Path
    part: str | None = None
    layer: str | None = None
    pool: str | None = None
    weights: str | None = None


def write_features(folder: Path, wanted: Wanted, device: str, reading: Reading = None) -> Features:
    """Write what a layer of the network of a run computes of images, in their order.

    Raises:
        CnncliError: there is no such run, layer or image, the file exists or cannot be written, or values
            are not finite.
    """
    check_new(wanted.output, SUFFIXES)
    is_parquet = wanted.output.suffix.lower() == parquet.SUFFIX
    if is_parquet:
        parquet.check()
    opened = open_trained(folder, wanted.weights, device)
    layer = layer_of(opened, wanted.layer, wanted.pool)
    images = images_of(opened, wanted.words, wanted.part, reading)
    about = about_of(opened, layer, images)
    chunks = chunks_of(opened, layer, images, reading)
    written = (parquet if is_parquet else feature_files).write(wanted.output, chunks, about)
    return Features(
        name=opened.name,
        weights=opened.weights,
        layer=layer.node.name,
        pool=layer.pool,
        images=written.images,
        values=written.values,
        what=images.what,
        classes=images.classes,
        written=wanted.output,
        notes=images.notes,
        unreadable=images.faults,
    )


def layer_of(opened: Opened, name: str | None, pool: str | None) -> Layer:
    """Return a layer by its name, for None the last hidden one of the first head.

    Raises:
        UsageError: there is none, or its values have no positions to pool over.
    """
    if pool is not None and pool not in POOLS:
        expected = listing([repr(each) for each in POOLS], last=" or ")
        raise usage_error("maps are not pooled like this", expected=expected, received=repr(pool))
    node = hidden_layer(opened.graph, opened.head(None)) if name is None else node_named(opened.graph, name)
    if pool is not None and len(node.output_shape) < 2:
        message = f"layer '{node.name}' has no positions to pool"
        expected, received = "a layer with maps", f"a vector of {shape_text(node.output_shape)}"
        raise usage_error(message, expected=expected, received=received)
    return Layer(node, pool or "")


def about_of(opened: Opened, layer: Layer, images: Images) -> About:
    """Return what a file says of the vectors in it."""
    return About(
        network=opened.name,
        run=opened.run.record.id,
        weights=opened.sha256(),
        layer=layer.node.name,
        pool=layer.pool,
        source=images.source,
        part=images.part,
        classes=images.classes,
    )


def chunks_of(opened: Opened, layer: Layer, images: Images, reading: Reading = None) -> Iterator[Chunk]:
    """Yield the vectors of images, a batch at a time."""
    values = opened.values([layer.node.name])
    with memory_kept(opened.device):
        for batch in images.batches(reading):
            with torch.inference_mode():  # not around the yield, which others run in between
                found = layer.vectors(values(batch.inputs)[layer.node.name]).cpu()
            yield Chunk(found.contiguous().numpy(), batch.labels.numpy(), batch.files)


def vectors_of(opened: Opened, layer: Layer, pictures: Sequence[Batch]) -> Tensor:
    """Return the vectors of single images, float32 [n, d] on the CPU."""
    inputs = torch.cat([each.inputs for each in pictures])
    with torch.inference_mode():
        return layer.vectors(opened.values([layer.node.name])(inputs)[layer.node.name]).cpu()

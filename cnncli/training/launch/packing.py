"""Packing the data of a training, or data for any network with an input of some shape."""

from __future__ import annotations

from pathlib import Path

from cnncli.graph import Graph
from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Packed, Reading
from cnncli.training.data.load import load
from cnncli.training.data.packs.packing import pack, whole
from cnncli.training.launch.starting import read


def pack_for(graph: Graph, settings: Recipe, folder: Path, reading: Reading = None) -> Packed:
    """Pack the data of a training as the training would read it.

    Raises:
        CnncliError: the data cannot be read or does not match the spec, or the folder cannot be written.
    """
    data = whole(settings.data)
    return pack(folder, data.resize, lambda space: read(graph, settings, data, reading, space=space))


def pack_shaped(shape: tuple[int, ...], data: Data, folder: Path, reading: Reading = None) -> Packed:
    """Pack data as images of a shape.

    Raises:
        CnncliError: the data cannot be read or does not match the shape, or the folder cannot be written.
    """
    return pack(folder, data.resize, lambda space: load(whole(data), shape, reading, space=space))

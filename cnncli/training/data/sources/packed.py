"""``packed:DIR``: a data set that ``cnncli pack`` has decoded, in files that are mapped into memory."""

from __future__ import annotations

from pathlib import Path

from cnncli.diagnostics import usage_error
from cnncli.layers import shape_text
from cnncli.recipe.columns import LABEL, class_names
from cnncli.recipe.data import Data
from cnncli.training.data.catalog import Catalog, Item
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.holdout import own_validation
from cnncli.training.data.packs.manifest import Manifest, read_manifest
from cnncli.training.data.packs.opening import open_pack
from cnncli.training.data.sources.stored import of_arrays


def load(folder: Path, input_shape: tuple[int, ...], how: Data) -> Dataset:
    """Open a pack, whose images must have been converted for this input and by the rule that the recipe has.

    No image is read: the system reads what a batch uses, and drops it when memory is needed.

    Raises:
        UsageError: it is not a pack, is damaged, or was made for another input.
    """
    pack = open_pack(folder)
    _check_made_for(folder, pack.manifest, input_shape, how.resize)
    manifest = pack.manifest
    if pack.val is not None and how.holdout:
        raise own_validation(str(folder), how.holdout)
    return Dataset(
        name=f"packed:{folder}",
        columns=manifest.columns,
        train=pack.train,
        test=pack.test,
        notes=(f"packed from {manifest.source}", *manifest.notes),
        identity=manifest.identity,
        levels=manifest.levels,
        val=pack.val,
        normalization=manifest.normalization,
    )


def catalog(folder: Path) -> Catalog:
    """Return all images of a pack.

    Raises:
        UsageError: it is not a pack, or is damaged.
    """
    manifest, train, test, val = open_pack(folder)
    parts = {"train": train, "test": test} | ({} if val is None else {"val": val})
    items = tuple(
        Item(name, f"{name}[{index}]", (label,) if label >= 0 else ())
        for name, split in parts.items()
        for index, label in enumerate(split.labels.tolist() if LABEL in split.columns else [-1] * split.count)
    )
    images = of_arrays([split.images for split in parts.values()])
    return Catalog(f"packed:{folder}", class_names(manifest.columns), items, images, manifest.notes)


def identity(folder: Path) -> str:
    """Return what :func:`load` gives as the identity of the data: that of the source that was packed.

    Raises:
        UsageError: it is not a pack.
    """
    return read_manifest(folder).identity


def _check_made_for(folder: Path, manifest: Manifest, input_shape: tuple[int, ...], resize: str) -> None:
    again = f"pack the source again for this spec: cnncli pack {manifest.source} SPEC -o DIR"
    if manifest.input != input_shape:
        raise usage_error(
            f"{folder} was packed for another input",
            expected=f"images of {shape_text(input_shape)}, as the spec says",
            received=shape_text(manifest.input),
            hint=again,
        )
    if manifest.resize != resize:
        raise usage_error(
            f"{folder} was packed with another rule for sizes",
            expected=f"train.data.resize={resize}",
            received=manifest.resize,
            hint=f"{again}, or set train.data.resize={manifest.resize}",
        )

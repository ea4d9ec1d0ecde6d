"""Small sources of every kind, and packs of them."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnncli.recipe.data import Data
from cnncli.results.training import Packed
from cnncli.training.data.dataset import Split
from cnncli.training.launch.packing import pack_shaped

SHAPE = (3, 8, 8)
RESIZED = (1, 12, 12)


def pictures(folder: Path, count: int = 10, side: int = 11) -> Path:
    """Images of two classes, of different sizes and formats."""
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (side, side + number % 3, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.{('png', 'jpg')[number % 2]}")
    return folder


def sources(folder: Path) -> dict[str, str]:
    """A source of each kind that has images of different contents, by its name."""
    draw = np.random.default_rng(1)
    (folder / "idx").mkdir(parents=True)
    arrays: dict[str, Any] = {}
    for part, name, count in (("train", "train", 40), ("test", "t10k", 9)):
        images = draw.integers(0, 256, (count, 9, 7), dtype=np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        start = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        with gzip.open(folder / "idx" / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(start + images.tobytes())
        start = struct.pack(">4BI", 0, 0, 8, 1, count)
        (folder / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(start + labels.tobytes())
        arrays |= {f"x_{part}": (images / 255).astype(np.float32)[..., None], f"y_{part}": labels}
    np.savez(folder / "floats.npz", **arrays)
    photos = pictures(folder / "pictures")
    with tarfile.open(folder / "a.tar", "w") as archive:
        for path in sorted(photos.rglob("*.*")):
            archive.add(path, f"{path.parent.name}-{path.name}")
            label = tarfile.TarInfo(f"{path.parent.name}-{path.stem}.cls")
            label.size = 3
            archive.addfile(label, io.BytesIO(path.parent.name.encode()))
    by_column: dict[str, Any] = {name: np.asfortranarray(each) for name, each in arrays.items()}
    np.savez_compressed(folder / "columns.npz", **by_column)
    return {
        "digits": "digits",
        "idx": f"idx:{folder / 'idx'}",
        "folder": f"folder:{photos}",
        "shards": f"shards:{folder / 'a.tar'}",
        "npz": f"npz:{folder / 'floats.npz'}",
        "npz by column": f"npz:{folder / 'columns.npz'}",
    }


def packed(folder: Path, source: str, shape: tuple[int, ...] = SHAPE, **how: Any) -> Packed:
    return pack_shaped(shape, Data(source=source, **how), folder)


def manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())


def same(left: Split, right: Split) -> bool:
    """Whether two parts have the same images and targets, in the same order."""
    arrays = zip((left.images, *left.targets.values()), (right.images, *right.targets.values()), strict=True)
    return [*left.targets] == [*right.targets] and all(
        ours.dtype == theirs.dtype and np.array_equal(ours.numpy(), theirs.numpy()) for ours, theirs in arrays
    )

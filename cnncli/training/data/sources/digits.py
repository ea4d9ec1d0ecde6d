"""``digits``: 1,797 handwritten digits of 8x8 pixels, bundled with cnncli.

Source and license: ``bundled/README.md`` (E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten
Digits", UCI, 1998, its test part). scikit-learn ships the same digits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from cnncli.training.data.catalog import HELD_OUT, Catalog
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.holdout import held_out
from cnncli.training.data.sources import idx
from cnncli.training.data.sources.assemble import Part, assemble
from cnncli.training.data.sources.stored import Stored, catalog_of

_FOLDER: Final = Path(__file__).parent / "bundled"
_BRIGHTEST: Final = 16


def load(input_shape: tuple[int, ...], resize: str) -> Dataset:
    """Return the digits, a fixed fifth of each class held out; pixel values 0 to 16 become bytes 0 to 255."""
    images, labels, held = _digits()
    return assemble(
        "digits", Part(images[~held], labels[~held]), Part(images[held], labels[held]), input_shape, resize
    )


def catalog() -> Catalog:
    """Return the digits, to look at them."""
    images, labels, held = _digits()
    parts = {"train": ~held, HELD_OUT: held}
    return catalog_of(
        "digits", [Stored(part, part, images[chosen], labels[chosen]) for part, chosen in parts.items()]
    )


def _digits() -> tuple[Tensor, Tensor, Tensor]:
    """Return images uint8 [N, 1, 8, 8], labels int64 [N], and which are held out, bool [N]."""
    pixels = idx.read(_FOLDER / "digits-images-idx3-ubyte.gz", "images")
    images = (pixels.double() * 255 / _BRIGHTEST).round().to(torch.uint8).unsqueeze(1)
    labels = idx.read(_FOLDER / "digits-labels-idx1-ubyte.gz", "labels").to(torch.int64)
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[held_out(labels.tolist(), [str(index) for index in range(len(labels))])] = True
    return images, labels, held

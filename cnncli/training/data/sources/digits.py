"""``digits``: the 1,797 handwritten digits of 8x8 pixels that are bundled with scikit-learn.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI, 1998), its test part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cnncli.training.data.catalog import HELD_OUT, Catalog
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.holdout import held_out
from cnncli.training.data.sources.assemble import Part, assemble
from cnncli.training.data.sources.stored import Stored, catalog_of


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
    # Imported here because scikit-learn takes a second to import.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    data = load_digits()
    pixels = torch.from_numpy(data.images)
    images = (pixels * 255 / 16).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(data.target).to(torch.int64)
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[held_out(labels.tolist(), [str(index) for index in range(len(labels))])] = True
    return images, labels, held

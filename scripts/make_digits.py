"""Write the bundled digits, ``cnncli/training/data/sources/bundled/``, from scikit-learn's copy of them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.datasets import load_digits

FOLDER: Final = (
    Path(__file__).resolve().parent.parent / "cnncli" / "training" / "data" / "sources" / "bundled"
)
_UNSIGNED_BYTE = 0x08


def main() -> None:
    """Write the files."""
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)


def files() -> dict[str, bytes]:
    """Return the content of each file by its name: gzipped idx, the pixels 0 to 16, the labels 0 to 9."""
    digits = load_digits()
    return {
        "digits-images-idx3-ubyte.gz": _idx(digits.images),
        "digits-labels-idx1-ubyte.gz": _idx(digits.target),
    }


def _idx(values: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    content = np.asarray(values, np.uint8)
    if not np.array_equal(content, values):
        raise ValueError("values that are not bytes")
    head = bytes((0, 0, _UNSIGNED_BYTE, content.ndim)) + struct.pack(f">{content.ndim}I", *content.shape)
    return gzip.compress(head + content.tobytes(), mtime=0)


if __name__ == "__main__":
    main()

"""Measure the reading of data: JPEG files that are shrunk while they are decoded, and the digest of arrays.

    python benchmarks/decoding.py

Two photographs that scikit-learn ships, enlarged to 3000x2000 pixels, with the grain of a sensor, as JPEG of
quality 92, are cropped and resized to 224x224. For each factor: the best of several times on one thread, and
the peak signal-to-noise ratio against the result of decoding at full size. cnncli uses the largest factor
that leaves twice the size that is needed, here 4.

Then the time of reading an .npz of 60,000 images of 3x32x32 bytes, from the cache of the system, and that of
the SHA-256 by which a run recognizes it.
"""

from __future__ import annotations

import io
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from cnncli.recipe.data import Data
from cnncli.training.data.load import load
from cnncli.training.data.resize import resize_images

ROUNDS = 5
SIZE = (3000, 2000)
SHAPE = (3, 224, 224)


def photographs() -> list[bytes]:
    """Return the files."""
    grain = np.random.default_rng(0).normal(0, 6, (*SIZE[::-1], 1))
    files = []
    for pixels in load_sample_images().images:
        large = np.asarray(Image.fromarray(pixels).resize(SIZE, Image.Resampling.BICUBIC))
        file = io.BytesIO()
        Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files


def read(content: bytes, factor: int) -> torch.Tensor:
    """Return the image as a network gets it, uint8."""
    with Image.open(io.BytesIO(content)) as image:
        if factor > 1:
            image.draft(image.mode, (image.width // factor, image.height // factor))
        pixels = torch.from_numpy(np.array(image)).movedim(-1, 0).unsqueeze(0)
    return resize_images(pixels, SHAPE, "crop")


def arrays() -> None:
    """Print the times for an .npz file."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        images = generator.integers(0, 256, (60_000, 3, 32, 32), np.uint8)
        labels = generator.integers(0, 10, 60_000)
        train, test = (images[:50_000], labels[:50_000]), (images[50_000:], labels[50_000:])
        np.savez(path, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
        reading, hashing = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = load(Data(source=f"npz:{path}"), (3, 32, 32))
            between = time.perf_counter()
            found.fingerprint()
            reading.append(between - start)
            hashing.append(time.perf_counter() - between)
        size = images.nbytes / 1e6
    print(f"npz of {size:.0f} MB: read in {min(reading):.2f} s, hashed in {min(hashing):.2f} s")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    arrays()
    files = photographs()
    full = torch.cat([read(each, 1) for each in files]).double()
    print("factor  ms an image  dB against factor 1")
    for factor in (1, 2, 4, 8):
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = torch.cat([read(each, factor) for each in files])
            times.append((time.perf_counter() - start) / len(files))
        error = float((found.double() - full).square().mean())
        decibels = f"{10 * math.log10(255**2 / error):.1f}" if error else "same"
        print(f"{factor:6}  {1000 * min(times):11.0f}  {decibels:>19}")


if __name__ == "__main__":
    main()

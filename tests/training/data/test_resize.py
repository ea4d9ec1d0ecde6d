from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError, readable_bytes
from cnncli.training.data import resize, room
from cnncli.training.data.resize import conform, resize_images, resize_notes


def pictures(*shape: int) -> torch.Tensor:
    """Smooth pictures, as photographs are, so that a pixel more or less of support shows."""
    generator = torch.Generator().manual_seed(3)
    rough = torch.rand(*shape, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(rough, 3, stride=1, padding=1)
    return (smooth * 255).round().to(torch.uint8)


@pytest.mark.parametrize("size", [(32, 32), (9, 40), (7, 5), (28, 28)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_is_pillows_bilinear(
    size: tuple[int, int], channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "_CHUNK_VALUES", 4000)  # several pieces
    images = pictures(5, channels, 28, 20)
    found = resize_images(images, (channels, *size), "stretch")
    for image, ours in zip(images, found, strict=True):
        for plane, our_plane in zip(image, ours, strict=True):
            theirs = Image.fromarray(plane.numpy()).resize(size[::-1], Image.Resampling.BILINEAR)
            difference = our_plane.numpy().astype(int) - np.asarray(theirs).astype(int)
            assert abs(difference).max() <= 1


def test_pad_centers_with_the_odd_pixel_after() -> None:
    images = torch.full((2, 1, 2, 3), 9, dtype=torch.uint8)
    found = resize_images(images, (1, 5, 4), "pad")
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 2), (0, 1)))
    np.testing.assert_array_equal(found.numpy(), expected)


def test_pad_does_not_shrink() -> None:
    with pytest.raises(UsageError, match="larger than the spec's input"):
        resize_images(pictures(1, 1, 8, 8), (1, 7, 12), "pad")


def test_gray_is_pillows() -> None:
    images = torch.randint(
        0, 256, (1, 3, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    theirs = Image.fromarray(images[0].movedim(0, -1).numpy()).convert("L")
    np.testing.assert_array_equal(
        resize_images(images, (1, 40, 50), "stretch")[0, 0].numpy(), np.asarray(theirs)
    )


def test_gray_is_repeated() -> None:
    images = pictures(2, 1, 4, 4)
    assert torch.equal(resize_images(images, (3, 4, 4), "pad"), images.expand(2, 3, 4, 4))


def test_what_fits_is_left_alone() -> None:
    images = pictures(2, 1, 4, 4)
    assert conform(images, (1, 4, 4), "stretch") == (images, ())


def test_color_does_not_become_four_channels() -> None:
    with pytest.raises(UsageError, match="cannot convert images of 3 channels to 4"):
        resize_images(pictures(1, 3, 4, 4), (4, 4, 4), "stretch")


def test_notes_name_every_change() -> None:
    assert resize_notes("1x8x8 images", (1, 8, 8), (3, 32, 32), "stretch") == (
        "1x8x8 images resized to 1x32x32 (bilinear)",
        "1x8x8 images with gray repeated to 3 channels",
    )
    assert resize_notes("3x8x8 images", (3, 8, 8), (1, 9, 9), "pad") == (
        "3x8x8 images with color reduced to gray (ITU-R 601 luma)",
        "3x8x8 images padded with zeros to 1x9x9",
    )
    assert resize_notes("images", (3, 8, 8), (3, 8, 8), "pad") == ()


def test_vectors() -> None:
    images = pictures(2, 1, 4, 4)
    flat, notes = conform(images, (16,), "stretch")
    assert torch.equal(flat, images.flatten(1))
    assert notes == ("1x4x4 images flattened to 16 values",)
    with pytest.raises(UsageError, match="have 16 values, but the spec's input is a vector of 20"):
        conform(images, (20,), "stretch")


def test_signals_are_not_resized() -> None:
    with pytest.raises(UsageError, match="the data has the shape 2x10, but the spec's input is 2x11"):
        conform(torch.zeros((3, 2, 10), dtype=torch.uint8), (2, 11), "stretch")


def test_too_little_memory_is_an_error_before_it_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 10 * 2**20)
    # 18.8 MiB of bytes, and the floats of 256 images at a time: 2 images of 256x256, rows of 2x256, and 2x2.
    needed = 300 * 256 * 256 + 256 * 4 * (2 * 256 * 256 + 2 * 256 + 2 * 2)
    with pytest.raises(UsageError, match="300 images of 1x256x256 would take") as caught:
        conform(torch.zeros((300, 1, 2, 2), dtype=torch.uint8), (1, 256, 256), "stretch")
    assert caught.value.diagnostics[0].received == readable_bytes(needed)


def test_available_memory_is_plausible() -> None:
    available = room.available_memory()
    assert available is not None
    assert 2**20 < available < 2**50


def test_readable_bytes() -> None:
    sizes = [0, 1, 1023, 1024, 1536, 5 * 2**30, 3 * 2**50]
    assert [readable_bytes(size) for size in sizes] == [
        "0 bytes",
        "1 byte",
        "1,023 bytes",
        "1.0 KiB",
        "1.5 KiB",
        "5.0 GiB",
        "3072.0 TiB",
    ]

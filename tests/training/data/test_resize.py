from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

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


@pytest.mark.parametrize(
    ("received", "size", "fitting"),
    [
        ((8, 8), (7, 12), (7, 7)),
        ((40, 60), (30, 30), (20, 30)),
        ((9, 2), (5, 5), (5, 1)),
        ((4, 90), (9, 9), (1, 9)),
    ],
)
def test_pad_shrinks_what_is_too_large(
    received: tuple[int, int], size: tuple[int, int], fitting: tuple[int, int]
) -> None:
    images = pictures(2, 3, *received)
    found = resize_images(images, (3, *size), "pad")
    shrunk = resize_images(images, (3, *fitting), "stretch")
    assert torch.equal(found, resize_images(shrunk, (3, *size), "pad"))
    assert (found != 0).any(0).any(0).sum() == fitting[0] * fitting[1]


@pytest.mark.parametrize(
    ("received", "size", "box"),
    [
        ((40, 60), (20, 20), (10, 0, 50, 40)),
        ((60, 40), (20, 20), (0, 10, 40, 50)),
        ((40, 61), (20, 20), (10, 0, 50, 40)),
        ((10, 10), (30, 20), (1, 0, 8, 10)),
        ((10, 12), (8, 8), (1, 0, 11, 10)),
        ((30, 45), (20, 30), (0, 0, 45, 30)),
        ((6, 9), (6, 5), (2, 0, 7, 6)),
        ((1, 500), (4, 4), (249, 0, 250, 1)),
    ],
)
def test_crop_resizes_the_middle(
    received: tuple[int, int], size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    """The box is left, top, right, bottom, as Pillow has it."""
    images = pictures(1, 3, *received)
    picture = Image.fromarray(images[0].movedim(0, -1).numpy())
    theirs = np.asarray(picture.crop(box).resize(size[::-1], Image.Resampling.BILINEAR))
    ours = resize_images(images, (3, *size), "crop")[0].movedim(0, -1).numpy()
    assert abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_crop_is_pillows_fit_to_half_a_pixel_of_the_image() -> None:
    images = pictures(1, 3, 301, 402)
    smooth = torch.nn.functional.avg_pool2d(images.float(), 15, stride=1, padding=7).to(torch.uint8)
    fit = ImageOps.fit(Image.fromarray(smooth[0].movedim(0, -1).numpy()), (64, 48), Image.Resampling.BILINEAR)
    ours = resize_images(smooth, (3, 48, 64), "crop")[0].movedim(0, -1).numpy()
    assert abs(ours.astype(int) - np.asarray(fit).astype(int))[1:-1, 1:-1].max() <= 2


@pytest.mark.parametrize("rule", ["crop", "pad"])
@pytest.mark.parametrize("size", [(48, 48), (96, 32), (31, 77)])
@pytest.mark.parametrize("received", [(60, 200), (200, 60), (90, 90)])
def test_a_circle_stays_a_circle(received: tuple[int, int], size: tuple[int, int], rule: str) -> None:
    radius = 9 if rule == "crop" else 28  # what is left of the image, or large enough to be measured
    rows, columns = torch.meshgrid(*(torch.arange(side) - side / 2 + 0.5 for side in received), indexing="ij")
    disk = (255 * (rows**2 + columns**2 < radius**2)).to(torch.uint8)
    found = resize_images(disk.expand(1, 1, *received), (1, *size), rule)[0, 0] > 127
    height, width = int(found.any(1).sum()), int(found.any(0).sum())
    assert abs(height - width) <= 2
    stretched = resize_images(disk.expand(1, 1, *received), (1, *size), "stretch")[0, 0] > 127
    if max(received) / min(received) > 2 and size == (48, 48):
        assert abs(int(stretched.any(1).sum()) - int(stretched.any(0).sum())) > 2


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
    for rule, received, said in (
        ("stretch", (8, 9), "stretched to 1x8x8 (bilinear), which changes their aspect ratio"),
        ("stretch", (4, 4), "resized to 1x8x8 (bilinear)"),
        ("crop", (4, 4), "resized to 1x8x8 (bilinear)"),
        ("crop", (9, 8), "cropped to the middle 1x8x8"),
        ("crop", (8, 10), "cropped to the middle 1x8x8"),
        ("crop", (20, 10), "cropped, the middle resized to 1x8x8 (bilinear)"),
        ("pad", (8, 7), "padded with zeros to 1x8x8"),
        ("pad", (8, 10), "shrunk (bilinear) and padded with zeros to 1x8x8"),
    ):
        assert resize_notes("images", (1, *received), (1, 8, 8), rule) == (f"images {said}",)
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

"""One image file: what it promises, its pixels, and what was wrong with it, in words.

An image file can come from anywhere. Only the formats of :data:`FORMATS` are tried, whatever the name of the
file says; its size is compared before anything is decoded; and whatever a decoder raises or warns about is
reported with the name of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError, usage_error
from cnncli.limits import MAX_PICTURE_PIXELS
from cnncli.training.data.recorded import WHOLE_RANGE, Levels

FORMATS: Final[Mapping[str, str]] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
}
"""Pillow's name for the format of each suffix. A JPEG that is named .png is read, other formats never are."""

_HELD: Final = {"WEBP": 24}
_HELD_OTHERS: Final = 14
"""Bytes for each pixel of an opened image and what it becomes, rounded up; the tests measure them."""

_TRIED = tuple(dict.fromkeys(FORMATS.values()))
_GRAY = {"1", "L", "LA", "La"}
_COLOR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"}
_TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}
_LEFT: Final = 2
"""How many times larger than needed a JPEG is decoded at least."""
_ORIENTATION = 0x0112  # the EXIF tag for the rotation of a photograph
_TILE = (0x0142, 0x0143)  # the TIFF tags for the width and the height of a tile


class Inner(Protocol):
    """A file inside of another one; its text names it in messages."""

    def content(self) -> BinaryIO:
        """Open it for reading bytes, at any position."""


File: TypeAlias = Path | Inner
"""What an image is read from."""


class UnreadableError(UsageError):
    """A file is not an image, is damaged, or has more pixels than are decoded."""


class Picture(NamedTuple):
    """The pixels of a file, uint8 [C, H, W] with C 1 or 3, and how they were converted.

    Gray of 16 bits is int32 [1, H, W]: :func:`scaled` makes bytes of it.
    """

    pixels: Tensor
    changes: tuple[str, ...]


@contextmanager
def named(path: File) -> Iterator[None]:
    """Report whatever happens within the block as an error in words about the file.

    Raises:
        UnreadableError: the file cannot be read.
        UsageError: something else happened, such as too little memory.
    """
    try:
        yield
    except CnncliError as error:
        kind = UnreadableError if isinstance(error, UnreadableError) else UsageError
        raise kind(
            found._replace(message=f"{path}: {found.message}") for found in error.diagnostics
        ) from error
    except UnidentifiedImageError as error:
        readable = ", ".join(_TRIED)
        raise unreadable(f"{path}: not an image that can be read", f"one of {readable}") from error
    except FileNotFoundError as error:
        raise unreadable(f"{path}: no such file") from error
    except MemoryError as error:
        raise usage_error(f"{path}: does not fit into memory") from error
    except Exception as error:  # decoders raise anything: TypeError, AttributeError, struct.error, ...
        reason = str(error) or type(error).__name__
        if "allocate memory" in reason:  # by torch
            raise usage_error(f"{path}: does not fit into memory: {reason}") from error
        raise unreadable(f"{path}: cannot be read: {reason}") from error


def unreadable(message: str, expected: str = "", received: str = "") -> UnreadableError:
    """Return the error about a file that cannot be read."""
    return UnreadableError(Diagnostic("usage", message, expected=expected, received=received))


@contextmanager
def opened(path: File) -> Iterator[Image.Image]:
    """Open an image file without decoding it.

    Raises:
        UnreadableError: it has too many pixels.
        Exception: what Pillow raises if the file is not an image.
    """
    if isinstance(path, Path) and not path.is_file() and path.exists():
        raise unreadable("not a file", "an image file", "a folder" if path.is_dir() else "a pipe or a device")
    with _source(path) as source, _identified(source) as image:
        promised = promised_pixels(image)
        if promised > MAX_PICTURE_PIXELS:
            raise unreadable(
                f"too large: {image.width} x {image.height} pixels",
                f"at most {MAX_PICTURE_PIXELS:,} pixels",
                f"{promised:,} pixels",
            )
        yield image


def _source(path: File) -> AbstractContextManager[Path | BinaryIO]:
    return nullcontext(path) if isinstance(path, Path) else path.content()


def _identified(source: Path | BinaryIO) -> Image.Image:
    try:
        return Image.open(source, formats=_TRIED)
    except Image.DecompressionBombError as error:
        raise unreadable(f"too large: {error}", f"at most {MAX_PICTURE_PIXELS:,} pixels") from error


def promised_pixels(image: Image.Image) -> int:
    """Return how many pixels decoding an opened image makes: its own, or those of a larger tile of a TIFF."""
    pixels = image.width * image.height
    if image.format != "TIFF":
        return pixels
    tags: Mapping[int, int] = getattr(image, "tag_v2", {})
    width, height = (tags.get(tag, 0) for tag in _TILE)
    return max(pixels, width * height)


def decoding_memory(image: Image.Image) -> int:
    """Return the bytes that an opened image and its pixels take at most, until the image is closed."""
    return promised_pixels(image) * _HELD.get(image.format or "", _HELD_OTHERS)


def decoded(image: Image.Image) -> Picture:
    """Return the pixels of an opened image.

    EXIF orientation is applied; transparency is dropped, with colors as they are stored; of several frames
    the first is used; of 16 bits of a color Pillow keeps the upper 8.

    Raises:
        UnreadableError: the pixels are neither gray nor color, or have more than 16 bits.
        Exception: what Pillow raises if the file is damaged.
    """
    is_deep_color = image.mode in _COLOR and _is_deep(image)
    image.load()
    changes = []
    is_turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    if is_turned:
        changes.append("rotated according to EXIF")
    if getattr(image, "is_animated", False):
        changes.append("with several frames, of which the first was used")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        changes.append("with transparency, which was removed")
    if is_deep_color:
        changes.append("with color of 16 bits, of which Pillow reads the upper 8")
    if is_turned:  # otherwise it does nothing, after it has looked for EXIF once more
        ImageOps.exif_transpose(image, in_place=True)
    pixels = torch.from_numpy(_array(image))
    return Picture(pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.movedim(-1, 0), tuple(changes))


def scaled(values: Tensor, levels: Levels) -> Tensor:
    """Return bytes, uint8 in the shape of ``values`` (int32, 0 to 65,535): black becomes 0, white 255.

    What is beyond them becomes 0 or 255 too; values in between are rounded to the nearest byte.

    >>> scaled(torch.tensor([0, 100, 4095, 5000], dtype=torch.int32), Levels(0, 4095)).tolist()
    [0, 6, 255, 255]
    """
    width = max(1, levels.white - levels.black)
    found = values.clamp(levels.black, levels.white).sub_(levels.black).mul_(255).add_(width // 2)
    return found.div_(width, rounding_mode="floor").to(torch.uint8)


def _is_deep(image: Image.Image) -> bool:
    """Return whether an image that is not loaded yet has more than 8 bits for each channel."""
    tiles: list[Any] = getattr(image, "tile", [])
    arguments = [part for *_, last in tiles for part in (last if isinstance(last, tuple) else (last,))]
    # A PPM states its largest value, other files a form such as RGB;16B.
    largest = [part for part in arguments if isinstance(part, int)] if image.format == "PPM" else []
    return any(isinstance(part, str) and ";16" in part for part in arguments) or max(largest, default=0) > 255


def shrink_while_decoding(image: Image.Image, shrinkage: Callable[[tuple[int, int]], float]) -> int:
    """Let a JPEG be decoded at a half, a quarter or an eighth of its size; return that 2, 4 or 8, or 1.

    A JPEG consists of blocks of 8x8 frequencies, of which the low ones alone are an image that is smaller.
    At least twice the size is left that the image is going to be resized to: from there on the result is
    hardly another one (``benchmarks/decoding.py``). Height and width must be multiples of what they are
    divided by, so that no part of a pixel is left.

    Args:
        image: opened, but not decoded yet.
        shrinkage: how many times smaller an image of a (height, width) is going to be resized.
    """
    if not isinstance(image, JpegImageFile):
        return 1
    is_turned = image.getexif().get(_ORIENTATION, 1) in range(5, 9)
    most = shrinkage(image.size if is_turned else image.size[::-1]) / _LEFT
    factor = next(each for each in (8, 4, 2, 1) if each <= most or each == 1)
    while image.width % factor or image.height % factor:
        factor //= 2
    if factor > 1:
        image.draft(image.mode, (image.width // factor, image.height // factor))
    return factor


def _array(image: Image.Image) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the pixels as uint8 [H, W] or [H, W, 3], or int32 [H, W] for gray of 16 bits."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.array(image, dtype=np.int32)
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > WHOLE_RANGE.white:
            raise unreadable(
                f"gray values from {low} to {high}", f"0 to {WHOLE_RANGE.white}, which 16 bits have"
            )
        return values
    if image.mode in _GRAY:
        return np.array(image if image.mode == "L" else image.convert("L"))
    if image.mode not in _COLOR:
        raise unreadable(f"pixels of mode {image.mode}", "gray or color of 8 or 16 bits")
    if "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns when a palette's transparency is lost directly
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))

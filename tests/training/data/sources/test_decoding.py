"""Image files that are not what they seem."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from cnncli.diagnostics import UsageError
from cnncli.limits import MAX_PICTURE_PIXELS
from cnncli.training.data import space
from cnncli.training.data.recorded import Levels
from cnncli.training.data.resize import resize_images
from cnncli.training.data.sources import decoding
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.remarks import Remarks

ROOT = Path(__file__).parents[4]
SMALL = Image.new("RGB", (4, 4), (200, 30, 90))


def read(*paths: Path, shape: tuple[int, ...] = (3, 4, 4)) -> tuple[Any, tuple[str, ...]]:
    found = Pictures.prepare(paths, shape, "stretch").read(None)
    return found.pixels[0], found.notes


def message(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read(path)
    assert len(caught.value.diagnostics) <= 2  # and how many files cannot be read
    found = caught.value.diagnostics[0].message
    assert found.startswith(f"{path}: ")
    return found.removeprefix(f"{path}: ")


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """The image as it is read at its own size, [H, W] or [H, W, C]."""
    with decoding.opened(path) as image:
        found = decoding.decoded(image).pixels.movedim(0, -1).numpy()
    return found[..., 0] if found.shape[-1] == 1 else found


NOISE = np.random.default_rng(5).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("color.png", "RGB", {}),
        ("gray.png", "L", {}),
        ("alpha.png", "RGBA", {}),
        ("gray_alpha.png", "LA", {}),
        ("key.png", "RGB", {"transparency": (1, 2, 3)}),
        ("palette.png", "P", {}),
        ("palette_key.png", "P", {"transparency": 0}),
        ("palette_alpha.png", "P", {"transparency": bytes(range(0, 250, 10))}),
        ("palette.gif", "P", {"transparency": 3}),
        ("print.jpg", "CMYK", {"quality": 100}),
        ("print.tif", "CMYK", {}),
        ("bits.png", "1", {}),
        ("bits.tif", "1", {"compression": "group4"}),
        ("bits.pbm", "1", {}),
        ("alpha.webp", "RGBA", {"lossless": True, "exact": True}),
        ("video.tif", "YCbCr", {}),
    ],
)
def test_pixels_are_those_of_pillows_conversion(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any]
) -> None:
    """As torchvision and timm read files: transparency is dropped, and colors are those that are stored."""
    image = Image.fromarray(NOISE)
    alpha = Image.fromarray(NOISE[..., 0])
    if mode in ("RGBA", "LA"):
        image.putalpha(alpha)
    image.convert(mode).save(tmp_path / name, **options)
    with Image.open(tmp_path / name) as opened:
        gray = mode in ("1", "L", "LA") and not name.endswith("webp")
        # Pillow warns where a palette loses its transparency; by way of RGBA it is the same.
        expected = opened.convert("RGBA").convert("RGB")
        expected = opened.convert("L") if gray else expected
        np.testing.assert_array_equal(pixels(tmp_path / name), np.asarray(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_photographs_stand_upright(tmp_path: Path, orientation: int, mode: str) -> None:
    """The eight orientations of EXIF 2.3, table 6: what is stored is turned or mirrored back."""
    gray = NOISE[..., 0]
    upright = {"RGB": NOISE, "L": gray, "I;16": gray.astype(np.uint16) * 200}[mode]
    turned: dict[int, Any] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: np.rot90,
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }
    stored = turned[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), upright)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_the_first_frame_is_used(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime", "blue")]
    options: dict[str, Any] = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    images, notes = read(tmp_path / name)
    assert images[0, :, 0, 0].tolist() == [255, 0, 0]
    assert notes == ("1 image with several frames, of which the first was used",)


def gray16(path: Path, values: list[int]) -> Path:
    """A gray image of 16 bits, a row of these values; .pgm is written by hand, since Pillow rounds them."""
    row = np.array([values], dtype=np.uint16)
    if path.suffix == ".pgm":
        path.write_bytes(b"P5 %d 1 65535\n" % len(values) + row.astype(">u2").tobytes())
    else:
        Image.fromarray(row).save(path)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
@pytest.mark.parametrize(("low", "high"), [(0, 1023), (0, 4095), (0, 65535), (30000, 34095), (7, 8)])
def test_gray_of_16_bits_has_the_levels_of_the_training_images(
    tmp_path: Path, suffix: str, low: int, high: int
) -> None:
    """All 256 bytes are used, however few of the 65,536 values a camera has."""
    values = np.linspace(low, high, 300).round().astype(int)
    paths = [gray16(tmp_path / f"{part}.{suffix}", values[part::3].tolist()) for part in range(3)]
    beyond = [max(0, low - 9), *values[:98].tolist(), min(65535, high + 9)]
    paths.append(gray16(tmp_path / f"test.{suffix}", beyond))
    found = Pictures.prepare(tuple(paths), (1, 1, 100), "stretch").read(None, (3, 1))
    assert found.levels == (low, high)
    expected = np.rint((values - low) * 255 / max(1, high - low))
    for part in range(3):
        np.testing.assert_array_equal(found.pixels[0][part, 0, 0].numpy(), expected[part::3])
    assert found.pixels[1][0, 0, 0, [0, -1]].tolist() == [0, 255]
    assert found.notes[0] == f"all images of 16 bits, scaled: {low} to {high} became 0 to 255"
    outside = "1 image of 16 bits with values outside that range, which were cut to it"
    assert found.notes[1:] == (() if (low, high) == (0, 65535) else (outside,))
    # With levels that are known, those count.
    again = Pictures.prepare(tuple(paths[:1]), (1, 1, 100), "stretch", Levels(0, 65535)).read(None)
    np.testing.assert_array_equal(again.pixels[0][0, 0, 0].numpy(), np.rint(values[::3] / 257))


def test_levels_are_those_of_the_type_if_no_training_image_has_16_bits(tmp_path: Path) -> None:
    SMALL.convert("L").save(tmp_path / "a.png")
    gray16(tmp_path / "b.png", [0, 100, 514, 600])
    found = Pictures.prepare((tmp_path / "a.png", tmp_path / "b.png"), (1, 1, 4), "stretch").read(
        None, (1, 1)
    )
    assert found.levels == (0, 65535)
    assert found.pixels[1][0].flatten().tolist() == [0, 0, 2, 2]


def test_gray_of_more_than_16_bits_is_an_error(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 70_000]], dtype=np.int32)).save(tmp_path / "a.tif")
    assert message(tmp_path / "a.tif") == "gray values from 0 to 70000"
    Image.fromarray(np.array([[0.0, 0.5]], dtype=np.float32)).save(tmp_path / "b.tif")
    assert message(tmp_path / "b.tif") == "pixels of mode F"


def test_color_of_16_bits_is_said(tmp_path: Path) -> None:
    """Pillow has no mode for it, so a camera of 12 bits would be nearly black."""
    row = np.array([[4095, 2000, 100], [65535, 0, 256]], dtype=">u2")
    (tmp_path / "a.png").write_bytes(png(2, 1, bits=16, rows=b"\0" + row.tobytes()))
    images, notes = read(tmp_path / "a.png", shape=(3, 1, 2))
    assert images[0, :, 0].T.tolist() == [[15, 7, 0], [255, 0, 1]]
    assert notes == ("1 image with color of 16 bits, of which Pillow reads the upper 8",)


def photograph(path: Path, size: tuple[int, int], **options: Any) -> Path:
    """A JPEG of blurred noise and edges, as a photograph has them; ``size`` is (width, height)."""
    rough = np.random.default_rng(2).integers(0, 256, (size[1] // 20, size[0] // 20, 3), dtype=np.uint8)
    smooth = np.array(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))
    smooth[size[1] // 3 :, size[0] // 2 :, 1] //= 2
    Image.fromarray(smooth).save(path, quality=95, **options)
    return path


@pytest.mark.parametrize("rule", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(
    ("size", "orientation", "denominator"),
    [((1200, 800), 1, 4), ((1200, 808), 6, 4), ((1202, 800), 1, 2), ((801, 1200), 1, 1), ((300, 400), 1, 1)],
)
def test_a_large_jpeg_is_shrunk_while_it_is_decoded(
    tmp_path: Path, rule: str, size: tuple[int, int], orientation: int, denominator: int
) -> None:
    """To at least twice the size that is needed, so the result is that of the full size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = photograph(tmp_path / "a.jpg", size, exif=exif)
    found = Pictures.prepare((path,), (3, 80, 80), rule).read(None)
    full = resize_images(torch.from_numpy(pixels(path)).movedim(-1, 0).unsqueeze(0), (3, 80, 80), rule)
    difference = (found.pixels[0].double() - full.double()).square().mean().item()
    # 35 dB: where the middle begins at an odd pixel, it is shifted by a tenth of a pixel of the result.
    assert difference <= 255**2 / 10**3.5
    drafted = [note for note in found.notes if "JPEG" in note]
    if rule == "crop":
        note = f"1 image decoded at 1/{denominator} of the size (JPEG)"
        assert drafted == ([note] if denominator > 1 else [])
        assert (difference > 0) == (denominator > 1)


@pytest.mark.parametrize("side", [64, 126, 128, 130, 254, 256, 504, 512, 520, 999])
def test_a_jpeg_is_never_decoded_below_twice_the_size(tmp_path: Path, side: int) -> None:
    """And not above four times, if its sides are multiples of 8."""
    path = photograph(tmp_path / "a.jpg", (side, side))
    with Image.open(path) as image:
        decoding.shrink_while_decoding(image, lambda size: min(size) / 32)
        image.load()
        assert image.size[0] >= min(side, 64)
        assert side % 8 or image.size[0] <= 128


def test_a_vector_of_pixels_is_decoded_at_full_size(tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.jpg", (800, 600))
    found = Pictures.prepare((path,), (3 * 600 * 800,), "crop").read(None)
    assert found.notes == ("3x600x800 images flattened to 1440000 values",)


def test_postscript_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow starts Ghostscript for a file whose content is PostScript, whatever its name."""
    started: list[Any] = []
    for name in ("Popen", "check_call", "run", "call", "check_output"):
        monkeypatch.setattr(subprocess, name, lambda *words, **_: started.append(words))
    path = tmp_path / "photo.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    Image.init()
    with Image.open(path) as image:
        assert image.format == "EPS"  # so it would be
    assert message(path) == "not an image that can be read"
    assert started == []


def saved(name: str) -> bytes | None:
    """Return a small image in a format of Pillow; None if Pillow cannot write it, or not read it back."""
    content = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            SMALL.save(content, name)
            Image.open(content).load()
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return content.getvalue()


def test_only_the_formats_of_the_suffixes_are_tried(tmp_path: Path) -> None:
    Image.init()
    others = {name: saved(name) for name in set(Image.SAVE) - set(FORMATS.values()) - {"MPO"}}
    written = {name: content for name, content in others.items() if content is not None}
    assert {"DDS", "ICO", "SGI", "TGA", "PCX"} <= set(written)
    for name, content in written.items():
        (tmp_path / f"{name}.png").write_bytes(content)
        assert message(tmp_path / f"{name}.png") == "not an image that can be read"


def test_a_photograph_with_the_wrong_suffix_is_read(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.png", "JPEG", quality=100, subsampling=0)
    SMALL.save(tmp_path / "b.jpg", "PNG")
    images, notes = read(tmp_path / "a.png", tmp_path / "b.jpg")
    assert images[:, :, 0, 0].float().sub(images.new_tensor([200, 30, 90]).float()).abs().max() <= 2
    assert notes == ()


@pytest.mark.parametrize(
    "error",
    [
        TypeError("Missing dimensions"),
        NotImplementedError("Unimplemented pixel format"),
        AttributeError("'NoneType' object has no attribute 'read'"),
        subprocess.CalledProcessError(1, "gs"),
        struct.error("unpack requires 4 bytes"),
        RecursionError(),
        RuntimeError("unknown"),
        AssertionError(),
    ],
)
def test_whatever_a_decoder_raises_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    SMALL.save(tmp_path / "a.png")

    def load(_: Image.Image) -> None:
        raise error

    monkeypatch.setattr(PngImageFile, "getexif", load)
    assert message(tmp_path / "a.png") == f"cannot be read: {str(error) or type(error).__name__}"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_is_not_the_fault_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(_: Image.Image) -> None:
        raise error

    SMALL.save(tmp_path / "a.png")
    SMALL.save(tmp_path / "b.jpg")
    monkeypatch.setattr(PngImageFile, "getexif", load)
    found = Pictures.prepare((tmp_path / "a.png", tmp_path / "b.jpg"), (3, 4, 4), "stretch", skip=0.9)
    with pytest.raises(UsageError, match=r"a\.png: does not fit into memory"):
        found.read(None)


def test_a_second_frame_without_a_size_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    SMALL.save(path)
    content = bytearray(path.read_bytes())
    start = struct.unpack("<I", content[4:8])[0]
    entries = struct.unpack("<H", content[start : start + 2])[0]
    next_frame = start + 2 + 12 * entries
    content[next_frame : next_frame + 4] = struct.pack("<I", len(content))
    path.write_bytes(content + struct.pack("<HI", 0, 0))
    images, notes = read(path)
    assert images[0, :, 0, 0].tolist() == [200, 30, 90]
    assert notes == ("1 image with several frames, of which the first was used",)


def test_other_errors_of_the_system_are_not_hidden(tmp_path: Path) -> None:
    assert "no such file" in message(tmp_path / "gone.png")


def exif_that_ends_early(path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    SMALL.save(path, exif=exif.tobytes()[:-8])


def test_warnings_are_counted_and_never_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    for number in range(3):
        exif_that_ends_early(tmp_path / f"{number}.jpg")
    SMALL.save(tmp_path / "fine.jpg")
    warnings.simplefilter("always")
    _, notes = read(*sorted(tmp_path.iterdir()))
    assert len(notes) == 1
    assert notes[0].startswith(f"3 images may be damaged, as the decoder warned: {tmp_path}/0.jpg: ")
    assert list(recwarn) == []
    assert capfd.readouterr() == ("", "")


def test_what_pillow_logs_is_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("PIL.TiffImagePlugin")

    def exif(_: Image.Image) -> Image.Exif:
        logger.error("More samples per pixel than can be decoded: %s", 9)
        return Image.Exif()

    SMALL.save(tmp_path / "a.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PngImageFile, "getexif", exif)
        _, notes = read(tmp_path / "a.png")
    assert notes[0].endswith("a.png: More samples per pixel than can be decoded: 9")
    assert capfd.readouterr() == ("", "")


def test_what_libtiff_prints_is_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It writes to the descriptor itself, past sys.stderr."""
    path = tmp_path / "a.tif"
    SMALL.resize((40, 40)).save(path, compression="tiff_lzw")
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes([255] * 20) + content[28:])
    Image.new("L", (4, 4)).save(tmp_path / "b.tif", compression="tiff_lzw")
    with pytest.raises(UsageError):
        read(path, tmp_path / "b.tif")
    assert capfd.readouterr() == ("", "")
    with Image.open(path) as image, pytest.raises(OSError, match="decoder error"):
        image.load()
    assert "code not yet in table" in capfd.readouterr().err  # it is printed otherwise


def test_a_closed_standard_error_does_not_matter(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "a.tif", compression="tiff_lzw")
    code = (
        "import os, sys; from pathlib import Path; os.close(2); "
        "from cnncli.training.data.sources.pictures import Pictures; "
        "found = Pictures.prepare((Path(sys.argv[1]),), (3, 4, 4), 'stretch').read(None); "
        "print(found.pixels[0].sum().item())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.tif")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"{16 * (200 + 30 + 90)}\n"


def test_warnings_of_other_threads_go_where_they_went() -> None:
    remarks = Remarks()
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        with remarks.kept():
            warnings.warn("of the program", UserWarning, stacklevel=1)
            with remarks.of_this_thread() as heard:
                warnings.warn_explicit("of Pillow", UserWarning, "PIL/Image.py", 1, "PIL.Image")
        warnings.warn("after it", UserWarning, stacklevel=1)
    assert heard == ["of Pillow"]
    assert shown == ["of the program", "after it"]


def png(width: int, height: int, *, bits: int = 8, rows: bytes = b"") -> bytes:
    """A color PNG whose header states a size, and whose data may be only a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [11_586, 12_900, 40_000])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    assert side**2 > MAX_PICTURE_PIXELS
    (tmp_path / "a.png").write_bytes(png(side, side))
    assert message(tmp_path / "a.png").startswith("too large: ")


def tiff(**tags: int) -> bytes:
    """A TIFF of 4 x 4 gray pixels with further tags."""
    names = {"width": 256, "height": 257, "bits": 258, "photometric": 262, "tile_width": 322}
    names |= {"tile_height": 323, "offset": 324, "count": 325}
    values = {"width": 4, "height": 4, "bits": 8, "photometric": 1} | tags
    entries = sorted((names[name], value) for name, value in values.items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4 + 16)


def test_a_tile_is_as_large_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(tile_width=20_000, tile_height=16_000, offset=8, count=16))
    with Image.open(tmp_path / "a.tif") as image:
        assert image.size == (4, 4)
        assert decoding.promised_pixels(image) == 320_000_000
    assert message(tmp_path / "a.tif") == "too large: 4 x 4 pixels"


def test_a_picture_for_which_memory_does_not_suffice_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(4000, 4000))
    monkeypatch.setattr(space, "available_memory", lambda: 300 * 2**20)
    assert message(tmp_path / "a.png").startswith("decoding 4000 x 4000 pixels would take ")


def test_rows_between_two_interpolations_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image of one column for a wide input: first every row becomes wide, 4 bytes for each value."""
    (tmp_path / "a.png").write_bytes(png(1, 1_000_000))
    monkeypatch.setattr(space, "available_memory", lambda: 2**33)
    with pytest.raises(UsageError, match=r"would take 11\.2 GiB of memory"):
        read(tmp_path / "a.png", shape=(3, 10, 1000))


PEAK = """
import os, sys
from pathlib import Path
import torch
from cnncli.training.data.sources import pictures

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

def measure(path, shape):
    found = pictures.Pictures.prepare((path,), shape, "stretch")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is used now
    before = peak()
    found.read(None)
    with pictures.opened(path) as image:
        print(peak() - before, found._memory(image), path.name, shape, flush=True)

torch.set_num_threads(1)
small, *paths = map(Path, sys.argv[1:])
pictures.Pictures.prepare((small,), (1, 9, 9), "stretch").read(None)
for shape in (3, 8, 8), (1, 8, 8), (3, 1000, 8):
    for path in paths:
        child = os.fork()  # with nothing left behind by the one before
        if child == 0:
            measure(path, shape)
            os._exit(0)
        os.waitpid(child, 0)
"""

SIDE = 2000
ROTATED = Image.Exif()
ROTATED[0x0112] = 6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are those of Linux")
def test_no_picture_takes_more_than_is_checked(tmp_path: Path) -> None:
    forms: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("small.png", "RGB", {}),
        ("color.png", "RGB", {}),
        ("palette.png", "P", {"transparency": 0}),
        ("deep.png", "I;16", {}),
        ("print.jpg", "CMYK", {}),
        ("rotated.jpg", "RGB", {"exif": ROTATED, "progressive": True}),
        ("gray.jpg", "L", {"exif": ROTATED}),
        ("transparent.webp", "RGBA", {"lossless": True}),
        ("few.gif", "P", {}),
        ("lab.tif", "LAB", {}),
        ("deflated.tif", "RGB", {"compression": "tiff_deflate"}),
    )
    for name, mode, options in forms:
        side = 8 if name == "small.png" else SIDE
        Image.new(mode, (side, side)).save(tmp_path / name, **options)
    command = [sys.executable, "-c", PEAK, *(str(tmp_path / name) for name, _, _ in forms)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    measured = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert len(measured) == 3 * (len(forms) - 1)
    assert max(int(peak) / int(promised) for peak, promised, _ in measured) > 0.7  # it is measured
    above = [line for line in done.stdout.splitlines() if int(line.split()[0]) > int(line.split()[1])]
    assert above == []

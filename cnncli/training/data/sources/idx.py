"""``idx:DIR``: the files of the MNIST family (MNIST, Fashion-MNIST, EMNIST, KMNIST), gzipped or not.

The format (Y. LeCun, C. Cortes, C. Burges, "The MNIST database"): two zero bytes, a type code (8: unsigned
byte), the number of axes, each axis as a big-endian 32-bit number, then the values and nothing else.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from cnncli.diagnostics import UsageError, counted, listing, usage_error
from cnncli.layers import shape_text
from cnncli.training.data.catalog import Catalog
from cnncli.training.data.dataset import Dataset, Measured
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources.assemble import Part, assemble, assemble_measured
from cnncli.training.data.sources.stored import Stored, catalog_of
from cnncli.training.data.sources.streams import Stream, filled
from cnncli.training.data.space import MEMORY, Space

_FILE = re.compile(r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]idx\d-ubyte(\.gz)?")
_TYPES = {
    0x08: "unsigned byte",
    0x09: "signed byte",
    0x0B: "16-bit integer",
    0x0C: "32-bit integer",
    0x0D: "32-bit float",
    0x0E: "64-bit float",
}
_UNSIGNED_BYTE = 0x08
_DEFLATE_RATIO = 1032  # of deflate: 258 bytes for 2 bits
_AXES = {"images": 3, "labels": 1}
_EXPECTED = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k, each with or without .gz"


def load(
    folder: Path,
    input_shape: tuple[int, ...],
    resize: str,
    first_label: int | None = None,
    space: Space = MEMORY,
) -> Dataset:
    """Read the four files in ``folder``; ``t10k`` (or ``test``) is the held-out part.

    Images are put into ``space``.

    Raises:
        UsageError: files are missing, damaged or contradict each other.
    """
    files = _find(folder)
    _check_complete(folder, files, ("train", "test"))
    train = _part(files["train", "images"], files["train", "labels"], space)
    test = _part(files["test", "images"], files["test", "labels"], space)
    return assemble(f"idx:{folder}", train, test, input_shape, resize, first_label, space=space)


def measure(folder: Path, input_shape: tuple[int, ...], resize: str) -> Measured:
    """Read the two files of the test part, or those of the training part if there are no others.

    Raises:
        UsageError: files are missing, damaged or contradict each other.
    """
    files = _find(folder)
    part = "train" if files and not any(each == "test" for each, _ in files) else "test"
    return _measured(folder, files, part, input_shape, resize)


def held_out(folder: Path, input_shape: tuple[int, ...], resize: str) -> Measured:
    """Read the two files of the test part.

    Raises:
        UsageError: files are missing, damaged or contradict each other.
    """
    return _measured(folder, _find(folder), "test", input_shape, resize)


def catalog(folder: Path) -> Catalog:
    """Return all images of a folder, also without labels, or of one part alone.

    Raises:
        UsageError: there are no images, or a file is damaged.
    """
    files = _find(folder)
    parts, warnings = [], []
    for part in ("train", "test"):
        if (part, "images") not in files:
            warnings.append(f"there are no {part} images, so it cannot be trained on")
            continue
        path = files[part, "images"]
        labels = read(files[part, "labels"], "labels").long() if (part, "labels") in files else None
        parts.append(Stored(part, path.name, read(path, "images").unsqueeze(1), labels))
    if not parts:
        _check_complete(folder, files, ("train", "test"))
    return catalog_of(f"idx:{folder}", parts, warnings=tuple(warnings))


def _measured(
    folder: Path,
    files: dict[tuple[str, str], Path],
    part: str,
    input_shape: tuple[int, ...],
    resize: str,
) -> Measured:
    _check_complete(folder, files, (part,))
    found = _part(files[part, "images"], files[part, "labels"])
    what = f"the {counted(len(found.labels), 'image')} of its {part} files"
    return assemble_measured(f"idx:{folder}", found, what, input_shape, resize)


def _find(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the file of each part and content; a plain file is preferred to a gzipped one."""
    if not folder.is_dir():
        raise usage_error(f"{folder} is not a folder", expected="the folder of the idx files")
    found: dict[tuple[str, str], Path] = {}
    prefixes = set()
    # Longest first: "x.gz" is overwritten by "x".
    for path in sorted(folder.iterdir(), key=lambda path: (-len(path.name), path.name)):
        match = _FILE.fullmatch(path.name)
        if match is None or not path.is_file():  # reading a pipe could block forever
            continue
        prefixes.add(match["prefix"])
        part = "train" if match["part"] == "train" else "test"
        found[part, match["what"]] = path
    if len(prefixes) > 1:
        raise usage_error(
            f"{folder} has several data sets: {listing(sorted(prefixes))}",
            expected="one data set per folder",
            received=f"{len(prefixes)} data sets",
        )
    return found


def _check_complete(folder: Path, found: dict[tuple[str, str], Path], parts: tuple[str, ...]) -> None:
    """Check that there are images and labels of all ``parts``.

    Raises:
        UsageError: names those that are missing.
    """
    wanted = [(part, what) for part in parts for what in ("images", "labels")]
    missing = [f"{part} {what}" for part, what in wanted if (part, what) not in found]
    if missing:
        raise usage_error(
            f"{folder} has no file for {listing(missing)}", expected=_EXPECTED, received=_content(folder)
        )


def _content(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return listing(names, limit=6) if names else "an empty folder"


def _part(images: Path, labels: Path, space: Space = MEMORY) -> Part:
    pixels = read(images, "images", space)
    numbers = read(labels, "labels")
    if len(pixels) != len(numbers):
        raise usage_error(
            f"{images.name} has {counted(len(pixels), 'image')}, "
            f"but {labels.name} has {counted(len(numbers), 'label')}",
            expected="one label for each image",
            hint=f"both files in {images.parent} must come from the same data set",
        )
    ensure_memory(8 * len(numbers), f"{labels}: {counted(len(numbers), 'label')}")
    return Part(pixels.unsqueeze(1), numbers.to(torch.int64))


def read(path: Path, what: str, space: Space = MEMORY) -> Tensor:
    """Return the values of an idx file of unsigned bytes.

    Args:
        path: the file; its first bytes, not its name, show whether it is gzipped.
        what: "images" (three axes) or "labels" (one).
        space: where the values are put.

    Returns:
        uint8 in the shape that the header states.

    Raises:
        UsageError: the header or the length is wrong, or the gzip stream is damaged; names the file.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not zipped:
                return _values(file, path, what, size, space)
            with gzip.GzipFile(fileobj=file) as stream:
                return _values(stream, path, what, size * _DEFLATE_RATIO, space)
    except EOFError as error:
        raise _damaged(path, "the gzip stream ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise usage_error(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise usage_error(f"{path} does not fit into memory") from error


def _values(stream: Stream, path: Path, what: str, most: int, space: Space) -> Tensor:
    """Return the values of a stream that has at most ``most`` bytes."""
    shape = _shape(stream, path, what)
    count = math.prod(shape)
    stated = f"the header states {shape_text(shape)} = {count} values"
    if count > most:
        raise _damaged(path, f"{stated}, but the file holds at most {most:,} bytes")
    if count == 0:
        raise usage_error(f"{path} is empty", expected="at least one value", received=shape_text(shape))
    space.check(count, f"{path}: {shape_text(shape)} bytes")
    values = space.empty(shape)
    done = filled(stream, values.view(-1).numpy().data)
    if done < count or stream.read(1):
        raise _damaged(path, f"{stated}, but it has {done if done < count else 'more'}")
    return values


def _shape(stream: Stream, path: Path, what: str) -> tuple[int, ...]:
    """Return the shape that the header states."""
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise usage_error(
            f"{path} is not an idx file",
            expected=f"a file that starts with the bytes 00 00 08 {_AXES[what]:02x}",
            received=head.hex(" ") or "an empty file",
        )
    if head[2] != _UNSIGNED_BYTE or head[3] != _AXES[what]:
        raise usage_error(
            f"{path} does not contain {what}",
            expected=f"unsigned bytes on {_AXES[what]} axes",
            received=f"{_TYPES[head[2]]} values on {head[3]} axes",
        )
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise _damaged(path, "the header is incomplete")
    return struct.unpack(f">{head[3]}I", sizes)


def _damaged(path: Path, why: str) -> UsageError:
    return usage_error(f"{path} is damaged: {why}", hint="download or copy it again")

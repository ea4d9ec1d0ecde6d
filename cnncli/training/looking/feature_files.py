"""Files of vectors: an ``.npz`` whose vectors can be mapped into memory.

``numpy.load`` reads it: ``features`` float32 [N, d], ``index`` int64 [N], ``label`` int64 [N], -1 without a
class, ``classes`` the names of these, ``file`` the names of the images, if they have some, and ``about`` a
JSON text. Nothing is compressed, and the vectors begin at a multiple of 64 bytes, so the system reads only
those that are used.
"""

from __future__ import annotations

import json
import mmap
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple, TypeAlias

import numpy as np

from cnncli.diagnostics import CnncliError, UsageError, usage_error
from cnncli.training.data.packs.arrays import header
from cnncli.training.new_files import write_new_with
from cnncli.training.runs.values import members, parse_json, several, text

SUFFIX: Final = ".npz"
SCHEMA: Final = "cnncli.features/1"
_FLOATS: Final = np.dtype("<f4")
_WHOLE: Final = np.dtype("<i8")
_ALIGNED: Final = 64
_LOCAL: Final = struct.Struct("<4s22xHH")
"""The header of an entry of a zip archive: its signature, then the lengths of its name and extra field."""
_ZIP64: Final = 20
"""Bytes of the extra field with sizes of 64 bits."""
_PADDING: Final = 0x6363
"""The number of an extra field that nobody reads."""
_NAMES_TOGETHER: Final = 1 << 14

Array: TypeAlias = np.ndarray[Any, Any]


class About(NamedTuple):
    """Where vectors come from: the network, its run and the SHA-256 of its weights, the layer, the images."""

    network: str
    run: str
    weights: str
    layer: str
    pool: str
    source: str
    part: str
    classes: tuple[str, ...]

    def as_json(self) -> str:
        """Return it as a text."""
        return json.dumps({"schema": SCHEMA, **self._asdict()}, allow_nan=False)


class Chunk(NamedTuple):
    """Vectors of some images, float32 [n, d], their labels, int64 [n], and their files, if they have some."""

    vectors: Array
    labels: Array
    files: Sequence[str] = ()


class Written(NamedTuple):
    """How many vectors were written, and the values of each."""

    images: int
    values: int


class Stored(NamedTuple):
    """A file of vectors, float32 [N, d], mapped into memory; ``files`` is empty if images have no names."""

    about: About
    vectors: Array
    labels: Array
    files: Array


def write(path: Path, chunks: Iterable[Chunk], about: About) -> Written:
    """Write vectors to a new file, at no time more of them in memory than a chunk has.

    Raises:
        CnncliError: the file exists or cannot be written.
    """
    found: list[Written] = []
    write_new_with(path, lambda file: found.append(_write(path, file, chunks, about)))
    return found[0]


def _write(path: Path, file: BinaryIO, chunks: Iterable[Chunk], about: About) -> Written:
    labels: list[Array] = []
    files: list[str] = []
    values = 0
    # How many images can be read is known in the end, and an array begins with its shape.
    with tempfile.TemporaryFile(dir=path.parent) as vectors:
        for chunk in chunks:
            values = chunk.vectors.shape[1]
            vectors.write(np.ascontiguousarray(chunk.vectors, _FLOATS).data)
            labels.append(chunk.labels)
            files += chunk.files
        label = np.concatenate(labels).astype(_WHOLE)
        vectors.seek(0)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with _entry(archive, "features") as entry:
                entry.write(header((len(label), values), _FLOATS))
                shutil.copyfileobj(vectors, entry, 1 << 20)
            _put(archive, "index", np.arange(len(label), dtype=_WHOLE))
            _put(archive, "label", label)
            _put(archive, "classes", np.array(about.classes, dtype=np.str_))
            if files:
                _put_names(archive, files)
            _put(archive, "about", np.array(about.as_json()))
    return Written(len(label), values)


def _entry(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open the first entry of an archive, whose array begins at a multiple of 64 bytes."""
    info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
    start = _LOCAL.size + len(info.filename) + _ZIP64 + 4
    padding = -start % _ALIGNED
    info.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
    return archive.open(info, "w", force_zip64=True)


def _put(archive: zipfile.ZipFile, name: str, values: Array) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
    with archive.open(info, "w", force_zip64=True) as entry:
        entry.write(header(values.shape, values.dtype))
        entry.write(np.ascontiguousarray(values).tobytes())


def _put_names(archive: zipfile.ZipFile, names: Sequence[str]) -> None:
    """Write names a few at a time: as an array each is as long as the longest."""
    dtype = np.dtype(f"<U{max(map(len, names))}")
    info = zipfile.ZipInfo("file.npy", (1980, 1, 1, 0, 0, 0))
    with archive.open(info, "w", force_zip64=True) as entry:
        entry.write(header((len(names),), dtype))
        for start in range(0, len(names), _NAMES_TOGETHER):
            entry.write(np.array(names[start : start + _NAMES_TOGETHER], dtype=dtype).tobytes())


def read(path: Path) -> Stored:
    """Open a file that :func:`write` wrote; its vectors are mapped.

    Raises:
        UsageError: it is another file, or damaged.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            about = about_from(str(_array(archive, "about")[()]))
            vectors, labels = _mapped(path, file, archive), _array(archive, "label")
            files = _array(archive, "file") if "file.npy" in archive.namelist() else np.array([], np.str_)
    except CnncliError:
        raise
    except Exception as error:  # zipfile, numpy and json each have their own
        raise _unreadable(path, str(error) or type(error).__name__) from error
    counts = {len(vectors), len(labels), *([len(files)] if len(files) else [])}
    if len(counts) != 1 or labels.dtype != _WHOLE or files.dtype.kind != "U":
        raise _unreadable(path, "its arrays do not belong together")
    return Stored(about, vectors, labels, files)


def about_from(written: str) -> About:
    """Return what a text says of vectors.

    Raises:
        ValueError: it is not such a text.
    """
    found = members(parse_json(written), "about", ("schema", *About._fields))
    if found.pop("schema") != SCHEMA:
        raise ValueError("it is of another version")
    classes = several(found.pop("classes"), "classes", text)
    return About(**{name: text(each, name) for name, each in found.items()}, classes=classes)


def chunks(stored: Stored, most: int) -> Iterator[tuple[int, Array]]:
    """Yield vectors with the number of the first, about ``most`` values at a time."""
    step = max(1, most // max(1, stored.vectors.shape[1]))
    for start in range(0, len(stored.vectors), step):
        yield start, stored.vectors[start : start + step]


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as entry:
        found: Array = np.lib.format.read_array(entry, allow_pickle=False)
    return found


def _mapped(path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> Array:
    """Return the vectors, mapped for reading.

    Raises:
        UsageError: they are compressed, or the file is shorter than it says.
    """
    info = archive.getinfo("features.npy")
    file.seek(info.header_offset)
    signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    start = info.header_offset + _LOCAL.size + name + extra
    file.seek(start)
    np.lib.format.read_magic(file)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    begin, size = file.tell(), int(np.prod(shape, dtype=object)) * dtype.itemsize
    whole = info.compress_type == zipfile.ZIP_STORED and signature == b"PK\x03\x04"
    if not whole or fortran_order or len(shape) != 2 or dtype != _FLOATS or min(shape) < 1:
        raise _unreadable(path, "its vectors are not those of such a file")
    if begin - start + size != info.file_size:
        raise _unreadable(path, "it has not as many vectors as it says")
    content = mmap.mmap(file.fileno(), begin + size, access=mmap.ACCESS_READ)
    found: Array = np.frombuffer(content, _FLOATS, size // _FLOATS.itemsize, begin).reshape(shape)
    return found


def _unreadable(path: Path, why: str) -> UsageError:
    return usage_error(f"cannot read {path}: {why}", expected="a file that cnncli features wrote")

"""Data files that are almost right: seeds of every kind, and random changes to them."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import Image

Change = Callable[[random.Random, bytes], bytes]

_NUMBERS: Final = (0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@cache
def csv_files() -> Mapping[str, bytes]:
    """Small tables of files and targets, in every form that is read."""
    rows = [
        "photo,species,age,seen,split",
        "a.png,cat,1.5,u|v,train",
        '"b.png","d,og",,,test',
        "c.png,,2,v,val",
    ]
    text = "\n".join(rows)
    return {
        "commas.csv": text.encode(),
        "semicolons.csv": text.replace(",", ";").encode("utf-8-sig"),
        "tabs.csv": text.replace(",", "\t").replace("\n", "\r\n").encode(),
    }


@cache
def coco_files() -> Mapping[str, bytes]:
    """A small file of COCO."""
    content = {
        "info": {"description": "pictures of pets " * 40},
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "annotations": [{"image_id": 1, "category_id": 7}, {"image_id": 2, "category_id": 9}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    return {".json": json.dumps(content).encode()}


@cache
def masks() -> Mapping[str, bytes]:
    """Small masks in every format that has them."""
    values = np.random.default_rng(0).integers(0, 3, (9, 7), np.uint8)
    found = {}
    for name, image in (("gray", Image.fromarray(values)), ("palette", Image.fromarray(values).convert("P"))):
        for suffix in ("png", "bmp", "gif", "tif"):
            content = io.BytesIO()
            image.save(content, {"tif": "TIFF"}.get(suffix, suffix.upper()))
            found[f"{name}.{suffix}"] = content.getvalue()
    return found


@cache
def pictures() -> Mapping[str, bytes]:
    """Small images in every format that is read, by their suffix and what is special about them."""
    color = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    image = Image.fromarray(color)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    frames: dict[str, Any] = {"save_all": True, "append_images": [image.rotate(90), image]}
    forms: tuple[tuple[str, str, Image.Image, dict[str, Any]], ...] = (
        ("png", "", image, {"exif": exif}),
        ("png", "palette", image.convert("P"), {"transparency": 3}),
        ("png", "deep", Image.fromarray(color[..., 0].astype(np.uint16) * 257), {}),
        ("png", "animated", image, frames),
        ("png", "alpha", image.convert("LA"), {}),
        ("jpg", "", image, {"exif": exif}),
        ("jpg", "progressive", image.convert("CMYK"), {"progressive": True}),
        ("gif", "animated", image.convert("P"), frames | {"append_images": [image.convert("P")]}),
        ("bmp", "", image, {}),
        ("bmp", "palette", image.convert("P"), {}),
        ("webp", "", image, {"exif": exif}),
        ("webp", "animated", image, frames | {"lossless": True}),
        ("tif", "", image, {}),
        ("tif", "lzw", image, {"compression": "tiff_lzw"}),
        ("tif", "deflate", image.convert("L"), {"compression": "tiff_deflate"} | frames),
        ("tif", "jpeg", image, {"compression": "jpeg"}),
        ("tif", "group4", image.convert("1"), {"compression": "group4"}),
        ("ppm", "", image, {}),
        ("pgm", "", image.convert("L"), {}),
        ("pbm", "", image.convert("1"), {}),
    )
    names = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "pbm": "PPM"}
    found = {}
    for suffix, what, each, options in forms:
        content = io.BytesIO()
        each.save(content, names.get(suffix, suffix.upper()), **options)
        found[f"{what}.{suffix}"] = content.getvalue()
    return found


@cache
def archives() -> Mapping[str, bytes]:
    """Archives of four small arrays, stored and compressed."""
    x = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    found = {}
    for name, images in (("bytes", x), ("floats", x / 255), ("channels", np.asfortranarray(x[..., None]))):
        arrays = {
            "x_train": images,
            "y_train": np.arange(6) % 3,
            "x_test": images[:3],
            "y_test": np.arange(3),
        }
        for save in (np.savez, np.savez_compressed):
            content = io.BytesIO()
            save(content, **arrays)  # type: ignore[arg-type]
            found[f"{name}.{save.__name__}"] = content.getvalue()
    return found


@cache
def idx_files() -> Mapping[str, bytes]:
    """Images of the MNIST family, plain and gzipped."""
    plain = struct.pack(">BBBB3I", 0, 0, 8, 3, 6, 5, 4) + bytes(range(120))
    return {"plain": plain, "zipped": gzip.compress(plain, mtime=0)}


def mutants(seeds: Mapping[str, bytes], seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents: a random seed file after one to four random changes."""
    chosen = random.Random(seed)  # noqa: S311 - not for secrets
    names, contents = list(seeds), list(seeds.values())
    for _ in range(count):
        name = chosen.choice(names)
        content = seeds[name]
        for _ in range(chosen.randint(1, 4)):
            content = chosen.choice(_CHANGES)(chosen, content)
            if chosen.random() < 0.05:
                other = chosen.choice(contents)
                cut = chosen.randrange(len(content) + 1)
                content = content[:cut] + other[min(cut, len(other)) :]
        yield name, _repaired(content) if chosen.random() < 0.7 else content


def _flip(chosen: random.Random, content: bytes) -> bytes:
    changed = bytearray(content or b"x")
    for _ in range(chosen.randint(1, 3)):
        changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def _number(chosen: random.Random, content: bytes) -> bytes:
    """Put a number that limits are made of where one may be: near the beginning, mostly."""
    form = chosen.choice(("<H", ">H", "<I", ">I", "<B"))
    size = struct.calcsize(form)
    last = max(1, len(content) - size)
    at = chosen.randrange(min(last, 80) if chosen.random() < 0.6 else last)
    value = chosen.choice(_NUMBERS) % 256**size
    return content[:at] + struct.pack(form, value) + content[at + size :]


def _cut(chosen: random.Random, content: bytes) -> bytes:
    return content[: chosen.randrange(len(content) + 1)]


def _remove(chosen: random.Random, content: bytes) -> bytes:
    at = chosen.randrange(len(content) + 1)
    return content[:at] + content[at + chosen.randint(1, 12) :]


def _repeat(chosen: random.Random, content: bytes) -> bytes:
    at = chosen.randrange(len(content) + 1)
    part = content[at : at + chosen.randint(1, 60)]
    return content[:at] + part * chosen.randint(1, 3) + content[at:]


def _insert(chosen: random.Random, content: bytes) -> bytes:
    at = chosen.randrange(len(content) + 1)
    return content[:at] + chosen.randbytes(chosen.randint(1, 8)) + content[at:]


_CHANGES: Final[tuple[Change, ...]] = (_flip, _number, _number, _cut, _remove, _repeat, _insert)


def _repaired(content: bytes) -> bytes:
    """Return a file with the checksums of its parts mended, so that what is behind them is read too."""
    if content.startswith(b"\x89PNG"):
        return _repaired_png(content)
    if content.startswith(b"PK"):
        return _repaired_zip(content)
    return content


def _repaired_png(content: bytes) -> bytes:
    done, at = content[:8], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + size]
        done += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += size + 12
    return done + content[at:]


def _repaired_zip(content: bytes) -> bytes:
    """Return the archive with the checksum of each file that is stored as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except Exception:  # noqa: BLE001 - it is too damaged to be mended
        return content
    changed = bytearray(content)
    for file in files:
        start = file.header_offset + 30 + len(file.filename)
        data = content[start : start + file.file_size]
        check = struct.pack("<I", zlib.crc32(data))
        entry = content.rfind(file.filename.encode()) - 46
        if file.compress_type == zipfile.ZIP_STORED and entry > 0:
            changed[file.header_offset + 14 : file.header_offset + 18] = check
            changed[entry + 16 : entry + 20] = check
    return bytes(changed)


def headers(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield archives that are whole, with random changes within the headers of their arrays."""
    chosen = random.Random(seed)  # noqa: S311 - not for secrets
    words = ("True", "-1", "0", "10**9", "1e9", "6.0", "None", "'a'", "()", "[6]", "9" * 20, "6,", "", "")
    orders = ("", "1 and ", "not ")
    for _ in range(count):
        name, content = chosen.choice(list(archives().items()))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {each: archive.read(each) for each in archive.namelist()}
        victim = chosen.choice(list(files))
        header = files[victim][10:128].decode("latin-1")
        if chosen.random() < 0.2:
            header = header.replace("'fortran_order': ", f"'fortran_order':{chosen.choice(orders)}")
        else:
            places = [i for i, letter in enumerate(header) if letter.isalnum() or letter in "'<|,()"]
            at = chosen.choice(places)
            header = header[:at] + chosen.choice(words) + header[at + chosen.randint(0, 2) :]
        padded = header[:117].rstrip("\n").ljust(117) + "\n"
        files[victim] = files[victim][:10] + padded.encode("latin-1") + files[victim][128:]
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for each, data in files.items():
                archive.writestr(each, data)
        yield name, made.getvalue()

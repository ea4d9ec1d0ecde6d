"""``shards``: tar archives of WebDataset, on the disk and at addresses."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import fsspec
import numpy as np
import pytest
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset, of_classes
from cnncli.training.data.load import load, load_held_out, load_measured, resolved
from cnncli.training.data.sources.remote import expanded
from cnncli.training.data.survey import survey

SHAPE = (3, 6, 5)
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def pixels(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, "PNG")
    return file.getvalue()


def write_tar(
    path: Path, files: dict[str, bytes], *, mode: str = "w", form: int = tarfile.GNU_FORMAT
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def samples(seeds: range, label: Callable[[int], dict[str, bytes]] | None = None) -> dict[str, bytes]:
    """Samples whose class is 0 or 1, that of their number."""
    of = label or (lambda seed: {"cls": str(seed % 2).encode()})
    files: dict[str, bytes] = {}
    for seed in seeds:
        files[f"{seed:06}.png"] = png(seed)
        files |= {f"{seed:06}.{extension}": content for extension, content in of(seed).items()}
    return files


def loaded(pattern: str | Path, **how: object) -> Dataset:
    return load(Data(source=f"shards:{pattern}").replaced(dict(how)), SHAPE)


def seeds_of(images: object) -> list[int]:
    """The numbers of the samples that images are of."""
    known = {np.moveaxis(pixels(seed), -1, 0).tobytes(): seed for seed in range(60)}
    return [known[image.numpy().tobytes()] for image in images]  # type: ignore[attr-defined]


def test_parts_are_those_of_the_names(tmp_path: Path) -> None:
    for number, seeds in enumerate((range(7), range(7, 20))):
        write_tar(tmp_path / f"pets-train-{number:03}.tar", samples(seeds))
    write_tar(tmp_path / "pets-val-000.tar", samples(range(20, 26)))
    found = loaded(tmp_path / "pets-{train-000,train-001,val-000}.tar")
    assert seeds_of(found.train.images) == [*range(20)]
    assert seeds_of(found.test.images) == [*range(20, 26)]
    assert found.train.labels.tolist() == [seed % 2 for seed in range(20)]
    assert found.classes == ("0", "1")
    assert found.notes == ()


def test_three_parts(tmp_path: Path) -> None:
    for name, seeds in {"train": range(20), "val": range(20, 26), "test": range(30, 34)}.items():
        write_tar(tmp_path / name / "000.tar", samples(seeds))
    found = loaded(tmp_path / "{train,val,test}" / "000.tar")
    assert found.val is not None
    parts = [seeds_of(part.images) for part in (found.train, found.val, found.test)]
    assert parts == [[*range(20)], [*range(20, 26)], [*range(30, 34)]]
    with pytest.raises(UsageError, match="has a validation part, so"):
        loaded(tmp_path / "{train,val,test}" / "000.tar", holdout=0.1)
    assert loaded(tmp_path / "{train,test}" / "000.tar", holdout=0.1).val_count == 2


def test_a_catalog_has_all_samples(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", samples(range(10)))
    found = survey(f"shards:{tmp_path / 'a.tar'}")
    assert found.parts == ("train", "held out")
    assert found.classes == (("0", (4, 1)), ("1", (4, 1)))
    write_tar(tmp_path / "b.tar", samples(range(3)))
    assert any(
        "classes with one image: 1" in each for each in survey(f"shards:{tmp_path / 'b.tar'}").warnings
    )


def test_without_parts_a_fixed_fifth_is_held_out(tmp_path: Path) -> None:
    for number in range(3):
        write_tar(tmp_path / f"{number:02}.tar", samples(range(10 * number, 10 * number + 10)))
    found = loaded(tmp_path / "{00..02}.tar")
    held = seeds_of(found.test.images)
    assert sorted([*held, *seeds_of(found.train.images)]) == [*range(30)]
    assert sorted(seed % 2 for seed in held) == [0] * 3 + [1] * 3
    assert found.notes == ("6 of 30 images held out, a fixed fifth of each class",)
    again = loaded(tmp_path / "*.tar")
    assert seeds_of(again.test.images) == held
    assert again.fingerprint() == found.fingerprint()
    part = load_held_out(Data(source=f"shards:{tmp_path / '*.tar'}"), SHAPE)
    assert seeds_of(part.split.images) == held
    assert part.classes == found.classes
    whole = load_measured(Data(source=f"shards:{tmp_path / '*.tar'}"), SHAPE, of_classes(("0", "1")))
    assert (whole.what, whole.split.count) == ("all 30 images", 30)


@pytest.mark.parametrize(
    "label",
    [
        lambda seed: {"cls": f"{('cat', 'dog')[seed % 2]}\n".encode()},
        lambda seed: {"json": json.dumps({"label": ("cat", "dog")[seed % 2], "x": [1]}).encode()},
        lambda seed: {"CLS": (b"cat", b"dog")[seed % 2], "txt": b"a caption"},
    ],
)
def test_classes_have_names(tmp_path: Path, label: Callable[[int], dict[str, bytes]]) -> None:
    write_tar(tmp_path / "a.tar", samples(range(12), label))
    found = loaded(tmp_path / "a.tar")
    assert found.classes == ("cat", "dog")
    assert found.train.labels.tolist() == [seed % 2 for seed in seeds_of(found.train.images)]


def test_numbers_may_start_at_1(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", samples(range(12), lambda seed: {"json": b'{"cls": %d}' % (1 + seed % 2)}))
    with pytest.raises(UsageError, match="labels start at 1"):
        loaded(tmp_path / "a.tar")
    found = loaded(tmp_path / "a.tar", first_label=1)
    assert found.classes == ("1", "2")
    assert found.train.labels.tolist() == [seed % 2 for seed in seeds_of(found.train.images)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar(tmp_path: Path, form: int) -> None:
    folder = "a/" * 30 + "ä" * 10 * (form != tarfile.USTAR_FORMAT) + "b/"
    files = {folder + name: content for name, content in samples(range(10)).items()}
    write_tar(tmp_path / "a.tar", files, form=form)
    found = loaded(tmp_path / "a.tar")
    assert sorted(seeds_of(found.train.images) + seeds_of(found.test.images)) == [*range(10)]


def test_compressed_archives_are_unpacked(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", samples(range(10)))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    ours, theirs = loaded(tmp_path / "b.tar.gz"), loaded(tmp_path / "a.tar")
    assert sorted(seeds_of(ours.train.images)) != []
    assert ours.train.count == theirs.train.count


def test_links_folders_and_other_files_are_not_samples(tmp_path: Path) -> None:
    files = samples(range(10)) | {
        "README": b"x",
        ".hidden.png": b"x",
        "note.txt": b"x",
        "folder/.a.jpg": b"x",
    }
    write_tar(tmp_path / "a.tar", files)
    with tarfile.open(tmp_path / "a.tar", "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        place = tarfile.TarInfo("place.png")
        place.type = tarfile.DIRTYPE
        archive.addfile(place)
    found = loaded(tmp_path / "a.tar")
    assert found.train.count + found.test.count == 10
    assert found.notes[0] == f"1 sample has no image and was not used: {tmp_path}/a.tar/note"


def test_what_cannot_be_read_is_named_and_skipped(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", samples(range(10)) | {"000003.png": b"not an image"})
    with pytest.raises(UsageError, match=r"a\.tar/000003\.png: not an image that can be read"):
        loaded(tmp_path / "a.tar")
    found = loaded(tmp_path / "a.tar", skip=0.5)
    assert any("1 file of 10 cannot be read and was left out" in note for note in found.notes)
    assert 3 not in seeds_of(found.train.images) + seeds_of(found.test.images)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": png(0)}, r"a\.tar/a has no label"),
        (
            {"a.png": png(0), "a.jpg": png(1), "a.cls": b"0"},
            r"a\.tar/a has several images: a\.png and a\.jpg",
        ),
        ({"a.png": png(0), "a.cls": b" "}, r"a\.tar/a\.cls has no label"),
        ({"a.png": png(0), "a.cls": b"\xff"}, r"a\.tar/a\.cls has no label"),
        ({"a.png": png(0), "a.json": b"{"}, r"a\.tar/a\.json has no label"),
        ({"a.png": png(0), "a.json": b'{"label": 1.5}'}, r"a\.tar/a\.json has no label"),
        ({"a.png": png(0), "a.json": b'{"label": true}'}, r"a\.tar/a\.json has no label"),
        ({"a.png": png(0), "a.json": b'{"label": 12345678901234567890123}'}, r"a\.json has no label"),
        ({"a.png": png(0), "a.json": b"[1]"}, r"a\.tar/a\.json has no label"),
        ({"a.png": png(0), "a.PNG": png(0), "a.cls": b"0"}, r"a\.tar/a\.PNG is there twice"),
        ({"a.txt": b"0"}, "has no images"),
        ({}, "has no images"),
        (samples(range(4)) | {"a.png": png(0), "a.cls": b"cat"}, "1 of 5 labels are names, the rest numbers"),
        (samples(range(4)) | {"a.png": png(0), "a.cls": b"2"}, "classes with one image: 2"),
        (samples(range(4), lambda seed: {"cls": b"-%d" % (seed % 2 + 1)}), "has a negative label"),
    ],
)
def test_samples_that_are_wrong(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    write_tar(tmp_path / "a.tar", files)
    with pytest.raises(UsageError, match=message):
        loaded(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train.tar", "other.tar"), r"some of it has names of parts \(train\), the rest does not"),
        (("val.tar", "test.tar"), "has no training part"),
        (("train-test.tar",), "has names of several parts: test and train"),
    ],
)
def test_names_that_are_not_clear(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    for name in names:
        write_tar(tmp_path / name, samples(range(6)))
    with pytest.raises(UsageError, match=message):
        loaded(tmp_path / "*.tar")


def test_archives_that_are_damaged(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", samples(range(10)))
    content = path.read_bytes()
    with tarfile.open(path) as archive:
        ends = [each.offset for each in archive]
    for length in (0, 100, ends[3], ends[3] + 100, ends[3] + 600, ends[-1], ends[-1] + 512):
        path.write_bytes(content[:length])
        with pytest.raises(UsageError, match=rf"{path} is damaged: it is not complete|cannot read {path}"):
            loaded(path)
    for place in (0, ends[5] + 10):
        path.write_bytes(content[:place] + b"garbage" * 80 + content[place + 560 :])
        with pytest.raises(UsageError, match=rf"{path} is damaged: it is not complete|cannot read {path}"):
            loaded(path)
    path.write_bytes(gzip.compress(content))
    with pytest.raises(UsageError, match=f"cannot read {path}"):
        loaded(path)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content)[:-50])
    with pytest.raises(UsageError, match=r"cannot read .*a\.tar\.gz"):
        loaded(tmp_path / "a.tar.gz")


def test_patterns() -> None:
    assert expanded("x/{08..11}.tar") == ["x/08.tar", "x/09.tar", "x/10.tar", "x/11.tar"]
    assert expanded("http://h/{a,b}-{0..1}.tar?x=*") == [
        f"http://h/{word}-{number}.tar?x=*" for word in "ab" for number in "01"
    ]
    for wrong, message in {
        "x/{3..1}.tar": "is not a range of files",
        "x/{0..99999999}.tar": "is not a range of files",
        "{0..999}{0..999}.tar": "stands for too many files",
        "/nowhere/*.tar": "no file matches /nowhere/",
    }.items():
        with pytest.raises(UsageError, match=message):
            expanded(wrong)
    with pytest.raises(UsageError, match=r"no such file: /nowhere/1\.tar"):
        loaded("/nowhere/{1..2}.tar")
    assert resolved("shards:a-{0..1}.tar") == f"shards:{Path.cwd()}/a-{{0..1}}.tar"
    assert resolved("shards:http://h/a.tar") == "shards:http://h/a.tar"


class Server:
    """Serves the files of a folder; what each request gets is decided by ``answer``."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str, int], tuple[int, bytes, int]] = self.whole
        self._folder = folder
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours.asked.append(self.path)
                status, content, length = ours.answer(self.path, ours.asked.count(self.path))
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def whole(self, path: str, _: int) -> tuple[int, bytes, int]:
        content = (self._folder / path.lstrip("/")).read_bytes()
        return 200, content, len(content)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for number in range(3):
        write_tar(tmp_path / f"{number}.tar", samples(range(10 * number, 10 * number + 10)))
    with Server(tmp_path) as running:
        yield running


def test_archives_at_addresses(server: Server, tmp_path: Path) -> None:
    ours = loaded(f"{server.address}/{{0..2}}.tar")
    theirs = loaded(tmp_path / "{0..2}.tar")
    assert seeds_of(ours.train.images) == seeds_of(theirs.train.images)
    assert seeds_of(ours.test.images) == seeds_of(theirs.test.images)
    assert ours.fingerprint() == theirs.fingerprint()
    assert server.asked == ["/0.tar", "/1.tar", "/2.tar"]


def test_what_breaks_is_asked_for_again(server: Server) -> None:
    def broken(path: str, times: int) -> tuple[int, bytes, int]:
        status, content, length = server.whole(path, times)
        if path == "/1.tar" and times == 1:
            return status, content[: length // 2], length
        return (503, b"", 0) if path == "/2.tar" and times < 3 else (status, content, length)

    server.answer = broken
    found = loaded(f"{server.address}/{{0..2}}.tar")
    assert sorted(seeds_of(found.train.images) + seeds_of(found.test.images)) == [*range(30)]
    assert server.asked == ["/0.tar", "/1.tar", "/1.tar", "/2.tar", "/2.tar", "/2.tar"]


@pytest.mark.parametrize(("status", "times"), [(404, 1), (503, 3)])
def test_what_is_not_there(server: Server, status: int, times: int) -> None:
    server.answer = lambda *_: (status, b"", 0)
    with pytest.raises(UsageError, match=rf"cannot read {server.address}/0\.tar: HTTP Error {status}"):
        loaded(f"{server.address}/{{0..2}}.tar")
    assert server.asked == ["/0.tar"] * times


def test_a_connection_that_always_ends_early(server: Server) -> None:
    server.answer = lambda *_: (200, b"abc", 10)
    with pytest.raises(UsageError, match="the connection ended too early"):
        loaded(f"{server.address}/0.tar")


def test_storage_that_fsspec_reads(tmp_path: Path) -> None:
    content = write_tar(tmp_path / "a.tar", samples(range(10))).read_bytes()
    with fsspec.open("memory://bucket/a.tar", "wb") as file:
        file.write(content)
    found = loaded("memory://bucket/{a,}.tar".replace("{a,}", "a"))
    assert found.train.count + found.test.count == 10
    for place, message in {
        "memory://bucket/b.tar": r"cannot read memory://bucket/b\.tar",
        "nothing://bucket/a.tar": r"cannot read nothing://bucket/a\.tar: .*nothing",
    }.items():
        with pytest.raises(UsageError, match=message):
            loaded(place)


def test_other_storage_needs_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"s3:// needs fsspec, which is not installed") as caught:
        loaded("s3://bucket/a.tar")
    assert caught.value.diagnostics[0].hint == "pip install 'cnncli[storage]'"


def test_archives_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unpacked: no file is made, whatever is in an archive."""
    write_tar(tmp_path / "a.tar", {f"../../{name}": content for name, content in samples(range(10)).items()})
    before = sorted(tmp_path.parent.rglob("*"))
    monkeypatch.setattr(os, "write", None)
    assert loaded(tmp_path / "a.tar").train.count == 8
    assert sorted(tmp_path.parent.rglob("*")) == before

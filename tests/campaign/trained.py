"""Cases for the commands that compute with torch: mutated specs, data files and run folders."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.campaign import recipes, words
from tests.campaign.case import FORMAT, FORMATS, SPEC, Case
from tests.campaign.mutate import STRUCTURAL, mutated, on_tokens, replace
from tests.campaign.sandbox import Program

TRAIN: Final = "train: {epochs: 1, batch: 8}\n"
NET: Final = f"""\
name: tiny
input: [1, 8, 8]
vars: {{width: 4}}
layers:
  - conv: {{channels: width, kernel: 3, norm: batch, activation: relu}}
  - maxpool: 2
  - flatten
  - linear: 3
{TRAIN}"""
IMAGES: Final = """\
input: [1, 8, 8]
layers: [conv: {channels: 1, kernel: 3, padding: same, activation: sigmoid}]
train: {tasks: {output: {mse: {}, target: input}}, epochs: 1, batch: 8}
"""
"""A network that learns its input."""

MAX_MACS: Final = 10_000_000
"""Networks with more are not trained or probed: that would be a measurement of torch."""

NOT_RUN: Final = -1
"""The code of a case that is not run for this reason."""

ONE_EPOCH: Final = ("--set", "train.epochs=1")
"""Whatever the spec says: thousands of epochs take their time, rightly."""

WORDS: Final = (b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01")

Files = dict[str, bytes]


def import_torch() -> None:
    """Import what the commands need, so that no case is charged for it."""
    training = (f"cnncli.training.launch.{name}" for name in ("starting", "resuming", "evaluating"))
    for name in ("cnncli.network.probe", "cnncli.network.verify", *training, "torchinfo"):
        import_module(name)


def base(folder: Path, program: Program) -> Files:
    """Return the files that cases start from; the first call trains a small run in the folder.

    They are kept, since a run contains times: a campaign that is continued needs the same files.
    """
    if not (folder / "run").exists():
        folder.mkdir()
        child = os.fork()  # so that cases which need no torch run in processes without it
        if child == 0:
            Case({SPEC: NET.encode(), **data_files()}, ()).write(folder)
            os.chdir(folder)
            os._exit(program(("train", SPEC, "--data", "npz:data.npz", "--run", "run")))
        _, status = os.waitpid(child, 0)
        assert status == 0
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def data_files() -> Files:
    """Return the same small images in every form that can be read."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(1)
    files: Files = {}
    arrays: dict[str, Any] = {}
    for part, count in (("train", 18), ("test", 6)):
        images = random.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
        name = {"train": "train", "test": "t10k"}[part]
        files[f"idx/{name}-images-idx3-ubyte"] = bytes((0, 0, 8, 3, *_big(count, 8, 8))) + images.tobytes()
        files[f"idx/{name}-labels-idx1-ubyte"] = bytes((0, 0, 8, 1, *_big(count))) + labels.tobytes()
        for number in range(6):
            picture = io.BytesIO()
            Image.fromarray(images[number]).save(picture, "PNG")
            files[f"folder/{part}/{'abc'[number % 3]}/{number}.png"] = picture.getvalue()
    content = io.BytesIO()
    np.savez(content, **arrays)
    files["data.npz"] = content.getvalue()
    return files


def _big(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


# -- cases -----------------------------------------------------------------------------------------


def trained_case(random: Random, files: Mapping[str, bytes], others: Sequence[str]) -> Case:
    """Return a case of one of the commands."""
    make = random.choices((verify, probe, train, evaluate, resume), (30, 15, 25, 15, 15))[0]
    return make(random, {**files}, others)


def verify(random: Random, _: Files, others: Sequence[str]) -> Case:
    case = Case({}, ("inspect", SPEC, "--verify", FORMAT, random.choice(FORMATS)))
    return case.with_text(mutated(random, random.choice((NET, *others)), others))


def probe(random: Random, _: Files, __: Sequence[str]) -> Case:
    more = random.choice(
        ((), ("--pixels", "2"), ("--samples", "1"), ("--input", "1x16x16"), ("--seed", "-1"))
    )
    case = Case({}, ("probe", SPEC, *more, FORMAT, random.choice(FORMATS)))
    return case.with_text(_small(random))


def train(random: Random, files: Files, _: Sequence[str]) -> Case:
    source = random.choice(("npz:data.npz", "idx:idx", "folder:folder"))
    kept = {name: content for name, content in files.items() if name.startswith(source.partition(":")[2])}
    if random.random() < 0.7:
        change_data(random, kept)
    text = random.choice((NET, NET, IMAGES))
    place: tuple[str, ...] = ("--run", "new")
    if random.random() < 0.5:
        text = text.replace(TRAIN, f"train: {recipes.made(random)}\n")
    if random.random() < 0.2:
        form = (FORMAT, random.choice(FORMATS))
        instead = (("--preview", "new.png"), ("--print-recipe",), ("--dry-run", *form), ("--find-lr", *form))
        place = random.choice(instead)
    case = Case(kept, ("train", SPEC, "--data", source, *place, *ONE_EPOCH))
    return case.with_text(_small(random, text) if random.random() < 0.3 else text)


def evaluate(random: Random, files: Files, _: Sequence[str]) -> Case:
    kept = change_run(random, files) if random.random() < 0.7 else files
    more: tuple[str, ...] = ()
    if random.random() < 0.5:
        source = random.choice(("npz:data.npz", "idx:idx", "folder:folder", "folder:folder/test", "digits"))
        more = ("--data", source)
        change_data(random, kept)
    return Case(kept, ("evaluate", "run", *more, FORMAT, random.choice(FORMATS)))


def resume(random: Random, files: Files, _: Sequence[str]) -> Case:
    setting = random.choice(
        ("train.epochs=2", "train.epochs=2", "train.optimizer.sgd.lr=1e-3", "train.epochs=1")
    )
    return Case(change_run(random, files), ("train", "--resume", "run", "--set", setting))


def _small(random: Random, text: str = NET) -> str:
    for _ in range(random.choice((1, 1, 2))):
        text = random.choice(STRUCTURAL)(random, text)
    return text if len(text) < 4000 else NET


# -- files -----------------------------------------------------------------------------------------


def change_data(random: Random, files: Files) -> None:
    """Change one of the data files; a member of an archive is put back with the right checksum."""
    names = [name for name in files if not name.startswith("run/") and name != SPEC]
    name = random.choice(names)
    if random.random() < 0.05:
        del files[name]
    elif random.random() < 0.05:
        files[random.choice((f"{name}.png", "folder/train/d/x.png", "folder/x.txt"))] = files[name]
    elif name.endswith(".npz") and random.random() < 0.8:
        files[name] = _changed_archive(random, files[name])
    else:
        files[name] = changed_bytes(random, files[name])


def _changed_archive(random: Random, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice([*members])
    changed = members.pop(name)
    if random.random() < 0.5:
        head = changed[10:128].decode("latin-1")
        changed = changed[:10] + on_tokens(replace)(random, head).encode("utf-8", "replace") + changed[128:]
    else:
        changed = changed_bytes(random, changed)
    members[random.choice((name, name, name, "x.npy", "x_train"))] = changed
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for each, data in members.items():
            archive.writestr(zipfile.ZipInfo(each), data)
    return written.getvalue()


def changed_bytes(random: Random, content: bytes) -> bytes:
    """Flip bits, cut, double or overwrite; mostly at the beginning, where formats have their headers."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(min(len(data), random.choice((16, 64, 4096))) or 1)
        change = random.randrange(5)
        if change == 0 and data:
            data[at] ^= 1 << random.randrange(8)
        elif change == 1:
            del data[random.randrange(len(data) + 1) :]
        elif change == 2:
            data[at : at + 4] = random.choice(
                (b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01")
            )
        elif change == 3:
            data[at:at] = data[at : at + random.choice((1, 8, 100))]
        else:
            data[at : at + 1] = random.randbytes(1)
    return bytes(data)


def change_run(random: Random, files: Files) -> Files:
    """Return the files with a change in the run: bytes, lines, or values of a record with a new digest."""
    changed = {**files}
    name = random.choice([name for name in files if name.startswith("run/")])
    change: Callable[[Random, bytes], bytes] = changed_bytes
    if name.endswith("run.json") and random.random() < 0.9:
        change = _changed_record
    if random.random() < 0.1:
        del changed[name]
    else:
        changed[name] = change(random, changed[name])
    return changed


def _changed_record(random: Random, content: bytes) -> bytes:
    from cnncli.training.runs.record import sealed

    record: dict[str, Any] = json.loads(content)
    del record["sha256"]
    holder: Any = record
    key: Any = random.choice([*record])
    while isinstance(holder[key], dict | list) and holder[key] and random.random() < 0.8:
        holder = holder[key]
        key = random.choice([*holder]) if isinstance(holder, dict) else random.randrange(len(holder))
    odd: tuple[Any, ...] = (
        None,
        True,
        -1,
        0,
        1,
        2**63,
        10**400,
        1e308,
        float("nan"),
        float("inf"),
        "",
        [],
        {},
        [[]],
        "x" * 9999,
    )
    holder[key] = random.choice((*odd, *words.FOREIGN, *words.NUMBERS[:12]))
    if random.random() < 0.15:
        del holder[key]
    with suppress(ValueError):  # what is not finite has no digest
        record = sealed(record)
    return json.dumps(record).encode("utf-8", "replace")


def within_size(program: Program) -> Program:
    """Return the program, which does not train or probe what is too large for a campaign."""

    def run(arguments: Sequence[str]) -> int:
        if arguments[0] in ("train", "probe") and SPEC in arguments and too_large():
            return NOT_RUN
        return program(arguments)

    return run


def too_large() -> bool:
    from cnncli.analysis.costs.figures import costs
    from cnncli.diagnostics import CnncliError
    from cnncli.graph import open_spec

    try:
        totals = costs(open_spec(SPEC).graph).training_totals
    except CnncliError:
        return False  # the command itself refuses it
    return not (totals.macs <= MAX_MACS and totals.params <= MAX_MACS)

"""A run folder from someone else: its files may be links, damaged, or made to mislead."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import cnncli
from cnncli.diagnostics import CnncliError, UsageError
from cnncli.training.launch.evaluating import Wanted, evaluate_run
from cnncli.training.runs.files import digest, temporary_of, write_json, write_tensors
from cnncli.training.runs.names import FILES
from cnncli.training.runs.record import sealed
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights, read_tensors
from tests.training.support import (
    Recorder,
    assert_same_result,
    begin,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    same_weights,
    settings,
    small_network,
)

Change = Callable[[Path], object]
NAMES = [name for file in FILES for name in (file, temporary_of(Path(file)).name)]


def link_out(path: Path) -> None:
    """Replace a file by a link to the same content outside of the folder, or to a file of a person."""
    outside = path.parent.parent / f"outside-{path.name}"
    if path.exists():
        path.rename(outside)
    else:
        outside.write_text("precious")
    path.symlink_to(outside)


def dangle(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.parent.parent / "new-file")


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch, to be copied."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_whole(folder, settings(epochs=1))
    return folder


@pytest.mark.parametrize("change", [link_out, dangle, pipe, make_folder])
@pytest.mark.parametrize("name", NAMES)
def test_no_file_of_a_run_is_anything_but_a_file(
    tmp_path: Path, whole: Path, name: str, change: Change
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    change(folder / name)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="is not a regular file"):
        resume(folder, settings(epochs=2))
    with pytest.raises(UsageError, match="is not a regular file"):
        evaluate_run(folder, Wanted(), "cpu")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("change", [link_out, dangle])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_with_a_link_is_not_empty(tmp_path: Path, name: str, change: Change) -> None:
    (tmp_path / "run").mkdir()
    change(tmp_path / "run" / name)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"is not empty|is not a regular file"):
        begin(tmp_path / "run", settings())
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "write", [partial(write_json, value={}), partial(write_tensors, tensors={}, metadata={})]
)
def test_a_write_never_goes_through_a_link(tmp_path: Path, write: Change) -> None:
    """Even one that appears after the folder was opened."""
    (tmp_path / "precious").write_text("precious")
    for name in ("a", ".a.partial"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
        with pytest.raises(UsageError, match="is not a regular file"):
            write(tmp_path / "a")
        (tmp_path / name).unlink()
    assert (tmp_path / "precious").read_text() == "precious"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """Its name is typed by the person; runs on another disk are common."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    run_whole(tmp_path / "run", settings(epochs=1))
    _, outcome = resume(tmp_path / "run", settings(epochs=2))
    assert len(outcome.history) == 2


def interrupted(folder: Path) -> None:
    """A run that was stopped in its second epoch, after batch 3 of 7."""
    begin(folder, settings())
    resume(folder, settings(), Recorder(raise_at(2, 3, "train", press_ctrl_c)))


@pytest.mark.parametrize("left", [("metrics", "weights"), ("metrics",), ("weights",)])
def test_a_deleted_checkpoint_is_not_a_run_from_the_beginning(tmp_path: Path, left: tuple[str, ...]) -> None:
    interrupted(tmp_path / "run")
    run = open_run(tmp_path / "run")
    run.checkpoint.unlink()
    run.previous.unlink()
    for name in {"metrics", "weights"} - {*left}:
        getattr(run, name).unlink()
    before = contents(run.folder)
    with pytest.raises(UsageError, match=r"checkpoint\.safetensors is missing"):
        resume(run.folder, settings())
    assert contents(run.folder) == before


def test_a_finished_run_has_a_checkpoint(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=1))
    run = open_run(tmp_path / "run")
    for path in (run.checkpoint, run.previous, run.metrics, run.weights):
        path.unlink()
    with pytest.raises(UsageError, match="the status 'finished' without it"):
        resume(run.folder, settings(epochs=1))


def test_a_run_that_never_wrote_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    reference, _ = run_whole(tmp_path / "whole", settings())
    begin(tmp_path / "run", settings())
    network, _ = resume(tmp_path / "run", settings())
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_one_flipped_byte_of_a_checkpoint_is_found(tmp_path: Path) -> None:
    interrupted(tmp_path / "run")
    path = open_run(tmp_path / "run").checkpoint
    open_run(tmp_path / "run").previous.unlink()
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in (*range(0, header, 97), *range(header, len(whole), 997), len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UsageError, match=r"cannot read|damaged|not a file of a run"):
            resume(tmp_path / "run", settings())


def test_one_flipped_byte_of_the_weights_is_found(tmp_path: Path) -> None:
    network, _ = run_whole(tmp_path / "run", settings(epochs=1))
    path = open_run(tmp_path / "run").weights
    whole, other = path.read_bytes(), small_network()
    header = 8 + int.from_bytes(whole[:8], "little")
    blanks = header - len(whole[:header].rstrip(b" "))  # they fill up the header, and mean nothing
    for place in (*range(header - blanks), *range(header, len(whole), 7)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UsageError, match=r"cannot read|damaged|not a file of a run"):
            load_weights(other, path)
    path.write_bytes(whole)
    load_weights(other, path)
    assert same_weights(network, other)


def test_a_changed_setting_in_the_record_is_found(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings())
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace('"lr": 0.05', '"lr": 0.06'))
    with pytest.raises(UsageError, match="its digest is not that of its content"):
        open_run(run.folder)


def test_a_recorded_transform_suits_the_images(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings(transforms=[{"crop": 7}]))
    record = json.loads((run.folder / "run.json").read_text())
    record["settings"]["transforms"][0]["crop"]["padding"] = 8
    (run.folder / "run.json").write_text(json.dumps(sealed(record)))
    with pytest.raises(UsageError, match="is damaged: 'crop' cannot be applied to this input"):
        open_run(run.folder)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_numbers_that_json_does_not_have(tmp_path: Path, constant: str) -> None:
    run = begin(tmp_path / "run", settings())
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace('"lr": 0.05', f'"lr": {constant}'))
    with pytest.raises(UsageError, match=f"{constant} is not a number in JSON"):
        open_run(run.folder)
    text = f'{{"schema": "cnncli.checkpoint/3", "position": {{"seconds": {constant}}}}}'
    (tmp_path / "x").write_bytes(b"")

    save_file({}, tmp_path / "x", {"cnncli": f"{digest(text, {})} {text}"})
    with pytest.raises(UsageError, match=f"{constant} is not a number in JSON"):
        read_tensors(tmp_path / "x")


STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 5, 2**63, -(10**18), 10**400, 0.5, -0.5, 1e-320, 1e308, "", "x", "cpu",
    "\x1b[2J", "../../x", [], [1], [[]], ["a"] * 3, {}, {"a": 1}, {"": None},
]  # fmt: skip
"""What a field may be replaced by."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Copies of a JSON value with one field replaced, left out, or added."""
    count = len(list(places(value)))
    for number in range(count):
        for strange in STRANGE:
            copy = json.loads(json.dumps(value))
            owner, key = list(places(copy))[number]
            owner[key] = strange
            yield copy
        copy = json.loads(json.dumps(value))
        owner, key = list(places(copy))[number]
        del owner[key]
        yield copy
    yield {**value, "more": 1}


def answers(folder: Path) -> bool:
    """Open and resume a run; return whether it was accepted. Anything but a CnncliError fails the test."""
    try:
        run = open_run(folder)
        if run.record.settings.epochs > 4:
            return True  # nobody waits for these
        _, outcome = resume(folder, run.record.settings)
    except CnncliError:
        return False
    assert all(0 <= each.figures.get("train.accuracy", 0) <= 1 for each in outcome.history)
    assert all(each.images_per_second > 0 for each in outcome.history)
    return True


EVERY = pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.campaign)])
"""Every fifth change in the suite, all of them in the campaign."""


@pytest.mark.slow
@EVERY
def test_fields_of_the_record_are_checked(tmp_path: Path, every: int) -> None:
    folder = tmp_path / "run"
    interrupted(folder)
    kept = contents(folder)
    accepted = refused = 0
    for record in islice(mutated(json.loads((folder / "run.json").read_text())), 0, None, every):
        for path, content in kept.items():
            path.write_bytes(content)
        (folder / "run.json").write_text(json.dumps(sealed(record)))
        try:
            open_run(folder)
            accepted += 1
        except CnncliError:
            refused += 1
    assert refused > 1_000 // every
    assert accepted > 100 // every  # another name, another lr


@pytest.mark.slow
def test_a_changed_record_is_answered_or_refused(tmp_path: Path) -> None:
    """What was accepted is evaluated and resumed, for a sample of all changes."""
    folder, spec = tmp_path / "run", tmp_path / "net.yaml"
    spec.write_text("input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {epochs: 1, batch: 500}\n")
    cnncli.load(spec).train(run=folder, device="cpu")
    kept = contents(folder)
    answered = refused = 0
    for record in islice(mutated(json.loads((folder / "run.json").read_text())), 0, None, 7):
        for ask in (evaluate_again, resume_again):
            for path, content in kept.items():
                path.write_bytes(content)
            (folder / "run.json").write_text(json.dumps(sealed(record)))
            try:
                ask(folder)
                answered += 1
            except CnncliError:
                refused += 1
    assert answered > 30
    assert refused > 200


def evaluate_again(folder: Path) -> None:
    cnncli.evaluate(folder, device="cpu")


def resume_again(folder: Path) -> None:
    launch = cnncli.resume(folder, device="cpu")
    if launch.settings.epochs < 6 and launch.settings.compile == "none":  # which takes half a minute
        launch.start()


@pytest.mark.slow
@EVERY
def test_fields_of_a_checkpoint_are_checked(tmp_path: Path, every: int) -> None:
    folder = tmp_path / "run"
    interrupted(folder)
    kept = contents(folder)
    path = open_run(folder).checkpoint
    tensors, metadata = read_tensors(path)
    accepted = refused = 0
    for changed in islice(mutated(metadata), 0, None, every):
        for each, content in kept.items():
            each.write_bytes(content)
        write_tensors(path, tensors, changed)
        if answers(folder):
            accepted += 1
        else:
            refused += 1
    assert refused > 300 // every
    assert accepted > 5 // every


@pytest.mark.slow
def test_every_tensor_of_a_checkpoint_is_checked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    interrupted(folder)
    kept = contents(folder)
    path = open_run(folder).checkpoint
    tensors, metadata = read_tensors(path)
    refused = 0
    for name, value in tensors.items():
        strange: list[Tensor | None] = [
            None, value.double(), value.to(torch.float16), value.to(torch.bool), value.to(torch.complex64),
            value.reshape(-1)[:-1].clone(), value.reshape(1, -1), torch.zeros(()), torch.zeros(0),
            torch.full_like(value, -(10**18) if value.dtype == torch.int64 else 255),
        ]  # fmt: skip
        if value.is_floating_point():
            strange += [torch.full_like(value, math.nan), torch.full_like(value, math.inf)]
        for each in strange:
            for file, content in kept.items():
                file.write_bytes(content)
            changed = {key: tensor for key, tensor in tensors.items() if key != name}
            if each is not None:
                changed[name] = each
            write_tensors(path, changed, metadata)
            refused += not answers(folder)
    assert refused > 150

"""Masks and pictures that a network outputs, in a folder and in a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.graph.heads import Head
from cnncli.recipe.columns import Column
from cnncli.training.data.feed import Batch
from cnncli.training.predicting.answers import answers, labels_of
from cnncli.training.predicting.figure import Figure
from cnncli.training.predicting.maps import Maps
from cnncli.training.predicting.shown import Shown
from cnncli.training.predicting.worst import Worst
from cnncli.training.sheets import color, overlaid
from cnncli.training.tasks.building import Learned, build_objective
from tests.training.support import settings

COLUMNS = {"mask": Column("mask", ("out", "in", "edge")), "label": Column("class", ("cat", "dog"))}
HEADS = {"where": Head((3, 2, 2)), "clean": Head((1, 2, 2)), "what": Head((2,))}
TASKS = {"clean": {"mse": {}, "target": "input"}, "what": {"cross_entropy": {}, "target": "label"}}
CLASSES = torch.tensor([[[0, 1], [2, 1]], [[1, 1], [1, 1]]])
OBJECTIVE = build_objective(HEADS, settings(tasks=TASKS), Learned(COLUMNS, (1, 2, 2)))


def shown(paths: list[Path]) -> Shown:
    outputs = {
        "where": torch.nn.functional.one_hot(CLASSES, 3).movedim(-1, 1).float(),
        "clean": torch.tensor([[[[0.0, 0.2], [1.0, 7.0]]], [[[-1.0, 0.5], [0.25, 0.75]]]]),
        "what": torch.zeros(2, 2),
    }
    labels = labels_of(OBJECTIVE, COLUMNS, paths)
    return Shown(paths, torch.rand(2, 1, 2, 2), outputs, labels, answers(OBJECTIVE, paths, outputs, labels))


def test_files_have_the_classes_and_the_values(tmp_path: Path) -> None:
    paths = [tmp_path / "cat" / "1.jpg", tmp_path / "a" / "1.jpg"]
    maps = Maps(OBJECTIVE, tmp_path / "out", paths)
    batch = shown(paths)
    maps.took(batch)
    assert maps.finish([]) == 2
    for number, name in enumerate(("cat/1", "a/1")):
        with Image.open(tmp_path / "out" / f"{name}.where.png") as mask:
            assert mask.mode == "P"
            assert np.asarray(mask).tolist() == CLASSES[number].tolist()
            colored = torch.from_numpy(np.array(mask.convert("RGB"))).movedim(-1, 0) / 255
        black = torch.zeros(1, 1, 2, 2)
        assert torch.allclose(overlaid(black, CLASSES[number : number + 1])[0], colored / 2)
        with Image.open(tmp_path / "out" / f"{name}.clean.png") as picture:
            wanted = (batch.outputs["clean"][number, 0].clamp(0, 1) * 255).round()
            assert np.asarray(picture).tolist() == wanted.tolist()


def test_words_have_the_shares_of_a_mask_and_the_class_of_the_folder(tmp_path: Path) -> None:
    first, second = shown([tmp_path / "cat" / "1.jpg", tmp_path / "a" / "1.jpg"]).answers
    assert first.heads["where"].guesses == (("in", 0.5), ("out", 0.25), ("edge", 0.25))
    assert second.heads["where"].guesses == (("in", 1.0),)
    assert (first.heads["what"].true, second.heads["what"].true) == ("cat", "")
    assert first.heads["what"].guesses == (("cat", 0.5), ("dog", 0.5))


def test_two_images_do_not_get_the_same_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1.jpg and .*1.png would have the same file 1.png"):
        Maps(OBJECTIVE, tmp_path / "out", [tmp_path / "1.jpg", tmp_path / "1.png"])
    assert not (tmp_path / "out").exists()


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="is not empty"):
        Maps(OBJECTIVE, tmp_path, [tmp_path / "1.jpg"])
    with pytest.raises(UsageError, match="no such folder"):
        Maps(OBJECTIVE, tmp_path / "none" / "out", [tmp_path / "1.jpg"])


def test_a_picture_shows_masks_and_pictures(tmp_path: Path) -> None:
    figure = Figure(OBJECTIVE, tmp_path / "out.png", (1, 2, 2), "net")
    figure.took(shown([tmp_path / "1.jpg", tmp_path / "2.jpg"]))
    assert figure.finish([]) == 2
    with Image.open(tmp_path / "out.png") as picture:
        colors = {*map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist())}
    assert {(128, 0, 0), (0, 128, 0)} < colors  # of the classes 1 and 2


def test_the_worst_samples_are_shown_beside_what_is_true(tmp_path: Path) -> None:
    columns = COLUMNS | {"labels": Column("tags", ("red", "big")), "value": Column("number", ("age",))}
    heads = HEADS | {"is": Head((2,)), "has": Head((1,))}
    tasks = TASKS | {"is": "binary_cross_entropy", "has": "mse"}
    worst = Worst(build_objective(heads, settings(tasks=tasks), Learned(columns, (1, 2, 2))))
    outputs = {**shown([tmp_path, tmp_path]).outputs, "is": torch.zeros(2, 2), "has": torch.ones(2, 1)}
    targets = {
        "mask": torch.tensor([[[2, 2], [2, -1]], [[2, 2], [2, 2]]]),
        "input": torch.rand(2, 1, 2, 2),
        "label": torch.tensor([1, 0]),
        "labels": torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
        "value": torch.tensor([[5.0], [0.0]]),
    }
    missing = {"value": torch.tensor([True, False]), "label": torch.tensor([False, True])}
    worst.heard(outputs, Batch(torch.rand(2, 1, 2, 2), targets, missing))
    (tmp_path / "worst.png").write_bytes(worst.picture("worst", lambda inputs: inputs))
    with Image.open(tmp_path / "worst.png") as picture:
        colors = {*map(tuple, np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist())}
    # What is said has the classes 1 and 2, what is true 2 and pixels without a class.
    assert {(128, 0, 0), (0, 128, 0), color(255)} < colors

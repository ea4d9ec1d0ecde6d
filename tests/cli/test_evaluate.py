"""``cnncli evaluate``: what is measured, and what it says of it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.graph import open_spec
from cnncli.network import build_network
from cnncli.training.data.sources.layout import for_training
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights, save_weights

SPEC = """
input: [1, 6, 6]
layers: [flatten, linear: 3]
train: {epochs: 1, batch: 8, data: "folder:%s"}
"""
NAMES = ("bird", "cat", "dog")


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def pictures(folder: Path, count: int, first: int = 0) -> None:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        pixels = np.random.default_rng([number, *folder.name.encode()]).integers(0, 256, (6, 6), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data ``pets`` of three classes with ten images each, and a run on them."""
    root = tmp_path_factory.mktemp("trained")
    for name in NAMES:
        pictures(root / "pets" / name, 10)
    (root / "net.yaml").write_text(SPEC % (root / "pets"), encoding="utf-8")
    code, _, errors = call("train", root / "net.yaml", "--run", root / "run", "--device", "cpu")
    assert code == 0, errors
    return root


def document(*arguments: object) -> dict[str, Any]:
    code, text, errors = call("evaluate", *arguments, "--device", "cpu", "--format", "json")
    assert code == 0, errors
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_first_lines_of_train_name_the_classes(trained: Path, tmp_path: Path) -> None:
    code, text, _ = call("train", trained / "net.yaml", "--run", tmp_path / "run", "--device", "cpu")
    assert code == 0
    assert "images of 1x6x6\n  label: 3 classes: bird, cat and dog\n" in text


def test_its_own_data_is_measured_on_the_held_out_part(trained: Path) -> None:
    expected = f"measured the 6 held-out images of folder:{trained / 'pets'}"
    own = document(trained / "run")
    assert own["notes"][0] == expected
    assert document(trained / "run", "--data", f"folder:{trained / 'pets'}") == own
    code, text, _ = call("evaluate", trained / "run", "--device", "cpu")
    assert code == 0
    assert expected.replace(" ", "") in "".join(text.split())


def test_its_own_data_in_another_place_is_recognized(trained: Path, tmp_path: Path) -> None:
    """Otherwise most of the images would be those that it was trained on."""
    shutil.copytree(trained / "pets", tmp_path / "moved")
    own = document(trained / "run")
    moved = document(trained / "run", "--data", f"folder:{tmp_path / 'moved'}")
    assert moved["notes"][0] == f"measured the 6 held-out images of folder:{tmp_path / 'moved'}"
    assert moved["heads"]["output"]["confusion"] == own["heads"]["output"]["confusion"]


def test_its_training_part_is_not_decoded(trained: Path, tmp_path: Path) -> None:
    """And a note says when images of the run's data have come or gone: others are held out then."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    own = document(trained / "run")
    held = set(for_training(trained / "pets").test.paths)
    for path in set((trained / "pets").glob("*/*")) - held:
        copy = tmp_path / "pets" / path.relative_to(trained / "pets")
        copy.write_bytes(bytes(path.stat().st_size))
    source = f"folder:{tmp_path / 'pets'}"
    moved = document(trained / "run", "--data", source)
    assert moved["heads"]["output"]["confusion"] == own["heads"]["output"]["confusion"]
    assert moved["notes"][1:] == own["notes"][1:]
    path.unlink()
    (tmp_path / "pets" / path.relative_to(trained / "pets")).unlink()
    try:
        assert document(trained / "run")["notes"][1] == (
            f"folder:{trained / 'pets'} is not as it was when the run was started: the run may have been "
            "trained on some of these images"
        )
    finally:
        pictures(tmp_path / "again" / path.parent.name, 10)
        shutil.copy(tmp_path / "again" / path.parent.name / path.name, path)
    assert document(trained / "run") == own


def test_levels_of_16_bits_are_those_of_the_training_images(trained: Path, tmp_path: Path) -> None:
    """A camera of 12 bits, and outside images that are darker than those that were trained on."""
    for number, name in enumerate(NAMES):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for each in range(10):
            values = np.random.default_rng([number, each]).integers(0, 4096, (6, 6), np.uint16)
            values[0, 0] = 4095
            Image.fromarray(values).save(tmp_path / "pets" / name / f"{each}.png")
    run = tmp_path / "run"
    code, text, errors = call(
        "train", trained / "net.yaml", "--data", f"folder:{tmp_path / 'pets'}", "--run", run
    )
    assert code == 0, errors
    assert "all images of 16 bits, scaled: 0 to 4095 became 0 to 255" in " ".join(text.split())
    assert json.loads((run / "run.json").read_text())["data"]["levels"] == [0, 4095]
    own = document(run)["figures"]
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (own["loss"], own["accuracy"]) == (last["test.loss"], last["test.accuracy"])
    for path in for_training(tmp_path / "pets").test.paths:
        dark = np.minimum(np.asarray(Image.open(path)), 2000)
        for folder, values in (("same", np.asarray(Image.open(path))), ("dark", dark)):
            (tmp_path / folder / path.parent.name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / folder / path.parent.name / path.name)
    for folder in ("same", "dark"):
        found = document(run, "--data", f"folder:{tmp_path / folder}")
        assert "all images of 16 bits, scaled: 0 to 4095 became 0 to 255" in found["notes"]
        assert (found["figures"]["loss"] == pytest.approx(own["loss"], rel=1e-6)) == (folder == "same")


def test_a_run_is_not_resumed_with_other_files(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    shutil.copytree(trained / "pets", tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "3.png").rename(tmp_path / "pets" / "dog" / "13.png")
    code, _, errors = call("train", "--resume", tmp_path / "run", "--data", f"folder:{tmp_path / 'pets'}")
    assert code == 2
    assert "the data is not the data that" in " ".join(errors.split())


def test_all_of_other_data_is_measured(trained: Path, tmp_path: Path) -> None:
    for name in ("dog", "bird"):
        pictures(tmp_path / name, 5, first=20)
    found = document(trained / "run", "--data", f"folder:{tmp_path}")
    assert found["images"] == 10
    assert found["notes"] == [
        f"measured all 10 images of folder:{tmp_path}",
        "1 of 3 classes has no images: cat",
    ]
    assert [(each["name"], each["count"]) for each in found["heads"]["output"]["classes"]] == [
        ("bird", 5),
        ("cat", 0),
        ("dog", 5),
    ]
    assert [sum(row) for row in found["heads"]["output"]["confusion"]] == [5, 0, 5]


def test_the_test_part_is_measured(trained: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "Test" / "cat", 4)
    alone = document(trained / "run", "--data", f"folder:{tmp_path}")
    pictures(tmp_path / "train" / "cat", 3)
    beside = document(trained / "run", "--data", f"folder:{tmp_path}")
    for found in (alone, beside):
        assert found["images"] == 4
        assert found["notes"][0] == f"measured the 4 images in its folder 'Test' of folder:{tmp_path}"


def test_what_is_predicted_of_each_image_is_a_table(trained: Path, tmp_path: Path) -> None:
    table = tmp_path / "predictions.csv"
    found = document(trained / "run", "--output", table)
    assert found["predictions"] == str(table)
    with table.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["image", "true", "predicted", "probability"]
    held = [
        path.relative_to(trained / "pets").as_posix() for path in for_training(trained / "pets").test.paths
    ]
    assert [row["image"] for row in rows] == held
    assert [row["true"] for row in rows] == [name.partition("/")[0] for name in held]
    pairs = [(row["true"], row["predicted"]) for row in rows]
    confusion = [[pairs.count((true, predicted)) for predicted in NAMES] for true in NAMES]
    assert found["heads"]["output"]["confusion"] == confusion
    network = build_network(open_spec(str(trained / "run" / "spec.yaml")).graph).eval()
    load_weights(network, trained / "run" / "weights.safetensors")
    measured = json.loads((trained / "run" / "run.json").read_text())["normalization"]
    for row in rows:
        pixels = np.asarray(Image.open(trained / "pets" / row["image"])) / 255
        values = torch.tensor((pixels - measured["mean"]) / measured["std"], dtype=torch.float32)
        probabilities = network(values.reshape(1, 1, 6, 6)).softmax(1)[0].tolist()
        assert float(row["probability"]) == pytest.approx(max(probabilities), abs=1e-6)
        assert row["predicted"] == NAMES[probabilities.index(max(probabilities))]


def test_a_table_replaces_no_file_and_needs_a_folder(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("mine")
    for name, message in (
        ("old.csv", "exists"),
        ("new.txt", "does not end in .csv"),
        ("none/new.csv", f"no such folder: {tmp_path / 'none'}"),
    ):
        code, _, errors = call("evaluate", trained / "run", "--output", tmp_path / name)
        assert (code, message in " ".join(errors.split())) == (2, True)
    assert (tmp_path / "old.csv").read_text() == "mine"


def test_an_image_is_measured_with_its_mirror_image(trained: Path) -> None:
    found = document(trained / "run", "--tta", "flip")
    assert found["tta"] == "flip"
    assert "it was not trained on mirror images: there is no 'flip' among its transforms" in found["notes"]
    assert found["figures"] != document(trained / "run")["figures"]
    code, _, errors = call("evaluate", trained / "run", "--tta", "turn")
    assert (code, "expected: 'flip'" in errors) == (2, True)


def test_unknown_classes_are_named(trained: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "fox", 4)
    code, _, errors = call("evaluate", trained / "run", "--data", f"folder:{tmp_path}")
    assert code == 2
    assert "the network was not trained on: fox" in " ".join(errors.split())
    code, _, errors = call("evaluate", trained / "run", "--data", "digits")
    assert code == 2
    assert "digits has classes that the network was not trained on: 0, 1," in " ".join(errors.split())


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_weights_that_are_not_finite_are_an_error(
    trained: Path, tmp_path: Path, value: str, form: str
) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    network = build_network(open_spec(str(tmp_path / "run" / "spec.yaml")).graph)
    load_weights(network, weights)
    next(network.parameters()).data[0, 0] = float(value)
    save_weights(network, weights, run=open_run(weights.parent).record.id, epochs=1, batches=0)
    code, text, errors = call("evaluate", tmp_path / "run", "--device", "cpu", "--format", form)
    assert (code, text) == (2, "")
    assert "not finite: linear1.weight" in " ".join(errors.split())


def test_a_loss_that_overflows_is_an_error(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    network = build_network(open_spec(str(tmp_path / "run" / "spec.yaml")).graph)
    torch.nn.init.zeros_(network.get_parameter("linear1.weight"))
    network.get_parameter("linear1.bias").data[:] = torch.tensor([3e38, -3e38, 0])
    save_weights(network, weights, run=open_run(weights.parent).record.id, epochs=1, batches=0)
    code, text, errors = call("evaluate", tmp_path / "run", "--device", "cpu", "--format", "json")
    assert (code, text) == (2, "")
    assert "the loss is infinite" in " ".join(errors.split())

"""Data with other targets than one class, from the command line: training, evaluating, looking."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application

MAPS = """
name: maps
input: [1, 16, 16]
layers:
  - {name: trunk, conv: {channels: 4, kernel: 3, padding: same, activation: relu}}
heads:
  segments: [conv: {channels: 2, kernel: 1}]
  clean: [conv: {channels: 1, kernel: 1}]
train:
  data: "pairs:DATA"
  epochs: 1
  batch: 8
  tasks: {segments: cross_entropy, clean: mse}
"""
MULTI = """
name: multi
input: [1, 16, 16]
layers:
  - {name: trunk, conv: {channels: 4, kernel: 3, padding: same, activation: relu}}
heads:
  kind: [globalavgpool, linear: 2]
  place: [flatten, linear: 2]
  segments: [conv: {channels: 2, kernel: 1}]
  clean: [conv: {channels: 1, kernel: 1}]
train:
  data: {source: "csv:DATA/a.csv", columns: {species: class, x: number, y: number}}
  epochs: 1
  batch: 8
  tasks:
    kind: {cross_entropy: {}, target: species}
    place: {mse: {}, weight: 0.01}
    segments: cross_entropy
    clean: mse
"""
TAGS = """
name: tags
input: [1, 16, 16]
vars: {classes: 3}
layers: [flatten, linear: classes]
train: {data: "coco:DATA/a.json", epochs: 1, batch: 8, tasks: {output: binary_cross_entropy}}
"""


def call(*arguments: object) -> tuple[str, str]:
    result = CliRunner().invoke(application(), [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a bright square: described by a table, in JSON, and by files of the same names."""
    root = tmp_path_factory.mktemp("squares")
    for name in ("images", "masks", "targets"):
        (root / name).mkdir()
    random = np.random.default_rng(0)
    lines = ["photo,species,x,y,mask,target"]
    images, annotations = [], []
    for number in range(20):
        x, y = map(int, random.integers(2, 12, 2))
        mask = np.zeros((20, 20), np.uint8)
        mask[y : y + 6, x : x + 6] = 1
        noisy = mask * 150 + random.integers(0, 60, (20, 20)).astype(np.uint8)
        for folder, pixels in (("images", noisy), ("masks", mask), ("targets", mask * 150)):
            Image.fromarray(pixels).save(root / folder / f"{number}.png")
        lines.append(f"images/{number}.png,{'ab'[x > 6]},{x},{y},masks/{number}.png,targets/{number}.png")
        images.append({"id": number, "file_name": f"{number}.png"})
        annotations += [{"image_id": number, "category_id": number % 3}] * (number % 5 > 0)
    (root / "a.csv").write_text("\n".join(lines))
    categories = [{"id": number, "name": "uvw"[number]} for number in range(3)]
    (root / "a.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return root


def spec(folder: Path, text: str, data: Path) -> Path:
    path = folder / "net.yaml"
    path.write_text(text.replace("DATA", str(data)))
    return path


def test_one_table_for_four_heads(squares: Path, tmp_path: Path) -> None:
    shown, _ = call("train", spec(tmp_path, MULTI, squares), "--run", tmp_path / "run", "--device", "cpu")
    tasks = (
        "kind: cross_entropy of species; place: mse of value, weight 0.01; segments: cross_entropy of mask"
    )
    assert f"learns {tasks}; clean: mse of target" in " ".join(shown.split())
    assert "value: 2 numbers: x and y" in shown
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    measured = json.loads(call("evaluate", tmp_path / "run", "--device", "cpu", "--format", "json")[0])
    for name in ("kind.accuracy", "place.mae", "segments.iou", "clean.psnr"):
        assert measured["figures"][name] == last[f"test.{name}"], name
    other = json.loads(
        call("evaluate", tmp_path / "run", "--data", f"csv:{squares}/a.csv", "--format", "json")[0]
    )
    assert other["figures"] == measured["figures"]
    call("pack", f"csv:{squares}/a.csv", tmp_path / "net.yaml", "-o", tmp_path / "pack")
    packed = json.loads(
        call("evaluate", tmp_path / "run", "--data", f"packed:{tmp_path}/pack", "--format", "json")[0]
    )
    assert packed["figures"] == measured["figures"]


def test_pairs(squares: Path, tmp_path: Path) -> None:
    shown, _ = call("train", spec(tmp_path, MAPS, squares), "--run", tmp_path / "run", "--device", "cpu")
    assert f"pairs:{squares}: 16 images to train on, 4 held out" in " ".join(shown.split())
    measured = json.loads(call("evaluate", tmp_path / "run", "--format", "json")[0])
    assert 0 < measured["figures"]["segments.iou"] <= 1


def test_tags(squares: Path, tmp_path: Path) -> None:
    shown, _ = call("train", spec(tmp_path, TAGS, squares), "--run", tmp_path / "run", "--device", "cpu")
    assert f"images from {squares}/images" in " ".join(shown.split())
    found = json.loads(call("data", f"coco:{squares}/a.json", "--format", "json")[0])
    counts = {each["name"]: sum(each["images"].values()) for each in found["classes"]}
    tags = [number % 3 if number % 5 else None for number in range(20)]
    assert counts == {"u": tags.count(0), "v": tags.count(1), "w": tags.count(2), None: tags.count(None)}
    assert found["images"] == 20
    table, _ = call("data", f"csv:{squares}/a.csv", "-o", tmp_path / "sheet.png")
    assert "columns that are not used: species, x and y" in table
    assert (tmp_path / "sheet.png").exists()


def failure(*arguments: object) -> str:
    result = CliRunner().invoke(application(), [*map(str, arguments)])
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


def test_samples_without_a_target_are_said(squares: Path, tmp_path: Path) -> None:
    lines = ["path,label", *(f"{squares}/images/{i}.png,{'ab'[i % 2] if i % 5 else ''}" for i in range(20))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    net = spec(tmp_path, TAGS, squares)
    chosen = (net, "--data", f"csv:{tmp_path}/a.csv", "--set", "train.tasks.output=cross_entropy")
    shown, _ = call("train", *chosen, "--run", tmp_path / "run", "--device", "cpu")
    note = "without a target in 'label', so in no loss or figure of it: "
    found = re.search(
        rf"{note}(\d) of (\d+) training images and (\d) of (\d) held-out", " ".join(shown.split())
    )
    assert found is not None
    train, of_train, held, of_held = map(int, found.groups())
    assert (train + held, of_train + of_held) == (4, 20)
    measured = json.loads(call("evaluate", tmp_path / "run", "--format", "json")[0])
    assert f"{note}{held} of {of_held} images" in measured["notes"]
    (tmp_path / "a.csv").write_text("\n".join(line.partition(",")[0] + ",a" for line in lines[1:]))
    (tmp_path / "a.csv").write_text("path,label\n" + (tmp_path / "a.csv").read_text())
    assert "all that there is to learn is 1 class: a" in failure("train", *chosen)


def test_a_network_without_classes_is_measured_on_any_images(squares: Path, tmp_path: Path) -> None:
    text = MAPS.replace("{segments: cross_entropy, clean: mse}", "{clean: {mse: {}, target: input}}").replace(
        "  segments: [conv: {channels: 2, kernel: 1}]\n", ""
    )
    net = spec(tmp_path, text, squares)
    call("train", net, "--data", "scenes", "--limit", "0.01", "--run", tmp_path / "run", "--device", "cpu")
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    for number in range(3):
        pixels = np.full((16, 16), number * 50, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pets" / "cat" / f"{number}.png")
    found = json.loads(
        call("evaluate", tmp_path / "run", "--data", f"folder:{tmp_path}/pets", "--format", "json")[0]
    )
    assert found["images"] == 3
    assert found["figures"]["loss"] > 0


def test_files_that_no_head_learns_are_offered(squares: Path, tmp_path: Path) -> None:
    wrong = ("--set", "train.tasks.segments.target.of=mask1", "--set", "train.tasks.clean.mse={}")
    errors = failure("train", spec(tmp_path, MAPS, squares), *wrong)
    assert "learns 'mask1' by cross_entropy, which the data does not have" in errors
    assert "expected: target, mask or input" in errors
    assert "did you mean 'mask'?" in errors


def test_outputs_follow_the_tags_and_absent_ones_are_said(squares: Path, tmp_path: Path) -> None:
    text = TAGS.replace("classes: 3", "classes: 7")
    shown, _ = call("train", spec(tmp_path, text, squares), "--run", tmp_path / "run", "--device", "cpu")
    assert "classes=3: the spec has another number, and follows the data" in shown
    table = json.loads((squares / "a.json").read_text())
    table["annotations"] = [each for each in table["annotations"] if each["category_id"] == 1]
    table["categories"] = [each for each in table["categories"] if each["id"] == 1]
    (squares / "v.json").write_text(json.dumps(table))
    measured = json.loads(
        call("evaluate", tmp_path / "run", "--data", f"coco:{squares}/v.json", "--format", "json")[0]
    )
    note = "'labels' does not have u and w here, so no image counts as one with them"
    assert note in measured["notes"]


@pytest.mark.parametrize(("how", "said"), [("centercrop", "without it"), ("resize", "as a whole")])
def test_a_margin_is_said(squares: Path, tmp_path: Path, how: str, said: str) -> None:
    text = TAGS.replace("binary_cross_entropy}", "cross_entropy}, evaluation: " + how)
    chosen = ("--data", "scenes", "--limit", "0.01", "--set", "train.tasks.output.target=background")
    net = spec(tmp_path, text, squares)
    with_margin = (*chosen, "--set", "train.data.margin=2", "--run", tmp_path / "run")
    shown, _ = call("train", net, *with_margin, "--device", "cpu")
    note = f"of these sizes 2 pixels on every side are a margin: measured {said}"
    assert note in " ".join(shown.split())
    assert note in " ".join(call("evaluate", tmp_path / "run")[0].split())

"""The pictures that a finished run gets: what is in them, when they are drawn, and what cannot be drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn import functional

import cnncli
from cnncli.results.training import ClassFigures, HeadClasses
from cnncli.training.data.feed import Batch
from cnncli.training.launch import finishing, launch
from cnncli.training.observer import Silent
from cnncli.training.pictures.confusion import confusion
from cnncli.training.predicting import worst
from tests.training.support import objective

SPEC = """
input: [1, 8, 8]
layers: [flatten, linear: 10]
train: {epochs: 1, batch: 64, data: digits}
"""
DRAW = finishing.draw_pictures


class Watcher(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warned(self, message: str) -> None:
        self.heard.append(message)


@pytest.fixture
def _drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "draw_pictures", DRAW)


def numbers(svg: bytes) -> list[str]:
    """The texts of a picture, which has their outlines, and themselves in comments."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


@pytest.mark.usefixtures("_drawing")
def test_a_finished_run_has_pictures_of_its_validation_part(tmp_path: Path) -> None:
    arch, run = cnncli.loads(SPEC), tmp_path / "run"
    arch.train({"holdout": 0.1}, run=run, device="cpu")
    table = cnncli.evaluate(run, split="val", device="cpu").evaluation.heads["output"].confusion
    texts = numbers((run / "confusion.svg").read_bytes())
    assert "validation images" in texts
    counts = [str(count) for row in table for count in row if count]
    names = [str(number) for number in range(10)]
    assert sorted(each for each in texts if each.isdecimal()) == sorted([*counts, *names, *names])
    with Image.open(run / "worst.png") as picture:
        assert picture.format == "PNG"
    written = (run / "worst.png").stat().st_mtime_ns
    cnncli.resume(run, device="cpu").start()
    assert (run / "worst.png").stat().st_mtime_ns == written


def test_the_worst_samples_are_those_with_the_largest_losses() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, labels = 3 * torch.randn(100, 10, generator=generator), torch.randint(0, 10, (100,))
    inputs = torch.arange(100.0).reshape(-1, 1, 1, 1)
    found = worst.Worst(objective())
    for start in range(0, 100, 7):
        part = slice(start, start + 7)
        found.heard({"output": scores[part]}, Batch(inputs[part], {"label": labels[part]}))
    losses = functional.cross_entropy(scores, labels, reduction="none")
    wanted = losses.sort(descending=True, stable=True).indices[: worst.WORST]
    seen: list[torch.Tensor] = []

    def images(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(inputs)
        return inputs.expand(-1, 1, 4, 4) / 100

    assert found.picture("worst", images).startswith(b"\x89PNG")
    assert seen[0].flatten().tolist() == wanted.tolist()


@pytest.mark.usefixtures("_drawing")
def test_what_cannot_be_drawn_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr(finishing, "confusion", fail)
    watcher = Watcher()
    trained = cnncli.loads(SPEC).train(run=tmp_path / "run", device="cpu", observers=[watcher])
    assert trained.status == "finished"
    assert watcher.heard == ["ValueError: no ink; the run is finished, and whole"]
    assert cnncli.evaluate(tmp_path / "run", device="cpu").evaluation.count == 359


@pytest.mark.usefixtures("_drawing")
def test_without_matplotlib_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "find_spec", lambda _: None)
    watcher = Watcher()
    cnncli.loads(SPEC).train(run=tmp_path / "run", device="cpu", observers=[watcher])
    assert watcher.heard == []
    assert not (tmp_path / "run" / "confusion.svg").exists()


def test_pictures_change_no_random_number(tmp_path: Path) -> None:
    arch = cnncli.loads(SPEC)
    begun = arch.begin(run=tmp_path / "run", device="cpu")
    begun.start()
    before = torch.get_rng_state()
    DRAW(begun.graph, begun.dataset, begun.settings, begun.run, begun.device)
    assert torch.equal(torch.get_rng_state(), before)


def test_many_classes_have_names_and_no_numbers() -> None:
    names = tuple(f"class {number}" for number in range(100))
    table = tuple(tuple(7 * (row == column) for column in range(100)) for row in range(100))
    head = HeadClasses(names, "pixels", (ClassFigures(7, 7, 1, 1, 1, 1),) * 100, table)
    texts = numbers(confusion({"output": head}, "test"))
    assert [each for each in texts if each.startswith("class")] == [*names, *names]
    assert "7" not in texts
    parity = HeadClasses(("even", "odd"), "images", (), ((9, 1), (2, 8)))
    both = numbers(confusion({"what": parity, "$where": parity}, "val"))
    assert {"what: validation images", "$where: validation images"} < {*both}

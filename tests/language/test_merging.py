"""Files over one another and options over both: what remains of values in short and in long forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnncli.graph import open_spec, open_text, read_recipe
from cnncli.language.writer import to_yaml
from cnncli.recipe.data import Data
from cnncli.recipe.losses import CrossEntropy
from cnncli.recipe.optimizers import SGD, AdamW
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.recipe.schedules import Constant, Cosine, Linear, Multistep
from cnncli.recipe.tasks import Task
from tests.language.support import fault, opened, pointed, under

NET = "input: [1, 8, 8]\nlayers: [flatten]\nheads: {a: [linear: 10], b: [linear: 10]}\n"

CASES = [
    # A name over the same name keeps its settings, in either form.
    ("optimizer: {sgd: {lr: 0.1}}", "optimizer: sgd", {"optimizer": SGD(lr=0.1)}),
    ("optimizer: {sgd: {lr: 0.1}}", "optimizer: {sgd: }", {"optimizer": SGD(lr=0.1)}),
    ("optimizer: {sgd: {lr: 0.1}}", "optimizer: {sgd: {}}", {"optimizer": SGD(lr=0.1)}),
    ("optimizer: sgd", "optimizer: {sgd: {lr: 0.1}}", {"optimizer": SGD(lr=0.1)}),
    ("optimizer: {sgd: }", "optimizer: {sgd: {lr: 0.1}}", {"optimizer": SGD(lr=0.1)}),
    (
        "optimizer: {sgd: {lr: 0.1, momentum: 0.5}}",
        "optimizer: {sgd: {lr: 0.2}}",
        {"optimizer": SGD(lr=0.2, momentum=0.5)},
    ),
    ("schedule: {linear: {warmup: 2}}", "schedule: linear", {"schedule": Linear(warmup=2.0)}),
    # Another name replaces it, with everything that belongs to the former one.
    ("optimizer: {sgd: {lr: 0.1}}", "optimizer: adamw", {"optimizer": AdamW()}),
    ("optimizer: {sgd: {lr: 0.1}}", "optimizer: {adamw: }", {"optimizer": AdamW()}),
    ("optimizer: sgd", "optimizer: {adamw: {lr: 0.1}}", {"optimizer": AdamW(lr=0.1)}),
    (
        "optimizer: {sgd: {lr: 0.1, momentum: 0}}",
        "optimizer: {adamw: {weight_decay: 0}}",
        {"optimizer": AdamW(weight_decay=0.0)},
    ),
    ("schedule: {cosine: {warmup: 2}}", "schedule: constant", {"schedule": Constant()}),
    # A bare value belongs to the main key, and the others remain.
    ("data: {source: digits, resize: pad}", "data: 'idx:a'", {"data": Data(source="idx:a", resize="pad")}),
    ("data: 'idx:a'", "data: {resize: pad}", {"data": Data(source="idx:a", resize="pad")}),
    ("data: {resize: pad}", "data: 'idx:a'", {"data": Data(source="idx:a", resize="pad")}),
    ("data: 'idx:a'", "data: digits", {"data": Data()}),
    (
        "schedule: {multistep: {factor: 0.5}}",
        "schedule: {multistep: [3, 4]}",
        {"schedule": Multistep(milestones=(3.0, 4.0), factor=0.5)},
    ),
    (
        "schedule: {multistep: [3, 4]}",
        "schedule: {multistep: {factor: 0.5}}",
        {"schedule": Multistep(milestones=(3.0, 4.0), factor=0.5)},
    ),
    # Heads are merged by name, and in each its loss and what is beside it.
    (
        "tasks: {a: {weight: 2}}",
        "tasks: {b: cross_entropy}",
        {"tasks": {"a": Task(weight=2.0), "b": Task(loss=CrossEntropy())}},
    ),
    (
        "tasks: {a: {weight: 2}}",
        "tasks: {a: cross_entropy}",
        {"tasks": {"a": Task(loss=CrossEntropy(), weight=2.0)}},
    ),
    (
        "tasks: {a: cross_entropy}",
        "tasks: {a: {weight: 2}}",
        {"tasks": {"a": Task(loss=CrossEntropy(), weight=2.0)}},
    ),
    (
        "tasks: {a: {cross_entropy: {smoothing: 0.1}, weight: 2}}",
        "tasks: {a: cross_entropy}",
        {"tasks": {"a": Task(loss=CrossEntropy(smoothing=0.1), weight=2.0)}},
    ),
    (
        "tasks: {a: {cross_entropy: }}",
        "tasks: {a: {cross_entropy: {smoothing: 0.1}}}",
        {"tasks": {"a": Task(loss=CrossEntropy(smoothing=0.1))}},
    ),
    # What has no short form is replaced.
    ("epochs: 3", "epochs: 4", {"epochs": 4}),
    ("epochs: 3", "batch: 4", {"epochs": 3, "batch": 4}),
]


def options_of(section: str) -> str:
    """The setting of a section of one line as an option."""
    name, _, value = section.partition(": ")
    return f"train.{name}={value}"


@pytest.mark.parametrize(("base", "over", "expected"), CASES)
def test_all_ways_to_merge(base: str, over: str, expected: dict[str, Any], tmp_path: Path) -> None:
    recipe = Recipe(**expected)
    (tmp_path / "base.yaml").write_text(f"{NET}train: {{{base}}}\n")
    (tmp_path / "net.yaml").write_text(f"extends: base.yaml\ntrain: {{{over}}}\n")
    (tmp_path / "chosen.yaml").write_text(f"{{{over}}}\n")
    extended = open_spec(tmp_path / "net.yaml")
    assert extended.train == recipe
    assert open_text(to_yaml(extended.document)).train == recipe
    own = open_spec(tmp_path / "base.yaml")
    assert read_recipe(own, tmp_path / "chosen.yaml").recipe == recipe
    option = options_of(over)
    assert open_spec(tmp_path / "base.yaml", overrides=[option]).train == recipe
    assert with_overrides(own.train, [option]) == recipe


@pytest.mark.parametrize(
    ("section", "options", "expected"),
    [
        ("optimizer: {sgd: {lr: 0.1}}", ["optimizer.adamw.lr=0.2"], {"optimizer": AdamW(lr=0.2)}),
        ("optimizer: sgd", ["optimizer.adamw.lr=0.2"], {"optimizer": AdamW(lr=0.2)}),
        ("epochs: 3", ["optimizer.adamw.lr=0.2"], {"epochs": 3, "optimizer": AdamW(lr=0.2)}),
        ("optimizer: sgd", ["optimizer.sgd.momentum=0"], {"optimizer": SGD(momentum=0.0)}),
        ("optimizer: {sgd: }", ["optimizer.sgd.momentum=0"], {"optimizer": SGD(momentum=0.0)}),
        (
            "optimizer: {sgd: {lr: 0.1}}",
            ["optimizer.sgd.momentum=0", "optimizer=sgd"],
            {"optimizer": SGD(lr=0.1, momentum=0.0)},
        ),
        ("optimizer: {sgd: {lr: 0.1}}", ["optimizer=adamw", "optimizer=sgd"], {"optimizer": SGD()}),
        ("data: 'idx:a'", ["data.resize=pad"], {"data": Data(source="idx:a", resize="pad")}),
        ("data: {resize: pad}", ["data.source=digits"], {"data": Data(resize="pad")}),
        ("schedule: cosine", ["schedule.cosine.warmup=1"], {"schedule": Cosine(warmup=1.0)}),
        (
            "tasks: {a: cross_entropy}",
            ["tasks.a.weight=3", "tasks.a.cross_entropy.smoothing=0.1"],
            {"tasks": {"a": Task(loss=CrossEntropy(smoothing=0.1), weight=3.0)}},
        ),
        (
            "tasks: {a: {weight: 2}}",
            ["tasks.b.weight=3"],
            {"tasks": {"a": Task(weight=2.0), "b": Task(weight=3.0)}},
        ),
    ],
)
def test_paths(section: str, options: list[str], expected: dict[str, Any]) -> None:
    found = opened(f"{NET}train: {{{section}}}\n", *(f"train.{each}" for each in options))
    assert found.train == Recipe(**expected)


def test_only_readers_make_short_forms() -> None:
    """A bare value where no short form is known replaces a mapping, and is replaced by one."""
    text = f"{NET}vars: {{v: 1}}\ntrain: {{tasks: {{a: {{weight: 2}}}}}}\n"
    assert fault(text, "train.tasks=cross_entropy").message == "'tasks' cannot be 'cross_entropy'"
    assert fault(text, "train.tasks.a.weight={x: 1}").message == "'weight' cannot be a mapping with x"


@pytest.mark.parametrize(
    ("option", "key", "path", "value"),
    [
        ("train.epochs.x=1", "epochs", "train.epochs", "3"),
        ("train.optimizer.sgd.lr.x=1", "lr", "train.optimizer.sgd.lr", "0.1"),
        ("train.data.resize.x=1", "resize", "train.data.resize", "pad"),
        ("train.tasks.a.weight.x=1", "weight", "train.tasks.a.weight", "2"),
        ("train.optimizer.sgd.lr.x.y=1", "lr", "train.optimizer.sgd.lr", "0.1"),
    ],
)
def test_a_path_through_a_bare_value_shows_its_place(option: str, key: str, path: str, value: str) -> None:
    recipe = "epochs: 3, optimizer: {sgd: {lr: 0.1}}, data: {resize: pad}, tasks: {a: {weight: 2}}"
    found = fault(f"{NET}train: {{{recipe}}}\n", option)
    assert (found.message, found.expected, found.received) == (
        f"'{path}' is not a mapping",
        "a mapping",
        f"'{value}'",
    )
    assert pointed(found) == key
    assert [under(each.location) for each in found.related] == [value]


@pytest.mark.parametrize(
    ("option", "message", "place"),
    [
        ("train.optimizer.adamx.lr=0.1", "unknown optimizer 'adamx'", "adamx"),
        ("train.optimizer.lr=0.1", "unknown optimizer 'lr'", "lr"),
        ("train.optimizer.sgd.rate=0.1", "'sgd' has no setting 'rate'", "rate"),
        ("train.tasks.c.weight=1", "the network has no head 'c'", "c"),
    ],
)
def test_names_in_a_path_that_do_not_exist(option: str, message: str, place: str) -> None:
    found = fault(f"{NET}train: {{optimizer: {{sgd: {{lr: 0.5}}}}}}\n", option)
    assert (found.message, pointed(found)) == (message, place)
    assert str(found.location).startswith("--set:")

"""The word about over-fitting: on curves that do and do not, and what it offers."""

from __future__ import annotations

import re

import pytest

from cnncli.graph import open_text
from cnncli.results.training import Epoch
from cnncli.training.overfitting import overfitting, remedies

FALLING = [2.0, 1.5, 1.0, 0.6, 0.3, 0.2, 0.1, 0.05]


def curves(train: list[float], held: list[float], part: str = "val") -> tuple[Epoch, ...]:
    pairs = enumerate(zip(train, held, strict=True), 1)
    return tuple(
        Epoch(number, 0.1, 1.0, 1.0, {"train.loss": ours, f"{part}.loss": theirs})
        for number, (ours, theirs) in pairs
    )


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_rising_loss_beside_a_falling_one(part: str) -> None:
    held = [2.0, 1.6, 1.2, 1.0, 1.05, 1.11, 1.2, 1.4]
    assert overfitting(curves(FALLING, held, part)) == (
        f"over-fits since epoch 4: {part}.loss rose from 1.0000 to 1.4000, "
        "while train.loss fell from 0.6000 to 0.0500"
    )


@pytest.mark.parametrize(
    ("train", "held"),
    [
        pytest.param(FALLING, [2.0, 1.6, 1.2, 1.0, 0.9, 0.8, 0.7, 0.6], id="falls"),
        pytest.param(FALLING, [2.0, 1.6, 1.2, 1.0, 1.05, 1.08, 1.09, 1.09], id="rises by less than a tenth"),
        pytest.param(FALLING, [2.0, 1.6, 1.2, 1.0, 1.0, 1.0, 1.4, 1.4], id="rises for two epochs"),
        pytest.param(FALLING, [2.0, 1.6, 1.0, 1.5, 1.5, 1.5, 1.0, 1.5], id="has fallen again"),
        pytest.param(
            [2.0, 1.5, 1.0, 0.6, 0.7, 0.8, 0.9, 1.0],
            [2.0, 1.6, 1.2, 1.0, 1.2, 1.3, 1.4, 1.5],
            id="the training loss rises too",
        ),
        pytest.param(
            [2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3],
            [2.0, 0.5, 0.2, 0.1, 0.2, 0.2, 0.2, 0.2],
            id="held-out images are easier, or dropout makes training harder",
        ),
        pytest.param(FALLING[:3], [1.0, 2.0, 3.0], id="three epochs"),
    ],
)
def test_other_curves(train: list[float], held: list[float]) -> None:
    assert overfitting(curves(train, held)) == ""


PLAIN = """
input: [1, 8, 8]
layers: [flatten, linear: 32, relu, linear: 10]
train: {optimizer: {sgd: {weight_decay: 0}}}
"""
ALL = [
    "more data",
    "a smaller network",
    "a penalty on weights",
    "dropout",
    "another task",
    "data augmentation",
    "transfer learning",
    "early stopping",
]


def offered(spec: str, *overrides: str) -> list[str]:
    found = open_text(spec, overrides=overrides)
    return [each.name for each in remedies(found.graph, found.train)]


def test_what_is_not_used_is_offered_in_order() -> None:
    assert offered(PLAIN) == ALL


@pytest.mark.parametrize(
    ("change", "used"),
    [
        ("train.penalty.l1=1e-6", "a penalty on weights"),
        ("train.optimizer.sgd.weight_decay=1e-4", "a penalty on weights"),
        ("train.transforms=[flip]", "data augmentation"),
        ("train.stop=5", "early stopping"),
    ],
)
def test_what_is_used_is_not(change: str, used: str) -> None:
    assert offered(PLAIN, change) == [each for each in ALL if each != used]


def test_what_the_layers_and_heads_use_is_not() -> None:
    dropping = PLAIN.replace("relu,", "relu, dropout: 0.5,")
    assert offered(dropping) == [each for each in ALL if each != "dropout"]
    heads = PLAIN.replace("relu, linear: 10]", "relu]\nheads: {a: [linear: 10], b: [linear: 10]}")
    assert offered(heads) == [each for each in ALL if each != "another task"]


def test_less_than_all_data_is_named() -> None:
    found = open_text(PLAIN, overrides=["train.data.limit=0.25"])
    assert next(remedies(found.graph, found.train)).how == "train.data.limit=1 uses all of it, not 0.25"


def test_every_setting_that_is_offered_can_be_set() -> None:
    found = open_text(PLAIN, overrides=["train.data.limit=0.5"])
    text = " ".join(each.how for each in remedies(found.graph, found.train))
    settings = re.findall(r"train\.[\w.]+=(?:\[.*?\]|[\w.-]+)", text)
    assert len(settings) == 5
    for setting in settings:
        assert open_text(PLAIN, overrides=[setting]).train != open_text(PLAIN).train or "limit=1" in setting

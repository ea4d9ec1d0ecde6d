"""Settings by path: ``--set train.lr=0.1`` beside ``--set width=32``."""

from __future__ import annotations

import pytest

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.graph import open_text

PLAIN = (
    "vars: {width: 4}\ninput: [1, 8, 8]\nlayers: [conv: {channels: width, kernel: 3}, flatten, linear: 10]\n"
)
TRAINED = PLAIN + "train: {lr: 0.5, epochs: 3}\n"


def fault(text: str, *overrides: str) -> Diagnostic:
    with pytest.raises(CnncliError) as caught:
        open_text(text, name="net.yaml", overrides=overrides)
    return caught.value.diagnostics[0]


@pytest.mark.parametrize("text", [PLAIN, TRAINED])
def test_a_setting_is_set_by_its_path(text: str) -> None:
    opened = open_text(text, overrides=["train.lr=0.25", "width=6", "train.optimizer=adamw"])
    assert opened.train.lr == 0.25
    assert opened.train.optimizer == "adamw"
    assert opened.graph.nodes[0].parameters["weight"] == (6, 1, 3, 3)


def test_what_is_not_set_stays() -> None:
    assert open_text(TRAINED, overrides=["train.lr=0.25"]).train.epochs == 3


def test_the_last_value_counts() -> None:
    assert open_text(TRAINED, overrides=["train.lr=0.1", "train.lr=0.2"]).train.lr == 0.2


def test_paths_lead_into_mappings() -> None:
    text = "input: [4]\nlayers: [identity]\nheads: {a: [linear: 2], b: [linear: 3]}\n"
    assert open_text(text, overrides=["train.losses.b=0.5"]).train.losses == {"b": 0.5}
    assert open_text(text, overrides=["train.losses={a: 2}"]).train.losses == {"a": 2.0}


def test_limits_are_settings_too() -> None:
    assert open_text(PLAIN, overrides=["budget.params=1M"]).budget.params == 1_000_000


def test_a_wrong_value_points_at_the_option() -> None:
    found = fault(TRAINED, "train.lr=fast")
    assert found.location is not None
    assert (found.location.source.name, found.location.column, found.location.width) == ("--set", 10, 4)


def test_an_unknown_setting_names_the_nearest() -> None:
    found = fault(TRAINED, "train.epoch=3")
    assert "no argument 'epoch'" in found.message
    assert found.hint == "did you mean 'epochs'?"
    assert found.location is not None
    assert found.location.column == 7


@pytest.mark.parametrize(
    ("override", "hint"),
    [("trian.lr=1", "did you mean 'train.'?"), ("layers.x=1", "sections with settings: train, budget")],
)
def test_an_unknown_section_is_refused(override: str, hint: str) -> None:
    assert fault(TRAINED, override).hint == hint


@pytest.mark.parametrize("override", ["train.=1", ".lr=1", "train..lr=1", "train.lr="])
def test_a_path_without_a_name_or_value_is_refused(override: str) -> None:
    assert fault(TRAINED, override).code == "usage"


def test_a_fault_of_the_file_still_points_at_the_file() -> None:
    found = fault(TRAINED.replace("epochs: 3", "epochs: 0"), "train.lr=0.1")
    assert found.location is not None
    assert (found.location.source.name, found.location.line) == ("net.yaml", 4)

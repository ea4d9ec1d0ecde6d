"""Warnings and notes are part of what every command shows, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnncli.cli.app import application
from cnncli.diagnostics import Diagnostic, Faults
from cnncli.limits import MAX_SPEC_NOTES
from cnncli.recipe.columns import Column
from cnncli.report.messages import error_lines
from cnncli.report.pages import notes
from cnncli.report.pages.train import introduce
from cnncli.report.show import FORMATS
from cnncli.report.terminal import output
from cnncli.results.training import Introduction

SPEC = """input: [64, 64, 3]
layers: [flatten, linear: 2]
budget: {params: 1M}
"""
SAID = "the input has 64 channels of 64x3: channels come first"


def shown(capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        application([command])([command, *arguments])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("inspect", ()),
        ("inspect", ("--symbolic",)),
        ("inspect", ("lenet5",)),
        ("check", ()),
        ("check", ("lenet5",)),
    ],
)
def test_every_format_shows_them(
    spec: str, form: str, command: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    # A line is wrapped where the path of the spec is long; Markdown escapes nothing of this.
    said = " ".join(shown(capsys, command, spec, *options, "--format", form).split())
    if "--symbolic" in options:
        assert SAID not in said  # the sizes are unknown
    else:
        assert SAID in said


def test_the_document_has_their_places(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(capsys, "inspect", spec, "--format", "json"))
    assert document["notes"] == [
        {
            "level": "warning",
            "code": "channels-last",
            "message": SAID,
            "hint": "for 3 channels write [3, 64, 64]",
            "file": spec,
            "line": 1,
            "column": 8,
        }
    ]
    (checked,) = json.loads(shown(capsys, "check", spec, "--format", "json"))["networks"]
    assert checked["notes"] == document["notes"]


def test_a_training_begins_with_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = Introduction(
        name="net",
        device="cpu",
        folder=tmp_path,
        data="digits",
        train_count=9,
        val_count=0,
        test_count=1,
        columns={"label": Column("class", ("a", "b"))},
        input_shape=(1, 8, 8),
        notes=(),
        moved=(),
        transforms=("crop (padding 4, fill 0)", "flip (direction horizontal, p 0.5)"),
        corrupt=(),
        origins={"net.yaml": ("epochs", "optimizer.sgd.lr"), "--set": ("batch",)},
        tasks=("output: cross_entropy of label",),
        spec_notes=(Diagnostic("x", "odd", hint="try", level="warning"),),
        optimizer="sgd",
        ways=("stem*: frozen, 2 layers with 48 parameters",),
        rates=(),
        lr=0.1,
        schedule="constant",
        penalty="l2 0.1",
        stop="",
        chosen_by="",
        computing="precision bf16, channels_last",
        update=("4 slices a batch", "weights averaged: ema 0.999"),
        stages=(),
        ends=0,
        within=None,
        start=None,
        batch=4,
        seed=0,
        epochs=1,
        epochs_before=1,
        resumed=False,
        finished_epochs=0,
        finished_batches=0,
        ended="",
    )
    introduce(output(), about)
    shown = capsys.readouterr().out
    assert "\nwarning: odd (try)\n" in shown
    assert "\npenalty on weights, in the objective only: l2 0.1\n" in shown
    assert ", precision bf16, channels_last\n  stem*: frozen, 2 layers with 48 parameters\n" in shown
    assert ", precision bf16, channels_last\n" in shown
    assert "\nin each step: 4 slices a batch and weights averaged: ema 0.999\n" in shown
    assert "images: crop (padding 4, fill 0), then flip (direction horizontal, p 0.5)\n" in shown


def test_nothing_in_them_steers_a_terminal() -> None:
    (text,) = notes.texts([Diagnostic("x", "a\x1b[31m", hint="b\r", level="note")])
    assert "".join(text.lines).isprintable()


def test_warnings_come_first_and_repetitions_are_dropped() -> None:
    found = Faults()
    found.note(Diagnostic("x", "known", level="note"))
    found.note(Diagnostic("x", "likely wrong", level="warning"), Diagnostic("x", "known", level="note"))
    assert [note.message for note in found.notes] == ["likely wrong", "known"]
    assert len(found) == found.reports == 0


def test_a_flood_of_notes_is_cut() -> None:
    found = Faults()
    for number in range(2 * MAX_SPEC_NOTES):
        found.note(Diagnostic("x", f"note {number}", level="note"))
    assert len(found.notes) == MAX_SPEC_NOTES


def test_only_errors_are_counted_as_errors() -> None:
    texts = [
        line.text for line in error_lines([Diagnostic("x", "wrong"), Diagnostic("y", "odd", level="warning")])
    ]
    assert texts == ["error: wrong", "", "warning: odd"]

"""``cnncli train --from``: the guide as it is typed, and the options as settings of the recipe."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from benchmarks.peers._formula import weights
from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from scripts.make_docs import DOCS
from tests.specs.support import recorded

GUIDE = (DOCS / "transfer.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(yaml|sh)(?: (\S+))?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def typed(command: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), shlex.split(command)[1:], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def given(folder: Path) -> None:
    """What a reader of the guide has: a file of torchvision, and photos of two classes."""
    torch.save(weights(recorded()["resnet18"]["state_dict"]), folder / "resnet18-f37072fd.pth")
    for name, red in (("asters", 60), ("roses", 200)):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(4):
            image = Image.new("RGB", (8, 8), (red + number, 40 * number, 90))
            image.save(folder / "photos" / name / f"{number}.png")


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which all commands of the guide were typed, and what they printed."""
    folder, printed = tmp_path_factory.mktemp("guide"), {}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        given(folder)
        for language, name, text in BLOCKS:
            if language == "yaml":
                (folder / name).write_text(text)
                continue
            for command in text.splitlines():
                code, out, errors = typed(command)
                assert (code, errors) == (OK, ""), command
                printed[command] = out
    return folder, printed


def test_the_guide_says_what_its_commands_print(
    guide: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, printed = guide
    told, refused = re.findall(r"^```text\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    parity = next(command for command in printed if "--run parity" in command)
    found = re.sub(r"(SHA-256)\s+[0-9a-f]{64}", r"\1 ...", printed[parity])
    assert told in found
    monkeypatch.chdir(folder)
    code, _, errors = typed(parity.replace("--reset 'linear2.*' --run parity", "--run other"))
    assert (code, " ".join(errors.split())) == (WRONG, " ".join(refused.split()))
    assert not Path("other").exists()


def test_what_is_frozen_in_the_guide_stays(guide: tuple[Path, dict[str, str]]) -> None:
    folder, _ = guide
    before, frozen, gently = (
        load_file(folder / name / "weights.safetensors") for name in ("digits", "frozen", "gently")
    )
    for name in before:
        same = torch.equal(before[name], frozen[name]) if before[name].shape == frozen[name].shape else False
        assert same == name.startswith("conv"), name
        assert before[name].shape != gently[name].shape or not torch.equal(before[name], gently[name])


def test_weights_of_torchvision_are_taken(guide: tuple[Path, dict[str, str]]) -> None:
    folder, printed = guide
    shown = next(out for command, out in printed.items() if "train resnet18" in command)
    assert "tensors: 100 matched, 0 adapted, 2 reset" in shown
    there = weights(recorded()["resnet18"]["state_dict"])
    learned = load_file(folder / "photos-18" / "weights.safetensors")
    kept = [name for name in there if there[name].dim() and not name.startswith("fc.")]
    assert len(kept) == 100
    assert all(torch.equal(there[name], learned[name]) for name in kept)


def test_the_events_and_the_continuation(
    guide: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, printed = guide
    monkeypatch.chdir(folder)
    parity = next(command for command in printed if "--run parity" in command)
    code, out, _ = typed(f"{parity.replace('--run parity', '--run again')} --json --set train.epochs=1")
    assert code == OK
    start = json.loads(out.splitlines()[0])["start"]
    counts = {"matched": 6, "adapted": 0, "reset": 2}
    assert (start["file"], start["counts"]) == ("digits/weights.safetensors", counts)
    assert start["reset"] == ["linear2.weight", "linear2.bias"]
    code, out, _ = typed(parity)
    assert (code, "started from digits/weights.safetensors" in out, "all 2 epochs are finished" in out) == (
        OK,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--from a --map fc", "--map fc: not a pair of names"),
        ("--from a --map a=b --map a=c", "--map a=c: 'a' is mapped twice"),
        ("--reset head", "--reset and --map are about a file of weights"),
        ("--from a --set train.start.from=b", "train.start.from is given twice"),
        ("--from a --preview x.png", "--from is for a training"),
        ("--from a", "a has no weights to read"),
    ],
)
def test_options_that_cannot_be_meant(
    options: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, errors = typed(f"cnncli train toy_classifier {options}")
    assert (code, told in " ".join(errors.split())) == (WRONG, True), errors


def test_options_add_to_a_recipe(guide: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = guide
    monkeypatch.chdir(folder)
    options = "--recipe gently.yaml --reset linear1 --freeze conv1 --print-recipe"
    code, out, errors = typed(f"cnncli train toy_classifier {options}")
    assert code == OK, errors
    found = " ".join(out.split())
    assert 'reset: ["linear1"]' in found
    assert 'groups: [{"match": "conv1", "freeze": true}, {"match": "conv*", "lr": 0.005' in found
    code, out, _ = typed(f"cnncli train toy_classifier --unfreeze-at 2 {options}")
    assert '{"match": "conv1", "freeze": true, "unfreeze_at": 2}, {"match": "conv*"' in " ".join(out.split())


def test_an_epoch_of_unfreezing_needs_layers_and_a_training_that_reaches_it() -> None:
    code, _, errors = typed("cnncli train toy_classifier --unfreeze-at 2")
    assert (code, "expected: --freeze PATTERN, too" in errors) == (WRONG, True), errors
    code, _, errors = typed("cnncli train toy_classifier --freeze conv1 --unfreeze-at 21")
    assert (code, "expected: an epoch from 2 to 20" in errors) == (WRONG, True), errors


def test_options_are_settings_of_the_recipe() -> None:
    """A path may have characters that a spec or YAML would read otherwise."""
    options = (
        "--from '$a: {b}, #c.pth' --reset 'h*' --map x.y= --map =z --freeze conv1 "
        "--set 'train.groups=[{match: linear1, lr: 0.1}]'"
    )
    code, out, errors = typed(f"cnncli train toy_classifier {options} --print-recipe")
    assert code == OK, errors
    found = " ".join(out.split())
    for part in (
        'from: "$$a: {b}, #c.pth"',  # as a spec has it, where $ begins a variable
        'reset: ["h*"]',
        'groups: [{"match": "conv1", "freeze": true}, {"match": "linear1", "lr": 0.1, "freeze": false}]',
    ):
        assert part in found, found

"""docs/pretraining.md as it is typed, and what ``cnncli pretrain`` refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import DIVERGED, OK, WRONG
from scripts.make_docs import DOCS

GUIDE = (DOCS / "pretraining.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SHOWN = re.findall(r"^```text\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
MEASURED = re.compile(r"[0-9]\.[0-9]{5}  .*")
"""The error and the time of an epoch."""


def typed(command: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), shlex.split(command)[1:], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which all commands of the guide were typed, and what they printed."""
    folder, printed = tmp_path_factory.mktemp("guide"), {}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for command in COMMANDS:
            code, out, errors = typed(command)
            assert (code, errors) == (OK, ""), command
            printed[command] = out
    return folder, printed


@pytest.mark.slow
def test_the_guide_says_what_its_commands_print(guide: tuple[Path, dict[str, str]]) -> None:
    _, printed = guide
    everything = MEASURED.sub("...", "".join(printed.values()))
    assert len(SHOWN) == 2
    for told in SHOWN:
        assert MEASURED.sub("...", told) in everything, told


@pytest.mark.slow
def test_the_next_commands_are_those_that_were_told(guide: tuple[Path, dict[str, str]]) -> None:
    _, printed = guide
    mirror, pretrain = (
        next(out for each, out in printed.items() if word in each) for word in ("mirror", "pretrain")
    )
    assert "cnncli train toy_classifier --from denoised --reset decoder --reset linear2" in mirror
    assert "cnncli train deep_belief_net --from layers --reset linear4" in pretrain


@pytest.mark.slow
def test_the_errors_are_near_those_of_the_guide(guide: tuple[Path, dict[str, str]]) -> None:
    _, printed = guide
    errors = re.compile(r"^linear\d +\d/2 +(\S+)", re.MULTILINE)
    found, told = (
        [float(each) for each in errors.findall(text)] for text in ("".join(printed.values()), GUIDE)
    )
    assert found == pytest.approx(told, rel=0.05)


@pytest.mark.slow
def test_the_encoder_of_the_guide_begins_with_what_it_learned(guide: tuple[Path, dict[str, str]]) -> None:
    folder, printed = guide
    assert "tensors: 6 matched, 0 adapted, 2 reset" in "".join(printed.values())
    learned = load_file(folder / "layers" / "weights.safetensors")
    assert [*learned] == [f"linear{number}.{name}" for number in (1, 2, 3) for name in ("bias", "weight")]


NET = "{input: [1, 8, 8], layers: [flatten, {linear: {features: 4, activation: sigmoid}}, linear: 10]}"


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("pretrain lenet5 --run x", WRONG, "conv1: 'conv' is another kind of layer"),
        ("pretrain net.yaml --run x --set pretrain.epoch=2", WRONG, "did you mean 'epochs'?"),
        ("pretrain net.yaml --run x --set pretrain.visible=real", WRONG, "binary or gaussian"),
        ("pretrain net.yaml --run x --data idx:none", WRONG, "none"),
        ("pretrain net.yaml --run net.yaml", WRONG, "net.yaml"),
        ("pretrain missing.yaml", WRONG, "missing.yaml"),
        (
            "pretrain net.yaml --run x --set pretrain.visible=gaussian --set pretrain.lr=900",
            DIVERGED,
            "gaussian units need about 0.001",
        ),
    ],
)
def test_what_is_refused(
    command: str, code: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    found, _, errors = typed(f"cnncli {command}")
    assert (found, expected in errors) == (code, True), errors


def test_the_example_of_its_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer images, and a smaller net of the same name."""
    monkeypatch.chdir(tmp_path)
    Path("deep_belief_net").write_text(NET)
    text = " ".join(typed("cnncli pretrain --help")[1].replace("│", "").split())
    example = text.partition("Example: ")[2].partition(" Arguments")[0].split(" ─")[0].split(" ╭")[0]
    code, shown, errors = typed(example)
    assert (code, errors) == (OK, "")
    assert "train from them with:" in shown

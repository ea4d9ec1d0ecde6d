"""``cnncli shrink``: the guide as it is typed, and what is refused."""

from __future__ import annotations

import json
import re
import shlex
from math import prod
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from scripts.make_docs import DOCS

GUIDE = (DOCS / "shrink.md").read_text("utf-8")


def typed(command: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), shlex.split(command)[1:], env={"COLUMNS": "100"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the commands of the guide were typed."""
    (commands,) = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (printed,) = re.findall(r"^```text\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    folder, shown = tmp_path_factory.mktemp("guide"), ""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for command in commands.splitlines():
            code, out, problems = typed(command)
            assert (code, problems) == (OK, ""), command
            shown += out
    # Accuracies differ in the last image between processors.
    assert _without_shares(printed) in _without_shares(shown)
    return folder


def _without_shares(text: str) -> str:
    return re.sub(r" +[\d.]+ %", " %", text)


def test_what_is_written_is_what_was_promised(folder: Path) -> None:
    network = cnncli.load(folder / "small.yaml")
    shapes = {name: each.shape for name, each in load_file(folder / "small.safetensors").items()}
    assert shapes == {name: tuple(each.shape) for name, each in network.module().state_dict().items()}
    assert sum(map(prod, shapes.values())) <= 8000
    record = json.loads((folder / "small" / "run.json").read_text("utf-8"))
    assert record["settings"]["epochs"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--budget params=20k -o a.yaml",
            "is within its budget already expected: a lower limit received: params is 13,706",
        ),
        ("--budget params=10 -o a.yaml", "cannot be shrunk to this budget by removing channels"),
        ("--budget weights=10 -o a.yaml", "'weights' cannot be limited"),
        ("--budget params -o a.yaml", "--budget params: no limit is given"),
        ("--budget params=8k -o small.yaml", "small.yaml exists"),
        ("--budget params=8k -o a.txt", "a.txt"),
        ("--budget params=8k -o a.yaml --epochs 1", "epochs without a training"),
        ("--budget params=8k -o a.yaml --run small", "small"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    folder: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    code, _, problems = typed(f"cnncli shrink digits {arguments}")
    assert code == WRONG
    assert message in problems
    assert sorted(folder.iterdir()) == before


def test_a_figure_other_than_parameters_as_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    code, out, _ = typed("cnncli shrink digits --budget macs=50k -o fast.yaml --format json")
    found = json.loads(out)
    assert code == OK
    assert found["schema"] == "cnncli.shrink/1"
    (figure,) = found["figures"]
    assert cnncli.load(folder / "fast.yaml").costs().totals.macs == figure["after"] <= 50_000
    assert found["tuned"] is None

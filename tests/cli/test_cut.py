"""``cnncli cut``: as it is typed, and what it refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG


def typed(*words: str, columns: int = 120) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["cut", *words], env={"COLUMNS": str(columns)})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_example_of_its_help() -> None:
    example = next(line for line in typed("--help")[1].splitlines() if "Example:" in line)
    words = shlex.split(example.partition("cnncli cut ")[2].strip(" │"))
    code, shown, errors = typed(*words, columns=80)
    assert (code, errors) == (OK, "")
    assert "--from RUN --reset linear1 --reset linear2 --reset linear3" in " ".join(shown.split())
    text = Path("trunk.yaml").read_text("utf-8")
    assert text.startswith("# The layers of lenet5 up to avgpool2.")
    assert typed(*words)[0] == WRONG  # nothing is overwritten
    assert Path("trunk.yaml").read_text("utf-8") == text


def test_the_document() -> None:
    document = json.loads(typed("toy_classifier", "--after", "maxpool2", "--format", "json")[1])
    assert (document["schema"], document["after"]) == ("cnncli.cut/1", "maxpool2")
    assert (document["input"], document["outputs"]) == ([32, 2, 2], {"output": [10]})
    assert document["params"] == 32 * 4 * 64 + 64 + 64 * 10 + 10
    assert (document["dropped"], document["written"]) == ([], None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lenet5", "a spec is cut at one place"),
        ("lenet5 --until conv1 --after conv1", "received: both"),
        ("lenet5 --until pool2", "lenet5 has no layer 'pool2'"),
        ("lenet5 --after linear3", "nothing comes after 'linear3'"),
        ("resnet18 --after layer1.0.conv1", "resnet18 cannot be cut after 'layer1.0.conv1' alone"),
        ("lenet5 --until conv1 --input 1xHx32", "needs numbers"),
        ("lenet5 --until conv1 -o no/where.yaml", "no such folder: 'no'"),
        ("missing.yaml --until conv1", "missing.yaml"),
    ],
)
def test_what_is_refused(words: str, expected: str) -> None:
    code, shown, errors = typed(*words.split())
    assert (code, shown) == (WRONG, "")
    assert expected in errors
    assert not [*Path().iterdir()]

"""``cnncli mirror``: as it is typed, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG


def typed(*words: str, columns: int = 120) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["mirror", *words], env={"COLUMNS": str(columns)})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_example_of_its_help() -> None:
    help_text = typed("--help")[1]
    example = next(line for line in help_text.splitlines() if "Example:" in line)
    words = example.partition("cnncli mirror ")[2].strip(" │").split()
    code, shown, errors = typed(*words, columns=80)
    assert (code, errors) == (OK, "")
    assert "height and width: 16, 17, 18, ... (all from 16)" in shown
    assert "cnncli train lenet5 --from denoised --reset decoder --reset linear1" in shown
    text = Path("decoder.yaml").read_text("utf-8")
    assert "target: input" in text
    assert typed(*words)[0] == WRONG  # nothing is overwritten
    assert Path("decoder.yaml").read_text("utf-8") == text


def test_the_document() -> None:
    document = json.loads(typed("toy_classifier", "--until", "linear1", "--format", "json")[1])
    assert document["schema"] == "cnncli.mirror/1"
    assert document["until"] == "linear1_activation"
    assert (document["input"], document["code"]) == ([1, 8, 8], [64])
    assert document["reset"] == ["decoder", "linear2"]
    assert document["decoder"][-1] == {
        "name": "decoder.conv1",
        "kind": "convtranspose",
        "output": [1, 8, 8],
        "params": 16 * 9 + 1,
    }
    assert document["written"] is None


def test_a_block_is_the_last_of_its_layers() -> None:
    document = json.loads(typed("small_resnet", "--until", "stage1", "--format", "json")[1])
    assert document["until"].startswith("stage1.")
    assert "decoder2" not in document["text"]


def test_a_network_with_a_decoder_gets_another_one() -> None:
    Path("net.yaml").write_text("{input: [1, 9], layers: [{conv: {channels: 2, kernel: 3}, name: decoder}]}")
    document = json.loads(typed("net.yaml", "--until", "decoder", "--format", "json")[1])
    assert document["reset"] == ["decoder2"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("lenet5", "--until", "pool2"), "lenet5 has no layer 'pool2'"),
        (("unet", "--until", "head"), "up4.concat1: 'concat' has no mirror image: its branches differ"),
        (("unet", "--until", "head"), "'up4.upconv' comes before it"),
        (("capsnet", "--until", "lengths"), "digits: 'capsules' has no mirror image"),
        (("lenet5", "--until", "conv1", "--input", "1xHx32"), "a decoder needs numbers, not formulas"),
        (("lenet5", "--until", "conv1", "-o", "no/where.yaml"), "no such folder: 'no'"),
        (("lenet5", "--until", "conv1", "-o", "."), "'.' is not a file name"),
        (("missing.yaml", "--until", "conv1"), "missing.yaml"),
        (("lenet5",), "missing option"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], expected: str) -> None:
    code, shown, errors = typed(*words)
    assert (code, shown) == (WRONG, "")
    assert expected in errors
    assert not [*Path().iterdir()]


def test_where_there_is_nothing_to_mirror() -> None:
    Path("net.yaml").write_text("{input: [1, 9], layers: [relu, tanh]}")
    code, _, errors = typed("net.yaml", "--until", "tanh1")
    assert code == WRONG
    assert "the layers up to 'tanh1' do not change the shape of the input" in errors

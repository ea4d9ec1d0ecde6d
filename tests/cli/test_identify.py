"""``cnncli identify``: as it is typed, its document, and files that are none."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from cnncli.graph import open_spec
from cnncli.language import shipped
from cnncli.transfer.matching import named_tensors

TENSORS: dict[str, Tensor] = {
    name: torch.zeros(shape)
    for name, shape in named_tensors(
        open_spec(shipped.specs()["toy_classifier"], overrides=["classes=7"]).graph
    ).items()
}


def typed(*words: str, columns: int = 120) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["identify", *words], env={"COLUMNS": str(columns)})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_the_example_of_its_help() -> None:
    example = next(line for line in typed("--help")[1].splitlines() if "Example:" in line)
    save_file(TENSORS, "weights.safetensors")
    code, shown, errors = typed(*shlex.split(example.partition("identify ")[2].strip(" │")), columns=80)
    assert (code, errors) == (OK, "")
    assert "toy_classifier with classes=7: every tensor is one of the network" in shown
    command = "cnncli train toy_classifier --set classes=7 --from weights.safetensors"
    assert command in " ".join(shown.split())


@pytest.mark.parametrize("file", ["net.safetensors", "net.pth"])
def test_the_document(file: str) -> None:
    tensors = {f"module.{name}": each for name, each in TENSORS.items()}
    if file.endswith(".pth"):
        torch.save({"epoch": 3, "state": tensors}, file)
    else:
        save_file(tensors, file)
    document = json.loads(typed(file, "--spec", "toy_classifier", "--format", "json")[1])
    assert (document["schema"], document["identified"]) == ("cnncli.identify/1", True)
    assert (document["spec"], document["variables"]) == ("toy_classifier", {"classes": 7})
    assert (document["map"], document["ambiguous"], document["matched"]) == ({"module": ""}, {}, 8)
    assert document["command"] == (f"cnncli train toy_classifier --set classes=7 --from {file} --map module=")


def test_a_spec_of_ones_own() -> None:
    Path("net.yaml").write_text(
        "{input: [1, 9], vars: {width: 4}, layers: [{conv: {channels: width*2, kernel: 3}, name: first}]}"
    )
    save_file({"first.weight": torch.zeros(10, 1, 3), "first.bias": torch.zeros(10)}, "w.safetensors")
    code, shown, _ = typed("w.safetensors", "--spec", "net.yaml")
    assert code == OK
    assert "net.yaml with width=5" in shown


def test_the_nearest() -> None:
    save_file(TENSORS | {"more|.weight": torch.zeros(3)}, "w.safetensors")
    code, shown, _ = typed("w.safetensors", "--spec", "toy_classifier")
    assert code == OK
    assert "nearest: toy_classifier with classes=7: 8 of 9 tensors are equal" in shown
    assert "more|.weight" in shown
    assert "cnncli train" not in shown


@pytest.mark.parametrize(
    ("words", "content", "expected"),
    [
        ("w.safetensors", None, "no such file"),
        ("w.safetensors", b"", "is not a safetensors file"),
        ("w.safetensors", b"\xff" * 40, "is not a safetensors file"),
        ("w.safetensors", (2**40).to_bytes(8, "little"), "is not a safetensors file"),
        ("w.safetensors", (2).to_bytes(8, "little") + b"{}", "w.safetensors has no tensors"),
        ("w.safetensors", (2).to_bytes(8, "little") + b"[]", "a header that cannot be read"),
        ("w.pth", b"no zip", "cannot read w.pth"),
        ("w.txt", b"text", "expected: the folder of a run, or a file that ends with"),
        (".", None, "is not a run"),
        ("w.safetensors --spec nets", None, "w.safetensors has no weights to read"),
    ],
)
def test_what_is_refused(words: str, content: bytes | None, expected: str) -> None:
    if content is not None:
        Path(words).write_bytes(content)
    code, shown, errors = typed(*words.split())
    assert (code, shown) == (WRONG, "")
    assert expected in errors


def test_a_file_that_is_cut_off() -> None:
    save_file(TENSORS, "w.safetensors")
    whole = Path("w.safetensors").read_bytes()
    for length in (7, 8, 100, len(whole) - 1):
        Path("w.safetensors").write_bytes(whole[:length])
        code, shown, errors = typed("w.safetensors")
        assert (code, shown) == (WRONG, "")
        assert "w.safetensors is not a safetensors file" in errors

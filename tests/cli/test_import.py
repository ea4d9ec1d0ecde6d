"""``cnncli import``: as it is typed, as docs/import.md says, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from scripts.make_docs import DOCS

GUIDE = (DOCS / "import.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|yaml|sh)(?: (\S+))?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
MODEL = next(text for language, _, text in BLOCKS if language == "python")


def typed(command: str, columns: int = 120) -> tuple[int, str, str]:
    words = shlex.split(command)[1:]
    result = CliRunner().invoke(application(), words, env={"COLUMNS": str(columns)})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


@pytest.mark.slow
def test_the_guide_is_what_its_commands_do(folder: Path) -> None:
    for language, _, text in BLOCKS:
        for command in text.splitlines() if language == "sh" else ():
            assert typed(command)[0] == OK, command
    spec = next(text for language, name, text in BLOCKS if name == "net.yaml")
    assert (folder / "net.yaml").read_text("utf-8") == spec


@pytest.mark.slow
def test_the_example_of_its_help_says_what_it_runs() -> None:
    help_text = typed("cnncli import --help")[1]
    example = " ".join(help_text.partition("Example:")[2].partition("-o net.yaml")[0].split())
    code, shown, said = typed(f"{example} -o net.yaml", columns=80)
    assert code == OK
    assert said == "note: this runs model.py and calls make_model()"
    assert "outputs: differ by 0.0e+00" in shown
    assert "blocks: unit (3)" in shown
    assert typed(f"{example} -o net.yaml")[0] == WRONG  # nothing is overwritten
    document = json.loads(typed(f"{example} -o other.yaml --format json")[1])
    assert document["schema"] == "cnncli.import/1"
    assert (document["params"], document["renamed"]) == (3 * (2 * 8 * 8 * 9 + 2 * 16) + 8 * 10 + 90, {})


WRONG_WORDS = {
    "cnncli import model.py -o a.yaml": "a Python file and a function",
    "cnncli import model.py:make_model -o a.yaml": "the shape of the input is not known",
    "cnncli import model.py:make_model --input 1xHxW -o a.yaml": "needs a size in numbers",
    "cnncli import model.py:make_mode --input 1x8x8 -o a.yaml": "did you mean 'make_model'?",
    "cnncli import model.py:nn --input 1x8x8 -o a.yaml": "cannot be called: TypeError",
    "cnncli import model.py:make_model --input 3x8x8 -o a.yaml": "expected input[2, 3, 8, 8]",
    "cnncli import no.py:make_model --input 1x8x8 -o a.yaml": "no such file: 'no.py'",
    "cnncli import model.py:make_model --input 1x8x8 -o a.txt": "does not end in .yaml",
    "cnncli import model.py:make_model --input 1x8x8 -o no/a.yaml": "no such folder",
    "cnncli import empty.onnx -o a.yaml": "is not an ONNX model",
    "cnncli import folder.onnx -o a.yaml": "is not an ONNX model",
    "cnncli import broken.py:make --input 1x8x8 -o a.yaml": "broken.py:2:1",
    "cnncli import raising.py:make --input 1x8x8 -o a.yaml": "ZeroDivisionError",
    "cnncli import text.py:make --input 1x8x8 -o a.yaml": "does not return a module",
}


@pytest.mark.parametrize("command", WRONG_WORDS)
def test_what_is_wrong_is_said(command: str, folder: Path) -> None:
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "folder.onnx").mkdir()
    (folder / "broken.py").write_text("import torch\ndef make(:\n")
    (folder / "raising.py").write_text("def make():\n    return 1 / 0\n")
    (folder / "text.py").write_text("def make():\n    return 'a network'\n")
    code, _, errors = typed(command)
    assert code == WRONG
    assert WRONG_WORDS[command] in errors
    assert not (folder / "a.yaml").exists()
    assert not (folder / "a.safetensors").exists()


def test_in_ci_a_file_runs_only_if_that_is_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    code, _, errors = typed("cnncli import model.py:make_model --input 1x8x8 -o a.yaml")
    assert code == WRONG
    assert "CNNCLI_ALLOW_PLUGINS=1" in errors


def test_what_has_no_kind_is_named_with_its_place(folder: Path) -> None:
    (folder / "odd.py").write_text(
        "from torch import nn\n"
        "class Odd(nn.Module):\n"
        "    def forward(self, x):\n"
        "        y = x.sin()\n"
        "        return y.cumsum(1)\n"
    )
    code, _, errors = typed("cnncli import odd.py:Odd --input 2x4x4 -o a.yaml", columns=200)
    assert code == WRONG
    assert "odd.py:4: 'sin': no kind computes it" in errors
    assert "odd.py:5: 'cumsum': no kind computes it" in errors


def test_a_size_that_an_onnx_file_leaves_open_is_asked_for(folder: Path) -> None:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "it", [given], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), "it.onnx")
    code, _, errors = typed("cnncli import it.onnx -o a.yaml")
    assert (code, "an input of the form 3x?x?" in errors) == (WRONG, True)
    assert typed("cnncli import it.onnx --input 4x5x6 -o a.yaml")[0] == WRONG
    assert typed("cnncli import it.onnx --input 3x5x6 -o a.yaml")[0] == OK
    assert "relu" in (folder / "a.yaml").read_text("utf-8")

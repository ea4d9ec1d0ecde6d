"""``cnncli export`` as it is typed: ONNX, pt2 and safetensors of a run and of a spec."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import save_file
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.cli.exit_codes import NOT_MET, OK, WRONG
from cnncli.exporting.onnx.quantizing import EightBits
from cnncli.training.data.load import load_held_out
from cnncli.training.exporting import losing
from cnncli.training.runs.run import open_run
from scripts.make_docs import DOCS

SPEC = """
name: striped
input: [1, 8, 8]
vars: {classes: 10}
defaults: {conv: {kernel: 3, padding: same, norm: batch, activation: relu}}
layers: [conv: 8, conv: {channels: 8, stride: 2}, globalavgpool, linear: classes, softmax]
train: {data: digits, epochs: 2, batch: 32, optimizer: {sgd: {lr: 0.1}}}
"""


JSON = ("--format", "json")


def typed(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), [*map(str, arguments)], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "net.yaml").write_text(SPEC)
    torch.manual_seed(0)
    cnncli.load(folder / "net.yaml").train(run=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def weights(run: Path) -> Path:
    file = run.parent / "alone.safetensors"
    assert typed("export", run, "--to", "safetensors", "-o", file)[0] == OK
    return file


GUIDE = (DOCS / "export.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|python)(?: (\S+))?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
TOLD = re.findall(r"^```text\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_guide_as_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command and program; the example of the help is one of them."""
    monkeypatch.chdir(tmp_path)
    printed: dict[str, str] = {}
    for language, name, text in BLOCKS:
        if language == "python":
            Path(name).write_text(text)
            done = subprocess.run([sys.executable, name], capture_output=True, encoding="utf-8", check=True)
            assert re.fullmatch(r"\[\d( \d){4}\]\n", done.stdout)
            continue
        for command in text.splitlines():
            code, printed[command], errors = typed(*shlex.split(command)[1:])
            assert (code, errors) == (OK, ""), command
    for told, option in zip(TOLD, ("digits.onnx", "small.onnx"), strict=True):
        found = next(shown for command, shown in printed.items() if option in command)
        pattern = ".*".join(map(re.escape, told.split("...")))
        assert re.search(pattern, found, re.DOTALL), (told, found)
    example = re.search(r"Example: (cnncli export .*?)\s*[│\n]", typed("export", "--help")[1])
    assert example is not None
    assert example[1].strip() in printed


def test_every_test_image_is_predicted_as_evaluate_does(run: Path, tmp_path: Path) -> None:
    """The file takes bytes, and does all that the run does with them."""
    file, table = tmp_path / "net.onnx", tmp_path / "said.csv"
    code, out, errors = typed("export", run, "--to", "onnx", "-o", file)
    assert (code, errors) == (OK, "")
    assert "takes images of any size" in out
    record = open_run(run).record
    test = load_held_out(record.settings.data, record.data.input, holdout=record.settings.holdout).split
    session = onnxruntime.InferenceSession(file)
    (said,) = session.run(None, {"image": test.images.numpy()})
    evaluated = cnncli.evaluate(run, output=table)
    rows = [line.split(",") for line in table.read_text().splitlines()]
    column = rows[0].index("predicted")
    names = record.data.classes
    assert [names[each] for each in said.argmax(1)] == [row[column] for row in rows[1:]]
    share = float((said.argmax(1) == test.labels.numpy()).mean())
    assert share == pytest.approx(evaluated.figures["accuracy"], abs=1e-9)
    np.testing.assert_allclose(said.sum(1), 1, rtol=1e-5)  # a softmax, as the spec says


def test_the_page_says_sizes_functions_and_differences(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "raw.onnx"
    code, out, _ = typed("export", run, "--to", "onnx", "-o", file, "--raw", "--format", "json")
    assert code == OK
    page = json.loads(out)
    assert page["schema"] == "cnncli.export/1"
    assert (page["tensors"], page["file"]) == (14, str(file))
    assert [*page["sizes"]] == ["height", "width"]
    assert {each["shape"][0] for each in page["compared"]} == {1, 3}
    assert max(each["difference"] for each in page["compared"]) <= 1e-5
    texts = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert json.loads(texts["cnncli.names"]) == {"output": [*map(str, range(10))]}
    assert texts["cnncli.version"] == cnncli.__version__
    assert len(json.loads(texts["cnncli.images"])["mean"]) == 1


def test_weights_alone_are_those_of_the_run_and_begin_a_training(run: Path, weights: Path) -> None:
    alone, own = load_arrays(weights), load_arrays(run / "weights.safetensors")
    assert {*own} - {*alone} == {name for name in own if name.endswith("num_batches_tracked")}
    assert all(np.array_equal(alone[name], own[name]) for name in alone)
    started = cnncli.load(run.parent / "net.yaml").train(
        run=run.parent / "again", start={"from": str(weights)}, epochs=1
    )
    assert started


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from cnncli.cli import program
sys.argv[:] = ["cnncli", "export", "net.yaml", "--weights", "alone.safetensors", *sys.argv[1:]]
program()
"""


@pytest.mark.slow
def test_a_spec_with_weights_needs_no_torch(weights: Path, tmp_path: Path) -> None:
    arguments = ["--to", "onnx", "-o", str(tmp_path / "net.onnx"), "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        cwd=weights.parent,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (OK, "")
    compared = json.loads(done.stdout)["compared"]
    assert len(compared) > 1
    assert {each["difference"] for each in compared} == {None}


def test_pt2_says_the_sizes_that_torch_can(weights: Path, tmp_path: Path) -> None:
    spec, file = weights.parent / "net.yaml", tmp_path / "net.pt2"
    code, out, errors = typed("export", spec, "--weights", weights, "--to", "pt2", "-o", file, *JSON)
    assert (code, errors) == (OK, "")
    page = json.loads(out)
    assert all(each["difference"] <= 1e-5 for each in page["compared"])
    # A padding that depends on the size is one number for torch, where other sizes need another.
    assert page["notes"] == ["torch.export can say only that sizes are 2 apart: the others are left out"]
    module = torch.export.load(file).module()
    assert module(torch.zeros(5, 1, 18, 30)).shape == (5, 10)
    with pytest.raises(AssertionError, match="Guard failed"):
        module(torch.zeros(5, 1, 19, 30))


def test_weights_of_8_bits_are_measured(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "small.onnx"
    code, out, errors = typed(
        "export", run, "--to", "onnx", "-o", file, "--int8", "--max-drop", "20%", "--format", "json"
    )
    assert (code, errors) == (OK, "")
    found = json.loads(out)["quantized"]
    assert (found["layers"], found["of"]) == (3, 3)
    assert found["before"] == pytest.approx(cnncli.evaluate(run).figures["accuracy"], abs=1e-9)
    record = open_run(run).record
    test = load_held_out(record.settings.data, record.data.input, holdout=record.settings.holdout).split
    (said,) = onnxruntime.InferenceSession(file).run(None, {"image": test.images.numpy()})
    share = float((said.argmax(1) == test.labels.numpy()).mean())
    assert share == pytest.approx(found["after"], abs=1e-9)


def test_a_drop_over_the_limit_writes_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ruined(model: onnx.ModelProto, _: Any) -> EightBits:
        small = onnx.ModelProto.FromString(model.SerializeToString())
        for each in small.graph.initializer:
            each.raw_data = bytes(len(each.raw_data))  # all weights are 0: one class is said of all images
        return EightBits(small, 3, 3)

    monkeypatch.setattr(losing, "quantized", ruined)
    file = tmp_path / "small.onnx"
    code, out, errors = typed("export", run, "--to", "onnx", "-o", file, "--int8", "--max-drop", "1%")
    assert (code, file.exists(), errors) == (NOT_MET, False, "")
    assert "small.onnx was not written: accuracy drops by" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("net.yaml --to onnx -o x.onnx", "is a spec, which has no weights to export"),
        ("net.yaml --to onnx -o x.onnx --weights none.safetensors", "cannot read none.safetensors"),
        ("net.yaml --to onnx -o x.onnx --weights net.yaml", "net.yaml is not a file of weights"),
        ("net.yaml --to onnx -o x.onnx --weights empty.safetensors", "is not a safetensors file"),
        ("lenet5 --to onnx -o x.onnx --weights alone.safetensors", "are not those of lenet5: 4 missing"),
        (
            "net.yaml --to onnx -o x.onnx --weights alone.safetensors --int8",
            "has no images to find the ranges",
        ),
        ("run --to onx -o x.onnx", "did you mean 'onnx'?"),
        ("run --to onnx -o x.pb", "x.pb does not end in .onnx"),
        ("run --to onnx -o net.yaml", "net.yaml does not end in .onnx"),
        ("run --to safetensors -o alone.safetensors", "alone.safetensors exists"),
        ("run --to onnx -o none/x.onnx", "no such folder: none"),
        ("run --to safetensors -o x.safetensors --raw", "the format safetensors has no setting 'raw'"),
        ("run --to onnx -o x.onnx --max-drop 1%", "a largest drop has no effect"),
        ("run --to onnx -o x.onnx --int8 --max-drop lots", "not a share for --max-drop"),
        ("run --to onnx -o x.onnx --weights worst", "no such weights of a run"),
        ("run --to onnx -o x.onnx --set classes=3", "a run is exported as it was trained"),
        ("none --to onnx -o x.onnx", "none"),
    ],
)
def test_mistakes(arguments: str, told: str, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(weights.parent)
    Path("empty.safetensors").touch()
    code, _, errors = typed("export", *arguments.split())
    assert (code, told in errors) == (WRONG, True), errors
    assert not Path("x.onnx").exists()


def test_weights_in_other_floats_are_converted(weights: Path, tmp_path: Path) -> None:
    """bfloat16, which numpy has not, and float16; values that are not finite are refused."""
    own = {name: torch.from_numpy(each) for name, each in load_arrays(weights).items()}
    spec = weights.parent / "net.yaml"
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        other, file = tmp_path / f"{dtype}.safetensors", tmp_path / f"{dtype}.onnx"
        save_file({name: each.to(dtype) for name, each in own.items()}, other)
        assert typed("export", spec, "--weights", other, "--to", "onnx", "-o", file)[0] == OK
        found = {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(file).graph.initializer}
        for name, each in found.items():
            assert np.array_equal(each, own[name].to(dtype).float().numpy()), name
    own["linear1.bias"][3] = torch.nan
    save_file(own, tmp_path / "nan.safetensors")
    code, _, errors = typed(
        "export", spec, "--weights", tmp_path / "nan.safetensors", "--to", "onnx", "-o", tmp_path / "nan.onnx"
    )
    assert (code, "are not finite: linear1.bias" in errors) == (WRONG, True)

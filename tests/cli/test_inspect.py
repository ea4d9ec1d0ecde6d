"""``cnncli inspect`` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.api import Architecture
from cnncli.cli.app import application
from cnncli.cli.common import Format
from cnncli.layers import KINDS
from cnncli.layers.kind import Kind
from cnncli.results.verify import Compared, Verification
from tests.cli.terminal import on_a_terminal

runner = CliRunner()


def inspect(*arguments: str) -> str:
    result = runner.invoke(application(), ["inspect", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_table() -> None:
    text = inspect("specs/lenet5.yaml")
    assert "lenet5: input 1x32x32" in text
    assert "conv1               conv     6x28x28          156  117,600    4,704   4,704" in text
    assert "total                                      61,706  416,520    6,518  15,002" in text
    assert "trainable parameters 61,706   buffers 0" in text
    assert "FLOPs 852,370   weights 0.25 MB" in text


def test_json() -> None:
    document = json.loads(inspect("specs/lenet5.yaml", "--format", "json"))
    assert document["schema"] == "cnncli.inspect/1"
    assert document["input"] == [1, 32, 32]
    assert document["spec"] == "specs/lenet5.yaml"
    assert document["outputs"] == {"output": [10]}
    totals = document["totals"]
    assert (totals["params"], totals["trainable_params"], totals["macs"]) == (61_706, 61_706, 416_520)
    first, second = document["layers"][:2]
    assert first == {
        "name": "conv1",
        "kind": "conv",
        "line": 7,
        "inputs": ["input"],
        "output": [6, 28, 28],
        "params": 156,
        "buffers": 0,
        "macs": 117_600,
        "flops": 239_904,
        "neurons": 4_704,
        "values": 4_704,
        "connections": 122_304,
    }
    assert (second["name"], second["inputs"]) == ("conv1_activation", ["conv1"])
    assert (second["neurons"], second["values"]) == (0, 4_704)
    assert (totals["neurons"], totals["values"], totals["layers"]) == (6_518, 15_002, 12)


@pytest.mark.slow
def test_verification_is_part_of_the_document_and_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["inspect", "specs/lenet5.yaml", "--verify"]
    result = runner.invoke(application(), [*arguments, "--format", "json"])
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)["verify"]
    assert found["ok"]
    assert {"parameters": 61_706, "MACs (torch)": 416_520}.items() <= {
        row["figure"]: row["theirs"] for row in found["totals"]
    }.items()
    row = Compared("total", "parameters", 5, 6)
    monkeypatch.setattr(Architecture, "verify", lambda _: Verification(1, (), (row,)))
    for form in Format:
        result = runner.invoke(application(), [*arguments, "--format", form.value])
        assert (result.exit_code, result.stderr) == (1, "")
        assert "parameters" in result.stdout


def test_an_error_fits_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 5_000)
    lines = on_a_terminal("inspect", str(path), code=2)
    assert max(len(line) for line in lines if " " in line.strip()) <= 80
    (excerpt,) = (number for number, line in enumerate(lines) if "[[[" in line)
    assert lines[excerpt + 1].endswith("^")


def test_another_size_and_batch() -> None:
    small = json.loads(inspect("specs/lenet5.yaml", "--input", "1x36x32", "--format", "json"))
    assert small["layers"][0]["output"] == [6, 32, 28]
    batch = json.loads(inspect("specs/lenet5.yaml", "--batch", "4", "--format", "json"))
    assert batch["totals"]["macs"] == 4 * 416_520
    assert batch["totals"]["params"] == 61_706


def test_folding() -> None:
    whole = inspect("specs/resnet/resnet18.yaml")
    folded = inspect("specs/resnet/resnet18.yaml", "--depth", "1")
    assert "layer1.0.conv1" in whole
    assert "layer1.0" not in folded
    assert "layer1" in folded
    assert "11,689,512" in folded


def test_markdown() -> None:
    text = inspect("specs/lenet5.yaml", "--format", "markdown", "--fully-connected")
    assert "| name | kind | output | parameters | MACs | neurons | values |" in text
    assert "| conv1 | conv | 6x28x28 | 156 | 117,600 | 4,704 | 4,704 |" in text
    assert "| **total** |" in text
    assert "| conv1 | 1x32x32 -\\> 6x28x28 | 150 | 4,816,896 | 32,113x |" in text


def test_the_lectures_comparison() -> None:
    text = inspect("specs/lenet5.yaml", "--fully-connected")
    assert "conv1    1x32x32 -> 6x28x28       150        4,816,896  32,113x" in text


@pytest.mark.parametrize("size", ["0x3", "axb", "3x", "1x2x3x4x5", "", "3x99999999999999"])
def test_a_wrong_size(size: str) -> None:
    result = runner.invoke(application(), ["inspect", "specs/lenet5.yaml", "--input", size])
    assert result.exit_code == 2
    assert "such as 3x224x224" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "no such file: 'nowhere.yaml'"),
        (["resnte18"], "no such file or shipped spec: 'resnte18'"),
        (["specs/lenet5.yaml", "--set", "width=3"], "specs/lenet5.yaml has no variables"),
        (["specs/lenet5.yaml", "--plugin", "nowhere.py"], "no such plug-in: 'nowhere.py'"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], message: str) -> None:
    result = runner.invoke(application(), ["inspect", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_misspelled_file_gets_a_suggestion() -> None:
    result = runner.invoke(application(), ["inspect", "specs/lenet55.yaml"])
    assert "did you mean 'lenet5.yaml'?" in result.stderr


def test_a_misspelled_name_gets_a_suggestion() -> None:
    result = runner.invoke(application(), ["inspect", "vgg61"])
    assert result.exit_code == 2
    assert "did you mean 'vgg16'?" in result.stderr


def test_a_shipped_spec_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = inspect("specs/vgg/vgg16.yaml")
    monkeypatch.chdir(tmp_path)
    assert inspect("vgg16") == text


def test_a_shape_that_does_not_fit_shows_the_way_there(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: [1, 8, 8]\nlayers:\n  - maxpool: 2\n  - conv: {channels: 2, kernel: 5}\n")
    result = runner.invoke(application(), ["inspect", str(spec)])
    assert result.exit_code == 2
    assert f"{spec}:4:5: error: conv1: the kernel of 'conv' is larger than its input 1x4x4" in result.stderr
    assert "expected: at least 5 along height" in result.stderr
    assert "received: 4" in result.stderr
    assert "maxpool1  1x4x4" in result.stderr


def test_a_reader_that_leaves_early_is_not_an_error() -> None:
    command = f"{sys.executable} -m cnncli inspect specs/lenet5.yaml | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.stdout == "lenet5: input 1x32x32\n"
    assert result.stderr == ""


def test_ctrl_c_is_told_apart_from_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnncli.cli.inspect.load", interrupted)
    assert runner.invoke(application(), ["inspect", "specs/lenet5.yaml"]).exit_code == 130


def bash(line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("cnncli", f"{sys.executable} -m cnncli")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_not_an_error(closed: str) -> None:
    result = bash(f"cnncli inspect specs/lenet5.yaml {closed}")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("command", ["inspect specs/lenet5.yaml", "layers conv", "--version"])
def test_a_full_disk_is_told_in_one_line(command: str) -> None:
    result = bash(f"cnncli {command} >/dev/full")
    assert result.returncode == 4
    assert result.stderr == "error: cannot write the output: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_messages_that_nobody_can_read_do_not_change_the_exit_code() -> None:
    assert bash("cnncli check nowhere.yaml 2>/dev/full").returncode == 2


@pytest.mark.parametrize("answer", ["None", "()", "(3, 3)", "'EACH'"])
def test_a_plug_in_that_does_not_say_what_it_reads_is_pointed_at(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "vague", Kind)
    monkeypatch.delitem(KINDS, "vague")
    plugin, path = tmp_path / "mine.py", tmp_path / "net.yaml"
    plugin.write_text(
        "from cnncli.layers import Weightless, layer\n\n"
        "@layer('vague')\nclass Vague(Weightless):\n    'A copy.'\n"
        "    check = lambda self, shape: ()\n    output = lambda self, shape: shape\n"
        f"    operations = lambda self, shape, output: 0\n    windows = lambda self, shape: {answer}\n"
    )
    path.write_text("input: [1, 8, 8]\nlayers:\n  - vague\n")
    arguments = ["inspect", str(path), "--plugin", str(plugin), "--receptive-field"]
    result = runner.invoke(application(), arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kind 'vague' does not say what its outputs read" in result.stderr
    assert f"received: {answer}" in result.stderr.replace('"', "'")
    assert f"correct Vague in {plugin}" in result.stderr.replace("\n", "")

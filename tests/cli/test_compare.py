"""``cnncli inspect`` on several specs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from tests.cli.terminal import on_a_terminal
from tests.specs.support import recorded

runner = CliRunner()

SMALL = "input: [4]\nvars: {width: 3}\nlayers: [linear: width]\n"

# Simonyan and Zisserman, 2014, table 2: "A,A-LRN" 133, B 133, C 134, D 138 and E 144 million.
TABLE_2 = {"vgg11": 133, "vgg11_lrn": 133, "vgg13": 133, "vgg16": 138, "vgg16_c": 134, "vgg19": 144}


def compare(*arguments: str | Path) -> tuple[int, str, str]:
    result = runner.invoke(application(), ["inspect", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def table(*arguments: str | Path) -> list[list[str]]:
    """The rows of the comparison, without its heading and its rule."""
    code, text, errors = compare(*arguments)
    assert (code, errors) == (0, "")
    heading, rule, *rows = text.splitlines()
    assert heading.split() == ["name", "input", "parameters", "MACs", "neurons", "depth", "weights"]
    assert set(rule) == {"─"}
    return [row.split() for row in rows]


def document(*arguments: str | Path) -> list[dict[str, Any]]:
    code, text, errors = compare(*arguments, "--format", "json")
    assert (code, errors) == (0, "")
    read = json.loads(text)
    assert read.keys() == {"schema", "networks"}
    assert read["schema"] == "cnncli.compare/1"
    networks: list[dict[str, Any]] = read["networks"]
    return networks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(SMALL)
    (tmp_path / "other.yml").write_text(SMALL.replace("3", "5"))
    return tmp_path


def test_a_folder_in_natural_order() -> None:
    models = recorded()
    rows = [row for row in table("specs/resnet") if row[0] in models]
    assert [row[0] for row in rows] == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    for name, size, params, macs, _, depth, *weights in rows:
        # Totals as recorded from torchvision; its networks are called by their depths.
        assert (params, macs) == (f"{models[name]['params']:,}", f"{models[name]['macs_eval']:,}")
        assert (size, name) == ("3x224x224", f"resnet{depth}")
        assert weights[1] == "MB"


def test_both_tables_of_the_vgg_paper_by_one_command() -> None:
    code, text, _ = compare("specs/vgg", "--side-by-side")
    assert code == 0
    layers, _, figures = text.partition("\n\n")
    heading, _, depths, sizes, *rest = layers.splitlines()
    assert heading.split() == list(TABLE_2)
    assert depths.split()[1::2] == ["11", "11", "13", "16", "16", "19"]
    assert sizes.split() == ["3x224x224"] * 6
    assert rest[2] == "           LRN        conv3-64   conv3-64   conv3-64   conv3-64"
    assert rest[-1] == "  ".join(["FC-1000  "] * 6).rstrip()
    rows = [line.split() for line in figures.splitlines()[2:]]
    assert {row[0]: round(int(row[2].replace(",", "")) / 1e6) for row in rows} == TABLE_2


def test_files_and_names_in_the_order_given(folder: Path) -> None:
    rows = table("vgg16", folder / "other.yml", "specs/lenet5.yaml", folder, "vgg16")
    assert [row[0] for row in rows] == ["vgg16", "other", "lenet5", "good"]
    assert rows[1][1:] == ["4", "25", "20", "5", "1", "0.00", "MB"]


def test_a_folder_of_one_is_a_comparison_too(folder: Path) -> None:
    (folder / "other.yml").unlink()
    assert [row[0] for row in table(folder)] == ["good"]
    assert "linear1" in compare(folder / "good.yaml")[1]


def test_a_family_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [row[0] for row in table("vgg")] == list(TABLE_2)


def test_json_has_exact_numbers(folder: Path) -> None:
    first, second = document("lenet5", folder / "good.yaml")
    assert (first["name"], first["input"], first["depth"], first["batch"]) == ("lenet5", [1, 32, 32], 5, 1)
    totals = {"params": 61_706, "macs": 416_520, "neurons": 6_518, "values": 15_002, "weights_size": 246_824}
    assert totals.items() <= first["totals"].items()
    assert second["spec"] == str(folder / "good.yaml")
    single = json.loads(runner.invoke(application(), ["inspect", "lenet5", "--format", "json"]).stdout)
    assert first["totals"] == single["totals"]


def test_training_heads_are_counted_apart(folder: Path) -> None:
    heads = "heads: {main: [linear: 2], aux: {layers: [linear: 9], training_only: true}}"
    (folder / "heads.yaml").write_text(f"{SMALL}{heads}\n")
    _, network = document(folder / "good.yaml", folder / "heads.yaml")
    assert network["totals"]["params"] == 15 + 8
    assert network["training_totals"]["params"] == 15 + 8 + 36
    assert network["depth"] == 2


def test_markdown(folder: Path) -> None:
    (folder / "odd.yaml").write_text(f"name: a|b\n{SMALL}")
    code, text, _ = compare(folder, "--format", "markdown", "--side-by-side")
    assert code == 0
    assert "| good | a\\|b | other |" in text
    assert "| FC-3 | FC-3 | FC-5 |" in text
    assert "| name | input | parameters | MACs | neurons | depth | weights |" in text
    assert "| good | 4 | 15 | 12 | 3 | 1 | 0.00 MB |" in text


def test_markdown_has_an_empty_row_where_a_stage_ends() -> None:
    code, text, _ = compare("specs/vgg", "--side-by-side", "--format", "markdown")
    assert code == 0
    layers, _, figures = text.partition("\n\n")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in layers.splitlines()[2:]]
    # Column A-LRN of the paper's table 1; "---" is a row that is empty in all columns.
    assert [row[1] if any(row) else "---" for row in rows] == [
        *("depth 11", "3x224x224", "---"),
        *("conv3-64", "LRN", "maxpool", "---"),
        *("conv3-128", "", "maxpool", "---"),
        *("conv3-256", "conv3-256", "", "", "maxpool", "---"),
        *("conv3-512", "conv3-512", "", "", "maxpool", "---"),
        *("conv3-512", "conv3-512", "", "", "maxpool", "---"),
        *("FC-4096", "FC-4096", "FC-1000"),
    ]
    assert all(line.strip("| ") for line in figures.splitlines())


def test_options_hold_for_each(folder: Path) -> None:
    rows = table(folder, "--set", "width=7", "--input", "10")
    assert [row[1:4] for row in rows] == [["10", "77", "70"]] * 2
    code, text, _ = compare(folder, "--batch", "8")
    assert code == 0
    assert [line.split()[3] for line in text.splitlines()[2:4]] == ["96", "160"]
    assert text.splitlines()[-1] == "MACs and neurons of a batch of 8"
    assert {network["batch"] for network in document(folder, "--batch", "8")} == {8}


def test_names_that_are_shared_are_told_apart(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "good.yaml").write_text(SMALL)
    code, text, _ = compare(folder)
    assert code == 0
    assert f"good ({folder / 'good.yaml'})" in text
    assert f"good ({folder / 'sub' / 'good.yaml'})" in text
    assert "\nother " in text


def test_json_side_by_side_has_the_layers_of_every_network() -> None:
    document = json.loads(compare("vgg11", "lenet5", "--side-by-side", "--format", "json")[1])
    for network, name in zip(document["networks"], ["vgg11", "lenet5"], strict=True):
        single = json.loads(runner.invoke(application(), ["inspect", name, "--format", "json"]).stdout)
        assert network["layers"] == single["layers"]


@pytest.mark.parametrize("form", ["table", "json", "markdown", "html"])
def test_what_is_at_fault_is_said_and_the_others_have_their_rows(folder: Path, form: str) -> None:
    (folder / "wrong.yaml").write_text("input: [4]\nlayers: [liner: 3]\n")
    (folder / "latin.yaml").write_bytes("name: Größe\n".encode("latin-1"))
    (folder / "broken.yaml").symlink_to(folder / "nowhere.yaml")
    code, text, errors = compare(folder, "vgg61", "--format", form)
    assert code == 2
    assert "did you mean 'linear'?" in errors
    assert "latin.yaml' is not UTF-8 text" in errors
    assert "no such file" in errors
    assert "did you mean 'vgg16'?" in errors
    assert "good" in text
    assert "other" in text
    assert "latin" not in text


def test_where_all_are_at_fault_there_is_no_table(folder: Path) -> None:
    code, text, errors = compare(folder, "--set", "depth=3")
    assert (code, text) == (2, "")
    assert f"{folder / 'good.yaml'} has no variable 'depth'" in errors
    assert f"{folder / 'other.yml'} has no variable 'depth'" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty"], "no specs in 'empty'"),
        (["specs/lenet5.yaml", "*.json"], "no file matches '*.json'"),
        (["vgg", "--depth", "1"], "--depth cannot be combined with a comparison"),
        (["vgg", "--fully-connected", "--verify"], "--fully-connected and --verify cannot be combined"),
        (["lenet5", "--side-by-side", "--depth", "2"], "--depth cannot be combined with a comparison"),
        (["lenet5", "--side-by-side", "--verify"], "expected: one spec file, without --side-by-side"),
        (["lenet5", "--side-by-side", "--input", "1xHxH"], "--side-by-side cannot be combined with formulas"),
        (["vgg", "--input", "big"], "'big' is not an input size"),
    ],
)
def test_mistakes_on_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    code, text, errors = compare(*arguments)
    assert (code, text) == (2, "")
    assert message in errors


def test_nothing_to_inspect() -> None:
    code, _, errors = compare()
    assert code == 2
    assert "no spec is given" in errors


def test_names_in_a_pipe_are_whole_and_steer_nothing(folder: Path) -> None:
    name = "a network whose name is longer than a terminal has room for, by far and by intent"
    (folder / "long.yaml").write_text(f"name: {name}\n{SMALL}")
    (folder / "escape.yaml").write_text(f'name: "\\e[31mred"\n{SMALL}')
    code, text, _ = compare(folder)
    assert code == 0
    assert f"\n{name} " in text
    assert "\x1b" not in text
    assert "[31mred" in text


@pytest.mark.slow
@pytest.mark.parametrize("words", [["specs"], ["specs/vgg", "--side-by-side"], ["lenet5", "--side-by-side"]])
def test_lines_fit_a_terminal(words: list[str]) -> None:
    lines = on_a_terminal("inspect", *words)
    assert len(lines) > 10
    assert max(map(len, lines)) <= 80

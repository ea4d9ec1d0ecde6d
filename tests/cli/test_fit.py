"""``cnncli fit``, and variables in ``cnncli inspect --symbolic``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.graph import open_spec
from tests.cli.terminal import on_a_terminal
from tests.specs.support import SPECS

runner = CliRunner()


def call(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(application(), [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


UNET = ("fit", "unet", "--vary", "width", "--limit", "params=7M")


def test_the_largest_width_stands_between_its_neighbors() -> None:
    code, text, _ = call(*UNET)
    assert code == 0
    rows = [line.split() for line in text.splitlines()]
    assert ["within", "params", "7,000,000"] in rows
    assert ["29", "6,373,158", "30,937,454,388"] in rows
    assert ["30", "6,820,142", "33,104,522,040", *["the", "largest", "that", "fits"]] in rows
    assert ["31", "7,282,274", "35,344,940,284", *["over", "params", "by", "282,274"]] in rows
    assert rows[-1] == ["--set", "width=30"]
    assert "params = 7574*width**2 + 118*width + 2" in text
    assert "over params by 24,030,658; the spec's own" in text


def test_on_a_terminal_of_eighty_columns() -> None:
    limits = ("--limit", "macs=1T", "--limit", "training_memory=64GiB")
    lines = on_a_terminal(*UNET, *limits, "--set", "train.batch=2")
    assert max(map(len, lines)) <= 80
    assert any(
        "within params 7,000,000, macs 1,000,000,000,000 and training_memory 64.0 GiB" in line
        for line in lines
    )


def test_several_variables_one_after_another() -> None:
    _, text, _ = call("fit", "small_resnet", "--vary", "width", "--vary", "classes", "--limit", "params=1M")
    assert text.splitlines()[-1] == "--set width=38 --set classes=136"
    # The second is fitted with what the first has left: 153 parameters for each class.
    assert "params = 153*classes + 979146" in text


def test_variables_that_take_no_formula_share_what_may_be_tried(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: [4, 8, 8]\nvars: {m: 2, n: 2}\nlayers:\n"
        "  - {conv: {channels: 4, kernel: 1}, repeat: m}\n  - {maxpool: {kernel: 1}, repeat: n}\n"
    )
    limit = ("--limit", "params=100k", "--format", "json")

    def tried(*names: str) -> list[int]:
        vary = [word for name in names for word in ("--vary", name)]
        _, text, _ = call("fit", str(spec), *vary, *limit)
        return [variable["tried_to"] for variable in json.loads(text)["variables"]]

    (alone,) = tried("m")
    first, second = tried("m", "n")
    # Layers grow with the square of the values, and half of them is left for each of the two.
    assert first == pytest.approx(alone / 2**0.5, abs=2)
    assert second <= first


def test_the_specs_own_budget_is_taken() -> None:
    _, text, _ = call("fit", "vgg16", "--vary", "classes")
    assert "within params 138,400,000 and macs 15,500,000,000" in text
    assert text.splitlines()[-1] == "--set classes=1010"


@pytest.mark.slow
def test_what_takes_no_formula_is_tried() -> None:
    _, text, _ = call("fit", "resnet20", "--vary", "n", "--limit", "params=0.5M")
    assert "values from 1 to 41 were tried, because no formula decides it" in text
    assert text.splitlines()[-1] == "--set n=5"


def test_as_json() -> None:
    code, text, _ = call(*UNET, "--format", "json")
    document = json.loads(text)
    assert code == 0
    assert document["schema"] == "cnncli.fit/1"
    assert document["limits"] == {"params": 7_000_000}
    (variable,) = document["variables"]
    assert (variable["name"], variable["value"], variable["before"]) == ("width", 30, 64)
    assert variable["tried_to"] is None
    assert variable["formulas"] == {"params": ["7574*width**2 + 118*width + 2"]}
    assert [(each["value"], each["fits"]) for each in variable["candidates"]] == [
        (29, True),
        (30, True),
        (31, False),
        (64, False),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unet", "--vary", "wdith", "--limit", "params=1M"), "did you mean 'width'?"),
        (("unet", "--vary", "align", "--limit", "params=1M"), "'align' cannot be symbolic"),
        (("unet", "--vary", "width", "--vary", "width"), "is given twice"),
        (("unet", "--vary", "width", "--set", "width=3"), "cannot be both set and varied"),
        (("unet", "--vary", "width", "--limit", "parms=1M"), "did you mean 'params'?"),
        (("unet", "--vary", "width", "--limit", "stages=3"), "'stages' cannot be limited"),
        (("unet", "--vary", "width", "--limit", "params=much"), "a number such as 1.2M"),
        (("unet", "--vary", "width", "--limit", "memory=4x"), "a size such as 512 KiB"),
        (("unet", "--vary", "width", "--limit", "params=1", "--limit", "params=2"), "already has a limit"),
        (
            ("unet", "--vary", "width", "--limit", "params=100"),
            "params 7,694 with width=1, the smallest",
        ),
        (("unet", "--vary", "width", "--limit", "buffers=1"), "'width' has no largest value"),
        (
            ("unet", "--vary", "width", "--limit", "training_memory=1GiB", "--set", "train.batch=0"),
            "a whole number of 1 or more",
        ),
        (("small_resnet", "--vary", "depth", "--limit", "params=0"), "no value of 'depth'"),
        (("lenet5", "--vary", "width"), "has no variables"),
        (("nothing.yaml", "--vary", "width"), "no such file: 'nothing.yaml'"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    code, text, errors = call("fit", *arguments)
    assert code == 2
    assert text == ""
    assert message in errors


def test_a_spec_without_a_budget(tmp_path: Path) -> None:
    spec = tmp_path / "plain.yaml"
    spec.write_text("input: [3]\nvars: {w: 2}\nlayers: [linear: w]\n")
    code, _, errors = call("fit", str(spec), "--vary", "w")
    assert code == 2
    assert "give a limit, such as params=1M" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "layer"),
    [
        ("n*1000", "{conv: {channels: 3, kernel: 1}, repeat: n}"),
        ("'1000 if n < 100 else 2000'", "conv: {channels: '32 if n < 100 else n', kernel: 1}"),
        ("n*1000", "conv: {channels: n, kernel: 1}"),
    ],
)
def test_a_budget_that_depends_on_the_variable_is_none(tmp_path: Path, params: str, layer: str) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(f"input: [3, 9]\nvars: {{n: 3}}\nbudget: {{params: {params}}}\nlayers:\n  - {layer}\n")
    code, text, errors = call("fit", str(spec), "--vary", "n")
    assert (code, text) == (2, "")
    assert "the spec's budget depends on the variables to fit" in errors
    assert call("fit", str(spec), "--vary", "n", "--limit", "params=500")[0] == 0


def test_numbers_end_before_formulas_do(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: [3, 9]\nvars: {n: 3}\nlayers:\n  - conv: {channels: n, kernel: 1}\n")
    code, _, errors = call("fit", str(spec), "--vary", "n", "--limit", "params=10_000_000_000_000")
    assert code == 2
    assert (
        "the largest value of 'n' within the budget is 2500000000000, which a spec cannot contain" in errors
    )


def test_a_spec_that_fits_only_with_what_is_set(tmp_path: Path) -> None:
    spec, new = tmp_path / "net.yaml", tmp_path / "new.yaml"
    text = "input: [10]\nvars: {w: 4, k: 3}   # both\nlayers:\n  - linear: w\n  - reshape: [k, -1]\n"
    spec.write_text(text)
    options = ("--vary", "w", "--set", "k=1", "--limit", "params=99", "--output", str(new))
    code, shown, errors = call("fit", str(spec), *options)
    assert (code, errors) == (0, "")
    assert f"written to {new}" in shown
    assert new.read_text() == text.replace("w: 4, k: 3", "w: 9, k: 1")


# -- the changed spec ------------------------------------------------------------------------------

TEXT = """\
# A comment that stays.
input: [3, 32, 32]
vars:
  width: "64"   # wide
  other: 3
layers:
  - conv: {channels: width, kernel: other}
  - {conv: {channels: width*2, kernel: 1}, name: last}   # and this one
"""


def written(tmp_path: Path, text: str, *arguments: str) -> str:
    """The text of the changed spec, at whose figures the fit stopped."""
    spec, new = tmp_path / "spec.yaml", tmp_path / "new.yaml"
    spec.write_bytes(text.encode())
    options = ("--vary", "width", "--limit", "params=5k", "--format", "json", "--output", str(new))
    code, shown, errors = call("fit", str(spec), *options, *arguments)
    assert code == 0, errors
    (variable,) = json.loads(shown)["variables"]
    (found,) = (each for each in variable["candidates"] if each["value"] == variable["value"])
    _, after, _ = call("inspect", str(new), "--format", "json")
    assert json.loads(after)["totals"]["params"] == found["figures"]["params"]
    return new.read_bytes().decode()


def test_only_the_number_changes(tmp_path: Path) -> None:
    assert written(tmp_path, TEXT) == TEXT.replace('"64"', "43")


def test_line_ends_and_other_settings_are_kept(tmp_path: Path) -> None:
    windows = TEXT.replace("\n", "\r\n")
    changed = windows.replace('"64"', "48").replace("other: 3", "other: 1")
    assert written(tmp_path, windows, "--set", "other=1") == changed


def test_a_spec_that_extends_another_is_written_whole(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT)
    text = written(tmp_path, "extends: base.yaml\nvars: {width: 8}\n")
    assert "extends" not in text
    assert "width: 43" in text
    assert "A comment" not in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    there = tmp_path / "there.yaml"
    there.write_text("mine")
    code, _, errors = call(*UNET, "--output", str(there))
    assert code == 2
    assert "already exists" in errors
    assert there.read_text() == "mine"
    code, _, errors = call(*UNET, "--output", str(tmp_path / f"{'x' * 5000}.yaml"))
    assert (code, "cannot be written: File name too long" in " ".join(errors.split())) == (2, True)
    code, _, errors = call(*UNET, "--output", str(tmp_path / ("y/" * 3000) / "new.yaml"))
    assert (code, "no such folder" in errors) == (2, True)
    code, _, errors = call(*UNET, "--output", str(tmp_path / "no" / "folder.yaml"))
    assert code == 2
    assert "no such folder" in errors


def test_a_shipped_spec(tmp_path: Path) -> None:
    new = tmp_path / "narrow.yaml"
    assert call(*UNET, "--output", str(new))[0] == 0
    before = (SPECS / "unet.yaml").read_text(encoding="utf-8")
    assert new.read_text(encoding="utf-8") == before.replace("width: 64", "width: 30")
    assert open_spec(new).graph.nodes[0].output_shape == (30, 570, 570)


# -- inspect --symbolic ----------------------------------------------------------------------------


def test_formulas_of_a_variable() -> None:
    code, text, _ = call("inspect", "unet", "--symbolic", "width")
    assert code == 0
    assert text.startswith("unet: input 1x572x572, width unknown\n")
    assert "parameters 7574*width**2 + 118*width + 2" in text
    assert "(width)x570x570" in text
    assert "variable width: any" in text


def test_variables_and_sizes_together() -> None:
    arguments = ("small_resnet", "--symbolic", "width, classes", "--input", "1xHxW")
    _, text, _ = call("inspect", *arguments)
    assert text.startswith("small resnet: input 1xHxW, width and classes unknown\n")
    assert "parameters 4*classes*width + 676*width**2 + classes + 79*width" in text
    _, text, _ = call("inspect", *arguments, "--format", "json")
    document = json.loads(text)
    assert document["totals"]["params"] == "4*classes*width + 676*width**2 + classes + 79*width"
    assert list(document["axes"]) == ["height", "width", "variable width", "variable classes"]
    assert document["axes"]["variable width"]["residues"] == {"0": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unet", "--symbolic", "wdith"), "did you mean 'width'?"),
        (("--symbolic", "unett"), "in '--symbolic unett', 'unett' is a variable"),
        (("--symbolic", "unett"), "hint:     cnncli inspect unet --symbolic\n"),
        (("--symbolic", "width"), "hint:     cnncli inspect SPEC --symbolic width\n"),
        (("--symbolic",), "no spec is given"),
        (("unet", "--symbolic", "x" * 5000), "has no variable 'xxx"),
        (("unet", "--symbolic", ""), "'' after --symbolic has an empty name"),
        (("unet", "--symbolic", ","), "',' after --symbolic has an empty name"),
        (("unet", "--symbolic", "width,,classes"), "'width,,classes' after --symbolic has an empty name"),
        (("unet", "--symbolic", "2x"), "has no variable '2x'"),
        (("unet", "--symbolic", "../x.yaml"), "received: unet and ../x.yaml"),
        (("unet", "lenet5", "--symbolic"), "--symbolic cannot be combined with a comparison"),
        (
            ("small_resnet", "--symbolic", "depth"),
            "only channels, features, groups, capsules and sizes can be formulas",
        ),
        (("unet", "--symbolic", "width", "--shifts"), "--shifts cannot be combined with formulas"),
        (
            ("unet", "--symbolic", "width", "--input", "1xHxWx"),
            "x cannot be a symbol",
        ),
    ],
)
def test_mistakes_with_variables(arguments: tuple[str, ...], message: str) -> None:
    code, _, errors = call("inspect", *arguments)
    assert code == 2
    assert message in errors

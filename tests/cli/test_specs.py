"""``cnncli specs``: what ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import app
from cnncli.report.catalogue import short_authors
from cnncli.spec.sections import Paper
from tests.cli.terminal import on_a_terminal
from tests.specs.support import NAMES, SPECS

runner = CliRunner()


def specs(*arguments: str) -> str:
    result = runner.invoke(app, ["specs", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def documents() -> dict[str, dict[str, Any]]:
    read = json.loads(specs("--format", "json"))
    assert read.keys() == {"schema", "specs"}
    assert read["schema"] == "cnncli.specs/1"
    return {each["name"]: each for each in read["specs"]}


def test_the_table_has_every_spec_with_exact_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heading, _, *rows = specs().splitlines()
    assert heading.split() == ["name", "year", "paper", "parameters", "MACs"]
    listed = {row.split("  ")[0] for row in rows}
    assert {name.rpartition("/")[2] for name in NAMES} <= listed
    words = [row.split() for row in rows]
    assert ["vgg16", "2014", "Simonyan,", "Zisserman", "138,357,544", "15,470,264,320"] in words
    assert ["lenet5", "1998", "LeCun", "et", "al.", "61,706", "416,520"] in words
    assert ["small", "-", "(lecture)", "1,170", "1,110"] in words


def test_by_year_then_family_and_the_lecture_last() -> None:
    found = list(documents().values())
    papers = [each["paper"] for each in found]
    published = [paper for paper in papers if paper is not None]
    assert papers[: len(published)] == published
    assert [paper["year"] for paper in published] == sorted(paper["year"] for paper in published)
    assert {each["family"] for each in found[len(published) :]} == {"lecture"}
    names = [each["name"] for each in found]
    first = names.index("vgg11")
    assert names[first : first + 6] == ["vgg11", "vgg11_lrn", "vgg13", "vgg16", "vgg16_c", "vgg19"]
    assert names.index("resnet50") < names.index("resnet101")


def test_json() -> None:
    found = documents()
    assert len(found) == len(NAMES)
    assert found["vgg11"] == {
        "name": "vgg11",
        "family": "vgg",
        "path": str(SPECS / "vgg" / "vgg11.yaml"),
        "input": [3, 224, 224],
        "params": 132_863_336,
        "macs": found["vgg11"]["macs"],
        "depth": 11,
        "paper": {
            "authors": "Simonyan and Zisserman",
            "year": 2014,
            "title": "Very deep convolutional networks for large-scale image recognition",
            "figures": "133 million parameters (table 2)",
        },
    }
    assert found["vgg16"]["macs"] == 15_470_264_320
    assert (found["lenet5"]["family"], found["small"]["paper"]) == (None, None)


def test_every_name_can_be_inspected() -> None:
    for name in documents():
        result = runner.invoke(app, ["inspect", name, "--format", "json"])
        assert result.exit_code == 0, result.output


def test_it_fits_a_terminal() -> None:
    lines = on_a_terminal("specs")
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "cnncli inspect vgg16 shows one of them, cnncli inspect vgg compares a family."


def test_what_ships_outside_of_the_lecture_says_where_it_was_published() -> None:
    without = {each["name"] for each in documents().values() if each["paper"] is None}
    assert without == {name.rpartition("/")[2] for name in NAMES if name.startswith("lecture/")}


@pytest.mark.parametrize(
    ("authors", "short"),
    [
        ("Krizhevsky", "Krizhevsky"),
        ("Simonyan and Zisserman", "Simonyan, Zisserman"),
        ("Tan, Le", "Tan, Le"),
        ("Hinton, Osindero and Teh", "Hinton et al."),
        ("Lin, Chen, and Yan", "Lin et al."),
        ("Anderson and van den Berg", "Anderson, van den Berg"),
    ],
)
def test_short_authors(authors: str, short: str) -> None:
    assert short_authors(Paper(authors=authors, year=2000, title="T")) == short

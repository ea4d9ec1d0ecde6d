"""``cnncli specs``: what ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.language.sections import Paper
from cnncli.report.pages.specs import short_authors
from tests.cli.terminal import on_a_terminal
from tests.specs.support import NAMES, SPECS

runner = CliRunner()


def specs(*arguments: str) -> str:
    result = runner.invoke(application(), ["specs", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def documents() -> dict[str, dict[str, Any]]:
    read = json.loads(specs("--format", "json"))
    assert read.keys() == {"schema", "specs"}
    assert read["schema"] == "cnncli.specs/1"
    return {each["shipped_as"]: each for each in read["specs"]}


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
    found = documents()
    papers = [each["paper"] for each in found.values()]
    published = [paper for paper in papers if paper is not None]
    assert papers[: len(published)] == published
    assert [paper["year"] for paper in published] == sorted(paper["year"] for paper in published)
    families = [each["family"] for each in list(found.values())[len(published) :]]
    assert families == [None] + ["lecture"] * (len(families) - 1)
    names = list(found)
    first = names.index("vgg11")
    assert names[first : first + 6] == ["vgg11", "vgg11_lrn", "vgg13", "vgg16", "vgg16_c", "vgg19"]
    assert names.index("resnet50") < names.index("resnet101")


def test_json() -> None:
    found = documents()
    assert len(found) == len(NAMES)
    vgg11 = found["vgg11"]
    totals = vgg11.pop("totals")
    # As recorded from torchvision.
    assert (totals["params"], totals["macs"]) == (132_863_336, 7_609_090_048)
    assert vgg11 == {
        "name": "vgg11",
        "spec": str(SPECS / "vgg" / "vgg11.yaml"),
        "input": [3, 224, 224],
        "batch": 1,
        "notes": [],
        "depth": 11,
        "shipped_as": "vgg11",
        "family": "vgg",
        "paper": {
            "authors": "Simonyan and Zisserman",
            "year": 2014,
            "title": "Very deep convolutional networks for large-scale image recognition",
            "figures": "133 million parameters (table 2)",
        },
    }
    assert (found["lenet5"]["family"], found["small"]["paper"]) == (None, None)
    assert (found["lenet5_1998"]["name"], found["lenet5_1998"]["depth"]) == ("lenet5-1998", 4)


@pytest.mark.slow
def test_every_name_can_be_inspected_and_has_the_same_figures_then() -> None:
    found = documents()
    result = runner.invoke(application(), ["inspect", *found, "--format", "json"])
    assert result.exit_code == 0, result.output
    inspected = json.loads(result.stdout)["networks"]
    only_here = {"shipped_as", "family", "paper"}
    for each, listed in zip(inspected, found.values(), strict=True):
        assert each == {key: value for key, value in listed.items() if key not in only_here}


def test_it_fits_a_terminal() -> None:
    lines = on_a_terminal("specs")
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "cnncli inspect vgg16 shows one of them, cnncli inspect vgg compares a family."


def test_what_ships_outside_of_the_lecture_says_where_it_was_published() -> None:
    without = {name for name, each in documents().items() if each["paper"] is None}
    assert without - {"fashion_cnn"} == {
        name.rpartition("/")[2] for name in NAMES if name.startswith("lecture/")
    }


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

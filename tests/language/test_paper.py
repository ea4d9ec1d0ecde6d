"""``paper:``: where a network was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.graph import open_spec, open_text
from cnncli.language.sections import Paper
from cnncli.language.writer import to_yaml
from tests.language.support import fault, faults, opened, pointed

LAYERS = "layers: [linear: 2]\n"
HINTON = "paper: {authors: 'Hinton, Osindero and Teh', year: 2006, title: 'Belief nets: fast'}\n"


def written(paper: str) -> str:
    return f"input: [4]\npaper: {paper}\n{LAYERS}"


def test_a_paper() -> None:
    found = opened(f"input: [4]\n{HINTON}{LAYERS}").paper
    assert found == Paper(
        authors="Hinton, Osindero and Teh", year=2006, title="Belief nets: fast", figures=""
    )


def test_a_spec_without_one() -> None:
    assert opened(f"input: [4]\n{LAYERS}").paper is None


def test_texts_may_use_variables() -> None:
    text = written("{authors: A, year: year, title: no, figures: $n layers}")
    paper = open_text(f"vars: {{n: 3, year: 1998}}\n{text}").paper
    assert paper == Paper(authors="A", year=1998, title="no", figures="3 layers")


def test_children_state_other_figures(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"input: [4]\n{HINTON}{LAYERS}")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\npaper: {figures: 10 numbers}\n")
    paper = open_spec(tmp_path / "child.yaml").paper
    assert paper is not None
    assert (paper.year, paper.figures) == (2006, "10 numbers")
    kept = open_text(to_yaml(open_spec(tmp_path / "child.yaml").document)).paper
    assert kept == paper


@pytest.mark.parametrize(
    ("paper", "message", "under", "hint"),
    [
        ("{authors: A, year: 2006, titel: T}", "'paper' has no key 'titel'", "titel", "'title'"),
        ("{authors: A, title: T}", "'paper' needs 'year'", "{", ""),
        ("{authors: A, year: soon, title: T}", "unknown name 'soon'", "soon", ""),
        ("{authors: A, year: 14, title: T}", "'year' cannot be '14'", "14", ""),
        ("{authors: A, year: 2006.5, title: T}", "'year' cannot be '2006.5'", "2006.5", ""),
        ("{authors: [A, B], year: 2006, title: T}", "'authors' cannot be a list of 2", "[", ""),
        ("{authors: A, year: 2006, title: }", "'title' cannot be nothing", "", ""),
        ("Hinton 2006", "'paper' has the wrong form", "Hinton 2006", ""),
    ],
)
def test_mistakes_point_at_their_place(paper: str, message: str, under: str, hint: str) -> None:
    found = fault(written(paper))
    assert found.message.startswith(message)
    assert pointed(found).startswith(under)
    assert hint in found.hint


def test_all_mistakes_come_together() -> None:
    found = faults(written("{year: x, titl: T}"))
    assert [each.code for each in found] == ["missing-argument", "unknown-name", "unknown-argument"]


def test_a_misspelled_section() -> None:
    assert fault(f"input: [4]\npapers: {{}}\n{LAYERS}").hint == "did you mean 'paper'?"

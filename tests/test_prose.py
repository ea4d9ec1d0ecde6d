"""The check of spelling and wording finds what it should, and nothing in proper English."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_prose import (
    WORDING,
    Phrase,
    found_in,
    read_phrases,
    search,
    spelling,
    wording,
)

PHRASES = read_phrases(WORDING.read_text(encoding="utf-8"))
BAD = "a list is" + " no layer"


def phrases_in(text: str) -> list[str]:
    return [found.text for found in search(text, PHRASES)]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.example)
def test_every_entry_finds_its_example_and_not_what_is_better(phrase: Phrase) -> None:
    assert phrase.pattern.search(phrase.example)
    assert phrases_in(phrase.better) == []


@pytest.mark.parametrize(
    "text",
    [
        "There is no file of that name, and there are no others.",
        "It is no longer than the other, is no larger than 5, and is a no-op.",
        "The spec has no input. H stands for the height, and as it stands, it is valid.",
        "A user who wants a table goes on to call show().",
        "Two outputs so close that a float cannot tell close classes apart; so many that none fits.",
        "Pass it back to the caller, who puts it out of reach. A hands-on example is at work.",
    ],
)
def test_proper_english_passes(text: str) -> None:
    assert phrases_in(text) == []


def test_a_phrase_is_found_across_lines_and_in_capitals() -> None:
    text = "First.\nA list\n  IS\n\tNO layer."
    assert [(found.line, found.text) for found in search(text, PHRASES)] == [(3, "IS NO")]


def test_strings_comments_and_names_of_python_are_read(tmp_path: Path) -> None:
    code = f'''"""{BAD}."""
# it says that a list
# {BAD[7:]}
each = f("a list " f"{BAD[7:]} of {{name}}")
is_no = "is", "no"
is_no, each = (each is no, each)
def that_is_no_layer(is_no): pass
'''
    path = written(tmp_path, "a.py", code)
    assert [(found.line, found.text) for found in found_in(path, PHRASES)] == [
        (1, "is no"),
        (3, "is no"),
        (4, "is no"),
        (7, "is no"),
    ]


def test_a_bad_file_is_reported_with_its_line(tmp_path: Path) -> None:
    for folder in ("benchmarks", "cnncli", "docs", "scripts", "specs", "tests"):
        (tmp_path / folder).mkdir()
    written(tmp_path, "docs/a.md", f"# Title\n\nHere {BAD}.\n")
    written(tmp_path, "docs/b.md", "All is well.\n")
    assert [*wording(tmp_path, PHRASES)] == [
        "docs/a.md:3: 'is no'; better, for example: a list is not a layer"
    ]


def test_a_misspelled_word_is_reported(tmp_path: Path) -> None:
    written(tmp_path, "a.md", "A convolution with a " + "kern" + "al and a col" + "our.\n")
    assert [line.partition(": ")[2] for line in spelling(tmp_path)] == [
        "kern" + "al ==> kernel",
        "col" + "our ==> color",
    ]

"""Blocks that nothing uses: an error where one of the base was probably meant, otherwise a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.diagnostics import SpecError
from cnncli.graph import open_spec, open_text

BASE = """\
input: [3, 8, 8]
blocks:
  unit: {args: {c: }, layers: [{conv: {channels: c, kernel: 1}}]}
  spare: {args: {c: 2}, layers: [inner]}
  inner: {layers: [relu]}
layers: [{unit: 4}]
"""


def extended(text: str, folder: Path) -> Path:
    (folder / "base.yaml").write_text(BASE)
    path = folder / "net.yaml"
    path.write_text(f"extends: base.yaml\n{text}")
    return path


def test_a_misspelled_block_of_the_base_is_an_error(tmp_path: Path) -> None:
    path = extended("blocks: {unot: {args: {c: }, layers: [{conv: {channels: c, kernel: 3}}]}}\n", tmp_path)
    with pytest.raises(SpecError) as caught:
        open_spec(path)
    (fault,) = caught.value.diagnostics
    assert fault.message == "'unot' is not a block of the base, and nothing uses it"
    assert fault.hint == "did you mean 'unit'?"
    assert fault.location is not None
    assert (fault.location.line, fault.location.column) == (2, 10)


@pytest.mark.parametrize(
    "text",
    [
        "blocks: {unit: {args: {c: }, layers: [relu]}}\n",
        "blocks: {other: {layers: [relu]}}\nlayers: [other]\n",
        "blocks: {other: {layers: [relu]}, unit: {args: {c: }, layers: [other]}}\n",
    ],
)
def test_blocks_that_replace_or_are_used(text: str, tmp_path: Path) -> None:
    assert not [note for note in open_spec(extended(text, tmp_path)).graph.notes if "block" in note.code]


def test_a_block_that_nothing_uses_is_a_warning() -> None:
    notes = open_text(BASE).graph.notes
    assert [(note.level, note.message) for note in notes] == [
        ("warning", "no layer uses the block 'spare'"),
        ("warning", "no layer uses the block 'inner'"),  # only the one before does
    ]
    assert [note.location and note.location[1:3] for note in notes] == [(4, 3), (5, 3)]


def test_a_block_of_the_base_may_be_used_there_only(tmp_path: Path) -> None:
    assert open_spec(extended("layers: [relu]\n", tmp_path)).graph.notes == ()


def test_a_block_that_is_repeated_zero_times_is_used() -> None:
    text = BASE.replace("[{unit: 4}]", "[{unit: 4}, {spare: , repeat: 0}]")
    assert open_text(text).graph.notes == ()

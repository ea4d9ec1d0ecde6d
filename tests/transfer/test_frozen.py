"""The note about layers that are reset and frozen."""

from __future__ import annotations

import pytest

from cnncli.graph import open_text
from cnncli.transfer.frozen import staying_random

SPEC = """input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, norm: batch}, name: stem}
  - flatten
  - {linear: 10, name: head}
train: {start: {from: run, reset: [%s]}, groups: [{match: 'stem*', freeze: true%s}]}
"""


@pytest.mark.parametrize(
    ("reset", "more", "named"),
    [
        ("'stem.*'", "", "stem"),
        ("'*'", "", "stem and stem_norm"),
        ("stem_norm.bias", "", "stem_norm"),
        ("head", "", ""),
        ("stem", ", unfreeze_at: 3", ""),
    ],
)
def test_what_is_reset_and_never_learns_is_named(reset: str, more: str, named: str) -> None:
    opened = open_text(SPEC % (reset, more))
    found = [*staying_random(opened.graph, opened.train)]
    assert [each.message for each in found] == (
        [f"reset and frozen for good, so random weights stay: {named}"] if named else []
    )
    assert all(each.level == "note" and each.location is not None for each in found)

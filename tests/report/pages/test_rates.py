"""Learning rates of layers at different depths, as a line, a table and data."""

from __future__ import annotations

from cnncli.analysis.rates import LayerRate
from cnncli.report.pages.rates import document, sections, summary

FOUND = (
    LayerRate("head", 3, (0.1,)),
    LayerRate("stem", 1, ()),
    LayerRate("body", 2, (0.05, 0.0005)),
)


def test_the_first_lines_have_the_smallest_and_the_largest_depth_that_learn() -> None:
    assert [*summary(FOUND)] == ["lr by depth: 0.05, 0.0005 at depth 2 (body) to 0.1 at depth 3 (head)"]


def test_nothing_is_said_without_a_decay() -> None:
    assert ([*summary(())], [*sections(())], document(())) == ([], [], [])


def test_a_frozen_layer_has_no_rate() -> None:
    (((table),),) = sections(FOUND)
    assert [column.cells for column in table.columns] == [  # type: ignore[union-attr]
        ["head", "stem", "body"],
        ["3", "1", "2"],
        ["0.1", "frozen", "0.05, 0.0005"],
    ]
    assert document(FOUND)[1] == {"node": "stem", "depth": 1, "lr": []}

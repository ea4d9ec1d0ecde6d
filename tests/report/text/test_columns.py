"""Tables: alignment, and how they give way where there is little room."""

from __future__ import annotations

import pytest

from cnncli.report.pages.inspect import table
from cnncli.report.text.columns import Column, Table, cut_middle, render
from cnncli.report.text.numbers import exact, megabytes, short
from tests.specs.support import NAMES, figures
from tests.specs.support import graph as shipped


def test_numbers_are_right_aligned_and_totals_set_off() -> None:
    drawn = Table((Column("n", ["a", "bbb", "sum"]), Column("x", ["1", "22", "23"], right=True)), totals=1)
    assert [line.text for line in render(drawn, None)] == [
        "n     x",
        "───────",
        "a     1",
        "bbb  22",
        "───────",
        "sum  23",
    ]
    assert [line.role for line in render(drawn, None)] == ["heading", "rule", "row", "row", "rule", "total"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [80, 200])
def test_every_shipped_network_fits_the_terminal(name: str, width: int) -> None:
    lines = list(render(table(shipped(name), figures(name), None), width))
    assert max(len(line.text) for line in lines) <= width


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_gets_every_digit(name: str) -> None:
    text = "\n".join(line.text for line in render(table(shipped(name), figures(name), None), None))
    for row in figures(name).rows:
        assert row.node.name in text
        assert exact(row.figures.macs) in text


def test_what_is_readily_shortened_gives_way_first() -> None:
    wide = Column("wide", ["1,000,000"], right=True, short_cells=["1.00M"], rank=1)
    kept = Column("kept", ["2,000,000"], right=True, short_cells=["2.00M"], rank=2)
    (_, _, row) = render(Table((wide, kept)), 17)
    assert row.text == "1.00M  2,000,000"


def test_optional_columns_are_left_out_after_all_is_shortened_and_before_names_are_cut() -> None:
    name = Column("name", ["a.rather.long.name", "total"], cut=True)
    asked = Column("asked", ["204", ""], right=True)
    first = Column("first", ["1,000", "1,000"], short_cells=["1.0k", "1.0k"], rank=1, optional=True)
    second = Column("second", ["22", "22"], rank=2, optional=True)
    table = Table((name, asked, first, second), totals=1)
    assert next(render(table, 40)).text.split() == ["name", "asked", "first", "second"]
    assert next(render(table, 34)).text.split() == ["name", "asked", "second"]
    heading, _, row = render(table, 25)
    # A total of figures that are not shown says nothing.
    assert heading.text.split() == ["name", "asked"]
    assert row.text == "a.rather.long.name    204"
    assert "…" in list(render(table, 22))[-1].text


def test_cut_middle() -> None:
    assert cut_middle("layer4.2.downsample", 12) == "laye…wnsample"[:4] + "…" + "ownsample"[-7:]
    assert len(cut_middle("layer4.2.downsample", 12)) == 12
    assert cut_middle("short", 12) == "short"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.00k"),
        (9_994, "9.99k"),
        (9_995, "10.0k"),
        (99_949, "99.9k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (15_470_264_320, "15.5G"),
        (-61_706, "-61.7k"),
    ],
)
def test_short_numbers(value: int, text: str) -> None:
    assert short(value) == text


def test_megabytes() -> None:
    assert megabytes(246_824) == "0.25 MB"
    assert megabytes(553_430_176) == "553.4 MB"

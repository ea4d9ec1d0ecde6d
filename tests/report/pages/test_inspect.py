"""The table of formulas, and what becomes of it where there is little room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnncli.algebra import Dim, Expr, evaluate, symbol
from cnncli.analysis.costs.figures import costs
from cnncli.analysis.memory.totals import memory_totals
from cnncli.analysis.sizes import valid_sizes
from cnncli.graph import Graph, Size, all_sizes, open_spec, open_text
from cnncli.report import show
from cnncli.report.pages.formulas import Formulas
from cnncli.report.pages.inspect import Asked, page, table
from cnncli.report.text.columns import Column, Table, render
from cnncli.report.text.continuation import folded
from cnncli.report.text.formulas import Abbreviations, abbreviated
from cnncli.report.text.numbers import exact
from cnncli.report.text.wrapping import unbroken, wrapped
from tests.algebra.arithmetic import compute
from tests.specs.support import NAMES, SPECS

SIZED = tuple(name for name in NAMES if name != "lecture/small")  # which reads vectors
H = symbol("H")


def shown(
    spec: str | Path, width: int | None = None, size: Size | None = all_sizes, depth: int | None = None
) -> list[str]:
    graph = open_spec(SPECS / spec if isinstance(spec, str) else spec, size=size).graph
    return formulas_of(graph, width, depth)


def formulas_of(graph: Graph, width: int | None = None, depth: int | None = None) -> list[str]:
    figures = costs(graph)
    formulas = Formulas(memory_totals(graph, figures, 1), valid_sizes(graph))
    return show.text(page(graph, figures, asked=Asked(depth, formulas=formulas)), width=width).splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize(("width", "depth"), [(80, None), (80, 1), (120, None)])
def test_every_formula_fits_the_terminal(name: str, width: int, depth: int | None) -> None:
    spec = SPECS / f"{name}.yaml"
    found = shown(spec, width, depth=depth)
    assert max(map(len, found)) <= width
    if depth is None:
        graph = open_spec(spec, size=all_sizes).graph
        _, short = abbreviated(graph, costs(graph), Abbreviations(graph.unknowns))
        whole = "\n".join(found)
        for row in short.rows:
            if isinstance(row.figures.macs, Expr):
                assert exact(row.figures.macs) in whole
            if isinstance(row.figures.params, Expr):
                assert exact(row.figures.params) in whole


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("name", ["unet", "lenet5", "alexnet", "vgg/vgg16", "capsnet", "inception/googlenet"])
def test_totals_mean_what_the_numbers_say(name: str, square: bool) -> None:
    """The names put back, the totals parsed as arithmetic and computed: those of a size in numbers."""
    spec, at = SPECS / f"{name}.yaml", {"H": 240, "W": 240}
    channels = open_spec(spec).graph.input[0]
    graph = open_spec(spec, size=(channels, H, H) if square else all_sizes).graph
    flat = " ".join(" ".join(formulas_of(graph, 80)).split())
    sizes: dict[str, Dim] = {**at}
    for short, floor in re.findall(r"(\w\d+) = (.+?//\d+)(?=,| )", flat):
        sizes[short] = compute(floor, at)
    totals = costs(open_spec(spec, size=(channels, 240, 240)).graph).totals
    following = {"MACs": "FLOPs", "FLOPs": "neurons", "neurons": "values", "values": "weights"}
    for heading, after in following.items():
        expected = getattr(totals, heading.casefold())
        (written,) = re.findall(rf"{heading} (\d.*?) {after}", flat)
        assert compute(written, sizes) == evaluate(expected, at)


def test_unets_layers_and_totals() -> None:
    wide, narrow = shown("unet.yaml", 400), shown("unet.yaml", 80)
    assert any("64x(h1 - 2)x(w1 - 2)" in line and "64*(h1 - 2)*(w1 - 2)" in line for line in wide)
    assert "bottom.conv.1      9,438,208        9437184*(h4 - 8)*(w4 - 8)" in narrow
    assert not any(line.startswith("maxpool1") and line.endswith("0") for line in narrow)
    start = narrow.index("MACs 37440*H*W - 148608*(H + W) + 221184*h1*w1 - 1179648*(h1 + w1)")
    assert narrow[start + 1 : start + 3] == [
        "    + 884736*h2*w2 - 5603328*(h2 + w2) + 3538944*h3*w3 - 25952256*(h3 + w3)",
        "    + 135823360*h4*w4 - 1406525440*(h4 + w4) + 15076036864",
    ]


def test_lenets_totals_are_those_of_its_layers() -> None:
    lines = shown("lenet5.yaml")
    assert "parameters 1920*(h2 - 3)*(w2 - 3) + 13706" in lines
    assert "MACs 150*(H - 4)*(W - 4) + 2400*(h1 - 6)*(w1 - 6) + 1920*(h2 - 3)*(w2 - 3) + 10920" in lines
    square = shown("lenet5.yaml", size=(1, H, H))
    assert "MACs 150*(H - 4)**2 + 2400*(h1 - 6)**2 + 1920*(h2 - 3)**2 + 10920" in square


def test_alexnets_windows_are_counted_as_a_product() -> None:
    text = " ".join(shown("alexnet.yaml"))
    assert "+ 2048*(h4 - 1)*(w4 - 1) + 256*(2*h10 - h4 - 2*h5" in text


def test_what_has_room_is_shown_once() -> None:
    graph = open_spec(SPECS / "resnet/resnet50.yaml", size=all_sizes).graph
    drawn = table(graph, costs(graph), None, totals=False)
    assert list(folded(drawn, None)) == [drawn]
    assert list(folded(drawn, 400)) == [drawn]


def test_where_no_table_has_room_every_figure_has_its_own() -> None:
    drawn = Table(
        (
            Column("name", ["a.long.name", "b", "c"], cut=True),
            Column("output", ["16xHxW", "16", "4"]),
            Column("parameters", ["12*(H - 1) + 4", "0", "7"], right=True, rank=3, optional=True),
            Column(
                "MACs", ["1234*(H - 2)*(W - 2) + 5678*h1*w1", "0", "0"], right=True, rank=2, optional=True
            ),
            Column("values", ["16*H*W", "16", "4"], right=True, rank=1, optional=True),
        )
    )
    kept, params, macs = folded(drawn, 33)
    assert [column.heading for column in kept.columns] == ["name", "output"]
    assert [column.cells for column in params.columns] == [["a.long.name", "c"], ["12*(H - 1) + 4", "7"]]
    assert [column.cells for column in macs.columns] == [
        ["a.long.name", ""],
        ["1234*(H - 2)*(W - 2)", "    + 5678*h1*w1"],
    ]


def test_a_figure_that_is_zero_everywhere_has_no_table() -> None:
    columns = (
        Column("name", ["a", "b"], cut=True),
        Column("output", ["16xHxW", "16"]),
        Column("weights", ["0", "0"], right=True, rank=2, optional=True),
        Column("saved", ["1234*(H - 2)*(W - 2) + 5678*h1*w1", "0"], right=True, rank=1, optional=True),
    )
    _, *folded_away = folded(Table(columns), 20)
    assert [each.columns[1].heading for each in folded_away] == ["saved"]


def test_lines_end_between_terms() -> None:
    text = f"MACs {unbroken('2*(h - 1)*(w - 1) - 30*(h + w) + 5')}"
    assert wrapped(text, 26) == ["MACs 2*(h - 1)*(w - 1)", "    - 30*(h + w) + 5"]


def reads(name: str, depth: int | None = None) -> dict[str, str]:
    """What each row says it reads; empty for the line above."""
    graph = open_spec(SPECS / name).graph
    drawn = table(graph, costs(graph), depth)
    columns = {column.heading: column.cells for column in drawn.columns}
    return dict(zip(columns["name"], columns.get("reads", ()), strict=False))


def test_a_row_says_what_it_reads_unless_that_is_the_line_above() -> None:
    found = reads("resnet/resnet50.yaml")
    assert found["layer1.0.add1"] == "bn3, downsample"
    assert found["layer1.0.downsample"] == "maxpool"
    assert found["layer2.0.downsample"] == "layer1.2.relu"
    assert (found["conv1"], found["layer1.0.conv1"], found["total"]) == ("", "", "")
    assert reads("inception/googlenet.yaml")["inception3a.branch2.0.conv"] == "maxpool2"
    assert reads("lenet5.yaml") == {}


def test_folded_rows_read_folded_names() -> None:
    found = reads("unet.yaml", 1)
    assert (found["up4"], found["up3"], found["bottom"]) == ("dropout2, down4", "up4, down3", "")


def test_a_narrow_screen_still_says_what_is_read() -> None:
    graph = open_spec(SPECS / "resnet/resnet50.yaml").graph
    drawn = [line.text for line in render(table(graph, costs(graph), None), 80)]
    assert "reads" in drawn[0]
    (add,) = (line for line in drawn if line.startswith("layer1.0.add1 "))
    assert " bn3" in add


def test_a_join_of_many_names_some() -> None:
    branches = ", ".join("[relu]" for _ in range(40))
    graph = open_text(f"input: [2, 4, 4]\nlayers: [concat: [{branches}]]").graph
    columns = {column.heading: column.cells for column in table(graph, costs(graph), None).columns}
    assert columns["reads"][-2].endswith("and 32 more")

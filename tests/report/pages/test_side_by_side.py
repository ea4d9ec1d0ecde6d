"""The layers of networks in columns; above all, table 1 of the VGG paper."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest

from cnncli.analysis.costs.overview import overview
from cnncli.report.pages.side_by_side import tables
from cnncli.report.text.columns import Table, render
from tests.language.support import graph
from tests.specs.support import graph as shipped

# Simonyan and Zisserman, 2014, table 1, typed in row by row. A line of the paper's is a line here; the
# rule after a stage is "---". The input's row is theirs in words ("224 x 224 RGB image"); the soft-max
# of its last row is not a layer of the specs, whose loss takes the scores as they are.
COLUMNS = {"A": "vgg11", "A-LRN": "vgg11_lrn", "B": "vgg13", "C": "vgg16_c", "D": "vgg16", "E": "vgg19"}
TABLE_1 = """
A          | A-LRN      | B          | C          | D          | E
11         | 11         | 13         | 16         | 16         | 19
---
conv3-64   | conv3-64   | conv3-64   | conv3-64   | conv3-64   | conv3-64
           | LRN        | conv3-64   | conv3-64   | conv3-64   | conv3-64
maxpool    | maxpool    | maxpool    | maxpool    | maxpool    | maxpool
---
conv3-128  | conv3-128  | conv3-128  | conv3-128  | conv3-128  | conv3-128
           |            | conv3-128  | conv3-128  | conv3-128  | conv3-128
maxpool    | maxpool    | maxpool    | maxpool    | maxpool    | maxpool
---
conv3-256  | conv3-256  | conv3-256  | conv3-256  | conv3-256  | conv3-256
conv3-256  | conv3-256  | conv3-256  | conv3-256  | conv3-256  | conv3-256
           |            |            | conv1-256  | conv3-256  | conv3-256
           |            |            |            |            | conv3-256
maxpool    | maxpool    | maxpool    | maxpool    | maxpool    | maxpool
---
conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512
conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512
           |            |            | conv1-512  | conv3-512  | conv3-512
           |            |            |            |            | conv3-512
maxpool    | maxpool    | maxpool    | maxpool    | maxpool    | maxpool
---
conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512
conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512  | conv3-512
           |            |            | conv1-512  | conv3-512  | conv3-512
           |            |            |            |            | conv3-512
maxpool    | maxpool    | maxpool    | maxpool    | maxpool    | maxpool
---
FC-4096    | FC-4096    | FC-4096    | FC-4096    | FC-4096    | FC-4096
FC-4096    | FC-4096    | FC-4096    | FC-4096    | FC-4096    | FC-4096
FC-1000    | FC-1000    | FC-1000    | FC-1000    | FC-1000    | FC-1000
"""


def drawn(names: Sequence[str], width: int | None = None) -> list[Table]:
    return list(tables([overview(shipped(name)) for name in names], names, width))


def columns(*texts: str) -> list[list[str]]:
    """The columns of networks written as lists of layers; a rule is "---"."""
    named = [str(number) for number in range(len(texts))]
    (table,) = tables([overview(graph(f"layers: {text}")) for text in texts], named, None)
    return [with_rules(table, column.cells) for column in table.columns]


def with_rules(table: Table, cells: Sequence[str]) -> list[str]:
    """The cells of a column below its head, with a "---" where a rule is drawn."""
    marked = [
        part for row, cell in enumerate(cells) for part in (["---", cell] if row in table.rules else [cell])
    ]
    assert marked[2] == "---"
    return marked[3:]


def test_table_1_of_the_vgg_paper() -> None:
    names, depths, _, *rows = TABLE_1.strip().splitlines()
    specs = [f"vgg/{COLUMNS[letter.strip()]}" for letter in names.split("|")]
    (table,) = drawn(specs, 80)
    assert [column.heading for column in table.columns] == specs
    assert [column.cells[0] for column in table.columns] == [f"depth {n.strip()}" for n in depths.split("|")]
    assert {column.cells[1] for column in table.columns} == {"3x224x224"}
    for number, column in enumerate(table.columns):
        published = [row if row == "---" else row.split("|")[number].strip() for row in rows]
        assert with_rules(table, column.cells) == published


def test_six_columns_fit_a_terminal() -> None:
    (table,) = drawn([f"vgg/{name}" for name in COLUMNS.values()], 80)
    assert max(len(line.text) for line in render(table, 80)) <= 80


def test_more_than_fit_make_further_tables() -> None:
    names = ["lenet5", "unet", "resnet/resnet18", "vgg/vgg16", "alexnet_2012", "small_resnet"]
    several = drawn(names, 40)
    assert len(several) > 1
    assert [column.heading for table in several for column in table.columns] == names
    for table in several:
        assert max(len(line.text) for line in render(table, 40)) <= 40
    assert len(drawn(names, 5)) == len(names)
    assert len(drawn(names)) == 1


def test_resnet_ends_its_stages_with_strides() -> None:
    (column,) = drawn(["resnet/resnet34"])[0].columns
    layers = [cell for cell in column.cells[2:] if cell not in ("batchnorm", "add")]
    assert [(cell, len(list(same))) for cell, same in groupby(layers)] == [
        # He et al., 2015, figure 3: 3, 4, 6 and 3 units of two convolutions.
        ("conv7-64/2", 1),
        ("maxpool", 1),
        ("conv3-64", 6),
        ("conv3-128/2", 1),
        ("shortcut1-128/2", 1),
        ("conv3-128", 7),
        ("conv3-256/2", 1),
        ("shortcut1-256/2", 1),
        ("conv3-256", 11),
        ("conv3-512/2", 1),
        ("shortcut1-512/2", 1),
        ("conv3-512", 5),
        ("globalavgpool", 1),
        ("FC-1000", 1),
    ]


def test_what_is_not_shown() -> None:
    text = """
    [relu, dropout: 0.5, identity, {maxpool: {kernel: 1}}, adaptiveavgpool: 8, shortcut: 3, softmax,
     {conv: {channels: 4, kernel: 3, norm: batch, activation: relu}}, flatten, {linear: {features: 2}}]
    """
    assert columns(text) == [["conv3-4", "batchnorm", "---", "FC-2"]]


def test_what_is_shown_without_weights() -> None:
    text = """
    [{maxpool: {kernel: 3, stride: 1, padding: same}},
     {avgpool: {kernel: 2, stride: 1, padding: {top: 1, left: 1}}},
     crop: 1, layernorm, localresponsenorm: 3, {concat: [identity, identity]}, globalavgpool]
    """
    shown = ["maxpool", "avgpool", "crop", "layernorm", "LRN", "concat"]
    assert columns(text) == [[*shown, "---", "globalavgpool"]]


def test_cells_of_sums() -> None:
    text = """
    [{conv: {channels: 4, kernel: [3, 1], padding: same}}, {conv: {channels: 8, kernel: 2, stride: [2, 1]}},
     {convtranspose: {channels: 2, kernel: 4, stride: 2}}, {shortcut: {channels: 6, stride: 2}}]
    """
    assert columns(text) == [
        ["conv3x1-4", "conv2-8/2x1", "---", "convtranspose4-2", "---", "shortcut1-6/2"],
    ]


def test_a_stage_ends_where_the_resolution_changes_and_not_where_borders_are_lost() -> None:
    (column,) = columns(
        "[{conv: {channels: 2, kernel: 3}}, {conv: {channels: 2, kernel: 3}}, adaptiveavgpool: 2]"
    )
    assert column == ["conv3-2", "conv3-2", "adaptiveavgpool"]


def test_branches_share_the_stage_that_they_leave() -> None:
    text = """
    [{add: [[{conv: {channels: 3, kernel: 1, stride: 2}}, {conv: {channels: 3, kernel: 3, padding: same}}],
            [{maxpool: 2}]]}]
    """
    assert columns(text) == [["conv1-3/2", "maxpool", "---", "conv3-3", "add"]]


def test_vectors_after_the_last_map_stand_at_one_height() -> None:
    deep = "[maxpool: 2, maxpool: 2, flatten, linear: 9, linear: 5]"
    shallow = "[flatten, linear: 7]"
    assert columns(deep, shallow) == [
        ["maxpool", "---", "maxpool", "---", "FC-9", "FC-5"],
        ["", "---", "", "---", "FC-7", ""],
    ]


def test_vectors_that_weigh_channels_stay_in_their_stage() -> None:
    text = "[{multiply: [identity, [globalavgpool, linear: 3, {reshape: [3, 1, 1]}]]}, flatten, linear: 2]"
    assert columns(text) == [["globalavgpool", "FC-3", "multiply", "---", "FC-2"]]


def test_a_generator_starts_with_a_vector() -> None:
    text = """
    input: [4]
    layers: [linear: 8, {reshape: [2, 2, 2]}, {convtranspose: {channels: 1, kernel: 2, stride: 2}}]
    """
    (table,) = tables([overview(graph(text))], ["g"], None)
    assert table.columns[0].cells == ("depth 2", "4", "FC-8", "convtranspose2-1")


def test_a_network_of_nothing_to_show() -> None:
    (table,) = tables([overview(graph("layers: [relu]"))], ["r"], None)
    assert table.columns[0].cells == ("depth 0", "3x8x8")
    assert len(list(render(table, None))) == 4


@pytest.mark.parametrize("only", [True, False])
def test_heads_in_training_only_are_not_shown(only: bool) -> None:
    text = f"""
    layers: [{{relu: , name: a}}]
    heads:
      main: [flatten, linear: 2]
      aux: {{from: a, layers: [flatten, linear: 3], training_only: {str(only).lower()}}}
    """
    (table,) = tables([overview(graph(text))], ["r"], None)
    assert ("FC-3" in table.columns[0].cells) is not only

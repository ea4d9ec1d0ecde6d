"""Which tensors of a file become those of a network, without torch: all shapes here are written by hand."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import pytest
import yaml

from cnncli.cli.first_weights import as_options
from cnncli.diagnostics import Proposal, UsageError
from cnncli.graph import open_text
from cnncli.recipe.start import Start
from cnncli.results.transfer import Adapted, Matching
from cnncli.transfer.header import Stored
from cnncli.transfer.matching import match, named_tensors
from cnncli.transfer.mismatches import as_setting

GRAPH = open_text(
    """
    input: [3, 8, 8]
    layers:
      - {name: stem, conv: {channels: 4, kernel: 3, bias: false}}
      - {name: bn, batchnorm: }
      - {name: body, conv: {channels: 6, kernel: [1, 3]}}
      - flatten
      - {name: head, linear: 5}
    """
).graph

SHAPES: Mapping[str, tuple[int, ...]] = {
    "stem.weight": (4, 3, 3, 3),
    "bn.weight": (4,),
    "bn.bias": (4,),
    "bn.running_mean": (4,),
    "bn.running_var": (4,),
    "body.weight": (6, 4, 1, 3),
    "body.bias": (6,),
    "head.weight": (5, 144),
    "head.bias": (5,),
}


def header(**changes: tuple[int, ...] | None) -> dict[str, Stored]:
    """The tensors of the network with other shapes, or without some; ``__`` stands for a dot."""
    named = {name.replace("__", "."): shape for name, shape in changes.items()}
    shapes = {**SHAPES, "bn.num_batches_tracked": (), **named}
    return {
        name: Stored(shape, "I64" if name.endswith("tracked") else "float32")
        for name, shape in shapes.items()
        if shape is not None
    }


def start(*reset: str, **moves: str) -> Start:
    return Start(**{"from": "f"}, reset=reset, map=moves)


def matched(found: Mapping[str, Stored], *reset: str, **moves: str) -> Matching:
    return match(GRAPH, found, start(*reset, **moves), "f")


def errors(found: Mapping[str, Stored], *reset: str, **moves: str) -> list[str]:
    """The message and the hint of each error."""
    with pytest.raises(UsageError) as refused:
        matched(found, *reset, **moves)
    return [f"{each.message} | {each.hint}" for each in refused.value.diagnostics]


def test_the_graph_has_these_tensors() -> None:
    assert named_tensors(GRAPH) == SHAPES


def test_a_file_of_the_same_network_matches() -> None:
    assert matched(header()) == Matching({name: name for name in SHAPES})
    assert matched(header(bn__num_batches_tracked=None)) == matched(header())


def test_another_shape_is_an_error_until_it_is_reset() -> None:
    other = header(head__weight=(10, 144), head__bias=(10,))
    (error,) = errors(other)
    assert error == (
        "2 tensors of f have another shape than the network's: head.weight is 10x144 in the file and "
        "5x144 in the network and head.bias is 10 in the file and 5 in the network | "
        "to train these layers from their initial weights: train.start.reset=['head.*']"
    )
    for pattern in ("head", "head.*", "h*"):
        found = matched(other, pattern)
        assert found.reset == found.left_out == ("head.weight", "head.bias")
        assert found.taken.keys() == SHAPES.keys() - {"head.weight", "head.bias"}
    # It relaxes nothing else.
    assert len(errors(header(head__bias=(10,), body__bias=(7,)), "head")) == 1
    assert "1 tensor of f has" in errors(other, "head.bias")[0]


def test_tensors_that_one_side_lacks_are_errors() -> None:
    other = header(head__weight=None, head__bias=None, extra__gain=(9,))
    missing, left_over = errors(other)
    assert missing == (
        "2 tensors of the network are missing in f: head.weight and head.bias | "
        "to train them from their initial weights: train.start.reset=['head.*']"
    )
    assert left_over == (
        "1 tensor of f is not in the network: extra.gain | to leave them out: train.start.reset=['extra.*']"
    )
    found = matched(other, "head", "extra")
    assert (found.reset, found.left_out) == (("head.weight", "head.bias"), ("extra.gain",))
    assert len(errors(other, "head")) == len(errors(other, "extra")) == 1


ODD = ("it's, here]", "a: b}", "w[0]*")


def test_what_a_hint_says_to_type_resets_odd_names_too() -> None:
    """As a setting, read by YAML, and as options, read by a shell: both name these tensors and no others."""
    stored = header(**dict.fromkeys(ODD, (9,)), w0=(9,))
    with pytest.raises(UsageError) as caught:
        matched(stored, "w0")
    (found,) = caught.value.diagnostics
    setting = found.hint.partition(": ")[2].removeprefix("train.start.reset=")
    (proposal,) = found.proposals
    typed = shlex.split(as_options(proposal))
    assert yaml.safe_load(setting) == [*proposal.value] == typed[1::2]
    assert {*typed[::2]} == {"--reset"}
    assert matched(stored, "w0", *proposal.value).left_out == (*ODD, "w0")


def test_what_a_hint_says_to_type_maps_odd_names_too() -> None:
    moves = {"a: b, c": "it's", "": "x.y", "m}odule": ""}
    proposal = Proposal("", ("train", "start", "map"), moves)
    assert yaml.safe_load(as_setting(proposal).partition("=")[2]) == moves
    typed = shlex.split(as_options(proposal))
    assert dict(each.split("=", 1) for each in typed[1::2]) == moves


def test_other_names_are_mapped() -> None:
    other = header(head__weight=None, head__bias=None, fc__weight=(5, 144), fc__bias=(5,))
    assert "train.start.map={fc: head}" in errors(other)[0]
    found = matched(other, fc="head")
    assert (found.taken["head.weight"], found.taken["head.bias"]) == ("fc.weight", "fc.bias")
    assert (found.reset, found.left_out) == ((), ())


def test_a_prefix_is_taken_off_and_put_on() -> None:
    """With everything within it, and with counters of batches, which are not counted."""
    wrapped = {f"module.{name}": each for name, each in header().items()}
    first, *_ = errors(wrapped)
    assert first.startswith("no tensor of f would be loaded")
    assert "train.start.map={module: ''}" in errors(wrapped)[1]
    assert matched(wrapped, module="").taken == {name: f"module.{name}" for name in SHAPES}
    inner = {name.removeprefix("bn."): each for name, each in header().items() if name.startswith("bn.")}
    found = match(GRAPH, inner, start("stem", "body", "head", **{"": "bn"}), "f")
    assert found.taken["bn.running_var"] == "running_var"


def test_the_longest_name_counts() -> None:
    other = {f"net.{name}": each for name, each in header().items()}
    other["net.fc.weight"] = other.pop("net.head.weight")
    found = match(GRAPH, other, start(**{"net": "", "net.fc": "head"}), "f")
    assert found.taken["head.weight"] == "net.fc.weight"


def test_what_names_nothing_is_an_error() -> None:
    (pattern,) = errors(header(), "haed.*")
    assert pattern == "'haed.*' is reset, but matches no tensor of the network or of f | did you mean 'head'?"
    (name,) = errors(header(), haed="x")
    assert name.endswith("but f has no tensor of this name or in it | did you mean 'head'?")
    (twice,) = errors(header(), head="body")
    assert twice.startswith("'body.weight' and 'head.weight' of f would both become 'body.weight'")


def test_nothing_to_load_is_an_error() -> None:
    assert errors(header(), "*") == ["no tensor of f would be loaded | "]
    assert errors({}, "*") == ["no tensor of f would be loaded | "]


def test_numbers_that_are_not_weights_are_an_error() -> None:
    found = {**header(), "head.bias": Stored((5,), "I8"), "body.bias": Stored((6,), "float16")}
    assert errors(found) == ["1 tensor of f is not made of floating-point numbers: head.bias is I8 | "]
    assert matched(found, "head").types == ("float16",)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_kernels_of_the_input_are_adapted(channels: int) -> None:
    found = matched(header(stem__weight=(4, channels, 3, 3)))
    assert found.adapted == (Adapted("stem.weight", channels, 3),)
    assert (found.matched, len(found.taken)) == (8, 9)
    # Not if anything else differs, and no other kernels.
    assert "1 tensor" in errors(header(stem__weight=(4, channels, 5, 3)))[0]
    assert "1 tensor" in errors(header(stem__weight=(5, channels, 3, 3)))[0]
    assert "1 tensor" in errors(header(body__weight=(6, channels + 4, 1, 3)))[0]


def test_kernels_of_groups_and_tables_are_not_adapted() -> None:
    for arguments, shape in (
        ("groups: 3", (6, 3, 3, 3)),
        ("table: [[0], [1], [2], [0], [1], [2]]", (6, 1, 3, 3)),
    ):
        layer = f"{{name: a, conv: {{channels: 6, kernel: 3, {arguments}, bias: false}}}}"
        graph = open_text(f"input: [3, 8, 8]\nlayers: [{layer}]").graph
        with pytest.raises(UsageError, match="another shape than the network's"):
            match(graph, {"a.weight": Stored(shape, "float32")}, start(), "f")

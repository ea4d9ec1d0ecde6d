"""Which spec a file of weights is one of: with their own tensors and torchvision's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cnncli.diagnostics import UsageError
from cnncli.graph import open_spec
from cnncli.language import shipped
from cnncli.recipe.start import Start
from cnncli.results.identifying import Identified
from cnncli.transfer.header import Stored
from cnncli.transfer.identifying import identify
from cnncli.transfer.matching import match, named_tensors
from cnncli.transfer.renaming import candidates, layers_of, moves_of, renamed
from tests.specs.support import LARGE, recorded

SPECS = shipped.specs()
DEEP = {name.rpartition("/")[2] for name in LARGE}
CHANGED = {"classes": 7, "width": 24, "channels": 12}
"""Other values of the variables that sizes depend on."""


def header(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Stored]:
    return {name: Stored(shape, "float32") for name, shape in shapes.items()}


def tensors(spec: str, **variables: int | str) -> dict[str, tuple[int, ...]]:
    texts = [f"{name}={value}" for name, value in variables.items()]
    return named_tensors(open_spec(SPECS[spec], overrides=texts).graph)


def found(shapes: Mapping[str, tuple[int, ...]], *specs: str) -> Identified:
    chosen = {name: SPECS[name] for name in specs} if specs else SPECS
    return identify(header(shapes), chosen, "weights.safetensors")


def rebuilt(result: Identified) -> dict[str, tuple[int, ...]]:
    """The tensors of what was found."""
    return tensors(result.best.spec, **{name: str(value) for name, value in result.best.variables.items()})


def check_map(result: Identified, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """What is printed to be typed is what a training accepts."""
    graph = open_spec(
        SPECS[result.best.spec],
        overrides=[f"{name}={str(value).lower()}" for name, value in result.best.variables.items()],
    ).graph
    settings = {"from": "weights.safetensors", "map": dict(result.best.moves)}
    taken = match(graph, header(shapes), Start(**settings), "weights.safetensors").taken  # type: ignore[arg-type]
    assert len(taken) == len(shapes)


@pytest.mark.slow
def test_a_u_net_of_46_shapes() -> None:
    shapes = tensors("unet", width=24, classes=7)
    assert len(shapes) == 46
    result = found(shapes)
    assert (result.best.spec, result.best.variables) == ("unet", {"width": 24, "classes": 7})
    assert [each.spec for each in result.others] == ["unet_padded"]


@pytest.mark.parametrize(
    "spec", [pytest.param(name, marks=pytest.mark.campaign if name in DEEP else ()) for name in SPECS]
)
def test_a_spec_finds_its_own_variables(spec: str) -> None:
    own = open_spec(SPECS[spec]).document.section("vars")
    variables = {name: value for name, value in CHANGED.items() if own is not None and name in own}  # type: ignore[operator]
    shapes = tensors(spec, **variables)
    best = found(shapes, spec).best
    assert best.is_whole
    assert (best.variables, best.moves, best.matched) == (variables, {}, len(shapes))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["lenet5_1998", "vgg11_lrn"])
def test_among_all_specs(spec: str) -> None:
    result = found(tensors(spec))
    assert spec in {each.spec for each in (result.best, *result.others)}
    assert rebuilt(result) == tensors(spec)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["alexnet", "googlenet", "resnet50", "vgg13"])
def test_names_of_torchvision(model: str) -> None:
    there = recorded()[model]["state_dict"]
    shapes = {name: tuple(shape) for name, shape in there.items()}
    result = found(
        shapes, "alexnet", "googlenet_torchvision", "googlenet", "resnet34", "resnet50", "vgg13", "vgg16"
    )
    assert result.best.spec.startswith(model)
    assert result.best.is_whole
    assert result.best.variables == {}


@pytest.mark.slow
def test_the_number_of_layers_is_tried_out() -> None:
    shapes = tensors("small_resnet", depth=3, width=10)
    best = found(shapes, "small_resnet").best
    assert (best.is_whole, best.variables) == (True, {"width": 10, "depth": 3})


def test_channels_of_the_input() -> None:
    shapes = named_tensors(open_spec(SPECS["resnet18"], size=(1, 64, 64)).graph)
    best = found(shapes, "resnet18").best
    assert (best.is_whole, best.channels, best.variables) == (True, 1, {})


@pytest.mark.parametrize(
    ("spec", "moves"),
    [("alexnet", {"module": ""}), ("toy_classifier", {"model.net": ""})],
)
def test_a_prefix_becomes_a_map(spec: str, moves: dict[str, str]) -> None:
    (prefix,) = moves
    shapes = {f"{prefix}.{name}": shape for name, shape in tensors(spec).items()}
    result = found(shapes, spec)
    assert (result.best.is_whole, result.best.moves) == (True, moves)
    check_map(result, shapes)


def test_one_layer_with_another_name() -> None:
    shapes = {name.replace("fc.", "head."): shape for name, shape in tensors("resnet18", classes=7).items()}
    result = found(shapes, "resnet18")
    assert (result.best.variables, result.best.moves) == ({"classes": 7}, {"head": "fc"})
    check_map(result, shapes)


def foreign(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The same layers under names that say nothing, and in the order of the network."""
    numbers = {layer: f"net.{place}" for place, layer in enumerate(layers_of(shapes))}
    return {
        f"{numbers[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": shape
        for name, shape in shapes.items()
    }


def test_other_names_are_matched_by_shapes() -> None:
    shapes = foreign(tensors("lenet5"))
    result = found(shapes, "lenet5", "lenet5_1998", "toy_classifier")
    assert (result.best.spec, result.best.is_whole, result.best.ambiguous) == ("lenet5", True, {})
    assert [*result.best.moves.values()] == ["conv1", "conv2", "linear1", "linear2", "linear3"]
    check_map(result, shapes)


def test_layers_with_equal_tensors_are_not_guessed() -> None:
    own = tensors("unet", width=24, classes=7)
    result = found(foreign(own), "unet", "vgg11")
    best = result.best
    assert (best.spec, best.variables, best.is_whole) == ("unet", {"width": 24, "classes": 7}, True)
    numbers = dict(zip(layers_of(foreign(own)), layers_of(own), strict=True))
    alike = {layer: [*layers_of(own).values()].count(each) for layer, each in layers_of(own).items()}
    assert {numbers[old] for old in best.ambiguous} == {layer for layer, count in alike.items() if count > 1}
    for old, names in best.ambiguous.items():
        assert names[0] == numbers[old]  # that at the same place
        assert len(names) == alike[numbers[old]]
    assert all(renamed(old, best.moves) == numbers[old] for old in numbers if old not in best.ambiguous)


def test_layers_are_told_apart_by_their_blocks() -> None:
    same = ((("weight", (4, 4, 3, 3)),), (("weight", (8,)),), (("weight", (9,)),))
    file = {"x.c": same[0], "x.n": same[1], "y.c": same[0], "y.n": same[2]}
    network = {"a.c": same[0], "a.n": same[1], "b.c": same[0], "b.n": same[2]}
    assert candidates(file, network) == {
        "x.c": ("a.c",),
        "x.n": ("a.n",),
        "y.c": ("b.c",),
        "y.n": ("b.n",),
    }
    assert moves_of([("x.c", "a.c"), ("x.n", "a.n"), ("y.c", "b.c"), ("y.n", "b.n")]) == {"x": "a", "y": "b"}


def test_what_differs_from_the_nearest() -> None:
    shapes = tensors("vgg16")
    del shapes["classifier.6.bias"]
    shapes["features.0.weight"] = (64, 3, 5, 5)
    shapes["extra.weight"] = (3,)
    best = found(shapes, "vgg16", "vgg13", "alexnet").best
    assert (best.spec, best.is_whole, best.matched) == ("vgg16", False, 30)
    assert best.missing == {"classifier.6.bias": (1000,)}
    assert best.left_over == {"extra.weight": (3,)}
    assert best.reshaped == {"features.0.weight": ((64, 3, 5, 5), (64, 3, 3, 3))}


def test_what_has_nothing_in_common() -> None:
    with pytest.raises(UsageError, match=r"weights\.safetensors has nothing in common with lenet5"):
        found({"some.thing": (3, 4, 5)}, "lenet5")
    with pytest.raises(UsageError, match="has no tensors"):
        identify({}, {"lenet5": Path("lenet5.yaml")}, "weights.safetensors")

"""A network with fewer channels: which are removed for a budget, and the spec of what is left.

Channels are removed in the order of their importance until the network is within every limit; then those that
still fit are put back, the most important ones first. So no removed channel would fit beside what is left,
and figures are those of the new spec itself, by the rules of its layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cnncli.algebra import whole_shape
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT, OUTPUT
from cnncli.language.writer import plain_yaml
from cnncli.layers import Kind
from cnncli.layers.conv import Conv
from cnncli.layers.norm import BatchNorm
from cnncli.layers.shaping import Shortcut
from cnncli.recipe.recipe import Recipe
from cnncli.transfer.channels import Channels, resized
from cnncli.transfer.writing import changed, entry

_NOT_KEPT: Final = "start"
"""The setting of a run that is not one of a training with fewer channels."""


class NothingFitsError(ValueError):
    """The smallest network, with one channel in each layer, is not within the limits."""


def to_remove(
    channels: Channels, importance: Mapping[int, float], fits: Callable[[frozenset[int]], bool]
) -> frozenset[int]:
    """Return the units to remove, so that what is left fits, and would not with one unit more.

    Args:
        channels: the units of the network.
        importance: of each removable unit.
        fits: whether a network is within its limits without some units; it has to be if it is with more of
            them.

    Raises:
        NothingFitsError: it is not even with one channel in each layer.
    """
    order = _removable(channels, importance)
    if not fits(frozenset(order)):
        raise NothingFitsError
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if fits(frozenset(order[:middle])):
            high = middle
        else:
            low = middle + 1
    return _with_what_fits(channels, order[:low], fits)


def _removable(channels: Channels, importance: Mapping[int, float]) -> list[int]:
    """Return the units in the order in which they are removed; each layer keeps one channel."""
    left: dict[str, int] = {}
    for layers in channels.removable.values():
        for name in layers:
            left.setdefault(name, len({*channels.units[name]}))
    order = []
    for unit in sorted(channels.removable, key=lambda each: (importance[each], each)):
        layers = channels.removable[unit]
        if all(left[name] > 1 for name in layers):
            order.append(unit)
            left.update((name, left[name] - 1) for name in layers)
    return order


def _with_what_fits(
    channels: Channels, removed: list[int], fits: Callable[[frozenset[int]], bool]
) -> frozenset[int]:
    """Return removed units without those that fit beside the others.

    Units of the same layers cost the same, so that one of them is tried until none fits.
    """
    found, too_large = set(removed), set()
    for unit in reversed(removed):
        layers = channels.removable[unit]
        if layers in too_large:
            continue
        if fits(frozenset(found - {unit})):
            found.remove(unit)
        else:
            too_large.add(layers)
    return frozenset(found)


def spec_without(graph: Graph, channels: Channels, removed: frozenset[int], recipe: Recipe) -> str:
    """Return the text of a spec without some units, whose layers have the names of the graph's."""
    written: list[dict[str, object]] = []
    previous, renamed = INPUT, {INPUT: INPUT}
    for node in graph.nodes:
        inputs = [renamed[name] for name in node.inputs]
        for name, layer in _parts(node, channels, removed):
            written.append(entry(name, layer, inputs, previous))
            previous, inputs = name, [name]
        renamed[node.name] = previous
    sections: dict[str, object] = {
        "name": f"{graph.name}, shrunk".replace("$", "$$"),
        "input": list(whole_shape(graph.input)),
        "layers": written,
        **_heads(graph, renamed, previous),
        "train": {name: value for name, value in changed(recipe).items() if name != _NOT_KEPT},
    }
    return plain_yaml(sections)


def _parts(node: Node, channels: Channels, removed: frozenset[int]) -> Iterator[tuple[str, Kind[Any]]]:
    """Yield what a node is without units: itself, or the two layers of a projection.

    A shortcut whose input has as many channels as its output is the identity; with fewer channels, that
    could be so where it was not.
    """
    layer = resized(node.layer, channels.left(node.inputs[0], removed), channels.left(node.name, removed))
    own = node.layer
    if not isinstance(own, Shortcut) or not own.projects(node.input_shapes[0]):
        yield node.name, layer
        return
    assert isinstance(layer, Shortcut)
    yield f"{node.name}.0", Conv(channels=layer.channels, kernel=1, stride=layer.stride, bias=False)
    yield f"{node.name}.1", BatchNorm(eps=layer.eps, affine=layer.affine, momentum=layer.momentum)


def _heads(graph: Graph, renamed: Mapping[str, str], last: str) -> dict[str, object]:
    """Return the section that says which values are outputs, unless it is the last one alone."""
    if [*graph.outputs] == [OUTPUT] and renamed[graph.outputs[OUTPUT].node] == last:
        return {}
    found: dict[str, object] = {}
    for name, output in graph.outputs.items():
        how = {"training_only": True} if output.training_only else {}
        found[name] = {"from": renamed[output.node]} | how
    return {"heads": found}

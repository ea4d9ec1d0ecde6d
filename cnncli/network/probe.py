"""Measure shifts: compare a network's responses to two views of one larger random image.

The views are some pixels apart, so a shift brings in more of the image instead of an artificial border.
Everything is computed in float64, where rounding is far below any real difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from cnncli.algebra import whole, whole_shape
from cnncli.analysis.space.claims import Claim, claims
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT, OUTPUT
from cnncli.network.network import Network
from cnncli.network.registry import arguments
from cnncli.results.probe import Change, Found, Probe


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generator of the CPU for a while; afterwards it continues as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def probe(graph: Graph, network: Network, most: int, samples: int) -> Probe:
    """Measure every claim, and how far the outputs change under shifts of 1 to ``most`` pixels.

    Changes are means over ``samples`` random images of independent normal values, drawn from torch's
    generator. The network is converted to float64 and switched to inference.
    """
    network = network.double().eval()
    with torch.inference_mode():
        return Probe(tuple(_measured(graph, network)), _changes(graph, network, most, samples))


def _measured(graph: Graph, network: Network) -> Iterator[Found]:
    """Return all claims with their measured deviations, in the order of the graph."""
    everything = list(claims(graph))
    deviations: dict[tuple[str, int], float] = {}
    for axis, pixels in sorted({(each.axis, each.shift.pixels) for each in everything if not each.void}):
        together = {
            each.node.name: each
            for each in everything
            if (each.axis, each.shift.pixels, each.void) == (axis, pixels, "")
        }
        deviations |= {
            (claim.node.name, axis): deviation
            for claim, deviation in _deviations(graph, network, axis, pixels, together)
        }
    return (Found(each, deviations.get((each.node.name, each.axis))) for each in everything)


def _deviations(
    graph: Graph, network: Network, axis: int, pixels: int, together: dict[str, Claim]
) -> Iterator[tuple[Claim, float]]:
    """Yield the deviation of each claim about the same shift, from one forward pass of two views."""
    image = _image(graph, axis, pixels)
    views = torch.cat([_view(image, graph, axis, offset) for offset in (0, pixels)])
    for node, values in _steps(graph, network, views, set(together)):
        claim = together.get(node.name)
        if claim is not None:
            yield claim, _deviation(claim, *values)


def _deviation(claim: Claim, first: Tensor, second: Tensor) -> float:
    """Return the largest difference between the second map and the moved first one, as a share of it.

    It is absolute if that map is zero.
    """
    start, count = claim.clear.start, claim.compared
    there = first.narrow(claim.axis + 1, start + claim.shift.moves, count)
    here = second.narrow(claim.axis + 1, start, count)
    largest = float(there.abs().max())
    return float((here - there).abs().max()) / largest if largest else float(here.abs().max())


def _steps(graph: Graph, network: Network, x: Tensor, wanted: set[str]) -> Iterator[tuple[Node, Tensor]]:
    """Yield every node with its value in inference, up to the last one wanted.

    Values are released after their last use.
    """
    nodes = [node for node in graph.nodes if not node.training_only]
    last = max(number for number, node in enumerate(nodes) if node.name in wanted)
    nodes = nodes[: last + 1]
    user = {name: node.name for node in nodes for name in node.inputs}
    values = {INPUT: x}
    for node in nodes:
        values[node.name] = network.get_submodule(node.name)(
            *arguments(node.layer, [values[name] for name in node.inputs])
        )
        yield node, values[node.name]
        for name in {node.name, *node.inputs}:
            if user.get(name, node.name) == node.name:
                del values[name]


def _changes(graph: Graph, network: Network, most: int, samples: int) -> dict[str, tuple[Change, ...]]:
    """Return the mean change of every output in inference, for each shift along each axis."""
    answers = shifts(graph)
    used = {name: answers[out.node] for name, out in graph.outputs.items() if not out.training_only}
    rank = len(graph.input) - 1
    sums = {name: [[0.0] * rank for _ in range(most)] for name in used}
    for _ in range(samples):
        for axis in range(rank):
            image = _image(graph, axis, most)
            still = _outputs(network, _view(image, graph, axis, 0))
            for pixels in range(1, most + 1):
                moved = _outputs(network, _view(image, graph, axis, pixels))
                for name, shift in used.items():
                    change = _change(still[name], moved[name], axis, shift[axis], pixels)
                    sums[name][pixels - 1][axis] += change / samples
    return {
        name: tuple(
            Change(pixels, tuple(value if math.isfinite(value) else None for value in along))
            for pixels, along in enumerate(rows, start=1)
        )
        for name, rows in sums.items()
    }


def _change(still: Tensor, moved: Tensor, axis: int, shift: Shift, pixels: int) -> float:
    """Return the relative norm of the difference after moving a map back; nan if the views do not overlap."""
    if still.ndim > 2 and shift.broken is None and shift.moves:
        by = round(pixels * shift.moves / shift.pixels)
        count = still.shape[axis + 2] - by
        if count < 1:
            return float("nan")
        still, moved = still.narrow(axis + 2, by, count), moved.narrow(axis + 2, 0, count)
    length = float(still.norm())
    return float((moved - still).norm()) / length if length else float("nan")


def _outputs(network: Network, x: Tensor) -> dict[str, Tensor]:
    output = network(x)
    return {OUTPUT: output} if isinstance(output, Tensor) else output


def _image(graph: Graph, axis: int, more: int) -> Tensor:
    """Return a random image that is ``more`` pixels longer along one axis than the network's input."""
    size = [*whole_shape(graph.input)]
    size[axis + 1] += more
    return torch.randn((1, *size), dtype=torch.float64)


def _view(image: Tensor, graph: Graph, axis: int, offset: int) -> Tensor:
    """Return the part of an image that the network gets as its input, from ``offset`` on."""
    return image.narrow(axis + 2, offset, whole(graph.input[axis + 1]))

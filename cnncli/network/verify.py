"""Compare the analysis with torch: shapes, parameters, settings and costs of each node, and why they differ.

Nothing is computed: the network is built on the meta device. Costs are compared with torch's FLOP counter,
which counts two operations for each multiply-accumulate, and with torchinfo. A difference is explained only
if the known reason gives exactly the other figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Final, NamedTuple

import torch
import torchinfo
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnncli.algebra import whole, whole_shape
from cnncli.diagnostics import readable_bytes
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import Shape, shape_text
from cnncli.layers.conv import Conv
from cnncli.layers.table import connected
from cnncli.network.network import Network, build_network
from cnncli.network.registry import arguments, fault
from cnncli.network.settings import settings
from cnncli.results.verify import Compared, Verification

# Group normalization refuses batches that leave it a single value to normalize, even in inference.
_BATCH: Final = 2
_COUNTER: Final = "num_batches_tracked"
_TOTAL: Final = "total"

TORCH_MACS: Final = "MACs (torch)"
TORCHINFO_MACS: Final = "MACs (torchinfo)"

BIAS: Final = "torchinfo counts every addition of a bias as a multiply-accumulate"
TRANSPOSED: Final = (
    "torchinfo counts a transposed convolution at output positions, but kernels are placed at input positions"
)
BOTH: Final = f"{TRANSPOSED}; it also counts every bias"
TABLE: Final = "torch also multiplies by the zeros where the table of a convolution has no connection"
SCALES: Final = "torchinfo counts each parameter of a layer that has no multiply-accumulates as one"
SUM: Final = "the sum of the layers' differences"
TRACKED: Final = "torch also stores the number of batches in each batch normalization"

# The prefix of the parameters that torchinfo multiplies by the number of output positions: those of modules
# whose class name contains "Conv". It counts all others once.
_CONVOLVED: Final = {"conv": "", "convtranspose": "", "shortcut": "0."}


def verify(graph: Graph) -> Verification:
    """Compare the figures of every node with torch's and torchinfo's.

    Raises:
        CnncliError: torch cannot build the network, or cannot address one of its outputs.
    """
    _check_addressable(graph)
    network = build_network(graph, "meta").eval()
    outcomes = _run(graph, network)
    rows = [
        row for node in graph.nodes for row in _node_rows(node, network.get_submodule(node.name), outcomes)
    ]
    counted = [row for row in rows if row.figure == TORCH_MACS]
    totals = [*_totals(graph, network), _total(TORCH_MACS, counted, sum(int(row.theirs) for row in counted))]
    if all(node.name in outcomes and not isinstance(outcomes[node.name], str) for node in graph.nodes):
        info, theirs = _torchinfo_rows(graph, network)
        rows += info
        totals.append(_total(TORCHINFO_MACS, info, theirs))
    place = {node.name: number for number, node in enumerate(graph.nodes)}
    differences = sorted((row for row in rows if not row.agrees), key=lambda row: place[row.name])
    return Verification(len(rows) + len(totals), tuple(differences), tuple(totals))


def _check_addressable(graph: Graph) -> None:
    """Refuse outputs whose bytes torch cannot count: it has 64 bits for them, even on the meta device."""
    for node in graph.nodes:
        size = _BATCH * prod(whole_shape(node.output_shape)) * torch.float32.itemsize
        if size > torch.iinfo(torch.int64).max:
            amount = f"{readable_bytes(size)} for {_BATCH} samples"
            message = f"torch cannot hold the output of this '{node.kind}': {amount}"
            raise fault(node, message, "a smaller input compares the same layers")


def _batch(graph: Graph) -> Tensor:
    return torch.empty((_BATCH, *whole_shape(graph.input)), device="meta")


class _Ran(NamedTuple):
    shape: tuple[int, ...]
    flops: int


def _run(graph: Graph, network: Network) -> dict[str, _Ran | str]:
    """Return the output shape and FLOPs of every node for a batch, or torch's message if it fails.

    Nodes that read the output of a failed one are omitted.
    """
    values = {INPUT: _batch(graph)}
    outcomes: dict[str, _Ran | str] = {}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        before = 0
        for node in graph.nodes:
            if not values.keys() >= set(node.inputs):
                continue
            try:
                output = network.get_submodule(node.name)(
                    *arguments(node.layer, [values[name] for name in node.inputs])
                )
            except (RuntimeError, ValueError, IndexError) as error:
                outcomes[node.name] = (str(error).splitlines() or [type(error).__name__])[0]
                continue
            values[node.name] = output
            total = counter.get_total_flops()
            outcomes[node.name] = _Ran(tuple(output.shape), total - before)
            before = total
    return outcomes


def _node_rows(node: Node, module: nn.Module, outcomes: Mapping[str, _Ran | str]) -> Iterator[Compared]:
    yield from _tensor_rows(node.name, "parameter", node.parameters, _shapes_of(module.named_parameters()))
    yield from _tensor_rows(node.name, "buffer", node.buffers, _shapes_of(module.named_buffers()))
    yield from _setting_rows(node, module)
    outcome = outcomes.get(node.name)
    if outcome is None:
        return
    if isinstance(outcome, str):
        yield Compared(node.name, "output", shape_text(node.output_shape), f"an error: {outcome}")
        return
    yield Compared(node.name, "output", shape_text((_BATCH, *node.output_shape)), shape_text(outcome.shape))
    ours, theirs = _macs(node), _whole(outcome.flops, 2 * _BATCH)
    dense = theirs == computed_macs(node)
    yield Compared(node.name, TORCH_MACS, ours, theirs, TABLE if dense and theirs != ours else "")


def _shapes_of(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in tensors}


def _tensor_rows(
    node: str, what: str, ours: Mapping[str, Shape], theirs: Mapping[str, Shape]
) -> Iterator[Compared]:
    for name in dict.fromkeys((*ours, *theirs)):
        if name in ours or not name.endswith(_COUNTER):
            shapes = [shape_text(each[name]) if name in each else "none" for each in (ours, theirs)]
            yield Compared(node, f"{what} {name}", *shapes)


def _setting_rows(node: Node, module: nn.Module) -> Iterator[Compared]:
    try:
        found = [*settings(node.layer, node.input_shape, module)]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        # A module of another kind than this node's has other attributes.
        yield Compared(node.name, "settings", node.kind, f"unlike one of this kind: {error}")
        return
    for name, ours, theirs in found:
        yield Compared(node.name, f"setting {name}", str(ours), str(theirs))


def _totals(graph: Graph, network: Network) -> Iterator[Compared]:
    """Yield counts for the whole network, including the names in its state dict."""
    keys = {f"{node.name}.{name}" for node in graph.nodes for name in (*node.parameters, *node.buffers)}
    theirs = [key for key in network.state_dict() if not key.endswith(_COUNTER)]
    found = len(theirs) if keys.issuperset(theirs) else "other names"
    yield Compared(_TOTAL, "tensors in a checkpoint", len(keys), found)
    ours = sum(_size(shape) for node in graph.nodes for shape in node.parameters.values())
    yield Compared(_TOTAL, "parameters", ours, sum(each.numel() for each in network.parameters()))
    ours = sum(_size(shape) for node in graph.nodes for shape in node.buffers.values())
    yield Compared(
        _TOTAL, "buffers", ours, sum(each.numel() for each in network.buffers()), _tracked(ours, network)
    )


def _tracked(ours: int, network: Network) -> str:
    counters = sum(name.endswith(_COUNTER) for name, _ in network.named_buffers())
    return TRACKED if counters and sum(each.numel() for each in network.buffers()) == ours + counters else ""


def _torchinfo_rows(graph: Graph, network: Network) -> tuple[list[Compared], int]:
    """Return what torchinfo counts for every node, and its own total.

    If the network has training-only heads, torchinfo runs it in training mode to count them.
    """
    batch = _batch(graph)
    mode = "train" if graph.has_training_only else "eval"
    summary = torchinfo.summary(network, input_data=batch, device="meta", mode=mode, verbose=0)
    macs = {id(each.module): each.macs for each in summary.summary_list if each.is_leaf_layer}
    rows = []
    for node in graph.nodes:
        theirs = sum(macs.get(id(part), 0) for part in network.get_submodule(node.name).modules())
        ours, found = _macs(node), _whole(theirs, _BATCH)
        known = found != ours and found == _predicted(node)
        rows.append(Compared(node.name, TORCHINFO_MACS, ours, found, _explain(node) if known else ""))
    return rows, summary.total_mult_adds


def _predicted(node: Node) -> int:
    """Return what torchinfo's rule gives for a node."""
    positions = prod(whole_shape(node.output_shape[1:]))
    prefix = _CONVOLVED.get(node.kind)
    return sum(
        _size(shape) * (positions if prefix is not None and name.startswith(prefix) else 1)
        for name, shape in node.parameters.items()
    )


def _explain(node: Node) -> str:
    """Return why torchinfo's rule differs from ours for this node."""
    if node.kind == "convtranspose":
        return BOTH if "bias" in node.parameters else TRANSPOSED
    return BIAS if node.kind in ("conv", "linear") else SCALES


def _total(figure: str, rows: list[Compared], theirs: int) -> Compared:
    """Return the total of a cost; it is explained if all differences of nodes are, and add up to its own."""
    ours = sum(int(row.ours) for row in rows)
    explained = all(row.agrees or row.explanation for row in rows)
    batch = _BATCH if figure == TORCHINFO_MACS else 1
    adds_up = explained and theirs == batch * sum(int(row.theirs) for row in rows)
    row = Compared(_TOTAL, figure, ours, _whole(theirs, batch))
    return row._replace(explanation=SUM) if adds_up and not row.agrees else row


def _macs(node: Node) -> int:
    return whole(node.layer.macs(node.input_shape, node.output_shape))


def computed_macs(node: Node) -> int:
    """Return the multiply-accumulates that torch computes for a node, with those by a table's zeros."""
    layer = node.layer
    if isinstance(layer, Conv) and layer.table is not None:
        return whole(layer.channels) * _size(node.input_shapes[0][:1]) * _macs(node) // connected(layer.table)
    return _macs(node)


def _whole(number: int, divisor: int) -> int:
    """Divide the figure of a batch, which must be a multiple of its size."""
    quotient, rest = divmod(number, divisor)
    assert rest == 0, (number, divisor)
    return quotient


def _size(shape: Shape) -> int:
    return prod(whole_shape(shape))

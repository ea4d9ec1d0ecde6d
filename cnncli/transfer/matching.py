"""Which tensors of a file become those of a network, decided by names and shapes before a weight is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Final

from cnncli.algebra import whole_shape
from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.graph import Graph
from cnncli.graph.learning import names_within
from cnncli.language.description import INPUT
from cnncli.layers.conv import Conv
from cnncli.recipe.start import Start
from cnncli.results.transfer import Adapted, Matching
from cnncli.transfer.header import FLOATS, Stored
from cnncli.transfer.mismatches import Mismatches, check_none
from cnncli.transfer.renaming import entry_of, renamed

COUNTER: Final = "num_batches_tracked"
"""What torch calls its counter of batches, which is beside running statistics and not counted as a tensor."""

STATISTIC: Final = "running_mean"
"""What a counter of batches is beside."""

_COMPUTED: Final = "float32"
"""The type of the weights of a network."""


def named_tensors(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters and buffers of a network, by their names."""
    return {
        f"{node.name}.{name}": whole_shape(shape)
        for node in graph.nodes
        for name, shape in {**node.parameters, **node.buffers}.items()
    }


def match(graph: Graph, header: Mapping[str, Stored], start: Start, file: str) -> Matching:
    """Return which tensors of a file become those of a network.

    Names are those of the file after ``start.map``. What ``start.reset`` names is left out on both sides,
    and everything else has to be the same; only the kernels of a layer that reads the input are adapted to
    another number of channels.

    Raises:
        UsageError: a pattern or a name of ``start`` matches nothing, or tensors differ, or none is left.
    """
    wanted, stored = named_tensors(graph), _renamed(header, start.map, file)
    counters = {name for name in stored if _counts(name, stored)}
    named = [*wanted, *(name for name in stored if name not in wanted and name not in counters)]
    chosen = _chosen(start.reset, named, file)
    common = {name: stored[name] for name in wanted if name in stored and name not in chosen}
    adapted = tuple(
        _adapted(graph, {name: (header[old].shape, wanted[name]) for name, old in common.items()})
    )
    kernels = {each.name for each in adapted}
    mismatches = Mismatches(
        reshaped={
            name: (header[old].shape, wanted[name])
            for name, old in common.items()
            if header[old].shape != wanted[name] and name not in kernels
        },
        missing={name: shape for name, shape in wanted.items() if name not in stored and name not in chosen},
        left_over={
            stored[name]: header[stored[name]].shape
            for name in stored
            if name not in wanted and name not in chosen and name not in counters
        },
        untyped={old: header[old].dtype for old in common.values() if header[old].dtype not in FLOATS},
    )
    check_none(mismatches, matched=len(common) - len(mismatches.reshaped), adapted=len(adapted), file=file)
    return Matching(
        taken=common,
        adapted=adapted,
        reset=tuple(name for name in wanted if name in chosen),
        left_out=tuple(old for name, old in stored.items() if name in chosen),
        types=tuple(sorted({header[old].dtype for old in common.values()} - {_COMPUTED})),
    )


def counters_of(taken: Mapping[str, str]) -> dict[str, str]:
    """Return the counters of batches beside running statistics that are taken: names in network and file."""
    ends = f".{STATISTIC}"
    return {
        f"{name.removesuffix(ends)}.{COUNTER}": f"{old.removesuffix(ends)}.{COUNTER}"
        for name, old in taken.items()
        if name.endswith(ends) and old.endswith(ends)
    }


def _counts(name: str, names: Mapping[str, str]) -> bool:
    layer, _, last = name.rpartition(".")
    return last == COUNTER and f"{layer}.{STATISTIC}" in names


def _renamed(header: Mapping[str, Stored], moves: Mapping[str, str], file: str) -> dict[str, str]:
    """Return the names of a file as the network has them, each with its name in the file.

    Raises:
        UsageError: a name that is moved is not in the file, or two names become one.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    for old in header:
        move, new = entry_of(old, moves), renamed(old, moves)
        if move is not None:
            used.add(move)
        if new in found:
            raise usage_error(
                f"'{found[new]}' and '{old}' of {file} would both become '{new}'",
                expected="a different name for each tensor",
                hint="train.start.map has names in the file, each with what it is in the network",
            )
        found[new] = old
    for move in moves:
        if move not in used:
            known = dict.fromkeys(name for old in header for name in names_within(old))
            raise usage_error(
                f"'{move}' is mapped to '{moves[move]}', but {file} has no tensor of this name or in it",
                expected="a name in the file",
                received=move,
                hint=did_you_mean(move, known, "names in the file"),
            )
    return found


def _chosen(patterns: Sequence[str], names: Sequence[str], file: str) -> set[str]:
    """Return the names that patterns match, of tensors or of what they are within.

    Raises:
        UsageError: one matches none.
    """
    found: set[str] = set()
    for pattern in patterns:
        matches = re.compile(translate(pattern)).match
        own = {name for name in names if any(map(matches, names_within(name)))}
        if not own:
            known = dict.fromkeys(each for name in names for each in names_within(name))
            raise usage_error(
                f"'{pattern}' is reset, but matches no tensor of the network or of {file}",
                expected="names of tensors, layers or blocks",
                received=pattern,
                hint=did_you_mean(pattern.strip("*?."), known, "names"),
            )
        found |= own
    return found


def _adapted(
    graph: Graph, shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
) -> Iterator[Adapted]:
    """Yield the kernels of layers that read the input, if they differ in the number of its channels alone."""
    for node in graph.nodes:
        name = f"{node.name}.weight"
        if not isinstance(node.layer, Conv) or node.inputs != (INPUT,) or name not in shapes:
            continue
        before, after = shapes[name]
        connects_all = after[1] == graph.input[0] and node.layer.table is None
        same_else = (before[:1], before[2:]) == (after[:1], after[2:])
        if connects_all and len(before) == len(after) and same_else and before[1] != after[1]:
            yield Adapted(name, before[1], after[1])

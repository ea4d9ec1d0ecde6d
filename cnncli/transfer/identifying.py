"""Which spec a file of weights is one of, and with which variables: from the names and shapes of its tensors.

Each spec is opened with symbols for its variables, so that a shape is a tuple of formulas; beside the shapes
of the file they are equations. What decides how many layers there are has no formula: it is tried out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Final, TypeAlias

from cnncli.algebra import whole
from cnncli.diagnostics import CnncliError, usage_error
from cnncli.graph import Graph
from cnncli.layers import Shape
from cnncli.results.identifying import Identified, Match
from cnncli.transfer.header import Stored
from cnncli.transfer.matching import COUNTER, named_tensors
from cnncli.transfer.renaming import Shapes, Tensors, candidates, layers_of, moves_of, renamed
from cnncli.transfer.solving import (
    CHANNELS,
    Named,
    Variables,
    equations,
    named_spec,
    solved,
    symbolic,
    with_variables,
)

Layers: TypeAlias = dict[str, list[tuple[str, Shape]]]
"""The tensors of each layer, by their own names."""

_ALIKE: Final = 0.3
"""The share of names that a file and one of several specs have in common at least, if names are compared."""
_NEAREST: Final = 8
"""The specs that are compared in full at most."""
_VARIED: Final = 2
"""The nearest specs whose number of layers is varied."""
_COPIES: Final = 24
"""The largest number of copies of a block that is tried."""


def identify(header: Mapping[str, Stored], specs: Mapping[str, Path], file: str) -> Identified:
    """Return the spec that fits a file best, and others that fit it as well.

    Args:
        header: the tensors of the file.
        specs: the specs to compare with, by their names.
        file: the file, for messages.

    Raises:
        UsageError: it has no tensors, or no spec has anything in common with it.
        CnncliError: a spec is wrong.
    """
    stored = {name: each.shape for name, each in header.items() if name.rpartition(".")[2] != COUNTER}
    if not stored:
        raise usage_error(f"{file} has no tensors", expected="the weights of a network")
    named = [named_spec(name, path) for name, path in specs.items()]
    near = _by_names(named, stored)
    found = [_solved(spec, stored, moves, {}) for spec, moves in near]
    if not any(each.is_whole for each in found):
        found += [each for spec in _by_order(named, stored) for each in _by_structure(spec, stored)]
    if not any(each.is_whole for each in found):
        found += [_with_other_structure(spec, stored, moves) for spec, moves in near[:_VARIED]]
    found = [each for each in found if each.matched]
    if not found:
        raise usage_error(
            f"{file} has nothing in common with {'a shipped spec' if len(specs) > 1 else next(iter(specs))}",
            expected="tensors of the same names, or layers of the same shapes in the same order",
            hint="compare it with a spec of your own" if len(specs) > 1 else "",
        )
    found.sort(key=lambda each: (-each.share, bool(each.ambiguous), len(each.moves), len(each.variables)))
    best = found[0]
    others = tuple(each for each in found[1:] if best.is_whole and each.is_whole)
    parameters = sum(prod(shape) for shape in stored.values())
    return Identified(file, len(stored), parameters, best, others)


def _by_names(specs: Collection[Named], stored: Shapes) -> list[tuple[Named, Mapping[str, str]]]:
    """Return the specs with the most names in common, each with the prefix that has to be taken off."""
    ranked: list[tuple[float, Named, Mapping[str, str]]] = []
    variants = [*_prefixes(stored)]
    for spec in specs:
        wanted = named_tensors(spec.graph).keys()
        shares = []
        for prefix in variants:
            own = {renamed(name, {prefix: ""} if prefix else {}) for name in stored}
            shares.append((len(own & wanted) / max(1, len(own | wanted)), prefix))
        share, prefix = max(shares, key=lambda each: each[0])
        if share > (_ALIKE if len(specs) > 1 else 0):
            ranked.append((share, spec, {prefix: ""} if prefix else {}))
    ranked.sort(key=lambda each: -each[0])
    return [(spec, moves) for _, spec, moves in ranked[:_NEAREST]]


def _prefixes(stored: Shapes) -> Iterator[str]:
    """Yield what all names begin with: nothing, their first part, their first two parts, ..."""
    yield ""
    paths = [name.split(".")[:-2] for name in stored]
    for depth in range(1, min(map(len, paths)) + 1):
        if len({tuple(path[:depth]) for path in paths}) > 1:
            return
        yield ".".join(paths[0][:depth])


def _solved(spec: Named, stored: Shapes, moves: Mapping[str, str], fixed: Variables) -> Match:
    """Return the match of a spec by names, with the variables that the shapes determine.

    Layers that only the file and only the spec have are compared as well, so that one whose name differs has
    a part in the equations.
    """
    formulas = _formulas(symbolic(spec, fixed))
    names = {renamed(old, moves): shape for old, shape in stored.items()}
    pairs = [(formulas[name], shape) for name, shape in names.items() if name in formulas]
    mine = _layers({name: shape for name, shape in names.items() if name not in formulas})
    theirs = _layers({name: shape for name, shape in formulas.items() if name not in names})
    known = equations([*pairs, *_aligned(mine, theirs)])
    return _completed(_compared(spec, stored, moves, fixed, solved(known)))


def _completed(match: Match) -> Match:
    """Return a match in which layers with other names are matched by shapes, if each can be one only."""
    file, network = layers_of(match.left_over), layers_of(match.missing)
    if not file or not network:
        return match
    possible = candidates(file, network)
    certain = {old: names[0] for old, names in possible.items() if len(names) == 1}
    if len(certain) < len(file) or len({*certain.values()}) < len(network):
        return match
    moves = {**match.moves, **moves_of(certain.items())}
    return match._replace(moves=moves, matched=match.matched + len(match.left_over), missing={}, left_over={})


def _with_other_structure(spec: Named, stored: Shapes, moves: Mapping[str, str]) -> Match:
    """Return the match with another value for one variable that decides which layers there are."""
    names = {renamed(old, moves) for old in stored}
    chosen: Variables = {}
    best = -1.0
    for variable, value in spec.variables.items():
        for other in (not value,) if isinstance(value, bool) else range(1, _COPIES + 1):
            try:
                own = named_tensors(with_variables(spec, {variable: other})).keys()
            except CnncliError:
                continue
            share = len(own & names) / len(own | names)
            if share > best:
                best, chosen = share, {variable: other}
    return _solved(spec, stored, moves, chosen)


def _compared(
    spec: Named, stored: Shapes, moves: Mapping[str, str], fixed: Variables, found: Mapping[str, int]
) -> Match:
    """Return what is equal with some variables, and what differs."""
    solution = {name: value for name, value in found.items() if name != CHANNELS}
    variables = {
        name: value for name, value in {**solution, **fixed}.items() if value != spec.variables[name]
    }
    channels = found.get(CHANNELS, spec.graph.input[0])
    other = whole(channels) if channels != spec.graph.input[0] else None
    try:
        graph = with_variables(spec, variables, other)
    except CnncliError:
        graph, variables, other = spec.graph, {}, None
    wanted = named_tensors(graph)
    names = {renamed(old, moves): old for old in stored}
    common = [name for name in names if name in wanted]
    differing = [name for name in common if stored[names[name]] != wanted[name]]
    return Match(
        spec.name,
        variables,
        other,
        moves,
        len(common) - len(differing),
        {name: (stored[names[name]], wanted[name]) for name in differing},
        {name: shape for name, shape in wanted.items() if name not in names},
        {old: stored[old] for name, old in names.items() if name not in wanted},
        {},
    )


def _by_order(specs: Collection[Named], stored: Shapes) -> list[Named]:
    """Return the specs with layers of the same kinds of tensors, as many of each."""
    own = sorted(_kinds(stored))
    return [spec for spec in specs if sorted(_kinds(named_tensors(spec.graph))) == own]


def _by_structure(spec: Named, stored: Shapes) -> Iterator[Match]:
    """Yield the match of a spec whose layers have other names in the file, in the file's order or by name."""
    formulas = _layers(_formulas(symbolic(spec, {})))
    natural = dict(sorted(stored.items(), key=lambda each: _natural(each[0])))
    for ordered in (stored, natural):
        known = equations(_aligned(_layers(ordered), formulas))
        first = _compared(spec, stored, {}, {}, solved(known))
        graph = with_variables(spec, first.variables, first.channels)
        file, network = layers_of(ordered), layers_of(named_tensors(graph))
        if sorted(file.values()) == sorted(network.values()):
            yield _renaming(first, file, network)
            return


def _aligned(mine: Layers, theirs: Layers) -> Iterator[tuple[Shape, Shape]]:
    """Yield formulas and numbers of layers at the same places, if there are as many of both."""
    if len(mine) != len(theirs):
        return
    for one, other in zip(mine.values(), theirs.values(), strict=True):
        if [name for name, _ in one] == [name for name, _ in other]:
            yield from ((formula, shape) for (_, shape), (_, formula) in zip(one, other, strict=True))


def _renaming(first: Match, file: Mapping[str, Tensors], network: Mapping[str, Tensors]) -> Match:
    """Return a match by shapes; where several fit, the one at the same place in the order comes first."""
    possible = candidates(file, network)
    certain = {old: names[0] for old, names in possible.items() if len(names) == 1}
    is_ordered = [*file.values()] == [*network.values()]
    place = dict(zip(file, network, strict=True)) if is_ordered else {}
    return first._replace(
        moves=moves_of(certain.items()),
        matched=sum(map(len, file.values())),
        reshaped={},
        missing={},
        left_over={},
        ambiguous={
            old: tuple(sorted(names, key=lambda name: name != place.get(old)))
            for old, names in possible.items()
            if len(names) > 1
        },
    )


def _formulas(graph: Graph) -> dict[str, Shape]:
    """Return the shapes of parameters and buffers by their names, which may be formulas."""
    return {
        f"{node.name}.{name}": shape
        for node in graph.nodes
        for name, shape in {**node.parameters, **node.buffers}.items()
    }


def _layers(shapes: Mapping[str, Shape]) -> Layers:
    found: dict[str, list[tuple[str, Shape]]] = {}
    for name, shape in shapes.items():
        layer, _, own = name.rpartition(".")
        found.setdefault(layer, []).append((own, shape))
    return {layer: sorted(tensors, key=lambda each: each[0]) for layer, tensors in found.items()}


def _kinds(shapes: Shapes) -> list[tuple[tuple[str, int], ...]]:
    return [tuple((name, len(shape)) for name, shape in layer) for layer in layers_of(shapes).values()]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which layer 10 comes after layer 9."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]

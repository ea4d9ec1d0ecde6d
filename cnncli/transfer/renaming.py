"""Layers of a file matched with those of a network where names differ: by shapes, and by what is around them.

Nothing is guessed: a layer is matched if only one layer of the network can be it. Those with equal tensors
are told apart by what is certain: what is within a block of the file is within the block of the network that
the others of it are in, and a word that one layer of both has is the same layer. Numbers say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Tensors: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""The tensors of a layer by their own names, sorted."""


def layers_of(shapes: Shapes) -> dict[str, Tensors]:
    """Return the tensors of each layer, in the order of the layers."""
    found: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, shape in shapes.items():
        layer, _, own = name.rpartition(".")
        found.setdefault(layer, []).append((own, shape))
    return {layer: tuple(sorted(tensors)) for layer, tensors in found.items()}


def candidates(file: Mapping[str, Tensors], network: Mapping[str, Tensors]) -> dict[str, tuple[str, ...]]:
    """Return for each layer of a file the layers of a network that it may be."""
    alike: dict[Tensors, list[str]] = {}
    for name, tensors in network.items():
        alike.setdefault(tensors, []).append(name)
    found = {old: tuple(alike.get(tensors, ())) for old, tensors in file.items()}
    while True:
        narrowed = _narrowed(found)
        if narrowed == found:
            return found
        found = narrowed


def _narrowed(found: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return fewer candidates: none that another layer is, and those of the block that others are in."""
    certain = {old: names[0] for old, names in found.items() if len(names) == 1}
    taken = {*certain.values()}
    blocks = _blocks(certain)
    result: dict[str, tuple[str, ...]] = {}
    for old, names in found.items():
        if old in certain:
            result[old] = names
            continue
        free = tuple(name for name in names if name not in taken)
        for around in _around(old):
            if around in blocks:
                free = tuple(name for name in free if blocks[around] in _around(name)) or free
                break
        result[old] = _of_its_name(old, free, found) or free
    return result


def _of_its_name(old: str, free: tuple[str, ...], found: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the candidate with the layer's own word, if no other layer of this word may be it."""
    own = tuple(name for name in free if _last(name) == _last(old))
    others = (names for each, names in found.items() if each != old and _last(each) == _last(old))
    is_only = len(own) == 1 and not any(own[0] in names for names in others)
    return own if is_only and not _last(old).isdecimal() else ()


def _blocks(certain: Mapping[str, str]) -> dict[str, str]:
    """Return the blocks of a file whose matched layers are all within one block, as deep, of the network."""
    within: dict[str, set[str]] = {}
    for old, new in certain.items():
        before, after = old.split("."), new.split(".")
        if before[-1] == after[-1] and not before[-1].isdecimal() and len(before) > 1 and len(after) > 1:
            within.setdefault(".".join(before[:-1]), set()).add(".".join(after[:-1]))
    return {old: next(iter(news)) for old, news in within.items() if len(news) == 1}


def _around(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def moves_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return names in a file with what they are in the network, without what both have in common.

    Whole blocks are one entry if nothing in them is another one.

    >>> moves_of([("net.a.conv1", "a.conv1"), ("net.a.conv2", "a.conv2"), ("net.fc", "head")])
    {'net': '', 'net.fc': 'head'}
    """
    together = [*pairs]
    short: dict[str, str] = {}
    for old, new in together:
        before, after = without_common_end(old, new)
        if short.setdefault(before, after) != after:
            short[old] = new
    wrong = [(old, new) for old, new in together if renamed(old, short) != new]
    return {old: new for old, new in (short | dict(wrong)).items() if old != new}


def entry_of(name: str, moves: Mapping[str, str]) -> str | None:
    """Return the longest entry that a name is within; the empty one is around everything."""
    fitting = [old for old in moves if not old or name == old or name.startswith(f"{old}.")]
    return max(fitting, key=len, default=None)


def renamed(name: str, moves: Mapping[str, str]) -> str:
    """Return a name after the longest entry that it is within."""
    old = entry_of(name, moves)
    if old is None:
        return name
    return ".".join(part for part in (moves[old], name[len(old) :].removeprefix(".")) if part)


def without_common_end(old: str, new: str) -> tuple[str, str]:
    """Return two names without the parts at the end that both have.

    >>> without_common_end("module.conv1.weight", "conv1.weight"), without_common_end("fc.bias", "head.bias")
    (('module', ''), ('fc', 'head'))
    """
    before, after = old.split("."), new.split(".")
    while before and after and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return ".".join(before), ".".join(after)

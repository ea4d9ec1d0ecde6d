"""Which tensors of a network are learned, and how: groups of layers, and optimizers for some tensors only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from typing import NamedTuple

from cnncli.algebra import product, summed, whole
from cnncli.diagnostics import Diagnostic, counted, did_you_mean, listing
from cnncli.graph.depths import depths, learnable, shares
from cnncli.graph.graph import Graph, Node
from cnncli.layers import Tensors
from cnncli.recipe.groups import CODE, Group
from cnncli.recipe.optimizers import Optimizer, is_decayed
from cnncli.recipe.recipe import Recipe


class Way(NamedTuple):
    """How a tensor is learned: its optimizer, peak learning rate, and the weight decay that acts on it.

    It is learned from the epoch ``first`` on, counted from 0. Tensors of different first epochs are not
    stepped together: what an optimizer keeps of them has another age.
    """

    optimizer: Optimizer
    lr: float
    decay: float
    first: int = 0


class Later(NamedTuple):
    """Nodes that are frozen before the epoch ``first``, counted from 0; ``still`` have running statistics."""

    first: int
    nodes: frozenset[str]
    still: frozenset[str]


class Learning(NamedTuple):
    """What is learned of a network, and how.

    ``own`` are the ways of tensors, by their names, that are learned in another way than by the optimizer
    with its own settings. ``frozen`` are the nodes whose parameters do not change, and ``still`` those of
    them with running statistics. ``unused`` lead to no output, and get no gradient. ``later`` are nodes that
    are frozen in the first epochs: over the whole training they count as learned, and :meth:`at` has those
    that are frozen in an epoch.
    """

    optimizer: Optimizer
    own: Mapping[str, Way] = {}
    frozen: frozenset[str] = frozenset()
    still: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    later: tuple[Later, ...] = ()

    def at(self, epoch: int) -> Learning:
        """Return what is learned in an epoch, counted from 0."""
        waiting = [each for each in self.later if epoch < each.first]
        return self._replace(
            frozen=self.frozen.union(*(each.nodes for each in waiting)),
            still=self.still.union(*(each.still for each in waiting)),
        )

    def changes_at(self, epoch: int) -> bool:
        """Return whether layers begin to learn with an epoch, counted from 0."""
        return any(each.first == epoch for each in self.later)

    def way(self, name: str, axes: int) -> Way:
        """Return how a tensor with a number of axes is learned."""
        usual = self.optimizer if is_decayed(axes) else self.optimizer.others
        return self.own.get(name) or Way(usual, usual.lr, usual.weight_decay if is_decayed(axes) else 0.0)

    def is_learned(self, name: str) -> bool:
        """Return whether a tensor of the network gets a gradient."""
        return self.unused.isdisjoint(names_within(name)) and self.frozen.isdisjoint(names_within(name))


def learning_of(graph: Graph, recipe: Recipe) -> Learning:
    """Return what a recipe makes a network learn, and how."""
    usual = recipe.optimizer
    unused = frozenset(node.name for node in graph.nodes if node.unused)
    if recipe.learns_alike:
        return Learning(usual, unused=unused)
    share = shares(graph, recipe.layer_decay) if recipe.layer_decay != 1 else {}
    grouped = {
        node.name: group
        for group, nodes in zip(recipe.groups, members(graph, recipe.groups), strict=True)
        for node in nodes
    }
    hidden = hidden_matrices(graph) if usual.others is not usual else frozenset()
    own: dict[str, Way] = {}
    for node in graph.nodes:
        for name, shape in tensors_of(node).items():
            optimizer = usual if usual.others is usual or name in hidden else usual.others
            way = _way(optimizer, len(shape), grouped.get(node.name), usual)
            if optimizer is not usual or node.name in grouped or share:
                own[name] = way._replace(lr=way.lr * share.get(node.name, 1.0))
    frozen = frozenset(name for name, group in grouped.items() if group.is_fixed)
    counting = frozenset(node.name for node in graph.nodes if node.buffers)
    return Learning(usual, own, frozen, frozen & counting, unused, tuple(_later(grouped, counting)))


def _later(grouped: Mapping[str, Group], counting: frozenset[str]) -> Iterator[Later]:
    """Yield the nodes that are frozen at first; ``counting`` are all nodes with running statistics."""
    firsts = {name: group.first for name, group in grouped.items() if group.first}
    for first in sorted({*firsts.values()}):
        nodes = frozenset(name for name, own in firsts.items() if own == first)
        yield Later(first, nodes, nodes & counting)


def tensors_of(node: Node) -> Tensors:
    """Return the shapes of the learnable tensors of a node, by their names in the network."""
    return {f"{node.name}.{name}": shape for name, shape in node.parameters.items()}


def _way(optimizer: Optimizer, axes: int, group: Group | None, usual: Optimizer) -> Way:
    """Return how a tensor of a group is learned; a rate of the group is relative to that of all others."""
    lr, decay = optimizer.lr, optimizer.weight_decay
    if group is not None and group.lr is not None:
        lr = group.lr if optimizer is usual else lr * (group.lr / usual.lr)
    if group is not None and group.weight_decay is not None:
        decay = group.weight_decay
    return Way(optimizer, lr, decay if is_decayed(axes) else 0.0, 0 if group is None else group.first)


def members(graph: Graph, groups: Sequence[Group]) -> tuple[tuple[Node, ...], ...]:
    """Return the nodes of each group: those that match it, and none before it."""
    found: list[list[Node]] = [[] for _ in groups]
    patterns = [_pattern(group) for group in groups]
    for node in graph.nodes if groups else ():
        names = [*names_within(node.name)]
        place = next((place for place, each in enumerate(patterns) if any(map(each.match, names))), None)
        if place is not None:
            found[place].append(node)
    return tuple(map(tuple, found))


def _pattern(group: Group) -> re.Pattern[str]:
    return re.compile(translate(group.match))


def names_within(name: str) -> Iterator[str]:
    """Yield a dotted name, and those of what is around it: of a node, the blocks that it is in."""
    yield name
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def hidden_matrices(graph: Graph) -> frozenset[str]:
    """Return the names of the tensors that are a matrix, of layers between others with weights.

    The first layers with weights on the way from the input, and the last ones on the way to an output, are
    not among them.
    """
    weighted = {
        node.name for node in graph.nodes if any(is_decayed(len(shape)) for shape in node.parameters.values())
    }
    after: set[str] = set()  # nodes that come after one with weights
    for node in graph.nodes:
        if any(name in after or name in weighted for name in node.sources):
            after.add(node.name)
    before: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in before or node.name in weighted:
            before.update(node.sources)
    return frozenset(
        f"{node.name}.{name}"
        for node in graph.nodes
        if node.name in after & before
        for name in node.layer.matrices()
        if name in node.parameters
    )


def without_frozen(graph: Graph, learning: Learning) -> Graph:
    """Return the graph with the parameters of frozen nodes among their buffers, as memory has them."""
    if not learning.frozen:
        return graph
    return graph._replace(
        nodes=tuple(
            node._replace(parameters={}, buffers={**node.buffers, **node.parameters})
            if node.name in learning.frozen
            else node
            for node in graph.nodes
        )
    )


# -- errors ------------------------------------------------------------------------------------------


def wrong_groups(graph: Graph, recipe: Recipe) -> Iterator[tuple[int, Diagnostic]]:
    """Yield the places of the groups that have no effect on a network, each with its error."""
    groups = recipe.groups
    for place, (group, nodes) in enumerate(zip(groups, members(graph, groups), strict=True)):
        wrong = _wrong_group(graph, group, nodes)
        if wrong is not None:
            yield place, wrong


def _wrong_group(graph: Graph, group: Group, nodes: Sequence[Node]) -> Diagnostic | None:
    """Return why a group with these nodes has no effect; None if it has one."""
    ((*matching,),) = members(graph, [group])
    learning = [node for node in nodes if not node.unused]
    if not matching:
        known = dict.fromkeys(
            name for node in graph.nodes if node.parameters for name in names_within(node.name)
        )
        hint = did_you_mean(group.match.strip("*?."), known, "layers and blocks with parameters")
        message = f"no layer or block is called '{group.match}'"
        return Diagnostic(CODE, message, None, "names of layers with parameters", group.match, hint)
    if not nodes:
        message = f"all that '{group.match}' matches belongs to groups before it"
        return Diagnostic(CODE, message, None, "a group before the one that matches more")
    if not any(node.parameters or (group.freeze and node.buffers) for node in learning):
        names = listing([node.name for node in nodes])
        message = f"'{group.match}' matches no layer that learns"
        return Diagnostic(CODE, message, None, "layers with parameters that lead to an output", names)
    decays = any(is_decayed(len(shape)) for node in learning for shape in node.parameters.values())
    if group.weight_decay is not None and not decays:
        message = f"weight decay acts on none of the tensors that '{group.match}' matches"
        expected = "tensors with more than one axis: not biases and scales"
        return Diagnostic(CODE, message, None, expected)
    return None


def wrong_learning(graph: Graph, recipe: Recipe) -> Iterator[tuple[str, Diagnostic]]:
    """Yield the settings with which nothing is learned, or not by the optimizer, each with its error."""
    learning = learning_of(graph, recipe)
    learned = [node for node in without_frozen(graph, learning).nodes if node.parameters and not node.unused]
    if learning.frozen and not learned:
        yield "groups", Diagnostic(CODE, "all layers are frozen, so there is nothing to train")
        return
    if learned and all(node.name in learning.at(0).frozen for node in learned):
        begins = f"epoch {min(each.first for each in learning.later) + 1}"
        message = f"all layers are frozen before {begins}, so there is nothing to train until then"
        yield "groups", Diagnostic(CODE, message, None, "a layer that learns from the first epoch on")
    reached = {depths(graph)[node.name] for node in learnable(graph)} if recipe.layer_decay != 1 else ()
    if len(reached) == 1:
        message = "'layer_decay' has no effect on a network whose layers all have the same depth"
        expected = "layers that learn after others that do"
        yield "layer_decay", Diagnostic("layer_decay", message, None, expected)
    usual, word = recipe.optimizer, recipe.optimizer.keyword
    if usual.others is not usual and not any(
        learning.way(name, len(shape)).optimizer is usual
        for node in learned
        for name, shape in tensors_of(node).items()
    ):
        message = f"'{word}' has nothing to learn: it is for weights between the first and the last layer"
        expected = f"a hidden layer that is not frozen, or {usual.others.keyword}"
        yield "optimizer", Diagnostic("optimizer", message, None, expected)


# -- what is said ------------------------------------------------------------------------------------


def ways_text(graph: Graph, recipe: Recipe) -> Iterator[str]:
    """Yield what is learned in another way than the rest: a line for each group and for other optimizers."""
    for group, nodes in zip(recipe.groups, members(graph, recipe.groups), strict=True):
        layers = counted(sum(1 for node in nodes if node.parameters or node.buffers), "layer")
        yield f"{group.match}: {group}, {layers} with {counted(_numbers(nodes), 'parameter')}"
    usual, learning = recipe.optimizer, learning_of(graph, recipe)
    if usual.others is usual:
        return
    names = {
        name: learning.way(name, len(shape)).optimizer
        for node in without_frozen(graph, learning).nodes
        for name, shape in tensors_of(node).items()
    }
    matrices = sum(1 for each in names.values() if each is usual)
    weights = [
        name
        for node in graph.nodes
        for name, shape in tensors_of(node).items()
        if is_decayed(len(shape)) and names.get(name, usual) is not usual
    ]
    rest = counted(len(names) - matrices, "other tensor")
    yield (
        f"{usual.keyword} learns {counted(matrices, 'tensor')} of hidden layers, {usual.others.keyword} (lr "
        f"{usual.others.lr:g}) {rest}: {listing(['biases', 'scales', *weights])}"
    )


def _numbers(nodes: Sequence[Node]) -> int:
    return whole(summed(product(shape) for node in nodes for shape in node.parameters.values()))

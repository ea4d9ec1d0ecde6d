"""What is alive at which moment: at work, in training's pass forward, and in its pass back.

Amounts are :class:`Bytes`: once, and for each sample. Weights are left out here; they are always there.
Where sizes are unknown, so are amounts; what is alive at which moment is not. A kind whose answer depends on
the size is a fault at its node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from cnncli.algebra import Dim, NoFormulaError, Undecidable
from cnncli.analysis.costs.figures import numbers
from cnncli.diagnostics import Diagnostic, Location, SpecError
from cnncli.graph import Graph, Node
from cnncli.graph.schedule import Schedule, schedule
from cnncli.language.description import INPUT
from cnncli.layers.memory.spaces import Saved, Space, room

T = TypeVar("T")


class Bytes(NamedTuple):
    """An amount of memory: bytes that are there once, and bytes for each sample of a batch."""

    once: Dim = 0
    each: Dim = 0

    def at(self, batch: int) -> Dim:
        """The bytes for a batch."""
        return self.once + batch * self.each

    def plus(self, *others: Bytes) -> Bytes:
        """All of them together."""
        once, each = self
        for other in others:
            once, each = once + other.once, each + other.each
        return Bytes(once, each)

    def minus(self, other: Bytes) -> Bytes:
        """What is left of it without the other."""
        return Bytes(self.once - other.once, self.each - other.each)


class Turn(NamedTuple):
    """A moment of a node's turn, and all that is alive then."""

    node: str
    alive: Bytes


def in_bytes(space: Space, itemsize: int) -> Bytes:
    """Room in bytes, for numbers of ``itemsize`` bytes."""
    return Bytes(*space.in_bytes(itemsize))


def ask(graph: Graph, nodes: Iterable[Node], question: Callable[[Node], T]) -> dict[str, T]:
    """What the kind of every node answers.

    Raises:
        SpecError: with every node whose answer depends on what is unknown, copies of a layer once.
    """
    if graph.domain is None:
        return {node.name: question(node) for node in nodes}
    answers: dict[str, T] = {}
    faults: dict[Location, Diagnostic] = {}
    with graph.domain.applied():
        for node in nodes:
            try:
                answers[node.name] = question(node)
            except (Undecidable, NoFormulaError) as error:
                # Imported here: what few commands need.
                from cnncli.graph.unknowns import open_rule  # noqa: PLC0415

                fault = open_rule(node, f"the memory of '{node.kind}'", error)
                faults.setdefault(node.location, fault)
    if faults:
        raise SpecError(faults.values())
    return answers


class _Alive:
    """Values that are held, for one reason or several; those that share memory count once.

    ``sharing`` says of every node whether its output is memory of its input.
    """

    def __init__(
        self, nodes: Iterable[Node], sharing: Mapping[str, bool], image: Bytes, itemsize: int
    ) -> None:
        self.owner = {INPUT: INPUT}
        self.size = {INPUT: image}
        for node in nodes:
            shares = sharing[node.name]
            self.owner[node.name] = self.owner[node.inputs[0]] if shares else node.name
            if not shares:
                self.size[node.name] = in_bytes(room(node.output), itemsize)
        self.now = Bytes()
        self._reasons: Counter[str] = Counter()

    def hold(self, *names: str) -> None:
        """There is a reason more to hold these."""
        for name in names:
            owner = self.owner[name]
            if not self._reasons[owner]:
                self.now = self.now.plus(self.size[owner])
            self._reasons[owner] += 1

    def drop(self, *names: str) -> None:
        """There is a reason less."""
        for name in names:
            owner = self.owner[name]
            self._reasons[owner] -= 1
            if not self._reasons[owner]:
                self.now = self.now.minus(self.size[owner])


def at_work(graph: Graph, itemsize: int) -> Iterator[Turn]:
    """The moments outside of training, the first before any turn. The input is the caller's and stays."""
    turns = schedule(graph, training=False)
    sharing = ask(graph, turns.nodes, lambda node: node.layer.shares(node.x, training=False))
    working = ask(graph, turns.nodes, lambda node: node.layer.working(node.x, node.output))
    alive = _Alive(turns.nodes, sharing, in_bytes(room(graph.input), itemsize), itemsize)
    released = turns.released()
    alive.hold(INPUT, INPUT)
    yield Turn(INPUT, alive.now)
    for node in turns.nodes:
        spaces = working[node.name] or (Space(),)
        yield from (Turn(node.name, alive.now.plus(in_bytes(space, itemsize))) for space in spaces)
        alive.hold(node.name)
        alive.drop(*released.get(node.name, ()))


class Training:
    """One step of training, with numbers of ``itemsize`` bytes."""

    def __init__(self, graph: Graph, itemsize: int) -> None:
        self._graph = graph
        self._turns = schedule(graph, training=True)
        self._image = in_bytes(room(graph.input), itemsize)
        self._itemsize = itemsize
        self._wanted = _wanted(self._turns)
        nodes = self._turns.nodes
        self._sharing = ask(graph, nodes, lambda node: node.layer.shares(node.x, training=True))
        self._saved = ask(graph, nodes, self._saved_by)
        self._own = {name: in_bytes(saved.own, itemsize) for name, saved in self._saved.items()}

    def saved(self) -> dict[str, Bytes]:
        """For each node what autograd keeps because of it and of none before it, the input aside."""
        alive = self._alive()
        alive.hold(INPUT)
        saved = {}
        for node in self._turns.nodes:
            before = alive.now
            alive.hold(*self._names(node))
            saved[node.name] = alive.now.minus(before).plus(self._own[node.name])
        return saved

    def forward(self) -> Iterator[Turn]:
        """The moments of the pass forward."""
        alive, kept = self._alive(), Bytes()
        released = self._turns.released()
        working = ask(self._graph, self._turns.nodes, lambda node: node.layer.working(node.x, node.output))
        alive.hold(INPUT, INPUT)
        for node in self._turns.nodes:
            fresh = self._fresh(node, working[node.name])
            yield from (Turn(node.name, alive.now.plus(kept, each)) for each in fresh)
            alive.hold(node.name, *self._names(node))
            kept = kept.plus(self._own[node.name])
            alive.drop(*released.get(node.name, ()))

    def backward(self) -> Iterator[Turn]:
        """The moments of the pass back: gradients of weights gather while what was kept is let go of."""
        alive = self._alive()
        alive.hold(INPUT, *self._turns.outputs.values())
        nodes = [node for node in self._turns.nodes if node.name in self._wanted]
        for node in nodes:
            alive.hold(*self._names(node))
        kept = Bytes().plus(*(self._own[node.name] for node in nodes))
        outputs = [name for name in self._turns.outputs.values() if name in self._wanted]
        gradients = _Gradients(dict.fromkeys(outputs), self._sizes(alive))
        for node in reversed(nodes):
            saved = self._saved[node.name]
            during = alive.now.plus(kept, gradients.pass_back(node, saved, self._wanted, self._itemsize))
            making = (in_bytes(space, self._itemsize) for space in (Space(), *saved.making))
            yield from (Turn(node.name, during.plus(more)) for more in making)
            alive.drop(*self._names(node))
            kept = kept.minus(self._own[node.name])

    def outputs(self) -> Bytes:
        """The network's input and outputs, which the caller holds to the end of the step."""
        alive = self._alive()
        alive.hold(INPUT, *self._turns.outputs.values())
        return alive.now

    def _alive(self) -> _Alive:
        return _Alive(self._turns.nodes, self._sharing, self._image, self._itemsize)

    def _saved_by(self, node: Node) -> Saved:
        if node.name not in self._wanted:
            return Saved()
        needs = tuple(name in self._wanted for name in node.inputs)
        saved = node.layer.saved(node.x, node.output, needs)
        return saved._replace(handed=(0,)) if self._sharing[node.name] else saved

    def _names(self, node: Node) -> tuple[str, ...]:
        """The values that autograd keeps of a node."""
        saved = self._saved[node.name]
        inputs = tuple(node.inputs[place] for place in saved.inputs)
        return (*inputs, node.name) if saved.output else inputs

    def _sizes(self, alive: _Alive) -> dict[str, Bytes]:
        """The bytes of every value, whoever's memory it is."""
        return {name: alive.size[owner] for name, owner in alive.owner.items()}

    def _fresh(self, node: Node, working: Iterable[Space]) -> Iterator[Bytes]:
        """What a node makes in its turn: as at work, or its output with all that is kept of it."""
        if not self._sharing[node.name]:
            yield in_bytes(room(node.output), self._itemsize).plus(self._own[node.name])
            yield from (in_bytes(each, self._itemsize) for each in working)


def _wanted(turns: Schedule) -> frozenset[str]:
    """The nodes that a gradient passes through: they learn or follow one that does, and lead to an output."""
    learning: set[str] = set()
    for node in turns.nodes:
        if node.parameters or not learning.isdisjoint(node.inputs):
            learning.add(node.name)
    leading = set(turns.outputs.values())
    for node in reversed(turns.nodes):
        if node.name in leading:
            leading.update(node.inputs)
    return frozenset(learning & leading)


class _Gradients:
    """Gradients of values that wait for their node's turn, and those of weights, which stay.

    A gradient is a tensor of its own, or memory of another that it was handed on from.
    """

    def __init__(self, outputs: Iterable[str], sizes: Mapping[str, Bytes]) -> None:
        self._sizes = sizes
        self._tensor = {name: number for number, name in enumerate(outputs)}
        self._bytes = {number: sizes[name] for name, number in self._tensor.items()}
        self._users = Counter([*self._bytes])
        self._weights: Dim = 0
        self._made = len(self._bytes)

    def pass_back(self, node: Node, saved: Saved, wanted: frozenset[str], itemsize: int) -> Bytes:
        """A node's turn: all that is there when its inputs' gradients have been made of its output's."""
        self._weights = self._weights + itemsize * numbers(node.parameters)
        arrived = self._tensor.pop(node.name)
        added = Bytes()
        for place, name in enumerate(node.inputs):
            if name in wanted:
                handed = place in saved.handed
                added = added if handed or name not in self._tensor else added.plus(self._sizes[name])
                self._arrive(name, arrived if handed else None)
        during = Bytes(self._weights).plus(added, *self._bytes.values())
        self._leave(arrived)
        return during

    def _arrive(self, name: str, handed: int | None) -> None:
        """A value gets a gradient: its first, or one more, which is added to that if nobody shares it."""
        before = self._tensor.get(name)
        if before is None and handed is not None:
            self._tensor[name] = handed
            self._users[handed] += 1
        elif before is None or self._users[before] > 1:
            self._made += 1
            self._tensor[name] = self._made
            self._users[self._made] = 1
            self._bytes[self._made] = self._sizes[name]
            if before is not None:
                self._leave(before)

    def _leave(self, tensor: int) -> None:
        self._users[tensor] -= 1
        if not self._users[tensor]:
            del self._bytes[tensor]

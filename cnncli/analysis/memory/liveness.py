"""Which values are live when: during inference, in training's forward pass and in its backward pass.

Amounts are :class:`Bytes`: once, and for each sample. Weights are left out here, since they are always live.
If sizes are unknown, amounts are formulas, but which values are live when does not depend on the sizes. A
kind whose answer does depend on them is an error at its node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from cnncli.algebra import Dim, NoFormulaError, Sum, Undecidable, summed
from cnncli.analysis.costs.figures import numbers
from cnncli.diagnostics import Diagnostic, LimitError, Location, SpecError
from cnncli.graph import Graph, Node
from cnncli.graph.schedule import Schedule, schedule
from cnncli.language.description import INPUT
from cnncli.layers.memory import AnyRule, NoRuleError, Saved, Space, room, rule_of

T = TypeVar("T")


class Bytes(NamedTuple):
    """An amount of memory: bytes that are needed once, and bytes for each sample of a batch."""

    once: Dim = 0
    each: Dim = 0

    def at(self, batch: int) -> Dim:
        """Return the bytes for a batch."""
        return self.once + batch * self.each

    def plus(self, *others: Bytes) -> Bytes:
        """Return the sum of all of them."""
        if len(others) > 2:
            return Bytes(*map(summed, zip(self, *others, strict=True)))
        once, each = self
        for other in others:
            once, each = once + other.once, each + other.each
        return Bytes(once, each)


class _Total:
    """A sum of amounts that changes."""

    def __init__(self) -> None:
        self._once, self._each = Sum(), Sum()

    def add(self, amount: Bytes, times: int = 1) -> None:
        """Add a multiple of an amount; -1 subtracts it."""
        self._once.add(amount.once, times)
        self._each.add(amount.each, times)

    @property
    def now(self) -> Bytes:
        """The sum so far."""
        return Bytes(self._once.value, self._each.value)


class Snapshot(NamedTuple):
    """A moment while a node runs, and the memory that is live then."""

    node: str
    live: Bytes


def in_bytes(space: Space, itemsize: int) -> Bytes:
    """Convert a space to bytes, for numbers of ``itemsize`` bytes."""
    return Bytes(*space.in_bytes(itemsize))


def ask(graph: Graph, nodes: Iterable[Node], question: Callable[[Node, AnyRule], T]) -> dict[str, T]:
    """Return the answer of every node's memory rule.

    Raises:
        SpecError: with every node whose answer depends on unknown sizes, copies of a layer once; or with the
            first node whose kind has no memory rule.
    """
    if graph.domain is None:
        return {node.name: question(node, _rule(node)) for node in nodes}
    answers: dict[str, T] = {}
    faults: dict[Location, Diagnostic] = {}
    with graph.domain.applied():
        for node in nodes:
            try:
                answers[node.name] = question(node, _rule(node))
            except (Undecidable, NoFormulaError) as error:
                # Imported here because few commands need it.
                from cnncli.graph.unknowns import formula_fault  # noqa: PLC0415

                fault = formula_fault(node, f"the memory of '{node.kind}'", error)
                faults.setdefault(node.location, fault)
            except LimitError as error:
                raise error.at(node.name, node.location) from None
    if faults:
        raise SpecError(faults.values())
    return answers


def _working(node: Node, rule: AnyRule) -> tuple[Space, ...]:
    return rule.working(node.input_shape, node.output_shape)


def _rule(node: Node) -> AnyRule:
    try:
        return rule_of(node.layer)
    except NoRuleError:
        message = f"kind '{node.kind}' has no memory rule"
        hint = "a kind from a plug-in registers one with @rule from cnncli.layers.memory"
        raise SpecError(Diagnostic("memory", f"{node.name}: {message}", node.location, hint=hint)) from None


class LiveValues:
    """Values that are live for one reason or several; values that share memory count once.

    ``sharing`` maps every node to whether its output is a view of its input.
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
                self.size[node.name] = in_bytes(room(node.output_shape), itemsize)
        self._total = _Total()
        self._reasons: Counter[str] = Counter()

    @property
    def now(self) -> Bytes:
        """The memory of all values that are live."""
        return self._total.now

    def retain(self, *names: str) -> list[Bytes]:
        """Add a reason to keep these values; return the amounts of those that were not live before."""
        added: list[Bytes] = []
        for name in names:
            owner = self.owner[name]
            if not self._reasons[owner]:
                self._total.add(self.size[owner])
                added.append(self.size[owner])
            self._reasons[owner] += 1
        return added

    def release(self, *names: str) -> None:
        """Remove a reason to keep these values; one without a reason is freed."""
        for name in names:
            owner = self.owner[name]
            self._reasons[owner] -= 1
            if not self._reasons[owner]:
                self._total.add(self.size[owner], -1)


def inference(graph: Graph, itemsize: int) -> Iterator[Snapshot]:
    """Yield the moments of inference, the first before any node runs.

    The input belongs to the caller and stays live throughout.
    """
    plan = schedule(graph, training=False)
    sharing = ask(graph, plan.nodes, lambda node, rule: rule.shares(node.input_shape, training=False))
    working = ask(graph, plan.nodes, _working)
    live = LiveValues(plan.nodes, sharing, in_bytes(room(graph.input), itemsize), itemsize)
    released = plan.released()
    live.retain(INPUT, INPUT)
    yield Snapshot(INPUT, live.now)
    for node in plan.nodes:
        spaces = working[node.name] or (Space(),)
        yield from (Snapshot(node.name, live.now.plus(in_bytes(space, itemsize))) for space in spaces)
        live.retain(node.name)
        live.release(*released.get(node.name, ()))


class Training:
    """One step of training, with numbers of ``itemsize`` bytes.

    ``differentiated`` are the nodes that need a gradient, ``savings`` what autograd saves for each node, and
    ``own`` the bytes of those tensors that are neither its input nor its output.
    """

    def __init__(self, graph: Graph, itemsize: int) -> None:
        self._graph = graph
        self.plan = schedule(graph, training=True)
        self._image = in_bytes(room(graph.input), itemsize)
        self.itemsize = itemsize
        self.differentiated = _differentiated(self.plan)
        nodes = self.plan.nodes
        self._sharing = ask(graph, nodes, lambda node, rule: rule.shares(node.input_shape, training=True))
        self.savings = ask(graph, nodes, self._saved_by)
        self.own = {name: in_bytes(saved.own, itemsize) for name, saved in self.savings.items()}

    def saved(self) -> dict[str, Bytes]:
        """Return for each node what autograd keeps for it and for no earlier one, the input not counted."""
        live = self.live_values()
        live.retain(INPUT)
        saved = {}
        for node in self.plan.nodes:
            saved[node.name] = self.own[node.name].plus(*live.retain(*self.names(node)))
        return saved

    def forward(self) -> Iterator[Snapshot]:
        """Yield the moments of the forward pass."""
        live, kept = self.live_values(), _Total()
        released = self.plan.released()
        working = self.working()
        live.retain(INPUT, INPUT)
        for node in self.plan.nodes:
            fresh = self.fresh(node, working[node.name])
            yield from (Snapshot(node.name, live.now.plus(kept.now, each)) for each in fresh)
            live.retain(node.name, *self.names(node))
            kept.add(self.own[node.name])
            live.release(*released.get(node.name, ()))

    def working(self) -> dict[str, tuple[Space, ...]]:
        """Return what each node allocates while it runs, as at inference."""
        return ask(self._graph, self.plan.nodes, _working)

    def backward(self, *, again: bool = False) -> Iterator[Snapshot]:
        """Yield the moments of the backward pass: weight gradients add up while saved values are freed.

        If it runs ``again`` for the same step, the gradients of all weights, which are not counted here, are
        live already, and each new one only until it is added.
        """
        live = self.live_values()
        live.retain(INPUT, *self.plan.outputs.values())
        nodes = [node for node in self.plan.nodes if node.name in self.differentiated]
        kept = _Total()
        for node in nodes:
            live.retain(*self.names(node))
            kept.add(self.own[node.name])
        gradients = self.gradients()
        for node in reversed(nodes):
            saved = self.savings[node.name]
            weights = Bytes(self.itemsize * numbers(node.parameters))
            during = live.now.plus(kept.now, gradients.backward(node, saved), weights)
            if not again:
                gradients.keep(weights)
            making = (in_bytes(space, self.itemsize) for space in (Space(), *saved.making))
            yield from (Snapshot(node.name, during.plus(more)) for more in making)
            live.release(*self.names(node))
            kept.add(self.own[node.name], -1)

    def gradients(self) -> Gradients:
        """Return the gradients at the beginning of the backward pass: those of the outputs."""
        outputs = [name for name in self.plan.outputs.values() if name in self.differentiated]
        return Gradients(dict.fromkeys(outputs), self.sizes(self.live_values()), self.differentiated)

    def outputs(self) -> Bytes:
        """Return the bytes of the network's input and outputs, which the caller keeps until the step ends."""
        live = self.live_values()
        live.retain(INPUT, *self.plan.outputs.values())
        return live.now

    def live_values(self) -> LiveValues:
        """Return the values of the network, none of them live yet."""
        return LiveValues(self.plan.nodes, self._sharing, self._image, self.itemsize)

    def _saved_by(self, node: Node, rule: AnyRule) -> Saved:
        if node.name not in self.differentiated:
            return Saved()
        needs = tuple(name in self.differentiated for name in node.inputs)
        saved = rule.saved(node.input_shape, node.output_shape, needs)
        return saved._replace(handed=(0,)) if self._sharing[node.name] else saved

    def names(self, node: Node) -> tuple[str, ...]:
        """Return the names of the values that autograd keeps for a node."""
        saved = self.savings[node.name]
        inputs = tuple(node.inputs[place] for place in saved.inputs)
        return (*inputs, node.name) if saved.output else inputs

    def sizes(self, live: LiveValues) -> dict[str, Bytes]:
        """Return the bytes of every value, its own or those it is a view of."""
        return {name: live.size[owner] for name, owner in live.owner.items()}

    def fresh(self, node: Node, working: Iterable[Space]) -> Iterator[Bytes]:
        """Yield what a node allocates while it runs: as in inference, or its output with what it saves."""
        if not self._sharing[node.name]:
            yield in_bytes(room(node.output_shape), self.itemsize).plus(self.own[node.name])
            yield from (in_bytes(each, self.itemsize) for each in working)


def _differentiated(plan: Schedule) -> frozenset[str]:
    """Return the nodes that need a gradient.

    They have parameters, or come after a node that has, and they lead to an output.
    """
    learning: set[str] = set()
    for node in plan.nodes:
        if node.parameters or not learning.isdisjoint(node.sources):
            learning.add(node.name)
    leading = set(plan.outputs.values())
    for node in reversed(plan.nodes):
        if node.name in leading:
            leading.update(node.sources)
    return frozenset(learning & leading)


class Gradients:
    """Gradients of values whose node has not yet run backward, and those of weights that are kept.

    A gradient is a tensor, or shares the memory of the gradient that it was passed on from.
    """

    def __init__(
        self, outputs: Iterable[str], sizes: Mapping[str, Bytes], differentiated: frozenset[str]
    ) -> None:
        self._sizes = sizes
        self._differentiated = differentiated
        self._tensor = {name: number for number, name in enumerate(outputs)}
        self._size = {number: sizes[name] for name, number in self._tensor.items()}
        self._users = Counter([*self._size])
        self._total = _Total()
        for size in self._size.values():
            self._total.add(size)
        self._made = len(self._size)

    @property
    def now(self) -> Bytes:
        """The memory of all of them."""
        return self._total.now

    def keep(self, weights: Bytes) -> None:
        """Keep the gradients of weights."""
        self._total.add(weights)

    def backward(self, node: Node, saved: Saved) -> Bytes:
        """Run a node backward; return the gradients live when those of its inputs have just been computed.

        Those of its weights are not among them.
        """
        arrived = self._tensor.pop(node.name)
        added = Bytes()
        for place, name in enumerate(node.sources):
            if name in self._differentiated:
                handed = place in saved.handed
                added = added if handed or name not in self._tensor else added.plus(self._sizes[name])
                self._arrive(name, arrived if handed else None)
        during = self.now.plus(added)
        self._leave(arrived)
        return during

    def _arrive(self, name: str, handed: int | None) -> None:
        """Give a value a gradient; further ones are added in place, unless the first one is shared."""
        before = self._tensor.get(name)
        if before is None and handed is not None:
            self._tensor[name] = handed
            self._users[handed] += 1
        elif before is None or self._users[before] > 1:
            self._made += 1
            self._tensor[name] = self._made
            self._users[self._made] = 1
            self._size[self._made] = self._sizes[name]
            self._total.add(self._sizes[name])
            if before is not None:
                self._leave(before)

    def _leave(self, tensor: int) -> None:
        self._users[tensor] -= 1
        if not self._users[tensor]:
            self._total.add(self._size.pop(tensor), -1)

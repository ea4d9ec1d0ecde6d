"""What a training step keeps live, for a batch and with segments that are computed again.

A segment is run without saving anything but its inputs (T. Chen et al., "Training deep nets with sublinear
memory cost", 2016). The backward pass runs it again when it reaches the last of its nodes that has saved
something, up to there; from then on its saved values are live until each node has run backward. Its inputs
are live from its forward pass until its first node with saved values has run backward.

A walk goes through the schedule once. Whatever is decided for later nodes, what is live while a node runs
depends on earlier ones through two things only: how many bytes the nodes before it have kept for the
backward pass, and which of the values that are still to be read are among them. So a stretch of the schedule
is described by amounts relative to the bytes kept before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import node_figures, numbers
from cnncli.analysis.memory.liveness import Bytes, Training, in_bytes
from cnncli.graph.segments import Segment
from cnncli.language.description import INPUT
from cnncli.layers.memory import Space


class Step(NamedTuple):
    """A node: its value, and bytes for a batch.

    ``value`` is the name of the node whose memory its output has. ``reads`` and ``saves`` are such names
    too, without the network's input. ``fresh`` is what it allocates in the forward pass, at most; ``own``
    what it saves beside values. ``is_saving`` is whether autograd saves anything for it, ``is_run`` whether
    it is computed before the last of that is saved. ``arrived`` are the gradients that are live when its
    backward pass begins, and ``backward`` is all that is live beside saved values during it, at most; None
    without a gradient. ``flops`` are those of a sample.
    """

    value: str
    reads: frozenset[str]
    saves: frozenset[str]
    fresh: int
    own: int
    is_saving: bool
    is_run: bool
    arrived: int
    backward: int | None
    flops: int


class Stretch(NamedTuple):
    """Consecutive nodes, and bytes for a batch, relative to what all nodes before them have kept.

    ``forward`` and ``backward`` are the most that is live while they run, without what a training holds
    throughout; ``kept`` is what they keep in addition, and ``known`` are those values among all that is kept
    then that are still to be read. ``flops`` are those of a sample that are computed again.
    """

    forward: int
    backward: int
    kept: int
    known: frozenset[str]
    flops: int = 0


class Walk:
    """The nodes of a training step, for a batch.

    ``sizes`` are the bytes of each value, ``pending`` for each node the values that are live before it runs
    because they are still to be read, without the network's input.
    """

    def __init__(self, training: Training, batch: int, *, sliced: bool = False) -> None:
        """Prepare a walk; if the batch is one of several that are ``sliced``, one after the first."""
        live = training.live_values()
        self._owner = live.owner
        self.sizes = {name: whole(amount.at(batch)) for name, amount in live.size.items()}
        self.image = self.sizes.pop(INPUT)
        self.outputs = frozenset(live.owner[name] for name in training.plan.outputs.values()) - {INPUT}
        self.steps = tuple(_steps(training, batch, sliced=sliced))
        self.pending = tuple(self._pending(training))
        self._made = {step.value: place for place, step in reversed([*enumerate(self.steps)])}
        later = [self.image]
        for step in reversed(self.steps):
            first = step.value in self.outputs and self.steps[self._made[step.value]] is step
            later.append(later[-1] + (self.sizes[step.value] if first else 0))
        self._later = later[::-1]
        """For each node the bytes of the input, and of outputs that it or a later node computes."""

    def __len__(self) -> int:
        return len(self.steps)

    def _pending(self, training: Training) -> Iterator[frozenset[str]]:
        released = training.plan.released()
        users = Counter[str]()
        for node in training.plan.nodes:
            yield frozenset(name for name, count in users.items() if count)
            users[self._owner[node.name]] += 1
            users.subtract(self._owner[name] for name in released.get(node.name, ()))
            users.pop(INPUT, None)
        yield frozenset(name for name, count in users.items() if count)

    def plain(self, place: int, known: frozenset[str]) -> Stretch:
        """Return a node alone, for which everything is saved; ``known`` is that of the nodes before it."""
        step = self.steps[place]
        fresh = step.saves - known
        output = {step.value} & self.outputs - known
        saved = step.own + self._bytes(fresh - self.outputs)
        return Stretch(
            forward=self.image + self._bytes(self.pending[place] - known) + step.fresh,
            backward=0 if step.backward is None else saved + self._later[place] + step.backward,
            kept=step.own + self._bytes(fresh | output),
            known=(known | fresh | output) & self.pending[place + 1],
        )

    def recomputed(self, segment: Segment, known: frozenset[str]) -> Stretch | None:
        """Return a segment; None if nothing is saved for it, so that there is nothing to drop."""
        start, stop = segment
        places = range(start, stop)
        saving = [place for place in places if self.steps[place].is_saving]
        if not saving:
            return None
        made = {self.steps[place].value for place in places if self._made[self.steps[place].value] >= start}
        inputs = frozenset().union(*(self.steps[place].reads for place in places)) - made
        outputs = self.outputs & made
        kept, all_known = self._bytes(inputs - known), known | inputs
        forward = max(
            self._bytes(self.pending[place] - all_known) + self.steps[place].fresh for place in places
        )
        first, last = saving[0], saving[-1]
        stopped = last + self.steps[last].is_run
        return Stretch(
            forward=self.image + kept + forward,
            backward=self._later[start] + max(self._backward(segment, made, kept, first, last)),
            kept=kept + self._bytes(outputs),
            known=(all_known | outputs) & self.pending[stop],
            flops=sum(step.flops for step in self.steps[start:stopped]),
        )

    def _backward(
        self, segment: Segment, made: set[str], inputs: int, first: int, last: int
    ) -> Iterator[int]:
        """Yield what is live in the backward pass of a segment, while it is computed again and afterwards."""
        start, stop = segment
        for place in range(last + 1, stop):
            yield inputs + (self.steps[place].backward or 0)
        yield from (inputs + self.steps[last].arrived + each for each in self._again(segment, made, last))
        saved = Counter(
            name for place in range(first, last + 1) for name in self.steps[place].saves if name in made
        )
        held = sum(self.steps[place].own for place in range(first, last + 1)) + self._bytes(saved)
        for place in range(last, first - 1, -1):
            step = self.steps[place]
            if step.backward is None:
                continue
            yield inputs + held + step.backward
            held -= step.own
            for name in step.saves & made:
                saved[name] -= 1
                held -= 0 if saved[name] else self.sizes[name]
        for place in range(start, first):
            yield self.steps[place].backward or 0

    def _again(self, segment: Segment, made: set[str], last: int) -> Iterator[int]:
        """Yield what is live of a segment while its nodes are computed again."""
        start, stop = segment
        ends = dict.fromkeys(made & self.pending[stop], stop)
        for place in range(start, stop):
            step = self.steps[place]
            ends |= {
                name: max(place, ends.get(name, 0)) for name in (*step.reads, step.value) if name in made
            }
        live: set[str] = set()
        saved: set[str] = set()
        own = 0
        for place in range(start, last + 1):
            step = self.steps[place]
            fresh = step.fresh if place < last or step.is_run else 0
            yield own + self._bytes(live | saved) + fresh
            own += step.own
            saved |= step.saves & made
            live = {name for name in live | {step.value} & made if ends[name] > place}

    def _bytes(self, names: Iterable[str]) -> int:
        return sum(map(self.sizes.__getitem__, names))

    def stretches(self, segments: Sequence[Segment]) -> Iterator[Stretch]:
        """Yield the whole step: segments that are computed again, and all other nodes alone."""
        starts = {segment.start: segment for segment in segments}
        known = frozenset[str]()
        place = 0
        while place < len(self.steps):
            segment = starts.get(place, Segment(place, place + 1))
            again = self.recomputed(segment, known) if place in starts else None
            if again is None:
                segment = Segment(place, place + 1)
            stretch = again or self.plain(place, known)
            yield stretch
            known, place = stretch.known, segment.stop

    def peaks(self, segments: Sequence[Segment]) -> tuple[int, int]:
        """Return the most that is live in the forward pass and in the backward pass."""
        kept = forward = backward = 0
        for each in self.stretches(segments):
            forward, backward = max(forward, kept + each.forward), max(backward, kept + each.backward)
            kept += each.kept
        return forward, backward


def _steps(training: Training, batch: int, *, sliced: bool) -> Iterator[Step]:
    """Yield the nodes in the order in which they run."""
    owner = training.live_values().owner
    working = training.working()
    backward = _gradients(training, batch, sliced=sliced)

    def values(names: Iterable[str]) -> frozenset[str]:
        return frozenset(map(owner.__getitem__, names)) - {INPUT}

    for node in training.plan.nodes:
        saved, own = training.savings[node.name], whole(training.own[node.name].at(batch))
        fresh = (whole(each.at(batch)) for each in training.fresh(node, working[node.name]))
        arrived, during = backward.get(node.name, (0, None))
        yield Step(
            value=owner[node.name],
            reads=values(node.inputs),
            saves=values(training.names(node)),
            fresh=max(fresh, default=0),
            own=own,
            is_saving=bool(training.names(node) or own),
            is_run=bool(saved.output or own),
            arrived=arrived,
            backward=during,
            flops=whole(node_figures(node).flops),
        )


def _gradients(training: Training, batch: int, *, sliced: bool) -> dict[str, tuple[int, int]]:
    """Return for each node the gradients when its backward pass begins, and all that is live during it."""
    gradients = training.gradients()
    found = {}
    for node in reversed(training.plan.nodes):
        if node.name not in training.differentiated:
            continue
        saved, weights = training.savings[node.name], Bytes(training.itemsize * numbers(node.parameters))
        arrived = gradients.now
        during = gradients.backward(node, saved).plus(weights)
        if not sliced:
            gradients.keep(weights)
        making = [during.plus(in_bytes(each, training.itemsize)) for each in (Space(), *saved.making)]
        found[node.name] = (whole(arrived.at(batch)), max(whole(each.at(batch)) for each in making))
    return found

"""A graph as the text of a spec in which groups of layers that repeat are blocks.

Two groups are uses of one block if they have the same layers and connections and differ in numbers only; the
numbers are the block's arguments. What is written is read back: unless it is the same graph, the text with
every layer by itself is returned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cnncli.diagnostics import CnncliError
from cnncli.graph import Graph, Node, open_text
from cnncli.graph.grouping import Group, Order, Part, order_of, tree
from cnncli.importing.arguments import Block, Slot, blank, filled, slots, slots_of
from cnncli.importing.text import spec_text
from cnncli.language.description import INPUT, OUTPUT
from cnncli.layers import KINDS
from cnncli.limits import MAX_FOLDED_LAYERS


class Unit(NamedTuple):
    """A node or a use of a block: its name in the group around it, what it reads, and what it makes."""

    name: str
    part: Part
    inputs: tuple[str, ...]
    output: str


def folded(graph: Graph, plain: Mapping[str, Any], words: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the text of a spec, and the names of its blocks.

    Args:
        graph: the network.
        plain: the sections of a spec with every layer by itself.
        words: names for groups of layers, by the beginning of their names.
    """
    flat = spec_text(plain)
    if len(graph.nodes) > MAX_FOLDED_LAYERS:
        return flat, ()
    nodes, order = order_of(graph)
    folding = _Folding(graph, order, words)
    root = tree(nodes, order)
    try:
        layers = folding.run(root)
        sections = {**plain, "layers": layers}
        if folding.blocks:
            blocks = {block.name: block.section() for block in folding.blocks}
            sections = {"name": plain["name"], "input": plain["input"], "blocks": blocks} | {
                key: value for key, value in sections.items() if key not in ("name", "input")
            }
        text = spec_text(sections)
        same = _content(open_text(text).graph) == _content(graph)
    except (CnncliError, _NotFoldableError):
        return flat, ()
    return (text, tuple(block.name for block in folding.blocks)) if same else (flat, ())


class _NotFoldableError(Exception):
    """A group cannot be written as a block."""


def _content(graph: Graph) -> Any:
    """Return what two equal networks have in common, whatever the order of their nodes."""
    nodes = {node.name: (node.kind, node.layer, node.inputs, node.output_shape) for node in graph.nodes}
    return graph.input, nodes, {name: (each.node, each.shape) for name, each in graph.outputs.items()}


class _Folding:
    """Finds blocks, from the innermost groups outwards."""

    def __init__(self, graph: Graph, order: Order, words: Mapping[str, str]) -> None:
        self.graph, self.order, self.words = graph, order, words
        self.blocks: list[Block] = []
        self.uses: dict[str, tuple[str, dict[str, Any]]] = {}
        """For each group that is a use of a block: the block and its arguments."""
        self.extra: dict[str, tuple[str, ...]] = {}
        """For each such group what it reads besides the value before it."""

    def run(self, root: Group) -> list[Any]:
        levels: dict[int, list[Group]] = defaultdict(list)
        _by_height(root, levels)
        for level in sorted(levels):
            self._level([group for group in levels[level] if group.path])
        return self._layers(root)

    def _level(self, groups: Sequence[Group]) -> None:
        alike: dict[Any, list[tuple[Group, list[Any]]]] = defaultdict(list)
        for group in groups:
            if self._is_repeat(group):
                continue
            try:
                body, extra = self._body(group)
            except _NotFoldableError:
                continue
            self.extra[group.path] = extra
            alike[blank(body)].append((group, body))
        for members in alike.values():
            if len(members) > 1 and sum(1 for _ in slots_of(members[0][1])) + _size(members[0][0]) > 1:
                self._block(members)

    def _is_repeat(self, group: Group) -> bool:
        """Return whether a group has nothing but uses of one block, named 0, 1, 2, ..."""
        paths = [part.path for part in group.parts.values() if isinstance(part, Group)]
        used = {self.uses[path][0] if path in self.uses else "" for path in paths}
        numbered = [*group.parts] == [str(number) for number in range(len(paths))]
        return numbered and len(used) == 1 and "" not in used

    def _block(self, members: Sequence[tuple[Group, list[Any]]]) -> None:
        block = Block.of(self._name(members[0][0]), [body for _, body in members])
        self.blocks.append(block)
        for place, (group, _) in enumerate(members):
            self.uses[group.path] = block.name, block.arguments(place)

    def _name(self, group: Group) -> str:
        parts = [part for part in group.path.split(".") if not part.isdigit()]
        word = self.words.get(group.path, (parts or ["block"])[-1].rstrip("0123456789_")) or "block"
        plain = "".join(each if each.isalnum() else "_" for each in word).strip("_")
        if not plain or not plain[0].isalpha() or plain in KINDS:
            plain = f"block_{plain}"
        taken, name, number = {block.name for block in self.blocks}, plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        return name

    def _body(self, group: Group) -> tuple[list[Any], tuple[str, ...]]:
        """Return the layers of a group as a block would have them, and what it reads besides its input.

        Raises:
            _NotFoldableError: it is not computed as a whole, or has several outputs.
        """
        outputs = self.order.read_outside(group.nodes)
        if not group.callable or len(outputs) != 1 or len(group.nodes) < 2:
            raise _NotFoldableError
        units = list(self._units(group, ""))
        own = {unit.output for unit in units}
        read = dict.fromkeys(name for unit in units for name in unit.inputs if name not in own)
        first, *extra = read
        if any(self.extra.get(unit.part.path) for unit in units if isinstance(unit.part, Group)):
            raise _NotFoldableError
        given = {name: f"$skip{number or ''}" for number, name in enumerate(extra)}
        writing = _Writing(units, self.uses, given)
        body = writing.lead(outputs[0], first)
        if writing.done != own:
            raise _NotFoldableError
        return body, tuple(extra)

    def _layers(self, root: Group) -> list[Any]:
        units = list(self._units(root, ""))
        names = {name: name for name in (INPUT, *self.order.places)}
        uses = {path: self._use(path) for path in self.uses}
        writing = _Writing(units, uses, {INPUT: INPUT}, names)
        layers: list[Any] = []
        alone = list(self.graph.outputs) == [OUTPUT]
        for output in self.graph.outputs.values():
            layers += writing.lead(output.node, INPUT if not layers else "")
        if writing.done != {unit.output for unit in units} or (alone and not layers):
            raise _NotFoldableError
        return [filled(each, {}) for each in layers]

    def _use(self, path: str) -> tuple[str, dict[str, Any]]:
        name, arguments = self.uses[path]
        skips = {f"skip{number or ''}": Slot(extra) for number, extra in enumerate(self.extra[path])}
        return name, {**arguments, **skips}

    def _units(self, group: Group, prefix: str) -> Iterator[Unit]:
        for name, part in group.parts.items():
            full = f"{prefix}{name}"
            if not isinstance(part, Group):
                yield Unit(full, part, part.inputs, part.name)
            elif part.path in self.uses:
                own = {node.name for node in part.nodes}
                read = dict.fromkeys(each for node in part.nodes for each in node.inputs if each not in own)
                yield Unit(full, part, tuple(read), self.order.read_outside(part.nodes)[0])
            else:
                yield from self._units(part, f"{full}.")


def _by_height(group: Group, levels: dict[int, list[Group]]) -> int:
    below = [_by_height(part, levels) for part in group.parts.values() if isinstance(part, Group)]
    level = 1 + max(below, default=-1)
    levels[level].append(group)
    return level


def _size(group: Group) -> int:
    return len(group.nodes)


class _Writing:
    """Writes units so that each reads the one before it wherever possible."""

    def __init__(
        self,
        units: Sequence[Unit],
        uses: Mapping[str, tuple[str, dict[str, Any]]],
        given: Mapping[str, str],
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.made = {unit.output: unit for unit in units}
        self.uses, self.given = uses, given
        self.names = names or {}
        self.done: set[str] = set()

    def lead(self, value: str, current: str) -> list[Any]:
        """Return the entries that compute a value one after another, the first of which reads ``current``.

        There are none if the value is ``current``, or was computed before.
        """
        chain: list[Unit] = []
        while value != current and value not in self.done and value in self.made:
            unit = self.made[value]
            chain.append(unit)
            if _joins(unit):
                break
            value = unit.inputs[0]
        entries: list[Any] = []
        if chain and _joins(chain[-1]):
            join = chain.pop()
            entries = self._join(join, current)
        elif chain:
            first = chain.pop()
            entry = self._entry(first)
            if value != current:
                entry["from"] = self._called(value)
            entries = [entry]
        for unit in reversed(chain):
            entries.append(self._entry(unit))
        return _repeated(entries)

    def _join(self, unit: Unit, current: str) -> list[Any]:
        fork = self._fork(unit.inputs, current)
        entries = [] if fork is None else self.lead(fork, current)
        before = current if fork is None else fork
        branches: list[Any] = []
        for name in unit.inputs:
            branch = self.lead(name, before)
            branches.append(branch or ("identity" if name == before else self._called(name)))
        node = unit.part
        assert isinstance(node, Node)
        arguments = slots(node.layer)
        self.done.add(unit.output)
        return [*entries, {node.kind: {"branches": branches, **arguments}, "name": unit.name}]

    def _entry(self, unit: Unit) -> dict[str, Any]:
        self.done.add(unit.output)
        if isinstance(unit.part, Group):
            block, arguments = self.uses[unit.part.path]
            return {block: dict(arguments), "name": unit.name}
        arguments = slots(unit.part.layer)
        return {unit.part.kind: arguments, "name": unit.name}

    def _called(self, value: str) -> str:
        """Return how a value that was computed before is referred to."""
        if value in self.given:
            return self.given[value]
        if value in self.names:
            return self.names[value]
        if value not in self.made:
            raise _NotFoldableError
        return self.made[value].name

    def _fork(self, inputs: Sequence[str], current: str) -> str | None:
        """Return the last value through which everything leads from ``current`` to the inputs, if any."""
        open_inputs = [name for name in inputs if name in self.made and name not in self.done]
        if not open_inputs:
            return None
        places = {name: place for place, name in enumerate(self.made)}
        ancestors = [self._back(name, "") for name in open_inputs]
        common = set.intersection(*ancestors)
        reaching = any(self._reaches(name, "", current) for name in open_inputs)
        for candidate in sorted(common, key=places.__getitem__, reverse=True):
            if current in inputs and current != candidate:
                return None
            if reaching and not any(self._reaches(name, candidate, current) for name in open_inputs):
                return candidate
        return None

    def _back(self, value: str, stop: str) -> set[str]:
        """Return the values that are not computed yet and lead to one, itself included."""
        found: set[str] = set()
        waiting = [value]
        while waiting:
            name = waiting.pop()
            if name in found or name == stop or name not in self.made or name in self.done:
                continue
            found.add(name)
            waiting += self.made[name].inputs
        return found

    def _reaches(self, value: str, without: str, current: str) -> bool:
        """Return whether a value is computed from ``current`` on a path that avoids another value."""
        return value != without and any(
            current in self.made[name].inputs for name in self._back(value, without)
        )


def _joins(unit: Unit) -> bool:
    return not isinstance(unit.part, Group) and unit.part.layer.joins


def _repeated(entries: list[Any]) -> list[Any]:
    """Return entries with those named a.0, a.1, a.2, ... that are alike as one that is repeated."""
    found: list[Any] = []
    place = 0
    while place < len(entries):
        stem, _, number = str(entries[place]["name"]).rpartition(".")
        count = _run(entries, place, stem) if stem and number == "0" else 0
        if count < 2 or any(str(each["name"]).startswith(f"{stem}.") for each in entries[place + count :]):
            found.append(entries[place])
            place += 1
            continue
        first, second = entries[place], entries[place + 1]
        kind = next(iter(first))
        merged = {kind: second[kind], "name": stem, "repeat": count}
        different = {key: value for key, value in first[kind].items() if second[kind][key] != value}
        if different:
            merged["first"] = different
        if "from" in first:
            merged["from"] = first["from"]
        found.append(merged)
        place += count
    return found


def _run(entries: Sequence[Any], place: int, stem: str) -> int:
    """Return how many entries from a place on are copies: all alike, but for arguments of the first."""
    kind = next(iter(entries[place]))
    count = 1
    while place + count < len(entries):
        each = entries[place + count]
        if each["name"] != f"{stem}.{count}" or next(iter(each)) != kind or "from" in each:
            break
        if "branches" in each[kind] or "repeat" in each:
            break
        if count > 1 and each[kind] != entries[place + 1][kind]:
            break
        count += 1
    return count

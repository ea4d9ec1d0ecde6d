"""Lists of nodes with their blocks, repeats, joins and shorthand, unrolled to single nodes in order.

Errors are collected, not raised: the name of a faulty node remains known, so that nodes that read it are not
reported too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Final

from cnncli.diagnostics import Diagnostic, Faults, LimitError, Location, SpecError, nearest
from cnncli.language.blocks import Block, read_blocks
from cnncli.language.defaults import read_defaults
from cnncli.language.description import NodeSpec, Vocabulary, same_arguments
from cnncli.language.document import Document
from cnncli.language.names import NodeNames, Place
from cnncli.language.nodes import Written, kind_of, read_arguments, read_name, read_node
from cnncli.language.readers import Whole
from cnncli.language.scope import Argument, Scope, interpolate, named
from cnncli.language.shorthand import read_shorthand, take_shorthand
from cnncli.language.tree import Entries, Items, Scalar, Value, describe
from cnncli.limits import MAX_BRANCHES, MAX_EXPANSION, MAX_NODES

_ENTRY_WORK: Final = 5
_NODE_WORK: Final = 5
_USE_WORK: Final = 15
_BRANCH_WORK: Final = 5


class Unrolling:
    """Unrolls the lists of nodes of a document, one after another.

    ``nodes`` are all nodes so far, ``groups`` what the nodes below a name have in common, ``known`` the kinds
    and blocks with their arguments. ``used`` are the blocks that were unrolled, ``named`` the kinds and
    blocks that were written, and ``work`` is what all of it has cost.
    """

    def __init__(
        self, document: Document, vocabulary: Vocabulary, faults: Faults, written: Iterable[str], work: int
    ) -> None:
        self._vocabulary = vocabulary
        self._faults = faults
        self._scope = document.scope
        templates = document.section("blocks")
        self.blocks = read_blocks(templates, vocabulary.kinds(), faults)
        # Ordered, since messages list them; faulty blocks included, since their uses are not wrong too.
        named = templates if isinstance(templates, Entries) else ()
        self.known: dict[str, Collection[str]] = {
            kind: vocabulary.arguments(kind) for kind in vocabulary.kinds()
        }
        for name in named:
            self.known.setdefault(name, self.blocks[name].args if name in self.blocks else ())
        self.names = NodeNames(self.known.keys(), written)
        self.nodes: list[NodeSpec] = []
        self.groups: dict[str, str] = {}
        self.work = work
        self.used: set[str] = set()
        self.named: set[str] = set()
        self._scopes: dict[tuple[object, ...], Scope] = {}
        self._defaults = read_defaults(document, vocabulary, faults)

    def sequence(self, layers: Items, place: Place, current: str | None) -> str | None:
        """Unroll a list whose first node reads ``current``; return the node whose output it means."""
        for value in layers:
            current = self._entry(value, place, current)
        return current

    def _entry(self, value: Value, place: Place, current: str | None) -> str | None:
        """Expand an entry of a list of nodes, with its copies; return the node whose output it means."""
        try:
            written = read_node(value, self.known)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            self._leave_name(value, place)
            return None
        self._count(_ENTRY_WORK, written.kind)
        self.named.add(written.kind.text)
        place.counts[written.kind.text] += 1
        name: str | None = None
        result: str | None = None
        try:
            name = self._name(written, place)
            source = self.names.resolve(written.source, place) if written.source is not None else current
            if written.kind.text in self.blocks or written.kind.text in self._vocabulary.kinds():
                result = self._copies_of(written, name, place, source)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
        if name is not None:
            self.names.define(name, result)
        return result

    def _leave_name(self, value: Value, place: Place) -> None:
        """Note the name that a faulty node has, or would have if its kind were spelled correctly."""
        written = kind_of(value)
        kind = written if written in self.known else nearest(written, self.known) or written
        place.counts[kind] += 1
        name = value.get("name") if isinstance(value, Entries) else None
        if isinstance(name, Scalar):
            self.names.leave(place.full(name.text))
        else:
            self.names.leave(self.names.automatic(kind, place, is_layer=kind not in self.blocks))

    def _name(self, written: Written, place: Place) -> str | None:
        """Return the full name, or None in a numbered block."""
        kind = written.kind
        if written.name is not None:
            name = read_name(written.name, place.scope)
            return self.names.claim(place.full(name), written.name.location)
        if place.numbered:
            return None
        is_layer = kind.text not in self.blocks and written.repeat is None
        automatic = self.names.automatic(kind.text, place, is_layer=is_layer)
        return self.names.claim(automatic, kind.location, automatic=True)

    def _copies_of(self, written: Written, name: str | None, place: Place, current: str | None) -> str | None:
        given = self._given(written, written.value, place)
        if written.repeat is None:
            if written.first is not None:
                where = written.first.location
                raise SpecError(
                    Diagnostic("first", "'first' needs 'repeat'", where, "repeat: the number of copies")
                )
            return self._copy(written.kind, given, name, place, current)
        count = Whole(0).read(named("repeat", written.repeat, place.scope))
        first = given | self._given(written, written.first, place)
        if name is not None:
            self.groups[name] = f"{written.kind.text} x{count}"
        reported = 0
        copies = self._copy_names(written, name)
        for index in range(count):
            before = self._faults.reports
            copy = next(copies)
            current = self._copy(written.kind, given if index else first, copy, place, current)
            if copy is not None:
                self.names.define(copy, current)
            reported += self._faults.reports > before
            if reported > 1:
                # The remaining copies would have the same errors.
                return None
        return current

    def _copy_names(self, written: Written, name: str | None) -> Iterator[str | None]:
        """Yield the names of the copies; None in a numbered block."""
        if name is None:
            yield from repeat(None)
            return
        where = written.kind.location
        for each in self.names.copies(name, is_layer=written.kind.text not in self.blocks):
            yield self.names.claim(each, where, automatic=True)

    def _given(self, written: Written, value: Value | None, place: Place) -> dict[str, Argument]:
        kind = written.kind.text
        block = self.blocks.get(kind)
        main = block.main_argument if block else self._vocabulary.main_argument(kind)
        if self._vocabulary.is_join(kind) and not isinstance(value, Entries):
            main = "branches"
        return read_arguments(value, main, kind, place.scope)

    def _copy(
        self, kind: Scalar, given: dict[str, Argument], name: str | None, place: Place, current: str | None
    ) -> str | None:
        block = self.blocks.get(kind.text)
        if block is None:
            return self._kind(kind, given, name, place, current)
        return self._use_block(block, given, kind, name, place, current)

    def _use_block(
        self,
        block: Block,
        given: Mapping[str, Argument],
        used: Scalar,
        name: str | None,
        place: Place,
        current: str | None,
    ) -> str | None:
        where = used.location
        if block.name in place.blocks:
            chain = " -> ".join((*place.blocks, block.name))
            message = f"block '{block.name}' uses itself: {chain}"
            raise SpecError(Diagnostic("recursion", message, where, "another block"))
        self.used.add(block.name)
        self._count(_USE_WORK + len(given) + len(block.args), used)
        inner = place.deeper(where)._replace(
            prefix=name if name is not None else place.prefix,
            counts=Counter() if name is not None else place.counts,
            numbered=block.numbered or name is None,
            scope=self._bound(block, given, where),
            uses=(*place.uses, where),
            blocks=(*place.blocks, block.name),
        )
        if name is not None:
            self.groups.setdefault(name, block.name)
        self.names.reserve(block.names, inner)
        return self.sequence(block.layers, inner, current)

    def _bound(self, block: Block, given: Mapping[str, Argument], where: Location) -> Scope:
        """Return the scope inside a use; uses with the same arguments, such as copies, share it."""
        key = (block.name, *same_arguments(given))
        if key not in self._scopes:
            self._scopes[key] = block.bind(given, self._scope, where)
        return self._scopes[key]

    def _defaults_of(self, kind: str) -> dict[str, Argument]:
        """Return the default arguments of a kind, those of the kinds that it contains included."""
        own = self._defaults.get(kind, {})
        if not self._defaults:
            return own
        contained: dict[str, Argument] = {}
        for other, names in self._vocabulary.inherits(kind).items():
            defaults = self._defaults.get(other, {})
            contained |= {name: defaults[name] for name in names if name in defaults}
        return contained | own

    def _kind(
        self, kind: Scalar, given: dict[str, Argument], name: str | None, place: Place, current: str | None
    ) -> str | None:
        arguments = self._defaults_of(kind.text) | given
        self._count(_NODE_WORK + len(arguments), kind)
        shorthand = take_shorthand(arguments) if self._vocabulary.takes_shorthand(kind.text) else {}
        inputs: tuple[str | None, ...] = (current,)
        if self._vocabulary.is_join(kind.text):
            inputs = self._branches(arguments.pop("branches", None), kind, place, current)
        result = full = name if name is not None else self._numbered(place, kind)
        self._node(NodeSpec(full, kind.text, arguments, inputs, kind.location, place.uses))
        owner = full if name is not None else None
        for key, argument in shorthand.items():
            try:
                result = self._shorthand(key, argument, kind, owner, place, result)
            except SpecError as error:
                # Neither changes the shape, so the following nodes can be checked without it.
                self._faults.extend(error.diagnostics)
        return result

    def _numbered(self, place: Place, kind: Scalar) -> str:
        return self.names.claim(self.names.next_number(place), kind.location, automatic=True)

    def _node(self, node: NodeSpec) -> None:
        self.names.place(node.name)
        self.nodes.append(node)
        self.names.define(node.name, node.name)

    def _count(self, work: int, kind: Scalar) -> None:
        """Count more work.

        Raises:
            LimitError: there is too much work, or there are too many nodes.
        """
        self.work += work
        if self.work > MAX_EXPANSION or len(self.nodes) >= MAX_NODES:
            expected = f"at most {MAX_NODES:,} layers"
            raise LimitError(
                Diagnostic("limit", "the spec expands to too many layers", kind.location, expected)
            )

    def _shorthand(
        self, key: str, argument: Argument, kind: Scalar, owner: str | None, place: Place, current: str
    ) -> str:
        layer = read_shorthand(key, argument, self._vocabulary)
        if layer is None:
            return current
        arguments = self._defaults_of(layer.kind) | layer.arguments
        if owner is None:
            full = self._numbered(place, kind)
        else:
            full = self.names.claim(self.names.derived(owner, key), layer.location, automatic=True)
        self._node(NodeSpec(full, layer.kind, arguments, (current,), layer.location, place.uses))
        return full

    # -- joins -------------------------------------------------------------------------------------

    def _branches(
        self, argument: Argument | None, kind: Scalar, place: Place, current: str | None
    ) -> tuple[str | None, ...]:
        if argument is None or not isinstance(argument.value, Items) or not len(argument.value):
            where = kind.location if argument is None else argument.location
            received = "" if argument is None else describe(argument.value)
            message = f"'{kind.text}' needs branches"
            raise SpecError(Diagnostic("branches", message, where, "a list of branches", received))
        if len(argument.value) > MAX_BRANCHES:
            message = f"'{kind.text}' has too many branches"
            received = describe(argument.value)
            raise SpecError(
                Diagnostic("limit", message, argument.location, f"at most {MAX_BRANCHES}", received)
            )
        self._count(_BRANCH_WORK * len(argument.value), kind)
        inner = place.deeper(kind.location)
        return tuple(self._branch(each, inner, current) for each in argument.value)

    def _branch(self, value: Value, place: Place, current: str | None) -> str | None:
        if isinstance(value, Items):
            if len(value):
                return self.sequence(value, place, current)
            hint = "write 'identity' for the unchanged tensor"
            self._faults.add(
                Diagnostic("branches", "this branch is empty", value.location, "a list of layers", hint=hint)
            )
            return None
        if isinstance(value, Entries):
            return self._entry(value, place, current)
        try:
            if not value.is_null and interpolate(value, place.scope) == "identity":
                return current
            return self.names.resolve(value, place)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            return None

"""Document -> description: blocks and repeats unrolled, joins and names resolved, shorthand expanded.

Errors are collected, not raised: the name of a faulty node remains known, so that nodes that read it are not
reported too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Final

from cnncli.algebra import Dim
from cnncli.diagnostics import (
    Diagnostic,
    Faults,
    LimitError,
    Location,
    SpecError,
    nearest,
    shortened,
)
from cnncli.language.blocks import Block, check_kinds, read_blocks
from cnncli.language.defaults import read_defaults
from cnncli.language.description import (
    INPUT,
    OUTPUT,
    Description,
    HeadSpec,
    NodeSpec,
    Vocabulary,
    same_arguments,
)
from cnncli.language.document import Document
from cnncli.language.heads import read_head
from cnncli.language.names import NodeNames, Place
from cnncli.language.nodes import Written, kind_of, read_arguments, read_name, read_node, written_names
from cnncli.language.readers import Count, Sizes, Whole
from cnncli.language.scope import Argument, Scope, interpolate, named
from cnncli.language.shorthand import read_shorthand, take_shorthand
from cnncli.language.tree import Entries, Items, Scalar, Value, describe
from cnncli.limits import MAX_BRANCHES, MAX_EXPANSION, MAX_NODES, MAX_RENAMINGS, MAX_SPEC_NOTES

_ENTRY_WORK: Final = 5
_NODE_WORK: Final = 5
_USE_WORK: Final = 15
_BRANCH_WORK: Final = 5


def expand(document: Document, vocabulary: Vocabulary, faults: Faults) -> Description:
    """Return the nodes of a document. Errors are added to ``faults``.

    A written name may be found only after an automatic name has taken its place, since names inside a block
    depend on those around it. The document is then expanded again, and the automatic name steps aside.

    Raises:
        LimitError: the expansion exceeds a limit.
    """
    written: set[str] = set()
    work = 0
    for _ in range(MAX_RENAMINGS):
        found = Faults()
        expansion = _Expansion(document, vocabulary, found, written, work)
        try:
            description = expansion.run()
        except LimitError:
            faults.extend(found)
            raise
        if not expansion.names.is_late:
            faults.extend(found)
            faults.note(*found.notes)
            return description
        written |= expansion.names.claimed
        work = expansion.work
    message = f"automatic names collide with written ones, also after {MAX_RENAMINGS} attempts"
    raise LimitError(Diagnostic("limit", message, document.start, "fewer written names in blocks"))


class _Expansion:
    def __init__(
        self, document: Document, vocabulary: Vocabulary, faults: Faults, written: Iterable[str], work: int
    ) -> None:
        self._document = document
        self._vocabulary = vocabulary
        self._faults = faults
        templates = document.section("blocks")
        self._blocks = read_blocks(templates, vocabulary.kinds(), faults)
        # Ordered, since messages list them; faulty blocks included, since their uses are not wrong too.
        named = templates if isinstance(templates, Entries) else ()
        self._known: dict[str, Collection[str]] = {
            kind: vocabulary.arguments(kind) for kind in vocabulary.kinds()
        }
        for name in named:
            self._known.setdefault(name, self._blocks[name].args if name in self._blocks else ())
        self.names = NodeNames(self._known.keys(), written)
        self._nodes: list[NodeSpec] = []
        self._groups: dict[str, str] = {}
        self.work = work
        self._used: set[str] = set()
        self._named: set[str] = set()
        self._scopes: dict[tuple[object, ...], Scope] = {}
        self._defaults = read_defaults(document, vocabulary, faults)

    def run(self) -> Description:
        document = self._document
        place = Place("", Counter(), False, document.scope)
        size = self._input_size()
        heads_at = document.section("heads")
        if isinstance(heads_at, Entries):
            self.names.reserve(heads_at.keys_at.values(), place)
        last = self._trunk(place)
        heads = self._heads(place, last)
        unused = [block for block in self._blocks.values() if block.name not in self._used]
        for block in unused:
            check_kinds(block.layers, self._known, self._vocabulary, self._faults)
        if not len(self._faults):
            self._note_unused(unused)
        nodes = tuple(self._nodes)
        written = document.section("input")
        return Description(
            document.name,
            document.source,
            size,
            written.location if written is not None else document.start,
            nodes,
            heads,
            self._groups,
            document.unknown,
        )

    def _trunk(self, place: Place) -> str | None:
        layers = self._document.section("layers")
        if isinstance(layers, Items) and len(layers):
            self.names.reserve(written_names(layers), place)
            return self._sequence(layers, place, INPUT)
        self._missing("layers", layers, "layers: a list of layers")
        return None

    def _missing(self, section: str, value: Value | None, expected: str) -> None:
        if section not in self._document.at_fault:
            where = value.location if value is not None else self._document.start
            self._faults.add(Diagnostic(section, f"the spec has no {section}", where, expected))

    def _note_unused(self, blocks: Sequence[Block]) -> None:
        """Note the blocks of this file that no layer uses; one of a base may be used there only."""
        if any(block.name in self._named for block in blocks):
            return  # it is repeated 0 times, and may contain uses of the others
        templates = self._document.section("blocks")
        keys = templates.keys_at if isinstance(templates, Entries) else {}
        for block in islice(blocks, MAX_SPEC_NOTES):
            where = keys[block.name].location
            if where.source is self._document.source:
                message = f"no layer uses the block '{shortened(block.name)}'"
                self._faults.note(Diagnostic("unused-block", message, where, level="warning"))

    def _input_size(self) -> tuple[Dim, ...]:
        value = self._document.section("input")
        if value is None:
            self._missing("input", None, "input: [channels, height, width], or [features]")
            return ()
        try:
            return Sizes(Count()).read(named("input", value, self._document.scope))
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            return ()

    # -- nodes -------------------------------------------------------------------------------------

    def _sequence(self, layers: Items, place: Place, current: str | None) -> str | None:
        for value in layers:
            current = self._entry(value, place, current)
        return current

    def _entry(self, value: Value, place: Place, current: str | None) -> str | None:
        """Expand an entry of a list of nodes, with its copies; return the node whose output it means."""
        try:
            written = read_node(value, self._known)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            self._leave_name(value, place)
            return None
        self._count(_ENTRY_WORK, written.kind)
        self._named.add(written.kind.text)
        place.counts[written.kind.text] += 1
        name: str | None = None
        result: str | None = None
        try:
            name = self._name(written, place)
            source = self.names.resolve(written.source, place) if written.source is not None else current
            if written.kind.text in self._blocks or written.kind.text in self._vocabulary.kinds():
                result = self._copies_of(written, name, place, source)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
        if name is not None:
            self.names.define(name, result)
        return result

    def _leave_name(self, value: Value, place: Place) -> None:
        """Note the name that a faulty node has, or would have if its kind were spelled correctly."""
        written = kind_of(value)
        kind = written if written in self._known else nearest(written, self._known) or written
        place.counts[kind] += 1
        name = value.get("name") if isinstance(value, Entries) else None
        if isinstance(name, Scalar):
            self.names.leave(place.full(name.text))
        else:
            self.names.leave(self.names.automatic(kind, place, is_layer=kind not in self._blocks))

    def _name(self, written: Written, place: Place) -> str | None:
        """Return the full name, or None in a numbered block."""
        kind = written.kind
        if written.name is not None:
            name = read_name(written.name, place.scope)
            return self.names.claim(place.full(name), written.name.location)
        if place.numbered:
            return None
        is_layer = kind.text not in self._blocks and written.repeat is None
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
            self._groups[name] = f"{written.kind.text} x{count}"
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
        for each in self.names.copies(name, is_layer=written.kind.text not in self._blocks):
            yield self.names.claim(each, where, automatic=True)

    def _given(self, written: Written, value: Value | None, place: Place) -> dict[str, Argument]:
        kind = written.kind.text
        block = self._blocks.get(kind)
        main = block.main_argument if block else self._vocabulary.main_argument(kind)
        if self._vocabulary.is_join(kind) and not isinstance(value, Entries):
            main = "branches"
        return read_arguments(value, main, kind, place.scope)

    def _copy(
        self, kind: Scalar, given: dict[str, Argument], name: str | None, place: Place, current: str | None
    ) -> str | None:
        block = self._blocks.get(kind.text)
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
        self._used.add(block.name)
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
            self._groups.setdefault(name, block.name)
        self.names.reserve(block.names, inner)
        return self._sequence(block.layers, inner, current)

    def _bound(self, block: Block, given: Mapping[str, Argument], where: Location) -> Scope:
        """Return the scope inside a use; uses with the same arguments, such as copies, share it."""
        key = (block.name, *same_arguments(given))
        if key not in self._scopes:
            self._scopes[key] = block.bind(given, self._document.scope, where)
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
        self._nodes.append(node)
        self.names.define(node.name, node.name)

    def _count(self, work: int, kind: Scalar) -> None:
        """Count more work.

        Raises:
            LimitError: there is too much work, or there are too many nodes.
        """
        self.work += work
        if self.work > MAX_EXPANSION or len(self._nodes) >= MAX_NODES:
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
                return self._sequence(value, place, current)
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

    # -- heads -------------------------------------------------------------------------------------

    def _heads(self, trunk: Place, last: str | None) -> dict[str, HeadSpec]:
        section = self._document.section("heads")
        if not isinstance(section, Entries):
            return {OUTPUT: HeadSpec(last, training_only=False)}
        heads: dict[str, HeadSpec] = {}
        before = len(self._faults)
        for key, value in section.items():
            try:
                where = section.keys_at[key]
                name = self.names.claim(read_name(where, trunk.scope), where.location)
                heads[name] = self._head(name, value, trunk, last)
            except SpecError as error:
                self._faults.extend(error.diagnostics)
        if all(head.training_only for head in heads.values()) and len(self._faults) == before:
            message = "all heads are training-only" if heads else "'heads' is empty"
            expected = "at least one head without training_only, or no 'heads'"
            self._faults.add(Diagnostic("heads", message, section.location, expected))
        return heads

    def _head(self, name: str, value: Value, trunk: Place, last: str | None) -> HeadSpec:
        written = read_head(name, value, trunk.scope, self._faults)
        start = self.names.resolve(written.source, trunk) if written.source is not None else last
        self._groups[name] = "head"
        inner = trunk._replace(prefix=name, counts=Counter())
        self.names.reserve(written_names(written.layers), inner)
        return HeadSpec(self._sequence(written.layers, inner, start), written.training_only)

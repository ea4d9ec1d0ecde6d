"""Document -> description: blocks and repeats unrolled, joins and names resolved, sugar spelt out.

Faults are collected, not raised: a node at fault leaves its name behind, so that whatever reads it
is not reported as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, Related, SpecError, did_you_mean
from cnncli.spec.blocks import Block, read_blocks
from cnncli.spec.description import INPUT, Description, HeadSpec, NodeSpec, Vocabulary
from cnncli.spec.document import Document
from cnncli.spec.fields import Flag, Sizes, Whole
from cnncli.spec.nodes import Written, read_arguments, read_name, read_node
from cnncli.spec.scope import Argument, Scope, interpolate
from cnncli.spec.tree import Entries, Items, Scalar, Value, describe

MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 40
_SUGAR: Final = ("norm", "activation")
_NUMBER: Final = "#"
_HEAD_KEYS: Final = ("from", "layers", "training_only")


def expand(document: Document, vocabulary: Vocabulary, faults: list[Diagnostic]) -> Description:
    """The nodes of a document. What is wrong is appended to ``faults``.

    Raises:
        SpecError: the expansion passes a limit.
    """
    return _Expansion(document, vocabulary, faults).run()


class _Place(NamedTuple):
    """Where nodes are being written: the prefix of their names, the names in their expressions."""

    prefix: str
    counts: Counter[str]
    numbered: bool
    scope: Scope
    uses: tuple[Location, ...] = ()
    blocks: tuple[str, ...] = ()
    depth: int = 0

    def full(self, name: str) -> str:
        return f"{self.prefix}.{name}" if self.prefix else name

    def number(self) -> str:
        """The next name in a numbered block."""
        self.counts[_NUMBER] += 1
        return self.full(str(self.counts[_NUMBER] - 1))


class _Expansion:
    def __init__(self, document: Document, vocabulary: Vocabulary, faults: list[Diagnostic]) -> None:
        self._document = document
        self._vocabulary = vocabulary
        self._faults = faults
        self._blocks, wrong = read_blocks(document.section("blocks"), vocabulary.kinds())
        faults.extend(wrong)
        self._known = (*vocabulary.kinds(), *self._blocks)
        self._known_set = frozenset(self._known)
        self._nodes: list[NodeSpec] = []
        self._groups: dict[str, str] = {}
        # Every name that can be referred to, and the node that gives its value; None: at fault.
        self._defined: dict[str, str | None] = {INPUT: INPUT}
        self._named_at: dict[str, Location] = {}
        self._copies = 0
        self._defaults = self._read_defaults()

    def run(self) -> Description:
        document = self._document
        place = _Place("", Counter(), False, document.scope)
        layers = document.section("layers")
        if not isinstance(layers, Items) or not len(layers):
            where = layers.location if layers is not None else document.start
            self._faults.append(Diagnostic("layers", "the spec has no layers", where, "layers: a list of layers"))
            layers = None
        last = self._sequence(layers, place, INPUT) if layers is not None else None
        heads = self._heads(place, last)
        size = self._input_size()
        return Description(document.name, document.source, size, tuple(self._nodes), heads, self._groups)

    def _input_size(self) -> tuple[int, ...]:
        value = self._document.section("input")
        if value is None:
            expected = "input: [channels, height, width]"
            self._faults.append(Diagnostic("input", "the spec has no input size", self._document.start, expected))
            return ()
        try:
            size = Sizes().read(Argument(value, self._document.scope))
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            return ()
        if not 1 <= len(size) <= 4:
            expected = "[features], or [channels, ...] with one to three sizes"
            self._faults.append(Diagnostic("input", "no input has this form", value.location, expected, describe(value)))
            return ()
        return size

    def _read_defaults(self) -> dict[str, dict[str, Argument]]:
        section = self._document.section("defaults")
        defaults: dict[str, dict[str, Argument]] = {}
        for kind, value in section.items() if isinstance(section, Entries) else ():
            assert isinstance(section, Entries)
            where = section.keys_at[kind].location
            if kind not in self._vocabulary.kinds():
                hint = did_you_mean(kind, self._vocabulary.kinds())
                self._faults.append(Diagnostic("unknown-kind", f"unknown kind of layer '{kind}'", where, hint=hint))
                continue
            try:
                main = self._vocabulary.main_argument(kind)
                defaults[kind] = read_arguments(value, main, kind, self._document.scope)
            except SpecError as error:
                self._faults.extend(error.diagnostics)
        return defaults

    # -- nodes -------------------------------------------------------------------------------------

    def _sequence(self, layers: Items, place: _Place, current: str | None) -> str | None:
        for value in layers:
            current = self._entry(value, place, current)
        return current

    def _entry(self, value: Value, place: _Place, current: str | None) -> str | None:
        """One entry of a list of nodes, with its copies; the node that gives its value."""
        try:
            written = read_node(value, self._known_set)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            self._leave_name(value, place)
            return None
        place.counts[written.kind.text] += 1
        name: str | None = None
        try:
            name = self._name(written, place)
            source = self._resolve(written.source, place) if written.source is not None else current
            result = self._copies_of(written, name, place, source)
        except _TooLarge:
            raise
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            result = None
        if name is not None:
            self._defined[name] = result
        return result

    def _leave_name(self, value: Value, place: _Place) -> None:
        name = value.get("name") if isinstance(value, Entries) else None
        if isinstance(name, Scalar):
            self._defined.setdefault(place.full(name.text), None)

    def _name(self, written: Written, place: _Place) -> str | None:
        """The full name, or None where the place numbers its nodes."""
        if written.name is not None:
            name = place.full(read_name(written.name, place.scope))
            where = written.name.location
        elif place.numbered:
            return None
        else:
            name = place.full(f"{written.kind.text}{place.counts[written.kind.text]}")
            where = written.kind.location
        if name in self._named_at:
            related = (Related("it is given here first", self._named_at[name]),)
            raise SpecError(Diagnostic("duplicate-name", f"two nodes are named '{name}'", where, "another name", related=related))
        self._named_at[name] = where
        return name

    def _copies_of(self, written: Written, name: str | None, place: _Place, current: str | None) -> str | None:
        if written.repeat is None:
            if written.first is not None:
                where = written.first.location
                raise SpecError(Diagnostic("first", "'first' needs 'repeat'", where, "repeat: how many copies"))
            return self._copy(written, name, place, current, first=False)
        count = Whole(0, MAX_NODES).read(Argument(written.repeat, place.scope))
        if name is not None:
            self._groups[name] = f"{written.kind.text} x{count}"
        for index in range(count):
            copy = f"{name}.{index}" if name is not None else None
            current = self._copy(written, copy, place, current, first=index == 0)
            if copy is not None:
                self._defined[copy] = current
        return current

    def _copy(self, written: Written, name: str | None, place: _Place, current: str | None, *, first: bool) -> str | None:
        self._copies += 1
        if self._copies > MAX_NODES or len(self._nodes) > MAX_NODES:
            where = written.kind.location
            raise _TooLarge(Diagnostic("limit", "the spec expands to too many layers", where, f"at most {MAX_NODES:,}"))
        block = self._blocks.get(written.kind.text)
        main = block.main_argument if block else self._vocabulary.main_argument(written.kind.text)
        if self._vocabulary.is_join(written.kind.text) and isinstance(written.value, Items):
            main = "branches"
        given = read_arguments(written.value, main, written.kind.text, place.scope)
        if first and written.first is not None:
            given |= read_arguments(written.first, main, written.kind.text, place.scope)
        if block is not None:
            return self._use_block(block, given, written.kind, name, place, current)
        return self._kind(written.kind, given, name, place, current)

    def _use_block(
        self, block: Block, given: Mapping[str, Argument], used: Scalar, name: str | None, place: _Place, current: str | None
    ) -> str | None:
        where = used.location
        if block.name in place.blocks:
            chain = " -> ".join((*place.blocks, block.name))
            raise SpecError(Diagnostic("recursion", f"block '{block.name}' uses itself: {chain}", where))
        scope = block.bind(given, self._document.scope, where)
        inner = _Place(
            prefix=name if name is not None else place.prefix,
            counts=Counter() if name is not None else place.counts,
            numbered=block.numbered or name is None,
            scope=scope,
            uses=(*place.uses, where),
            blocks=(*place.blocks, block.name),
            depth=_deeper(place, where),
        )
        if name is not None:
            self._groups.setdefault(name, block.name)
        return self._sequence(block.layers, inner, current)

    def _kind(
        self, kind: Scalar, given: dict[str, Argument], name: str | None, place: _Place, current: str | None
    ) -> str | None:
        arguments = self._defaults.get(kind.text, {}) | given
        sugar = {}
        if self._vocabulary.takes_sugar(kind.text):
            sugar = {key: arguments.pop(key) for key in _SUGAR if key in arguments}
        inputs: tuple[str | None, ...] = (current,)
        if self._vocabulary.is_join(kind.text):
            inputs = self._branches(arguments.pop("branches", None), kind, place, current)
        full = name if name is not None else place.number()
        self._nodes.append(NodeSpec(full, kind.text, arguments, inputs, kind.location, place.uses))
        self._defined[full] = full
        result = full
        for key, argument in sugar.items():
            result = self._sugar(key, argument, full if name is not None else None, place, result)
        return result

    def _sugar(self, key: str, argument: Argument, owner: str | None, place: _Place, current: str) -> str:
        words = self._vocabulary.sugar(key)
        value = argument.value
        given: Value | None = None
        if isinstance(value, Entries) and len(value) == 1:
            word, given = next(iter(value.items()))
            where = value.keys_at[word].location
        elif isinstance(value, Scalar) and not value.is_null:
            word, where = interpolate(value, argument.scope), value.location
        else:
            raise SpecError(Diagnostic("value", f"this is no {key}", value.location, "one word", describe(value)))
        if word == "none":
            return current
        kind = words.get(word)
        if kind is None:
            hint = f"for the variable write ${word}" if word in argument.scope else did_you_mean(word, words)
            raise SpecError(Diagnostic("value", f"unknown {key} '{word}'", where, hint=hint))
        main = self._vocabulary.main_argument(kind)
        arguments = self._defaults.get(kind, {}) | read_arguments(given, main, kind, argument.scope)
        full = f"{owner}.{key}" if owner is not None else place.number()
        self._nodes.append(NodeSpec(full, kind, arguments, (current,), where, place.uses))
        self._defined[full] = full
        return full

    # -- joins and references ----------------------------------------------------------------------

    def _branches(
        self, argument: Argument | None, kind: Scalar, place: _Place, current: str | None
    ) -> tuple[str | None, ...]:
        if argument is None or not isinstance(argument.value, Items) or not len(argument.value):
            where = kind.location if argument is None else argument.location
            received = "" if argument is None else describe(argument.value)
            raise SpecError(Diagnostic("branches", f"'{kind.text}' needs branches", where, "a list of branches", received))
        inner = place._replace(depth=_deeper(place, kind.location))
        return tuple(self._branch(each, inner, current) for each in argument.value)

    def _branch(self, value: Value, place: _Place, current: str | None) -> str | None:
        if isinstance(value, Items):
            if not len(value):
                hint = "the tensor itself is written: identity"
                self._faults.append(Diagnostic("branches", "a branch without layers", value.location, "layers", hint=hint))
                return None
            return self._sequence(value, place, current)
        if isinstance(value, Entries):
            return self._entry(value, place, current)
        if not value.is_null and interpolate(value, place.scope) == "identity":
            return current
        try:
            return self._resolve(value, place)
        except SpecError as error:
            self._faults.extend(error.diagnostics)
            return None

    def _resolve(self, value: Value, place: _Place) -> str | None:
        """The node that a name refers to, looked up from the innermost prefix outwards."""
        if not isinstance(value, Scalar) or value.is_null:
            raise SpecError(Diagnostic("reference", "this names no node", value.location, "a node's name", describe(value)))
        name = interpolate(value, place.scope)
        prefix = place.prefix
        while prefix:
            full = f"{prefix}.{name}"
            if full in self._defined:
                return self._defined[full]
            prefix = prefix.rpartition(".")[0]
        if name in self._defined:
            return self._defined[name]
        hint = did_you_mean(name, self._defined)
        if name in self._known_set:
            hint = f"a layer is written in a list of its own: [{name}]"
        raise SpecError(Diagnostic("unknown-node", f"no node above is named '{name}'", value.location, hint=hint))

    # -- heads -------------------------------------------------------------------------------------

    def _heads(self, trunk: _Place, last: str | None) -> dict[str, HeadSpec]:
        section = self._document.section("heads")
        if not isinstance(section, Entries):
            return {"output": HeadSpec(last, training_only=False)}
        heads: dict[str, HeadSpec] = {}
        for name, value in section.items():
            key = section.keys_at[name]
            try:
                full = read_name(key, trunk.scope)
                if full in self._named_at:
                    related = (Related("it is given here first", self._named_at[full]),)
                    raise SpecError(Diagnostic("duplicate-name", f"'{full}' is a node already", key.location, "another name", related=related))
                heads[full] = self._head(full, value, trunk, last)
            except SpecError as error:
                self._faults.extend(error.diagnostics)
        if not any(not head.training_only for head in heads.values()) and heads:
            where = section.location
            self._faults.append(Diagnostic("heads", "every head is for training only", where, "one head that stays"))
        return heads

    def _head(self, name: str, value: Value, trunk: _Place, last: str | None) -> HeadSpec:
        place = _Place(name, Counter(), False, trunk.scope)
        self._groups[name] = "head"
        if isinstance(value, Items):
            return HeadSpec(self._sequence(value, place, last), training_only=False)
        if not isinstance(value, Entries):
            expected = "a list of layers, or a mapping with 'from' and 'layers'"
            raise SpecError(Diagnostic("heads", f"head '{name}' has the wrong form", value.location, expected))
        for key in value:
            if key not in _HEAD_KEYS:
                hint = did_you_mean(key, _HEAD_KEYS)
                self._faults.append(Diagnostic("heads", f"unknown key '{key}'", value.keys_at[key].location, hint=hint))
        start = self._resolve(value["from"], trunk) if "from" in value else last
        only = Flag().read(Argument(value["training_only"], trunk.scope)) if "training_only" in value else False
        layers = value.get("layers", Items((), value.location))
        if not isinstance(layers, Items):
            raise SpecError(Diagnostic("heads", "'layers' has the wrong form", layers.location, "a list of layers"))
        return HeadSpec(self._sequence(layers, place, start), only)


class _TooLarge(SpecError):
    """A limit was passed: nothing that follows would mean anything."""


def _deeper(place: _Place, where: Location) -> int:
    if place.depth >= MAX_DEPTH:
        raise SpecError(Diagnostic("limit", "blocks and branches are nested too deeply", where, f"at most {MAX_DEPTH} levels"))
    return place.depth + 1

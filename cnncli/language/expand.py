"""Document -> description: the trunk and the heads, unrolled and named.

Errors are collected, not raised, so that all of them are reported together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from cnncli.algebra import Dim
from cnncli.diagnostics import Diagnostic, Faults, LimitError, SpecError, shortened
from cnncli.language.blocks import Block, check_kinds
from cnncli.language.description import INPUT, OUTPUT, Description, HeadSpec, Vocabulary
from cnncli.language.document import Document
from cnncli.language.heads import read_head
from cnncli.language.names import Place
from cnncli.language.nodes import read_name, written_names
from cnncli.language.readers import Count, Sizes
from cnncli.language.scope import named
from cnncli.language.tree import Entries, Items, Value
from cnncli.language.unrolling import Unrolling
from cnncli.limits import MAX_RENAMINGS, MAX_SPEC_NOTES


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
        layers = Unrolling(document, vocabulary, found, written, work)
        try:
            description = _Expansion(document, vocabulary, found, layers).run()
        except LimitError:
            faults.extend(found)
            raise
        if not layers.names.is_late:
            faults.extend(found)
            faults.note(*found.notes)
            return description
        written |= layers.names.claimed
        work = layers.work
    message = f"automatic names collide with written ones, also after {MAX_RENAMINGS} attempts"
    raise LimitError(Diagnostic("limit", message, document.start, "fewer written names in blocks"))


class _Expansion:
    def __init__(self, document: Document, vocabulary: Vocabulary, faults: Faults, layers: Unrolling) -> None:
        self._document = document
        self._vocabulary = vocabulary
        self._faults = faults
        self._layers = layers

    def run(self) -> Description:
        document = self._document
        place = Place("", Counter(), False, document.scope)
        size = self._input_size()
        heads_at = document.section("heads")
        if isinstance(heads_at, Entries):
            self._layers.names.reserve(heads_at.keys_at.values(), place)
        last = self._trunk(place)
        heads = self._heads(place, last)
        unused = [block for block in self._layers.blocks.values() if block.name not in self._layers.used]
        for block in unused:
            check_kinds(block.layers, self._layers.known, self._vocabulary, self._faults)
        if not len(self._faults):
            self._note_unused(unused)
        nodes = tuple(self._layers.nodes)
        written = document.section("input")
        return Description(
            document.name,
            document.source,
            size,
            written.location if written is not None else document.start,
            nodes,
            heads,
            self._layers.groups,
            document.unknown,
        )

    def _trunk(self, place: Place) -> str | None:
        layers = self._document.section("layers")
        if isinstance(layers, Items) and len(layers):
            self._layers.names.reserve(written_names(layers), place)
            return self._layers.sequence(layers, place, INPUT)
        self._missing("layers", layers, "layers: a list of layers")
        return None

    def _missing(self, section: str, value: Value | None, expected: str) -> None:
        if section not in self._document.at_fault:
            where = value.location if value is not None else self._document.start
            self._faults.add(Diagnostic(section, f"the spec has no {section}", where, expected))

    def _note_unused(self, blocks: Sequence[Block]) -> None:
        """Note the blocks of this file that no layer uses; one of a base may be used there only."""
        if any(block.name in self._layers.named for block in blocks):
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

    def _heads(self, trunk: Place, last: str | None) -> dict[str, HeadSpec]:
        section = self._document.section("heads")
        if not isinstance(section, Entries):
            return {OUTPUT: HeadSpec(last, training_only=False)}
        heads: dict[str, HeadSpec] = {}
        before = len(self._faults)
        for key, value in section.items():
            try:
                where = section.keys_at[key]
                name = self._layers.names.claim(read_name(where, trunk.scope), where.location)
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
        start = self._layers.names.resolve(written.source, trunk) if written.source is not None else last
        self._layers.groups[name] = "head"
        inner = trunk._replace(prefix=name, counts=Counter())
        self._layers.names.reserve(written_names(written.layers), inner)
        return HeadSpec(self._layers.sequence(written.layers, inner, start), written.training_only)

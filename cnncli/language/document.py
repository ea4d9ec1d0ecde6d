"""A spec file as written: its sections after ``extends`` and ``--set``, each still located."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.algebra import is_symbol
from cnncli.diagnostics import (
    Diagnostic,
    Faults,
    Location,
    Source,
    SpecError,
    UsageError,
    counted,
    did_you_mean,
    nearest,
    shortened,
    usage_error,
)
from cnncli.language import merging, shipped
from cnncli.language.files import SUFFIXES, resolved
from cnncli.language.parsing import parse
from cnncli.language.reading import read_source, within
from cnncli.language.scope import Scope, interpolate
from cnncli.language.tree import Entries, Items, Scalar, Value, describe, sources_of
from cnncli.limits import MAX_EXTENDS, MAX_FILE_BYTES, MAX_NAME

SECTIONS: Final[dict[str, tuple[type, str]]] = {
    "name": (Scalar, "a string"),
    "extends": (Scalar, "the file to start from, relative to this one"),
    "input": (Items, "a list: [channels, height, width] or [features]"),
    "vars": (Entries, "a mapping from names to values"),
    "defaults": (Entries, "a mapping from kinds to arguments"),
    "blocks": (Entries, "a mapping from names to blocks"),
    "layers": (Items, "a list of layers"),
    "heads": (Entries, "a mapping from names to heads"),
    "train": (Entries, "a mapping of training settings"),
    "pretrain": (Entries, "a mapping of settings of a layer-wise pretraining"),
    "budget": (Entries, "a mapping from figures to their limits"),
    "paper": (Entries, "a mapping of authors, year, title and figures"),
}


class Document(NamedTuple):
    """The merged sections of a spec, and the scope of its variables.

    ``at_fault`` are sections with the wrong form or a misspelled name: they are missing, but were already
    reported. ``unknown`` are the variables that are symbols in ``scope``; in ``numbers`` they have the
    numbers of the spec. ``overridden`` are the names that overrides set.
    """

    name: str
    source: Source
    entries: Entries
    scope: Scope
    at_fault: frozenset[str]
    numbers: Scope
    unknown: tuple[str, ...] = ()
    overridden: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Document {self.source.name}: {', '.join(self.entries)}>"

    def section(self, key: str) -> Value | None:
        """Return the section with this name, or None."""
        return self.entries.get(key)

    def with_input(self, shape: Sequence[int]) -> Document:
        """Return the document with numbers in place of what its ``input`` is."""
        place = self.entries["input"].location if "input" in self.entries else self.start
        key = self.entries.keys_at.get("input") or Scalar("input", True, *place)
        sizes = Items(tuple(Scalar(str(size), True, *place) for size in shape), place)
        changed = Entries(
            {**self.entries, key.text: sizes}, self.entries.keys_at | {key.text: key}, self.entries.place
        )
        return self._replace(entries=changed)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the sources of all values: first the spec, then what it extends, and options."""
        return tuple(dict.fromkeys((self.source.name, *sources_of(self.entries))))

    @property
    def start(self) -> Location:
        """The first line of the file, for errors without a better place."""
        return Location(self.source, 1, 1, max(len(self.source.line(1)), 1))


def load(path: str | Path, overrides: Iterable[str], faults: Faults, unknown: Sequence[str] = ()) -> Document:
    """Read the document in a file, follow ``extends`` and apply the overrides of ``--set``.

    ``path`` may be the name of a shipped spec (:mod:`cnncli.language.shipped`). ``unknown`` names the
    variables that become symbols of the same names. Duplicate keys, unknown sections and sections with the
    wrong form are added to ``faults``.

    Raises:
        UsageError: the file does not exist or cannot be read, an override is wrong, or one of ``unknown``
            is not a variable with a whole number.
        SpecError: the text is not YAML, or not a spec.
    """
    path = shipped.located(path)
    return _document(read_source(path), overrides, faults, path, unknown)


def from_source(
    source: Source, overrides: Iterable[str], faults: Faults, unknown: Sequence[str] = ()
) -> Document:
    """Read a document from a text, as :func:`load` does from a file; ``extends`` is not available."""
    return _document(source, overrides, faults, None, unknown)


def varied(
    document: Document, overrides: Iterable[str], faults: Faults, unknown: Sequence[str] = ()
) -> Document:
    """Return a document with more overrides and other symbolic variables; its files are not read again."""
    return _completed(document, overrides, faults, unknown)


def _document(
    source: Source, overrides: Iterable[str], faults: Faults, path: Path | None, unknown: Sequence[str]
) -> Document:
    chain = None if path is None else _Chain(path, path, (), MAX_FILE_BYTES).then(path, source)
    entries, at_fault = _merged(source, chain, faults)
    read = Document("", source, entries, Scope(), at_fault, Scope())
    return _completed(read, overrides, faults, unknown)


def _completed(
    document: Document, overrides: Iterable[str], faults: Faults, unknown: Sequence[str]
) -> Document:
    """Apply overrides to the sections of a document, and evaluate its variables and its name."""
    source, entries = document.source, document.entries
    given = list(overrides)
    if given:
        # Imported here because few commands are given any.
        from cnncli.language.overrides import overridden  # noqa: PLC0415

        entries = overridden(entries, given, faults)
    variables = entries.get("vars")
    own = variables if isinstance(variables, Entries) else None
    scope = numbers = Scope.of(own) if own is not None else Scope()
    # A name is a string, so it is computed from the numbers of the spec.
    name = _name(entries, source, numbers, faults)
    if unknown:
        scope = Scope.with_unknown(_checked_unknown(own, unknown, numbers, source), unknown)
    names = frozenset(text.partition("=")[0].strip() for text in given) | document.overridden
    symbols = tuple(dict.fromkeys(unknown))
    return Document(name, source, entries, scope, document.at_fault, numbers, symbols, names)


def _checked_unknown(own: Entries | None, unknown: Sequence[str], scope: Scope, source: Source) -> Entries:
    """Return the variables, after checking that those in ``unknown`` exist and have whole numbers.

    Raises:
        UsageError: one does not.
    """
    for name in unknown:
        if own is None or name not in own:
            what = "no variables" if own is None else f"no variable '{name}'"
            raise usage_error(f"'{source.name}' has {what}", hint=did_you_mean(name, own or (), "variables"))
        if not is_symbol(name):
            expected = "letters from a to z, digits and underscores, and not a Python keyword"
            raise usage_error(f"'{name}' cannot be the name of a symbol", expected=expected)
        if not _is_whole(name, scope):
            received = describe(own[name])
            message = f"'{name}' cannot be symbolic"
            raise usage_error(message, expected="a variable with a whole number", received=received)
    assert own is not None
    return own


def _is_whole(name: str, scope: Scope) -> bool:
    """Return whether a variable's value is a whole number."""
    try:
        value = scope.result(name)
    except SpecError:
        return False  # a word, for example
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def _name(entries: Entries, source: Source, scope: Scope, faults: Faults) -> str:
    written = entries.get("name")
    if isinstance(written, Scalar):
        try:
            name = interpolate(written, scope)
            if name.strip() and len(name) <= MAX_NAME:
                return name
            fault = "too long" if name.strip() else "empty"
            expected = f"at most {MAX_NAME} characters" if name.strip() else "a name"
            faults.add(Diagnostic("name", f"the name of the network is {fault}", written.location, expected))
        except SpecError as error:
            faults.extend(error.diagnostics)
    return Path(source.name).stem


class _Chain(NamedTuple):
    """The files that extend one another so far, and how many bytes the next may have.

    ``spec`` is the one that a person named, or the last that is named as a shipped spec: its folder and
    repository are where the others must lie. ``path`` is the last; ``files`` are all, without links.
    """

    spec: Path
    path: Path
    files: tuple[Path, ...]
    left: int

    def then(self, path: Path, source: Source) -> _Chain:
        """Return the chain with one more file."""
        return _Chain(self.spec, path, (*self.files, resolved(path)), self.left - len(source.text.encode()))


def _merged(source: Source, chain: _Chain | None, faults: Faults) -> tuple[Entries, frozenset[str]]:
    """Return the sections of a text merged over those of its base, and the names of faulty sections."""
    root = parse(source, faults)
    if not isinstance(root, Entries):
        expected = "a mapping with 'input' and 'layers'"
        raise SpecError(Diagnostic("spec", "this is not a spec", root.location, expected, describe(root)))
    sections, at_fault = _checked_sections(root, faults)
    written = sections.get("extends")
    if written is None:
        return sections, at_fault
    assert isinstance(written, Scalar)
    base, below = _base(written, chain, faults)
    _note_other_axes(base.get("input"), sections.get("input"), faults)
    # Without a name of its own, a spec has the name of its file, not that of its base.
    merged = merging.merged(base.without("name"), sections).without("extends")
    if "vars" in sections:
        from cnncli.language.usage import check_new_variables  # noqa: PLC0415 - few files add variables

        check_new_variables(base, sections, merged, faults)
    if "blocks" in sections:
        from cnncli.language.usage import check_new_blocks  # noqa: PLC0415 - few files add blocks

        check_new_blocks(base, sections, merged, faults)
    return merged, at_fault | below


def _note_other_axes(base: Value | None, own: Value | None, faults: Faults) -> None:
    """Note that an input has another number of axes than the base's: rare, but written on purpose."""
    if isinstance(base, Items) and isinstance(own, Items) and len(base) != len(own):
        message = f"the input has {counted(len(own), 'number')}, that of the base has {len(base)}"
        faults.note(Diagnostic("input", message, own.location, level="note"))


def _base(written: Scalar, chain: _Chain | None, faults: Faults) -> tuple[Entries, frozenset[str]]:
    where = written.location
    if chain is None:
        message = "only a spec in a file can extend another"
        raise SpecError(Diagnostic("extends", message, where, "a spec without 'extends'"))
    known = shipped.specs().get(written.text)
    base = known or chain.path.parent / written.text
    if base.suffix not in SUFFIXES or Path(written.text).is_absolute():
        expected = "a relative path that ends in .yaml, or the name of a shipped spec"
        hint = did_you_mean(written.text, shipped.specs(), "shipped specs")
        message = f"cannot extend '{shortened(written.text)}'"
        raise SpecError(Diagnostic("extends", message, where, expected, hint=hint))
    if known is not None:
        chain = chain._replace(spec=known)
    elif not within(base, chain.spec):
        message = f"'{shortened(written.text)}' is outside of the folder of this spec"
        expected = "a file of the same git repository, or below the working directory"
        hint = "run cnncli in a folder that contains both"
        raise SpecError(Diagnostic("extends", message, where, expected, hint=hint))
    if resolved(base) in chain.files:
        message = f"circular 'extends': '{written.text}' leads back to itself"
        raise SpecError(Diagnostic("extends", message, where, "a file that does not extend this one"))
    if len(chain.files) > MAX_EXTENDS:
        message = "too many files extend one another"
        raise SpecError(Diagnostic("limit", message, where, f"at most {MAX_EXTENDS}"))
    try:
        source = read_source(base, most=max(chain.left, 0), extended=known is None)
    except UsageError as error:
        first = error.diagnostics[0]
        fault = Diagnostic("extends", first.message, where, first.expected, first.received, first.hint)
        raise SpecError(fault) from None
    return _merged(source, chain.then(base, source), faults)


def _checked_sections(root: Entries, faults: Faults) -> tuple[Entries, frozenset[str]]:
    """Return the sections without the faulty ones, and the names of the latter."""
    good: dict[str, Value] = {}
    at_fault: set[str] = set()
    for key, value in root.items():
        if key not in SECTIONS:
            message = f"unknown section '{shortened(key)}'"
            hint = did_you_mean(key, SECTIONS, "sections")
            faults.add(Diagnostic("unknown-section", message, root.keys_at[key].location, hint=hint))
            at_fault.add(nearest(key, SECTIONS) or key)
            continue
        form, expected = SECTIONS[key]
        if isinstance(value, form) and not (isinstance(value, Scalar) and value.is_null):
            good[key] = value
            continue
        message = f"'{key}' has the wrong form"
        faults.add(Diagnostic("section", message, value.location, expected, describe(value)))
        at_fault.add(key)
    return Entries(good, root.keys_at, root.place), frozenset(at_fault - good.keys())

"""Load a spec file into a graph, and report all errors of the file together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cnncli.algebra import symbol, symbols_of
from cnncli.diagnostics import (
    Diagnostic,
    Faults,
    LimitError,
    ShapeError,
    Source,
    SpecError,
    UsageError,
    WorkError,
    usage_error,
)
from cnncli.graph.build import build
from cnncli.graph.graph import Graph
from cnncli.graph.heads import clean_shape, endings_of, remarks, unknown_head, wrong_tasks
from cnncli.graph.input import Size, check_size, input_shape
from cnncli.graph.normalization import wrong_synchronization
from cnncli.graph.transforms import wrong_margin, wrong_transforms
from cnncli.language.description import Description
from cnncli.language.document import Document, from_source, load, varied
from cnncli.language.expand import expand
from cnncli.language.fields import Record
from cnncli.language.parsing import parse
from cnncli.language.reading import read_source
from cnncli.language.scope import Scope
from cnncli.language.sections import Budget, Paper
from cnncli.language.tree import Entries, Items, Scalar, Value, describe, location_of
from cnncli.layers import KindVocabulary, Shape
from cnncli.layers.geometry.sliding import axis_symbols
from cnncli.layers.plugins import load_installed
from cnncli.recipe.metrics import head_of
from cnncli.recipe.pretraining import Pretraining
from cnncli.recipe.recipe import Recipe
from cnncli.work import metered

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain

R = TypeVar("R", bound=Record)


class Opened(NamedTuple):
    """A spec, read and checked: its graph, its settings, its budget, the paper it comes from.

    ``in_numbers`` names the sections that cannot be read with symbolic variables; they were read with the
    numbers that the spec gives those variables.
    """

    document: Document
    graph: Graph
    train: Recipe
    pretrain: Pretraining
    budget: Budget
    paper: Paper | None
    in_numbers: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Opened {self.document.source.name}: {self.graph!r}>"


def open_spec(
    path: str | Path,
    *,
    size: Size = None,
    overrides: Iterable[str] = (),
    unknown: Sequence[str] = (),
    domain: Domain | None = None,
) -> Opened:
    """Read a spec file.

    ``size`` replaces the spec's input size, or computes one from it (:func:`all_sizes`); sizes may be
    symbols. ``overrides`` are ``var=value`` texts. ``unknown`` names variables that become symbols: integers
    of at least 1, which ``domain`` may restrict further.

    Raises:
        SpecError: with all errors of the file, in the order of the file.
        ShapeError: the same, if all errors are about shapes.
        UsageError: the file cannot be read; ``size`` or an override is wrong; one of ``unknown`` is not an
            integer variable, or has the name of an unknown size.
        WorkError: the spec takes too much work.
    """
    return _open(lambda faults: load(path, overrides, faults, unknown), size, domain)


def open_text(
    text: str,
    *,
    name: str = "<text>",
    size: Size = None,
    overrides: Iterable[str] = (),
    unknown: Sequence[str] = (),
    domain: Domain | None = None,
) -> Opened:
    """Read a spec from a text, as :func:`open_spec` does from a file; ``extends`` is not available."""
    source = Source(name, text.removeprefix("\ufeff"))
    return _open(lambda faults: from_source(source, overrides, faults, unknown), size, domain)


def open_again(
    document: Document,
    *,
    size: Size = None,
    overrides: Iterable[str] = (),
    unknown: Sequence[str] = (),
    domain: Domain | None = None,
) -> Opened:
    """Read an opened spec with more overrides, as :func:`open_spec` does, but not its files again."""
    return _open(lambda faults: varied(document, overrides, faults, unknown), size, domain)


def all_sizes(size: Shape) -> Shape:
    """Return the same input shape with a symbol for the size along every axis."""
    return (*size[:1], *map(symbol, axis_symbols(len(size) - 1)))


@metered()
def _open(read: Callable[[Faults], Document], size: Size, domain: Domain | None) -> Opened:
    check_size(size)
    faults = Faults()
    fatal: tuple[Diagnostic, ...] = ()
    try:
        opened = _read(read(faults), size, domain, faults)
        if opened is not None:
            return opened
    except WorkError as error:
        # Not an error of this spec alone: what tries several must not take it for one that is refused.
        raise WorkError((*faults.in_order(), *error.diagnostics)) from None
    except (SpecError, LimitError) as error:
        fatal = error.diagnostics
    found = (*faults.in_order(), *fatal)
    kind = ShapeError if all(fault.code == "shape" for fault in found) else SpecError
    raise kind((*found, *faults.notes))


def _read(document: Document, size: Size, domain: Domain | None, faults: Faults) -> Opened | None:
    """Read the document's sections and build its graph; None if it has errors."""
    in_numbers: set[str] = set()
    train = _section(Recipe, document, faults, in_numbers)
    pretrain = _section(Pretraining, document, faults, in_numbers)
    budget = _section(Budget, document, faults, in_numbers)
    paper = None
    if document.section("paper") is not None:
        paper = _section(Paper, document, faults, in_numbers)
    graph = _graph(document, size, domain, faults)
    if graph is None:
        return None
    assert train is not None
    assert pretrain is not None
    assert budget is not None
    _check_learning(document.section(Recipe.keyword), graph, train, faults)
    if size is None or callable(size):  # a recipe is one for the spec's own input
        _check_recipe(document.section(Recipe.keyword), graph, train, faults)
    if len(faults):
        return None
    if not graph.unknowns:
        faults.note(*remarks(graph))
    _note_unused(document, faults)
    graph = graph._replace(notes=faults.notes)
    sizes = [each for each in graph.input if isinstance(each, int)]
    if size is not None and len(sizes) == len(graph.input):
        document = document.with_input(sizes)  # what is trained is recorded, and opened again
    return Opened(document, graph, train, pretrain, budget, paper, frozenset(in_numbers))


def _graph(document: Document, size: Size, domain: Domain | None, faults: Faults) -> Graph | None:
    if not document.unknown:
        description = _expand(document, faults)
        return build(description, input_shape(description, size, faults), faults)
    # Imported here because few commands need it.
    from cnncli.graph.unknowns import Unknowns  # noqa: PLC0415

    unknowns = Unknowns(domain)
    with unknowns.domain.applied():
        description = _expand(document, faults)
    wanted = input_shape(description, size, faults)
    if size is not None:
        _refuse_twice(document.unknown, wanted)
    return build(description, wanted, faults, unknowns)


def _refuse_twice(variables: Iterable[str], size: Shape) -> None:
    """Check that no symbol is both a size and a variable.

    Raises:
        UsageError: one is.
    """
    for name in variables:
        if any(name in symbols_of(dim) for dim in size):
            raise usage_error(f"'{name}' is both a variable and a size", expected="two different names")


def _expand(document: Document, faults: Faults) -> Description:
    vocabulary = KindVocabulary()
    found = Faults()
    description: Description | LimitError
    try:
        description = expand(document, vocabulary, found)
    except LimitError as error:
        description = error
    # Searching for installed plug-ins takes longer than reading a spec, so only if a kind is unknown.
    if any(fault.code == "unknown-kind" for fault in found) and _plugins_help(faults):
        return expand(document, vocabulary, faults)
    faults.extend(found)
    if not len(faults):
        faults.note(*found.notes)
    if isinstance(description, LimitError):
        raise description
    return description


def _plugins_help(faults: Faults) -> bool:
    """Return whether installed plug-ins add kinds; report a broken one with the errors of the file."""
    try:
        found = load_installed()
    except UsageError as error:
        faults.extend(error.diagnostics)
        return False
    faults.note(*found.notes)
    return found.added


def _section(record: type[R], document: Document, faults: Faults, in_numbers: set[str]) -> R | None:
    """Read the section of the record's keyword, or return the record's defaults if it is missing.

    A section that cannot be read with symbolic variables is read with numbers, and noted in ``in_numbers``.
    """
    entries = document.section(record.keyword)
    if not isinstance(entries, Entries):
        return record()
    try:
        return record.read_entries(entries, document.scope)
    except SpecError as error:
        if not document.unknown:
            faults.extend(error.diagnostics)
            return None
    in_numbers.add(record.keyword)
    return _section(record, document._replace(scope=document.numbers, unknown=()), faults, in_numbers)


def _note_unused(document: Document, faults: Faults) -> None:
    """Note the variables that this file, or an override, sets and that nothing reads.

    A variable of a base may be read there only: this file can replace the layers that did.
    """
    variables = document.section("vars")
    read = document.scope.read
    if not isinstance(variables, Entries) or read >= variables.keys():
        return
    own = {name for name, key in variables.keys_at.items() if key.location.source is document.source}
    unread = (own | document.overridden) - read
    if not unread:
        return
    from cnncli.language.usage import note_unread  # noqa: PLC0415 - few specs have such variables

    note_unread([name for name in variables if name in unread], document.entries, faults)


def _check_recipe(section: Value | None, graph: Graph, recipe: Recipe, faults: Faults) -> None:
    """Check that tasks and metrics name heads, tasks suit what these output, and transforms the input."""
    if not isinstance(section, Entries):
        return
    tasks = section.get("tasks")
    if isinstance(tasks, Entries):
        for name, fault in wrong_tasks(recipe.tasks, endings_of(graph), clean_shape(recipe, graph.input)):
            faults.add(fault._replace(location=tasks.keys_at[name].location))
    for path, figure in recipe.watched.items():
        unknown = unknown_head(path[0], head_of(figure), endings_of(graph)) if head_of(figure) else None
        if unknown is not None:
            faults.add(unknown._replace(location=location_of(section, path)))
    for path, fault in (*wrong_margin(recipe, graph.input), *wrong_synchronization(recipe, graph)):
        faults.add(fault._replace(location=location_of(section, path)))
    clean = clean_shape(recipe, graph.input)
    for name, chosen, shape in (
        ("transforms", recipe.transforms, clean),
        ("corrupt", recipe.corrupt, graph.input),
    ):
        transforms = section.get(name)
        if isinstance(transforms, Items):
            for place, fault in wrong_transforms(chosen, shape):
                entry = transforms.values[place]
                key = next(iter(entry.keys_at.values())) if isinstance(entry, Entries) else entry
                faults.add(fault._replace(location=key.location))


def _check_learning(section: Value | None, graph: Graph, recipe: Recipe, faults: Faults) -> None:
    """Check that every group has an effect, and that something is learned by the optimizer."""
    if recipe.learns_alike:
        return
    # Imported here because most recipes have no such settings.
    from cnncli.graph.learning import wrong_groups, wrong_learning  # noqa: PLC0415

    assert isinstance(section, Entries)
    groups = section.get("groups")
    for place, fault in wrong_groups(graph, recipe):
        assert isinstance(groups, Items)
        entry = groups.values[place]
        assert isinstance(entry, Entries)
        faults.add(fault._replace(location=location_of(entry, ["match"])))
    for name, fault in wrong_learning(graph, recipe):
        faults.add(fault._replace(location=location_of(section, [name])))


def read_budget(path: str | Path) -> Budget:
    """Read the limits in a YAML file: a mapping of limits, or a mapping with a ``budget`` section.

    Raises:
        CnncliError: the file cannot be read, or a limit is unknown or not a number, or there are no limits.
    """
    return _read_file(Budget, path)


class Chosen(NamedTuple):
    """A recipe and the merged section that it was read from; None if everything is a default."""

    recipe: Recipe
    section: Entries | None


@metered()
def read_recipe(opened: Opened, path: str | Path | None = None, overrides: Iterable[str] = ()) -> Chosen:
    """Read the recipe of an opened spec, a YAML file over it, and ``train.NAME=VALUE`` texts over both.

    The file is a mapping of settings, or a mapping with a ``train`` section. What it does not say is as in
    the spec.

    Raises:
        CnncliError: the file cannot be read or is empty, or a setting is unknown or wrong.
    """
    from cnncli.language.merging import merged  # noqa: PLC0415 - few commands have such a file
    from cnncli.language.overrides import overridden  # noqa: PLC0415

    faults = Faults()
    sections = opened.document.entries
    if path is not None:
        chosen = _section_of_file(Recipe, path, faults)
        key = Scalar(Recipe.keyword, True, *chosen.location)
        over = Entries({Recipe.keyword: chosen}, {Recipe.keyword: key}, chosen.place)
        sections = merged(sections, over)
    section = overridden(sections, overrides, faults).get(Recipe.keyword)
    if not isinstance(section, Entries):
        return Chosen(Recipe(), None)
    recipe = _read_section(Recipe, section, opened.document.scope, faults)
    _check_learning(section, opened.graph, recipe, faults)
    _check_recipe(section, opened.graph, recipe, faults)
    if faults:
        raise SpecError(faults.in_order())
    return Chosen(recipe, section)


@metered()
def _read_file(record: type[R], path: str | Path) -> R:
    """Read a file that contains one section, with or without its keyword at the top."""
    faults = Faults()
    return _read_section(record, _section_of_file(record, path, faults), Scope(), faults)


def _section_of_file(record: type[R], path: str | Path, faults: Faults) -> Entries:
    section = record.keyword
    root = parse(read_source(path, (section, *record.arguments)), faults)
    entries = root.get(section, root) if isinstance(root, Entries) else root
    if not isinstance(entries, Entries) or not entries.pairs:
        expected = f"a mapping with some of {', '.join(record.arguments)}"
        message = f"this file has no '{section}' section"
        raise SpecError(Diagnostic(section, message, entries.location, expected, describe(entries)))
    return entries


def _read_section(record: type[R], entries: Entries, scope: Scope, faults: Faults) -> R:
    try:
        read = record.read_entries(entries, scope)
    except SpecError as error:
        faults.extend(error.diagnostics)
    if len(faults):
        raise SpecError(faults.in_order())
    return read

"""Write the generated pages ``docs/layers.md`` and ``docs/networks.md``, and tables in other pages.

python scripts/make_docs.py            write them
python scripts/make_docs.py --check    exit with 1 if one is out of date
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from cnncli import limits
from cnncli.analysis.specs import Entry, catalog
from cnncli.diagnostics import listing, readable_bytes
from cnncli.language import shipped
from cnncli.language.fields import Record
from cnncli.language.nested import OneOf
from cnncli.language.sections import Paper
from cnncli.layers import KINDS, Kind, shape_text
from cnncli.recipe.averaging import AVERAGES
from cnncli.recipe.clipping import CLIPS
from cnncli.recipe.data import RESIZE_RULES, SOURCES, Data
from cnncli.recipe.groups import Group
from cnncli.recipe.losses import LOSSES
from cnncli.recipe.metrics import METRICS
from cnncli.recipe.optimizers import OPTIMIZERS
from cnncli.recipe.penalty import Penalty
from cnncli.recipe.pretraining import Pretraining
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.resolution import Resolution
from cnncli.recipe.saving import Save
from cnncli.recipe.schedules import SCHEDULES
from cnncli.recipe.start import Start
from cnncli.recipe.stopping import Stop
from cnncli.recipe.tasks import Task
from cnncli.recipe.transforms import CORRUPTIONS, TRANSFORMS
from cnncli.report.markdown import markdown_row
from cnncli.report.pages.layers import default_text, operations
from cnncli.report.pages.specs import short_authors
from cnncli.report.text.escapes import markdown
from cnncli.report.text.numbers import exact

DOCS = Path(__file__).resolve().parent.parent / "docs"
_FIRST_OF_ANSWERS = "# -- sizes, conditions and what fits"


def main() -> None:
    """Write the pages, or check them."""
    check = sys.argv[1:] == ["--check"]
    made = pages()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    if check and stale:
        sys.exit(f"out of date: {', '.join(path.name for path in stale)}; run scripts/make_docs.py")
    for path in stale:
        path.write_text(made[path], encoding="utf-8")


def pages() -> dict[Path, str]:
    """Return every generated page and its text."""
    counting, training, transfer, pretraining, spec = (
        DOCS / f"{name}.md" for name in ("counting", "training", "transfer", "pretraining", "spec")
    )
    return {
        DOCS / "layers.md": "\n".join(layers_page()) + "\n",
        DOCS / "networks.md": "\n".join(networks_page(catalog())) + "\n",
        counting: with_operations(counting.read_text("utf-8")),
        training: with_recipe(training.read_text("utf-8")),
        transfer: with_start(transfer.read_text("utf-8")),
        pretraining: with_pretraining(pretraining.read_text("utf-8")),
        spec: with_limits(spec.read_text("utf-8")),
    }


def with_operations(text: str) -> str:
    """Replace the table of the counting page."""
    rows = [(f"`{name}`", operations(kind)) for name, kind in KINDS.items()]
    return with_table(text, "operations", ("kind", "operations besides 2 x MACs"), rows)


def with_recipe(text: str) -> str:
    """Replace the tables of the training page."""
    tables = {
        "settings": _settings(Recipe),
        "data": _settings(Data, "data."),
        "optimizers": _named(OPTIMIZERS, "optimizer."),
        "groups": _settings(Group, "groups.N."),
        "schedules": _named(SCHEDULES, "schedule."),
        "clips": _named(CLIPS, "clip."),
        "averages": _named(AVERAGES, "average."),
        "penalty": _settings(Penalty, "penalty."),
        "stop": _settings(Stop, "stop."),
        "resolution": _settings(Resolution, "resolution."),
        "save": _settings(Save, "save."),
        "transforms": _named(TRANSFORMS),
        "corruptions": _named(CORRUPTIONS),
        "tasks": [*_named(LOSSES, "tasks.HEAD."), *_settings(Task, "tasks.HEAD.", leave_out="loss")],
    }
    for name, rows in tables.items():
        text = with_table(text, name, ("setting", "meaning", "default", "form"), rows)
    rules = [(f"`{each.name}`", each.help) for each in RESIZE_RULES.values()]
    sources = [(f"`{each.form}`", each.help) for each in SOURCES.values()]
    text = with_table(text, "rules", ("rule", "meaning"), rules)
    metrics = [(f"`{each.name}`", each.help) for each in METRICS.values()]
    text = with_table(text, "metrics", ("metric", "meaning"), metrics)
    return with_table(text, "sources", ("source", "contents"), sources)


def with_start(text: str) -> str:
    """Replace the table of the page about transfer learning."""
    return with_table(text, "start", ("setting", "meaning", "default", "form"), _settings(Start, "start."))


def with_pretraining(text: str) -> str:
    """Replace the table of the page about learning without labels."""
    rows = _settings(Pretraining, "pretrain.")
    return with_table(text, "pretrain", ("setting", "meaning", "default", "form"), rows)


def _named(known: Mapping[str, type[Record]], path: str = "") -> Iterator[tuple[str, ...]]:
    """Yield rows for records of which one is chosen by its name, each followed by its settings."""
    for name, record in known.items():
        meaning = inspect.cleandoc(record.__doc__ or "").partition("\n")[0].rstrip(".")
        form = (
            f"`{name}`, or a mapping of {listing([*record.arguments])}" if record.arguments else f"`{name}`"
        )
        yield f"`{path}{name}`", meaning, "", form
        yield from _settings(record, f"{path}{name}.")


def _settings(record: type[Record], path: str = "", leave_out: str = "") -> Iterator[tuple[str, ...]]:
    """Yield a row for each setting of a record."""
    for name, each in record.arguments.items():
        if name != leave_out:
            chosen = isinstance(each.reader, OneOf)
            default = "" if each.required else f"`{default_text(short_form(each.default, chosen=chosen))}`"
            yield f"`{path}{name}`", each.help, default, each.reader.expected


def short_form(value: object, *, chosen: bool) -> object:
    """Return a default as it is written: of a record its main setting, or its name if that is ``chosen``."""
    if isinstance(value, tuple):
        return [short_form(each, chosen=chosen) for each in value]
    if not isinstance(value, Record):
        return value
    if value.main_argument is not None:
        return getattr(value, value.main_argument)
    return value.keyword if chosen else listing([f"{name} {each}" for name, each in value.plain().items()])


def with_limits(text: str) -> str:
    """Replace the table of the spec page."""
    return with_table(text, "limits", ("limit", "of"), limit_rows())


def limit_rows() -> Iterator[tuple[str, str]]:
    """Yield how much of what is allowed, for every limit on specs, in the order of their file."""
    source = inspect.getsource(limits).partition(_FIRST_OF_ANSWERS)[0]
    statements = ast.parse(source).body
    for assigned, described in pairwise(statements):
        if isinstance(assigned, ast.AnnAssign) and isinstance(assigned.target, ast.Name):
            value = getattr(limits, assigned.target.id)
            assert isinstance(described, ast.Expr), f"{assigned.target.id} has no docstring"
            text = " ".join(str(ast.literal_eval(described.value)).split()).replace("``", "`")
            yield _most(assigned.target.id, value), f"{text[0].lower()}{text[1:]}".rstrip(".")


def _most(name: str, value: Any) -> str:
    number = value.most if isinstance(value, limits.Limit) else value
    if name.endswith("_BYTES"):
        return readable_bytes(number).replace(".0 ", " ")
    return f"{number:,}" if isinstance(number, int) and number < 10**20 else f"{number:g}"


def with_table(text: str, name: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Replace the table between the two marks of a name."""
    begin, end = f"<!-- {name}: made by scripts/make_docs.py -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    assert found, f"no {begin}"
    assert closed, f"no {end}"
    lines = (f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows))
    return f"{before}{begin}\n{chr(10).join(lines)}\n{end}{after}"


def layers_page() -> Iterator[str]:
    """Yield the reference of all kinds."""
    yield "# Kinds of layers"
    yield ""
    yield "Generated from the declarations by `scripts/make_docs.py`; `cnncli layers KIND` shows the same."
    family = ""
    for name, kind in KINDS.items():
        if kind.family != family:
            family = kind.family
            yield f"\n## {family}"
        yield ""
        yield f"### {name}"
        yield ""
        yield inspect.cleandoc(kind.__doc__ or "")
        yield from _arguments(kind)
        for example in kind.examples[:2]:
            shapes = " and ".join(shape_text(shape) for shape in example.inputs)
            written = f"{name}: {example.arguments}" if example.arguments else name
            yield f"\n`{written}` on {shapes}"


def _arguments(kind: type[Kind[Any]]) -> Iterator[str]:
    rows = [("branches", "what to join", "required", "a list of branches")] if kind.joins else []
    for name, declared in kind.arguments.items():
        default = "required" if declared.required else default_text(declared.default)
        rows.append(
            (f"{name} (main)" if declared.main else name, declared.help, default, declared.reader.expected)
        )
    if rows:
        yield ""
        yield "| argument | meaning | default | form |"
        yield "| --- | --- | --- | --- |"
        yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    if kind.shorthand:
        yield "\nAlso `norm` and `activation`, which become the layers that follow."


def networks_page(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the page of the shipped networks: a table of all, then a section for each."""
    yield "# Networks"
    yield ""
    yield "The specs under [specs/](../specs) install with the package: `cnncli specs` lists them, and"
    yield "`cnncli inspect vgg16` works from any folder. This page is generated from them by"
    yield "`scripts/make_docs.py`; [counting.md](counting.md) defines the figures."
    yield ""
    yield from _overview(entries)
    for entry in entries:
        yield from _network(entry)


def _overview(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| name | year | paper | parameters | MACs | depth | input |"
    yield "| --- | --- | --- | ---: | ---: | ---: | --- |"
    yield from (markdown_row(_overview_cells(entry)) for entry in entries)


def _overview_cells(entry: Entry) -> tuple[str, ...]:
    # markdown_table would escape the link.
    paper, found = entry.paper, entry.overview
    published = (str(paper.year), markdown(short_authors(paper))) if paper is not None else ("", "")
    figures = (exact(found.costs.totals.params), exact(found.costs.totals.macs), exact(found.depth))
    return (f"[{entry.name}](#{entry.name})", *published, *figures, shape_text(found.graph.input))


def _network(entry: Entry) -> Iterator[str]:
    file = entry.path.relative_to(shipped.folder()).as_posix()
    yield ""
    yield f"## {entry.name}"
    yield ""
    if entry.paper is not None:
        yield _citation(entry.paper)
        yield ""
    yield from _figures(entry)
    yield ""
    yield markdown(_header(entry.path))
    yield ""
    yield f"[specs/{file}](../specs/{file})"


def _citation(paper: Paper) -> str:
    return f"{markdown(paper.authors)}, *{markdown(paper.title)}*, {paper.year}."


def _figures(entry: Entry) -> Iterator[str]:
    """Yield the figures that the paper states, and those that cnncli computes."""
    if entry.paper is not None and entry.paper.figures:
        yield f"- The paper: {markdown(entry.paper.figures)}"
    graph, costs, depth = entry.overview
    parameters = f"{exact(costs.totals.params)} parameters"
    if graph.has_training_only:
        parameters += f" ({exact(costs.training_totals.params)} with training-only heads)"
    work = f"{exact(costs.totals.macs)} MACs, {exact(costs.totals.neurons)} neurons"
    yield f"- Here: {parameters}, {work}, depth {exact(depth)}"


def _header(path: Path) -> str:
    """Return the comment at the top of a file as one paragraph."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text("utf-8").splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines)


if __name__ == "__main__":
    main()

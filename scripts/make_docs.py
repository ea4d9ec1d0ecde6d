"""Write the generated pages: ``docs/layers.md`` and the table of operations in ``docs/counting.md``.

python scripts/make_docs.py            write them
python scripts/make_docs.py --check    exit with 1 where one is out of date
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnncli.layers import KINDS, Kind, shape_text
from cnncli.report.reference import default_text, operations

DOCS = Path(__file__).resolve().parent.parent / "docs"
_BEGIN = "<!-- operations: made by scripts/make_docs.py -->"
_END = "<!-- end of operations -->"


def main() -> None:
    """Write or check."""
    check = sys.argv[1:] == ["--check"]
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if check and stale:
        sys.exit(f"out of date: {', '.join(path.name for path in stale)}; run scripts/make_docs.py")
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    counting = DOCS / "counting.md"
    return {
        DOCS / "layers.md": "\n".join(layers_page()) + "\n",
        counting: with_operations(counting.read_text("utf-8")),
    }


def with_operations(text: str) -> str:
    """The counting page with a fresh table between its two marks."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{name}` | {operations(kind)} |" for name, kind in KINDS.items()]
    table = "\n".join(["| kind | operations beside 2 x MACs |", "| --- | --- |", *rows])
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


def layers_page() -> Iterator[str]:
    """The reference of all kinds."""
    yield "# Kinds of layers"
    yield ""
    yield "Made from the declarations by `scripts/make_docs.py`; `cnncli layers KIND` shows the same."
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
    if kind.sugar:
        yield "\nAlso `norm` and `activation`, which become the next layers."


if __name__ == "__main__":
    main()

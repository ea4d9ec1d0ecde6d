"""Record the README's terminal picture, ``docs/inspect.svg``, with rich."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cnncli.analysis.costs.figures import costs
from cnncli.graph import open_spec
from cnncli.report.pages.inspect import page
from cnncli.report.terminal import STYLES, lines

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "inspect.svg"
WIDTH = 80
# The viewer's own font is used; none is fetched from a server.
_FONT_FACES = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """Return the picture as SVG."""
    graph = open_spec(ROOT / "specs" / "lenet5.yaml").graph
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.assemble(("$ ", "bold green"), "cnncli inspect lenet5"))
    for line in lines(page(graph, costs(graph)), WIDTH):
        console.print(Text(line.text, style=STYLES.get(line.role, "")), soft_wrap=True)
    return _FONT_FACES.sub("", console.export_svg(title="cnncli", unique_id="cnncli"))


if __name__ == "__main__":
    main()

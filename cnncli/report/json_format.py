"""Pages as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cnncli.report.page import Page
from cnncli.report.text.columns import Line
from cnncli.report.text.escapes import json_text


def lines(page: Page) -> Iterator[Line]:
    """Yield a page's document, line by line; its tables and texts are not part of it.

    Letters of all scripts are written as they are, and what could control a terminal or a log as an escape.
    """
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)
    line: list[str] = []
    for piece in encoder.iterencode(page.data()):
        end, broken, start = piece.partition("\n")
        line.append(end)
        if broken:
            yield Line(json_text("".join(line)), "")
            line = [start]
    yield Line(json_text("".join(line)), "")

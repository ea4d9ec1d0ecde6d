"""Pages as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cnncli.report.page import Page
from cnncli.report.text.columns import Line


def lines(page: Page) -> Iterator[Line]:
    """Yield a page's document; its tables and texts are not part of it."""
    yield Line(json.dumps(page.data(), indent=2, ensure_ascii=False), "")

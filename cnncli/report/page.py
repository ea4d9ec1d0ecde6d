"""The output of a command before it has a format: a title, an answer, tables, texts and data.

A command builds a :class:`Page`; :mod:`cnncli.report.show` shows any page in any format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from cnncli.report.text.columns import Table

MEASURE: Final = 100
"""The columns to which text is wrapped where the screen sets no limit."""


class Text(NamedTuple):
    """Lines of one role: ``note``, ``heading``, ``good``, ``warning``, ``error``, or none for plain text.

    Lines that are too long are wrapped, and their continuations start with ``indent``. If it is None, they
    are indented by the line's own indent and a little more.
    """

    lines: tuple[str, ...]
    role: str = ""
    indent: str | None = None


Section: TypeAlias = "tuple[Table | Text, ...]"
"""Blocks that belong together, with a blank line before the first and none between them."""


class Answer(NamedTuple):
    """The answer in a line or a few; ``good`` is None if nothing could be decided."""

    lines: tuple[str, ...]
    good: bool | None

    @property
    def role(self) -> str:
        """The role in which its lines are shown."""
        return "note" if self.good is None else "good" if self.good else "error"


class Page(NamedTuple):
    """What one command shows.

    Title, answer and ``lead`` come first, without blank lines between them, then the sections. How a page
    arranges its tables may depend on the columns (None: as many as they take). ``data`` is the JSON document,
    with its schema. Both are functions, so that no format pays for another. ``measure`` is the number of
    columns where the screen sets no limit.
    """

    title: str
    sections: Callable[[int | None], Iterable[Section]]
    data: Callable[[], Mapping[str, Any]]
    answer: Answer | None = None
    lead: Section = ()
    measure: int = MEASURE

    def __repr__(self) -> str:
        return f"<Page {self.title!r}>"

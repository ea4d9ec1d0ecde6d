"""The output of a command before it has a format: a title, an answer, tables, texts and data.

A command builds a :class:`Page`; :mod:`cnncli.report.show` shows any page in any format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from cnncli.report.text.columns import Table


class Text(NamedTuple):
    """Lines of one role: ``note``, ``heading``, ``good``, ``warning``, ``error``, or none for plain text.

    Lines that are too long for the screen are wrapped, and their continuations start with ``indent``. If it
    is None, lines stay as they are where the screen sets no limit, and are otherwise indented by their own
    indent and a little more.
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

    Title, answer and ``lead`` come first, without blank lines between them, then the sections. What a page
    shows may depend on the columns of the screen (None: as many as it takes). ``data`` is the JSON document,
    with its schema. Both are functions, so that no format pays for another. ``measure`` is the most columns
    that wrapped text takes where the screen sets no limit.
    """

    title: str
    sections: Callable[[int | None], Iterable[Section]]
    data: Callable[[], Mapping[str, Any]]
    answer: Answer | None = None
    lead: Section = ()
    measure: int = 100

    def __repr__(self) -> str:
        return f"<Page {self.title!r}>"

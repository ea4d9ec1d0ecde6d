"""Count the work of a question, and refuse in words the question that costs too much.

Code that may take long calls :func:`spend` with what it is about to do; the budget belongs to the enclosing
:func:`metered` block, one for each question about a spec. Outside of such a block nothing is counted.

A question is a call of a method of :class:`cnncli.analyzed.Analyzed`, from loading on, or the rendering of
a page; questions within a question share its budget. Where an error has no place, the loop over the nodes
gives it that of the node (:meth:`~cnncli.diagnostics.LimitError.at`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from cnncli.diagnostics import Diagnostic, Location, WorkError
from cnncli.limits import Limit


class Located(Protocol):
    """What has a place in a spec."""

    @property
    def location(self) -> Location: ...


_SPENT: Final[ContextVar[Counter[str] | None]] = ContextVar("work", default=None)


@contextmanager
def metered() -> Iterator[None]:
    """Give one question its budget; a question within another one shares the budget of the outer one."""
    if _SPENT.get() is not None:
        yield
        return
    token = _SPENT.set(Counter())
    try:
        yield
    finally:
        _SPENT.reset(token)


def spend(limit: Limit, amount: int = 1, where: Location | Located | None = None, *, hint: str = "") -> None:
    """Add to the work of the current question.

    Args:
        limit: what is counted, and how much of it a question may cost.
        amount: how much of it is about to be done.
        where: the place in the spec that needs it, or a value or a node with a place, if there is one.
        hint: what to change in the spec.

    Raises:
        WorkError: the question has cost more than the limit.
    """
    spent = _SPENT.get()
    if spent is None:
        return
    spent[limit.of] += amount
    if spent[limit.of] > limit.most:
        message = f"this takes too much work: more than {limit.most:,} {limit.of}"
        place = where if where is None or isinstance(where, Location) else where.location
        raise WorkError(Diagnostic("limit", message, place, hint=hint))

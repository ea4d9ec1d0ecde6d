"""Bytes in tables and documents: a number, a formula, or the largest of several formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from cnncli.algebra import Dim
from cnncli.analysis.memory.peaks import FEW, STEP, Peak
from cnncli.diagnostics import listing, readable_bytes
from cnncli.report.text.columns import Column
from cnncli.report.text.escapes import printable
from cnncli.report.text.json_values import number
from cnncli.report.text.numbers import exact

NONE: Final = "-"
_STEP: Final = "the optimizer's step"

Amount: TypeAlias = "Dim | Peak | None"

Short: TypeAlias = "Callable[[Dim], Dim]"
"""Replaces floor divisions by names."""


def full(amount: Amount, short: Short) -> str:
    """Return the bytes; for the largest of many formulas, that it depends on the size."""
    if not isinstance(amount, Peak):
        return NONE if amount is None else exact(short(amount))
    if len(amount.amounts) > FEW:
        return "depends on the size"
    texts = [exact(short(each)) for each in amount.amounts]
    return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


def brief(amount: Amount, short: Short) -> str:
    """Return numbers with a unit, such as ``1.5 GiB``, and anything else in full."""
    only = amount.amounts[0] if isinstance(amount, Peak) and len(amount.amounts) == 1 else amount
    return readable_bytes(only) if isinstance(only, int) else full(amount, short)


def column(heading: str, amounts: Sequence[Amount], rank: int, short: Short) -> Column:
    """Return a column of bytes in full or, on a narrow screen, with a unit."""
    return Column(
        heading,
        [full(each, short) for each in amounts],
        right=True,
        short_cells=[brief(each, short) for each in amounts],
        rank=rank,
    )


def when(peak: Peak) -> str:
    """Return the moment of a peak, or the candidates for it, phase by phase."""
    if len(peak.moments) == 1:
        (only,) = peak.moments
        return f"{only.phase}, {printable(only.node)}" if only.node else _STEP
    phases: dict[str, list[str]] = {}
    for each in peak.moments:
        # While one layer runs there may be several moments.
        names = phases.setdefault(each.phase, [])
        names += [each.node] if each.node not in names else []
    return "; ".join(
        _STEP if phase == STEP else f"{phase}, {printable(listing(names))}" for phase, names in phases.items()
    )


def written_out(amount: Amount) -> int | str | None:
    """Return a number, or a formula as Python arithmetic, however long, for a document."""
    if not isinstance(amount, Peak):
        return None if amount is None else number(amount)
    texts = [number(each) for each in amount.amounts]
    return texts[0] if len(texts) == 1 else f"max({', '.join(map(str, texts))})"


def peak_data(peak: Peak) -> dict[str, Any]:
    """Return the peak and its moment; several candidates each with its own bytes, and no single moment."""
    first = peak.moments[0]
    if len(peak.moments) == 1:
        return {"peak": written_out(peak), "phase": first.phase, "layer": first.node or None}
    candidates = [
        {"bytes": number(amount), "phase": moment.phase, "layer": moment.node or None}
        for amount, moment in zip(*peak, strict=True)
    ]
    return {"peak": written_out(peak), "phase": None, "layer": None, "candidates": candidates}

"""Numbers as a person reads them."""

from __future__ import annotations

from typing import Final

from cnncli.algebra import Dim

_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")


def exact(value: Dim) -> str:
    """Return ``1,234,567``; a formula in its readable form."""
    if isinstance(value, int):
        return f"{value:,}"
    # Imported here: few commands need it.
    from cnncli.algebra.factoring import readable  # noqa: PLC0415

    return readable(value)


def short(value: int) -> str:
    """Return three digits and a unit: ``15.5G``, ``138M``, ``61.7k``; below 1,000 the number itself."""
    if abs(value) < 1000:
        return str(value)
    amount, unit = float(abs(value)), 0
    # 999.5 and more would be shown as 1000 of the smaller unit.
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount /= 1000
        unit += 1
    digits = 0 if amount >= 99.95 else 1 if amount >= 9.995 else 2
    return f"{'-' if value < 0 else ''}{amount:.{digits}f}{_UNITS[unit]}"


def megabytes(value: int) -> str:
    """Return bytes in millions: ``0.25 MB``, ``553.4 MB``."""
    return f"{value / 1e6:,.{1 if value >= 1e8 else 2}f} MB"


def percent(share: float) -> str:
    """Return a share as a percentage with two decimals: ``97.22 %``."""
    return f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter: ``1 h 20 min``, ``3 min 5 s``, ``12.3 s``, ``4.56 ms``."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"

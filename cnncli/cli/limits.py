"""Limits as they are typed: a figure and the most that it may be."""

from __future__ import annotations

from collections.abc import Iterable

from cnncli.diagnostics import usage_error


def limits_of(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Return the limits by figure.

    Raises:
        UsageError: a text is not a figure and its limit, or a figure has two.
    """
    limits: dict[str, str] = {}
    for text in texts:
        name, separator, amount = (part.strip() for part in text.partition("="))
        if not separator:
            expected = "a figure and its limit, such as params=1M"
            raise usage_error(f"{option} {text}: no limit is given", expected=expected)
        if name in limits:
            raise usage_error(f"{option} {text}: {name} already has a limit", expected="one limit per figure")
        limits[name] = amount
    return limits

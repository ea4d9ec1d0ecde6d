"""Documents and figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cnncli.algebra import Dim
from cnncli.layers import Shape


def text(document: Mapping[str, Any]) -> str:
    """A document as it is printed."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def number(value: Dim) -> int | str:
    """A number, or a formula as text."""
    return value if isinstance(value, int) else str(value)


def shape_numbers(shape: Shape) -> list[int | str]:
    """Numbers, and formulas as text."""
    return [number(dim) for dim in shape]

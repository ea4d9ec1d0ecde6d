"""The error of a node whose figures have too many digits."""

from __future__ import annotations

from cnncli.diagnostics import Diagnostic, LimitError
from cnncli.graph import Node
from cnncli.limits import MAX_EXACT


def too_large(node: Node, what: str) -> LimitError:
    """Return the error of a node: what was computed for it is larger than :data:`MAX_EXACT`."""
    message = f"{node.name}: {what} is too large"
    expected = f"at most {len(str(MAX_EXACT)) - 1} digits"
    hint = "use smaller strides, or fewer layers that have one"
    return LimitError(Diagnostic("limit", message, node.location, expected, hint=hint))

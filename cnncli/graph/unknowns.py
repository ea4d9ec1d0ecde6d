"""What the layers of a graph ask of an input whose sizes are symbols, gathered while it is built."""

from __future__ import annotations

from cnncli.algebra import Condition, symbols_of
from cnncli.algebra.deciding import Domain, solve
from cnncli.diagnostics import Location, Related
from cnncli.graph.graph import Bound
from cnncli.layers import Require


class Unknowns:
    """The conditions met so far, and the sizes that they leave."""

    def __init__(self, domain: Domain | None = None) -> None:
        self.domain = domain if domain is not None else Domain()
        self.bounds: list[Bound] = []

    def require(
        self, condition: Condition, requirement: Require, node: str, where: Location
    ) -> tuple[Related, ...] | None:
        """Take a requirement for granted from here on, unless that leaves no size at all.

        Returns None where some size is left; otherwise the earlier requirements that clash with it.
        """
        decided = self.domain.decide(condition)
        if decided is None:
            sizes = self.domain.assume(condition)
            self.bounds.append(
                Bound(node, condition, sizes, requirement.message, requirement.expected, where)
            )
        return self._clashing(condition) if decided is False else None

    def _clashing(self, condition: Condition) -> tuple[Related, ...]:
        """The one earlier requirement that leaves no size together with this; where there is none, all."""
        own, symbols = solve(condition), symbols_of(condition)
        earlier = [bound for bound in self.bounds if symbols_of(bound.condition) == symbols]
        alone = [bound for bound in earlier if bound.sizes is not None and not bound.sizes & own]
        return tuple(
            Related(f"{bound.node} asks: {bound.condition}", bound.location) for bound in alone[:1] or earlier
        )

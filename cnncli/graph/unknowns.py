"""What the layers of a graph ask of sizes that are symbols, and what is said where they leave a rule open."""

from __future__ import annotations

from cnncli.algebra import Condition, NoFormulaError, Undecidable, symbols_of
from cnncli.algebra.deciding import Domain, solve
from cnncli.algebra.size_sets import SizeSet, TooFineError
from cnncli.diagnostics import NO_FORMULA, Diagnostic, Location, Related
from cnncli.graph.graph import Bound, Node
from cnncli.language.description import NodeSpec
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
        alone = [bound for bound in earlier if bound.sizes is not None and _apart(bound.sizes, own)]
        return tuple(
            Related(f"{bound.node} asks: {bound.condition}", bound.location) for bound in alone[:1] or earlier
        )


def _apart(one: SizeSet, other: SizeSet) -> bool:
    """Whether it is found that they have no size in common."""
    try:
        return not one & other
    except TooFineError:
        return False


def open_rule(node: Node | NodeSpec, subject: str, error: Undecidable | NoFormulaError) -> Diagnostic:
    """What a rule of a node's kind says of unknown sizes has more than one formula, or none of this kind.

    ``subject`` is what the rule tells, as ``what 'conv' gives``.
    """
    hint = "numbers in place of symbols: --input 3x224x224, --set width=64; or a form: --input 3x(16k)x(16k)"
    if isinstance(error, Undecidable):
        return Diagnostic(
            "undecided",
            f"{node.name}: {subject} has no one formula for all values",
            node.location,
            "sizes for which it is decided, in numbers",
            f"both are possible: {error.condition}, or not",
            hint,
        )
    return Diagnostic(
        NO_FORMULA,
        f"{node.name}: {subject} is no formula of this kind",
        node.location,
        "sums, products and divisions by numbers",
        str(error),
        hint,
    )

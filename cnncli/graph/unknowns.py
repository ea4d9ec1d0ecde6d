"""The conditions that layers impose on symbols, and the errors of rules that remain undecided."""

from __future__ import annotations

from cnncli.algebra import Condition, NoFormulaError, Undecidable, symbols_of
from cnncli.algebra.deciding import Domain, solve
from cnncli.algebra.size_sets import SizeSet, TooFineError
from cnncli.diagnostics import NO_FORMULA, Diagnostic, Location, Related
from cnncli.graph.graph import Bound, Node
from cnncli.language.description import NodeSpec
from cnncli.layers import Require


class Unknowns:
    """The conditions imposed so far, and the sizes that satisfy them."""

    def __init__(self, domain: Domain | None = None) -> None:
        self.domain = domain if domain is not None else Domain()
        self.bounds: list[Bound] = []

    def require(
        self, condition: Condition, requirement: Require, node: str, where: Location
    ) -> tuple[Related, ...] | None:
        """Assume a requirement from here on, unless no size would satisfy it.

        Returns None if some size does; otherwise the earlier requirements that it contradicts.
        """
        decided = self.domain.decide(condition)
        if decided is None:
            sizes = self.domain.assume(condition)
            self.bounds.append(
                Bound(node, condition, sizes, requirement.message, requirement.expected, where)
            )
        return self._contradicting(condition) if decided is False else None

    def _contradicting(self, condition: Condition) -> tuple[Related, ...]:
        """Return the first earlier requirement that alone contradicts this one, or all earlier ones."""
        own, symbols = solve(condition), symbols_of(condition)
        earlier = [bound for bound in self.bounds if symbols_of(bound.condition) == symbols]
        alone = [bound for bound in earlier if bound.sizes is not None and _disjoint(bound.sizes, own)]
        return tuple(
            Related(f"{bound.node} requires: {bound.condition}", bound.location)
            for bound in alone[:1] or earlier
        )


def _disjoint(one: SizeSet, other: SizeSet) -> bool:
    """Return whether the sets are known to have no size in common."""
    try:
        return not one & other
    except TooFineError:
        return False


def formula_fault(node: Node | NodeSpec, subject: str, error: Undecidable | NoFormulaError) -> Diagnostic:
    """Return the error of a rule whose result has several formulas, or cannot be expressed as one.

    ``subject`` is what the rule computes, such as ``the output of 'conv'``.
    """
    hint = "use numbers, such as an input of 3x224x224 or width=64; or multiples, as in 3x(16k)x(16k)"
    if isinstance(error, Undecidable):
        return Diagnostic(
            "undecided",
            f"{node.name}: {subject} has no single formula that holds for all values",
            node.location,
            "sizes that decide it",
            f"{error.condition} for some values, but not for all",
            hint,
        )
    return Diagnostic(
        NO_FORMULA,
        f"{node.name}: {subject} cannot be expressed in the symbols",
        node.location,
        "sums, products and divisions by numbers",
        str(error),
        hint,
    )

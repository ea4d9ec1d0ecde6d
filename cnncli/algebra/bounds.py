"""Prove that one formula is never below another, whatever the unknown sizes are.

Sizes are at least 1, so in most formulas every term has a known sign. A negative term of a difference is
offset by positive terms that are never smaller, up to a factor:

- an atom by another on the same symbol, as floor((H + 3) / 4) <= 1 * floor((H + 1) / 2), and
  floor((H + 1) / 2) <= 2 * floor((H + 3) / 4), which :class:`~.deciding.Domain` decides exactly;
- the constant 1 by an atom: 1 <= atom / m, where m is the least value of the atom.

A product of atoms is then at most the product of their bounds. The method is sound but not complete: an
inequality that it does not prove may still hold.

Two layers of stride 2, the first with 64 channels and the second with 128: does the first always have at
least as many values? Not for an input of one position, where both outputs have one position. For H, W >= 3 it
does, because then (H + 1)//2 >= 3/2 * ((H + 3)//4), likewise for W, and 64 * 3/2 * 3/2 >= 128.

>>> from cnncli.algebra import symbol
>>> H, W = symbol("H"), symbol("W")
>>> first = 64 * ((H + 1) // 2) * ((W + 1) // 2)
>>> second = 128 * ((H + 3) // 4) * ((W + 3) // 4)
>>> Bounds(Domain(), ["H", "W"]).never_below(first, second)
False
>>> domain = Domain()
>>> sizes = [domain.assume(size >= 3) for size in (H, W)]
>>> Bounds(domain, ["H", "W"]).never_below(first, second)
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Final, TypeAlias

from cnncli.algebra.deciding import Domain, effort
from cnncli.algebra.expression import Condition, Dim, Expr, symbol
from cnncli.algebra.sizes import evaluate, product, summed, symbols_of
from cnncli.algebra.terms import Floor, Symbol
from cnncli.limits import MAX_PROOFS

if TYPE_CHECKING:
    from cnncli.algebra.size_sets import SizeSet
    from cnncli.algebra.terms import Atom, Monomial, Terms

_TRIED: Final = 32
"""Number of sizes at which the factor between two atoms is computed before it is proved for all."""

_EXAMPLES: Final = (1, 7, 32, 224, 1_000, 1_000_000)

_BySymbols: TypeAlias = "Mapping[frozenset[str], list[Atom]]"


class Bounds:
    """Inequalities between formulas that follow from a domain.

    Each is tried in two forms: as written, and with every size counted from its smallest allowed value. In
    the second form (H - 4) * (W - 4) has no negative terms for H, W >= 16. Either may succeed where the other
    fails.
    """

    def __init__(self, domain: Domain, symbols: Sequence[str]) -> None:
        self._domain = domain
        self._judge = _Judge()
        self._plain = _Terms(domain, self._judge)
        self._examples = _examples(domain, symbols)
        self._at: dict[Dim, Sequence[int]] = {}
        counted: dict[str, SizeSet] = {}
        self._moved: dict[Atom, Dim] = {}
        for name in symbols:
            sizes = domain.sizes(name)
            before = (sizes.at_least(1) or 1) - 1
            self._moved[Symbol(name)] = symbol(name) + before
            if before:
                counted[name] = sizes.moved(-before)
        self._counted = _Terms(Domain(counted), self._judge) if counted else self._plain
        self._from_least: dict[Expr, Dim] = {}

    def never_below(self, value: Dim, other: Dim) -> bool:
        """Return whether value >= other is proved for all sizes."""
        if any(
            mine < its for mine, its in zip(self.at_examples(value), self.at_examples(other), strict=True)
        ):
            return False
        difference = value - other
        if self._plain.never_negative(difference):
            return True
        if self._counted is not self._plain and self._counted.never_negative(
            self._count(value) - self._count(other)
        ):
            return True
        holds = difference >= 0
        return self._judge.holds(holds, self._domain)

    def at_examples(self, value: Dim) -> Sequence[int]:
        """Evaluate a formula at small sizes, at large sizes and at sizes that differ from each other."""
        if value not in self._at:
            self._at[value] = [evaluate(value, sizes) for sizes in self._examples]
        return self._at[value]

    def _count(self, value: Dim) -> Dim:
        """Rewrite a formula in sizes that are counted from the smallest allowed ones."""
        if isinstance(value, int):
            return value
        if value not in self._from_least:
            self._from_least[value] = self._replaced(value.terms)
        return self._from_least[value]

    def _replaced(self, terms: Terms) -> Dim:
        return summed(each * product(map(self._move, monomial)) for monomial, each in terms.items())

    def _move(self, atom: Atom) -> Dim:
        if atom not in self._moved:
            assert isinstance(atom, Floor), atom
            self._moved[atom] = self._replaced(atom.numerator) // atom.divisor
        return self._moved[atom]


def _examples(domain: Domain, symbols: Sequence[str]) -> Sequence[Mapping[str, int]]:
    """Return small to very large example sizes: all equal, and each one large while the others are small."""
    sizes = {name: domain.sizes(name) for name in symbols}
    # If no allowed size is that large, any allowed size will do.
    alike = [
        {name: each.at_least(n) or each.at_least(1) or 1 for name, each in sizes.items()} for n in _EXAMPLES
    ]
    uneven = [alike[0] | {name: each[name]} for name in symbols for each in alike[2:] if len(symbols) > 1]
    return [*alike, *uneven]


class _Judge:
    """Decide conditions exactly until a total effort is spent."""

    def __init__(self) -> None:
        self._left = MAX_PROOFS

    def holds(self, condition: bool | Condition, domain: Domain) -> bool:
        """Return whether the condition is proved for all sizes of a domain."""
        if isinstance(condition, bool):
            return condition
        needed = effort(condition) if len(symbols_of(condition)) == 1 else 0
        if needed > self._left:
            return False
        self._left -= needed
        return domain.decide(condition) is True


class _Terms:
    """Offset negative terms by positive ones. Results about atoms and monomials are cached."""

    def __init__(self, domain: Domain, judge: _Judge) -> None:
        self._domain = domain
        self._judge = judge
        self._least: dict[Atom, int | None] = {}
        self._slope: dict[Atom, Fraction | None] = {}
        self._ratios: dict[tuple[Atom, Atom], Fraction | None] = {}
        self._factors: dict[tuple[Monomial, Monomial], Fraction | None] = {}
        self._grouped: dict[Monomial, _BySymbols] = {}

    def never_negative(self, value: Dim) -> bool:
        """Return whether the positive terms offset the negative ones, those of the highest degree first."""
        if isinstance(value, int):
            return value >= 0
        terms = value.terms
        if not all(self._at_least_zero(atom) for monomial in terms for atom in monomial):
            return False
        left = {monomial: Fraction(each) for monomial, each in terms.items() if each > 0}
        missing = [(monomial, -each) for monomial, each in terms.items() if each < 0]
        for monomial, amount in sorted(missing, key=lambda term: -len(term[0])):
            need = Fraction(amount)
            for factor, other in self._larger(monomial, left):
                taken = min(need, left[other] / factor)
                left[other] -= taken * factor
                need -= taken
                if not need:
                    break
            if need:
                return False
        return True

    def _at_least_zero(self, atom: Atom) -> bool:
        least = self.least(atom)
        return least is not None and least >= 0

    def least(self, atom: Atom) -> int | None:
        """Return a lower bound of the atom, or None if none is known."""
        if atom not in self._least:
            self._least[atom] = self._find_least(atom)
        return self._least[atom]

    def _find_least(self, atom: Atom) -> int | None:
        if isinstance(atom, Symbol):
            return self._domain.sizes(atom.name).at_least(1)
        assert isinstance(atom, Floor)
        total = 0
        for monomial, coefficient in atom.numerator.items():
            leasts = [least for each in monomial if (least := self.least(each)) is not None and least >= 0]
            if len(leasts) < len(monomial) or (monomial and coefficient < 0):
                return None
            total += coefficient * prod(leasts)
        return total // atom.divisor

    def _larger(
        self, monomial: Monomial, others: Mapping[Monomial, Fraction]
    ) -> list[tuple[Fraction, Monomial]]:
        """Return (factor, other) with ``monomial <= factor * other`` always, short and tight ones first.

        A factor equal to the quotient of the slopes is tight for large sizes.
        """
        found = []
        for other in others:
            factor = self._factor(monomial, other)
            if factor is not None:
                loss = factor * self._steepness(other) / self._steepness(monomial)
                found.append((len(other), loss, factor, other))
        found.sort(key=lambda each: each[:3])
        return [(factor, other) for _, _, factor, other in found]

    def _factor(self, monomial: Monomial, other: Monomial) -> Fraction | None:
        """Return a factor for which ``monomial <= factor * other`` always holds, or None."""
        key = (monomial, other)
        if key not in self._factors:
            self._factors[key] = self._find_factor(monomial, other)
        return self._factors[key]

    def _find_factor(self, monomial: Monomial, other: Monomial) -> Fraction | None:
        mine, theirs = self._by_symbols(monomial), self._by_symbols(other)
        if any(len(atoms) > len(theirs.get(symbols, ())) for symbols, atoms in mine.items()):
            return None
        factor = Fraction(1)
        for symbols, atoms in theirs.items():
            own = mine.get(symbols, [])
            for atom, larger in zip(own, atoms, strict=False):
                ratio = self._ratio(atom, larger)
                if ratio is None:
                    return None
                factor *= ratio
            for surplus in atoms[len(own) :]:
                least = self.least(surplus)
                if not least:
                    return None
                factor /= least
        return factor

    def _by_symbols(self, monomial: Monomial) -> _BySymbols:
        """Group the atoms by their symbols, the steepest first."""
        if monomial not in self._grouped:
            groups: dict[frozenset[str], list[Atom]] = {}
            for atom in monomial:
                groups.setdefault(symbols_of(Expr({(atom,): 1})), []).append(atom)
            for atoms in groups.values():
                atoms.sort(key=lambda atom: -(self.slope(atom) or 0))
            self._grouped[monomial] = groups
        return self._grouped[monomial]

    def _ratio(self, atom: Atom, larger: Atom) -> Fraction | None:
        """Return the smallest factor found for which ``atom <= factor * larger`` always holds, or None."""
        if atom == larger:
            return Fraction(1)
        key = (atom, larger)
        if key not in self._ratios:
            self._ratios[key] = self._find_ratio(atom, larger)
        return self._ratios[key]

    def _find_ratio(self, atom: Atom, larger: Atom) -> Fraction | None:
        one, other = Expr({(atom,): 1}), Expr({(larger,): 1})
        slope, other_slope = self.slope(atom), self.slope(larger)
        symbols = symbols_of(one)
        if len(symbols) != 1 or not slope or not other_slope:
            return None
        (name,) = symbols
        # For large sizes the ratio approaches that of the slopes; at small ones, rounding may make it larger.
        numerator, denominator = (slope / other_slope).as_integer_ratio()
        for size in islice(self._domain.sizes(name).upwards(), _TRIED):
            value, divisor = (evaluate(each, {name: size}) for each in (one, other))
            if value * denominator > numerator * divisor > 0:
                numerator, denominator = value, divisor
        proved = self._judge.holds(numerator * other - denominator * one >= 0, self._domain)
        return Fraction(numerator, denominator) if proved else None

    def slope(self, atom: Atom) -> Fraction | None:
        """Return the limit of atom / symbol for large sizes, or None if the atom is not linear in it."""
        if atom not in self._slope:
            self._slope[atom] = self._find_slope(atom)
        return self._slope[atom]

    def _find_slope(self, atom: Atom) -> Fraction | None:
        if isinstance(atom, Symbol):
            return Fraction(1)
        assert isinstance(atom, Floor)
        total = Fraction(0)
        for monomial, coefficient in atom.numerator.items():
            if len(monomial) > 1:
                return None
            for each in monomial:
                slope = self.slope(each)
                if slope is None:
                    return None
                total += coefficient * slope
        return total / atom.divisor

    def _steepness(self, monomial: Monomial) -> Fraction:
        return Fraction(1) * prod(self.slope(atom) or Fraction(1) for atom in monomial)

"""Formulas that are never below others, whatever the unknown sizes are: what is proved, and nothing else.

Sizes are 1 or more, so that of most formulas each term has a sign. A negative term of a difference is made up
for by positive ones that are never smaller, up to a factor:

- an atom by another on the same symbol, as floor((H + 3) / 4) <= 1 * floor((H + 1) / 2), and
  floor((H + 1) / 2) <= 2 * floor((H + 3) / 4), which :class:`~.deciding.Domain` decides exactly;
- nothing at all by an atom, 1 <= atom / m where m is the least that the atom is.

A product of atoms is then at most the product of theirs. What this does not find may hold all the same.
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

if TYPE_CHECKING:
    from cnncli.algebra.size_sets import SizeSet
    from cnncli.algebra.terms import Atom, Monomial, Terms

_TRIED: Final = 32
"""Sizes at which the factor between two atoms is looked up before it is proved for all."""

_EXAMPLES: Final = (1, 7, 32, 224, 1_000, 1_000_000)
_MOST_EFFORT: Final = 100_000
"""For all exact decisions together: a second or so. Without them less is proved."""

_BySymbols: TypeAlias = "Mapping[frozenset[str], list[Atom]]"


class Bounds:
    """What follows for formulas from the sizes in a domain.

    Formulas are looked at twice: as they are, and in sizes that are counted from the least that there is,
    where (H - 4) * (W - 4) of H, W >= 16 has no negative terms. Either may find what the other does not.
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
        """Whether it is proved that value >= other for all sizes."""
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
        """What a formula is at sizes that are small, large, and unlike each other."""
        if value not in self._at:
            self._at[value] = [evaluate(value, sizes) for sizes in self._examples]
        return self._at[value]

    def _count(self, value: Dim) -> Dim:
        """The same formula in sizes that are counted from the least."""
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
    """Sizes that are small, large and very large: all alike, and each large beside small others."""
    sizes = {name: domain.sizes(name) for name in symbols}
    # Where there is none so large, any will do.
    alike = [
        {name: each.at_least(n) or each.at_least(1) or 1 for name, each in sizes.items()} for n in _EXAMPLES
    ]
    uneven = [alike[0] | {name: each[name]} for name in symbols for each in alike[2:] if len(symbols) > 1]
    return [*alike, *uneven]


class _Judge:
    """Decides conditions exactly, as long as that takes little in all."""

    def __init__(self) -> None:
        self._left = _MOST_EFFORT

    def holds(self, condition: bool | Condition, domain: Domain) -> bool:
        """Whether it is proved for all sizes of a domain."""
        if isinstance(condition, bool):
            return condition
        needed = effort(condition) if len(symbols_of(condition)) == 1 else 0
        if needed > self._left:
            return False
        self._left -= needed
        return domain.decide(condition) is True


class _Terms:
    """Negative terms and the positive ones that make up for them. What is found of atoms is kept."""

    def __init__(self, domain: Domain, judge: _Judge) -> None:
        self._domain = domain
        self._judge = judge
        self._least: dict[Atom, int | None] = {}
        self._slope: dict[Atom, Fraction | None] = {}
        self._ratios: dict[tuple[Atom, Atom], Fraction | None] = {}
        self._factors: dict[tuple[Monomial, Monomial], Fraction | None] = {}
        self._grouped: dict[Monomial, _BySymbols] = {}

    def never_negative(self, value: Dim) -> bool:
        """Whether the positive terms make up for the negative ones, those of the highest degree first."""
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
        """A number below which the atom never is; None where none is known."""
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
        """What the monomial is never larger than, times a factor; first where the factor costs least.

        For large sizes a factor that is the quotient of the slopes loses nothing.
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
        """A factor with which ``monomial <= factor * other`` always, or None."""
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
        """The atoms by their symbols, the steepest first."""
        if monomial not in self._grouped:
            groups: dict[frozenset[str], list[Atom]] = {}
            for atom in monomial:
                groups.setdefault(symbols_of(Expr({(atom,): 1})), []).append(atom)
            for atoms in groups.values():
                atoms.sort(key=lambda atom: -(self.slope(atom) or 0))
            self._grouped[monomial] = groups
        return self._grouped[monomial]

    def _ratio(self, atom: Atom, larger: Atom) -> Fraction | None:
        """The least factor found with which ``atom <= factor * larger`` always, or None."""
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
        # In the long run the slopes say it; at small sizes, where rounding weighs most, it may be more.
        numerator, denominator = (slope / other_slope).as_integer_ratio()
        for size in islice(self._domain.sizes(name).upwards(), _TRIED):
            value, divisor = (evaluate(each, {name: size}) for each in (one, other))
            if value * denominator > numerator * divisor > 0:
                numerator, denominator = value, divisor
        proved = self._judge.holds(numerator * other - denominator * one >= 0, self._domain)
        return Fraction(numerator, denominator) if proved else None

    def slope(self, atom: Atom) -> Fraction | None:
        """By how much the atom grows with its symbol in the long run; None where it is not in proportion."""
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

"""Polynomials written as a person would: as products, and sums of products, where those are shorter.

Expanded polynomials are canonical, but long: ``H*W - 4*H - 4*W + 16`` is ``(H - 4)*(W - 4)``. Only factors
over different atoms, powers of linear ones and factors of squares are looked for, which is what sizes along
axes make of costs. What is guessed of a polynomial is multiplied out and held against it.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import chain
from math import gcd, isqrt
from typing import TYPE_CHECKING, NamedTuple

from cnncli.algebra.terms import Floor, add, atoms, constant, multiply, ordered, scale, text, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnncli.algebra.expression import Dim, Expr
    from cnncli.algebra.terms import Atom, Monomial, Terms


class Product(NamedTuple):
    """A number times powers of polynomials: ``3*(H - 2)*(W - 4)**2``."""

    number: int
    factors: Sequence[tuple[Terms, int]] = ()


Sum = tuple[list[Product], int]
"""Products and a number, to be added."""


def readable(value: Dim, summands: Iterable[Dim] = ()) -> str:
    """Python arithmetic that means this value, in as few characters as factors, or groups, give.

    It is never longer than ``str(value)``, and the same for equal values. Of a total, ``summands`` are what
    was added up: their factors show where those of the total cannot be seen.
    """
    if isinstance(value, int):
        return str(value)
    known = _products(summands)
    return shortest(value.terms, known) if known else _by_itself(value)


@lru_cache(maxsize=4096)
def _by_itself(value: Expr) -> str:
    """Kept, since a size returns in every layer that keeps it."""
    return shortest(value.terms)


def shortest(terms: Terms, known: Sequence[Product] = ()) -> str:
    """What :func:`readable` says of a polynomial; ``known`` are products that may be in it."""
    plain = text(terms)
    if len(terms) < 2 or _is_plain_sum(terms):
        return plain
    parts = _parts(terms)
    if len(parts) == 1:
        return min(_written(_alone(terms, plain, known)), plain, key=len)
    # Every part stands for itself, but for the number, to which each may add.
    products, number = [], terms.get((), 0)
    for part in parts:
        chosen, more = _among_others(part, known)
        products += chosen
        number += more
    ways: list[Sum] = [*_linear_product(terms), (products, number)]
    return min(*map(_written, ways), plain, key=len)


def _is_plain_sum(terms: Terms) -> bool:
    """Whether it is one such as ``9*w**2 + w``, which says more than what is left when w is taken out."""
    return () not in terms and len({*atoms(terms)}) == 1 and min(terms.values()) > 0


def _alone(terms: Terms, plain: str, known: Sequence[Product]) -> Sum:
    """A polynomial whose atoms hang together: as a product if there is room for one, else the shortest."""
    near = _near(terms)
    exact = [near] if near is not None and near[1] == 0 else _linear_product(terms)
    # (H - 2)*(H - 4) says more than (H - 3)**2 - 1
    if exact and len(_written(exact[0])) <= len(plain):
        return exact[0]
    ways = [*([near] if near else []), *_as_known(terms, known), ([_shared(terms)], 0), _alike(terms)]
    return min(ways, key=lambda way: len(_written(way)))


def _among_others(part: Terms, known: Sequence[Product]) -> Sum:
    """A part of a sum: as the product that it is but for a number, if that is shorter than its terms.

    Shifts by a fraction, which would be means of other shifts, say nothing in a sum.
    """
    ways, near = [*_as_known(part, known), _alike(part)], _near(part)
    if near is not None and all(ordered(base)[0][1] == 1 for base, _ in near[0][0].factors):
        ways.insert(0, near)
    return min(ways, key=lambda way: len(_written((way[0], 0))))


def _as_known(terms: Terms, known: Sequence[Product]) -> list[Sum]:
    """The polynomial as those of the known products that are about its atoms, if it is their sum."""
    own = {*atoms(terms)}
    inside = [product for product in known if all(own.issuperset(atoms(base)) for base, _ in product.factors)]
    left = _left(terms, inside)
    return [] if any(left) else [(inside, left.get((), 0))]


def _linear_product(terms: Terms) -> list[Sum]:
    """The polynomial as a product of atoms and linear factors, if what its terms share leaves those."""
    product = _shared(terms)
    linear = all(len(monomial) <= 1 for base, _ in product.factors for monomial in base)
    return [([product], 0)] if linear else []


def _near(terms: Terms) -> Sum | None:
    """A product and the number by which these terms differ from it, if there is one."""
    groups = _groups(terms)
    guess = _by_groups(terms, groups) if len(groups) > 1 else _by_power(terms)
    if guess is None:
        return None
    left = _left(terms, [guess])
    return None if any(left) else ([guess], left.get((), 0))


def _products(values: Iterable[Dim]) -> list[Product]:
    """The products that these are but for a number, if they are; those with the same factors are one."""
    numbers: dict[tuple[tuple[frozenset[tuple[Monomial, int]], int], ...], Product] = {}
    for value, times in Counter(values).items():
        near = None if isinstance(value, int) else _near(value.terms)
        if near is not None:
            number, factors = near[0][0]
            key = tuple((frozenset(base.items()), power) for base, power in factors)
            before = numbers[key].number if key in numbers else 0
            numbers[key] = Product(before + times * number, factors)
    return [*numbers.values()]


def _left(terms: Terms, products: Iterable[Product]) -> Terms:
    """The terms without these products."""
    for product in products:
        terms = add(terms, scale(_multiplied(product), -1))
    return terms


def _by_groups(terms: Terms, groups: Sequence[set[Atom]]) -> Product | None:
    """A product of factors in one group of atoms each, from which the terms may differ by a number.

    In p = c*f(A)*g(B) + k the terms with g's leading monomial are a multiple of f: k is none of them. So the
    factors are known, if there are any, from the terms beside the leading monomial.
    """
    leading, number = ordered(terms)[0]
    factors: list[tuple[Terms, int]] = []
    for group in groups:
        others = _outside(leading, group)
        beside = {_inside(m, group): n for m, n in terms.items() if _outside(m, group) == others}
        _, factor = _lowest(beside)
        first = ordered(factor)[0][1]
        if number % first or not any(factor):
            return None
        number //= first
        factors += _powers(factor)
    return Product(number, factors)


def _by_power(terms: Terms) -> Product | None:
    """The power of a linear factor in one atom whose two leading terms are those of ``terms``.

    a*x**d + b*x**(d - 1) + ... = c*(r*x + s)**d + ..., where s/r = b/(d*a) in lowest terms and c = a/r**d
    """
    if len({*atoms(terms)}) > 1:
        return None
    monomial, leading = ordered(terms)[0]
    degree = len(monomial)
    following = terms.get(monomial[1:], 0)
    common = gcd(degree * leading, following) * (1 if leading > 0 else -1)
    r, s = degree * leading // common, following // common
    if leading % r**degree:
        return None
    return Product(leading // r**degree, [(add({monomial[:1]: r}, constant(s)), degree)])


def _powers(terms: Terms) -> list[tuple[Terms, int]]:
    """Factors of a polynomial in lowest terms: powers in one atom, and two of a square; else it by itself."""
    if len({*atoms(terms)}) > 1:
        return [(terms, 1)]
    least = min(terms, key=len)
    if least:
        rest = {monomial[len(least) :]: number for monomial, number in terms.items()}
        return [({least[:1]: 1}, len(least)), *(_powers(rest) if any(rest) else [])]
    power = _by_power(terms)
    if power is not None and _multiplied(power) == terms:
        return [*power.factors]
    monomial, leading = ordered(terms)[0]
    return _of_square(terms, monomial[:1], leading) if len(monomial) == 2 else [(terms, 1)]


def _of_square(terms: Terms, x: Monomial, a: int) -> list[tuple[Terms, int]]:
    """The factors of a*x**2 + b*x + c in lowest terms, where b**2 - 4*a*c is a square; a > 0.

    Its roots are (-b -+ q)/(2*a); a root n/d in lowest terms has the factor d*x - n.
    """
    b, c = terms.get(x, 0), terms.get((), 0)
    inside = b * b - 4 * a * c
    q = isqrt(max(inside, 0))
    if q * q != inside:
        return [(terms, 1)]
    factors: list[tuple[Terms, int]] = []
    for n in (-b - q, -b + q):
        common = gcd(n, 2 * a)
        factors.append((add({x: 2 * a // common}, constant(-n // common)), 1))
    return factors


def _lowest(terms: Terms) -> tuple[int, Terms]:
    """The number that all terms share, and the rest, which starts with a plus."""
    number = gcd(*terms.values()) * (1 if ordered(terms)[0][1] > 0 else -1)
    return number, {monomial: each // number for monomial, each in terms.items()}


def _shared(terms: Terms) -> Product:
    """The number and the atoms that all terms share, and factors of the rest."""
    number, rest = _lowest(terms)
    least = {atom: min(monomial.count(atom) for monomial in rest) for atom in next(iter(rest))}
    factors: list[tuple[Terms, int]] = [({(atom,): 1}, power) for atom, power in least.items() if power]
    common = tuple(chain.from_iterable((atom,) * power for atom, power in least.items()))
    left = {without(monomial, common) or (): each for monomial, each in rest.items()}
    return Product(number, [*factors, *(_powers(left) if any(left) else [])])


def _alike(terms: Terms) -> Sum:
    """The terms as they stand, but for those of one degree with one number: ``4*H*W - 8*(H + W)``."""
    groups: dict[tuple[int, int], dict[Monomial, int]] = {}
    for monomial, number in ordered(terms):
        if monomial:
            share = len(monomial), abs(number)
            # What the number 1 is shared by has nothing to gain.
            key = share if share[1] > 1 else (share[0], -len(groups))
            groups.setdefault(key, {})[monomial] = number
    return [_shared(each) for each in groups.values()], terms.get((), 0)


def _parts(terms: Terms) -> list[Terms]:
    """The terms but the number, with those together that atoms connect."""
    meeting: dict[Atom, set[Atom]] = {}
    for monomial in terms:
        group = {*monomial}.union(*(meeting.get(atom, ()) for atom in monomial))
        meeting.update(dict.fromkeys(group, group))
    parts: dict[int, dict[Monomial, int]] = {}
    for monomial, number in ordered(terms):
        if monomial:
            parts.setdefault(id(meeting[monomial[0]]), {})[monomial] = number
    return [*parts.values()]


def _groups(terms: Terms) -> list[set[Atom]]:
    """The atoms in groups that only different factors can have: two that never meet in a term share one."""
    beside: dict[Atom, set[Atom]] = {}
    for monomial, _ in ordered(terms):
        for atom in monomial:
            beside.setdefault(atom, set()).update(monomial)
    groups: list[set[Atom]] = []
    for atom, met in beside.items():
        at = next((index for index, group in enumerate(groups) if not group <= met), len(groups))
        apart = [group for group in groups[at:] if group <= met]
        joined = {atom}.union(*(group for group in groups[at:] if not group <= met))
        groups = [*groups[:at], joined, *apart]
    return groups


def _inside(monomial: Monomial, group: set[Atom]) -> Monomial:
    return tuple(atom for atom in monomial if atom in group)


def _outside(monomial: Monomial, group: set[Atom]) -> Monomial:
    return tuple(atom for atom in monomial if atom not in group)


def _multiplied(product: Product) -> Terms:
    result = constant(product.number)
    for factor, power in product.factors:
        for _ in range(power):
            result = multiply(result, factor)
    return result


def _written(total: Sum) -> str:
    """The sum as text, with a plus in front if there is one."""
    products = [*total[0], *([Product(total[1])] if total[1] else [])]
    first = next((index for index, each in enumerate(products) if each.number > 0), 0)
    written = ""
    for product in (products[first], *products[:first], *products[first + 1 :]):
        minus, plus = (" - ", " + ") if written else ("-", "")
        negative = product.number < 0
        # Unary minus binds tighter than //, and a minus before several terms means all of them.
        apart = negative and (not written or any(len(base) > 1 for base, _ in product.factors))
        written += (minus if negative else plus) + _body(product, apart=apart)
    return written


def _body(product: Product, *, apart: bool) -> str:
    """A product without its sign; ``apart`` puts a factor in parentheses also where it is alone."""
    number = abs(product.number)
    numbers = [str(number)] if number != 1 or not product.factors else []
    apart = apart or len(product.factors) + len(numbers) > 1
    # Names come before parentheses.
    factors = sorted(product.factors, key=lambda factor: len(factor[0]) > 1)
    return "*".join(numbers + [_power(base, power, apart=apart) for base, power in factors])


def _power(base: Terms, power: int, *, apart: bool) -> str:
    linear = all(len(monomial) <= 1 for monomial in base)
    name = text(base) if linear else _written(_alike(base))
    first, *others = chain.from_iterable(base)
    if (len(base) > 1 or (not others and isinstance(first, Floor))) and (apart or power > 1):
        name = f"({name})"
    return name if power == 1 else f"{name}**{power}"

"""Write polynomials as products, or sums of products, where those are shorter.

Expanded polynomials are canonical but long: ``H*W - 4*H - 4*W + 16`` is ``(H - 4)*(W - 4)``. The search
covers factors over different atoms, powers of linear factors and factors of quadratics, which are the forms
that costs have. Every guess is expanded and compared with the polynomial.

A 5x5 convolution of one channel into 6, without padding, has 25 multiply-accumulates for each of its
6*(H - 4)*(W - 4) outputs:

>>> from cnncli.algebra import symbol
>>> H, W = symbol("H"), symbol("W")
>>> macs = 25 * 6 * (H - 4) * (W - 4)
>>> macs
150*H*W - 600*H - 600*W + 2400
>>> readable(macs)
'150*(H - 4)*(W - 4)'
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
"""Products and a number, whose sum is meant."""


def readable(value: Dim, summands: Iterable[Dim] = ()) -> str:
    """Write this value as Python arithmetic, factored or grouped if that is shorter.

    The text is never longer than ``str(value)``, and equal values have equal texts. For a total, ``summands``
    are the values that were added: their factors are tried where the total itself does not factor.
    """
    if isinstance(value, int):
        return str(value)
    known = _products(summands)
    return shortest(value.terms, known) if known else _by_itself(value)


@lru_cache(maxsize=4096)
def _by_itself(value: Expr) -> str:
    """Write a value that is not a total; cached, since most layers keep the size of their input."""
    return shortest(value.terms)


def shortest(terms: Terms, known: Sequence[Product] = ()) -> str:
    """Write a polynomial as :func:`readable` does; ``known`` are products it may be a sum of."""
    plain = text(terms)
    if len(terms) < 2 or _is_plain_sum(terms):
        return plain
    parts = _parts(terms)
    if len(parts) == 1:
        return min(_written(_alone(terms, plain, known)), plain, key=len)
    # Parts share no atoms, so each is written separately; only the constant collects a share from each.
    products, number = [], terms.get((), 0)
    for part in parts:
        chosen, more = _among_others(part, known)
        products += chosen
        number += more
    ways: list[Sum] = [*_linear_product(terms), (products, number)]
    return min(*map(_written, ways), plain, key=len)


def _is_plain_sum(terms: Terms) -> bool:
    """Return whether it is a sum such as ``9*w**2 + w``, which reads better than ``w*(9*w + 1)``."""
    return () not in terms and len({*atoms(terms)}) == 1 and min(terms.values()) > 0


def _alone(terms: Terms, plain: str, known: Sequence[Product]) -> Sum:
    """Write a polynomial that is a single part: as a product, or in the shortest way if that is shorter."""
    near = _near(terms)
    exact = [near] if near is not None and near[1] == 0 else _linear_product(terms)
    # (H - 2)*(H - 4) reads better than (H - 3)**2 - 1
    if exact and len(_written(exact[0])) <= len(plain):
        return exact[0]
    ways = [*([near] if near else []), *_as_known(terms, known), ([_shared(terms)], 0), _alike(terms)]
    return min(ways, key=lambda way: len(_written(way)))


def _among_others(part: Terms, known: Sequence[Product]) -> Sum:
    """Write one part of a sum, as a product up to a constant if that is shorter than its terms.

    Factors with a leading coefficient other than 1, such as ``2*H - 7``, are not used here: as averages of
    the shifts in several products they explain nothing.
    """
    ways, near = [*_as_known(part, known), _alike(part)], _near(part)
    if near is not None and all(ordered(base)[0][1] == 1 for base, _ in near[0][0].factors):
        ways.insert(0, near)
    return min(ways, key=lambda way: len(_written((way[0], 0))))


def _as_known(terms: Terms, known: Sequence[Product]) -> list[Sum]:
    """Return the known products over the polynomial's atoms if they add up to it, up to a constant."""
    own = {*atoms(terms)}
    inside = [product for product in known if all(own.issuperset(atoms(base)) for base, _ in product.factors)]
    left = _left(terms, inside)
    return [] if any(left) else [(inside, left.get((), 0))]


def _linear_product(terms: Terms) -> list[Sum]:
    """Return the polynomial as a product if extracting its common factors leaves only linear ones."""
    product = _shared(terms)
    linear = all(len(monomial) <= 1 for base, _ in product.factors for monomial in base)
    return [([product], 0)] if linear else []


def _near(terms: Terms) -> Sum | None:
    """Return a product that differs from these terms by a constant, and that constant, or None."""
    groups = _groups(terms)
    guess = _by_groups(terms, groups) if len(groups) > 1 else _by_power(terms)
    if guess is None:
        return None
    left = _left(terms, [guess])
    return None if any(left) else ([guess], left.get((), 0))


def _products(values: Iterable[Dim]) -> list[Product]:
    """Return the products that equal these values up to constants; merge those with the same factors."""
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
    """Subtract these products from the terms."""
    for product in products:
        terms = add(terms, scale(_multiplied(product), -1))
    return terms


def _by_groups(terms: Terms, groups: Sequence[set[Atom]]) -> Product | None:
    """Guess a product with one factor for each group of atoms, equal to the terms up to a constant.

    In p = c*f(A)*g(B) + k the terms with g's leading monomial are a multiple of f, since k is not among them.
    So if p has this form, each factor can be read off the terms that contain the other leading monomials.
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
    """Guess the power of a linear factor in one atom that has the two leading terms of ``terms``.

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
    """Factor a polynomial in lowest terms: powers and quadratics in one atom; others stay whole."""
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
    return _of_quadratic(terms, monomial[:1], leading) if len(monomial) == 2 else [(terms, 1)]


def _of_quadratic(terms: Terms, x: Monomial, a: int) -> list[tuple[Terms, int]]:
    """Factor a*x**2 + b*x + c in lowest terms, a > 0, if b**2 - 4*a*c is a square.

    With q its root, the roots are (-b -+ q)/(2*a); a root n/d in lowest terms has the factor d*x - n.
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
    """Split into the greatest common divisor of the coefficients and the rest, which starts with a plus."""
    number = gcd(*terms.values()) * (1 if ordered(terms)[0][1] > 0 else -1)
    return number, {monomial: each // number for monomial, each in terms.items()}


def _shared(terms: Terms) -> Product:
    """Extract the number and the atoms that all terms have in common, and factor the rest."""
    number, rest = _lowest(terms)
    least = {atom: min(monomial.count(atom) for monomial in rest) for atom in next(iter(rest))}
    factors: list[tuple[Terms, int]] = [({(atom,): 1}, power) for atom, power in least.items() if power]
    common = tuple(chain.from_iterable((atom,) * power for atom, power in least.items()))
    left = {without(monomial, common) or (): each for monomial, each in rest.items()}
    return Product(number, [*factors, *(_powers(left) if any(left) else [])])


def _alike(terms: Terms) -> Sum:
    """Group the terms that have the same degree and coefficient: ``4*H*W - 8*(H + W)``."""
    groups: dict[tuple[int, int], dict[Monomial, int]] = {}
    for monomial, number in ordered(terms):
        if monomial:
            share = len(monomial), abs(number)
            # Extracting a factor of 1 would gain nothing.
            key = share if share[1] > 1 else (share[0], -len(groups))
            groups.setdefault(key, {})[monomial] = number
    return [_shared(each) for each in groups.values()], terms.get((), 0)


def _parts(terms: Terms) -> list[Terms]:
    """Split the terms, except the constant, into parts that have no atoms in common."""
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
    """Group the atoms by the factors that they can belong to.

    Two atoms that never occur in the same term must belong to the same factor.
    """
    beside: dict[Atom, set[Atom]] = {}
    for monomial, _ in ordered(terms):
        for atom in monomial:
            beside.setdefault(atom, set()).update(monomial)
    groups: list[set[Atom]] = []
    for atom, met in beside.items():
        at = next((index for index, group in enumerate(groups) if not group <= met), len(groups))
        separate = [group for group in groups[at:] if group <= met]
        joined = {atom}.union(*(group for group in groups[at:] if not group <= met))
        groups = [*groups[:at], joined, *separate]
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
    """Write the sum as text, a positive product first if there is one."""
    products = [*total[0], *([Product(total[1])] if total[1] else [])]
    first = next((index for index, each in enumerate(products) if each.number > 0), 0)
    written = ""
    for product in (products[first], *products[:first], *products[first + 1 :]):
        minus, plus = (" - ", " + ") if written else ("-", "")
        negative = product.number < 0
        # Unary minus binds tighter than //, and a minus before several terms applies to all of them.
        enclosed = negative and (not written or any(len(base) > 1 for base, _ in product.factors))
        written += (minus if negative else plus) + _body(product, enclosed=enclosed)
    return written


def _body(product: Product, *, enclosed: bool) -> str:
    """Write a product without its sign; ``enclosed`` puts even a single factor in parentheses."""
    number = abs(product.number)
    numbers = [str(number)] if number != 1 or not product.factors else []
    enclosed = enclosed or len(product.factors) + len(numbers) > 1
    # Names come before parentheses.
    factors = sorted(product.factors, key=lambda factor: len(factor[0]) > 1)
    return "*".join(numbers + [_power(base, power, enclosed=enclosed) for base, power in factors])


def _power(base: Terms, power: int, *, enclosed: bool) -> str:
    linear = all(len(monomial) <= 1 for monomial in base)
    name = text(base) if linear else _written(_alike(base))
    first, *others = chain.from_iterable(base)
    if (len(base) > 1 or (not others and isinstance(first, Floor))) and (enclosed or power > 1):
        name = f"({name})"
    return name if power == 1 else f"{name}**{power}"

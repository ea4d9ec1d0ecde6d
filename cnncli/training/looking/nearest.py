"""Exact search: which of many vectors are nearest to some, by Euclidean distance.

Distances of a stretch of vectors at a time come from one matrix product, as |x|^2 - 2 x.q + |q|^2 in float32.
What that leaves uncertain is bounded, and every vector that may be among the nearest is measured again, as
|x - q| in float64. So the result is that of measuring all of them like this, whatever the product rounds.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]

TOGETHER: Final = 1 << 18
"""Values of a stretch: they stay in the cache from one step of the computation to the next."""

_ROUNDING: Final = 2.0**-24
"""The largest relative error of a float32 operation."""


class Nearest(NamedTuple):
    """The numbers of vectors and their distances: nearest first, of equal ones the lower number first."""

    numbers: tuple[int, ...]
    distances: tuple[float, ...]


class Search:
    """The nearest to each of some queries, among vectors that come a stretch at a time."""

    def __init__(self, queries: Array, most: int) -> None:
        """Begin without vectors; queries are float32 [q, d], and ``most`` neighbors of each are found."""
        self._queries = np.ascontiguousarray(queries, np.float32)
        self._most = most
        self._squares = np.einsum("ij,ij->i", queries, queries, dtype=np.float64)
        self._numbers = [np.empty(0, np.int64) for _ in queries]
        self._found = [np.empty(0) for _ in queries]

    def add(self, start: int, vectors: Array) -> None:
        """Look at vectors, float32 [n, d], of which the first has number ``start``."""
        count, values = vectors.shape
        squares = np.einsum("ij,ij->i", vectors, vectors)
        rough = squares[:, None] - 2 * (vectors @ self._queries.T)
        largest = float(squares.max(initial=0))
        for place, query in enumerate(self._queries):
            own = rough[:, place]
            # Of sums of d products, each rounded, added to the square of the other: with a factor to spare.
            uncertain = 8 * (values + 4) * _ROUNDING * (largest + self._squares[place])
            most = min(self._most, count)
            if len(self._found[place]) < self._most:
                some = np.argpartition(own, most - 1)[:most]
                within = np.sort(self._measured(vectors[some], query))[most - 1]
                if most < self._most:
                    within = np.inf
            else:
                within = self._found[place][-1]
            near = np.flatnonzero(own <= within - self._squares[place] + uncertain)
            self._keep(place, near + start, self._measured(vectors[near], query))

    def found(self) -> list[Nearest]:
        """Return the nearest to each query, so far."""
        pairs = zip(self._numbers, self._found, strict=True)
        return [
            Nearest(tuple(numbers.tolist()), tuple(np.sqrt(squares).tolist())) for numbers, squares in pairs
        ]

    @staticmethod
    def _measured(vectors: Array, query: Array) -> Array:
        difference = vectors.astype(np.float64) - query
        squares: Array = np.einsum("ij,ij->i", difference, difference)
        return squares

    def _keep(self, place: int, numbers: Array, squares: Array) -> None:
        numbers = np.concatenate([self._numbers[place], numbers])
        squares = np.concatenate([self._found[place], squares])
        first = np.lexsort((numbers, squares))[: self._most]
        self._numbers[place], self._found[place] = numbers[first], squares[first]


def nearest(queries: Array, vectors: Array, most: int) -> list[Nearest]:
    """Return the nearest to each query [q, d] of vectors, float32 [n, d], which may be mapped from a file."""
    search = Search(queries, most)
    step = max(1, TOGETHER // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        search.add(start, vectors[start : start + step])
    return search.found()

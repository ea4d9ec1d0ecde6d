"""Exact search, against measuring every vector."""

from __future__ import annotations

import numpy as np
import pytest

from cnncli.training.looking import nearest as searching
from cnncli.training.looking.nearest import Array, nearest


def brute_force(queries: Array, vectors: Array, most: int) -> list[tuple[int, ...]]:
    found = []
    for query in queries.astype(np.float64):
        squares = [float(((vector - query) ** 2).sum()) for vector in vectors.astype(np.float64)]
        found.append(tuple(sorted(range(len(vectors)), key=lambda place: (squares[place], place))[:most]))
    return found


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize(("count", "most"), [(1, 6), (5, 6), (6, 6), (300, 6), (300, 1)])
def test_it_finds_what_measuring_all_finds(
    count: int, most: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far from 0 the squares in float32 say nothing: at 1000, they are rounded to multiples of 1."""
    monkeypatch.setattr(searching, "TOGETHER", 7 * 31)
    random = np.random.default_rng([count, most])
    vectors = (random.standard_normal((count, 31)) + offset).astype(np.float32)
    queries = (random.standard_normal((4, 31)) + offset).astype(np.float32)
    found = nearest(queries, vectors, most)
    assert [each.numbers for each in found] == brute_force(queries, vectors, most)
    for query, each in zip(queries, found, strict=True):
        exact = np.linalg.norm(vectors[list(each.numbers)].astype(np.float64) - query, axis=1)
        np.testing.assert_allclose(each.distances, exact, rtol=1e-12)


def test_of_equal_distances_the_lower_number_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TOGETHER", 4 * 3)
    vectors = np.zeros((40, 4), np.float32)
    vectors[::3] = 1
    (found,) = nearest(np.ones((1, 4), np.float32), vectors, 6)
    assert found.numbers == (0, 3, 6, 9, 12, 15)
    assert found.distances == (0.0,) * 6
    (far,) = nearest(np.ones((1, 4), np.float32), vectors[1:3].repeat(9, 0), 3)
    assert (far.numbers, far.distances) == ((0, 1, 2), (2.0, 2.0, 2.0))

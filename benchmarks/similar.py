"""The search of ``cnncli similar`` among a million vectors, against NumPy, faiss and usearch.

    python benchmarks/similar.py [--vectors N] [--rounds N] [--index N]

Random float32 vectors of 84 and of 512 values are written as ``cnncli features`` writes them. Ours is opening
the file, mapped, and finding the six nearest of one query and of five; the file is in the page cache, since
it was just written. NumPy computes all differences; faiss (IndexFlatL2) and usearch (``exact=True``) search
what is in memory already, so reading is not part of their time. Those that are not installed are left out.
Every result is compared with the exact one. ``--index`` builds usearch's approximate index of the first N
vectors, and measures its recall.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.training.looking import feature_files
from cnncli.training.looking.feature_files import About, Array, Chunk
from cnncli.training.looking.nearest import nearest

NEIGHBORS = 6
ABOUT = About("random", "0", "0", "layer", "", "", "", ())


def chunks(count: int, values: int) -> Iterator[Chunk]:
    """Yield random vectors, a few at a time."""
    random = np.random.default_rng(values)
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        yield Chunk(random.standard_normal((size, values), np.float32), np.full(size, -1, np.int64))


def fastest(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the fewest seconds of some rounds, after one that does not count, and the result."""
    found, times = work(), []
    for _ in range(rounds):
        start = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - start)
    return min(times), found


def by_numpy(vectors: Array, queries: Array) -> list[tuple[int, ...]]:
    """Return the nearest of each query by all differences, a part of the vectors at a time."""
    found = []
    for query in queries:
        parts = [((part - query) ** 2).sum(1) for part in np.array_split(vectors, 64)]
        found.append(tuple(np.argsort(np.concatenate(parts), kind="stable")[:NEIGHBORS].tolist()))
    return found


def others(vectors: Array) -> Iterator[tuple[str, Callable[[Array], Any]]]:
    """Yield the searches of other programs that are installed."""
    yield "NumPy", lambda queries: by_numpy(vectors, queries)
    if find_spec("faiss"):
        faiss = importlib.import_module("faiss")
        index = faiss.IndexFlatL2(vectors.shape[1])
        index.add(vectors)
        yield "faiss", lambda queries: [tuple(each) for each in index.search(queries, NEIGHBORS)[1].tolist()]
    if find_spec("usearch"):
        search = importlib.import_module("usearch.index").search
        yield (
            "usearch",
            lambda queries: [
                tuple(np.atleast_2d(search(vectors, query, NEIGHBORS, "l2sq", exact=True).keys)[0].tolist())
                for query in queries
            ],
        )


def approximate(vectors: Array, queries: Array) -> None:
    """Print how long usearch builds an index of vectors, and which share of the nearest it finds."""
    index = importlib.import_module("usearch.index").Index(ndim=vectors.shape[1], metric="l2sq", dtype="f32")
    start = time.perf_counter()
    index.add(np.arange(len(vectors)), np.ascontiguousarray(vectors))
    built = time.perf_counter() - start
    seconds, found = fastest(lambda: [index.search(query, NEIGHBORS).keys.tolist() for query in queries], 3)
    exact = nearest(queries, vectors, NEIGHBORS)
    right = sum(len({*ours.numbers} & {*keys}) for ours, keys in zip(exact, found, strict=True))
    recall = right / (NEIGHBORS * len(queries))
    each = 1000 * seconds / len(queries)
    built_of = f"  usearch, index of {len(vectors):,}: built in {built:.1f} s"
    print(f"{built_of}, {each:.2f} ms a query, recall {recall:.0%}")


def ours(path: Path, queries: Array) -> list[tuple[int, ...]]:
    """Return the nearest of each query, from opening the file on."""
    return [each.numbers for each in nearest(queries, feature_files.read(path).vectors, NEIGHBORS)]


def measure(path: Path, queries: Array, rounds: int) -> None:
    """Print how long one query and five take, by all programs."""
    vectors = np.array(feature_files.read(path).vectors)
    for count in (1, 5):
        some = queries[:count]
        seconds, expected = fastest(partial(ours, path, some), rounds)
        print(f"  cnncli, {count} of the queries: {seconds:.3f} s")
        for name, search in others(vectors):
            seconds, found = fastest(partial(search, some), rounds)
            same = "the same" if found == expected else "others"
            print(f"  {name}, {count} of the queries: {seconds:.3f} s, {same}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--index", type=int, default=0)
    chosen = parser.parse_args()
    for values in (84, 512):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "features.npz"
            feature_files.write(path, chunks(chosen.vectors, values), ABOUT)
            queries = np.random.default_rng(1).standard_normal((100, values), np.float32)
            print(f"{chosen.vectors:,} vectors of {values} values:", flush=True)
            measure(path, queries, chosen.rounds)
            if chosen.index:
                approximate(feature_files.read(path).vectors[: chosen.index], queries)


if __name__ == "__main__":
    main()

"""What is exported: a graph in numbers, its weights, and what a run knows of its inputs and outputs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from safetensors import SafetensorError, deserialize, safe_open

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.graph import Graph
from cnncli.layers import shape_text
from cnncli.limits import MAX_TENSORS_NAMED
from cnncli.results.transfer import Origin
from cnncli.transfer.header import FLOATS, read_header
from cnncli.transfer.matching import COUNTER, named_tensors

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SAFETENSORS: Final = ".safetensors"


class Images(NamedTuple):
    """How a run makes its inputs of images: bytes of ``stored`` shape, without ``margin`` on every side.

    ``resize`` is the rule by its name. ``shrinks`` is whether an image with a margin is measured as a whole,
    at the size without it. ``levels`` are those of 16-bit images that became bytes; None without any.
    """

    stored: tuple[int, ...]
    margin: int
    shrinks: bool
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    levels: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Subject:
    """A network that is exported: its graph, the text of its spec, its weights by name, float32.

    ``images`` is None of a spec, which says nothing of how images become inputs. ``names`` are those of
    classes, tags or numbers by head. ``run`` is the folder of a run, None without one. ``notes`` say
    which images a file that takes images is not for.
    """

    graph: Graph
    spec: str
    tensors: Mapping[str, Array]
    origin: Origin
    images: Images | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.graph.name


def of_spec(graph: Graph, spec: str, weights: Path) -> Subject:
    """Return a spec with the weights in a safetensors file, whose names and shapes have to be its own.

    Raises:
        UsageError: the file cannot be read, or its tensors are not those of the network.
    """
    if weights.suffix != SAFETENSORS:
        raise usage_error(
            f"{weights} is not a file of weights that can be exported",
            expected="a .safetensors file",
            received=f"a name that ends in {weights.suffix!r}"
            if weights.suffix
            else "a name without a suffix",
            hint="of a run, name its folder in place of the spec",
        )
    return Subject(graph, spec, read_arrays(weights, tensors_in(graph, weights)), origin_of(weights))


def tensors_in(graph: Graph, path: Path) -> tuple[str, ...]:
    """Return the names of the tensors of a network, after comparing names and shapes with those in a file.

    Counters of batches may be in the file too; inference does not read them.

    Raises:
        UsageError: the file cannot be read, or has others.
    """
    header, wanted = read_header(path), named_tensors(graph)
    shapes = {
        name: each.shape
        for name, each in header.items()
        if name.rpartition(".")[2] != COUNTER or name in wanted
    }
    faults = {
        "missing": [name for name in wanted if name not in shapes],
        "not in the network": [name for name in shapes if name not in wanted],
        "of another shape": [
            f"{name} is {shape_text(shapes[name])} instead of {shape_text(shape)}"
            for name, shape in wanted.items()
            if name in shapes and shapes[name] != shape
        ],
        "of another type": [name for name in wanted if name in header and header[name].dtype not in FLOATS],
    }
    found = [
        f"{len(names)} {what}: {listing(names, MAX_TENSORS_NAMED)}" for what, names in faults.items() if names
    ]
    if found:
        raise usage_error(
            f"the weights in {path} are not those of {graph.name}: {'; '.join(found)}",
            expected=f"the {counted(len(wanted), 'tensor')} of the network",
            received=counted(len(shapes), "tensor"),
            hint="the variables of a spec and its input size can be set, if the weights are for others",
        )
    return tuple(wanted)


def origin_of(path: Path) -> Origin:
    """Return a file with the SHA-256 of its bytes."""
    with path.open("rb") as file:
        return Origin(str(path), hashlib.file_digest(file, "sha256").hexdigest(), "")


def read_arrays(path: Path, names: Collection[str]) -> dict[str, Array]:
    """Return tensors of a safetensors file as float32.

    Raises:
        UsageError: the file cannot be read, or has values that are not finite.
    """
    try:
        with safe_open(path, framework="np") as file:
            short = any(file.get_slice(name).get_dtype() == "BF16" for name in names)
            found = {} if short else {name: file.get_tensor(name) for name in names}
        if short:  # numpy has no such type
            stored = dict(deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]
            found = {name: _array(stored[name]) for name in names}
    except (SafetensorError, OSError) as error:
        raise usage_error(f"cannot read {path}: {error}", expected="a safetensors file") from error
    arrays = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}
    check_finite(arrays, path)
    return arrays


def check_finite(arrays: Mapping[str, Array], path: Path) -> None:
    """Check that weights are finite numbers.

    Raises:
        UsageError: names those that are not.
    """
    # One sum over a tensor notices a value that is not finite; only then each is looked at.
    unsound = [
        name
        for name, value in arrays.items()
        if not np.isfinite(value.sum(dtype=np.float64)) and not np.isfinite(value).all()
    ]
    if unsound:
        raise usage_error(
            f"the weights in {path} are not finite: {listing(unsound, MAX_TENSORS_NAMED)}",
            expected="finite numbers",
            received=f"infinite values or NaN in {len(unsound)} of {len(arrays)} tensors",
        )


def _array(stored: Mapping[str, Any]) -> Array:
    """Return a tensor as it is stored; the 16 bits of bfloat16 are the upper ones of float32."""
    shape = tuple(stored["shape"])
    if stored["dtype"] == "BF16":
        upper = np.frombuffer(stored["data"], dtype="<u2").astype(np.uint32) << 16
        return upper.view(np.float32).reshape(shape)
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    return np.frombuffer(stored["data"], dtype=types[stored["dtype"]]).reshape(shape)


def random_batch(shape: tuple[int, ...]) -> Array:
    """Return normally distributed float32 values of a shape, always the same."""
    draw = np.random.default_rng(math.prod(shape))
    return draw.standard_normal(shape, dtype=np.float32)


def random_images(shape: tuple[int, ...]) -> Array:
    """Return uniformly distributed uint8 values of a shape, always the same."""
    draw = np.random.default_rng(math.prod(shape))
    return draw.integers(0, 256, shape, dtype=np.uint8)

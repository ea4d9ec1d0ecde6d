"""What torch really stores: the tensors that autograd saves, and all live storages while something runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnncli.graph import Graph
from cnncli.layers.memory import rule_of


class Kept(NamedTuple):
    """The bytes of each distinct storage that a forward pass saves for the backward pass, by its address."""

    storages: dict[int, int]
    result: Any

    @property
    def total(self) -> int:
        return sum(self.storages.values())


def near(declared: int, found: int, tolerance: float) -> bool:
    """Return whether the declared bytes are those of torch, exactly or within a share of them."""
    return abs(declared - found) <= tolerance * found


def tolerance_of(graph: Graph) -> float:
    """Return the tolerance for the memory of a network: that of its least exact layer."""
    return max(rule_of(node.layer).tolerance for node in graph.nodes)


class _Packed:
    """A placeholder for a saved tensor, alive as long as autograd saves it. No backward pass follows."""

    def __init__(self, tensor: Tensor) -> None:
        self.storage = tensor.untyped_storage()


def kept_by(forward: Callable[[], Any], beside: Iterable[Tensor] = ()) -> Kept:
    """Return what autograd has saved after ``forward``, except the storages of ``beside``.

    Tensors of parts that lead to no output are let go of with those parts, and do not count.
    """
    alive: weakref.WeakSet[_Packed] = weakref.WeakSet()

    def pack(tensor: Tensor) -> _Packed:
        packed = _Packed(tensor)
        alive.add(packed)
        return packed

    with torch.autograd.graph.saved_tensors_hooks(pack, _refuse):
        result = forward()
    excluded = {each.untyped_storage()._cdata for each in beside}
    storages = [packed.storage for packed in alive]
    return Kept({each._cdata: each.nbytes() for each in storages if each._cdata not in excluded}, result)


def _refuse(_: _Packed) -> Tensor:
    raise AssertionError("no backward pass is expected")


class Living(TorchDispatchMode):
    """Adds up the live storages that torch's operations allocate: ``now``, and at most ``peak``.

    Those of ``beside`` do not count. What an operation needs inside of itself is not seen.
    """

    def __init__(self, beside: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._excluded = {each.untyped_storage()._cdata for each in beside}
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.notice(tensor)
        return made

    def restart(self) -> int:
        """The peak since the last restart."""
        peak, self.peak = self.peak, self.now
        return peak

    def notice(self, tensor: Tensor) -> None:
        """Count the storage of this tensor from now on, while it is live."""
        storage = tensor.untyped_storage()
        key, nbytes = storage._cdata, storage.nbytes()
        if key in self._excluded or key in self._alive:
            return

        def gone(_: Any) -> None:
            del self._alive[key]
            self.now -= nbytes

        self._alive[key] = weakref.ref(storage, gone)
        self.now += nbytes
        self.peak = max(self.peak, self.now)

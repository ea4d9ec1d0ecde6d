"""The processes that train one network together, as torchrun starts them; most often it is one alone.

Every process has the same network and takes its share of each batch. What is added up over all of them is the
same in all of them to the last bit, so they stay alike without sending weights. The first one leads: it alone
writes the run folder and shows what happens.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor
from torch import distributed as dist

from cnncli.diagnostics import CnncliError, Diagnostic, listing, usage_error
from cnncli.training.data.batches import slice_bounds

LOST: Final = "lost"
"""The code of the error that ends a process whose others are gone."""

_BUCKET_BYTES: Final = 25 << 20
"""What is added up at once: large enough that the start of a transfer does not count."""

_PATIENCE: Final = timedelta(seconds=5)
"""How long the other processes wait for the first one to say what went wrong."""

_FAILED: Final = "failed"
"""The entry of the store that the first process to say it makes."""

_TIMEOUT: Final = timedelta(hours=1)
"""How long a process waits for the others, some of which may still read their data."""

_VARIABLES: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, eq=False, slots=True)
class World:
    """The processes of a training: this one has the number ``rank``, from 0, of ``size``.

    ``local`` is its number on its machine. If one of them ends, torchrun starts all of them again, up to
    ``restarts`` times; ``agent`` is the number of torchrun's own process. Without a ``store``, which all of
    them reach, it is alone, and its methods do nothing. All processes must call them in the same order.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    restarts: int = 0
    agent: int | None = None
    store: Any = None

    @property
    def orphaned(self) -> int:
        """The signal to end with if torchrun has ended, and has not told this process; otherwise 0."""
        is_orphaned = self.agent is not None and os.getppid() != self.agent
        return signal.SIGTERM if is_orphaned else 0

    @property
    def leads(self) -> bool:
        """Whether this process writes and shows what all of them do."""
        return self.rank == 0

    def share(self, start: int, end: int) -> tuple[int, int]:
        """Return this process's share of a stretch: two samples or more, or none if they are too few."""
        bounds = slice_bounds(end - start, self.size)
        if self.rank >= len(bounds):
            return end, end
        first, last = bounds[self.rank]
        return start + first, start + last

    def slices(self, start: int, end: int, slices: int) -> list[tuple[int, int]]:
        """Return the start and the end of each slice of this process's share of a stretch.

        All processes have as many, since they may wait for each other in each: those that the smallest share
        is cut into.
        """
        first, last = self.share(start, end)
        least = slice_bounds(end - start, self.size)[0] if self.size * 2 <= end - start else (0, 0)
        return slice_bounds(last - first, len(slice_bounds(least[1] - least[0], slices)))

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor with its sum over all processes."""
        if self.size == 1:
            return
        with _connected():
            sent = [(bucket, *_added(bucket)) for bucket in _buckets(tensors)]
            for bucket, flat, work in sent:
                work.wait()
                parts = flat.split([each.numel() for each in bucket])
                for each, part in zip(bucket, parts, strict=True):
                    each.copy_(part.view(each.shape))

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor with that of the first process."""
        if self.size == 1:
            return
        with _connected():
            for each in tensors:
                sent = each.contiguous()
                dist.broadcast(sent, 0)
                each.copy_(sent)

    def largest(self, *values: int) -> tuple[int, ...]:
        """Return the largest of each value over all processes."""
        if self.size == 1:
            return values
        found = torch.tensor(values)
        with _connected():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return (*found.tolist(),)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.largest(0)

    def told(self, text: str) -> str:
        """Return the text of the first process."""
        if self.size == 1:
            return text
        content = bytearray(text.encode())
        length = torch.tensor(len(content))
        self.spread([length])
        sent = torch.frombuffer(content, dtype=torch.uint8) if self.leads and content else None
        received = torch.zeros(int(length), dtype=torch.uint8) if sent is None else sent
        self.spread([received])
        return bytes(received.tolist()).decode()

    def gathered(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, one after another: of each [n, k], on the CPU, perhaps none."""
        if self.size == 1:
            return rows
        shape = torch.tensor(rows.shape)
        shapes = [torch.zeros_like(shape) for _ in range(self.size)]
        with _connected():
            dist.all_gather(shapes, shape)
            most, width = (max(int(each[axis]) for each in shapes) for axis in (0, 1))
            padded = rows.new_zeros(most, width)
            padded[: rows.shape[0], : rows.shape[1]] = rows
            found = [torch.zeros_like(padded) for _ in range(self.size)]
            dist.all_gather(found, padded)
        return torch.cat([each[: int(count)] for each, (count, _) in zip(found, shapes, strict=True)])

    def speaks(self, *, is_lost: bool = False) -> bool:
        """Return whether this process says what went wrong: one of all does, the first one if it knows.

        One that only knows that another one ``is_lost`` does not wait: whoever knows more has said it.
        """
        if self.size == 1:
            return True
        try:
            if not (self.leads or is_lost):
                with suppress(dist.DistStoreError):  # the first one does not say anything
                    self.store.wait([_FAILED], _PATIENCE)
            return bool(self.store.add(_FAILED, 1) == 1)
        except RuntimeError:  # the store is gone with the process that kept it
            return True

    def leave(self) -> None:
        """End the connections, when all processes are done, or gone.

        torchrun ends all others as soon as one has ended with another exit code than 0, so none ends while
        another one still writes.
        """
        if self.size == 1:
            return
        with suppress(CnncliError):
            self.wait()
        dist.destroy_process_group()


ALONE: Final = World()


@cache
def joined() -> World:
    """Return the processes that torchrun's environment variables describe, connected; alone without them.

    Raises:
        UsageError: a variable is missing, or is not a number.
        CnncliError: the others cannot be reached.
    """
    restarts = _number("TORCHELASTIC_MAX_RESTARTS", 0)
    agent = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return World(restarts=restarts, agent=agent)
    missing = [name for name in _VARIABLES if name not in os.environ]
    if missing:
        raise usage_error(
            f"WORLD_SIZE is set, but not {listing(missing)}",
            expected="all variables that torchrun sets, or none of them",
        )
    rank, size, port = (_number(name) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
    local = _number("LOCAL_RANK", rank)
    kept_by_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with _connected():
        store = dist.TCPStore(  # type: ignore[attr-defined] # torch does not list it
            os.environ["MASTER_ADDR"],
            port,
            is_master=rank == 0 and not kept_by_agent,
            timeout=_TIMEOUT,
            wait_for_workers=False,
        )
        # The store of torchrun still has what an earlier attempt wrote.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        own = dist.PrefixStore(f"cnncli/{attempt}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=_TIMEOUT)
    return World(rank, size, local, restarts, agent, own)


def _number(name: str, default: int = 0) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise usage_error(f"{name} is not a number", expected="what torchrun sets it to", received=value)
    return int(value)


@contextmanager
def _connected() -> Iterator[None]:
    """Raise what a lost connection raises as an error of ours.

    Raises:
        CnncliError: another process is gone.
    """
    try:
        yield
    except dist.DistError as error:
        raise _lost() from error
    except RuntimeError as error:
        # gloo has no type of its own for a connection that was closed.
        if "gloo" not in str(error).lower() and "onnection" not in str(error):
            raise
        raise _lost() from error


def _lost() -> CnncliError:
    return CnncliError(
        Diagnostic(
            LOST,
            "another process of this training has ended, or cannot be reached",
            hint="the same command for the same folder continues from the last checkpoint",
        )
    )


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors of one type on one device together, as many as are sent at once."""
    by_kind: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for each in tensors:
        bucket = by_kind.setdefault((each.dtype, each.device), [])
        if bucket and sum(one.nbytes for one in bucket) + each.nbytes > _BUCKET_BYTES:
            yield bucket
            bucket = by_kind[each.dtype, each.device] = []
        bucket.append(each)
    yield from by_kind.values()


def _added(bucket: list[Tensor]) -> tuple[Tensor, Any]:
    """Begin to add up tensors; return where the sums will be, and what to wait for."""
    flat = torch.cat([each.detach().flatten() for each in bucket])
    return flat, dist.all_reduce(flat, async_op=True)

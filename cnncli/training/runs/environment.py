"""Where a run is computed: all that the last bits of its weights depend on, besides settings and data."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cnncli
from cnncli.limits import MAX_THREADS
from cnncli.training.runs.values import members, text, whole

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Environment:
    """A machine and its software.

    Sums are split among ``processes`` and their ``threads``, and vectorized for the ``instructions`` of the
    processor, so all of them decide in which order numbers are added, and with it how sums are rounded.
    """

    device: str
    processor: str
    instructions: str
    threads: int
    processes: int
    torch: str
    python: str
    cnncli: str


def current_environment(device: torch.device) -> Environment:
    """Return where a training on ``device`` runs now."""
    import torch  # noqa: PLC0415 - runs are listed without it

    from cnncli.training.world import joined  # noqa: PLC0415

    on_cuda = device.type == "cuda"
    return Environment(
        device=str(device),
        processor=torch.cuda.get_device_name(device) if on_cuda else _processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        processes=joined().size,
        torch=torch.__version__,
        python=platform.python_version(),
        cnncli=cnncli.__version__,
    )


def read_environment(value: Any, name: str) -> Environment:
    """Return the environment that a run recorded.

    Raises:
        DamagedError: it is not one.
    """
    found = members(value, name, Environment.__slots__)
    return Environment(
        device=text(found["device"], f"{name}.device"),
        processor=text(found["processor"], f"{name}.processor"),
        instructions=text(found["instructions"], f"{name}.instructions"),
        threads=whole(found["threads"], f"{name}.threads", 1, MAX_THREADS),
        processes=whole(found["processes"], f"{name}.processes", 1),
        torch=text(found["torch"], f"{name}.torch"),
        python=text(found["python"], f"{name}.python"),
        cnncli=text(found["cnncli"], f"{name}.cnncli"),
    )


def changes(before: Environment, now: Environment) -> tuple[str, ...]:
    """Return what is different, as ``threads: 4, before 1``."""
    then = asdict(before)
    return tuple(
        f"{name}: {value}, before {then[name]}" for name, value in asdict(now).items() if value != then[name]
    )


def _processor() -> str:
    """Return the model of the CPU, as far as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()

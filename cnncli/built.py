"""A network as its spec describes it, with its torch module and what is measured of that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.analyzed import Analyzed
from cnncli.diagnostics import usage_error

if TYPE_CHECKING:
    from torch import nn

    from cnncli.results.probe import Probe
    from cnncli.results.verify import Verification


class Built(Analyzed):
    """A network whose torch module can be built. Torch is imported by the first method that needs it."""

    __slots__ = ()

    def module(self, device: Any = None) -> nn.Module:
        """Return a newly initialized torch module that computes this network.

        ``device`` is a ``torch.device`` or auto, cpu, cuda, cuda:N, mps or meta; the CPU by default.

        Raises:
            UsageError: torch is not installed, or does not have this device.
            CnncliError: a kind of layer has no torch implementation.
        """
        _need("torch", purpose="module()")
        from cnncli.network import build_network  # noqa: PLC0415
        from cnncli.training.device import choose_device  # noqa: PLC0415

        name = arguments.device(device, "cpu")
        where = name if name == "meta" else choose_device(name)
        return build_network(self._numeric("a torch module"), where)

    def verify(self) -> Verification:
        """Compare all figures with those of torch and torchinfo.

        Raises:
            UsageError: torch or torchinfo is not installed.
        """
        _need("torch", "torchinfo", purpose="verify()")
        from cnncli.network.verify import verify  # noqa: PLC0415

        return verify(self._numeric("a comparison with torch"))

    def probe(
        self, pixels: int = 4, *, samples: int = 4, seed: int = 0, weights: str | Path | None = None
    ) -> Probe:
        """Shift an input by 1 to ``pixels``, measure how outputs change, and check :meth:`shifts`.

        Args:
            pixels: the largest shift.
            samples: random inputs to measure.
            seed: seed of the weights and the inputs.
            weights: the folder of a run whose weights to use.

        Raises:
            UsageError: the input is a vector, or ``weights`` is not the folder of a run.
        """
        if len(self.input_shape) == 1:
            expected = "an input with positions, such as 3x224x224"
            raise usage_error(f"{self.name}: nothing to shift", expected=expected, received="a vector")
        _need("torch", purpose="probe")
        from cnncli.network.network import build_network  # noqa: PLC0415
        from cnncli.network.probe import probe, seeded  # noqa: PLC0415

        graph = self._numeric("probing")
        most, count = arguments.whole("pixels", pixels), arguments.whole("samples", samples)
        with seeded(arguments.whole("seed", seed, 0, 2**64 - 1)):
            network = build_network(graph)
            if weights is not None:
                _load_weights(network, arguments.path("weights", weights))
            return probe(graph, network, most, count)


def _load_weights(network: nn.Module, run: Path) -> None:
    """Fill a network with the weights of a run.

    Raises:
        UsageError: the folder is not a run, or its weights are those of another network.
    """
    _need("safetensors", purpose="weights of a run")
    from cnncli.training.runs.run import open_run  # noqa: PLC0415

    opened = open_run(run)
    opened.load(network, opened.kept(None))


def _need(*packages: str, purpose: str) -> None:
    from cnncli.training.extras import need  # noqa: PLC0415

    need(*packages, purpose=purpose)

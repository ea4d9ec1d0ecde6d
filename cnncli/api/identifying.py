"""Which network a file of weights is one of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnncli import arguments
from cnncli.architecture import need_training
from cnncli.recipe.start import SUFFIXES

if TYPE_CHECKING:
    from cnncli.results.identifying import Identified


def identify(weights: str | Path, spec: str | Path | None = None) -> Identified:
    """Return the network that a file of weights is one of, with its variables, or the nearest one.

    Only the header of a safetensors file is read; anything else needs torch.

    Args:
        weights: the folder of a run, or a ``.safetensors``, ``.pth`` or ``.pt`` file.
        spec: a spec to compare with instead of all shipped ones.

    Raises:
        CnncliError: the file cannot be read or has nothing in common with a spec, or the spec is wrong.
    """
    from cnncli.language import shipped  # noqa: PLC0415
    from cnncli.transfer import identifying  # noqa: PLC0415
    from cnncli.transfer.header import read_header  # noqa: PLC0415

    path = arguments.path("weights", weights)
    if path.suffix == SUFFIXES[0] and path.is_file():
        header = read_header(path)
    else:
        need_training()
        from cnncli.training.warm.files import open_weights  # noqa: PLC0415

        header = dict(open_weights(str(path)).header)
    specs = shipped.specs() if spec is None else _own(arguments.path("spec", spec))
    return identifying.identify(header, specs, str(path))


def _own(spec: Path) -> dict[str, Path]:
    from cnncli.language import shipped  # noqa: PLC0415

    return {str(spec): shipped.located(spec)}

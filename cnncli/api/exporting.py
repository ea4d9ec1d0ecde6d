"""Networks with their weights as files for other programs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.api.networks import load
from cnncli.architecture import Architecture, need_training
from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.exporting.formats import FORMATS, INT8, RAW, Format
from cnncli.recipe.metrics import KEPT

if TYPE_CHECKING:
    from cnncli.exporting.subject import Subject
    from cnncli.results.export import Exported
    from cnncli.results.training import Reading


def export(
    network: str | Path | Architecture,
    to: str,
    output: str | Path,
    *,
    weights: str | Path | None = None,
    raw: bool = False,
    int8: bool = False,
    max_drop: float | None = None,
    reading: Reading = None,
    **how: Any,
) -> Exported:
    """Write a network with its weights as a file for other programs.

    Args:
        network: the folder of a run, or a spec: a file, a shipped spec by its name, or what :func:`load`
            returns.
        to: a format of :data:`cnncli.exporting.formats.FORMATS`.
        output: a file that does not exist yet.
        weights: of a run "best" or "last", by default those that ``evaluate`` measures; of a spec a
            safetensors file.
        raw: "onnx": the file takes normalized inputs, as the network does, and not images.
        int8: "onnx": weights and values of 8 bits, with ranges from training images of the run.
        max_drop: by how much the figure of the held-out data may be worse with 8 bits, from 0 to 1; if it is
            worse by more, no file is written.
        reading: called with (images read, of how many), for 8 bits.
        how: further arguments of :func:`load`, for a spec.

    Raises:
        CnncliError: there is no such network or format, the weights are not its own, a layer cannot be said
            in the format, or the file exists or cannot be written.
    """
    kind = _format(to, {RAW: raw, INT8: int8})
    if max_drop is not None and not int8:
        raise usage_error(
            "a largest drop has no effect on weights that stay as they are", expected="8 bits for it"
        )
    from cnncli.training.exporting.settings import Settings  # noqa: PLC0415
    from cnncli.training.new_files import check_new  # noqa: PLC0415

    path = arguments.path("output", output)
    check_new(path, (kind.suffix,))
    from cnncli.training.extras import need  # noqa: PLC0415

    need(*kind.needs, purpose=f"exporting to {to}", command=f"pip install 'cnncli[{kind.extra}]'")
    subject = _subject(network, weights, how)
    settings = Settings(raw, int8, max_drop, reading)
    written: Exported = import_module(f"cnncli.training.exporting.{to}").write(subject, path, settings)
    return written


def _format(name: str, asked: dict[str, bool]) -> Format:
    """Return a format, after checking that it has the settings that are asked for.

    Raises:
        UsageError: there is no such format, or it has no such setting.
    """
    if name not in FORMATS:
        raise usage_error(
            "no such format",
            expected=listing([*FORMATS], last=" or "),
            received=name,
            hint=did_you_mean(name, FORMATS, "formats"),
        )
    for setting, is_asked in asked.items():
        if is_asked and setting not in FORMATS[name].settings:
            having = [each for each, kind in FORMATS.items() if setting in kind.settings]
            raise usage_error(
                f"the format {name} has no setting '{setting}'",
                expected=f"the format {listing(having, last=' or ')} for it",
            )
    return FORMATS[name]


def _subject(network: Any, weights: Any, how: dict[str, Any]) -> Subject:
    """Return what is exported: a run if there is one of this name, otherwise a spec with a file of weights.

    Raises:
        CnncliError: there is neither, or the weights are missing or others.
    """
    if not isinstance(network, Architecture) and arguments.path("network", network).is_dir():
        return _run(arguments.path("network", network), weights, how)
    from cnncli.exporting.subject import of_spec  # noqa: PLC0415
    from cnncli.language.writer import to_yaml  # noqa: PLC0415

    loaded = network if isinstance(network, Architecture) else load(network, **how)
    if weights is None:
        raise usage_error(
            f"{loaded.name} is a spec, which has no weights to export",
            expected="the folder of a run, or a spec and a .safetensors file",
            hint="'weights' names the file",
        )
    return of_spec(
        loaded._numeric("an export"), to_yaml(loaded._opened.document), arguments.path("weights", weights)
    )


def _run(folder: Path, weights: Any, how: dict[str, Any]) -> Subject:
    if weights is not None and weights not in KEPT:
        expected = listing([repr(each) for each in KEPT], last=" or ")
        raise usage_error("no such weights of a run", expected=expected, received=repr(weights))
    if how:
        raise usage_error(
            "a run is exported as it was trained",
            expected="no other input size or variables",
            received=listing([*how]),
            hint=f"export the spec {folder / 'spec.yaml'} with the weights of the run for another size",
        )
    need_training()
    from cnncli.training.launch.exporting import of_run  # noqa: PLC0415

    return of_run(folder, weights)
